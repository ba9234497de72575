// What scripts add to pages that work without them: forms that stay on the page, the quick look, and live shelves.
import { refreshShelves } from "./shelf.js";
import { openPanel, refreshPanel } from "./panel.js";
import { closeLook, lookAt, whyOf } from "./look.js";
import { post, say } from "./requests.js";

document.documentElement.classList.add("scripted");

const STAYS = ["/cart/add", "/like"]; // of the forms, those that are sent without leaving the page

document.addEventListener("submit", (event) => {
  const form = event.target;
  const action = event.submitter?.getAttribute("formaction") ?? form.getAttribute("action");
  if (!STAYS.includes(action)) return;
  event.preventDefault();
  act(action, new FormData(form), event.submitter);
});

document.addEventListener("click", (event) => {
  const why = event.target.closest("[data-why]");
  if (why) return void whyOf(why);
  if (event.target.closest("[data-close]")) return void closeLook();
  const face = event.target.closest(".shelf .face");
  if (!face || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  view(face);
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") closeLook();
});

document.querySelector("#ordering")?.addEventListener("change", (event) => event.target.form.requestSubmit());

for (const row of document.querySelectorAll(".sides [data-item]")) {
  const twins = [...document.querySelectorAll(".sides [data-item]")].filter((each) => each.dataset.item === row.dataset.item);
  for (const [type, on] of [["mouseenter", true], ["mouseleave", false], ["focusin", true], ["focusout", false]]) {
    row.addEventListener(type, () => twins.forEach((twin) => twin.classList.toggle("twin", on)));
  }
}

openPanel();

async function act(action, fields, button) {
  const done = await post(action, fields);
  if (!done) return;
  document.querySelector("#cart-size").textContent = done.cart_size;
  if ("liked" in done) {
    for (const heart of document.querySelectorAll(".heart")) {
      if (heart.form.item_id.value === fields.get("item_id")) heart.setAttribute("aria-pressed", done.liked);
    }
  }
  say(done.stored ? done.said : `${done.said}. The model will hear of it later.`);
  await follow(button);
}

async function view(face) {
  const item = face.closest("[data-item]").dataset.item;
  const from = new URL(face.href, location.href).searchParams;
  const fields = new FormData();
  fields.set("item_id", item);
  for (const name of ["from", "at"]) if (from.has(name)) fields.set(name, from.get(name));
  const [done] = await Promise.all([post("/view", fields), lookAt(face, item, from)]);
  if (done) await follow(face);
}

async function follow(origin) {
  await refreshShelves(origin);
  await refreshPanel();
}
