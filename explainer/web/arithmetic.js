// How a cell came about, as lines of text that a pencil can follow.

import { num } from "./dom.js";

const times = (a, b) => `${num(a, 3)}·${b < 0 ? `(${num(b, 3)})` : num(b, 3)}`;

const plus = (a, b) => `${num(a, 3)} + ${b < 0 ? `(${num(b, 3)})` : num(b, 3)}`;

/** "a·b + c·d + … + y·z" and the sum of all the products. */
function products(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  const shown = a.length <= 4 ? [...a.keys()] : [0, 1, a.length - 1];
  const terms = shown.map((i) => times(a[i], b[i]));
  if (a.length > 4) terms.splice(2, 0, `… ${a.length - 3} more …`);
  return { sum, text: terms.join(" + ") };
}

/**
 * The part of a layer's projection that belongs to one head, for a recipe to follow.
 * @param {Object<string, any>} found the layer's weights, as the server sends them: some models have biases of q, k
 *   and v, or norms of a head's q and k
 * @param {string} name wq, wk or wv
 * @param {number} head of its kind: a query head, or a KV head
 * @param {number} size its entries
 */
export function headOf(found, name, head, size) {
  const first = head * size;
  const letter = name[1];
  return {
    rows: size,
    row: (i) => found[name].row(first + i),
    bias: found[`b${letter}`]?.data.subarray(first, first + size),
    norm: found[`${letter}_norm`]?.data,
    eps: found.norm_eps?.data[0],
  };
}

/**
 * How cell (part, row, col) came about, as lines of text.
 * `recipe` says what it was computed from, `get(name, row)` gives those arrays, `sub(row)` a row's index.
 */
const RECIPES = {
  project({ recipe, get, row, col }) {
    const matrix = get(recipe.matrix);
    const hidden = get(recipe.row, row);
    const [h, w] = recipe.symbols;
    const own = products(hidden, matrix.row(col));
    const lines = [
      `${h} of token ${row} · column ${col} of ${w}, ${hidden.length} products:`,
      `${own.text} = ${num(own.sum, 3)}`,
    ];
    // Every entry of the head, for what mixes them: only then more than one is computed.
    const entry = (i) => products(hidden, matrix.row(i)).sum + (matrix.bias?.[i] ?? 0);
    let now = own.sum;
    let size = 1;
    if (matrix.bias) {
      now = entry(col);
      lines.push(`plus the bias of this column: ${plus(own.sum, matrix.bias[col])} = ${num(now, 3)}`);
    }
    if (matrix.norm) {
      let squares = 0;
      for (let i = 0; i < matrix.rows; i++) squares += entry(i) ** 2;
      size = Math.sqrt(squares / matrix.rows + matrix.eps);
      const normed = (now / size) * matrix.norm[col];
      lines.push(
        `over the root mean square of the head's ${matrix.rows} entries, times the weight of this column:`,
        `${num(now, 3)} / ${num(size, 3)} · ${num(matrix.norm[col], 3)} = ${num(normed, 3)}`,
      );
      now = normed;
    }
    if (recipe.rotate) {
      const half = matrix.rows / 2;
      const partner = (col + half) % matrix.rows;
      const other = (entry(partner) / size) * (matrix.norm?.[partner] ?? 1);
      const cos = get("cos", row)[col];
      const sin = get("sin", row)[col];
      lines.push(
        `turned with its pair, entry ${partner}, by the angle that position ${row} sets for this pair:`,
      );
      lines.push(`${times(now, cos)} + ${times(other, sin)} = ${num(now * cos + other * sin, 3)}`);
    }
    return lines;
  },
  dot({ recipe, get, row, position }) {
    const { sum, text } = products(get(recipe.left, position), get(recipe.right, row));
    const size = get(recipe.left, position).length;
    return [
      `${recipe.left} of token ${position} · ${recipe.right} of token ${row}, ${size} products:`,
      `${text} = ${num(sum, 3)}`,
      `divided by √${size}: ${num(sum, 3)} / ${num(Math.sqrt(size), 3)} = ${num(sum / Math.sqrt(size), 3)}`,
    ];
  },
  softmax({ recipe, get, row, position }) {
    const scores = get(recipe.of, position);
    const top = scores.reduce((m, x) => Math.max(m, x), -Infinity);
    const parts = Array.from(scores, (x) => Math.exp(x - top));
    const sum = parts.reduce((a, b) => a + b, 0);
    return [
      `exp(score − highest score) over the sum of all ${scores.length}:`,
      `exp(${num(scores[row], 3)} − ${num(top, 3)}) / ${num(sum, 3)} = ${num(parts[row], 4)} / ${num(sum, 3)} = ${num(parts[row] / sum, 4)}`,
    ];
  },
  mix({ recipe, get, col, position }) {
    const weights = get(recipe.weights, position);
    const column = Float32Array.from(weights, (_, i) => get(recipe.rows, i)[col]);
    const order = [...weights.keys()].sort(
      (a, b) => Math.abs(weights[b] * column[b]) - Math.abs(weights[a] * column[a]),
    );
    const shown = order.slice(0, 3).sort((a, b) => a - b);
    const rest = weights.length - shown.length;
    let sum = 0;
    for (let i = 0; i < weights.length; i++) sum += weights[i] * column[i];
    return [
      `each row's weight times its entry ${col} of V${rest > 0 ? ", the largest three of " + weights.length : ""}:`,
      `${shown.map((i) => times(weights[i], column[i])).join(" + ")}${rest > 0 ? ` + … ${rest} more` : ""} = ${num(sum, 3)}`,
    ];
  },
  given: ({ recipe }) => [recipe.text],
  norm({ recipe, get, row, col }) {
    const x = get(recipe.row, row);
    const weight = get(recipe.weight)[col];
    const size = Math.sqrt(x.reduce((sum, entry) => sum + entry * entry, 0) / x.length + recipe.eps);
    return [
      `entry ${col} over the root mean square of the row's ${x.length} entries, times the weight of this column:`,
      `${num(x[col], 3)} / ${num(size, 3)} · ${num(weight, 3)} = ${num((x[col] / size) * weight, 3)}`,
    ];
  },
  add({ recipe, get, row, col }) {
    const [a, b] = [get(recipe.left, row)[col], get(recipe.right, row)[col]];
    return [`${recipe.symbols.join(" + ")}, entry ${col} of both:`, `${plus(a, b)} = ${num(a + b, 3)}`];
  },
  gated({ recipe, get, row, col }) {
    const [gate, up] = [get(recipe.gate, row)[col], get(recipe.up, row)[col]];
    const silu = gate / (1 + Math.exp(-gate));
    return [
      `SiLU(gate) · up, where SiLU(x) = x / (1 + e^−x):`,
      `SiLU(${num(gate, 3)}) · ${num(up, 3)} = ${times(silu, up)} = ${num(silu * up, 3)}`,
    ];
  },
};

/** @param {{recipe: any, get: (name: string, row?: number) => any, row: number, col: number, position?: number}} context */
export const arithmetic = (context) => RECIPES[context.recipe.op](context);
