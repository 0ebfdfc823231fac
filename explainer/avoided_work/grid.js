// One operation as a grid, a row for each token; or all its heads as small pictures.

import { cellRow, fillCells, strip, WIDEST_IN_CELLS } from "../web/cells.js";
import { el, num } from "../web/dom.js";
import { tabStop } from "../web/reading.js";
import { counts, EQUAL, LOOKS, MASKED, NEW, runs } from "./compared.js";
import { paint } from "./paint.js";

const LOWEST_WITH_CELLS = 13; // rows too low for numbers are strips: a thousand boxes take long to draw
const HUES = ["var(--orange)", "transparent", "var(--violet)", "transparent"]; // a strip's own is the hatch

const OVERHEAD = 74; // the heading over the picture and the legend below it
const WORDS_BELOW = 230; // where there is no room for them beside it

/**
 * The room for a picture. Words and numbers grow with the room: they are read from the last row, too. How large they
 * are moves what is above the picture, so it must not depend on where that ends.
 */
export function spaceIn({ width, height, whole, phone, presenting }, root, picture) {
  const em = parseFloat(getComputedStyle(picture).fontSize); // before a class the style sheet says how large
  const zoom = presenting ? em / 15 : phone ? 1 : Math.max(1, Math.min(1.5, width / 1400, whole / 780));
  root.style.setProperty("font-size", `${(15 * zoom).toFixed(2)}px`);
  const below = root.classList.contains("narrow") && !phone ? WORDS_BELOW : 0;
  return { width: picture.clientWidth, height: height - OVERHEAD * zoom - below, phone, zoom };
}

/**
 * Sizes that make a whole grid fit the room: of a row, a matrix, a cell, and how many rows get their name.
 * @param {{width: number, height: number, phone: boolean, zoom: number}} room
 */
export function sizes({ width, height, phone, zoom }, rows, cols) {
  const name = phone ? 62 : Math.round(88 * zoom);
  const wide = cols > WIDEST_IN_CELLS;
  const matrix = Math.min(width - name - 10, wide ? 1500 : Math.round(62 * zoom) * Math.max(cols, 8));
  const each = Math.max(phone ? 300 : 220, height) / rows;
  const row = Math.max(3.6, Math.min(Math.round(33 * zoom), rows > 25 ? each - 0.5 : Math.floor(each) - 2));
  const every = Math.max(1, Math.ceil((13 * zoom + 1) / (row + 0.5)));
  return { name, row, matrix, cell: matrix / cols, every, dense: row < LOWEST_WITH_CELLS };
}

/** Write the sizes where the style sheet reads them. */
export function fit(root, picture, { name, row, matrix, cell, dense }) {
  picture.classList.toggle("heat", cell < 21.5 || row < 15);
  picture.classList.toggle("dense", dense);
  for (const [key, value] of Object.entries({ name, row, matrix }))
    root.style.setProperty(`--${key}`, `${value}px`);
  root.style.setProperty("--cell-font", `${Math.min(15, cell * 0.38, row * 0.46).toFixed(1)}px`);
}

const percent = (x) => `${(100 * x).toFixed(3)}%`;

/** The states of a row of cells: one hatch behind all that came out as before, one behind what is masked. */
function look(box, part, row) {
  const spans = runs(part, row);
  const end = (state) =>
    Math.max(0, ...spans.filter(([of]) => of === state).map((span) => span[2])) / part.cols;
  const masked = spans.at(-1)[0] === MASKED ? spans.at(-1)[1] / part.cols : 1;
  const wide = box.firstElementChild;
  if (!wide.classList.contains("strip")) {
    [...box.children].forEach((cell, col) => cell.classList.add(LOOKS[part.state(row, col)]));
    box.classList.add("hatched");
    box.style.setProperty("--known", percent(end(EQUAL)));
    box.style.setProperty("--masked", percent(1 - masked));
    return;
  }
  const seen = spans.filter(([state]) => state !== MASKED);
  const size = (state) => seen.reduce((sum, [of, a, b]) => sum + (of === state ? b - a : 0), 0);
  wide.classList.add(
    LOOKS[[NEW, EQUAL, 2].reduce((most, state) => (size(state) > size(most) ? state : most))],
  );
  if (seen.length > 1) {
    wide.classList.add("mixed");
    const stops = seen.map(
      ([state, a, b]) => `${HUES[state]} ${percent(a / part.cols)} ${percent(b / part.cols)}`,
    );
    wide.style.setProperty("--mixed", `linear-gradient(90deg, ${stops.join(", ")})`);
  }
  if (masked < 1) wide.append(el("i.veil", { style: `left:${percent(masked)}` }));
}

