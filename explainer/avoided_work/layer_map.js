// The layer at a glance, for the reductions: of every operation, what is computed again, kept, read or not stored.

import { el } from "../web/dom.js";
import { fill } from "../web/words.js";
import { paint } from "./paint.js";

const KEPT = new Set(["k", "v"]);

/** What becomes of the earlier rows of an operation, by mode. */
const FATE = {
  again: () => "again",
  all: () => "kept",
  read: (key, read) => (read.includes(key) ? "kept" : "unread"),
  kv: (key) => (KEPT.has(key) ? "kept" : "gone"),
};
const SAID = { again: "computed again", unread: "not read", gone: "never stored" };
const said = (fate, mode) => SAID[fate] ?? (mode === "read" ? "read" : "stored");

/**
 * @param {{scene: any, cells: any}} drawn
 * @param {"again" | "all" | "read" | "kv"} mode
 */
export function layerMap({ scene, cells }, mode) {
  const figures = scene.ops
    .filter(({ key }) => key !== "readout")
    .map(({ key, rail }) => {
      const fate = FATE[mode](key, scene.read);
      return el(
        "figure",
        { "data-key": key, "data-fate": fate },
        el("figcaption", {}, el("b", {}, rail), el("small", {}, said(fate, mode))),
        el(`div.shot.${fate}`, {}, paint(cells.parts(key))),
      );
    });
  const box = el(
    "div.layer-map",
    { role: "group", "aria-label": `The operations of the layer: ${mode}` },
    ...figures,
  );
  box.style.setProperty("--old", String(scene.t / (scene.t + 1)));
  return box;
}

const track = (...bars) =>
  el(
    "div.track",
    {},
    ...bars.map(([kind, share]) =>
      el(`i.${kind}`, { style: `width:${Math.max(100 * share, share ? 0.7 : 0)}%` }),
    ),
  );

/** The work of a way: what has to be done, and, where all comes out as before, what is done again. */
export function work(scene, way) {
  const [naive, , cached] = scene.ways;
  const whole = way.multiplications / naive.multiplications;
  const need = scene.found.holds ? cached.multiplications / naive.multiplications : whole;
  return track(["need", need], ...(whole > need ? [["again", whole - need]] : []));
}

/** What a way keeps of the step before. */
export const kept = (scene, way) => track(["kept", way.floats / scene.ways[1].floats]);

/** The three ways to get the next token, as they were run. */
export function sideBySide(drawn) {
  const { scene } = drawn;
  const words = scene.words.ways;
  const sections = scene.ways.map((way) =>
    el(
      "section",
      { "data-way": way.key },
      el("h3", {}, way.title),
      layerMap(drawn, way.mode),
      el("p", {}, fill(words.computes, way.values)),
      work(scene, way),
      el("p", {}, fill(words.keeps, way.values)),
      kept(scene, way),
      el(
        "p.result",
        { "data-holds": String(way.holds) },
        way.holds ? "✓ " : "✗ ",
        fill(words.token, way.values),
      ),
      el("p.quiet", {}, fill(way.key === "naive" ? words.naive_note : words.note, way.values)),
    ),
  );
  return el("div.ways", {}, ...sections);
}
