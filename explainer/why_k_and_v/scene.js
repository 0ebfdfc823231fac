// Why K and V, and not Q: a visit to a library, the cache used wrongly, and what a key holds.

import { arithmetic } from "../web/arithmetic.js";
import { operands } from "../web/arrays.js";
import { questionOf } from "../web/asking.js";
import { el, num, tiny } from "../web/dom.js";
import { createMap } from "../web/map.js";
import { inAddress } from "../web/address.js";
import { readable, tabStop } from "../web/reading.js";
import { createStage, onRoom } from "../web/stage.js";
import { createStepper } from "../web/stepper.js";
import { fill, say } from "../web/words.js";
import { keptOf, outcomeOf } from "./experiment.js";
import { heldLegend, layersOf, tellHeld } from "./layers.js";
import { chance, createNaming } from "./naming.js";
import { createReads } from "./reads.js";
import { createVisit } from "./visit.js";

const LEAST_COLUMN = { wide: 30, narrow: 22, phone: 17 }; // pixels
/** What is not what belongs there, by experiment and part. */
const STATES = {
  old_query: { q: "wrong" },
  no_keys: { k: "lost" },
  no_values: { v: "lost" },
  swapped: { k: "wrong", v: "wrong" },
  unturned: { k: "wrong" },
};

/** Vectors come as matrices of one row. */
const flat = (entry) =>
  Object.fromEntries(Object.entries(entry).map(([name, x]) => [name, x?.shape?.length === 1 ? x.data : x]));

