// The time of every token of a race, both paths.

import { el, svg } from "../web/dom.js";
import { PATHS } from "./lane.js";
import { apart, nice, perToken, smooth } from "./times.js";

const HEIGHT = 230;

export function createChart() {
  const drawing = svg("svg", { role: "img" });
  const note = el("span");
  const caption = el("figcaption", {}, el("b", {}, "Milliseconds per token"), note);
  const node = el("figure.plot", {}, caption, drawing);

  /** @param {any} data as scene.py has it */
  function draw({ lanes, newTokens, first }) {
    const width = drawing.clientWidth || 600;
    const box = { left: 46, right: width - 66, top: 10, bottom: HEIGHT - 34 };
    const times = Object.fromEntries(PATHS.map((path) => [path, lanes[path].ms.data]));
    const smoothed = Object.fromEntries(PATHS.map((path) => [path, smooth(times[path])]));
    const all = PATHS.flatMap((path) => Array.from(times[path])).sort((a, b) => a - b);
    // A step in which the machine did something else must not flatten all others.
    const most = Math.max(...PATHS.flatMap((path) => smoothed[path]), 1e-3);
    const top = nice(Math.min(all.at(-1) ?? 1, most * 1.5));
    const x = (i) => box.left + ((box.right - box.left) * i) / Math.max(1, newTokens - 1);
    const y = (ms) => box.bottom - ((box.bottom - box.top) * Math.min(ms, top)) / top;
    const marks = [...axes(box, { top, first, newTokens, x, y, width })];
    const ends = apart(
      PATHS.map((path) => y(smoothed[path].at(-1) ?? 0)),
      15,
    );
    PATHS.forEach((path, i) => {
      if (!times[path].length) return;
      const points = (values) =>
        Array.from(values, (ms, j) => `${x(j).toFixed(1)},${y(ms).toFixed(1)}`).join(" ");
      marks.push(svg("polyline", { class: `${path} each-step`, points: points(times[path]) }));
      marks.push(svg("polyline", { class: path, points: points(smoothed[path]) }));
      marks.push(svg("text", { class: "name", x: x(times[path].length - 1) + 6, y: ends[i] + 4 }, path));
    });
    drawing.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    drawing.replaceChildren(...marks);
    const above = all.filter((ms) => ms > top).length;
    const outside = above ? `; ${above} of ${all.length} steps lie above the axis` : "";
    note.textContent = `thin: every step; bold: the median of nine neighbours${outside}`;
    const last = PATHS.filter((path) => times[path].length).map(
      (path) => `${path} ${perToken(times[path].at(-1))}`,
    );
    drawing.setAttribute(
      "aria-label",
      `Milliseconds per token against position; the last: ${last.join(", ")}`,
    );
  }

  return { node, caption, draw };
}

function* axes(box, { top, first, newTokens, x, y, width }) {
  for (let i = 0; i <= 4; i++) {
    const value = (top * i) / 4;
    yield svg("line", { class: "grid", x1: box.left, x2: box.right, y1: y(value), y2: y(value) });
    yield svg(
      "text",
      { x: box.left - 7, y: y(value) + 4, "text-anchor": "end" },
      String(Number(value.toPrecision(3))),
    );
  }
  const every = nice(Math.max(1, newTokens / Math.max(2, width / 130)));
  for (let i = 0; i < newTokens; i += every) {
    yield svg("text", { x: x(i), y: box.bottom + 16, "text-anchor": "middle" }, String(first + i));
  }
  const middle = (box.left + box.right) / 2;
  yield svg("text", { x: middle, y: HEIGHT - 3, "text-anchor": "middle" }, "position of the token");
}
