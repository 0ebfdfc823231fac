// The walkthrough: one row a token. K on the left, V on the right, the query above and the output below them.

import { arithmetic, headOf } from "../web/arithmetic.js";
import { operands } from "../web/arrays.js";
import { questionOf } from "../web/asking.js";
import { fillCells, fullShade } from "../web/cells.js";
import { num } from "../web/dom.js";
import { createMap } from "../web/map.js";
import { presented } from "../web/present.js";
import { readable, tabStop } from "../web/reading.js";
import { saved } from "../web/saved.js";
import { createStage, onRoom } from "../web/stage.js";
import { createStepper } from "../web/stepper.js";
import { fill } from "../web/words.js";
import { appear, fly, grow, sweep } from "./motion.js";
import { createProofs } from "./proofs.js";
import { createRows } from "./rows.js";
import { stepsOf } from "./steps.js";
import { showProof, showText, tell } from "./told.js";

const NAMES = { q: "query", k: "key", v: "value", score: "score", weight: "weight", output: "output" };

const NOWHERE = 65_535; // in place of a position that the text does not have

export default function walkthrough(root) {
  let scene = null; // what Python sent
  let steps = []; // its decode steps in order, the first at position scene.first
  let scales = {};
  let stepper = null;
  let map = null;
  let send = null;
  let proofsFor = null; // who waits for the proofs of all steps
  let asked = ""; // the last request for more steps
  let onPage = null; // the step whose numbers stand in the page

  const stage = createStage(root, {
    label: "Walkthrough of one generated token",
    heading: "The KV cache, live: one generated token in five stages",
    rail: "Stages",
    terms: () => scene.terms,
  });
  const rows = createRows(stage.picture, fillRow);
  const reading = readable(stage.picture, { tip: stage.tip, live: stage.live, describe });
  const prove = createProofs(takeProofs);
  const room = onRoom(root, stage.picture, (size) => scene && rows.fit(size, scene.head_dim));

  const stepAt = (lap) => steps[lap - scene.first];
  /** The step whose query is on the page: in stage 5 the next token's. */
  const shownAt = ({ lap, stage: n }) => stepAt(n === 5 ? lap + 1 : lap);
  const shown = () => shownAt(stepper.place);
  const label = (position) => scene.labels[position];

  // ---- what a cell was computed from -----------------------------------------------------------------

  function describe(cell, entry) {
    const part = cell.dataset.part ?? cell.parentElement.dataset.part;
    const line = cell.closest("[role=row]");
    const step = shown();
    const n = stepper.place.stage;
    const soon = { score: n < 3, weight: n !== 4 }[part]; // hidden until its stage comes
    if (!NAMES[part] || soon || cell.closest(".hollow, .pending")) return null;
    const own = part === "q" || part === "output" || line.dataset.row === "new";
    const row = own ? step.position : Number(line.dataset.row);
    const single = part === "score" || part === "weight";
    const value = single ? step[part][row] : (step[part] ?? scene[part].row(row))[entry];
    const needed = "qkv".includes(part) ? operands(scene.operands) : Promise.resolve({});
    const asker = single ? `, asked by “${label(step.position)}”` : `, entry ${entry}`;
    return {
      title: `${NAMES[part]} of “${label(row)}”, token ${row}${asker}`,
      value: num(value, part === "weight" ? 4 : 3),
      lines: needed.then((found) =>
        arithmetic({
          recipe: scene.arithmetic[part],
          get: given(found, step),
          row,
          col: entry,
          position: step.position,
        }),
      ),
    };
  }

  const given = (found, step) => (name, row) => {
    if (name in step) return step[name];
    if (name === "k" || name === "v") return scene[name].row(row);
    if (!name.startsWith("w")) return found[name].row(row);
    return headOf(found, name, name === "wq" ? scene.head : scene.kv_head, scene.head_dim);
  };

  // ---- the picture -----------------------------------------------------------------------------------

  function fillRow(line, position) {
    fillCells(line.left, scene.k.row(position), scales.k, `key of ${label(position)}`);
    fillCells(line.right, scene.v.row(position), scales.v, `value of ${label(position)}`);
  }

  /** Everything that stays from stage to stage of one token; what a stage hides of it, the CSS does. */
  function showToken(slot, step) {
    onPage = step;
    rows.show(slot, step, label, () => onPage === step);
    const token = label(slot);
    fillCells(rows.q.left, step.q, scales.q, `query of ${token}`);
    fillCells(rows.kv.left, scene.k.row(slot), scales.k, `new key of ${token}`);
    fillCells(rows.kv.right, scene.v.row(slot), scales.v, `new value of ${token}`);
    fillCells(rows.output.right, step.output, scales.v, `output of ${token}`);
  }

  function showStage(place) {
    const { lap, stage: n } = place;
    const step = stepAt(lap);
    const slot = shown().position; // the row of the token whose query is shown
    reading.hide();
    if (shown() !== onPage) showToken(slot, shown());
    const stored = n > 1 && n < 5;
    rows.mark({ slot, stored, output: n === 4, best: shown().best, giver: n === 4 ? step.giver : -1 });
    const { q, kv, output } = rows;
    const [newest, best, giver] = [slot, shown().best, step.giver].map((i) => rows.lines[i]);
    const speaking = [
      [q.left, kv.left, kv.right],
      [newest.left, newest.right],
      [q.left, best.left],
      [best.right, giver.right, output.right],
      [q.left],
    ];
    rows.speak(speaking[n - 1]);
    tabStop(stage.picture);
    showText(stage.text, scene, step);
    showMap(slot, stored);
    tell(stage.told, scene, step, place, map.node);
  }

  function showMap(slot, stored) {
    const { weight, at, wanted, targets } = scene.looks;
    const own = slot - scene.first;
    const cell = (n, l, h) => (n * scene.n_layers + l) * scene.n_heads + h;
    const largest = (l, h) => weight.data[cell(own, l, h)] / 255;
    const kinds = targets.row(own);
    const views = scene.views.map(({ name, note, none }, i) => {
      const target = i ? kinds[i - 1] : 0;
      const nowhere = target === NOWHERE;
      const on = (l, h) => wanted.data[cell(own * kinds.length + i - 1, l, h)] / 255;
      const said = { asker: label(slot), target: nowhere ? "" : label(target) };
      return {
        name,
        note: fill(nowhere ? none : note, said),
        shade: nowhere ? null : i ? on : largest,
        said: (l, h) =>
          i ? num(on(l, h), 2) : `${num(largest(l, h), 2)} on “${label(at.data[cell(own, l, h)])}”`,
      };
    });
    const { layer, head } = scene;
    map.show({ layer, head, views, stored: slot + (stored ? 1 : 0), fresh: stored });
  }

  // ---- the stepper -----------------------------------------------------------------------------------

  const MOTION = {
    1: () => appear([rows.q.left, rows.kv.left, rows.kv.right]),
    2: () => {
      const { left, right } = rows.lines[shown().position];
      for (const cells of [left, right]) fly(root, cells, rows.kv.node);
    },
    3: () => sweep(root, rows.q.left, rows.body),
    4: () => grow(rows.inView(shown().position), shown().weight, rows.output.right),
    5: () => {
      appear([rows.q.left]);
      sweep(root, rows.q.left, rows.body);
    },
  };

  /** Have Python record more steps around a position, once for each place that runs short. */
  function ask(position) {
    const request = [scene.walk, scene.first, steps.length, position].join(" ");
    if (request === asked) return;
    asked = request;
    send("at", { walk: scene.walk, revision: scene.revision, position });
  }

  const ready = ({ lap, stage: n }) => Boolean(stepAt(lap) && (n < 5 || stepAt(lap + 1)));

  function createSteps() {
    stepper = createStepper(stage, {
      stages: scene.stages.map((words, i) => ({
        name: words.rail,
        title: words.title,
        show: showStage,
        enter: MOTION[i + 1],
      })),
      param: "stage",
      lapParam: "token",
      lapName: "token",
      saves: true,
      handout: true,
      whole: () => new Promise((resolve) => proofsWanted(resolve)),
      name: () => scene.walk,
      // There is no position after the last one: there stage 4 is the end.
      exists: ({ lap, stage: n }) => lap >= scene.history && lap + (n === 5 ? 1 : 0) < scene.end,
      ready,
      ask: ({ lap }) => ask(lap),
      near({ lap }) {
        const end = scene.first + steps.length;
        if (lap + 3 >= end && end < scene.end) ask(lap);
      },
      question({ lap, stage: n }) {
        const { values, asked: inStages } = stepAt(lap);
        return questionOf(scene.questions, values, inStages[n - 1]);
      },
      touch: (text) =>
        rows.lines
          .filter(({ node }, position) => !node.hidden && text === `“${label(position)}”`)
          .map(({ node }) => node),
      present: ({ lap, stage: n }) => presented(scene.stages[n - 1], stepAt(lap).values),
      said({ lap, stage: n }) {
        const { title, focus, why } = scene.stages[n - 1];
        return [`Stage ${n} of 5, token ${lap}, ${label(lap)}: ${title}.`, focus, why]
          .map((template) => fill(template, stepAt(lap).values))
          .join(" ");
      },
      ending: () => scene.ending,
    });
  }

  // ---- proofs that come later ------------------------------------------------------------------------

  function takeProofs({ proofs, ahead, given_up: givenUp }) {
    for (const step of steps) step.proof ??= proofs[step.position] ?? null;
    // The same as before, where it says the same: then the mark stays.
    const { waiting } = scene;
    if (waiting.ahead !== ahead || waiting.givenUp !== givenUp) scene.waiting = { ahead, givenUp };
    const { lap } = stepper.place;
    if (stepAt(lap)) showProof(stage.told, scene, stepAt(lap));
    proofsFor?.();
    askForProofs();
  }

  /** Call with the steps and their proofs, when there is one for each or will never be. */
  function proofsWanted(call) {
    proofsFor = () => {
      if (!scene.waiting.givenUp && steps.some((step) => !step.proof)) return;
      proofsFor = null;
      call({ steps: scene.steps.map((step, i) => ({ ...step, proof: steps[i].proof })) });
    };
    proofsFor();
  }

  const askForProofs = () =>
    prove(!saved && !scene.waiting.givenUp && steps.some((step) => !step.proof) ? scene.proofs : null);

  // ---- Python's side ---------------------------------------------------------------------------------

  function take(data) {
    scene = data;
    scene.waiting = { ahead: 0, givenUp: Boolean(saved) };
    steps = stepsOf(data);
    scales = { k: fullShade(data.k.data), v: fullShade(data.v.data), q: fullShade(steps[0].q) };
  }

  function update(data, kit) {
    const before = scene;
    send = kit.send;
    const sameWalk = before?.walk === data.walk;
    const sameHead = sameWalk && before.layer === data.layer && before.head === data.head;
    take(data);
    if (!stepper) createSteps();
    if (!map || before.n_heads !== data.n_heads || before.n_layers !== data.n_layers) {
      map = createMap(data, (layer, head) => send("view", { layer, head }));
    }
    if (!sameWalk) rows.clear();
    if (!sameHead || kit.themed) rows.refill(data);
    onPage = null;
    room.measure();
    rows.fitAgain(data.head_dim);
    // An address opens where it says; another walk keeps the stage, and starts at its first new token.
    let place = stepper.place;
    if (before?.revision !== data.revision) place = data.at;
    else if (!sameWalk) place = { lap: data.history, stage: place.stage };
    if (!stepAt(place.lap)) place = { lap: Math.max(data.first, data.history), stage: place.stage };
    if (!ready(place)) place = { ...place, stage: 4 };
    if (!stepper.arrived()) stepper.show(place);
    askForProofs();
  }

  return {
    update,
    destroy() {
      stepper?.destroy();
      prove(null);
      room.destroy();
      rows.destroy();
    },
  };
}
