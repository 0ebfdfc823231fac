// Cells: a row of numbers as shades, with or without its numbers, or as one strip where it is wide.

import { el, num } from "./dom.js";

// Beyond this many columns a row is one canvas: its cells are too narrow for numbers anyway.
export const WIDEST_IN_CELLS = 24;

let paper = [255, 255, 255];

/** The page's background as [red, green, blue]. */
export const paperColour = () => paper;

/** Take the page's background, and tell the root whether it is a dark one; true when that changed. */
export function readTheme(root) {
  const context = el("canvas", { width: 1, height: 1 }).getContext("2d");
  context.fillStyle = getComputedStyle(root).getPropertyValue("--st-background-color").trim() || "#fff";
  context.fillRect(0, 0, 1, 1);
  paper = [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
  const dark = paper[0] * 0.3 + paper[1] * 0.59 + paper[2] * 0.11 < 128;
  const changed = root.classList.contains("dark") !== dark;
  root.classList.toggle("dark", dark);
  return changed;
}

const SHADE_STEP = 4; // percent, as in kit.css

/** How much of its hue a value gets, in percent. */
export const shade = (x, scale) => (scale ? 5 + 80 * Math.pow(Math.min(1, Math.abs(x) / scale), 0.8) : 5);

/** The magnitude that gets the full shade: nearly the largest, so that one outlier does not pale all others. */
export function fullShade(values) {
  const sizes = Float32Array.from(values, Math.abs).sort();
  return sizes[Math.floor(0.985 * (sizes.length - 1))] || sizes[sizes.length - 1];
}

/** The place of a row of cells; fillCells() makes them when it first gives it values. */
export function cellRow(part) {
  return el("div.cells", { role: "none", "data-part": part });
}

/** One strip in the place of a row's cells. */
export const strip = () => el("div.strip", { role: "gridcell", tabindex: "-1" }, el("canvas"));

function addCells(box, cols) {
  box.style.setProperty("--cols", cols);
  if (cols > WIDEST_IN_CELLS) box.append(strip());
  else for (let i = 0; i < cols; i++) box.append(el("div.c", { role: "gridcell", tabindex: "-1" }));
}

/** Write values into a row from cellRow(); `scale` is the magnitude that gets the full shade. */
export function fillCells(box, values, scale, label) {
  if (!box.firstElementChild) addCells(box, values.length);
  const first = box.firstElementChild;
  if (first?.classList.contains("strip")) return fillStrip(first, values, scale, label);
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
}

function fillStrip(node, values, scale, label) {
  node.setAttribute("aria-label", `${label}: ${values.length} numbers, arrow keys read them one by one`);
  node.values = values;
  // The strip is a stencil cut from paper: its colour comes from the CSS behind it, so that a row that
  // changes its state need not be drawn again.
  const canvas = node.firstElementChild;
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
