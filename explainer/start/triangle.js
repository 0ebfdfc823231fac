// A text as a triangle: a row is a word being written, a column a word that it needs.

import { el } from "../web/dom.js";

const MOST_COLUMNS = 24; // of a prompt: before its last ones the others are folded into one cell
const FOLD = 3; // columns that the folded ones take

/**
 * @typedef {Object} Cell
 * @property {number} from the word, or the first of those folded into one cell
 * @property {number} to the last of them
 */

/** The columns of a text of `length` words whose prompt had `prompt` of them. */
export function columns(prompt, length) {
  const folded = prompt > MOST_COLUMNS ? prompt - MOST_COLUMNS + FOLD : 0;
  const cells = folded ? [{ from: 0, to: folded - 1 }] : [];
  for (let i = folded; i < length; i++) cells.push({ from: i, to: i });
  return cells;
}

/** @param {string} label */
export function createTriangle(label) {
  const node = el("div.triangle", { role: "grid", "aria-label": label });
  let drawn = [];

  return {
    node,
    get rows() {
      return drawn;
    },
    /** So many columns and rows have to find room. */
    room(prompt, columnsWanted, rowsWanted) {
      const folded = prompt > MOST_COLUMNS;
      node.style.setProperty(
        "--columns",
        String(columns(prompt, columnsWanted).length + (folded ? FOLD - 1 : 0)),
      );
      node.style.setProperty("--most", String(rowsWanted));
    },
    clear() {
      drawn = [];
      node.replaceChildren();
    },
    /** Take away the rows behind the first `count`. */
    cut(count) {
      for (const row of drawn.splice(count)) row.node.remove();
    },
    /**
     * @param {{name: string, next: string, said: string, right: boolean,
     *   cells: (Cell & {state: string, label: string})[]}} told
     */
    add({ name, next, said, right, cells }) {
      const boxes = cells.map(({ from, to, state, label: text }) => {
        const folded = to > from;
        const box = el(
          `button.t-cell.${state}${folded ? ".folded" : ""}`,
          { type: "button", role: "gridcell", tabindex: "-1", "aria-label": text },
          folded ? el("small", {}, `×${to - from + 1}`) : null,
        );
        box.from = from;
        box.to = to;
        box.row = drawn.length;
        return box;
      });
      const line = el("div.t-cells", { role: "none" }, ...boxes);
      const row = el(
        "div.t-row",
        { role: "row", "aria-label": said },
        el("span.t-name", { role: "rowheader" }, name),
        line,
        el(`span.t-next${right ? "" : ".other"}`, { role: "cell", "data-matters": "" }, `→ ${next}`),
      );
      node.querySelector(".newest")?.classList.remove("newest");
      row.classList.add("newest");
      node.append(row);
      drawn.push({ node: row, line, boxes });
    },
    /** Mark the last row as the newest again, after a cut. */
    mark() {
      for (const row of drawn) row.node.classList.toggle("newest", row === drawn.at(-1));
    },
  };
}

const EASE = "cubic-bezier(.2,.7,.3,1)";

/** A row's motion shows what it costs: a sweep over all that is computed, one cell that pops in. */
export function moveIn(row, { sweeps }) {
  const { line, boxes, node } = row;
  const long = sweeps ? 420 : 0;
  if (sweeps) {
    line.animate([{ clipPath: "inset(-4px 100% -4px 0)" }, { clipPath: "inset(-4px 0 -4px 0)" }], {
      duration: long,
      easing: "linear",
    });
  } else {
    boxes.at(-1).animate([{ transform: "scale(0)" }, { transform: "scale(1.35)" }, { transform: "none" }], {
      duration: 260,
      easing: EASE,
    });
  }
  node.lastChild.animate([{ opacity: 0 }, { opacity: 1 }], {
    duration: 140,
    delay: long || 120,
    fill: "backwards",
  });
}
