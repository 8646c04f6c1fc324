// What the server answers; an answer that is no success becomes an Error with its sentence.

export async function get(path) {
  return answer(await fetch(path));
}

export async function post(path, body) {
  return answer(await fetch(path, { method: "POST", body: JSON.stringify(body) }));
}

export function picture(row, view, side) {
  return `/picture/${row}/${view}/${side}`;
}

async function answer(response) {
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}
