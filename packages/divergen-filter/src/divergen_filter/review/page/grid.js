// The list of instances: only the cards in sight exist, so a hundred thousand scroll as well as a hundred.

import { picture } from "./api.js";
import { byId, element, later, number, verdictText } from "./elements.js";

const CAPTION = 48;
const OVERSCAN = 2;

export class Grid {
  constructor(store, { focused, chosen }) {
    this.store = store;
    this.told = { focused, chosen };
    this.box = byId("grid");
    this.canvas = byId("canvas");
    this.cards = new Map();
    this.chosen = new Set();
    this.focus = 0;
    this.anchor = 0;
    this.view = "outline";
    this.pictures = later(60, () => this.load());
    this.box.addEventListener("scroll", () => requestAnimationFrame(() => this.draw()), { passive: true });
    this.canvas.addEventListener("click", (event) => this.click(event));
    new ResizeObserver(() => this.layout()).observe(this.box);
  }

  get count() {
    return this.store.order.length;
  }

  // Places that a verdict is about: the chosen ones, else the one in focus.
  targets() {
    if (!this.count) return [];
    return this.chosen.size ? [...this.chosen].sort((a, b) => a - b) : [this.focus];
  }

  reset() {
    this.clearCards();
    this.chosen.clear();
    this.focus = this.anchor = 0;
    this.box.scrollTop = 0;
    byId("empty").hidden = this.count > 0;
    this.layout();
    this.tell();
  }

  show(view) {
    this.view = view;
    this.clearCards();
    this.draw();
  }

  layout() {
    const style = getComputedStyle(document.documentElement);
    const least = parseFloat(style.getPropertyValue("--card"));
    this.gap = parseFloat(style.getPropertyValue("--gap"));
    const width = this.box.clientWidth - this.gap;
    this.columns = Math.max(1, Math.floor(width / (least + this.gap)));
    this.side = width / this.columns - this.gap;
    this.pitch = this.side + CAPTION + this.gap;
    this.canvas.style.height = `${Math.ceil(this.count / this.columns) * this.pitch + this.gap}px`;
    this.clearCards();
    this.draw();
  }

  clearCards() {
    for (const card of this.cards.values()) card.remove();
    this.cards.clear();
  }

  draw() {
    if (!this.columns) return;
    const top = Math.floor(this.box.scrollTop / this.pitch) - OVERSCAN;
    const bottom = Math.ceil((this.box.scrollTop + this.box.clientHeight) / this.pitch) + OVERSCAN;
    const from = Math.max(0, top * this.columns);
    const to = Math.min(this.count, bottom * this.columns);
    for (const [place, card] of this.cards) {
      if (place >= from && place < to) continue;
      card.querySelector("img").removeAttribute("src"); // what is out of sight is not fetched any more
      card.remove();
      this.cards.delete(place);
    }
    for (let place = from; place < to; place++) this.cards.has(place) || this.add(place);
    this.range = [from, to];
    this.refresh();
    this.pictures();
  }

  add(place) {
    const shot = element("div", { className: "shot" }, element("img", { alt: "", decoding: "async", draggable: false }));
    const card = element("div", { className: "card", id: `card-${place}` }, shot, element("b"), element("span"));
    card.dataset.place = place;
    card.setAttribute("role", "option");
    const [row, column] = [Math.floor(place / this.columns), place % this.columns];
    Object.assign(card.style, {
      top: `${this.gap + row * this.pitch}px`, left: `${this.gap + column * (this.side + this.gap)}px`,
      width: `${this.side}px`, height: `${this.side + CAPTION}px`,
    });
    this.canvas.append(card);
    this.cards.set(place, card);
  }

  // Pictures and words of the cards that have stayed in sight for a moment.
  load() {
    this.store.need(...this.range).catch((error) => this.told.failed?.(error));
    const side = Math.min(2 * Math.ceil((this.side * devicePixelRatio) / 64) * 32, 640);
    for (const [place, card] of this.cards) {
      const image = card.querySelector("img");
      image.classList.toggle("checker", this.view === "cutout");
      if (!image.hasAttribute("src")) image.src = picture(this.store.order[place], this.view, side);
    }
  }

  refresh() {
    for (const [place, card] of this.cards) this.fill(card, place);
    this.box.setAttribute("aria-activedescendant", `card-${this.focus}`);
  }

  fill(card, place) {
    card.classList.toggle("focus", place === this.focus);
    card.setAttribute("aria-selected", this.chosen.has(place));
    const row = this.store.at(place);
    if (!row || card.known === row) return;
    card.known = row;
    const [shot, name, line] = card.children;
    name.textContent = row.category;
    line.textContent = caption(row);
    card.title = row.prompt;
    card.querySelector(".badge")?.remove();
    const out = row.review ? row.review !== "keep" : row.decision === "rejected";
    shot.classList.toggle("rejected", out);
    if (row.review) shot.append(element("span", { className: `badge ${row.review}`, text: verdictText(row) }));
  }

  move(to, { extend = false } = {}) {
    if (!this.count) return;
    this.focus = Math.max(0, Math.min(this.count - 1, to));
    if (extend) this.span();
    else this.anchor = this.focus;
    this.reveal();
    this.refresh();
    this.tell();
  }

  step(rows, columns, options) {
    this.move(this.focus + rows * this.columns + columns, options);
  }

  page(direction, options) {
    this.step(direction * Math.max(1, Math.floor(this.box.clientHeight / this.pitch)), 0, options);
  }

  span() {
    const [from, to] = [Math.min(this.anchor, this.focus), Math.max(this.anchor, this.focus)];
    this.chosen = new Set(Array.from({ length: to - from + 1 }, (_, index) => from + index));
  }

  toggle(place = this.focus) {
    this.chosen.delete(place) || this.chosen.add(place);
    this.anchor = place;
    this.refresh();
    this.tell();
  }

  choose(places) {
    this.chosen = new Set(places);
    this.refresh();
    this.tell();
  }

  reveal() {
    const top = Math.floor(this.focus / this.columns) * this.pitch;
    const bottom = top + this.pitch + this.gap;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    else if (bottom > this.box.scrollTop + this.box.clientHeight) this.box.scrollTop = bottom - this.box.clientHeight;
    this.draw();
  }

  click(event) {
    const card = event.target.closest(".card");
    if (!card) return;
    const place = Number(card.dataset.place);
    if (event.shiftKey) return this.move(place, { extend: true });
    const many = event.ctrlKey || event.metaKey || matchMedia("(pointer: coarse)").matches;
    if (!many) this.chosen.clear();
    this.move(place);
    if (many) this.toggle(place);
  }

  tell() {
    this.told.focused(this.store.at(this.focus));
    this.told.chosen(this.chosen.size);
  }
}

function caption(row) {
  const shown = row.rules.find((rule) => !rule.passes) ?? row.rules.at(-1);
  const score = shown ? `${shown.score.replaceAll("_", " ")} ${number(row.scores[shown.score])}` : row.generator;
  return `${row.decision} · ${score}`;
}
