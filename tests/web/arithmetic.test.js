// Every recipe: the number that its lines end with is computed here a second time, in another way.

import assert from "node:assert/strict";
import test from "node:test";

import { arithmetic, headOf } from "../../explainer/web/arithmetic.js";
import { matrix, unpack } from "../../explainer/web/arrays.js";
import { bytesOf, madeByPython } from "./python.js";

let seed = 1;
const random = () => {
  seed = (seed * 48271) % 2147483647;
  return (seed / 2147483647) * 4 - 2;
};
const numbers = (rows, cols) => matrix(Float32Array.from({ length: rows * cols }, random), [rows, cols]);

const NUMBER = /−?(?:\d+\.\d+|∞)/g;
const read = (text) => Number(text.replace("−", "-").replace("∞", "Infinity"));
/** The last number of the last line: what the cell holds. */
const result = (lines) => read(lines.at(-1).match(NUMBER).at(-1));
const near = (actual, expected, digits = 3) =>
  assert.ok(Math.abs(actual - expected) <= 0.5 * 10 ** -digits + 1e-6, `${actual} is not ${expected}`);

/** get(name, row) over matrices and vectors. */
const giving = (named) => (name, row) => (row === undefined ? named[name] : named[name].row(row));

const sumOf = (count, term) => Array.from({ length: count }, (_, i) => term(i)).reduce((a, b) => a + b, 0);

for (const size of [1, 3, 4, 5, 8, 128]) {
  test(`a projection of ${size} numbers`, () => {
    const [h, w] = [numbers(3, size), numbers(4, size)];
    const recipe = { op: "project", row: "h", matrix: "w", symbols: ["h", "W_V"], rotate: false };
    const lines = arithmetic({ recipe, get: giving({ h, w }), row: 2, col: 1 });
    near(
      result(lines),
      sumOf(size, (i) => h.data[2 * size + i] * w.data[size + i]),
    );
    assert.match(lines[0], /h of token 2 .* column 1 of W_V/);
    assert.match(lines[0], new RegExp(`\\b${size} products`));
  });
}

test("a few products are all shown, of many the first two and the last, with the others counted", () => {
  const recipe = { op: "project", row: "h", matrix: "w", symbols: ["h", "W"], rotate: false };
  const lines = (size) => {
    const ones = matrix(new Float32Array(size).fill(1), [1, size]);
    return arithmetic({ recipe, get: giving({ h: ones, w: ones }), row: 0, col: 0 }).at(-1);
  };
  const one = "1.000·1.000";
  assert.equal(lines(4), `${[one, one, one, one].join(" + ")} = 4.000`);
  assert.equal(lines(7), `${one} + ${one} + … 4 more … + ${one} = 7.000`);
});

test("a negative second factor stands in brackets", () => {
  const recipe = { op: "project", row: "h", matrix: "w", symbols: ["h", "W"], rotate: false };
  const h = matrix(Float32Array.of(-1, 0.5), [1, 2]);
  const w = matrix(Float32Array.of(2, -3), [1, 2]);
  const text = arithmetic({ recipe, get: giving({ h, w }), row: 0, col: 0 }).at(-1);
  assert.equal(text, "−1.000·2.000 + 0.500·(−3.000) = −3.500");
});

