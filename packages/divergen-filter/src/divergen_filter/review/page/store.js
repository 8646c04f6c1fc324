// What is known about rows, fetched in blocks when it is needed. A row's state changes when somebody says something.

import { post } from "./api.js";

const BLOCK = 60;
const MOST = 6000;

export class Store {
  constructor(changed) {
    this.changed = changed;
    this.order = [];
    this.known = new Map();
    this.asked = new Set();
  }

  at(place) {
    return this.known.get(this.order[place]);
  }

  show(order) {
    this.order = order;
    this.asked.clear();
    this.changed();
  }

  // Ask for the blocks that hold these places.
  async need(from, to) {
    for (let block = Math.floor(from / BLOCK); block * BLOCK < to; block++) {
      const rows = this.order.slice(block * BLOCK, (block + 1) * BLOCK).filter((row) => !this.known.has(row));
      if (!rows.length || this.asked.has(block)) continue;
      this.asked.add(block);
      if (this.known.size > MOST) this.forget();
      try {
        this.take((await post("/describe", rows)).rows);
      } finally {
        this.asked.delete(block);
      }
    }
  }

  take(rows) {
    for (const row of rows) this.known.set(row.row, { ...this.known.get(row.row), ...row });
    this.changed();
  }

  // States of rows of which nothing else is known yet come again with the rest.
  update(states) {
    this.take(states.filter((state) => this.known.has(state.row)));
  }

  forget() {
    for (const row of [...this.known.keys()].slice(0, MOST / 2)) this.known.delete(row);
  }
}
