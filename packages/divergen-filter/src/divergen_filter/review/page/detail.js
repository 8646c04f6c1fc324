// The instance in focus: a large picture, what was asked for, every rule with its numbers, all scores.

import { picture } from "./api.js";
import { byId, element, number, verdictText } from "./elements.js";

const SIDE = 768;
const SIGNS = { ">=": "≥", "<=": "≤", ">": ">", "<": "<", "==": "=" };
const FAILED = { ">=": "<", "<=": ">", ">": "≤", "<": "≥", "==": "≠" };
const FREQUENCIES = { r: "rare", c: "common", f: "frequent" };

export class Detail {
  constructor() {
    this.view = "outline";
  }

  show(row) {
    this.row = row;
    if (!row) return;
    const image = byId("large");
    const source = picture(row.row, this.view, SIDE);
    if (image.getAttribute("src") !== source) image.src = source;
    image.classList.toggle("checker", this.view === "cutout");
    for (const button of document.querySelectorAll("[data-view]"))
      button.setAttribute("aria-pressed", button.dataset.view === this.view);
    byId("name").textContent = row.category;
    byId("prompt").textContent = `“${row.prompt}” · ${[FREQUENCIES[row.frequency], row.generator].filter(Boolean).join(" · ")}`;
    byId("said").textContent = row.review ? `${row.reviewer}: ${verdictText(row)} (${when(row.reviewed_at)})` : "";
    byId("said").className = row.review ?? "";
    byId("reason").textContent = row.reject_reason ? `rejected: ${row.reject_reason}` : row.decision;
    byId("reason").className = row.decision;
    byId("rules").replaceChildren(...row.rules.map((rule) => ruleLine(rule, row.scores[rule.score])));
    byId("scores").replaceChildren(
      ...Object.entries(row.scores).flatMap(([name, value]) => [
        element("dt", { text: name.replaceAll("_", " ") }), element("dd", { text: number(value) }),
      ]),
      element("dt", { text: "id" }), element("dd", { text: row.id }),
    );
  }
}

function ruleLine(rule, value) {
  return element(
    "div", { className: rule.passes ? "rule" : "rule fails" },
    element("span", { text: rule.score.replaceAll("_", " ") }),
    element("span", { text: `${number(value)} ${rule.passes ? SIGNS[rule.op] : FAILED[rule.op]} ${number(rule.limit)} ${rule.passes ? "✓" : "✗"}` }),
  );
}

function when(time) {
  return new Date(time).toLocaleString([], { dateStyle: "short", timeStyle: "short" });
}
