import assert from "node:assert/strict";
import test from "node:test";

import { fill } from "../../explainer/web/words.js";

test("values are filled in wherever their name stands", () => {
  assert.equal(fill("{n} of {n}: {what}", { n: "3", what: "rows" }), "3 of 3: rows");
});

test("a number, zero and an empty text are values too", () => {
  assert.equal(fill("{a}|{b}|{c}", { a: 0, b: "", c: 1.5 }), "0||1.5");
});

test("a value is text: nothing in it is filled in, bound or explained", () => {
  assert.equal(
    fill("“{a}” and {b}", { a: "{b} [x](#y) $& $1 <b>", b: "2" }),
    "“{b} [x](#y) $& $1 <b>” and 2",
  );
});

test("bound parts and terms are plain text here", () => {
  assert.equal(fill("The [key {n}](#k) is a [row](?row).", { n: "4" }), "The key 4 is a row.");
});

test("brackets that bind nothing stay", () => {
  assert.equal(fill("[1 × {n}] · [{n} × 2] (so)", { n: "16" }), "[1 × 16] · [16 × 2] (so)");
});

for (const values of [{}, { other: "1" }, { n: undefined }, { n: null }]) {
  test(`a missing value throws: ${JSON.stringify(values)}`, () => {
    assert.throws(() => fill("{n} rows", values), /no value for \{n\}/);
  });
}
