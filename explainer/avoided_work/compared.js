// The compared cells of one layer as they are drawn: of each operation one part a head, with every cell's state.

import { fullShade } from "../web/cells.js";

export const [NEW, EQUAL, DIFFERENT, MASKED] = [0, 1, 2, 3];

/** The looks of the states, in their order. */
export const LOOKS = ["new", "again", "different", "masked"];

/**
 * @typedef {Object} Part one head of an operation
 * @property {number} rows
 * @property {number} cols
 * @property {number} scale the magnitude that gets the full shade
 * @property {Uint8Array} states of all cells, row by row
 * @property {(r: number) => Float32Array} row
 * @property {(r: number, c: number) => number} state
 */

/**
 * Cells that are masked are not sent: `hidden` stands in their place. States come as runs.
 * @param {{shape: number[], now: any, states: any, lengths: any}} sent
 * @param {number} hidden
 * @returns {Part[]}
 */
export function expand({ shape, now, states, lengths }, hidden) {
  const [heads, rows, cols] = shape;
  const size = rows * cols;
  const state = new Uint8Array(heads * size);
  let end = 0;
  states.data.forEach((kind, i) => state.fill(kind, end, (end += lengths.data[i])));
  let values = now.data;
  if (values.length < state.length) {
    values = new Float32Array(state.length).fill(hidden);
    let next = 0;
    state.forEach((kind, i) => {
      if (kind !== MASKED) values[i] = now.data[next++];
    });
  }
  const scale = fullShade(now.data);
  return Array.from({ length: heads }, (_, h) => {
    const mine = values.subarray(h * size, (h + 1) * size);
    const found = state.subarray(h * size, (h + 1) * size);
    return {
      rows,
      cols,
      scale,
      states: found,
      row: (r) => mine.subarray(r * cols, (r + 1) * cols),
      state: (r, c) => found[r * cols + c],
    };
  });
}

/**
 * Runs of cells in a row that have the same state.
 * @param {Part} part
 * @returns {[number, number, number][]} state, start, end
 */
export function runs(part, row) {
  /** @type {[number, number, number][]} */
  const found = [];
  for (let col = 0; col < part.cols; col++) {
    const state = part.state(row, col);
    const last = found.at(-1);
    if (last?.[0] === state) last[2] = col + 1;
    else found.push([state, col, col + 1]);
  }
  return found;
}

/** How many cells there are of each state. @param {Part[]} parts */
export function counts(parts) {
  const found = [0, 0, 0, 0];
  for (const part of parts) for (const state of part.states) found[state]++;
  return found;
}

/** What the scene reads of Python's data: parts by operation, made when first asked for, and who reads which head. */
export function createCells(scene) {
  const made = new Map();
  const entries = new Map(scene.ops.map((entry) => [entry.key, entry]));
  const kvHead = (head) => Math.floor((head * scene.n_kv_heads) / scene.n_heads);
  const cells = {
    /** All heads of an operation. */
    parts(key) {
      if (!made.has(key)) made.set(key, expand(scene.tensors[key], key === "scores" ? -Infinity : 0));
      return made.get(key);
    },
    kvHead,
    /** The first query head that reads a KV head. */
    queryHead: (kv) => Math.ceil((kv * scene.n_heads) / scene.n_kv_heads),
    /** The part of an operation that a query head has to do with. */
    headOf: (key, head) => ({ q: head, kv: kvHead(head) })[entries.get(key).heads] ?? 0,
    part: (key, head) => cells.parts(key)[cells.headOf(key, head)],
  };
  return cells;
}
