// What Python sends: one message of JSON and arrays (explainer/kit/encode.py), and operands fetched when needed.

import { bytesOf, saved } from "./saved.js";

const KINDS = { "<f4": Float32Array, "|u1": Uint8Array, "<u2": Uint16Array };

/**
 * @typedef {Object} Matrix
 * @property {Float32Array | Uint8Array | Uint16Array} data
 * @property {number[]} shape
 * @property {number} rows all axes but the last, multiplied
 * @property {number} cols the last axis
 * @property {(i: number) => any} row
 */

/** @returns {Matrix} */
export function matrix(data, shape) {
  const cols = shape.at(-1) ?? 1;
  return {
    data,
    shape,
    cols,
    rows: shape.slice(0, -1).reduce((product, n) => product * n, 1),
    row: (i) => data.subarray(i * cols, (i + 1) * cols),
  };
}

/**
 * A message of `pack` as the dict that went into it, each array a Matrix.
 * @param {Uint8Array} bytes
 */
export function unpack(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getUint32(0, true);
  const text = new TextDecoder().decode(bytes.subarray(4, 4 + length));
  // A copy, since typed arrays must begin at a multiple of their size.
  const arrays = bytes.slice(4 + length).buffer;
  return JSON.parse(text, (_, value) => {
    if (!value?.$array) return value;
    const [kind, start, shape] = value.$array;
    const size = shape.reduce((product, n) => product * n, 1);
    return matrix(new KINDS[kind](arrays, start, size), shape);
  });
}

const fetched = new Map();
const MOST_FETCHED = 24;

/**
 * What a cell was computed from and is not drawn: fetched when somebody first asks, and kept.
 * @param {string[]} paths below the app's address, as the scene's data name them
 * @returns {Promise<Object<string, Matrix>>}
 */
export async function operands(paths) {
  const parts = await Promise.all(paths.map(fetchOnce));
  return Object.assign({}, ...parts);
}

function fetchOnce(path) {
  if (!fetched.has(path)) {
    const held = saved?.operands[path];
    const asked = (held ? Promise.resolve(bytesOf(held)) : bytesAt(path)).then(unpack);
    asked.catch(() => fetched.delete(path));
    fetched.set(path, asked);
    if (fetched.size > MOST_FETCHED) fetched.delete(fetched.keys().next().value);
  }
  return fetched.get(path);
}

async function bytesAt(path) {
  // This file lies at <app>/_stcore/bidi-components/explainer.scene/web/.
  const answer = await fetch(new URL(`../../../../${path}`, import.meta.url));
  if (!answer.ok) throw new Error(await answer.text());
  return new Uint8Array(await answer.arrayBuffer());
}
