// The quick look and the explanation: one box over the page, beside which the shelf can be seen. Escape closes it.
import { fragment, say } from "./requests.js";

const box = document.querySelector("#look");
let opener = null;

export async function lookAt(face, item, from) {
  const path = `/look/${encodeURIComponent(item)}?${from}`;
  if (await open(path, face)) mark(face.closest(".card"));
}

export async function whyOf(button) {
  const list = button.closest("[data-list]");
  const asked = new URLSearchParams({ item: button.dataset.why, list: list.dataset.list, k: list.dataset.k });
  if (await open(`/why?${asked}`, button)) mark(button.closest(".card"));
}

export function closeLook() {
  if (box.hidden) return;
  box.hidden = true;
  mark(null);
  if (opener?.isConnected) opener.focus({ preventScroll: true });
}

async function open(path, origin) {
  const found = await fragment(path);
  if (!found) {
    say("The shop does not answer. Please try again.");
    return false;
  }
  opener = origin;
  box.replaceChildren(found);
  box.hidden = false;
  box.querySelector("#look-name").focus({ preventScroll: true });
  return true;
}

function mark(card) {
  document.querySelectorAll(".card.looked").forEach((each) => each.classList.remove("looked"));
  card?.classList.add("looked");
}
