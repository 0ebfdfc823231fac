// A text as its cache: each word with the numbers of its key and the weight that the newest word gives it.

import { paperColour, shade } from "../web/cells.js";
import { el } from "../web/dom.js";
import { readable } from "../web/reading.js";
import { fill } from "../web/words.js";

const HUES = { blue: [47, 102, 232], dark: [95, 155, 255] };
const percent = (x) => `${(100 * x).toFixed(1)}%`;

/** @param {{tip: any, live: HTMLElement}} stage */
export function createPanel({ tip, live }) {
  const title = el("h2");
  const sizes = el("span.quiet");
  const next = el("span.next-word", { "data-tells": "" });
  const row = el("div.flow-row", { role: "row" });
  const flow = el("div.flow", { role: "grid" }, row);
  const node = el("section.text-run", {}, el("header", {}, title, sizes, next), flow);
  let run = null; // what Python sent of it
  let words = {};
  let prompt = 0;
  let chips = [];
  let shown = -1;

  function load(data, scene, name) {
    if (name) title.textContent = name;
    flow.setAttribute("aria-label", `${title.textContent}; arrow keys go from word to word`);
    run = data;
    words = scene.words;
    prompt = scene.prompt;
    chips = data.labels.map((label, at) => {
      const numbers = el("canvas", { width: data.keys.cols, height: 1 });
      paintKey(numbers, data.keys.row(at), scene.strongest);
      const cell = { role: "gridcell", tabindex: "-1", "data-at": at };
      return el("span.chip", cell, el("span.word", {}, label), numbers, el("i.bar"));
    });
    row.replaceChildren();
    shown = -1;
  }

  /** The numbers of a key as shades of blue. */
  function paintKey(canvas, values, strongest) {
    const context = canvas.getContext("2d");
    const paper = paperColour();
    const dark = paper[0] + paper[1] + paper[2] < 384;
    const hue = dark ? HUES.dark : HUES.blue;
    const picture = context.createImageData(values.length, 1);
    values.forEach((value, i) => {
      const part = shade(value, strongest) / 100;
      hue.forEach((_, c) => (picture.data[4 * i + c] = paper[c] + (hue[c] - paper[c]) * part));
      picture.data[4 * i + 3] = 255;
    });
    context.putImageData(picture, 0, 0);
  }

  /** The text after the pass of the word at `i`; from `parts` on the two caches have chosen other words. */
  function show(i, parts) {
    const kept = run.kept.row(i);
    const before = i ? run.kept.row(i - 1) : kept;
    const weights = run.weights.row(i);
    const missed = run.missed.row(i);
    shown = i;
    // The rest of the prompt stands there already, so that nothing moves while it is read.
    const end = Math.max(i + 1, prompt);
    while (row.children.length < end) row.append(chips[row.children.length]);
    while (row.children.length > end) row.lastElementChild.remove();
    const reads = flow.matches(":focus-within");
    chips.slice(0, end).forEach((chip, at) => {
      chip.classList.toggle("ahead", at > i);
      const fresh = at === i;
      chip.classList.toggle("fresh", fresh);
      chip.classList.toggle("gone", at < i && !kept[at]);
      chip.classList.toggle("going", at < i && !kept[at] && Boolean(before[at]));
      chip.classList.toggle("parted", parts !== null && at > parts);
      const read = weights[at] > 0;
      const bar = chip.lastElementChild;
      bar.classList.toggle("missed", at < i && !read);
      bar.style.setProperty("--part", String(Math.sqrt(read ? weights[at] : missed[at])));
      chip.setAttribute("aria-label", lines(at).join(", "));
      if (!reads) chip.tabIndex = fresh ? 0 : -1;
    });
    follow();
  }

  /** The newest word is in sight. */
  function follow() {
    const last = chips[shown];
    if (last && last.offsetTop + last.offsetHeight > flow.scrollTop + flow.clientHeight) {
      flow.scrollTop = last.offsetTop;
    }
  }

  function lines(at) {
    const chip = chips[at];
    if (at > shown) return [`“${run.labels[at]}”`, words.tip_ahead];
    const state = chip.classList.contains("fresh")
      ? "fresh"
      : chip.classList.contains("gone")
        ? "gone"
        : "cached";
    const weight = run.weights.row(shown)[at];
    const missed = run.missed.row(shown)[at];
    const by = run.labels[shown];
    return [
      `“${run.labels[at]}”`,
      fill(words[`tip_${state}`], { at }),
      weight > 0
        ? fill(words.tip_weight, { weight: percent(weight), by })
        : fill(words.tip_missed, { weight: percent(missed), by }),
    ];
  }

  readable(flow, {
    tip,
    live,
    describe(cell) {
      const [word, ...rest] = lines(Number(cell.dataset.at));
      return { title: word, lines: rest };
    },
  });

  return {
    node,
    load,
    show,
    follow,
    /** How large it is, and what comes next; `parted` marks a word that is not the other cache's. */
    tell(size, word, parted) {
      sizes.textContent = size;
      next.textContent = word;
      next.classList.toggle("parted", parted);
    },
  };
}
