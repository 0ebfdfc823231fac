// What the cells of the two writers are, and the numbers that belong to them: scene in, plain values out.

import { tiny, whole } from "../web/dom.js";
import { fill } from "../web/words.js";
import { columns } from "./triangle.js";

export const SIDES = ["naive", "cached"];

/** What the cell of a word is in the row that writes word `k`, counted from 1. */
export function stateOf(scene, side, k, { from, to }) {
  const row = scene.rows[k - 1];
  const at = SIDES.indexOf(side);
  const length = scene.prompt_length + k - 1;
  if (from >= length - row.computed[at] && (k === 1 || from === length - 1)) return "now";
  if (side === "cached") return "read";
  const equal = scene.equal.row(k - 1);
  for (let i = from; i <= to; i++) if (!equal[i]) return "differs";
  return "again";
}

/** A row of a triangle: `states` says what each of its cells is. */
export function rowOf(scene, side, k, text, states) {
  const n = scene.prompt_length + k - 1;
  const words = scene.words.row;
  const cells = columns(scene.prompt_length, n).map((cell) => {
    const state = states(cell);
    const label = `${labelOf(scene, text, cell)}: ${scene.words.legend[state]}`;
    return Object.assign(cell, { state, label });
  });
  const earlier = `${n - 1}`;
  const same = String(scene.equal.row(k - 1).reduce((sum, equal) => sum + equal, 0));
  const values = { rows: String(n), new: text.labels[n - 1], next: text.labels[n], earlier, same };
  return {
    name: k === 1 ? words.prompt : `+ ${text.labels[n - 1]}`,
    next: text.labels[n],
    said: fill(k === 1 ? words.first : words[side], values),
    cells,
  };
}

const labelOf = (scene, text, { from, to }) =>
  to > from ? fill(scene.words.cell.folded, { count: String(to - from + 1) }) : text.labels[from];

export const sameAt = (scene) => (i) => i < scene.prompt_length || scene.rows[i - scene.prompt_length].same;

/** The numbers under a text of `k` words. */
export function counted(scene, side, k) {
  const at = SIDES.indexOf(side);
  const row = scene.rows[k - 1];
  const names = scene.words.numbers;
  const last = scene.rows[Math.max(scene.played, k) - 1];
  const [naive, cached] = row.works.map((work) => work / last.works[0]);
  const work = [{ kind: "need", share: cached }];
  if (side === "naive") work.push({ kind: "again", share: naive - cached });
  const time = [{ kind: side, share: row.seconds[at] / Math.max(...last.seconds) }];
  return [
    { name: names.work, value: row.numbers.work[at], wide: true },
    { name: names.works, value: row.numbers.works[at], bar: work },
    { name: names.time, value: row.numbers.time[at], bar: time },
    { name: names.kept, value: row.numbers.kept[at] },
  ];
}

/** What a cell tells; `keep` knows those of the learner's own choice. */
export function describe(scene, keep, cell) {
  const side = cell.closest(".writer")?.dataset.side;
  if (!side || cell.from === undefined) return null;
  const k = cell.row + 1;
  const text = side === "yours" ? keep.text : scene[side];
  const state = [...cell.classList].find((name) => name in scene.words.cell);
  const row = scene.rows[k - 1];
  const largest = scene.largest.row(k - 1).subarray(cell.from, cell.to + 1);
  const pass = row.multiplications[side === "naive" ? 0 : 1];
  const value = {
    now: () => whole(pass),
    again: () => tiny(largest.reduce((most, x) => Math.max(most, x), 0)),
    differs: () => tiny(largest.reduce((most, x) => Math.max(most, x), 0)),
    read: () => whole(scene.kv * (cell.to - cell.from + 1)),
  };
  const n = scene.prompt_length + k - 1;
  const rows = row.computed[side === "naive" ? 0 : 1];
  const values = {
    token: labelOf(scene, text, cell),
    new: text.labels[n - 1],
    numbers: scene.values.numbers,
    rows: rows === 1 ? "1 word" : `${rows} words`,
  };
  return {
    title: fill(scene.words.cell[state], values),
    value: (value[state] ?? keep.valueOf)(cell, state),
    lines: side === "yours" ? [] : [scene.words.cell.open],
  };
}