for (const col of [0, 1, 2, 3, 4, 5]) {
  test(`a rotated projection turns entry ${col} with the entry half a head away`, () => {
    const [size, headDim, row] = [16, 6, 2];
    const [h, w] = [numbers(3, size), numbers(headDim, size)];
    // The angles as the model defines them, each for a pair; the first half of sin carries the minus.
    const angle = (i) => row * 10000 ** (-2 * (i % 3) * (1 / headDim));
    const table = (f) =>
      matrix(
        Float32Array.from({ length: 18 }, (_, i) => (i < 12 ? NaN : f(i - 12))),
        [3, 6],
      );
    const cos = table((i) => Math.cos(angle(i)));
    const sin = table((i) => (i < 3 ? -1 : 1) * Math.sin(angle(i)));
    const recipe = { op: "project", row: "h", matrix: "w", symbols: ["h", "W_Q"], rotate: true };
    const lines = arithmetic({ recipe, get: giving({ h, w, cos, sin }), row, col });

    const before = Array.from({ length: headDim }, (_, c) =>
      sumOf(size, (i) => h.data[row * size + i] * w.data[c * size + i]),
    );
    const [a, b] = [before[col % 3], before[(col % 3) + 3]];
    const [c, s] = [Math.cos(angle(col)), Math.sin(angle(col))];
    near(result(lines), col < 3 ? a * c - b * s : a * s + b * c);
    assert.match(lines[2], new RegExp(`entry ${(col + 3) % 6}, .* position ${row} `));
    near(result(lines.slice(0, 2)), before[col]);
  });
}

test("a score is the dot product over the root of its length", () => {
  const [q, k] = [numbers(3, 16), numbers(3, 16)];
  const recipe = { op: "dot", left: "q", right: "k" };
  const lines = arithmetic({ recipe, get: giving({ q, k }), row: 1, col: 0, position: 2 });
  const dot = sumOf(16, (i) => q.data[32 + i] * k.data[16 + i]);
  near(result(lines.slice(0, 2)), dot);
  near(result(lines), dot / 4);
  assert.match(lines[0], /q of token 2 .* k of token 1\b/);
});

test("a weight is the softmax of the scores up to the token", () => {
  const scores = Float32Array.from({ length: 9 }, random);
  const get = (name, position) => (assert.equal(name, "score"), assert.equal(position, 8), scores);
  const total = sumOf(9, (i) => Math.exp(scores[i]));
  for (let row = 0; row < 9; row++) {
    const lines = arithmetic({ recipe: { op: "softmax", of: "score" }, get, row, col: 0, position: 8 });
    near(result(lines), Math.exp(scores[row]) / total, 4);
  }
});

test("large scores, and masked ones, leave a weight finite", () => {
  const scores = Float32Array.of(900, 899, -Infinity);
  const weigh = (row) =>
    arithmetic({ recipe: { op: "softmax", of: "score" }, get: () => scores, row, col: 0, position: 2 });
  near(result(weigh(0)), 1 / (1 + Math.exp(-1)), 4);
  near(result(weigh(2)), 0, 4);
});

for (const count of [1, 2, 3, 4, 12]) {
  test(`an output entry mixes column by column, over ${count} tokens`, () => {
    const v = numbers(count, 8);
    const weights = Float32Array.from({ length: count }, () => Math.abs(random()));
    const get = (name, row) => (name === "weights" ? weights : v.row(row));
    const recipe = { op: "mix", weights: "weights", rows: "v" };
    const lines = arithmetic({ recipe, get, row: 0, col: 5, position: count - 1 });
    near(
      result(lines),
      sumOf(count, (i) => weights[i] * v.data[8 * i + 5]),
    );
    if (count > 3) assert.match(lines[1], new RegExp(`… ${count - 3} more = `));
    else assert.doesNotMatch(lines[1], /more/);
  });
}

test("of many tokens the three largest parts are shown, in the order of the text", () => {
  const weights = Float32Array.of(0.1, 0.4, 0.1, 0.3, 0.2);
  const get = (name, row) => (name === "w" ? weights : Float32Array.of([1, 1, -9, 1, 1][row]));
  const lines = arithmetic({ recipe: { op: "mix", weights: "w", rows: "v" }, get, row: 0, col: 0 });
  assert.match(lines[1], /^0\.400·1\.000 \+ 0\.100·\(−9\.000\) \+ 0\.300·1\.000 \+ … 2 more = 0\.100$/);
});

