// The race. Live, the clocks of both lanes run in turns; a finished race can be replayed with both at once,
// from the step times that were measured.

import { el } from "../web/dom.js";
import { createChart } from "./chart.js";
import { PATHS, createLane } from "./lane.js";
import { sum } from "./times.js";

/** @param {HTMLElement} root */
export default function race(root) {
  let data = null; // what Python sent
  let replaying = 0; // the frame that is asked for

  const lanes = Object.fromEntries(PATHS.map((path) => [path, createLane(path)]));
  const chart = createChart();
  const again = el("button", { type: "button", hidden: true }, "Replay at the measured speed");
  again.onclick = replay;
  chart.caption.append(again);
  root.setAttribute("aria-label", "Generation with the cache and without it, timed");
  root.classList.add("race");
  // Everything on the root is this race's: whatever stood there before is gone.
  root.replaceChildren(el("div.lanes", {}, ...PATHS.map((path) => lanes[path].node)), chart.node);
  const observer = new ResizeObserver(() => data && chart.draw(data));
  observer.observe(root);

  const ofEach = (value) => Object.fromEntries(PATHS.map((path) => [path, value(data.lanes[path])]));

  /** Show the first `counts[path]` tokens of each lane, with `clocks[path]` on its clock. */
  function drawLanes(counts, clocks, state) {
    const longest = Math.max(...PATHS.map((path) => sum(data.lanes[path].ms.data)), 1e-9);
    for (const path of PATHS) lanes[path].draw(data, counts[path], clocks[path], longest, state);
  }

  function drawAll() {
    drawLanes(
      ofEach((lane) => lane.text.length),
      ofEach((lane) => sum(lane.ms.data)),
      "",
    );
    chart.draw(data);
  }

  function replay() {
    cancelAnimationFrame(replaying);
    const began = performance.now();
    const ends = ofEach((lane) => {
      let total = 0;
      return Array.from(lane.ms.data, (ms) => (total += ms));
    });
    const frame = (now) => {
      const passed = Math.max(0, now - began);
      const counts = {};
      const clocks = {};
      for (const path of PATHS) {
        const over = ends[path].findIndex((end) => end > passed);
        counts[path] = over < 0 ? ends[path].length : over;
        clocks[path] = Math.min(passed, ends[path].at(-1));
      }
      const running = PATHS.some((path) => counts[path] < ends[path].length);
      drawLanes(counts, clocks, running ? " · replay" : "");
      replaying = running ? requestAnimationFrame(frame) : 0;
    };
    replaying = requestAnimationFrame(frame);
  }

  function update(newest) {
    const tokens = (of) => of?.lanes.naive.text.length;
    const same = data?.prompt === newest.prompt && tokens(data) === tokens(newest);
    data = newest;
    again.hidden = data.running || tokens(data) < 2;
    chart.node.hidden = !data.running && !tokens(data); // at the start line
    root.dataset.running = String(data.running);
    if (replaying && same && !data.running) return; // the page was drawn anew, the race is the same
    cancelAnimationFrame(replaying);
    replaying = 0;
    drawAll();
  }

  return {
    update(newest, { fresh }) {
      if (fresh) update(newest);
    },
    destroy() {
      cancelAnimationFrame(replaying);
      observer.disconnect();
    },
  };
}
