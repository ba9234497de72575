// A shelf in its new order: asked for after each event, and every item moves to its new place before the eyes.
import { fragment, say } from "./requests.js";

const MOVE_MS = 650;
const BADGE_MS = 6000;
const reduced = matchMedia("(prefers-reduced-motion: reduce)");
const running = new Map(); // shelf -> what cancels its request

export async function refreshShelves(origin) {
  const shelves = [...document.querySelectorAll(".shelf[data-list]")].filter((each) => each.dataset.list !== "similar");
  const moved = await Promise.all(shelves.map((shelf) => refresh(shelf, origin)));
  const most = Math.max(0, ...moved);
  if (most) say(`The shelf follows you: ${most} ${most === 1 ? "item" : "items"} moved.`);
}

async function refresh(shelf, origin) {
  running.get(shelf)?.abort();
  const request = new AbortController();
  running.set(shelf, request);
  const asked = new URLSearchParams({ list: shelf.dataset.list, k: shelf.dataset.k });
  const found = await fragment(`/shelf?${asked}`, request.signal);
  const next = found?.querySelector(".shelf");
  if (!next || request.signal.aborted) return 0;
  running.delete(shelf);
  return replace(shelf, next, origin);
}

// Returns how many items are at another place than before.
function replace(shelf, next, origin) {
  const list = shelf.querySelector(".grid");
  const nextList = next.querySelector(".grid");
  for (const name of ["stages", "degraded", "ordering"]) shelf.dataset[name] = next.dataset[name];
  shelf.dataset.followed = Number(shelf.dataset.followed ?? 0) + 1; // how often it was put in order again
  shelf.querySelector(".meta").replaceWith(next.querySelector(".meta"));
  shelf.querySelector(":scope > .notice")?.remove();
  const notice = next.querySelector(":scope > .notice");
  if (notice) shelf.prepend(notice);
  if (!list || !nextList) return 0;

  const before = new Map();
  const focused = document.activeElement;
  [...list.children].forEach((card, rank) => before.set(card.dataset.item, { card, rank, box: card.getBoundingClientRect() }));
  const cards = [...nextList.children].map((fresh) => {
    const old = before.get(fresh.dataset.item)?.card;
    if (!old) return fresh;
    refreshCard(old, fresh);
    return old;
  });
  list.replaceChildren(...cards);
  if (focused && focused !== document.activeElement && list.contains(focused)) focused.focus({ preventScroll: true });
  return cards.map((card, rank) => settle(card, rank, before.get(card.dataset.item))).filter(Boolean).length;
}

// The card stays; what it is followed from, and whether it is liked, is of the new answer.
function refreshCard(old, fresh) {
  old.querySelector(".face").href = fresh.querySelector(".face").href;
  for (const name of ["from", "at"]) {
    const [mine, theirs] = [old, fresh].map((card) => card.querySelector(`input[name=${name}]`));
    if (mine && theirs) mine.value = theirs.value;
  }
  old.querySelector(".heart").setAttribute("aria-pressed", fresh.querySelector(".heart").getAttribute("aria-pressed"));
}

function settle(card, rank, before) {
  const badge = card.querySelector(".moved");
  if (!before) {
    show(badge, "new", "new");
    if (!reduced.matches) card.animate([{ opacity: 0, scale: 0.9 }, { opacity: 1, scale: 1 }], { duration: MOVE_MS, easing: "ease-out" });
    return true;
  }
  const places = before.rank - rank;
  if (!places) {
    badge.hidden = true;
    return false;
  }
  show(badge, places > 0 ? "up" : "down", `${places > 0 ? "▲" : "▼"} ${Math.abs(places)}`);
  const box = card.getBoundingClientRect();
  if (!reduced.matches) {
    const from = `${before.box.left - box.left}px ${before.box.top - box.top}px`;
    card.animate([{ translate: from, zIndex: 2 }, { translate: "0 0", zIndex: 2 }], { duration: MOVE_MS, easing: "cubic-bezier(.2,.8,.2,1)" });
  }
  return true;
}

function show(badge, kind, text) {
  badge.className = `moved ${kind}`;
  badge.textContent = text;
  badge.hidden = false;
  clearTimeout(badge.timer);
  badge.timer = setTimeout(() => (badge.hidden = true), BADGE_MS);
}
