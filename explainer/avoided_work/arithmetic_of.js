// How a cell came about, and how it was one step before: what stands under the pointer, in words.

import { arithmetic, headOf } from "../web/arithmetic.js";
import { operands } from "../web/arrays.js";
import { num, tiny } from "../web/dom.js";
import { fill } from "../web/words.js";
import { DIFFERENT, EQUAL, MASKED, NEW } from "./compared.js";

const isSquare = (key) => key === "scores" || key === "weights";

/** A row of all heads, side by side. */
function joined(parts, r) {
  const row = new Float32Array(parts.length * parts[0].cols);
  parts.forEach((part, h) => row.set(part.row(r), h * part.cols));
  return row;
}

/** What the arithmetic of a cell asks for, by name: drawn cells, or operands that were fetched. */
function given(scene, cells, head, found) {
  const row = (key, r) => cells.part(key, head).row(r);
  return (name, r) => {
    if (name === "wq" || name === "wk" || name === "wv") {
      return headOf(found, name, name === "wq" ? head : cells.kvHead(head), scene.head_dim);
    }
    if (name === "wo" || name === "w_down") return found[name];
    if (r === undefined) return found[name].data; // a norm's weights
    if (name === "final") return found.final.data;
    if (name === "concat") return joined(cells.parts("z"), r);
    if (!scene.tensors[name]) return found[name].row(r);
    if (!isSquare(name)) return row(name, r);
    const scores = row("scores", r);
    const end = scores.indexOf(-Infinity); // of a row of scores or weights, what is not masked
    return end < 0 ? row(name, r) : row(name, r).subarray(0, end);
  };
}

/**
 * @param {{scene: any, cells: any, entry: any, head: number, row: number, col: number}} cell
 * @returns {{title: string, value: string, lines: string[] | Promise<string[]>}}
 */
export function describe({ scene, cells, entry, head, row, col }) {
  const { key } = entry;
  const part = cells.part(key, head);
  const value = part.row(row)[col];
  const state = part.state(row, col);
  const square = isSquare(key);
  const token = (i) => `“${scene.labels[i]}”, token ${i}`;
  const title = square
    ? `${key === "scores" ? "score" : "weight"} of ${token(col)}, asked by ${token(row)}`
    : `${entry.rail} of ${token(key === "readout" ? scene.t : row)}, entry ${col}`;
  const words = scene.words.cell;
  if (state === MASKED) return { title, value: num(value, 0), lines: [words.masked] };
  const digits = key === "weights" ? 4 : 3;

  /** How the cell compares with the same one in the step before. */
  function compared(found) {
    if (state === NEW) return words.new;
    const before = found[`was_${key}`]; // not sent where every number is exactly the same
    const [, rows, cols] = before?.shape ?? [];
    const was = before ? before.data[(cells.headOf(key, head) * rows + row) * cols + col] : value;
    const places = state === EQUAL ? 6 : digits;
    const said = { was: num(was, places), now: num(value, places), difference: tiny(Math.abs(value - was)) };
    return fill(state === DIFFERENT ? words.different : words.again, said);
  }

  return {
    title,
    value: num(value, digits),
    // Only when it is read: the arrow keys ask for whole rows of cells.
    get lines() {
      return operands(scene.operands).then((found) => {
        const recipe = {
          ...scene.arithmetic[key],
          eps: scene.norm_eps,
          text: fill(scene.layer ? words.given : words.given_first, scene.values),
        };
        const get = given(scene, cells, head, found);
        // A score's own row is the query's; the shared recipes call it the position, and the key's index the row.
        const place = square ? { row: col, col, position: row } : { row, col, position: row };
        return [...arithmetic({ recipe, get, ...place }), compared(found)];
      });
    },
  };
}
