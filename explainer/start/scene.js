// The start page: two writers of one text, word by word, and then what has to be kept.

import { calm, el, tiny, whole } from "../web/dom.js";
import { readable, tabStop } from "../web/reading.js";
import { createStage, onRoom } from "../web/stage.js";
import { createStepper } from "../web/stepper.js";
import { fill, say } from "../web/words.js";
import { createKeep } from "./keep.js";
import { columns, moveIn } from "./triangle.js";
import { createWriter } from "./writer.js";

const WORD_MS = 700; // while the page writes by itself
const SIDES = ["naive", "cached"];
const LEAST_TALL = 150; // of a triangle, in px
const BELOW = 32; // px of the page below the scene

export default function start(root) {
  let scene = null; // what Python sent
  let stepper = null;
  let writers = null;
  let keep = null;
  let send = null;
  let asked = ""; // the text whose choices Python was asked to try

  const stage = createStage(root, {
    label: "The same text written with a cache and without",
    heading: "",
    rail: "Words",
    terms: () => scene.terms,
  });
  const heading = root.querySelector("h1");
  heading.classList.remove("sr");
  const lead = el("p.lead");
  root.querySelector(".text-line").prepend(el("div", {}, heading, lead));
  stage.text.remove();
  // The controls wait behind this button (pages/start.py).
  root.classList.add("folded");
  const unfold = root.querySelector(".unfold");
  unfold.addEventListener("click", () => {
    document.body.classList.add("kv-asked");
    root.classList.remove("folded");
  });

  const legend = el("div.legend");
  const line = el("p.line");
  const doors = el("p.doors");
  const question = el("button.question", { type: "button" });
  const foot = el("div.foot", {}, line, el("div.actions", {}, stage.rail, question, doors));
  const panels = el("div.writers");
  stage.picture.append(panels, legend, foot);
  question.onclick = () => {
    stepper.stop();
    const { lap, stage: part } = stepper.place;
    stepper.go({ lap, stage: part === 1 ? 2 : 1 });
  };

  const reading = readable(panels, { tip: stage.tip, live: stage.live, describe });
  const room = onRoom(root, stage.picture, fit);

  // ---- the picture -----------------------------------------------------------------------------------

  /** The triangles take the height that the rest leaves. */
  function fit() {
    const shown = writers && [...panels.querySelectorAll(".triangle")].find((node) => node.offsetParent);
    if (!shown) return;
    root.style.setProperty("--tall", "0px");
    const top =
      stage.picture.getBoundingClientRect().top + (document.querySelector(".stMain")?.scrollTop ?? 0);
    const beside = panels.offsetHeight - /** @type {HTMLElement} */ (shown.closest(".writer")).offsetHeight;
    const left = innerHeight - top - stage.picture.offsetHeight + beside - BELOW;
    root.style.setProperty("--tall", `${Math.max(LEAST_TALL, left)}px`);
  }

  /** What the cell of a word is in the row that writes word `k`, counted from 1. */
  function stateOf(side, k, { from, to }) {
    const row = scene.rows[k - 1];
    const at = SIDES.indexOf(side);
    const length = scene.prompt_length + k - 1;
    if (from >= length - row.computed[at] && (k === 1 || from === length - 1)) return "now";
    if (side === "cached") return "read";
    const equal = scene.equal.row(k - 1);
    for (let i = from; i <= to; i++) if (!equal[i]) return "differs";
    return "again";
  }

  /** A row of a triangle: `states` says what each of its cells is. */
  function rowOf(side, k, text, states) {
    const n = scene.prompt_length + k - 1;
    const words = scene.words.row;
    const cells = columns(scene.prompt_length, n).map((cell) => {
      const state = states(cell);
      const label = `${labelOf(text, cell)}: ${scene.words.legend[state]}`;
      return Object.assign(cell, { state, label });
    });
    const earlier = `${n - 1}`;
    const same = String(scene.equal.row(k - 1).reduce((sum, equal) => sum + equal, 0));
    const values = { rows: String(n), new: text.labels[n - 1], next: text.labels[n], earlier, same };
    return {
      name: k === 1 ? words.prompt : `+ ${text.labels[n - 1]}`,
      next: text.labels[n],
      said: fill(k === 1 ? words.first : words[side], values),
      cells,
    };
  }

  const labelOf = (text, { from, to }) =>
    to > from ? fill(scene.words.cell.folded, { count: String(to - from + 1) }) : text.labels[from];

  const sameAt = (i) => i < scene.prompt_length || scene.rows[i - scene.prompt_length].same;

  function writeTo(k) {
    const length = scene.prompt_length + k;
    const most = Math.max(scene.played, k);
    for (const side of SIDES) {
      const { triangle, write, count } = writers[side];
      triangle.room(scene.prompt_length, scene.prompt_length + most - 1, most);
      triangle.cut(k);
      for (let i = triangle.rows.length + 1; i <= k; i++) {
        const row = rowOf(side, i, scene[side], (cell) => stateOf(side, i, cell));
        triangle.add({ ...row, right: scene.rows[i - 1].same });
      }
      triangle.mark();
      write(scene[side].texts.slice(0, length), scene.prompt_length, sameAt);
      count(counted(side, k));
    }
  }

  function counted(side, k) {
    const at = SIDES.indexOf(side);
    const row = scene.rows[k - 1];
    const names = scene.words.numbers;
    const last = scene.rows[Math.max(scene.played, k) - 1];
    const [naive, cached] = row.works.map((work) => work / last.works[0]);
    const work = [{ kind: "need", share: cached }];
    if (side === "naive") work.push({ kind: "again", share: naive - cached });
    const time = [{ kind: side, share: row.seconds[at] / Math.max(...last.seconds) }];
    return [
      { name: names.work, value: row.numbers.work[at] },
      { name: names.works, value: row.numbers.works[at], bar: work },
      { name: names.time, value: row.numbers.time[at], bar: time },
      { name: names.kept, value: row.numbers.kept[at] },
    ];
  }

  function showLegend(states) {
    const { legend: words } = scene.words;
    const signs = states.map((state) =>
      el("span", {}, el(`i.t-cell.${state}`, { "aria-hidden": true }), words[state]),
    );
    const measured = fill(scene.words.numbers.measured, scene.values);
    legend.replaceChildren(
      el("div", {}, ...signs),
      ...(states.includes("again") ? [el("span", {}, measured)] : []),
    );
  }

  function showWriters({ lap }) {
    reading.hide();
    heading.textContent = scene.words.title;
    lead.replaceChildren(...say(scene.words.lead, {}));
    const differs = writers.naive.triangle.node.querySelector(".differs");
    writeTo(lap);
    showLegend(["now", "again", ...(differs ? ["differs"] : []), "read"]);
    const { text, values } = scene.rows[lap - 1].line;
    const ending = lap === scene.most ? ` ${scene.words.ending}` : "";
    line.replaceChildren(el("span", {}, ...say(text, values), ending));
    foot.classList.toggle("done", lap >= scene.played);
    question.textContent = `${scene.words.line.question} →`;
    showDoors(lap);
    tabStop(panels);
    if (lap >= scene.played && stepper.playing) stepper.stop();
  }

  function showKeep({ lap }) {
    reading.hide();
    heading.textContent = scene.words.keep.title;
    lead.replaceChildren(...say(scene.words.keep.lead, scene.values));
    keep.show(scene, rowOf);
    showLegend(["now", ...keep.states]);
    line.replaceChildren();
    foot.classList.add("done");
    question.textContent = `← ${scene.words.line.back}`;
    showDoors(lap);
    fit();
    if (!ready({ stage: 2 })) ask();
  }

  function enterWord({ lap }) {
    for (const side of SIDES)
      moveIn(writers[side].triangle.rows[lap - 1], { sweeps: side === "naive" || lap === 1 });
  }

  // ---- what a cell tells, and where it leads ----------------------------------------------------------

  function describe(cell) {
    const side = cell.closest(".writer")?.dataset.side;
    if (!side || cell.from === undefined) return null;
    const k = cell.row + 1;
    const text = side === "yours" ? keep.text : scene[side];
    const state = [...cell.classList].find((name) => name in scene.words.cell);
    const row = scene.rows[k - 1];
    const largest = scene.largest.row(k - 1).subarray(cell.from, cell.to + 1);
    const pass = row.multiplications[side === "naive" ? 0 : 1];
    const value = {
      now: () => whole(pass),
      again: () => tiny(largest.reduce((most, x) => Math.max(most, x), 0)),
      differs: () => tiny(largest.reduce((most, x) => Math.max(most, x), 0)),
      read: () => whole(scene.kv * (cell.to - cell.from + 1)),
    };
    const n = scene.prompt_length + k - 1;
    const rows = row.computed[side === "naive" ? 0 : 1];
    const values = {
      token: labelOf(text, cell),
      new: text.labels[n - 1],
      numbers: scene.values.numbers,
      rows: rows === 1 ? "1 word" : `${rows} words`,
    };
    return {
      title: fill(scene.words.cell[state], values),
      value: (value[state] ?? keep.valueOf)(cell, state),
      lines: side === "yours" ? [] : [scene.words.cell.open],
    };
  }

  /** Where the walkthrough shows the word at a position: the cache has to be as short as that. */
  function walkthroughAt(position) {
    const at = Math.max(1, position);
    return at < scene.prompt_length - 1 ? { length: String(at), token: String(at) } : { token: String(at) };
  }

  function open(page, params) {
    // The time makes it another message, should the same door be taken twice.
    send("door", { page, params: { ...scene.link, ...params }, at: Date.now() });
  }

  panels.addEventListener("click", (event) => {
    const cell = /** @type {any} */ (event.target).closest?.(".t-cell");
    if (cell?.closest(".writer") && cell.closest(".writer").dataset.side !== "yours") {
      open("walkthrough", walkthroughAt(cell.to));
    }
  });

  function showDoors(lap) {
    const at = walkthroughAt(scene.prompt_length + lap - 2);
    const params = { walkthrough: at, timing: {} };
    doors.replaceChildren(
      ...Object.entries(scene.words.door).map(([page, words]) => {
        const query = new URLSearchParams({ ...scene.link, ...params[page] });
        const link = el("a.door", { href: `${page}?${query}` }, words);
        link.onclick = (event) => {
          if (event.ctrlKey || event.metaKey || event.shiftKey) return; // into a tab of its own
          event.preventDefault();
          open(page, params[page]);
        };
        return link;
      }),
    );
  }

  // ---- the stepper -----------------------------------------------------------------------------------

  const ready = ({ stage: part }) => part === 1 || Object.keys(scene.tried).length > 0;

  /** Have Python try every choice, once for each text. */
  function ask() {
    if (asked === scene.key) return;
    asked = scene.key;
    send("trying", scene.key);
  }

  function createSteps() {
    stepper = createStepper(stage, {
      stages: [
        { name: scene.words.title, show: showWriters, enter: enterWord },
        { name: scene.words.keep.title, show: showKeep },
      ],
      param: "part",
      lapParam: "word",
      lapName: "word",
      also: () => ({ keep: keep.letters || null }),
      small: true,
      name: () => scene.key,
      exists: ({ lap, stage: part }) => lap >= 1 && lap <= scene.most && part >= 1 && part <= 2,
      along({ lap, stage: part }, by) {
        if (part === 2) return by < 0 ? { lap, stage: 1 } : null;
        const to = lap + by;
        return to >= 1 && to <= scene.most ? { lap: to, stage: 1 } : null;
      },
      pace: () => WORD_MS,
      ready,
      ask,
      near({ lap }) {
        if (lap >= scene.played - 2 && !ready({ stage: 2 })) ask();
      },
      said({ lap, stage: part }) {
        if (part === 2) return `${scene.words.keep.title} ${lead.textContent}`;
        // While it plays only the end is told.
        if (stepper.playing && lap < scene.played) return "";
        return line.textContent;
      },
    });
  }

  // ---- Python's side ---------------------------------------------------------------------------------

  function create() {
    const { writer } = scene.words;
    writers = Object.fromEntries(SIDES.map((side) => [side, createWriter(writer[side], side)]));
    keep = createKeep(scene, {
      live: stage.live,
      chosen: () => stepper.write(),
      shown: () => showLegend(["now", ...keep.states]),
      rowOf,
    });
    for (const side of SIDES) writers[side].node.dataset.side = side;
    panels.replaceChildren(...SIDES.map((side) => writers[side].node), keep.boxes, keep.writer.node);
  }

  function update(data, kit) {
    const before = scene;
    send = kit.send;
    scene = data;
    if (!kit.fresh && before) return; // only the colours have changed
    const sameText = before?.key === data.key;
    const moved = before?.revision !== data.revision;
    if (!writers) create();
    if (!stepper) createSteps();
    if (!sameText) for (const side of SIDES) writers[side].triangle.clear();
    if (moved) keep.choose(data.keep);
    if (moved && data.at.lap) stepper.show(data.at);
    else if (!sameText && (!before || stepper.place.stage === 1)) begin();
    else if (stepper.arrived()) return;
    else if (!sameText || stepper.place.stage === 2) stepper.show();
    else stepper.write();
    fit();
  }

  /** A text that nobody has seen yet is written by itself; where things stand still, it is there. */
  function begin() {
    stepper.show({ lap: calm() ? scene.played : 1, stage: 1 });
    stepper.demonstrate();
  }

  return {
    update,
    destroy() {
      stepper?.destroy();
      room.destroy();
      document.body.classList.remove("kv-asked");
    },
  };
}
