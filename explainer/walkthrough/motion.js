// Motion is short, and comes from where the data come from.

import { el } from "../web/dom.js";

const EASE = { duration: 380, easing: "cubic-bezier(.2,.7,.3,1)" };

/** Rows of cells are written from left to right. */
export function appear(rows) {
  for (const node of rows) {
    if (node.closest(".hollow")) continue;
    node.animate([{ clipPath: "inset(0 100% 0 0)" }, { clipPath: "inset(0 0 0 0)" }], EASE);
  }
}

/** Cells come from the height of another row to their place; a copy flies, since the row is cut off at its panel. */
export function fly(root, cells, source) {
  const page = root.getBoundingClientRect();
  const to = cells.getBoundingClientRect();
  const ghost = el("div.ghost.fresh", { "aria-hidden": true, inert: true }, cells.cloneNode(true));
  const drawn = cells.querySelector("canvas");
  if (drawn) ghost.querySelector("canvas").getContext("2d").drawImage(drawn, 0, 0);
  ghost.style.cssText = `left:${to.left - page.left}px;top:${to.top - page.top}px;height:${to.height}px`;
  root.append(ghost);
  const from = source.getBoundingClientRect().top;
  const moves = [{ transform: `translateY(${from - to.top}px)` }, { transform: "none" }];
  ghost.animate(moves, EASE).onfinish = () => ghost.remove();
}

/** The query sweeps down the keys that it meets. One moving thing: a layer a row would cost a frame. */
export function sweep(root, query, history) {
  const page = root.getBoundingClientRect();
  const keys = history.getBoundingClientRect();
  const { left, width, height } = query.getBoundingClientRect();
  const bar = el("div.sweep", { "aria-hidden": true });
  bar.style.cssText = `left:${left - page.left}px;top:${keys.top - page.top}px;width:${width}px;height:${height}px`;
  root.append(bar);
  const end = `translateY(${Math.max(0, keys.height - height)}px)`;
  const moves = [
    { transform: "none" },
    { transform: end, opacity: 1, offset: 0.85 },
    { transform: end, opacity: 0 },
  ];
  bar.animate(moves, { duration: 520, easing: "ease-in-out" }).onfinish = () => bar.remove();
}

/** The weights' bars grow, then the output comes down from them. */
export function grow(lines, weights, output) {
  for (const line of lines) {
    if (weights[line.node.dataset.row] < 0.005) continue;
    line.bar.animate([{ transform: "scaleX(0)" }, { transform: "none" }], EASE);
  }
  const moves = [
    { opacity: 0, transform: "translateY(-10px)" },
    { opacity: 1, transform: "none" },
  ];
  output.animate(moves, { ...EASE, delay: 180, fill: "backwards" });
}
