import { readable, tabStop } from "../../../explainer/web/reading.js";
import { createTip } from "../../../explainer/web/tip.js";
import { equal, later, ok, page, point, press, soon, test } from "./harness.js";

const CELL = '<div role="gridcell" tabindex="-1" style="width: 50px"></div>';
const ROW = '<div role="row" style="display: flex; height: 30px">';

/** A grid of rows, each with `counts` cells, and a row that is one strip of 100 numbers behind them. */
function grid(
  counts = [3, 3, 3],
  { lines = undefined, readableCell = /** @type {(cell: any) => boolean} */ (() => true) } = {},
) {
  const rows = counts.map((count) => `${ROW}${CELL.repeat(count)}</div>`).join("");
  const root = page(`
    <div style="position: relative; padding-top: 150px">
      <div id="grid" role="grid">${rows}${ROW}<div id="strip" role="gridcell" tabindex="-1" style="width: 200px"></div></div></div>
      <div id="tip" hidden style="position: absolute"></div><div id="live"></div>
    </div>`);
  const $ = (id) => root.querySelector(`#${id}`);
  const cells = [...root.querySelectorAll("[role=row]")].map((row, r) =>
    [...row.children].map((cell, c) => Object.assign(cell, { id: cell.id || `r${r}c${c}` })),
  );
  $("strip").values = Float32Array.from({ length: 100 }, (_, i) => i);
  const described = [];
  const describe = (cell, col) => {
    described.push(`${cell.id}/${col}`);
    return readableCell(cell)
      ? { title: cell.id, value: String(col), lines: lines?.(cell, col) ?? ["so"] }
      : null;
  };
  const tip = createTip($("tip"));
  const reading = readable($("grid"), { tip, live: $("live"), describe });
  const shown = () => ($("tip").hidden ? null : $("tip").innerText.split(/\n+/).join("|"));
  const active = () => [...root.querySelectorAll(".active")].map((cell) => cell.id);
  const focused = () => document.activeElement.id;
  return { $, cells, tip, reading, shown, active, focused, described, live: $("live") };
}

/** Arrow keys from the element that has the focus. */
const keys = (...pressed) => pressed.forEach((key) => press(key, document.activeElement));

test("the pointer reads a cell, silently", async () => {
  const { cells, shown, active, live } = grid();
  point("pointermove", cells[1][2]);
  await soon();
  equal([shown(), active(), live.textContent], ["r1c2 = 2|so", ["r1c2"], ""]);
});

test("the pointer beside the cells, or gone, reads nothing", async () => {
  const { $, cells, shown, active } = grid();
  for (const [type, target] of [
    ["pointermove", cells[0][0].parentElement],
    ["pointerleave", $("grid")],
  ]) {
    point("pointermove", cells[1][2]);
    await soon();
    point(type, target);
    equal([shown(), active()], [null, []]);
  }
});

test("the pointer on a strip reads the number below it", async () => {
  const { $, shown } = grid();
  const { left } = $("strip").getBoundingClientRect();
  for (const [x, col] of [
    [0, 0],
    [101, 50],
    [199.5, 99],
    [500, 99],
  ]) {
    point("pointermove", $("strip"), { clientX: left + x });
    await soon();
    equal(shown(), `strip = ${col}|so`);
  }
});

test("arrow keys go from cell to cell and stop at the edges", () => {
  const { cells, focused } = grid();
  cells[0][0].focus();
  keys("ArrowRight", "ArrowDown");
  equal(focused(), "r1c1");
  keys("ArrowRight", "ArrowRight", "ArrowRight", "ArrowUp");
  equal(focused(), "r0c2");
  keys("ArrowUp", "ArrowLeft", "ArrowLeft", "ArrowLeft");
  equal(focused(), "r0c0");
  keys("End");
  equal(focused(), "r0c2");
  keys("Home");
  equal(focused(), "r0c0");
});

test("the keys of reading are used up: the scene does not step", () => {
  const { cells } = grid();
  let heard = 0;
  document.addEventListener("keydown", () => heard++);
  cells[0][0].focus();
  equal(press("ArrowRight", cells[0][0]), true);
  equal(press("ArrowLeft", cells[0][1]), true);
  equal(heard, 0);
  equal(press("n", cells[0][0]), false);
  equal(heard, 1);
});

test("up and down lead to the nearest cell on the screen, where rows differ", () => {
  const { cells, focused } = grid([4, 2, 4]);
  cells[0][3].focus();
  keys("ArrowDown");
  equal(focused(), "r1c1");
  keys("ArrowDown");
  equal(focused(), "r2c1");
});

