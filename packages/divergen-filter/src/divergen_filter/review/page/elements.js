// Small helpers for elements. Text is only ever set as text, so what comes from a prompt does nothing.

export const byId = (id) => document.getElementById(id);

export function element(tag, { text, ...properties } = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  if (text !== undefined) made.textContent = text;
  made.append(...children);
  return made;
}

export function later(milliseconds, action) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(action, milliseconds);
  };
}

export const number = (value) => (value === null ? "–" : Number(value.toPrecision(4)).toString());

const WORDS = { keep: "keep", reject: "reject", mask: "mask is wrong" };

export const verdictText = (row) => WORDS[row.review] ?? `is ${row.review_category}`;
