// The rows of the walkthrough: the query on top, a row a token with its key, score, weight and value, the output.

import { cellRow } from "../web/cells.js";
import { el, num } from "../web/dom.js";

/** What has to be explained in a token's name: the marker at the start, and bytes of a character. */
const termOf = (position, label) => (position === 0 ? "start" : label.startsWith("<0x") ? "byte" : null);

/** @param {(line: any, position: number) => void} fill writes a row's key and value when it comes into sight */
export function createRows(picture, fill) {
  let lines = []; // one per position
  let newest = 18; // as many rows as are in sight
  let speaking = [];
  let marked = []; // positions whose rows look special
  let size = null; // the room that was measured last

  // ---- building --------------------------------------------------------------------------------------

  function gridLine(name, { k = "", v = "", middle = false }) {
    const part = (named) => ({ role: "gridcell", tabindex: "-1", "data-part": named, "data-ref": named });
    const matters = { "data-matters": "" }; // to a class: it is read from the last row
    const score = el("div.score", middle ? { ...part("score"), ...matters } : { role: "none" });
    const bar = el("i.bar");
    const weightText = el("span", matters);
    const weight = middle
      ? el("div.weight", part("weight"), bar, weightText)
      : el("div.weight", { role: "none" });
    const left = k ? cellRow(k) : el("div.cells", { role: "none" });
    const right = v ? cellRow(v) : el("div.cells", { role: "none" });
    const node = el(
      "div.line",
      { role: "row" },
      el("div.name", { role: "rowheader", ...matters }, ...name),
      left,
      score,
      weight,
      right,
    );
    return { node, left, right, score, weight, bar, weightText, filled: false };
  }

  const q = gridLine([], { k: "q" });
  const kv = gridLine([], { k: "k", v: "v" });
  const output = gridLine([], { v: "output" });
  q.node.classList.add("fresh", "query");
  q.left.dataset.ref = "q";
  kv.node.classList.add("fresh", "new-kv");
  kv.node.dataset.row = "new";
  kv.left.dataset.ref = "k";
  kv.right.dataset.ref = "v";
  output.node.classList.add("fresh", "output");
  output.right.dataset.ref = "output";
  for (const line of [kv, output]) line.weight.append(el("span.v-name"));
  const body = el("div.history", { role: "grid", tabindex: "-1" });
  const above = el("small.above");
  const shared = el("span.shared");
  const stored = el("span.size");
  const named = (long, short) => [el("span.long", {}, long), short];
  const newTitle = el("div.head.new-head", {}, el("b", {}, "New token "), el("span.new-note"));
  const legend = el(
    "p.legend",
    {},
    el("span", {}, el("i.key.cached-key"), "read from the cache"),
    el("span", {}, el("i.key.fresh-key"), "computed in this step"),
    el("span.invite", {}, "Point at a cell to see how it came about."),
  );
  picture.replaceChildren(
    newTitle,
    el("div.new-token", { role: "grid", "aria-label": "New token" }, q.node, kv.node),
    el(
      "div.head.columns",
      {},
      el("span.name", {}, above, "token"),
      el("span.cells", {}, el("b", {}, ...named("Cached keys ", "K")), shared),
      el("span.score", {}, "score"),
      el("span.weight", {}, el("span.long", {}, "weight")),
      el("span.cells", {}, el("b", {}, ...named("Cached values ", "V")), stored),
    ),
    body,
    el("div.foot", {}, legend, el("div", { role: "grid", "aria-label": "Output" }, output.node)),
  );
  picture.addEventListener("pointerover", (event) => {
    if (event.target.closest("[role=gridcell]")) legend.querySelector(".invite")?.remove(); // invited once
  });

  // A long history has more cells than a browser styles in a frame: rows get them when they come into sight,
  // with a margin of two rows, so that the next one is there when an arrow key goes to it.
  const inSight = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of /** @type {any[]} */ (entries)) {
        if (isIntersecting) fillLine(Number(target.dataset.row));
        target.classList.toggle("away", !isIntersecting);
      }
    },
    { root: body, rootMargin: "60px 0px" },
  );

  function fillLine(position) {
    const line = lines[position];
    if (!line || line.filled) return;
    line.filled = true;
    fill(line, position);
  }

  function growTo(count, label) {
    while (lines.length < count) {
      const position = lines.length;
      const name = [
        el(
          "span.token",
          { title: label(position), "data-term": termOf(position, label(position)) },
          label(position),
        ),
        el("small", {}, String(position)),
      ];
      const line = gridLine(name, { k: "k", v: "v", middle: true });
      line.node.dataset.row = String(position);
      line.left.dataset.ref = "K";
      line.right.dataset.ref = "V";
      lines.push(line);
      if (count - position > newest) line.node.classList.add("away"); // until it is seen
      body.append(line.node);
      inSight.observe(line.node);
    }
  }

  // ---- one token -------------------------------------------------------------------------------------

  function weigh(line, position, step) {
    line.score.textContent = num(step.score[position]);
    line.weightText.textContent = num(step.weight[position], 2);
    line.bar.style.setProperty("--w", String(step.weight[position]));
  }

  /** Rows 0 to `slot`, with the scores and weights of a step; `current` says whether it is still shown later. */
  function show(slot, step, label, current) {
    growTo(slot + 1, label);
    lines.forEach((line, i) => {
      if (line.node.hidden && i === slot) line.node.classList.remove("away"); // the newest row is in sight
      line.node.hidden = i > slot;
      if (i > slot) return;
      if (!line.node.classList.contains("away")) fillLine(i);
      if (i > slot - newest) weigh(line, i, step);
    });
    // Rows out of sight have time until the frame is painted.
    const older = lines.slice(0, Math.max(0, slot - newest + 1));
    setTimeout(() => current() && older.forEach((line, i) => weigh(line, i, step)), 50);
    const index = () => el("small", {}, String(slot));
    newTitle
      .querySelector(".new-note")
      .replaceChildren(el("b.fresh-word", {}, label(slot)), ` at position ${slot}`);
    q.node.firstElementChild.replaceChildren(el("span", {}, ...named("query ", "q")), index());
    kv.node.firstElementChild.replaceChildren(el("span", {}, ...named("key ", "k")), index());
    kv.node.querySelector(".v-name").replaceChildren(el("span", {}, ...named("value ", "v")), index());
    output.node
      .querySelector(".v-name")
      .replaceChildren(el("span", {}, "out", el("span.long", {}, "put")), index());
    toNewest();
  }

  function toNewest() {
    body.scrollTop = 1e9;
    const hidden = Math.round(body.scrollTop / (q.node.offsetHeight + 2));
    above.textContent = hidden ? `↑ ${hidden}` : "";
  }
  body.onscroll = () => {
    const hidden = Math.round(body.scrollTop / (q.node.offsetHeight + 2));
    above.textContent = hidden ? `↑ ${hidden}` : "";
  };

  /** What is not there yet is an outline, and silent to a screen reader. */
  function outline(node, look, hidden) {
    if (node.classList.contains(look) === hidden) return;
    node.classList.toggle(look, hidden);
    for (const cells of node.querySelectorAll(".cells")) cells.toggleAttribute("inert", hidden);
  }

  /** The looks of a stage: is the newest row stored, is the output there, and who is spoken of. */
  function mark({ slot, stored: isStored, output: hasOutput, best, giver }) {
    // Only rows that are spoken of, or were before, change.
    for (const i of new Set([...marked, slot, best, giver])) {
      const line = lines[i];
      if (!line) continue;
      const newestRow = i === slot;
      outline(line.node, "pending", newestRow && !isStored);
      line.node.classList.toggle("fresh", newestRow && isStored);
      const refs = [i === best && "best", i === giver && "giver"].filter(Boolean).join(" ");
      if (refs) line.node.dataset.ref = refs;
      else delete line.node.dataset.ref;
      line.left.dataset.ref = newestRow && isStored ? "K newk" : "K";
      line.right.dataset.ref = newestRow && isStored ? "V newv" : "V";
    }
    marked = [slot, best, giver];
    outline(kv.node, "hollow", isStored);
    outline(output.node, "hollow", !hasOutput);
    stored.textContent = `${isStored ? slot + 1 : slot} rows stored`.replace(/^1 rows/, "1 row");
  }

  /** These rows carry their numbers; all others are shades, unless the learner wants to see all. */
  function speak(cells) {
    for (const node of speaking) node.classList.remove("speaks");
    speaking = cells;
    for (const node of speaking) node.classList.add("speaks");
  }

  // ---- size ------------------------------------------------------------------------------------------

  function fit(room, head_dim) {
    size = room;
    if (room.presenting) return fitForClass(room);
    const { width, height, wide, phone } = room;
    // Words and numbers grow with the room: what is read at a desk must be read from the last row too.
    const zoom = phone ? 1 : Math.max(1, Math.min(1.5, width / 1400, height / 720));
    const set = (name, value) => picture.parentElement.parentElement.style.setProperty(name, value);
    set("font-size", `${(15 * zoom).toFixed(2)}px`);
    const [name, score, weight, gap] = phone
      ? [60, 34, 34, 4]
      : [88, 42, 92, 8].map((n) => Math.round(n * zoom));
    const across = picture.clientWidth || width;
    const widest = Math.round(34 * zoom) * Math.max(16, head_dim);
    const scrollbar = 12;
    const matrix = Math.max(
      60,
      Math.min(widest, Math.floor((across - name - score - weight - 4 * gap - scrollbar) / 2)),
    );
    const cell = matrix / head_dim;
    // Sixteen rows of history, the new one and the next, whole on the screen where that is possible: with
    // them the rows of q, of k and v, and of the output, the headings, and the story where it stands below.
    const free = height - (wide ? 72 : 290) * zoom;
    const row = Math.max(wide || phone ? 16 : 15, Math.min(46, Math.floor(free / 20.5) - 2));
    const rows = Math.max(17, Math.floor(free / (row + 2)) - 3);
    picture.classList.toggle("heat", cell < 21.5);
    set("--cell-font", `${Math.min(18, cell * 0.42, row * 0.56).toFixed(1)}px`);
    write({ name, score, weight, matrix, gap, row }, rows);
  }

  function write(sizes, rows) {
    const { style } = picture.parentElement.parentElement;
    for (const [key, value] of Object.entries(sizes)) style.setProperty(`--${key}`, `${value}px`);
    style.setProperty("--rows", String(rows));
    newest = rows + 2;
    toNewest(); // rows have another height now, and the newest is to be seen
  }

  /** On a screen for a class: the text has the size that the style sheet gives it, and the cells are shades. */
  function fitForClass({ height }) {
    const em = parseFloat(getComputedStyle(picture).fontSize);
    const [name, score, weight, gap] = [4.7, 2.4, 6, 0.35].map((n) => Math.round(n * em));
    const scrollbar = 12;
    const matrix = Math.floor((picture.clientWidth - name - score - weight - 4 * gap - scrollbar) / 2);
    // Seventeen rows of history where that is possible; beside them q, k and v, the headings, and the output, which
    // makes room for a question.
    const around = picture.closest("[data-asking]") ? 3 : 4.6;
    const row = Math.max(Math.ceil(1.14 * em), Math.floor(height / (17 + around)) - 2);
    picture.classList.add("heat");
    write({ name, score, weight, matrix, gap, row }, Math.max(3, Math.floor(height / (row + 2) - around)));
  }

  return {
    q,
    kv,
    output,
    body,
    get lines() {
      return lines;
    },
    show,
    mark,
    speak,
    fit,
    fitAgain: (head_dim) => size && fit(size, head_dim),
    /** The newest rows up to `slot`, as many as the history shows. */
    inView: (slot) => lines.slice(0, slot + 1).slice(-Math.ceil(body.clientHeight / q.node.offsetHeight)),
    /** Another text: its tokens have other names. */
    clear() {
      for (const line of lines) inSight.unobserve(line.node);
      lines = [];
      body.replaceChildren();
      for (const cells of [q.left, kv.left, kv.right, output.right]) cells.replaceChildren(); // another width
    },
    /** Forget what the cells hold: the tensors, or the paper below them, have changed. */
    refill({ layer, head, kv_head, n_heads, n_kv_heads }) {
      for (const line of lines) {
        line.filled = false;
        // Seen anew, the observer reports again those that are in sight now.
        inSight.unobserve(line.node);
        inSight.observe(line.node);
      }
      const reads = [el("span.long", {}, "reads "), `KV head ${kv_head}`];
      shared.replaceChildren(...(n_kv_heads < n_heads ? reads : []));
      body.setAttribute(
        "aria-label",
        `Keys and values of layer ${layer}, head ${head}; arrow keys read the cells`,
      );
    },
    destroy: () => inSight.disconnect(),
  };
}
