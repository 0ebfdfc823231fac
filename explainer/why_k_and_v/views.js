// What a stage has of the data: the values of its sentences, its question, and its attention as a visit.

import { el } from "../web/dom.js";
import { fill } from "../web/words.js";
import { chance } from "./naming.js";

/** What is not what belongs there, by experiment and part of the picture. */
const STATES = {
  old_query: { q: "wrong" },
  no_keys: { k: "lost" },
  no_values: { v: "lost" },
  swapped: { k: "wrong", v: "wrong" },
  unturned: { k: "wrong" },
};

export const isExperiment = (key) => key in STATES;

/** Vectors come as matrices of one row. */
const flat = (entry) =>
  Object.fromEntries(Object.entries(entry).map(([name, x]) => [name, x?.shape?.length === 1 ? x.data : x]));

/**
 * @param {any} scene
 * @param {{reader: number, row: number, piece: number}} at what the learner has picked: of the stage "next" the
 *   reader, of "roles" the token, of "name" the piece
 */
export function createViews(scene, at) {
  const readerAt = (key) => scene.library.readers[key === "next" ? at.reader : 0];
  const pieceNow = () => scene.spelling.pieces?.[at.piece] ?? null;
  const stageOf = (key) => scene.stages.find((stage) => stage.key === key);

  /** Where the numbers of a stage stand, with its `values` and what is `asked` before it. */
  function dataOf(key) {
    if (key === "visit" || key === "next") return readerAt(key);
    if (key === "roles") return { values: scene.roles.values[at.row], asked: scene.roles.asked[at.row] };
    if (key === "name") return pieceNow() ?? { values: { message: scene.spelling.error } };
    if (key === "everything") {
      const { values, asked } = scene.everything;
      return { values: { ...scene.library.readers[0].values, ...values }, asked };
    }
    return scene[key] ?? scene.experiments[key] ?? {};
  }

  const valuesOf = (key) => dataOf(key).values ?? {};

  /** The sentences of a stage; where there is nothing to tell of, why not. */
  function sentences(key) {
    const told = stageOf(key);
    if (key === "name" && !pieceNow()) return [told.error];
    if (key === "holds" && !scene.holds) return [scene.words.holds.none];
    return [told.focus, told.why];
  }

  /** All that is said of a stage, as plain text. */
  function said(key) {
    const texts = sentences(key).map((text) => fill(text, valuesOf(key)));
    const verdict = isExperiment(key) ? scene.experiments[key].verdict : "";
    return [`${stageOf(key).title}.`, ...texts, verdict].join(" ").trim();
  }

  /** The word that the model writes, with its probability where that is of this word. */
  function next(text, { p = null, right = true } = {}) {
    const word = el(`b.next-word${right ? "" : ".other-word"}`, {}, text.trim() || "␣");
    const likely = p === null ? null : el("small", {}, ` ${chance(p)}`);
    return [
      el("span.quiet", {}, `${scene.words.picture.next} `),
      el("span", { "data-tells": true }, word, likely),
    ];
  }

  /** The attention of a stage as a visit; null where it shows none. */
  function visitOf(key) {
    const { labels, k, v, readers } = scene.library;
    if (isExperiment(key)) {
      const { look, words } = scene.experiments[key];
      const [text, right, p] = words[0];
      const { position } = readers[0];
      return { ...flat(look), labels, position, states: STATES[key], next: next(text, { p, right }) };
    }
    if (key === "name") {
      const piece = pieceNow();
      if (!piece) return null;
      const { labels: theirs, k: keys, v: values } = scene.spelling;
      const p = piece.best === piece.next ? piece.probability : null;
      const drawn = { labels: theirs, k: keys, v: values, best: piece.target };
      return { ...flat(piece), ...drawn, next: next(piece.best, { p }) };
    }
    if (key !== "visit" && key !== "next") return null;
    const now = readerAt(key);
    const [[text, p]] = now.top;
    return { ...flat(now), labels, k, v, next: next(text, { p }) };
  }

  return { readerAt, pieceNow, stageOf, dataOf, valuesOf, sentences, said, visitOf };
}
