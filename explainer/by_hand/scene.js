// Two rounds by hand: the calculation of each stage written out, and what stands on the paper by then.

import { questionOf } from "../web/asking.js";
import { meter } from "../web/counts.js";
import { el } from "../web/dom.js";
import { createStage, onRoom } from "../web/stage.js";
import { createStepper } from "../web/stepper.js";
import { fill, say } from "../web/words.js";
import { createEditor } from "./editor.js";
import { createSheet } from "./sheet.js";
import { lowerAll } from "./tables.js";
import { createWork } from "./work.js";

const ROUND_TWO = 10; // the stage in which it begins
const FIRST_SCORES = 5; // the stage in which a mistake can first be made
const LETTERS = ["q", "n"];

export default function byHand(root) {
  let scene = null; // what Python sent
  let stepper = null;
  let work = null;
  let letters = ""; // the mistakes that are made
  let send = null;

  const stage = createStage(root, { label: "", heading: "", rail: "", terms: () => scene.terms });
  root.querySelector(".unfold").remove();
  const calculation = el("div.calculation");
  const paper = el("div.paper");
  const tools = el("div.tools");
  const sheet = createSheet();
  const editor = createEditor({
    changed: (fields) => send("fields", { ...fields, at: Date.now() }),
    example: () => send("example", Date.now()),
  });
  stage.picture.append(calculation, paper);
  // Below the words, which come first in a narrow window.
  root.querySelector(".area").after(tools, editor.node);
  root.append(sheet.node);
  const room = onRoom(root, stage.picture, reach);
  // Printing from the browser's own menu gives the sheet, too.
  const beforePrint = () => sheet.fill(scene);
  addEventListener("beforeprint", beforePrint);

  /** What is wider than a narrow window can be scrolled by keyboard, too. */
  function reach() {
    const wide = calculation.scrollWidth > calculation.clientWidth;
    for (const [name, value] of Object.entries({
      tabindex: "0",
      role: "group",
      "aria-label": root.ariaLabel,
    }))
      if (wide) calculation.setAttribute(name, value);
      else calculation.removeAttribute(name);
  }

  const variant = () => scene.variants[letters];
  const roundOf = (n) => (n < ROUND_TWO ? 0 : 1);

  // ---- the picture -----------------------------------------------------------------------------------

  const DRAW = [
    () => work.given(0),
    () => work.query(0),
    () => work.rows(0, "k"),
    () => work.rows(0, "v"),
    () => work.scores(0, false),
    () => work.scale(0),
    () => work.softmax(0),
    () => work.output(0),
    () => work.next(0),
    () => work.given(1),
    () => work.three(1),
    () => {
      const all = variant().rounds[1].ids.length;
      return el("div.halves", {}, ...["k", "v"].map((part) => half(1, part, { stored: all, room: all })));
    },
    () => work.scores(1, true),
    () => work.softmax(1),
    () => work.output(1),
    () => work.next(1),
  ];

  function half(i, part, size) {
    return el("figure", {}, el("figcaption", {}, scene.words.ui[`cache_${part}`]), work.cache(i, part, size));
  }

  /** What is known by now: the query of this round, and the two halves of the cache. */
  function showPaper(n) {
    const { ui } = scene.words;
    const i = roundOf(n);
    const { rounds } = variant();
    const before = rounds[0].ids.length;
    const all = rounds[1].ids.length;
    const stored = {
      k: i ? (n >= 12 ? all : before) : n >= 3 ? before : 0,
      v: i ? (n >= 12 ? all : before) : n >= 4 ? before : 0,
    };
    const asks = n >= (i ? 11 : 2);
    const kind =
      letters && i && String(rounds[1].asked) !== String(rounds[1].q) && n > 12 ? "differs" : "fresh";
    const q = el(
      "figure",
      {},
      el("figcaption", {}, asks ? work.queryName : scene.words.ui.q),
      work.own(i, { empty: !asks, kind, old: kind === "differs" }),
    );
    const rows = i ? all : before;
    const halves = ["k", "v"].map((part) => half(i, part, { stored: stored[part], room: rows }));
    const legend = el(
      "p.legend",
      {},
      ...[
        ["empty", "empty-key"],
        ["fresh", "fresh-key"],
        ["cached", "cached-key"],
        ["differs", "different-key"],
      ]
        .filter(([name]) => paperHas(name, { i, letters }))
        .map(([name, key]) => el("span", {}, el(`i.key.${key}`), ui[name])),
    );
    paper.replaceChildren(el("h3", {}, ui.paper, " ", legend), el("div.known", {}, q, ...halves));
  }

  const paperHas = (name, { i, letters: made }) =>
    ({ empty: true, fresh: true, cached: i === 1, differs: Boolean(made) })[name];

  function showText(n) {
    const { rounds } = variant();
    const i = roundOf(n);
    const ids = rounds[i].ids;
    const texts = ids.map((id) => scene.vocabulary[id]);
    const last = i ? el("b.fresh-word", {}, texts.at(-1)) : texts.at(-1);
    const done = n === ROUND_TWO - 1 || n === DRAW.length;
    const next = done ? el("b.fresh-word", {}, ` → ${scene.vocabulary[rounds[i].next]}`) : "";
    stage.text.replaceChildren(el("span", {}, `${texts.slice(0, -1).join(" ")} `, last, next));
  }

  function show({ stage: n }) {
    work = createWork(scene, letters);
    const words = scene.words.stage[n - 1];
    const { values } = variant();
    showText(n);
    calculation.replaceChildren(DRAW[n - 1]());
    showPaper(n);
    const counted = n === 11 || n === 12 ? meter(scene.words.ui.meter, scene.work) : "";
    const group = scene.words.groups[roundOf(n) ? "second" : "first"];
    const why = fill(words.why, values);
    stage.told.replaceChildren(
      el(
        "section.words",
        {},
        el("p.over", {}, group, el("span.quiet", {}, ` · step ${n} of ${DRAW.length}`)),
        el("h2", {}, fill(words.title, values)),
        el("p.focus", {}, ...say(words.focus, values)),
        el("p.why", {}, why),
      ),
      counted,
      n < FIRST_SCORES && !letters ? "" : mistakes(n),
      leftOut,
    );
    lowerAll(stage.told);
    reach();
  }

  // ---- what can be done wrong ------------------------------------------------------------------------

  const leftOut = el("details.left-out");

  function mistakes(n) {
    const { mistake } = scene.words;
    const i = roundOf(n);
    const buttons = LETTERS.map((letter) => {
      const on = letters.includes(letter);
      const button = el("button.mistake", { type: "button", "aria-pressed": String(on) }, mistake[letter]);
      button.onclick = () => {
        letters = LETTERS.filter((one) => letters.includes(one) !== (one === letter)).join("");
        stepper.show();
        /** @type {HTMLElement} */ (root.querySelectorAll(".mistake")[LETTERS.indexOf(letter)]).focus();
        stage.live.textContent = root.querySelector(".missed").textContent;
      };
      return button;
    });
    const shows = letters.includes("n") || i === 1;
    const said = !letters ? mistake.off : shows ? variant().missed[i] : mistake.later;
    return el(
      "section.mistakes",
      {},
      el("h3", {}, mistake.title),
      el("div", {}, ...buttons),
      el(letters ? "p.missed.wrong" : "p.missed", {}, said),
    );
  }

  // ---- the tools below the picture -------------------------------------------------------------------

  function showTools() {
    const { ui, left_out: out } = scene.words;
    const tool = (name, text, click) => {
      const button = el(`button.${name}`, { type: "button" }, text);
      button.onclick = click;
      return button;
    };
    const print = (solutions) => () => {
      sheet.solutions(solutions);
      printSheet();
    };
    const edit = tool("edit", ui.edit, () => {
      editor.toggle();
      edit.setAttribute("aria-expanded", String(editor.open));
    });
    edit.setAttribute("aria-expanded", String(editor.open));
    tools.replaceChildren(
      edit,
      tool("print-sheet", ui.print_sheet, print(false)),
      tool("print-solutions", ui.print_solutions, print(true)),
    );
    leftOut.replaceChildren(el("summary", {}, out.title), el("p", {}, ...say(out.text, variant().values)));
  }

  function printSheet() {
    beforePrint();
    window.print();
  }

  // ---- the stepper -----------------------------------------------------------------------------------

  function create() {
    const { words } = scene;
    root.setAttribute("aria-label", words.label);
    root.querySelector("h1").textContent = words.heading;
    stage.rail.setAttribute("aria-label", words.rail);
    stepper = createStepper(stage, {
      stages: words.stage.map(({ rail, title }, i) => ({
        name: rail,
        title: fill(title, variant().values),
        group: words.groups[i + 1 < ROUND_TWO ? "first" : "second"],
        show,
      })),
      param: "step",
      name: () => scene.key,
      also: () => ({ wrong: letters || null }),
      // What is asked is what comes out right.
      question: ({ stage: n }) =>
        letters ? null : questionOf(words.question, variant().values, scene.questions[n - 1]),
      said({ stage: n }) {
        const { title, focus, why } = words.stage[n - 1];
        return [`Step ${n}: ${title}.`, focus, why].map((text) => fill(text, variant().values)).join(" ");
      },
      ending: () => words.ending,
    });
  }

  function update(data, kit) {
    const before = scene;
    send = kit.send;
    scene = data;
    if (!kit.fresh && before) return; // only the colours have changed
    const moved = before?.revision !== data.revision;
    if (moved) letters = LETTERS.filter((letter) => data.wrong.includes(letter)).join("");
    showTools();
    editor.show(data);
    if (!stepper) create();
    stepper.show(moved ? data.at : undefined);
    if (before && !moved && before.key !== data.key)
      stage.live.textContent = fill(data.words.ui.again, variant().values);
    beforePrint();
    room.measure();
  }

  return {
    update,
    destroy() {
      stepper?.destroy();
      room.destroy();
      removeEventListener("beforeprint", beforePrint);
    },
  };
}
