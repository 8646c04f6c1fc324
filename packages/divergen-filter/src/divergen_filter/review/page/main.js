// Puts the page together: verdicts, keys, and what other reviewers say meanwhile.

import { get, post } from "./api.js";
import { Detail } from "./detail.js";
import { byId } from "./elements.js";
import { Filters } from "./filters.js";
import { Grid } from "./grid.js";
import { Store } from "./store.js";
import { Which } from "./which.js";

const POLL_MILLISECONDS = 2500;
const VIEWS = ["outline", "cutout", "plain"];

const begin = await get("/start");
const detail = new Detail();
const store = new Store(() => {
  grid.refresh();
  detail.show(store.at(grid.focus));
});
const grid = new Grid(store, { focused: (row) => detail.show(row), chosen: showChosen, failed: complain });
const filters = new Filters(begin.facets, find);
const which = new Which(begin.facets.category.map(({ name }) => name));
const name = byId("reviewer");
let entries = begin.entries;
let asked = 0;
let sending = Promise.resolve();

async function find() {
  const mine = ++asked;
  try {
    const { rows } = await post("/find", filters.query());
    if (mine !== asked) return; // a later question is on its way
    store.show(rows);
    grid.reset();
    byId("shown").textContent = rows.length === begin.count
      ? `${rows.length.toLocaleString()} instances`
      : `${rows.length.toLocaleString()} of ${begin.count.toLocaleString()}`;
  } catch (error) {
    complain(error);
  }
}

// One verdict after another, in the order of the keys; the focus moves on at once.
function say(review, category = null) {
  const places = grid.targets();
  if (!places.length) return;
  if (!name.value.trim()) return name.focus();
  const rows = places.map((place) => store.order[place]);
  sending = sending.then(() => send(rows, review, category)).catch(complain);
  if (grid.chosen.size) grid.choose([]);
  else grid.move(grid.focus + 1);
}

async function send(rows, review, category) {
  const versions = rows.map((row) => store.known.get(row)?.version ?? 0); // what nobody looked at overwrites nothing
  const body = { rows, versions, review, review_category: category, reviewer: name.value.trim() };
  const answer = await post("/judge", body);
  take(answer);
  if (answer.refused.length) {
    const theirs = answer.rows.find((row) => answer.refused.includes(row.row));
    toast(`${theirs.reviewer} has said something about ${count(answer.refused)} meanwhile: look, and say it again`);
  } else if (rows.length > 1) toast(`${count(answer.done)}: done (U takes it back)`);
}

function undo() {
  sending = sending.then(async () => {
    const answer = await post("/undo", { reviewer: name.value.trim() });
    take(answer);
    if (answer.done.length) {
      const place = store.order.indexOf(answer.done[0]);
      if (place >= 0) grid.move(place);
      toast(`${count(answer.done)}: taken back`);
    } else toast(answer.refused.length ? "somebody else has said something since; it stays" : "nothing to take back");
  }).catch(complain);
}

async function category() {
  if (!grid.targets().length) return;
  const found = await which.ask();
  if (found) say("category", found);
  grid.box.focus();
}

function take({ rows, reviewed }) {
  store.update(rows);
  const done = Object.values(reviewed).reduce((sum, value) => sum + value, 0);
  byId("bar").style.width = `${(100 * done) / begin.count}%`;
  byId("counts").textContent = `${done.toLocaleString()} reviewed`;
  byId("progress").title = Object.entries(reviewed).map(([kind, value]) => `${kind}: ${value}`).join(", ");
}

async function poll() {
  try {
    if (!document.hidden) {
      const answer = await get(`/changes/${entries}`);
      entries = answer.entries;
      take(answer);
    }
  } catch {
    toast("the server does not answer; verdicts that showed here are kept. Start the command again");
  }
  setTimeout(poll, POLL_MILLISECONDS);
}

function show(view) {
  detail.view = view;
  grid.show(view);
  detail.show(store.at(grid.focus));
}

function showChosen(chosen) {
  byId("chosen").textContent = chosen ? `${chosen.toLocaleString()} chosen` : "";
}

let fading;
function toast(text) {
  const box = byId("toast");
  box.textContent = text;
  box.hidden = false;
  clearTimeout(fading);
  fading = setTimeout(() => { box.hidden = true; }, 5000);
}

function complain(error) {
  toast(error.message);
}

const count = (rows) => (rows.length === 1 ? "one instance" : `${rows.length.toLocaleString()} instances`);

const KEYS = {
  k: () => say("keep"),
  r: () => say("reject"),
  m: () => say("mask"),
  c: category,
  u: undo,
  v: () => show(VIEWS[(VIEWS.indexOf(grid.view) + 1) % VIEWS.length]),
  "/": () => byId("text").focus(),
  "?": () => byId("help").showModal(),
  " ": () => grid.toggle(),
  Escape: () => grid.choose([]),
  ArrowLeft: (options) => grid.step(0, -1, options),
  ArrowRight: (options) => grid.step(0, 1, options),
  ArrowUp: (options) => grid.step(-1, 0, options),
  ArrowDown: (options) => grid.step(1, 0, options),
  PageUp: (options) => grid.page(-1, options),
  PageDown: (options) => grid.page(1, options),
  Home: (options) => grid.move(0, options),
  End: (options) => grid.move(grid.count - 1, options),
};

document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input:not([type=checkbox]), select, textarea");
  if (typing && event.key === "Escape") return grid.box.focus();
  if (typing || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.ctrlKey || event.metaKey) {
    if (event.key === "z") undo();
    else if (event.key === "a") grid.choose(store.order.keys());
    else return;
    return event.preventDefault();
  }
  if ((event.key === " " || event.key === "Enter") && event.target.closest("button, label, summary")) return;
  const action = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!action) return;
  event.preventDefault();
  action({ extend: event.shiftKey });
});

for (const button of document.querySelectorAll("[data-say]"))
  button.addEventListener("click", () => (button.dataset.say === "category" ? category() : say(button.dataset.say)));
for (const button of document.querySelectorAll("[data-view]"))
  button.addEventListener("click", () => show(button.dataset.view));
byId("undo").addEventListener("click", undo);
byId("clear").addEventListener("click", () => filters.reset());
byId("open-help").addEventListener("click", () => byId("help").showModal());
byId("look").addEventListener("click", () => byId("detail").classList.toggle("open"));
byId("close-detail").addEventListener("click", () => byId("detail").classList.remove("open"));
byId("open-filters").addEventListener("click", (event) => {
  const open = byId("filters").classList.toggle("open");
  event.target.setAttribute("aria-expanded", open);
  event.target.textContent = open ? "Done" : "Filter";
});
name.value = localStorage.getItem("reviewer") ?? begin.reviewer;
name.addEventListener("change", () => localStorage.setItem("reviewer", name.value.trim()));

document.title = `Review ${begin.title}`;
byId("title").textContent = begin.title;
take(begin);
await find();
grid.box.focus();
poll();