/** Weights are small: they get a second digit. */
function closer(box, values) {
  [...box.children].forEach((cell, col) => (cell.textContent = num(values[col], 2)));
}

/** @param {{scene: any, entry: any, part: any, size: any}} drawn */
export function buildGrid({ scene, entry, part, size }) {
  const square = entry.key === "scores" || entry.key === "weights";
  const token = (i) => scene.labels[i];
  const old = el("div.old", { role: "rowgroup", "data-ref": "old" });
  const grid = el(
    "div.grid",
    { role: "grid", "aria-label": `${entry.title}: ${part.rows} × ${part.cols} cells; arrow keys read them` },
    old,
  );
  for (let i = 0; i < part.rows; i++) {
    const row = entry.key === "readout" ? scene.t : i;
    const shown = row === scene.t || (row % size.every === 0 && scene.t - row >= size.every / 2);
    const changed = row === scene.changed;
    const name = el(
      "div.name",
      { role: "rowheader", "aria-label": `token ${row}, ${token(row)}` },
      shown ? el("span.token", { title: token(row), "data-changed": changed }, token(row)) : null,
      shown ? el("small", {}, String(row)) : null,
    );
    const box = cellRow(entry.key);
    if (size.dense) box.append(strip());
    fillCells(box, part.row(i), part.scale, `${entry.rail} of ${token(row)}`);
    if (entry.key === "weights" && !size.dense) closer(box, part.row(i));
    look(box, part, i);
    // The words speak of the new row, and of the one that an experiment has changed.
    if (row === scene.t || changed) box.classList.add("speaks");
    const line = el("div.line", { role: "row", "data-row": i }, name, box);
    if (row !== scene.t) old.append(line);
    else {
      line.classList.add("last");
      line.dataset.ref = "new";
      grid.append(line);
    }
  }
  if (!old.firstChild) old.remove();
  tabStop(grid);
  return el(
    "div.one",
    {},
    square ? keyNumbers(part.cols) : null,
    grid,
    entry.key === "readout" ? logits(scene) : null,
  );
}

/** Above scores and weights: which token's key a column is. */
function keyNumbers(count) {
  const numbers = Array.from({ length: count }, (_, i) =>
    el("small", {}, count > 24 && i % 8 ? "" : String(i)),
  );
  return el(
    "div.line.top",
    { "aria-hidden": "true" },
    el("div.name", {}, el("small", {}, "key of token")),
    el("div.cells", { style: `--cols:${count}` }, ...numbers),
  );
}

/** The likeliest next tokens. */
function logits(scene) {
  const heads = ["next token", "logit", "probability", ""];
  const rows = scene.top.map(([token, logit, p, chosen]) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, chosen ? el("b", {}, token) : token),
      el("td", {}, num(logit, 2)),
      el("td", {}, num(p, 3)),
      el("td.chance-bar", {}, el("i", { style: `width:${100 * p}%` })),
    ),
  );
  return el(
    "table.logits",
    {},
    el("caption.sr", {}, "The likeliest next tokens"),
    el("thead", {}, el("tr", {}, ...heads.map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", {}, ...rows),
  );
}

/** All heads of an operation as small pictures; one that is clicked is shown large. */
export function buildHeads({ scene, entry, parts, pick }) {
  const box = el("div.heads", { role: "group", "aria-label": `${entry.title}: all heads` });
  box.style.setProperty("--across", String(Math.min(4, parts.length)));
  parts.forEach((part, h) => {
    const found = counts([part]);
    const name = entry.heads === "kv" && scene.n_kv_heads < scene.n_heads ? `KV head ${h}` : `head ${h}`;
    const told = `${name}: ${found[EQUAL]} as before, ${found[NEW]} new; show it large`;
    const button = el(
      "button",
      { type: "button", "aria-label": told },
      el("span", {}, name),
      el("div.shot.again", {}, paint([part])),
    );
    button.onclick = () => pick(h);
    box.append(button);
  });
  return box;
}
