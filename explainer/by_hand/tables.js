// Calculations as they stand on paper: tables with every product written out.

import { el } from "../web/dom.js";

/**
 * @typedef {"given" | "fresh" | "cached" | "differs"} Kind what a number is
 * @typedef {{blank?: boolean, rowBlank?: boolean}} Manner `blank`: results are left to be filled in, `rowBlank`:
 *   so is what is multiplied
 */

const factor = (text) => (text.startsWith("−") ? `(${text})` : text);

/** "1·2 + 0·1 + …", a product a piece; those that are nothing are pale. */
function products(a, b) {
  return a.flatMap((x, i) => {
    const nothing = x === "0" || b[i] === "0";
    const text = `${i ? "+ " : ""}${factor(x)}·${factor(b[i])}`;
    return [el(nothing ? "span.term-of.nil" : "span.term-of", {}, text), " "];
  });
}

const how = (a, b) => el("span.how", {}, ...products(a, b));

/** A number, or the room for one. */
export function cell(text, kind, { blank = false, ref = null, right = "" } = {}) {
  const td = el(`td.n.${kind}`, { "data-ref": ref });
  if (blank) td.classList.add("to-fill");
  else td.append(el("b", {}, text));
  if (!blank && right) td.append(el("small.right", {}, right));
  return td;
}

const numbers = (row, kind, ref, manner = {}) => row.map((text) => cell(text, kind, { ref, ...manner }));
/** W_Q with its letter below the line. */
export const lowered = (text) =>
  text.split(/(?<=W)_([QKV])/).map((part, i) => (i % 2 ? el("sub", {}, part) : part));

/** The same wherever it stands in a text that is there already. */
export function lowerAll(node) {
  const walker = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walker.nextNode()) texts.push(/** @type {Text} */ (walker.currentNode));
  for (const text of texts) if (/W_[QKV]/.test(text.data)) text.replaceWith(...lowered(text.data));
}

const head = (text, ref = null) => el("th", { scope: "row", "data-ref": ref }, text);
const gap = (cols = 1) => el("td.gap", { colspan: cols });
const table = (spec, label, ...rows) =>
  el(`table.${spec}`, { "aria-label": label }, el("tbody", {}, ...rows.flat()));
const line = (...cells) => el("tr", {}, ...cells);

/** Rows of numbers with their names. */
export const rowsOf = (label, rows, { ref = null, blank = false } = {}) =>
  table(
    "rows",
    label,
    rows.map(({ name, row, kind, empty }) =>
      line(
        head(name),
        ...(empty
          ? Array.from({ length: 4 }, () => el("td.n.empty", {}, blank ? "" : "·"))
          : numbers(row, kind, ref, { blank })),
      ),
    ),
  );

/** A matrix below its name. */
export const matrix = (label, rows) =>
  table(
    "rows.matrix",
    label,
    line(el("th", { colspan: 4 }, ...lowered(label))),
    ...rows.map((row) => line(...numbers(row, "given"))),
  );

/**
 * Rows times a matrix, each entry of the result where its row and its column cross. `narrow`: the names and the
 * rows stand elsewhere.
 * @param {{label: string, top: string[][], topName: string, left: {name: string, row: string[]}[],
 *   results: string[][], ref: string, unit?: string, narrow?: boolean}} what
 * @param {Manner} [manner]
 */
export function product(what, { blank = false, rowBlank = false } = {}) {
  const { label, top, topName, left, results, ref, unit = "", narrow = false } = what;
  const corner = el("th.corner", { rowspan: 4, colspan: 5, "data-ref": "w" }, ...lowered(topName));
  const above = top.map((row, i) => line(i || narrow ? null : corner, ...numbers(row, "given", "w")));
  const below = left.map(({ name, row }, i) =>
    line(
      ...(narrow ? [] : [head(name), ...numbers(row, "given", "x", { blank: rowBlank })]),
      ...results[i].map((text, j) => {
        const td = cell(text, "fresh", { blank, ref });
        const column = top.map((entries) => entries[j]);
        if (!blank) td.prepend(how(row, column));
        return td;
      }),
    ),
  );
  const spelled = unit ? [line(narrow ? null : gap(5), el("td.unit", { colspan: 4 }, unit))] : [];
  const made = table("product", label, above, below, spelled);
  if (narrow) made.prepend(el("caption", {}, ...lowered(topName)));
  return made;
}

