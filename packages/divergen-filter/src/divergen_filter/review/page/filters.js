// The filter: every change asks the server for the order of rows anew.

import { byId, element, later } from "./elements.js";

const REVIEWS = { none: "not yet", keep: "keep", reject: "reject", mask: "mask is wrong", category: "wrong category" };
const FREQUENCIES = { r: "rare", c: "common", f: "frequent", none: "unknown" };

export class Filters {
  constructor(facets, changed) {
    this.facets = facets;
    this.form = byId("filters");
    const { category, frequency, generator, decision, score, thresholds } = facets;
    choices("review-choices", "review", Object.entries(REVIEWS).map(([value, text]) => ({ value, text })));
    choices("decision", "decision", counted(decision));
    choices("frequency", "frequency", counted(frequency, FREQUENCIES));
    choices("generator", "generator", counted(generator));
    choices("category", "category", category.map(({ name, count }) => ({ value: name, text: name, count })));
    const names = [...thresholds, ...Object.keys(score).filter((name) => !thresholds.includes(name))];
    const preferred = names.includes("inter_similarity") ? "inter_similarity" : names[0];
    byId("score").append(...names.map((name) => element("option", { value: name, text: name.replaceAll("_", " ") })));
    for (const option of byId("score").options) option.defaultSelected = option.value === preferred;
    this.bounds();
    const soon = later(150, changed);
    this.form.addEventListener("input", (event) => {
      if (event.target === byId("category-search")) return this.findCategory();
      if (event.target === byId("score")) this.bounds();
      soon();
    });
    this.form.addEventListener("reset", () => setTimeout(() => { this.findCategory(); this.bounds(); changed(); }));
    this.form.addEventListener("submit", (event) => event.preventDefault());
  }

  query() {
    const ticked = (name) => [...this.form.querySelectorAll(`[name="${name}"]:checked`)].map((box) => box.value);
    const bound = (id) => (byId(id).value === "" ? null : Number(byId(id).value));
    const names = ["category", "frequency", "generator", "decision", "review"];
    return {
      ...Object.fromEntries(names.map((name) => [name, ticked(name)])),
      text: byId("text").value, order: byId("order").value,
      score: byId("score").value || null, low: bound("low"), high: bound("high"),
    };
  }

  reset() {
    this.form.reset();
  }

  bounds() {
    const [low, high] = this.facets.score[byId("score").value] ?? [0, 1];
    byId("low").placeholder = low.toPrecision(3);
    byId("high").placeholder = high.toPrecision(3);
  }

  findCategory() {
    const text = byId("category-search").value.trim().toLowerCase();
    for (const line of byId("category").children)
      line.hidden = !line.textContent.toLowerCase().includes(text) && !line.querySelector("input").checked;
  }
}

function counted(counts, words = {}) {
  return Object.entries(counts).map(([value, count]) => ({ value, text: words[value] ?? value, count }));
}

function choices(id, name, options) {
  byId(id).append(...options.map(({ value, text, count }) => element(
    "label", { className: "choice" },
    element("input", { type: "checkbox", name, value }),
    element("span", { text }),
    ...(count === undefined ? [] : [element("small", { text: count.toLocaleString() })]),
  )));
}
