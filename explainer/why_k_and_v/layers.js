// Which rows of K and V came out differently: a line a layer, the first at the bottom, a column a token.

import { el, tiny } from "../web/dom.js";
import { fill } from "../web/words.js";

const DENSE = 22; // columns from which on their names stand upright

/**
 * @param {{count: any, largest: any, numbers: number}} rows
 * @param {string[]} labels
 * @param {any} words
 * @param {{title: string, note?: string, picked?: number, before?: boolean, pick?: ((position: number) => void) | null}} how
 */
export function layersOf(rows, labels, words, { title, note = "", picked = -1, pick = null }) {
  const [n_layers] = rows.count.shape;
  const most = rows.largest.data.reduce((a, b) => Math.max(a, b), 0);
  const line = (layer) => {
    const counts = rows.count.row(layer);
    const largest = rows.largest.row(layer);
    const cells = labels.map((_, i) => {
      const changed = counts[i] > 0;
      const refs = [
        layer === 0 && i === picked && "first",
        i === picked && "changed",
        i < picked && "before",
      ];
      const cell = el(`div.held${changed ? ".different" : ""}`, {
        role: "gridcell",
        tabindex: "-1",
        "aria-label": changed ? words.different : words.same,
        "data-layer": layer,
        "data-position": i,
        "data-ref": refs.filter(Boolean).join(" ") || null,
        style: changed ? `--a:${25 + Math.round(65 * Math.sqrt(largest[i] / most))}` : null,
      });
      cell.told = { count: counts[i], largest: largest[i], numbers: rows.numbers, label: labels[i], layer };
      return cell;
    });
    const name = [el("span.long", {}, `${words.layer} `), String(layer)];
    return el(
      "div.held-row",
      { role: "row" },
      el("span.held-name.quiet", { role: "rowheader" }, ...name),
      ...cells,
    );
  };
  const heads = labels.map((label, i) => {
    if (!pick || i === 0)
      return el("span.held-token", { role: "columnheader" }, el("span", { title: label }, label));
    const button = el(
      "button.pick-token",
      { type: "button", "aria-pressed": String(i === picked), title: label },
      el("span", {}, label),
    );
    button.onclick = () => pick(i);
    return el("span.held-token", { role: "columnheader" }, button);
  });
  const body = Array.from({ length: n_layers }, (_, i) => line(n_layers - 1 - i));
  const grid = el(
    `div.held-grid${labels.length > DENSE ? ".dense" : ""}`,
    { role: "grid", "aria-label": title, style: `--n:${labels.length}` },
    ...body,
    el(
      "div.held-row.held-tokens",
      { role: "row" },
      el("span.held-name.quiet", { role: "rowheader" }, note),
      ...heads,
    ),
  );
  return el("section.held-box", {}, el("h3", {}, title), grid);
}

/** What a row of K and V tells. */
export function tellHeld(cell, words) {
  const { count, largest, numbers, label, layer } = cell.told;
  return {
    title: fill(words.cell, {
      token: label,
      layer: String(layer),
      count: String(count),
      numbers: String(numbers),
    }),
    value: tiny(largest),
    lines: [],
  };
}

export const heldLegend = (words) =>
  el(
    "p.legend",
    {},
    el("span", {}, el("i.key.cached-key"), words.same),
    el("span", {}, el("i.key.different-key"), words.different),
  );
