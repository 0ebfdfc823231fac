import assert from "node:assert/strict";
import test from "node:test";

import { matrix, operands, unpack } from "../../explainer/web/arrays.js";
import { bytesOf, madeByPython } from "./python.js";

const WEB = new URL("../../explainer/web/arrays.js", import.meta.url);

const at = (value, path) => path.reduce((part, key) => part[key], value);
const hex = (data) => Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("hex");

function withoutArrays(value) {
  if (ArrayBuffer.isView(value?.data)) return "an array";
  if (Array.isArray(value)) return value.map(withoutArrays);
  if (!value || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, withoutArrays(part)]));
}

for (const { name, message, arrays, plain } of madeByPython("packed")) {
  test(`a message of Python's: ${name}`, () => {
    const found = unpack(bytesOf(message));
    assert.deepEqual(withoutArrays(found), plain);
    for (const { path, kind, shape, hex: bits } of arrays) {
      const array = at(found, path);
      assert.equal(array.data.constructor.name, kind, String(path));
      assert.deepEqual(array.shape, shape, String(path));
      assert.equal(hex(array.data), bits, String(path));
    }
  });

  test(`the same inside of a larger buffer: ${name}`, () => {
    const bytes = bytesOf(message);
    const larger = new Uint8Array(bytes.length + 8).fill(0xaa);
    larger.set(bytes, 3);
    const found = unpack(larger.subarray(3, 3 + bytes.length));
    for (const { path, hex: bits } of arrays) assert.equal(hex(at(found, path).data), bits, String(path));
  });
}

test("a matrix has a row for all axes but the last", () => {
  const data = Float32Array.from({ length: 24 }, (_, i) => i);
  const cube = matrix(data, [2, 3, 4]);
  assert.deepEqual([cube.rows, cube.cols], [6, 4]);
  assert.deepEqual([...cube.row(5)], [20, 21, 22, 23]);
  assert.equal(cube.row(1).buffer, data.buffer, "a row is a view, not a copy");
});

test("a vector is one row", () => {
  const vector = matrix(Float32Array.of(1, 2, 3), [3]);
  assert.deepEqual([vector.rows, vector.cols, [...vector.row(0)]], [1, 3, [1, 2, 3]]);
});

test("rows without columns are counted, and empty", () => {
  const none = matrix(new Uint8Array(0), [3, 0]);
  assert.deepEqual([none.rows, none.cols, none.row(2).length], [3, 0, 0]);
});

// ---- operands ------------------------------------------------------------------------------------------

/** Let fetch answer with `answer(url)`; gives the addresses that were asked for. */
function fetching(t, answer) {
  const asked = [];
  t.mock.method(globalThis, "fetch", async (url) => {
    asked.push(String(url));
    return answer(String(url));
  });
  return asked;
}

const [{ message: anyMessage }] = madeByPython("packed");
const answering = () => new Response(bytesOf(anyMessage));

test("operands are fetched once, from below the app's address", async (t) => {
  const asked = fetching(t, answering);
  const [first, again] = await Promise.all([operands(["operands/once"]), operands(["operands/once"])]);
  await operands(["operands/once"]);
  assert.equal(asked.length, 1);
  assert.equal(asked[0], new URL("../../../../operands/once", WEB).href);
  assert.equal(first.a, again.a);
  assert.equal(first.a.data.length, 6);
});

test("operands that did not come say why, and are asked for anew the next time", async (t) => {
  let failing = true;
  const why = "This walk is no longer kept";
  const asked = fetching(t, () => (failing ? new Response(why, { status: 404 }) : answering()));
  await assert.rejects(operands(["operands/gone"]), { message: why });
  failing = false;
  assert.equal((await operands(["operands/gone"])).a.data.length, 6);
  assert.equal(asked.length, 2);
});

test("only so many operands are kept", async (t) => {
  const asked = fetching(t, answering);
  for (let i = 0; i < 25; i++) await operands([`operands/many/${i}`]);
  await operands(["operands/many/24"]);
  assert.equal(asked.length, 25, "the newest is kept");
  await operands(["operands/many/0"]);
  assert.equal(asked.length, 26, "the oldest is not");
});
