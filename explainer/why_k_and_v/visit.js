// A visit: the question on top, held against every card, and below them the books, from which as much is taken home
// as the card fits. One column a token; the lines are as thick as the weights.

import { cellRow, fillCells, fullShade } from "../web/cells.js";
import { el, num, svg, whole } from "../web/dom.js";
import { fill } from "../web/words.js";

const HEAVY = 0.05; // a weight from here on is shown even where there is little room
const FAINT = 0.005; // a weight below it is drawn as a hair and told as a dot
const UPRIGHT = 44; // pixels of a column below which its name stands upright
const THICKEST = 26; // a line of weight 1, in pixels
const SPREAD = 0.34; // how much of the width the lines take at the question, and at what is taken home

/**
 * @typedef {Object} Visit one token's attention in one head
 * @property {string[]} labels of the tokens
 * @property {any} q @property {any} k @property {any} v @property {any} weight @property {any} output
 * @property {number} position of the token that asks
 * @property {number} best the position with the largest weight
 * @property {any} [next] what stands behind the output
 * @property {Object<string, string>} [states] by part, where it is not what belongs there: "lost" or "wrong"
 * @property {number[]} [bright] positions that are shown in any case
 */

/**
 * The columns that there is room for: positions, and runs of them that are folded into one. Shown are those to
 * `keep`, the heaviest few, and as many of the newest as fit.
 */
export function columnsOf(weight, count, most, keep) {
  const all = Array.from({ length: count }, (_, i) => i);
  const heavy = all.filter((i) => weight[i] >= HEAVY).sort((a, b) => weight[b] - weight[a]);
  let kept = new Set(keep);
  let columns = fold(all, kept);
  for (const i of [...heavy.slice(0, Math.floor(most / 4)), ...all.toReversed()]) {
    const more = new Set(kept).add(i);
    const wider = fold(all, more);
    if (wider.length > most) continue;
    kept = more;
    columns = wider;
  }
  return columns;
}

function fold(all, kept) {
  const columns = [];
  for (const i of all) {
    const last = columns.at(-1);
    if (kept.has(i)) columns.push({ from: i, to: i, folded: false });
    else if (last?.folded) last.to = i;
    else columns.push({ from: i, to: i, folded: true });
  }
  return columns;
}

