// Asks which category it is: names that begin with what is typed come first, Enter takes the first.

import { byId, element } from "./elements.js";

const MOST = 50;

export class Which {
  constructor(names) {
    this.names = names;
    this.dialog = byId("which");
    byId("which-name").addEventListener("input", () => this.list());
    this.dialog.querySelector("form").addEventListener("submit", (event) => {
      event.preventDefault();
      const first = this.found()[0] ?? byId("which-name").value.trim();
      if (first) this.dialog.close(first);
    });
    byId("which-list").addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) this.dialog.close(button.value);
    });
  }

  // The name of a category, or "" where the question was left.
  ask() {
    byId("which-name").value = "";
    this.dialog.returnValue = "";
    this.list();
    this.dialog.showModal();
    byId("which-name").focus();
    return new Promise((resolve) => {
      this.dialog.addEventListener("close", () => resolve(this.dialog.returnValue), { once: true });
    });
  }

  found() {
    const text = byId("which-name").value.trim().toLowerCase();
    const place = (name) => name.toLowerCase().indexOf(text);
    return this.names.filter((name) => place(name) >= 0).sort((a, b) => place(a) - place(b)).slice(0, MOST);
  }

  list() {
    byId("which-list").replaceChildren(...this.found().map((name) => (
      element("li", {}, element("button", { type: "button", value: name, text: name.replaceAll("_", " ") }))
    )));
  }
}
