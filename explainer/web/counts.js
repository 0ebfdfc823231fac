// Work counted and results compared: the meter, and the proof.

import { el, tiny, whole } from "./dom.js";
import { say } from "./words.js";

/**
 * The same work counted twice, as bars: orange has to be done, blue hatch is done again although it was known.
 * @param {string} what
 * @param {[number, number]} counts with the cache, and without it
 */
export function meter(what, [cached, naive]) {
  const share = naive ? (100 * cached) / naive : 100;
  const need = () => el("i.need", { style: `width:${share}%` });
  return el(
    "div.meter",
    {},
    el("p.quiet", {}, what),
    el("p", {}, "with the cache ", el("b", {}, whole(cached))),
    el("div.track", {}, need()),
    el("p", {}, "without ", el("b", {}, whole(naive))),
    el("div.track", {}, need(), el("i.again", { style: `width:${100 - share}%` })),
  );
}

/** What stands in place of a proof that has not come yet: it ran later than its step, or never will. */
export function unproved(title, short, long, unchanged, open) {
  return el(
    "details.proof.waiting",
    { open },
    el("summary", {}, "… ", el("b", {}, title), ` · ${short}`),
    el("p.quiet", {}, long),
    el("p.quiet", {}, unchanged),
  );
}

/**
 * What the comparison with the pass without a cache found.
 * @param {{differences: Object<string, number>, numbers: string, same: boolean, equal: boolean}} found
 * @param {Object<string, string>} words
 */
export function proof({ differences, numbers, same, equal }, words, open) {
  const largest = Math.max(...Object.values(differences));
  const verdict = equal ? words.title : words.broken;
  return el(
    `details.proof${equal && same ? "" : ".broken"}`,
    { open },
    el(
      "summary",
      {},
      equal ? "✓ " : "✗ ",
      el("b", {}, verdict),
      ` · largest difference ${tiny(largest)} · ${same ? words.same_token : words.other_token}`,
    ),
    el(
      "dl",
      {},
      ...Object.entries(differences).map(([name, value]) =>
        el("div", {}, el("dt", {}, name), el("dd", {}, tiny(value))),
      ),
    ),
    el("p.quiet", {}, ...say(words.largest, { numbers })),
    el("p.quiet", {}, words.unchanged),
  );
}
