// Where we are: the model as layers × heads, and the cache as its slab of tokens. A head can be picked here.

import { el, num } from "./dom.js";

const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [1, 0], ArrowDown: [-1, 0] };

// Beyond so many layers their rows are thin.
const DEEP = 12;

// So many heads are named that do what the chosen view is about, and none that does so with less weight.
const BEST = 4;
const LEAST = 0.1;

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
      if (n_kv_heads < n_heads && head && (head * n_kv_heads) % n_heads === 0)
        cell.classList.add("new-group");
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
  const choice = el("select.map-view", { "aria-label": "Heads that look at", hidden: true });
  const best = el("div.map-best", { role: "group", "aria-label": "The heads that do so most" });
  const node = el(
    "section.map",
    { "aria-label": "Where we are in the model" },
    el("div.map-top", {}, title, choice),
    best,
    grid,
    note,
  );
  grid.style.setProperty("--heads", String(n_heads));
  grid.style.setProperty("--layers", String(n_layers));
  node.classList.toggle("deep", n_layers > DEEP);
  let now = null;
  choice.onchange = () => show(now);

  /** The view that is chosen, and the heads that it is true of most. */
  function chosen(views) {
    const names = views.map(({ name }) => name);
    if (choice.options.length !== names.length)
      choice.replaceChildren(...names.map((name) => el("option", {}, name)));
    choice.hidden = false;
    const view = views[Math.max(0, choice.selectedIndex)];
    const ranked = cells
      .flat()
      .map(({ place: [layer, head] }) => ({ layer, head, x: view.shade?.(layer, head) ?? 0 }))
      .filter(({ x }) => x >= LEAST)
      .sort((a, b) => b.x - a.x)
      .slice(0, BEST);
    const list = choice.selectedIndex > 0 ? ranked : []; // of the first view every head is a case
    best.replaceChildren(
      ...list.map(({ layer, head, x }) => {
        const button = el(
          "button.map-pick",
          { type: "button" },
          `${layer}.${head}`,
          el("small", {}, num(x, 2)),
        );
        button.setAttribute("aria-label", `Layer ${layer}, head ${head}: ${num(x, 2)}`);
        button.onclick = () => pick(layer, head);
        return button;
      }),
    );
    return view;
  }

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

  /**
   * @typedef {Object} View
   * @property {((layer: number, head: number) => number) | null} [shade] from 0 to 1
   * @property {(layer: number, head: number) => string} [said]
   * @property {string} [note]
   * @property {string} [name] where there are several to choose from
   *
   * @param {View & {layer: number, head: number, views?: View[], stored: number, fresh: boolean}} given
   *   `stored` tokens in the cache, `fresh` whether the newest of them came just now
   */
  function show(given) {
    now = given;
    const { layer, head, stored, fresh } = given;
    const { shade, said, note: words } = given.views ? chosen(given.views) : given;
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
  }

  return { node, show };
}
