// Shared by the scenes: arrays, cells, the arithmetic of a cell, and the grid that pointer and keyboard walk.

// ---- arrays -------------------------------------------------------------------------------------------

/** Base64 to bytes, by a plain loop: Uint8Array.from takes ten times as long over a megabyte. */
function bytesOf(b64) {
  const text = atob(b64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** Decode {shape, b64} into {data, rows, cols, row(i)}; a vector is one row. */
function decode({ shape, b64 }) {
  const data = new Float32Array(bytesOf(b64).buffer);
  const cols = shape[shape.length - 1];
  return {
    data,
    cols,
    rows: cols ? data.length / cols : 0,
    row: (i) => data.subarray(i * cols, (i + 1) * cols),
  };
}

/** The magnitude that gets the full shade: nearly the largest, so that one outlier does not pale all others. */
function fullShade(values) {
  const sizes = Float32Array.from(values, Math.abs).sort();
  return sizes[Math.floor(0.985 * (sizes.length - 1))] || sizes[sizes.length - 1];
}

// ---- numbers and text ---------------------------------------------------------------------------------

/** A number with a real minus sign, and no minus before a zero. */
function num(x, digits = 1) {
  if (!Number.isFinite(x)) return x > 0 ? "∞" : "−∞";
  const text = x.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}

const tiny = (x) => (x === 0 ? "0" : x.toExponential(1).replace("e-", "e−").replace("e+", "e"));

/** Build an element: el("div.cell", {title: "…"}, child, "text", …). */
function el(spec, attributes = {}, ...children) {
  const [tag, ...classes] = spec.split(".");
  const node = document.createElement(tag || "div");
  if (classes.length) node.className = classes.join(" ");
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

// ---- cells --------------------------------------------------------------------------------------------

// Beyond this many columns a row is one canvas: its cells are too narrow for numbers anyway.
const WIDEST_IN_CELLS = 24;

let paper = [255, 255, 255];

/** Take the page's background, and tell the root whether it is a dark one. */
function readTheme(root) {
  const context = el("canvas", { width: 1, height: 1 }).getContext("2d");
  context.fillStyle = getComputedStyle(root).getPropertyValue("--st-background-color").trim() || "#fff";
  context.fillRect(0, 0, 1, 1);
  paper = [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
  const dark = paper[0] * 0.3 + paper[1] * 0.59 + paper[2] * 0.11 < 128;
  const changed = root.classList.contains("dark") !== dark;
  root.classList.toggle("dark", dark);
  return changed;
}

const SHADE_STEP = 4; // percent, as in cells.css
const shade = (x, scale) => (scale ? 5 + 80 * Math.pow(Math.min(1, Math.abs(x) / scale), 0.8) : 5);

/** The place of a row of cells; fillCells() makes them when it first gives it values. */
function cellRow(part) {
  return el("div.cells", { role: "none", "data-part": part });
}

function addCells(box, cols) {
  box.style.setProperty("--cols", cols);
  if (cols > WIDEST_IN_CELLS) {
    box.append(el("div.strip", { role: "gridcell", tabindex: "-1" }, el("canvas")));
  } else {
    for (let i = 0; i < cols; i++) box.append(el("div.c", { role: "gridcell", tabindex: "-1" }));
  }
}

/** Write values into a row from cellRow(); `scale` is the magnitude that gets the full shade. */
function fillCells(box, values, scale, label) {
  if (!box.firstElementChild) addCells(box, values.length);
  const strip = box.firstElementChild;
  if (!strip?.classList.contains("strip")) {
    values.forEach((x, i) => {
      const cell = box.children[i];
      const text = num(x).replace("−", "-"); // a true minus is too wide for a cell
      if (cell.textContent !== text) cell.textContent = text;
      // One of a few classes instead of a style of its own: cells that look the same are styled once.
      const level = `a${Math.round(shade(x, scale) / SHADE_STEP)}`;
      if (cell.level === level) return;
      if (cell.level) cell.classList.replace(cell.level, level);
      else cell.classList.add(level);
      cell.level = level;
    });
    return;
  }
  strip.setAttribute("aria-label", `${label}: ${values.length} numbers, arrow keys read them one by one`);
  strip.values = values;
  // The strip is a stencil cut from paper: its colour comes from the CSS behind it, so that a row that
  // changes its state need not be drawn again.
  const canvas = strip.firstElementChild;
  canvas.width = values.length;
  canvas.height = 1;
  const context = canvas.getContext("2d");
  const image = context.createImageData(values.length, 1);
  values.forEach((x, i) => {
    image.data.set(paper, 4 * i);
    image.data[4 * i + 3] = 255 - Math.round(2.55 * shade(x, scale));
  });
  context.putImageData(image, 0, 0);
}

// ---- the arithmetic of a cell -------------------------------------------------------------------------

const times = (a, b) => `${num(a, 3)}·${b < 0 ? `(${num(b, 3)})` : num(b, 3)}`;

/** "a·b + c·d + … + y·z" and the sum of all the products. */
function products(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  const shown = a.length <= 4 ? [...a.keys()] : [0, 1, a.length - 1];
  const terms = shown.map((i) => times(a[i], b[i]));
  if (a.length > 4) terms.splice(2, 0, `… ${a.length - 3} more …`);
  return { sum, text: terms.join(" + ") };
}

/**
 * How cell (part, row, col) came about, as lines of text.
 * `recipe` says what it was computed from, `get(name, row)` gives those arrays, `sub(row)` a row's index.
 */
const RECIPES = {
  project({ recipe, get, row, col }) {
    const matrix = get(recipe.matrix);
    const hidden = get(recipe.row, row);
    const [h, w] = recipe.symbols;
    const own = products(hidden, matrix.row(col));
    const lines = [`${h} of token ${row} · column ${col} of ${w}, ${hidden.length} products:`, `${own.text} = ${num(own.sum, 3)}`];
    if (recipe.rotate) {
      const half = matrix.rows / 2;
      const partner = (col + half) % matrix.rows;
      const other = products(hidden, matrix.row(partner)).sum;
      const cos = get("cos", row)[col];
      const sin = get("sin", row)[col];
      lines.push(`turned with its pair, entry ${partner}, by the angle of position ${row}:`);
      lines.push(`${times(own.sum, cos)} + ${times(other, sin)} = ${num(own.sum * cos + other * sin, 3)}`);
    }
    return lines;
  },
  dot({ recipe, get, row, position }) {
    const { sum, text } = products(get(recipe.left, position), get(recipe.right, row));
    const size = get(recipe.left, position).length;
    return [
      `${recipe.left} of token ${position} · ${recipe.right} of token ${row}, ${size} products:`,
      `${text} = ${num(sum, 3)}`,
      `divided by √${size}: ${num(sum, 3)} / ${num(Math.sqrt(size), 3)} = ${num(sum / Math.sqrt(size), 3)}`,
    ];
  },
  softmax({ recipe, get, row, position }) {
    const scores = get(recipe.of, position);
    const top = scores.reduce((m, x) => Math.max(m, x), -Infinity);
    const parts = Array.from(scores, (x) => Math.exp(x - top));
    const sum = parts.reduce((a, b) => a + b, 0);
    return [
      `exp(score − highest score) over the sum of all ${scores.length}:`,
      `exp(${num(scores[row], 3)} − ${num(top, 3)}) / ${num(sum, 3)} = ${num(parts[row], 4)} / ${num(sum, 3)} = ${num(parts[row] / sum, 4)}`,
    ];
  },
  mix({ recipe, get, col, position }) {
    const weights = get(recipe.weights, position);
    const column = Float32Array.from(weights, (_, i) => get(recipe.rows, i)[col]);
    const order = [...weights.keys()].sort((a, b) => Math.abs(weights[b] * column[b]) - Math.abs(weights[a] * column[a]));
    const shown = order.slice(0, 3).sort((a, b) => a - b);
    const rest = weights.length - shown.length;
    let sum = 0;
    for (let i = 0; i < weights.length; i++) sum += weights[i] * column[i];
    return [
      `each row's weight times its entry ${col} of V${rest > 0 ? ", the largest three of " + weights.length : ""}:`,
      `${shown.map((i) => times(weights[i], column[i])).join(" + ")}${rest > 0 ? ` + … ${rest} more` : ""} = ${num(sum, 3)}`,
    ];
  },
  given: ({ recipe }) => [recipe.text],
  norm({ recipe, get, row, col }) {
    const x = get(recipe.row, row);
    const weight = get(recipe.weight)[col];
    const size = Math.sqrt(x.reduce((sum, entry) => sum + entry * entry, 0) / x.length + recipe.eps);
    return [
      `entry ${col} over the root mean square of the row's ${x.length} entries, times the weight of this column:`,
      `${num(x[col], 3)} / ${num(size, 3)} · ${num(weight, 3)} = ${num((x[col] / size) * weight, 3)}`,
    ];
  },
  add({ recipe, get, row, col }) {
    const [a, b] = [get(recipe.left, row)[col], get(recipe.right, row)[col]];
    return [`${recipe.symbols.join(" + ")}, entry ${col} of both:`, `${num(a, 3)} + ${b < 0 ? `(${num(b, 3)})` : num(b, 3)} = ${num(a + b, 3)}`];
  },
  gated({ recipe, get, row, col }) {
    const [gate, up] = [get(recipe.gate, row)[col], get(recipe.up, row)[col]];
    const silu = gate / (1 + Math.exp(-gate));
    return [`SiLU(gate) · up, where SiLU(x) = x / (1 + e^−x):`, `SiLU(${num(gate, 3)}) · ${num(up, 3)} = ${times(silu, up)} = ${num(silu * up, 3)}`];
  },
};

const arithmetic = (context) => RECIPES[context.recipe.op](context);

// ---- pointer and keyboard on a grid -------------------------------------------------------------------

/**
 * Let the pointer and the arrow keys read a grid of cells.
 * `describe(cell, col)` gives {title, value, lines} or null; the answer goes to `tip` and, for keyboards, to `live`.
 */
function readable(grid, tip, live, describe) {
  let active = null;

  const colOf = (cell, clientX) => {
    if (!cell.values) return null;
    if (clientX === undefined) return cell.cursor ?? 0;
    const box = cell.getBoundingClientRect();
    return Math.max(0, Math.min(cell.values.length - 1, Math.floor(((clientX - box.left) / box.width) * cell.values.length)));
  };
  const hide = () => {
    tip.hidden = true;
    active?.classList.remove("active");
    active = null;
  };
  const show = (cell, col, spoken) => {
    const said = describe(cell, col);
    if (!said) return hide();
    active?.classList.remove("active");
    active = cell;
    cell.classList.add("active");
    if (col !== null) {
      cell.cursor = col;
      cell.style.setProperty("--cursor", (col + 0.5) / cell.values.length);
    }
    tip.replaceChildren(
      el("p.tip-title", {}, said.title, " ", el("b", {}, `= ${said.value}`)),
      ...said.lines.map((line) => el("p", {}, line)),
    );
    tip.hidden = false;
    const host = tip.offsetParent.getBoundingClientRect();
    const box = cell.getBoundingClientRect();
    const x = col === null ? box.left + box.width / 2 : box.left + box.width * ((col + 0.5) / cell.values.length);
    const left = Math.max(0, Math.min(x - host.left - tip.offsetWidth / 2, host.width - tip.offsetWidth));
    const above = box.top - tip.offsetHeight - 8;
    tip.style.left = `${left}px`;
    tip.style.top = `${(above > 60 ? above : box.bottom + 8) - host.top}px`;
    if (spoken) live.textContent = `${said.title} = ${said.value}. ${said.lines.join(" ")}`;
  };

  const cellAt = (event) => event.target.closest?.("[role=gridcell]");
  grid.onpointermove = (event) => {
    const cell = cellAt(event);
    if (cell) show(cell, colOf(cell, event.clientX), false);
    else hide();
  };
  grid.onpointerleave = hide;
  grid.addEventListener("focusin", (event) => {
    const cell = cellAt(event);
    if (!cell) return;
    grid.querySelectorAll('[tabindex="0"]').forEach((other) => (other.tabIndex = -1));
    cell.tabIndex = 0;
    if (cell.matches(":focus-visible")) show(cell, colOf(cell), true);
  });
  grid.addEventListener("focusout", hide);
  grid.onkeydown = (event) => {
    const cell = cellAt(event);
    if (!cell) return;
    if (event.key === "Escape") return hide();
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], Home: [0, -1e9], End: [0, 1e9] }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const col = colOf(cell);
    if (col !== null && step[1]) {
      const next = Math.max(0, Math.min(cell.values.length - 1, col + step[1]));
      if (next !== col) return show(cell, next, true);
    }
    const lines = [...grid.querySelectorAll("[role=row]")]
      .filter((line) => line.offsetParent)
      .map((line) => [...line.querySelectorAll("[role=gridcell]")].filter((other) => describe(other, colOf(other))))
      .filter((line) => line.length);
    const at = lines.findIndex((line) => line.includes(cell));
    let target;
    if (step[0]) {
      // The nearest cell by its place on the screen: rows differ in what they hold.
      const middle = cell.getBoundingClientRect().left;
      target = lines[at + step[0]]?.reduce((best, other) =>
        Math.abs(other.getBoundingClientRect().left - middle) < Math.abs(best.getBoundingClientRect().left - middle) ? other : best,
      );
    } else {
      const line = lines[at];
      target = line[Math.max(0, Math.min(line.length - 1, line.indexOf(cell) + step[1]))];
    }
    target?.focus({ preventScroll: false });
  };
  return { hide };
}

/** One tab stop into the grid: the first cell that can be read, unless one already is. */
function tabStop(grid) {
  if (grid.querySelector('[role=gridcell][tabindex="0"]')) return;
  const first = grid.querySelector("[role=gridcell]");
  if (first) first.tabIndex = 0;
}

const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

// ---- a component's life -------------------------------------------------------------------------------

const mounted = new WeakMap();

/** One controller a mount, {update, destroy}: Streamlit calls a component again whenever its data change. */
function mount(component, make) {
  const { parentElement, data } = component;
  if (!mounted.has(parentElement)) mounted.set(parentElement, make(parentElement.querySelector(".scene-root")));
  const controller = mounted.get(parentElement);
  controller.update(data, component);
  return () => {
    controller.destroy();
    mounted.delete(parentElement);
  };
}

/** Arrow keys step through a scene, unless they belong to a control that has the focus. Gives the undoing. */
function stepKeys(root, next, back, others = {}) {
  const onKey = (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const target = event.composedPath()[0];
    const busy = "input, textarea, select, [role=slider], [role=radiogroup], [role=tablist], [contenteditable], [role=dialog], [role=listbox]";
    if (target.closest?.(busy)) return;
    const inside = root.contains(target);
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const move = { ArrowRight: next, ArrowLeft: back, ...(inside && { PageDown: next, PageUp: back }), ...others }[key];
    if (!move) return;
    event.preventDefault();
    move();
  };
  document.addEventListener("keydown", onKey);
  return () => document.removeEventListener("keydown", onKey);
}
