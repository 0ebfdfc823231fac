// The time of one step against the length of the text, both axes logarithmic, with letters of any size.

import { svg, whole } from "../web/dom.js";
import { PATHS } from "./lane.js";
import { apart } from "./times.js";

/**
 * @param {{lengths: number[], ms: Object<string, {low: number[], median: number[], high: number[]}>, ends: Object<string, string>,
 *   x: string, y: string, alt: string}} measured `ends` is what stands at the end of each line
 * @param {{width: number, height: number, em: number}} space
 */
export function linesOf({ lengths, ms, ends, x: xTitle, y: yTitle, alt }, { width, height, em }) {
  const box = { left: 3.2 * em, right: width - 6 * em, top: 2 * em, bottom: height - 3.2 * em };
  const all = PATHS.flatMap((path) => [...ms[path].low, ...ms[path].high]);
  const x = scale([lengths[0], lengths.at(-1)], [box.left, box.right]);
  const y = scale([Math.min(...all) / 1.15, Math.max(...all) * 1.15], [box.bottom, box.top]);
  const text = (at, content, more = {}) => svg("text", { ...at, "data-matters": "", ...more }, content);
  const marks = [
    text({ x: 0, y: em }, yTitle),
    text({ x: (box.left + box.right) / 2, y: height - 0.4 * em, "text-anchor": "middle" }, xTitle),
  ];
  for (const value of spaced(round(...y.domain), y, 1.6 * em)) {
    const at = y(value);
    marks.push(svg("line", { class: "grid", x1: box.left, x2: box.right, y1: at, y2: at }));
    marks.push(text({ x: box.left - 0.5 * em, y: at + 0.35 * em, "text-anchor": "end" }, String(value)));
  }
  for (const n of spaced([...lengths].reverse(), x, 3.2 * em)) {
    marks.push(text({ x: x(n), y: box.bottom + 1.3 * em, "text-anchor": "middle" }, whole(n)));
  }
  const points = (values) => values.map((value, i) => `${x(lengths[i]).toFixed(1)},${y(value).toFixed(1)}`);
  const heights = apart(
    PATHS.map((path) => y(ms[path].median.at(-1))),
    2.6 * em,
  );
  PATHS.forEach((path, i) => {
    const { low, median, high } = ms[path];
    const band = [...points(high), ...points(low).reverse()].join(" ");
    marks.push(svg("polygon", { class: `${path} band`, points: band }));
    marks.push(svg("polyline", { class: path, points: points(median).join(" ") }));
    for (const point of points(median)) {
      const [cx, cy] = point.split(",");
      marks.push(svg("circle", { class: path, cx, cy, r: 0.25 * em }));
    }
    const at = { x: box.right + 0.5 * em };
    const middle = Math.min(Math.max(heights[i], 1.2 * em), box.bottom - 0.6 * em);
    marks.push(text({ ...at, y: middle - 0.1 * em }, path, { class: "name" }));
    marks.push(text({ ...at, y: middle + 1.1 * em }, ends[path], { class: "name" }));
  });
  const drawing = svg("svg", { role: "img", "aria-label": alt, viewBox: `0 0 ${width} ${height}` }, ...marks);
  drawing.setAttribute("width", String(width));
  drawing.setAttribute("height", String(height));
  return drawing;
}

/** A logarithmic axis. */
function scale(domain, [from, to]) {
  const [low, high] = domain.map(Math.log);
  const at = (value) => from + ((to - from) * (Math.log(value) - low)) / (high - low || 1);
  return Object.assign(at, { domain });
}

/** 1, 2 and 5 times each power of ten in between. */
function round(low, high) {
  const found = [];
  for (let power = Math.floor(Math.log10(low)); 10 ** power <= high; power++) {
    // From a text: 3 × 0.1 is no 0.3.
    for (const m of [1, 2, 5]) found.push(Number(`${m}e${power}`));
  }
  return found.filter((value) => value >= low && value <= high);
}

/** Those of the values that stand far enough from the one before. */
function spaced(values, at, least) {
  const kept = [];
  for (const value of values) {
    if (!kept.length || Math.abs(at(value) - at(kept.at(-1))) >= least) kept.push(value);
  }
  return kept;
}
