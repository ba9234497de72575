// The panel for the curious: what the model reads of this session, and how long each stage of the last shelf took.
import { fragment } from "./requests.js";

const panel = document.querySelector("#panel");
const toggle = document.querySelector("#panel-toggle");
const OPEN = "panel-open";

export function openPanel() {
  if (!toggle) return;
  toggle.addEventListener("click", () => {
    sessionStorage.setItem(OPEN, panel.hidden ? "1" : "");
    set(panel.hidden);
  });
  set(sessionStorage.getItem(OPEN) === "1");
}

export async function refreshPanel() {
  if (panel.hidden) return;
  const before = values();
  const found = await fragment("/panel");
  if (!found) return;
  panel.replaceChildren(found);
  showStages();
  const after = values();
  for (const [name, cell] of after) {
    if (before.has(name) && before.get(name).text !== cell.text) cell.node.classList.add("changed");
  }
}

function set(isOpen) {
  panel.hidden = !isOpen;
  toggle.setAttribute("aria-expanded", isOpen);
  refreshPanel();
}

// Row -> its value, of the first table: the session's features.
function values() {
  const rows = [...(panel.querySelector("table")?.rows ?? [])];
  return new Map(rows.map((row) => [row.cells[0].textContent, { node: row.cells[1], text: row.cells[1].textContent }]));
}

function showStages() {
  const shelf = document.querySelector(".shelf");
  const body = panel.querySelector("#stages tbody");
  const found = (shelf?.dataset.stages ?? "").split(";").filter(Boolean);
  for (const each of found) {
    const [stage, ms] = each.split("=");
    const row = body.insertRow();
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = stage;
    row.append(head);
    row.insertCell().textContent = `${Number(ms).toFixed(2)} ms`;
  }
  panel.querySelector("#degraded").textContent = shelf?.dataset.degraded === "true" ? "yes" : "no";
}
