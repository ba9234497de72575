// Requests of the page to its own shop, and what is said to the visitor.

const token = document.querySelector("meta[name=shop-token]").content;
const said = document.querySelector("#said");
const SAID_MS = 4000;
let silence;

export async function post(path, fields) {
  try {
    const answer = await fetch(path, {
      method: "POST",
      body: new URLSearchParams(fields),
      headers: { accept: "application/json", "x-shop-token": token },
    });
    if (answer.ok) return await answer.json();
    say(answer.status === 403 ? "Your visit has ended. Reload the page." : "The shop could not do this. Please try again.");
  } catch {
    say("The shop does not answer. Please try again.");
  }
  return null;
}

// The answer as a document fragment; null where there is none.
export async function fragment(path, signal) {
  try {
    const answer = await fetch(path, { headers: { accept: "text/html" }, signal });
    if (!answer.ok || answer.redirected) return null;
    const made = document.createElement("template");
    made.innerHTML = await answer.text();
    return made.content;
  } catch {
    return null;
  }
}

export function say(text) {
  said.textContent = text;
  clearTimeout(silence);
  silence = setTimeout(() => (said.textContent = ""), SAID_MS);
}
