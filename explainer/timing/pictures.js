// A part of the page as large as the screen: what was measured, in letters that the last row can read.

import { el } from "../web/dom.js";
import { PATHS, createLane } from "./lane.js";
import { linesOf } from "./lines.js";
import { sum } from "./times.js";

const MATTERS = { "data-matters": "" };
const LABEL_EM = 7; // what stands under a square, at its widest

export function createPictures() {
  const lanes = PATHS.map(createLane);

  /** Both lanes as far as they are, each with all of its time on its clock. */
  function raceOf({ race }) {
    const times = PATHS.map((path) => sum(race.lanes[path].ms.data));
    const longest = Math.max(...times, 1e-9);
    PATHS.forEach((path, i) => lanes[i].draw(race, race.lanes[path].text.length, times[i], longest));
    return [el("div.lanes", {}, ...lanes.map(({ node }) => node))];
  }

  const PICTURES = {
    race: raceOf,
    sweep: ({ sweep }, space) => [linesOf(sweep, space)],
    scale: ({ counted, timed, title }, space, acts) => [
      el(
        "div.to-scale",
        {},
        squares(counted, space),
        timed ? squares(timed, space) : el("figure", {}, el("figcaption", MATTERS, title), acts),
      ),
    ],
    why: ({ why }) => [split(why)],
    precision: ({ precision }) => [table(precision)],
  };

  /**
   * @param {any} part as stepped.py has it
   * @param {HTMLElement} area to draw into
   * @param {HTMLElement} acts what starts a run, and how far it is
   */
  function draw(part, area, acts) {
    const box = el("div.part", {}, acts);
    area.replaceChildren(box);
    const em = parseFloat(getComputedStyle(box).fontSize);
    const below = acts.hidden ? 0 : acts.offsetHeight + em;
    const space = { width: area.clientWidth, height: area.clientHeight - below, em };
    const drawn = part.measured ? PICTURES[part.key](part, space, acts) : [];
    box.prepend(...drawn);
    box.classList.toggle("bare", !drawn.length);
    for (const words of area.querySelectorAll(".words")) words.scrollTop = words.scrollHeight;
  }

  return { draw };
}

/** Two squares whose areas are to scale; what of the first was known before is hatched. */
function squares({ title, of }, { width, height, em }) {
  const wide = width / 2 - 2 * em;
  const shares = of.map(({ share }) => share);
  const side = Math.min(height - 5.4 * em, wide - LABEL_EM * em, wide / sum(shares));
  const square = ({ kind, share, name, text }, inner) => {
    const px = (x) => `${(x * side).toFixed(1)}px`;
    const drawn = el("div.square", { style: `width:${px(share)};height:${px(share)}` }, inner);
    drawn.classList.add(kind);
    return el("div.of", {}, drawn, el("p", MATTERS, name, el("br"), el("b", {}, text)));
  };
  const [naive, cached] = of;
  // Of the rows of the naive path those that have to be computed are as many as the other computes.
  const need =
    naive.kind === "again"
      ? el("i.need", { style: `width:${100 * cached.share}%;height:${100 * cached.share}%` })
      : null;
  return el(
    "figure",
    {},
    el("figcaption", MATTERS, title),
    el("div.pair", {}, square(naive, need), square(cached, null)),
  );
}

/** Where the time of a step of each path goes: as bars, and in milliseconds. */
function split({ names, paths }) {
  const bars = paths.map(({ title, total, parts }) =>
    el(
      "div.of-step",
      {},
      el("p", MATTERS, title, ": ", el("b", {}, total)),
      el(
        "div.split",
        { "aria-hidden": "true" },
        ...parts.map(({ share }, i) => el(`i.term${i}`, { style: `flex-grow:${share}` })),
      ),
    ),
  );
  const rows = names.map((name, i) => [
    el("span", {}, el(`i.swatch.term${i}`, { "aria-hidden": "true" }), name),
    ...paths.map(({ parts }) => parts[i].text),
  ]);
  return el("div.spent", {}, ...bars, table({ head: ["", ...paths.map(({ name }) => name)], rows }));
}

function table({ head, rows }) {
  const line = (kind, cells) => el("tr", {}, ...cells.map((cell) => el(kind, MATTERS, cell)));
  return el(
    "table",
    {},
    el("thead", {}, line("th", head)),
    el("tbody", {}, ...rows.map((row) => line("td", row))),
  );
}