test("a norm divides by the root mean square and weighs the column", () => {
  const [x, weight] = [numbers(3, 8), Float32Array.from({ length: 8 }, random)];
  const recipe = { op: "norm", row: "x", weight: "g", eps: 1e-5 };
  const get = (name, row) => (name === "g" ? weight : x.row(row));
  const lines = arithmetic({ recipe, get, row: 1, col: 6 });
  const root = Math.sqrt(sumOf(8, (i) => x.data[8 + i] ** 2) / 8 + 1e-5);
  near(result(lines), (x.data[14] / root) * weight[6]);
});

test("a sum of two cells", () => {
  const [a, b] = [numbers(2, 4), numbers(2, 4)];
  const recipe = { op: "add", left: "a", right: "b", symbols: ["attention's output", "what came in"] };
  const lines = arithmetic({ recipe, get: giving({ a, b }), row: 1, col: 3 });
  near(result(lines), a.data[7] + b.data[7]);
  assert.match(lines[0], /attention's output \+ what came in/);
});

test("a gated cell", () => {
  const [gate, up] = [numbers(2, 4), numbers(2, 4)];
  const recipe = { op: "gated", gate: "gate", up: "up" };
  for (let col = 0; col < 4; col++) {
    const lines = arithmetic({ recipe, get: giving({ gate, up }), row: 0, col });
    const sigmoid = 0.5 * (1 + Math.tanh(gate.data[col] / 2));
    near(result(lines), gate.data[col] * sigmoid * up.data[col]);
  }
});

test("what is given has its text", () => {
  assert.deepEqual(arithmetic({ recipe: { op: "given", text: "as it came" }, get: null, row: 0, col: 0 }), [
    "as it came",
  ]);
});

// ---- a trained model with shared KV heads: the recipes of kvengine/graph.py, followed to a recorded tensor ----

for (const what of ["pass", "biased"]) {
  const recorded = unpack(bytesOf(madeByPython(what).message));
  const { tensors, operands, recipes, n_heads: heads, n_kv_heads: kvHeads, head_dim: headDim } = recorded;

  /** Row `row` of one head's matrix, where the tensor has heads. */
  const rowOf = (name, head, row) => {
    const { shape, row: rowAt } = tensors[name];
    if (shape.length === 2) return rowAt(row);
    const own = shape[0] === kvHeads && kvHeads < heads ? Math.floor((head * kvHeads) / heads) : head;
    return rowAt(own * shape[1] + row);
  };

  const operandsOf = (head, position) => (name, row) => {
    if (["wq", "wk", "wv"].includes(name)) {
      return headOf(operands, name, name === "wq" ? head : Math.floor((head * kvHeads) / heads), headDim);
    }
    // A token's scores and weights end with its own.
    if (name === "scores" || name === "weights") return rowOf(name, head, row).slice(0, position + 1);
    if (name in tensors) return rowOf(name, head, row);
    if (row !== undefined) return operands[name].row(row);
    return operands[name].shape.length === 1 ? operands[name].data : operands[name];
  };

  test(`the recorded model (${what}) shares KV heads`, () => assert.ok(kvHeads < heads));

  for (const [key, recipe] of Object.entries(recipes)) {
    test(`the recipe of ${key} leads to the recorded numbers, in every head (${what})`, () => {
      const overTokens = key === "scores" || key === "weights";
      for (const position of [0, 3, 5]) {
        for (let head = 0; head < (tensors[key].shape.length === 3 ? heads : 1); head++) {
          const cells = rowOf(key, head, position);
          for (const col of overTokens ? [0, position] : [0, 1, cells.length - 1]) {
            const lines = arithmetic({
              recipe: { ...recipe, eps: recorded.eps },
              get: operandsOf(head, position),
              row: overTokens ? col : position,
              col,
              position,
            });
            near(result(lines), cells[col], key === "weights" ? 4 : 3);
            const told = lines.join(" ");
            const biased = what === "biased" && "qkv".includes(key);
            assert.equal(/plus the bias/.test(told), biased);
            assert.equal(/root mean square of the head/.test(told), biased && key !== "v");
          }
        }
      }
    });
  }
}