/** @param {any} words of the picture */
export function createVisit(words) {
  const node = el("div.visit", { role: "grid", "aria-label": words.label });
  let shown = null; // the visit that the cells hold
  let columns = [];
  let parts = null;

  const gutter = (name, note, extra) =>
    el("div.gutter", { role: "rowheader" }, el("b", {}, name), el("span.note.quiet", {}, note), extra);

  /** All but the columns. */
  function frame() {
    const slip = cellRow("q");
    const home = cellRow("output");
    const tags = { q: el("small.tag"), k: el("small.tag"), v: el("small.tag") };
    const fans = [fanOf("down"), fanOf("up")];
    const asks = el("span.who");
    const takes = el("span.who");
    const next = el("span.writes");
    const drawer = (spec) => el(`div.drawer${spec}`, { role: "none" });
    const drawers = { cards: drawer(""), weights: drawer(""), books: drawer(".shelf") };
    node.replaceChildren(
      el(
        "div.v-row.asking-row",
        { role: "row" },
        gutter(words.question, words.question_note, tags.q),
        el("div.desk", { role: "none" }, el("div.slip", { role: "none", "data-ref": "q" }, asks, slip)),
      ),
      fans[0],
      el("div.v-row", { role: "row" }, gutter(words.cards, words.cards_note, tags.k), drawers.cards),
      el("div.v-row.fits", { role: "row" }, gutter(words.fit, words.fit_note), drawers.weights),
      el("div.v-row", { role: "row" }, gutter(words.books, words.books_note, tags.v), drawers.books),
      fans[1],
      el(
        "div.v-row",
        { role: "row" },
        gutter(words.home, words.home_note),
        el(
          "div.desk",
          { role: "none" },
          el("div.slip.bag", { role: "none", "data-ref": "output" }, takes, home),
          next,
        ),
      ),
    );
    return { slip, home, tags, drawers, cards: [], books: [], weights: [], fans, asks, takes, next };
  }

  /**
   * A place in the drawers for each column. One that stands there stays, whatever its token is now: a new one costs
   * the browser its styles and its layout.
   */
  function build(visit, most) {
    const bright = [0, visit.best, visit.position, ...(visit.bright ?? [])];
    columns = columnsOf(visit.weight, visit.position + 1, most, bright);
    if (shown?.q.length !== visit.q.length) parts = null;
    parts ??= frame();
    const { drawers, cards, books, weights } = parts;
    columns.forEach(({ from, to, folded }, i) => {
      if (cards[i]?.folded !== folded) {
        cards[i] = place(drawers.cards, i, cardOf(folded));
        books[i] = place(drawers.books, i, bookOf(folded));
      }
      weights[i] ??= place(drawers.weights, i, weightOf());
      const label = folded ? fill(words.folded, { count: whole(to - from + 1) }) : visit.labels[from];
      if (cards[i].name.title !== label) cards[i].name.textContent = cards[i].name.title = label;
      for (const { box } of [cards[i], books[i], weights[i]]) box.dataset.row = String(from);
    });
    for (const made of [cards, books, weights])
      for (const { node: gone } of made.splice(columns.length)) gone.remove();
  }

  function place(drawer, i, made) {
    if (drawer.children[i]) drawer.children[i].replaceWith(made.node);
    else drawer.append(made.node);
    return made;
  }

  function cardOf(folded) {
    const cells = cellRow("k");
    const name = el("span.card-name", { role: "none" });
    const box = el(`div.card${folded ? ".folded" : ""}`, { role: "none" }, name, folded ? null : cells);
    return { node: el("div.column", { role: "none" }, box), box, cells, name, folded };
  }

  function bookOf(folded) {
    const cells = cellRow("v");
    const box = el(`div.book${folded ? ".folded" : ""}`, { role: "none" }, folded ? null : cells);
    return { node: el("div.column", { role: "none" }, box), box, cells };
  }

  function weightOf() {
    const box = el("div.fit", { role: "gridcell", tabindex: "-1", "data-part": "weight" });
    return { node: box, box };
  }

  const fanOf = (way) =>
    svg("svg", {
      class: `fan ${way}`,
      preserveAspectRatio: "none",
      "aria-hidden": "true",
      focusable: "false",
    });

  const sum = (weight, { from, to }) => {
    let all = 0;
    for (let i = from; i <= to; i++) all += weight[i];
    return all;
  };

  /** The lines: the thickest last, on top of the others. */
  function drawFan(drawing, weights) {
    const n = columns.length;
    const down = drawing.classList.contains("down");
    drawing.setAttribute("viewBox", `0 0 ${n} 1`);
    const lines = columns.map((_, i) => {
      const [near, far] = [n / 2 + (i + 0.5 - n / 2) * SPREAD, i + 0.5];
      const [top, bottom] = down ? [near, far] : [far, near];
      const faint = weights[i] < FAINT;
      return svg("path", {
        d: `M${top} 0C${top} .55 ${bottom} .45 ${bottom} 1`,
        class: faint ? "hair" : "beam",
        "vector-effect": "non-scaling-stroke",
        "stroke-width": faint ? 1 : num(1.5 + THICKEST * weights[i], 1),
        "stroke-opacity": faint ? 1 : num(0.35 + 0.65 * Math.sqrt(weights[i]), 2),
      });
    });
    const order = [...lines.keys()].sort((a, b) => weights[a] - weights[b]);
    drawing.replaceChildren(...order.map((i) => lines[i]));
  }

  const STATES = ["fresh", "lost", "wrong"];
  function setState(box, state) {
    for (const name of STATES) box.classList.toggle(name, name === state);
  }

  function tag(box, state) {
    box.textContent = words[state];
    box.className = `tag ${state}`;
  }

  /**
   * Show a visit in the room for its columns.
   * @param {Visit} visit
   * @param {{width: number, least: number, fan: number, book: number}} room of all columns together, and of one at
   *   least; the heights of the lines and of a book, in pixels
   */
  function show(visit, { width, least, ...heights }) {
    build(visit, Math.max(6, Math.floor(width / least)));
    // No variables: whatever is inside would be styled anew.
    const { drawers, fans } = parts;
    const across = `repeat(${columns.length}, minmax(0, 1fr))`;
    drawers.cards.style.gridTemplateColumns = drawers.weights.style.gridTemplateColumns = across;
    drawers.books.style.gridTemplate = `${heights.book}px / ${across}`;
    fans[0].style.height = `${heights.fan}px`;
    fans[1].style.height = `${0.72 * heights.fan}px`;
    node.classList.toggle("tight", width / columns.length < UPRIGHT);
    shown = visit;
    const { position, states = {} } = visit;
    const weights = columns.map((column) => sum(visit.weight, column));
    const scales = { k: fullShade(visit.k.data), v: fullShade(visit.v.data), q: fullShade(visit.q) };
    const asker = visit.labels[position];
    fillCells(parts.slip, visit.q, scales.q, `query of ${asker}`);
    fillCells(parts.home, visit.output, scales.v, `output of ${asker}`);
    setState(parts.slip.parentElement, states.q ?? "fresh");
    parts.home.parentElement.classList.add("fresh");
    parts.asks.textContent = fill(words[states.q === "wrong" ? "asks_old" : "asks"], {
      token: asker,
      before: visit.labels[position - 1],
    });
    parts.takes.textContent = fill(words.takes, { token: asker });
    columns.forEach((column, i) => {
      const { from, folded } = column;
      const own = from === position;
      const [card, book, fit] = [parts.cards[i], parts.books[i], parts.weights[i].box];
      const [state, other] = own ? ["fresh", "fresh"] : [states.k ?? "", states.v ?? ""];
      setState(card.box, state);
      setState(book.box, other);
      const refs = [own ? "own" : "old", from === visit.best && !folded && "best"];
      if (from === position - 1) refs.push("left");
      for (const box of [card.box, book.box]) box.dataset.ref = refs.filter(Boolean).join(" ");
      card.cells.dataset.ref = "k";
      book.cells.dataset.ref = "v";
      book.box.style.transform = `translateY(${(-15 * weights[i]).toFixed(2)}px)`;
      book.box.classList.toggle("taken", weights[i] >= 0.1);
      card.box.classList.toggle("taken", weights[i] >= 0.1);
      fit.textContent = weights[i] < FAINT ? "·" : num(weights[i], 2).replace("0.", ".");
      fit.classList.toggle("taken", weights[i] >= 0.1);
      if (folded) return;
      fillCells(card.cells, visit.k.row(from), scales.k, `key of ${visit.labels[from]}`);
      fillCells(book.cells, visit.v.row(from), scales.v, `value of ${visit.labels[from]}`);
      for (const [cells, what] of [
        [card.cells, states.k],
        [book.cells, states.v],
      ]) {
        cells.toggleAttribute("inert", !own && what === "lost");
      }
    });
    drawFan(parts.fans[0], weights);
    drawFan(parts.fans[1], weights);
    tag(parts.tags.q, states.q ?? "new");
    tag(parts.tags.k, states.k ?? "old");
    tag(parts.tags.v, states.v ?? "old");
    parts.next.replaceChildren(...(visit.next ?? []));
  }

  return {
    node,
    show,
    get shown() {
      return shown;
    },
    /** Let the visit happen: the question comes in, goes along the cards, and the books are taken. */
    play() {
      node.classList.remove("playing");
      void node.offsetWidth; // begins anew
      node.classList.add("playing");
    },
    still: () => node.classList.remove("playing"),
    /** What stands under a cell: its part, its position, and its entry. */
    cellOf(cell, col) {
      const part = cell.dataset.part ?? cell.parentElement.dataset.part;
      if (!part || !shown) return null;
      const own = part === "q" || part === "output";
      const row = own ? shown.position : Number(cell.closest("[data-row]").dataset.row);
      const column = columns.find(({ from }) => from === row);
      return { part, row, col, column, own };
    },
    clear() {
      parts = null;
      shown = null;
    },
  };
}