export default function whyKAndV(root) {
  let scene = null; // what Python sent
  let stepper = null;
  let map = null;
  let send = null;
  let size = null;
  let reader = 1; // of the stage "next": those before it have been
  let row = 0; // the token whose reads are told
  let piece = 0; // of the name
  let visit = null;
  let reads = null;
  let naming = null;

  const stage = createStage(root, {
    label: "Why K and V",
    heading: "Why a cache keeps K and V, and not Q",
    rail: "Stages",
    terms: () => scene.terms,
  });
  // Where the words stand below the picture, its title stands above it.
  const above = el("p.pictured-title", { "aria-hidden": "true" });
  const reading = readable(stage.picture, { tip: stage.tip, live: stage.live, describe });
  const room = onRoom(root, stage.picture, (space) => {
    size = space;
    if (stepper) showPicture(keyAt(stepper.place));
  });

  const keyAt = ({ stage: n }) => scene.stages[n - 1].key;
  const library = () => scene.library;
  const readerAt = (key) => library().readers[key === "next" ? reader : 0];
  const isExperiment = (key) => key in STATES;

  // ---- what a stage says ------------------------------------------------------------------------------

  function valuesOf(key) {
    const spelled = scene.spelling.pieces?.[piece]?.values ?? {
      message: scene.spelling.error ?? "",
      name: scene.name,
    };
    return (
      {
        visit: () => readerAt(key).values,
        next: () => readerAt(key).values,
        roles: () => scene.roles.values[row],
        everything: () => ({ ...library().readers[0].values, ...scene.everything.values }),
        holds: () => scene.holds?.values ?? null,
        unmasked: () => scene.unmasked.values,
        name: () => spelled,
      }[key]?.() ??
      scene.experiments[key]?.values ??
      {}
    );
  }

  function askedAt(key) {
    return (
      {
        visit: () => readerAt(key).asked,
        next: () => readerAt(key).asked,
        roles: () => scene.roles.asked[row],
        everything: () => scene.everything.asked,
        holds: () => scene.holds?.asked,
        unmasked: () => scene.unmasked.asked,
        name: () => scene.spelling.pieces?.[piece].asked,
      }[key]?.() ??
      scene.experiments[key]?.asked ??
      null
    );
  }

  /** The sentences of a stage; where there is nothing to tell of, why not. */
  function sentences(key) {
    const told = scene.stages.find((entry) => entry.key === key);
    if (key === "name" && scene.spelling.error) return [told.error];
    if (key === "holds" && !scene.holds) return [scene.words.holds.none];
    return [told.focus, told.why];
  }

  function tell(key) {
    const told = scene.stages.find((entry) => entry.key === key);
    const values = valuesOf(key);
    const [focus, why] = sentences(key);
    if (!stage.told.firstElementChild)
      stage.told.append(...["words", "work", "where"].map((name) => el(`section.${name}`)));
    const [words, work, where] = stage.told.children;
    words.replaceChildren(
      el("p.over", {}, `Stage ${stepper.place.stage} of ${scene.stages.length}`),
      el("h2", {}, told.title),
      el("p.focus", {}, ...say(focus, values)),
      why ? el("p.why", {}, ...say(why, values)) : "",
    );
    work.replaceChildren(...(isExperiment(key) ? [outcomeOf(scene, key)] : []));
    const mapped = ["visit", "next", "name"].includes(key) && !(key === "name" && scene.spelling.error);
    where.replaceChildren(...(mapped ? [map.node] : []));
    if (mapped) showMap(key);
  }

  function showText(key) {
    const { texts, readers } = library();
    const now = readerAt(key === "next" ? "next" : "visit");
    const n = now.position;
    if (key === "name" && scene.spelling.pieces) {
      const story = scene.spelling.texts;
      const { position } = scene.spelling.pieces[piece];
      const asking = el("b.fresh-word", {}, story[position]);
      stage.text.replaceChildren(
        el("span.so-far", {}, el("span", {}, story.slice(0, position).join(""), asking)),
      );
      return;
    }
    const before = texts.slice(0, n).join("");
    const soFar = el(
      "span.so-far",
      {},
      el("span", {}, before, el("b.fresh-word", {}, texts[n] || (n === 0 ? "(start)" : ""))),
    );
    setTimeout(() => soFar.classList.toggle("cut", soFar.firstChild.offsetWidth > soFar.offsetWidth), 50);
    const [[text, p]] = readers[readers.indexOf(now)].top;
    const next = el(
      "span.next",
      { "data-tells": true },
      el("span.quiet", {}, "→ "),
      el("b", {}, text),
      el("small", {}, ` ${chance(p)}`),
    );
    stage.text.replaceChildren(soFar, " ", next);
  }

  function showMap(key) {
    const { layer, head, labels } = key === "name" ? scene.spelling : library();
    if (key === "name") {
      const score = (l, h) => scene.spelling.scores.data[l * scene.n_heads + h] / 255;
      const position = scene.spelling.pieces[piece].position;
      map.show({
        layer,
        head,
        shade: score,
        said: (l, h) => `${num(score(l, h), 2)} on what came next`,
        note: scene.words.name.map,
        stored: position,
        fresh: true,
      });
      return;
    }
    const { looks, looks_at, position, values } = readerAt(key);
    const at = (l, h) => l * scene.n_heads + h;
    map.show({
      layer,
      head,
      shade: (l, h) => looks.data[at(l, h)] / 255,
      said: (l, h) => `${num(looks.data[at(l, h)] / 255, 2)} on “${labels[looks_at.data[at(l, h)]]}”`,
      note: fill(scene.words.map, values),
      stored: position + 1,
      fresh: true,
    });
  }

  // ---- the picture -----------------------------------------------------------------------------------

  /** The room for the columns of a visit. */
  function columnRoom() {
    const least = size?.phone ? LEAST_COLUMN.phone : size?.wide ? LEAST_COLUMN.wide : LEAST_COLUMN.narrow;
    const gutter = size && size.width >= 860 ? 130 : 0;
    return { width: stage.picture.clientWidth - gutter, least };
  }

  const next = (words) => [el("span.quiet", {}, `${scene.words.picture.next} `), ...words];
  const likely = (text, p) =>
    el("span", { "data-tells": true }, el("b.next-word", {}, text), el("small", {}, ` ${chance(p)}`));

  /** The attention of a stage as a visit. */
  function visitOf(key) {
    const { labels, k, v } = library();
    if (isExperiment(key)) {
      const { look, words } = scene.experiments[key];
      const { position } = library().readers[0];
      const [text, right, p] = words[0];
      const word = el(`b.next-word${right ? "" : ".other-word"}`, {}, text.trim() || "␣");
      const shown = el("span", { "data-tells": true }, word, el("small", {}, ` ${chance(p)}`));
      return { ...flat(look), labels, position, states: STATES[key], next: next([shown]) };
    }
    if (key === "name") {
      const { pieces, labels: theirs, k: keys, v: values } = scene.spelling;
      const at = pieces[piece];
      const found = [likely(at.best, Math.max(at.probability, 0))];
      return {
        ...flat(at),
        labels: theirs,
        k: keys,
        v: values,
        best: at.target,
        next: at.best === at.next ? next(found) : next([el("b.next-word", {}, at.best)]),
      };
    }
    const now = readerAt(key);
    return { ...flat(now), labels, k, v, next: next(now.top.map(([text, p]) => likely(text, p))) };
  }

  /** The readers, one after the other: those who have been are gone, with their questions. */
  function queue(key) {
    const words = scene.words.picture;
    const at = key === "next" ? reader : 0;
    const chips = library().readers.map((now, i) => {
      const state = i < at ? "gone" : i === at ? "now" : "later";
      const token = i > at ? "…" : now.values.token;
      const chip = el(
        `button.reader.${state}`,
        {
          type: "button",
          "aria-pressed": String(i === at),
          "aria-label": `${i + 1}: ${token}${i < at ? `, ${words.gone}` : ""}`,
        },
        el("span", {}, token),
        i < at ? el("small", {}, words.gone) : null,
      );
      chip.onclick = () => visitBy(i);
      return chip;
    });
    const name = el("span.quiet", { "aria-hidden": "true" }, words.queue);
    return el(
      "div.queue",
      { role: "group", "aria-label": words.readers, "data-tells": true },
      name,
      ...chips,
    );
  }

  function visitBy(i) {
    if (i === 0) return stepper.go({ lap: 0, stage: 1 });
    reader = i;
    if (keyAt(stepper.place) !== "next") return stepper.go({ lap: 0, stage: 2 });
    showStage();
    visit.play();
    stage.live.textContent = saidOf("next");
    stepper.write();
    /** @type {HTMLElement} */ (stage.picture.querySelector(`.reader:nth-child(${i + 2})`))?.focus();
  }

  function showPicture(key) {
    reading.hide();
    const { picture } = stage;
    fit(key);
    const visited = key === "visit" || key === "next" || isExperiment(key) || key === "name";
    if (visited && !(key === "name" && scene.spelling.error)) visit.show(visitOf(key), columnRoom());
    picture.dataset.key = key;
    const show = {
      visit: () => [queue(key), visit.node],
      next: () => [queue(key), visit.node],
      roles: () => [reads.node],
      everything: () => [keptOf(scene)],
      holds: () => pictureOfHolds(),
      unmasked: () => pictureOfUnmasked(),
      name: () => (scene.spelling.error ? [naming.node] : [naming.node, visit.node]),
    }[key];
    above.textContent = scene.stages[stepper.place.stage - 1].title;
    const nodes = [above, ...(show ? show() : [visit.node])];
    if (nodes.length !== picture.childNodes.length || nodes.some((node, i) => node !== picture.childNodes[i]))
      swap(picture, nodes);
    if (key === "roles") reads.show(scene.roles, library().labels.slice(0, scene.roles.values.length), row);
    if (key === "name") naming.show(scene.spelling, scene.name, piece);
    tabStop(picture);
  }

  /** Put these nodes in, without taking out those that stay: who has the focus keeps it. */
  function swap(parent, nodes) {
    for (const node of Array.from(parent.childNodes)) if (!nodes.includes(node)) node.remove();
    nodes.forEach((node, i) => {
      if (parent.childNodes[i] !== node) parent.insertBefore(node, parent.childNodes[i] ?? null);
    });
  }

  function pictureOfHolds() {
    const words = scene.words.holds;
    if (!scene.holds) return [el("p.quiet", {}, words.none)];
    const { rows, labels, position, values } = scene.holds;
    const title = fill(words.heading, values);
    const pick = (changed) => send("view", { changed });
    const grid = layersOf(rows, labels, words, { title, note: words.pick, picked: position, pick });
    return [grid, heldLegend(words)];
  }

  function pictureOfUnmasked() {
    const words = scene.words.holds;
    const { masked, unmasked, labels, values } = scene.unmasked;
    const added = fill(words.added, values);
    return [
      layersOf(masked, labels, words, { title: `${words.masked}: ${added}` }),
      layersOf(unmasked, labels, words, { title: `${words.unmasked}: ${added}` }),
      heldLegend(words),
    ];
  }

  function fit(key) {
    if (!size) return;
    const { width, height, wide, phone } = size;
    const zoom = phone ? 1 : Math.max(1, Math.min(1.5, width / 1400, height / 640));
    root.style.setProperty("font-size", `${(15 * zoom).toFixed(2)}px`);
    // The lines get what the rest leaves.
    const free = height - (key === "name" ? 120 : 60) - (wide ? 0 : 40);
    const picture = stage.picture.style;
    picture.setProperty("--book", `${Math.round(Math.max(72, Math.min(150, free * 0.2)))}px`);
    picture.setProperty("--fan", `${Math.round(Math.max(38, Math.min(130, free * 0.16)))}px`);
  }

  // ---- what a cell tells -----------------------------------------------------------------------------

  function describe(cell, col) {
    if (cell.told) return tellHeld(cell, scene.words.holds);
    const found = visit.cellOf(cell, col);
    const key = keyAt(stepper.place);
    if (!found || cell.closest("[inert]")) return null;
    const { part, row: at, column } = found;
    const now = visit.shown;
    const words = scene.words.cell;
    const values = { token: now.labels[at], asker: now.labels[now.position], entry: String(col) };
    if (part === "weight" && column.folded) {
      let sum = 0;
      for (let i = column.from; i <= column.to; i++) sum += now.weight[i];
      const count = String(column.to - column.from + 1);
      return { title: fill(words.folded, { count }), value: num(sum, 4), lines: [] };
    }
    const value =
      part === "weight"
        ? now.weight[at]
        : part === "k" || part === "v"
          ? now[part].row(at)[col]
          : now[part][col];
    const shown =
      part === "weight" && value && value < 1e-4 ? tiny(value) : num(value, part === "weight" ? 4 : 3);
    // The arithmetic of the readers' numbers; what an experiment changed did not come about like that.
    const told = key === "visit" || key === "next";
    return {
      title: fill(words[part], values),
      value: shown,
      lines: told ? explained(part, now, at, col) : [],
    };
  }

  async function explained(part, now, at, col) {
    const given = "qkv".includes(part) ? await operands(scene.operands) : {};
    const recipe = scene.arithmetic[part];
    return arithmetic({ recipe, get: getter(given, now), row: at, col, position: now.position });
  }

  const getter = (given, now) => (name, at) => {
    if (name === "k" || name === "v") return now[name].row(at);
    if (name in now) return now[name];
    if (!name.startsWith("w")) return given[name].row(at);
    const { head, kv_head } = library();
    const first = (name === "wq" ? head : kv_head) * scene.head_dim;
    return { rows: scene.head_dim, row: (i) => given[name].row(first + i) };
  };

  // ---- the stepper -----------------------------------------------------------------------------------

  function saidOf(key) {
    const told = scene.stages.find((entry) => entry.key === key);
    const values = valuesOf(key);
    const verdict = isExperiment(key) ? ` ${scene.experiments[key].verdict}` : "";
    return `${told.title}. ${sentences(key)
      .filter(Boolean)
      .map((text) => fill(text, values))
      .join(" ")}${verdict}`;
  }

  function showStage() {
    const key = keyAt(stepper.place);
    showPicture(key);
    showText(key);
    tell(key);
  }

  function createSteps() {
    const enter = () => {
      if (stage.picture.contains(visit.node)) visit.play();
    };
    stepper = createStepper(
      { ...stage, root },
      {
        stages: scene.stages.map(({ key, rail, title, group }) => ({
          name: rail,
          title,
          group,
          predict: isExperiment(key) || key === "everything",
          show: showStage,
          enter,
          leave: () => visit.still(),
        })),
        param: "stage",
        name: () => scene.key,
        also: () => ({
          reader: reader > 1 ? String(reader) : null,
          row: row === defaultRow() ? null : String(row),
          piece: piece === defaultPiece() ? null : String(piece + 1),
        }),
        question: ({ stage: n }) => {
          const key = scene.stages[n - 1].key;
          const asked = askedAt(key);
          return asked && questionOf(scene.questions, valuesOf(key), asked);
        },
        said: (place) => saidOf(keyAt(place)),
        ending: () => scene.words.ending,
      },
    );
  }

  // ---- Python's side ---------------------------------------------------------------------------------

  const defaultRow = () => Math.max(0, Math.min(3, library().first));
  /** The piece that loses most without its row. */
  const defaultPiece = () => {
    const lost = (scene.spelling.pieces ?? []).map(({ probability, without }) => probability - without);
    return Math.max(0, lost.indexOf(Math.max(...lost)));
  };

  const number = (name) => (inAddress(name) === null ? null : Number(inAddress(name)));
  const within = (x, low, high, otherwise) => (Number.isInteger(x) && x >= low && x <= high ? x : otherwise);

  function takePlace() {
    reader = within(number("reader"), 1, library().readers.length - 1, 1);
    row = within(number("row"), 0, scene.roles.values.length - 1, defaultRow());
    piece = within((number("piece") ?? 0) - 1, 0, (scene.spelling.pieces?.length ?? 1) - 1, defaultPiece());
  }

  function create() {
    visit = createVisit(scene.words.picture);
    reads = createReads(scene.words.roles, (picked) => {
      row = picked;
      showStage();
      stepper.write();
    });
    naming = createNaming(scene.words.name, {
      name: (text) => send("view", { name: text }),
      piece(i) {
        piece = i;
        showStage();
        if (stage.picture.contains(visit.node)) visit.play();
        stepper.write();
        /** @type {HTMLElement} */ (stage.picture.querySelector(`.piece:nth-child(${i + 1})`))?.focus();
      },
    });
  }

  function update(data, kit) {
    const before = scene;
    send = kit.send;
    scene = data;
    const moved = before?.revision !== data.revision;
    const sameText = before?.key === data.key;
    if (!visit) create();
    if (!sameText || kit.themed) visit.clear();
    if (!map || before.n_heads !== data.n_heads || before.n_layers !== data.n_layers)
      map = createMap(data, (layer, head) => send("view", { layer, head }));
    if (moved || !sameText) takePlace();
    else if (before.name !== data.name) piece = defaultPiece();
    if (!stepper) createSteps();
    room.measure();
    if (!stepper.arrived()) stepper.show(moved ? data.at : stepper.place);
    if (!before && ["visit", "next"].includes(keyAt(stepper.place))) visit.play();
    stepper.write();
  }

  return {
    update,
    destroy() {
      stepper?.destroy();
      room.destroy();
    },
  };
}
