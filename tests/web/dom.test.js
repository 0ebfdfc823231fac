import assert from "node:assert/strict";
import test from "node:test";

import { fullShade, shade } from "../../explainer/web/cells.js";
import { num, tiny, whole } from "../../explainer/web/dom.js";

test("numbers have a true minus sign, and none before a zero", () => {
  assert.deepEqual(
    [num(1.25), num(-1.5), num(-0.04), num(0), num(-2, 0)],
    ["1.3", "−1.5", "0.0", "0.0", "−2"],
  );
  assert.deepEqual([num(Infinity), num(-Infinity)], ["∞", "−∞"]);
});

test("tiny and whole numbers", () => {
  assert.deepEqual([tiny(7.62e-6), tiny(0), tiny(120)], ["7.6e−6", "0", "1.2e2"]);
  assert.equal(whole(13312), "13,312");
});

test("a larger magnitude has a deeper shade, up to the full one", () => {
  const shades = [0, 0.1, 0.5, 1, 2].map((x) => shade(x, 1));
  assert.deepEqual(
    shades,
    [...shades].sort((a, b) => a - b),
  );
  assert.equal(shade(1, 1), shade(7, 1));
  assert.equal(shade(-0.5, 1), shade(0.5, 1));
  assert.ok(shades[0] > 0 && shades.at(-1) <= 100);
});

test("where all is zero every shade is the palest", () => assert.equal(shade(0, 0), shade(0, 1)));

test("one outlier does not pale all others", () => {
  const values = Float32Array.from({ length: 1000 }, (_, i) => (i === 7 ? 1e6 : i % 2 ? -1 : 1));
  assert.equal(fullShade(values), 1);
});

test("the full shade of few values is the largest magnitude", () => {
  assert.equal(fullShade(Float32Array.of(-3)), 3);
  assert.equal(fullShade(Float32Array.of(0, 0, 0)), 0);
});
