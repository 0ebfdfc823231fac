// Why K and V, and not Q: a visit to a library, the cache used wrongly, and what a key holds.

import { inAddress } from "../web/address.js";
import { questionOf } from "../web/asking.js";
import { el } from "../web/dom.js";
import { createMap } from "../web/map.js";
import { presented } from "../web/present.js";
import { readable, tabStop } from "../web/reading.js";
import { createStage, onRoom } from "../web/stage.js";
import { createStepper } from "../web/stepper.js";
import { fill } from "../web/words.js";
import { describeCell } from "./cell.js";
import { keptOf, textsOf } from "./experiment.js";
import { heldLegend, layersOf } from "./layers.js";
import { createNaming } from "./naming.js";
import { createReads } from "./reads.js";
import { showText, tell } from "./told.js";
import { createViews, isExperiment } from "./views.js";
import { createVisit } from "./visit.js";

const LEAST_COLUMN = { wide: 30, narrow: 22, phone: 17 }; // pixels
const GUTTER = 130; // pixels that the names beside a visit take, where they stand there
const NARROW = 860; // below it they stand above its rows, as in web/stage.js

export default function whyKAndV(root) {
  let scene = null; // what Python sent
  let views = null;
  let stepper = null;
  let map = null;
  let send = null;
  let size = null;
  let visit = null;
  let reads = null;
  let naming = null;
  const picked = { reader: 1, row: 0, piece: 0 }; // by the learner, as in createViews()

  const stage = createStage(root, {
    label: "Why K and V",
    heading: "Why a cache keeps K and V, and not Q",
    rail: "Stages",
    terms: () => scene.terms,
  });
  // Where the words stand below the picture, its title stands above it.
  const above = el("h2.pictured-title");
  const reading = readable(stage.picture, {
    tip: stage.tip,
    live: stage.live,
    describe: (cell, col) => describeCell(cell, col, { scene, visit, key: key() }),
  });
  const room = onRoom(root, stage.picture, (space) => {
    size = space;
    if (stepper) showPicture();
  });

  const keyAt = ({ stage: n }) => scene.stages[n - 1].key;
  const key = () => keyAt(stepper.place);
  const placeOf = (name) => ({ lap: 0, stage: scene.stages.findIndex((entry) => entry.key === name) + 1 });
  const focus = (selector) => /** @type {HTMLElement} */ (stage.picture.querySelector(selector))?.focus();

  // ---- the picture -----------------------------------------------------------------------------------

  /** The room for the columns of a visit. */
  function columnRoom() {
    if (size?.presenting) {
      const em = parseFloat(getComputedStyle(stage.picture).fontSize);
      return { width: stage.picture.clientWidth - 5.2 * em, least: 3.05 * em };
    }
    const least = size?.phone ? LEAST_COLUMN.phone : size?.wide ? LEAST_COLUMN.wide : LEAST_COLUMN.narrow;
    const gutter = size && size.width >= NARROW ? GUTTER : 0;
    return { width: stage.picture.clientWidth - gutter, least };
  }

  /** The readers, one after the other: those who have been are gone, with their questions. */
  function queue() {
    const words = scene.words.picture;
    const now = key() === "next" ? picked.reader : 0;
    const chips = scene.library.readers.map((reader, i) => {
      const state = i < now ? "gone" : i === now ? "now" : "later";
      const token = i > now ? "…" : reader.values.token;
      const name = `${i + 1}: ${token}${i < now ? `, ${words.gone}` : ""}`;
      const chip = el(
        `button.reader.${state}`,
        { type: "button", "aria-pressed": String(i === now), "aria-label": name },
        el("span", {}, token),
        i < now ? el("small", {}, words.gone) : null,
      );
      chip.onclick = () => visitBy(i);
      return chip;
    });
    const name = el("span.quiet", { "aria-hidden": "true" }, words.queue);
    const group = { role: "group", "aria-label": words.readers, "data-tells": true };
    return el("div.queue", group, name, ...chips);
  }

  function visitBy(i) {
    if (i === 0) return stepper.go(placeOf("visit"));
    picked.reader = i;
    if (key() !== "next") return stepper.go(placeOf("next"));
    showStage();
    visit.play();
    stage.live.textContent = views.said("next");
    stepper.write();
    focus(".reader.now");
  }

  function holds() {
    const words = scene.words.holds;
    if (!scene.holds) return [el("p.quiet", {}, words.none)];
    const { rows, labels, position, values } = scene.holds;
    const pick = (changed) => send("view", { changed });
    const title = fill(words.heading, values);
    const grid = layersOf(rows, labels, words, { title, note: words.pick, picked: position, pick });
    return [grid, heldLegend(words)];
  }

  function unmasked() {
    const words = scene.words.holds;
    const { labels, values, ...rows } = scene.unmasked;
    const grids = ["masked", "unmasked"].map((name) =>
      layersOf(rows[name], labels, words, { title: `${words[name]}: ${fill(words.added, values)}` }),
    );
    return [...grids, heldLegend(words)];
  }

  const PICTURES = {
    visit: () => [queue(), visit.node],
    next: () => [queue(), visit.node],
    roles: () => [reads.node],
    everything: () => [keptOf(scene)],
    holds,
    unmasked,
    name: () => (views.pieceNow() ? [naming.node, visit.node] : [naming.node]),
  };

  function showPicture() {
    const { picture } = stage;
    reading.hide();
    const heights = fit();
    const now = views.visitOf(key());
    if (now) visit.show(now, { ...columnRoom(), ...heights });
    above.textContent = views.stageOf(key()).title;
    const picking = picture.querySelector(".pick-token:focus");
    swap(picture, [above, ...(PICTURES[key()]?.() ?? [textsOf(scene, key()), visit.node])]);
    if (picking) focus(".pick-token[aria-pressed=true]");
    if (key() === "roles") {
      const { labels } = scene.library;
      reads.show(scene.roles, labels.slice(0, scene.roles.values.length), picked.row);
    }
    if (key() === "name") naming.show(scene.spelling, scene.name, picked.piece);
    tabStop(picture);
  }

  /** Put these nodes in, without taking out those that stay: who has the focus keeps it. */
  function swap(parent, nodes) {
    for (const node of Array.from(parent.childNodes)) if (!nodes.includes(node)) node.remove();
    nodes.forEach((node, i) => {
      if (parent.childNodes[i] !== node) parent.insertBefore(node, parent.childNodes[i] ?? null);
    });
  }

  /** Words and numbers grow with the room; the lines and the books get what the rest leaves, in pixels. */
  function fit() {
    if (!size) return { book: 110, fan: 70 };
    const { width, height, wide, phone } = size;
    const zoom = phone ? 1 : Math.max(1, Math.min(1.5, width / 1400, height / 640));
    root.style.setProperty("font-size", `${(15 * zoom).toFixed(2)}px`);
    const more = key() === "name" || isExperiment(key()); // what stands above the visit
    if (size.presenting) {
      const rest = more ? height * 0.2 : height * 0.31; // beside the texts, which have their size
      return { book: Math.round(rest * 0.5), fan: Math.round(rest * 0.3) };
    }
    const free = height - (more ? 130 : 60) - (wide ? 0 : 40);
    const part = (share, least, most) => Math.round(Math.max(least, Math.min(most, free * share)));
    return { book: part(0.2, 72, 150), fan: part(0.16, 38, 130) };
  }

  // ---- the stepper -----------------------------------------------------------------------------------

  function showStage() {
    showPicture();
    showText(stage.text, scene, views, key());
    tell(stage.told, scene, views, key(), map);
  }

  function createSteps() {
    stepper = createStepper(
      { ...stage, root },
      {
        stages: scene.stages.map(({ key: name, rail, title, group }) => ({
          name: rail,
          title,
          group,
          predict: isExperiment(name) || name === "everything",
          show: showStage,
          enter: () => stage.picture.contains(visit.node) && visit.play(),
          leave: () => visit.still(),
        })),
        param: "stage",
        name: () => scene.key,
        also: () => ({
          reader: picked.reader > 1 ? String(picked.reader) : null,
          row: picked.row === defaultRow() ? null : String(picked.row),
          piece: picked.piece === defaultPiece() ? null : String(picked.piece + 1),
        }),
        question(place) {
          const { asked } = views.dataOf(keyAt(place));
          return asked ? questionOf(scene.questions, views.valuesOf(keyAt(place)), asked) : null;
        },
        present(place) {
          const at = keyAt(place);
          const told = views.stageOf(at);
          const shown = views.sentences(at)[0] === told.focus; // else it says why there is nothing
          return shown ? presented(told, views.valuesOf(at)) : null;
        },
        said: (place) => views.said(keyAt(place)),
        ending: () => scene.words.ending,
      },
    );
  }

  // ---- what the learner has picked -------------------------------------------------------------------

  const defaultRow = () => Math.max(0, Math.min(3, scene.library.first));

  /** The piece that loses most without its row. */
  function defaultPiece() {
    const lost = (scene.spelling.pieces ?? []).map(({ probability, without }) => probability - without);
    return Math.max(0, lost.indexOf(Math.max(...lost)));
  }

  /** As the address says, where that fits. */
  function takePicked() {
    const within = (name, low, high, otherwise) => {
      const x = inAddress(name) === null ? NaN : Number(inAddress(name));
      return Number.isInteger(x) && x >= low && x <= high ? x : otherwise;
    };
    const pieces = scene.spelling.pieces?.length ?? 0;
    picked.reader = within("reader", 1, scene.library.readers.length - 1, 1);
    picked.row = within("row", 0, scene.roles.values.length - 1, defaultRow());
    picked.piece = within("piece", 1, pieces, defaultPiece() + 1) - 1;
  }

  function create() {
    visit = createVisit(scene.words.picture);
    reads = createReads(scene.words.roles, (row) => {
      picked.row = row;
      showStage();
      stepper.write();
    });
    naming = createNaming(scene.words.name, {
      name: (text) => send("view", { name: text }),
      piece(i) {
        picked.piece = i;
        showStage();
        visit.play();
        stepper.write();
        focus(".piece[aria-pressed=true]");
      },
    });
  }

  // ---- Python's side ---------------------------------------------------------------------------------

  function update(data, kit) {
    const before = scene;
    send = kit.send;
    scene = data;
    views = createViews(scene, picked);
    const moved = before?.revision !== data.revision;
    const sameText = before?.key === data.key;
    if (!visit) create();
    if (!sameText || kit.themed) visit.clear();
    if (!map || before.n_heads !== data.n_heads || before.n_layers !== data.n_layers)
      map = createMap(data, (layer, head) => send("view", { layer, head }));
    if (moved || !sameText) takePicked();
    else if (before.name !== data.name) picked.piece = defaultPiece();
    if (!stepper) createSteps();
    room.measure();
    stepper.show(moved ? data.at : stepper.place);
    if (!before && stage.picture.contains(visit.node)) visit.play();
    stepper.write();
    // What the learner has changed on this page is heard, too.
    if (before && kit.fresh && !moved && root.dataset.asking === undefined)
      stage.live.textContent = views.said(key());
  }

  return {
    update,
    destroy() {
      stepper?.destroy();
      room.destroy();
    },
  };
}
