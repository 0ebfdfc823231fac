// The start page: two writers of one text, word by word, and then what has to be kept.

import { questionOf } from "../web/asking.js";
import { calm, el } from "../web/dom.js";
import { presented } from "../web/present.js";
import { readable, tabStop } from "../web/reading.js";
import { createStage, onRoom } from "../web/stage.js";
import { createStepper } from "../web/stepper.js";
import { addressOf, onWay, open, way } from "../web/way.js";
import { fill, say } from "../web/words.js";
import { doorsOf, pathsOf, walkthroughAt } from "./doors.js";
import { fitTriangles } from "./fit.js";
import { createKeep } from "./keep.js";
import { counted, describe, rowOf, sameAt, SIDES, stateOf } from "./rows.js";
import { moveIn } from "./triangle.js";
import { createWriter } from "./writer.js";

const WORD_MS = 700; // while the page writes by itself

export default function start(root) {
  let scene = null; // what Python sent
  let stepper = null;
  let writers = null;
  let keep = null;
  let send = null;
  let tried = null; // who waits for what Python was asked to try
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
  // The controls wait behind this button: Python draws them when it is pressed (explainer/frame.py).
  root.classList.add("folded");
  const unfold = root.querySelector(".unfold");
  unfold.addEventListener("click", () => {
    document.body.classList.add("kv-asked");
    root.classList.remove("folded");
    send("controls", true);
  });

  const legend = el("div.legend");
  const line = el("p.line", { "data-tells": "" });
  const doors = el("p.doors");
  const question = el("button.question", { type: "button" });
  const foot = el("div.foot", {}, stage.asking, line, el("div.actions", {}, stage.rail, question, doors));
  const panels = el("div.writers");
  stage.picture.append(panels, legend, foot);
  question.onclick = () => {
    stepper.stop();
    const { lap, stage: part } = stepper.place;
    stepper.go({ lap, stage: part === 1 ? 2 : 1 });
  };

  const reading = readable(panels, {
    tip: stage.tip,
    live: stage.live,
    describe: (cell) => describe(scene, keep, cell),
  });
  const room = onRoom(root, stage.picture, () => fit());
  const below = new ResizeObserver(() => fit()); // a question and the doors take room from the triangles
  below.observe(foot);

  // ---- the picture -----------------------------------------------------------------------------------

  const fit = () => writers && fitTriangles(root, stage.picture, panels);

  function writeTo(k) {
    const length = scene.prompt_length + k;
    const most = Math.max(scene.played, k);
    for (const side of SIDES) {
      const { triangle, write, count } = writers[side];
      triangle.room(scene.prompt_length, scene.prompt_length + most - 1, most);
      triangle.cut(k);
      for (let i = triangle.rows.length + 1; i <= k; i++) {
        const row = rowOf(scene, side, i, scene[side], (cell) => stateOf(scene, side, i, cell));
        triangle.add({ ...row, right: scene.rows[i - 1].same });
      }
      triangle.mark();
      write(scene[side].texts.slice(0, length), scene.prompt_length, sameAt(scene));
      count(counted(scene, side, k));
    }
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
    keep.show(scene);
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

  // ---- where it leads ----------------------------------------------------------------------------------

  const showDoors = (lap) =>
    doors.replaceChildren(...doorsOf(scene, lap), ...pathsOf(scene.words.line.paths));
  const forgetWay = onWay(() => stepper && showDoors(stepper.place.lap)); // it can come later than the scene

  panels.addEventListener("click", (event) => {
    const cell = /** @type {any} */ (event.target).closest?.(".t-cell");
    const writer = cell?.closest(".writer");
    if (!writer || writer.dataset.side === "yours" || way()?.elsewhere) return;
    open(addressOf("walkthrough", { ...scene.link, ...walkthroughAt(scene, cell.to) }));
  });

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
      saves: true,
      whole() {
        if (ready({ stage: 2 })) return Promise.resolve();
        ask();
        return new Promise((resolve) => (tried = resolve));
      },
      name: () => scene.key,
      exists: ({ lap, stage: part }) => lap >= 1 && lap <= scene.most && part >= 1 && part <= 2,
      along({ lap, stage: part }, by) {
        if (part === 2) return by < 0 ? { lap, stage: 1 } : null;
        const to = lap + by;
        return to >= 1 && to <= scene.most ? { lap: to, stage: 1 } : null;
      },
      pace: () => WORD_MS,
      question({ lap, stage: part }) {
        if (part === 2) return null; // there one tries
        return questionOf(scene.words.question, scene.values, scene.rows[lap - 1].asked);
      },
      ready,
      ask,
      present({ lap, stage: part }) {
        const { present } = scene.words;
        if (part === 2) return presented(present.keep, scene.values);
        const { text, values } = scene.rows[lap - 1].line;
        const when = lap === 1 ? "first" : lap < scene.played ? "row" : "done";
        return presented({ ...present[when], line: text }, { ...scene.values, ...values });
      },
      near({ lap }) {
        if (scene.ahead && lap >= scene.played - 2 && !ready({ stage: 2 })) ask();
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
      rowOf: (...row) => rowOf(scene, ...row),
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
    if (ready({ stage: 2 })) tried?.();
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
      below.disconnect();
      forgetWay();
      document.body.classList.remove("kv-asked");
    },
  };
}