/**
 * One row times many: a query above the keys, and each product beside its key.
 * @param {{label: string, top: {name: string, row: string[], kind: Kind, ref: string, cells?: HTMLElement[]}, heads: string[],
 *   rows: {name: string, row: string[], kind: Kind, results: {text: string, kind: Kind, right?: string}[],
 *   best?: string}[], rowRef: string, ref: string, first?: HTMLElement[]}} what
 * @param {Manner} [manner]
 */
export function dots({ label, top, heads, rows, rowRef, ref, first = [] }, { blank = false } = {}) {
  return table(
    "dots",
    label,
    first,
    line(
      head(top.name, top.ref),
      ...(top.cells ?? numbers(top.row, top.kind, top.ref, { blank })),
      gap(),
      ...heads.map((name) => el("th", { scope: "col" }, name)),
    ),
    rows.map(({ name, row, kind, results, best }) =>
      line(
        head(name),
        ...numbers(row, kind, rowRef, { blank: blank && kind !== "given" }),
        el("td.room", {}, blank ? "" : how(top.row, row)),
        ...results.map(({ text, kind: state, right }) => cell(text, state, { ref, blank, right })),
        best && !blank ? el("td.best", {}, "←", el("span", {}, ` ${best}`)) : null,
      ),
    ),
  );
}

/**
 * Columns of numbers beside their names.
 * @param {{label: string, heads: (string | Node)[], rows: {name: string, cells: (HTMLElement | null)[]}[]}} what
 */
export const columns = ({ label, heads, rows }) =>
  table(
    "columns-of",
    label,
    line(gap(), ...heads.map((name) => el("th", { scope: "col" }, name))),
    rows.map(({ name, cells }) => line(head(name), ...cells)),
  );

/**
 * Rows mixed by their weights; each column's sum stands below it.
 * @param {{label: string, name: string, weightName: string, rows: {name: string, weight: string, weightKind: Kind,
 *   row: string[], kind: Kind}[], result: {row: string[], kind: Kind, right?: string[]}}} what
 * @param {Manner} [manner]
 */
export function mix({ label, name, weightName, rows, result }, { blank = false } = {}) {
  const weights = rows.map((row) => row.weight);
  return table(
    "mix",
    label,
    line(gap(), el("th", { scope: "col" }, weightName), gap(4)),
    rows.map((entry) =>
      line(
        head(entry.name),
        cell(entry.weight, entry.weightKind, { ref: "weight", blank }),
        ...numbers(entry.row, entry.kind, "v", { blank }),
      ),
    ),
    line(
      head(name, "z"),
      gap(),
      ...result.row.map((text, j) => {
        const td = cell(text, result.kind, { ref: "z", blank, right: result.right?.[j] });
        const column = rows.map((entry) => entry.row[j]);
        if (!blank) td.prepend(how(weights, column));
        return td;
      }),
    ),
  );
}

/** The sum of rows, entry by entry. */
export const added = (rows, { row, kind, right }, { blank = false } = {}) =>
  row.map((text, j) => {
    const td = cell(text, kind, { ref: "r", blank, right: right?.[j] });
    if (!blank) td.prepend(el("span.how", {}, rows.map((one) => factor(one[j])).join(" + ")));
    return td;
  });

/** A row before others in a table. */
export const lead = ({ name, row, kind, ref }, { blank = false } = {}) =>
  line(head(name, ref), ...numbers(row, kind, ref, { blank }));
