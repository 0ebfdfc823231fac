// The avoided work: one layer of two compared steps, operation by operation, and what follows from it.

import { questionOf } from "../web/asking.js";
import { el, num } from "../web/dom.js";
import { createMap } from "../web/map.js";
import { presented } from "../web/present.js";
import { readable } from "../web/reading.js";
import { saved } from "../web/saved.js";
import { createStage, onRoom } from "../web/stage.js";
import { createStepper } from "../web/stepper.js";
import { fill } from "../web/words.js";
import { describe } from "./arithmetic_of.js";
import { createCells } from "./compared.js";
import { buildGrid, buildHeads, fit, sizes, spaceIn } from "./grid.js";
import { layerMap, sideBySide } from "./layer_map.js";
import { readHues } from "./paint.js";
import { createPictures } from "./pictures.js";
import { heading, legend, showFinding, showText, tellOperation, tellReduction } from "./told.js";

export default function avoidedWork(root) {
  let scene = null; // what Python sent
  let cells = null;
  let values = {};
  let head = 0; // at once when it is picked: all heads of the layer are here
  let allHeads = false;
  let wanted = null; // the layer and head asked for last: its data may still be on their way
  let jumping = false;
  let space = null;
  let stepper = null;
  let map = null;
  let send = null;
  let reporting = null;

  const stage = createStage(root, {
    label: "The avoided work",
    heading: "What a step without a cache computes again",
    rail: "Operations and reductions",
    terms: () => scene.terms,
  });
  const finding = el("div.finding", { role: "status", "data-tells": "" });
  stage.rail.after(finding);
  const reading = readable(stage.picture, { tip: stage.tip, live: stage.live, describe: describeCell });
  const pictures = createPictures({
    idOf: pictureId,
    build,
    count: () => scene.ops.length + scene.reductions.length,
    at: () => stepper.place.stage,
  });
  const room = onRoom(root, stage.picture, (size) => {
    space = spaceIn(size, root, stage.picture);
    if (!stepper) return;
    showPicture(stepper.place.stage);
    showText(stage.text, scene);
  });

  // ---- what a step shows -----------------------------------------------------------------------------

  const entryAt = (step) => scene.ops[step - 1];
  const reductionAt = (step) => scene.reductions[step - 1 - scene.ops.length];
  const isMany = (entry) => Boolean(entry.heads) && allHeads && cells.parts(entry.key).length > 1;
  const partsOf = (entry) => (isMany(entry) ? cells.parts(entry.key) : [cells.part(entry.key, head)]);
  const sizeOf = ({ key }) => sizes(space, scene.t + 1, scene.tensors[key].shape[2]);

  function describeCell(cell, col) {
    const line = cell.closest("[role=row]");
    const entry = entryAt(stepper.place.stage);
    if (!line?.dataset.row || !entry) return null;
    return describe({ scene, cells, entry, head, row: Number(line.dataset.row), col });
  }

  function pictureId(step) {
    const entry = entryAt(step);
    if (!entry) return reductionAt(step).mode;
    if (isMany(entry)) return `${entry.key} all`;
    const { every, dense } = sizeOf(entry); // all else about sizes is the style sheet's
    return `${entry.key} ${cells.headOf(entry.key, head)} ${every} ${dense}`;
  }

  function build(step) {
    const entry = entryAt(step);
    const mode = reductionAt(step)?.mode;
    if (!entry) return mode === "ways" ? sideBySide({ scene, cells }) : layerMap({ scene, cells }, mode);
    if (!isMany(entry))
      return buildGrid({ scene, entry, part: cells.part(entry.key, head), size: sizeOf(entry) });
    const pick = (h) => {
      allHeads = false;
      pickHead(scene.layer, entry.heads === "kv" ? cells.queryHead(h) : h);
    };
    return buildHeads({ scene, entry, parts: cells.parts(entry.key), pick });
  }

  function showPicture(step) {
    const entry = entryAt(step);
    reading.hide();
    if (entry) fit(root, stage.picture, sizeOf(entry));
    const parts = entry && partsOf(entry);
    const many = entry && isMany(entry);
    const over = heading(scene, { entry, parts, many, head, kv: cells.kvHead(head), toggle: toggleHeads });
    stage.picture.replaceChildren(
      over,
      pictures.of(step),
      legend(scene, entry ? "" : reductionAt(step).mode, parts),
    );
    pictures.buildAhead();
  }

  function showStep({ stage: step }) {
    showPicture(step);
    showMap();
    const told = { box: stage.told, scene, values, over: over(step), map: map.node };
    const entry = entryAt(step);
    if (entry) tellOperation(told, entry, partsOf(entry));
    else tellReduction(told, reductionAt(step));
  }

  const over = (step) =>
    entryAt(step)
      ? `Operation ${step} of ${scene.ops.length}`
      : `Reduction ${step - scene.ops.length} of ${scene.reductions.length}`;

  function showMap() {
    const { weight, at } = scene.looks;
    const share = (l, h) => weight.data[l * scene.n_heads + h] / 255;
    map.show({
      layer: scene.layer,
      head,
      shade: share,
      said: (l, h) => `${num(share(l, h), 2)} on “${scene.labels[at.data[l * scene.n_heads + h]]}”`,
      note: fill(scene.words.map, values),
      stored: scene.t + 1,
      fresh: true,
    });
  }

  function toggleHeads() {
    allHeads = !allHeads;
    stepper.show();
    /** @type {HTMLElement} */ (stage.picture.querySelector(".toggle"))?.focus();
  }

  // ---- layers and heads ------------------------------------------------------------------------------

  /** A head is here already; another layer's data come from Python. Both go into the address. */
  function pickHead(layer, h) {
    wanted = { layer, head: h };
    clearTimeout(reporting);
    const here = layer === scene.layer;
    if (!here || !saved)
      // a file has all heads of its layer
      reporting = setTimeout(() => send("view", wanted ?? { layer, head: h }), here ? 250 : 0);
    if (layer !== scene.layer) return;
    head = h;
    stepper.show();
  }

  function jumpToLargest() {
    const { layer, op, row, col, head: theirs } = scene.found.where;
    const step = scene.ops.findIndex(({ key }) => key === op);
    const kind = scene.ops[step].heads;
    const h = kind === "kv" ? cells.queryHead(theirs) : kind ? theirs : head;
    allHeads = false;
    jumping = layer !== scene.layer;
    if (layer !== scene.layer || h !== head) pickHead(layer, h);
    if (jumping) return;
    stepper.show({ lap: 0, stage: step + 1 }, { quietly: true });
    const line = stage.picture.querySelector(`[role=row][data-row="${row}"]`);
    const found = line.querySelectorAll("[role=gridcell]");
    const cell = /** @type {any} */ (found.length > 1 ? found[col] : found[0]);
    cell.cursor = col; // of a strip
    cell.focus({ focusVisible: true });
    reading.show(cell, col, true);
  }

  // ---- the stepper -----------------------------------------------------------------------------------

  function createSteps() {
    const named = (entries, group) =>
      entries.map(({ rail, title }) => ({ name: rail, title, group, show: showStep }));
    const { operations, then } = scene.words;
    const stages = [...named(scene.ops, operations), ...named(scene.reductions, then)];
    stepper = createStepper(
      { ...stage, root },
      {
        stages,
        param: "op",
        saves: true,
        name: () => scene.key,
        exists: ({ lap, stage: step }) => lap === 0 && step >= 1 && step <= stages.length,
        question({ stage: step }) {
          const entry = entryAt(step) ?? reductionAt(step);
          const said = { ...values, ...entry.values };
          return questionOf(scene.questions, said, scene.asked[entry.key ?? entry.mode] ?? null);
        },
        present({ stage: step }) {
          const entry = entryAt(step) ?? reductionAt(step);
          return presented(entry, { ...values, ...entry.values });
        },
        said({ stage: step }) {
          const entry = entryAt(step) ?? reductionAt(step);
          const said = { ...values, ...entry.values };
          return `${over(step)}: ${entry.title}. ${fill(entry.focus, said)} ${fill(entry.why, said)}`;
        },
        ending: () => scene.words.ending,
      },
    );
  }

  // ---- Python's side ---------------------------------------------------------------------------------

  function update(data, kit) {
    const before = scene;
    send = kit.send;
    const moved = before?.revision !== data.revision; // the address says where to be
    const late =
      !moved &&
      wanted &&
      before.key === data.key &&
      (data.layer !== wanted.layer || data.head !== wanted.head);
    const same = before?.key === data.key && before.layer === data.layer;
    scene = data;
    if (!late) {
      wanted = null;
      head = data.head;
    }
    head = Math.min(head, data.n_heads - 1);
    if (!same) cells = createCells(data);
    if (!same || kit.themed) {
      readHues(root);
      pictures.clear();
    }
    const templates = Object.entries(data.templates).map(([name, template]) => [name, { template }]);
    values = { ...data.values, ...Object.fromEntries(templates) };
    if (!stepper) createSteps();
    if (!map || before.n_heads !== data.n_heads || before.n_layers !== data.n_layers)
      map = createMap(data, pickHead);
    showText(stage.text, data);
    showFinding(finding, data.found, jumpToLargest);
    room.measure();
    stepper.show(moved ? data.at : stepper.place);
    if (jumping && data.layer === data.found.where.layer) jumpToLargest();
  }

  return {
    update,
    destroy() {
      pictures.destroy();
      clearTimeout(reporting);
      stepper?.destroy();
      room.destroy();
    },
  };
}
