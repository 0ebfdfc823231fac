// What an experiment came to: two texts, word above word, and its numbers. And all that could be kept.

import { el, num } from "../web/dom.js";
import { fill } from "../web/words.js";

const shown = (words) => words.replaceAll("\n", "⏎ ");

/** The beginning of a text, cut where it is long. */
const short = (texts) => {
  const all = texts.map(shown).join("");
  return all.length > 26 ? `…${all.slice(-26).replace(/^\S* /, "")}` : all;
};

/**
 * The text as it should be, and what it becomes: each word below the one whose place it takes. Where there is little
 * room a text stands in lines, and the other below it.
 * @param {any} scene
 * @param {string} how
 */
export function textsOf(scene, how) {
  const words = scene.words.result;
  const given = short(scene.library.texts.slice(0, scene.library.first + 1));
  const found = scene.experiments[how].words;
  const first = found.findIndex(([, right]) => !right);
  const cell = ([word, right], i, shows) => {
    const space = word.trim() ? word.match(/^ */)[0] : "";
    const rest = shown(word.slice(space.length));
    const mark = shows && i === first ? el("small", {}, words.first) : null;
    return el(
      `td${i === first ? ".first-other" : ""}`,
      {},
      mark,
      space,
      el(right ? "span.right-word" : "span.other-word", {}, rest.trim() ? rest : "␣"),
    );
  };
  const line = (kind, list) =>
    el(
      `tr.${kind}`,
      {},
      el("th", { scope: "row" }, words[kind]),
      el("td.given.quiet", {}, given),
      ...list.map((word, i) => cell(word, i, kind === "should")),
    );
  return el(
    "table.texts",
    { "data-tells": true },
    el("caption.sr", {}, words.texts),
    el("tbody", {}, line("should", scene.experiments.right.words), line("got", found)),
  );
}

/**
 * @param {any} scene
 * @param {string} how
 */
export function outcomeOf(scene, how) {
  const found = scene.experiments[how];
  const { right } = scene.experiments;
  const words = scene.words.result;
  const fact = (name, value, should) =>
    el(
      "div",
      {},
      el("dt", {}, name),
      el("dd", {}, el("b", {}, value), should ? el("span.quiet", {}, ` ${words.of} ${should}`) : null),
    );
  return el(
    "div.outcomes",
    { "data-tells": true },
    el("p.verdict", { "data-kind": found.kind }, found.verdict),
    el(
      "dl.facts",
      {},
      fact(words.words, found.values.same, found.values.words),
      fact(words.difference, found.values.difference),
      fact(words.kept, found.values.kept, right.values.kept),
      fact(words.work, found.values.work, right.values.work),
    ),
  );
}

/** 2.1 MB, 57.3 kB; decimal units, as kit/units.py */
const size = (bytes) =>
  bytes >= 1e6 ? `${Number((bytes / 1e6).toPrecision(3))} MB` : `${Number((bytes / 1e3).toPrecision(3))} kB`;

/** Everything that could be kept of the earlier tokens, as bars, and what of it is read. */
export function keptOf(scene) {
  const { boxes, values } = scene.everything;
  const words = scene.words.box;
  const most = Math.max(...boxes.map(({ bytes }) => bytes));
  const rows = boxes.map(({ key, name, bytes, read }) =>
    el(
      `tr.kept-box${read ? ".is-read" : ""}`,
      { "data-ref": `box_${key}${key === "v" ? " box_k" : ""}` },
      el("th", { scope: "row" }, name, el("span.quiet", {}, ` ${words[`${key}_is`]}`)),
      el(
        "td",
        {},
        el(
          "div.kept-size",
          {},
          el("i", { style: `width:${num((100 * bytes) / most, 1)}%`, "aria-hidden": "true" }),
          el("span", {}, size(bytes)),
        ),
      ),
      el("td.kept-read", {}, read ? `✓ ${words.read}` : words.never),
    ),
  );
  const heading = fill(words.heading, {
    earlier: values.earlier,
    token: scene.library.readers[0].values.token,
  });
  return el(
    "div.everything",
    { "data-tells": true },
    el("table", {}, el("caption", {}, heading), el("tbody", {}, ...rows)),
  );
}
