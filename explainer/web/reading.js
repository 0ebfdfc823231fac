// Pointer and keyboard on a grid of cells: what stands under them tells how it came about.

import { el } from "./dom.js";

const STEPS = {
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  Home: [0, -1e9],
  End: [0, 1e9],
};

/** @returns {any[]} */
const all = (node, selector) => [...node.querySelectorAll(selector)];

/**
 * Let the pointer and the arrow keys read a grid of cells.
 * @param {HTMLElement} grid
 * @param {{tip: any, live: HTMLElement, describe: (cell: HTMLElement, col: number) =>
 *   {title: string, value?: string, lines: string[] | Promise<string[]>} | null}} around
 *   the answer goes to `tip` and, for keyboards, to `live`; lines may come later, and what is no number has no value
 */
export function readable(grid, { tip, live, describe }) {
  let active = null;
  let activeCol = null;
  let asked = 0;

  const colOf = (cell, clientX) => {
    if (!cell.values) return [...cell.parentElement.children].indexOf(cell);
    if (clientX === undefined) return cell.cursor ?? 0;
    const box = cell.getBoundingClientRect();
    const part = (clientX - box.left) / box.width;
    return Math.max(0, Math.min(cell.values.length - 1, Math.floor(part * cell.values.length)));
  };

  const hide = () => {
    asked++;
    tip.hide();
    active?.classList.remove("active");
    active = null;
  };

  async function show(cell, col, spoken) {
    const said = describe(cell, col);
    if (!said) return hide();
    const turn = ++asked;
    active?.classList.remove("active");
    active = cell;
    activeCol = col;
    cell.classList.add("active");
    let x;
    if (cell.values) {
      cell.cursor = col;
      const share = (col + 0.5) / cell.values.length;
      cell.style.setProperty("--cursor", String(share));
      const box = cell.getBoundingClientRect();
      x = box.left + box.width * share;
    }
    const equals = said.value === undefined ? "" : `= ${said.value}`;
    const title = el("span", {}, `${said.title} `, equals && el("b", {}, equals));
    let lines = said.lines;
    if (lines instanceof Promise) {
      tip.show(cell, [title, "…"], x);
      lines = await lines.catch((error) => [error.message]);
      if (turn !== asked || tip.target !== cell) return; // the pointer has gone on
    }
    tip.show(cell, [title, ...lines], x);
    if (spoken) live.textContent = `${`${said.title} ${equals}`.trim()}. ${lines.join(" ")}`;
  }

  const cellIn = (node) => (grid.contains(node) ? node.closest("[role=gridcell]") : null);
  const cellAt = (event) => cellIn(event.target);

  function move(cell, [down, right]) {
    const lines = all(grid, "[role=row]")
      .filter((line) => line.offsetParent)
      .map((line) => all(line, "[role=gridcell]").filter((other) => describe(other, colOf(other))))
      .filter((line) => line.length);
    const at = lines.findIndex((line) => line.includes(cell));
    if (!down) {
      const line = lines[at];
      return line?.[Math.max(0, Math.min(line.length - 1, line.indexOf(cell) + right))];
    }
    // The nearest cell by its place on the screen: rows differ in what they hold.
    const left = (node) => node.getBoundingClientRect().left;
    const from = left(cell);
    return lines[at + down]?.reduce((best, other) =>
      Math.abs(left(other) - from) < Math.abs(left(best) - from) ? other : best,
    );
  }

  grid.onpointermove = (event) => {
    const cell = cellAt(event);
    if (!cell) return hide();
    const col = colOf(cell, event.clientX);
    if (cell !== active || col !== activeCol || tip.target !== cell) show(cell, col, false);
  };
  grid.onpointerleave = hide;
  grid.addEventListener("focusin", (event) => {
    const cell = cellAt(event);
    if (!cell) return;
    for (const other of all(grid, '[tabindex="0"]')) other.tabIndex = -1;
    cell.tabIndex = 0;
    if (cell.matches(":focus-visible")) show(cell, colOf(cell), true);
  });
  grid.addEventListener("focusout", (event) => {
    if (!cellIn(event.relatedTarget)) hide();
  });
  // A finger does not move over a cell.
  grid.addEventListener("click", (event) => {
    const cell = cellAt(event);
    if (cell && !event.defaultPrevented) show(cell, colOf(cell, event.clientX), false);
  });
  grid.onkeydown = (event) => {
    const cell = cellAt(event);
    if (!cell) return;
    if (event.key === "Escape") return hide();
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    if (cell.values && step[1]) {
      const col = colOf(cell);
      const next = Math.max(0, Math.min(cell.values.length - 1, col + step[1]));
      if (next !== col) return show(cell, next, true);
    }
    move(cell, step)?.focus({ preventScroll: false });
  };
  return { hide, show };
}

/** One tab stop into the grid: the first cell that can be read, unless one already is. */
export function tabStop(grid) {
  if (grid.querySelector('[role=gridcell][tabindex="0"]')) return;
  const first = grid.querySelector("[role=gridcell]");
  if (first) first.tabIndex = 0;
}
