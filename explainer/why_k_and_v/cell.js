// What a cell tells under the pointer or the focus: its value, and how it came about.

import { arithmetic, headOf } from "../web/arithmetic.js";
import { operands } from "../web/arrays.js";
import { num, tiny } from "../web/dom.js";
import { fill } from "../web/words.js";
import { tellHeld } from "./layers.js";

/** @param {any} cell @param {number} col @param {{scene: any, visit: any, key: string}} around */
export function describeCell(cell, col, { scene, visit, key }) {
  if (cell.told) return tellHeld(cell, scene.words.holds);
  const found = visit.cellOf(cell, col);
  if (!found || cell.closest("[inert]")) return null;
  const { part, row, column } = found;
  const now = visit.shown;
  const words = scene.words.cell;
  if (part === "weight" && column.folded) {
    const sum = now.weight.subarray(column.from, column.to + 1).reduce((all, weight) => all + weight, 0);
    const count = String(column.to - column.from + 1);
    return { title: fill(words.folded, { count }), value: num(sum, 4), lines: [] };
  }
  const values = { token: now.labels[row], asker: now.labels[now.position], entry: String(col) };
  // The arithmetic of the readers' numbers; what an experiment changed did not come about like that.
  const told = key === "visit" || key === "next";
  return {
    title: fill(words[part], values),
    value: shown(part, now, row, col),
    lines: told ? explained(scene, part, now, row, col) : [],
  };
}

function shown(part, now, row, col) {
  if (part === "k" || part === "v") return num(now[part].row(row)[col], 3);
  if (part !== "weight") return num(now[part][col], 3);
  const weight = now.weight[row];
  return weight && weight < 1e-4 ? tiny(weight) : num(weight, 4);
}

async function explained(scene, part, now, row, col) {
  const given = "qkv".includes(part) ? await operands(scene.operands) : {};
  const { head, kv_head } = scene.library;
  const get = (name, at) => {
    if (name === "k" || name === "v") return now[name].row(at);
    if (name in now) return now[name];
    if (!name.startsWith("w")) return given[name].row(at);
    return headOf(given, name, name === "wq" ? head : kv_head, scene.head_dim);
  };
  return arithmetic({ recipe: scene.arithmetic[part], get, row, col, position: now.position });
}