test("cells that cannot be read, and rows out of sight, are passed over", () => {
  const { cells, focused } = grid([3, 3, 3], { readableCell: (cell) => cell.id !== "r0c1" });
  cells[1][0].parentElement.style.display = "none";
  cells[0][0].focus();
  keys("ArrowRight");
  equal(focused(), "r0c2");
  keys("ArrowDown");
  equal(focused(), "r2c2");
});

test("inside of a strip the keys go from number to number", async () => {
  const { $, cells, shown, focused } = grid();
  $("strip").focus();
  await soon();
  equal(shown(), "strip = 0|so");
  keys("ArrowRight", "ArrowRight");
  await soon();
  equal(shown(), "strip = 2|so");
  keys("End");
  await soon();
  equal(shown(), "strip = 99|so");
  keys("ArrowUp");
  equal(focused(), cells[2][0].id, "up leaves the strip");
});

test("what the keyboard reads is told in full", async () => {
  const { cells, live } = grid();
  cells[0][0].focus();
  keys("ArrowRight");
  await soon();
  equal(live.textContent, "r0c1 = 1. so");
});

test("escape hides the box, the focus stays", async () => {
  const { cells, shown, focused } = grid();
  cells[0][0].focus();
  await soon();
  keys("Escape");
  equal([shown(), focused()], [null, "r0c0"]);
});

test("the grid is one tab stop, which follows the focus", () => {
  const { $, cells } = grid();
  const stops = () => [...$("grid").querySelectorAll('[tabindex="0"]')].map((cell) => cell.id);
  tabStop($("grid"));
  equal(stops(), ["r0c0"]);
  cells[0][0].focus();
  keys("ArrowDown", "ArrowRight");
  equal(stops(), ["r1c1"]);
  tabStop($("grid"));
  equal(stops(), ["r1c1"]);
});

test("lines that come later are waited for", async () => {
  const { promise, resolve } = later();
  const { cells, shown, live } = grid([2], { lines: () => promise });
  cells[0][0].focus();
  await soon();
  equal([shown(), live.textContent], ["r0c0 = 0|…", ""]);
  resolve(["at last"]);
  await soon();
  equal([shown(), live.textContent], ["r0c0 = 0|at last", "r0c0 = 0. at last"]);
});

test("lines that come too late do not overwrite those of the next cell", async () => {
  const slow = later();
  const { cells, shown } = grid([2], { lines: (cell) => (cell.id === "r0c0" ? slow.promise : ["quick"]) });
  point("pointermove", cells[0][0]);
  point("pointermove", cells[0][1]);
  await soon();
  slow.resolve(["slow"]);
  await soon();
  equal(shown(), "r0c1 = 1|quick");
});

test("lines that come too late do not bring the box back", async () => {
  const slow = later();
  const { $, cells, shown } = grid([2], { lines: () => slow.promise });
  point("pointermove", cells[0][0]);
  point("pointerleave", $("grid"));
  slow.resolve(["slow"]);
  await soon();
  equal(shown(), null);
});

test("lines that come too late do not overwrite what something else has put into the box", async () => {
  const slow = later();
  const { $, cells, tip, shown } = grid([2], { lines: () => slow.promise });
  cells[0][0].focus();
  tip.show($("live"), ["a term", "explained"]);
  slow.resolve(["slow"]);
  await soon();
  equal(shown(), "a term|explained");
});

test("where the lines cannot be had it says why", async () => {
  const { promise, reject } = later();
  const { cells, shown } = grid([2], { lines: () => promise });
  point("pointermove", cells[0][0]);
  reject(new Error("This walk is no longer kept"));
  await soon();
  equal(shown(), "r0c0 = 0|This walk is no longer kept");
});

test("a pointer that moves inside of a cell computes nothing anew", async () => {
  const { cells, described } = grid();
  for (let i = 0; i < 5; i++) point("pointermove", cells[0][0]);
  await soon();
  equal(described, ["r0c0/0"]);
  point("pointermove", cells[0][1]);
  point("pointermove", cells[0][0]);
  equal(described.length, 3);
});

test("hide() puts everything out, and the same cell can be read again", async () => {
  const { cells, reading, shown, active } = grid();
  point("pointermove", cells[0][0]);
  reading.hide();
  equal([shown(), active()], [null, []]);
  point("pointermove", cells[0][0]);
  await soon();
  ok(shown());
});
