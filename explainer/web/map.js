// Where we are: the model as layers × heads, and the cache as its slab of tokens. A head can be picked here.

import { el, num } from "./dom.js";

const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [1, 0], ArrowDown: [-1, 0] };

// Up to so many tokens the cache is drawn with a gap between them.
const MOST_APART = 32;

/**
 * @param {{n_layers: number, n_heads: number, n_kv_heads: number}} model
 * @param {(layer: number, head: number) => void} pick
 */
export function createMap(model, pick) {
  const { n_layers, n_heads, n_kv_heads } = model;
  const cells = Array.from({ length: n_layers }, (_, layer) =>
    Array.from({ length: n_heads }, (_, head) => {
      const cell = el("button.map-head", { type: "button", role: "gridcell", tabindex: "-1" });
      cell.onclick = (event) => {
        pick(layer, head);
        if (event.detail) cell.blur(); // by a pointer: the arrow keys go on stepping
      };
      cell.place = [layer, head];
      if (head && (head * n_kv_heads) % n_heads === 0) cell.classList.add("group");
      return cell;
    }),
  );
  const slabs = cells.map(() => el("div.slab", { "aria-hidden": "true" }, el("i.stored"), el("i.newest")));
  // The first layer stands below, as the text goes up through them.
  const rows = cells
    .map((row, layer) =>
      el(
        "div.map-row",
        { role: "row", "data-layer": layer },
        el("span.map-name", { role: "rowheader" }, String(layer)),
        ...row,
        slabs[layer],
      ),
    )
    .reverse();
  const grid = el(
    "div.map-grid",
    { role: "grid", "aria-label": "Layers and heads; arrow keys go from head to head" },
    ...rows,
  );
  const note = el("p.quiet.map-note");
  const title = el("p.map-title");
  const node = el("section.map", { "aria-label": "Where we are in the model" }, title, grid, note);
  grid.style.setProperty("--heads", String(n_heads));

  grid.onkeydown = (event) => {
    const step = STEPS[event.key];
    const at = event.target.place;
    if (!step || !at) return;
    event.preventDefault();
    event.stopPropagation();
    const next = cells[at[0] + step[0]]?.[at[1] + step[1]];
    if (!next) return;
    stopAt(next);
    next.focus();
  };

  let lit = null;
  let stop = null; // the one head that the tab key leads to
  function stopAt(cell) {
    if (stop) stop.tabIndex = -1;
    stop = cell;
    stop.tabIndex = 0;
  }

  return {
    node,
    /**
     * @param {{layer: number, head: number, shade?: (layer: number, head: number) => number,
     *   said?: (layer: number, head: number) => string, note?: string, stored: number, fresh: boolean}} now
     *   `shade` from 0 to 1, `stored` tokens in the cache, `fresh` whether the newest of them came just now
     */
    show({ layer, head, shade, said, note: words, stored, fresh }) {
      title.replaceChildren("Layer ", el("b", {}, String(layer)), ", head ", el("b", {}, String(head)));
      for (const cell of cells.flat()) {
        const [l, h] = cell.place;
        const name = `layer ${l}, head ${h}${said ? `: ${said(l, h)}` : ""}`;
        const level = shade ? num(100 * shade(l, h), 0) : "0";
        // Most often a stage changes nothing here.
        if (cell.title === name && cell.level === level) continue;
        cell.title = name;
        cell.setAttribute("aria-label", name);
        cell.level = level;
        cell.style.setProperty("--shade", level);
      }
      lit?.classList.remove("lit-head");
      lit?.removeAttribute("aria-current");
      lit = cells[layer][head];
      lit.classList.add("lit-head");
      lit.setAttribute("aria-current", "true");
      stopAt(lit);
      slabs.forEach((slab, l) => slab.classList.toggle("lit-slab", l === layer));
      grid.style.setProperty("--stored", String(stored - (fresh ? 1 : 0)));
      grid.style.setProperty("--newest", fresh ? "1" : "0");
      grid.classList.toggle("many", stored > MOST_APART);
      grid.style.setProperty("--most", String(Math.max(24, stored)));
      note.textContent = words ?? "";
    },
  };
}
