// What a line made: each variable as cells, with the cache on the left and without it on the right.

import { cellRow, fillCells, fullShade } from "../web/cells.js";
import { el, num, tiny } from "../web/dom.js";
import { fill } from "../web/words.js";

const STATES = ["fresh", "read", "again", "differs", "empty", "given"];
const FIRST = 3; // values written out

const shapeOf = (shape) => (shape ? `[${shape.join(", ")}]` : "");

/** The rows that are drawn: the first ones and the last ones. */
function rowsOf({ shape, state }, scene) {
  const left = (shape.at(-2) ?? 1) - state.length;
  return state.map((_, i) => (i < scene.first_rows ? i : i + left));
}

/** @param {any} value from Python @param {any} scene @returns {HTMLElement} */
export function showValue(value, scene) {
  const sides = ["cached", "naive"].filter((side) => value[side]);
  const numbers = sides
    .filter((side) => value[side].kind === "tensor")
    .flatMap((side) => [...value[side].cells.data].filter(Number.isFinite));
  const scale = numbers.length ? fullShade(numbers) : 1;
  const part = value.cached.part ? el("span.quiet", {}, ` ${value.cached.part}`) : null;
  const difference = value.difference ?? null;
  return el(
    "div.value",
    { "data-ref": `v-${value.name}` },
    el("p.v-name", {}, el("code", {}, value.name), part),
    el(
      "div.sides",
      {},
      ...sides.map((side) => sideOf(value, side, scale, scene)),
      value.naive ? null : el("p.quiet.never", {}, scene.words.not_run),
    ),
    difference === null
      ? null
      : el("p.quiet.difference", {}, fill(scene.words.differences, { difference: tiny(difference) })),
  );
}

function sideOf(value, side, scale, scene) {
  const shown = value[side];
  const box = el(`div.side.${side}`, {}, el("p.shape", {}, el("code", {}, shapeOf(shown.shape))));
  if (shown.kind === "number") box.append(el("p.number", {}, shown.text));
  else if (shown.kind === "tokens") box.append(tokensOf(shown, side));
  else box.append(...gridOf(value, side, scale, scene));
  return box;
}

function tokensOf(shown, side) {
  const last = shown.labels.length - 1;
  const more = shown.more ? [el("span.quiet", {}, `… ${shown.more} more `)] : [];
  const kind = (i) => (side === "cached" || i === last ? ".fresh" : ".again");
  return el(
    "p.tokens",
    {},
    ...more,
    ...shown.labels.map((label, i) => el(`span.token${kind(i)}`, {}, label)),
  );
}

function gridOf(value, side, scale, scene) {
  const shown = value[side];
  const rows = rowsOf(shown, scene);
  const lines = rows.map((row, i) => {
    const state = STATES[shown.state[i]];
    const cells = cellRow(side);
    const values = shown.cells.row(i);
    const line = el("div.v-row", { role: "row", "data-row": row, "data-state": shown.state[i] }, cells);
    line.classList.add(state);
    if (i && row !== rows[i - 1] + 1) line.classList.add("after-gap");
    if (state === "empty") line.classList.add("hollow");
    fillCells(cells, values, scale, `${value.name}, row ${row}`);
    values.forEach((x, col) => {
      const masked = shown.kind === "mask" ? x === 1 : x === -Infinity;
      cells.children[col]?.classList.toggle("masked", masked);
    });
    return line;
  });
  const grid = el("div.v-grid", { role: "grid", "aria-label": `${value.name}, ${side}` }, ...lines);
  grid.style.setProperty("--count", String(lines.length));
  const newest = [...shown.cells.row(rows.length - 1)].slice(0, FIRST);
  const texts = newest.map((x) => (shown.kind === "mask" ? (x ? "True" : "False") : num(x, 3)));
  const dots = shown.shape.at(-1) > FIRST ? " …" : "";
  return [grid, el("p.firsts", { title: scene.words.firsts }, el("code", {}, texts.join("  ") + dots))];
}

/** What a cell says: its index as one would write it in Python. */
export function describe(cell, col, stop, scene) {
  const line = cell.closest(".v-row");
  if (!line) return null;
  const side = cell.parentElement.dataset.part;
  const at = [...line.closest(".told").querySelectorAll(".value")].indexOf(line.closest(".value"));
  const value = stop.values[at];
  const shown = value[side];
  const row = Number(line.dataset.row);
  const x = shown.cells.row(rowsOf(shown, scene).indexOf(row))[col];
  const lead = (shown.shape ?? []).slice(0, -2).map((n, axis) => (axis === 1 ? shown.index : 0));
  const index = shown.shape.length === 1 ? [col] : [...lead, row, col];
  return {
    title: `${value.name}[${index.join(", ")}]`,
    value: shown.kind === "mask" ? (x ? "True" : "False") : num(x, 6),
    lines: [scene.words.state[Number(line.dataset.state)]],
  };
}
