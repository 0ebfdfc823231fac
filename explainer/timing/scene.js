// The race. Live, the clocks of both lanes run in turns; a finished race can be replayed with both at once,
// from the step times that were measured.

import { el } from "../web/dom.js";
import { createChart } from "./chart.js";
import { perToken, seconds, sum } from "./times.js";

const PATHS = ["cached", "naive"];
const TITLES = { cached: "With the cache", naive: "Without it" };

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

/** One path: its clock, how far it is, a bar as long as its time, and its text. */
function createLane(path) {
  const clock = el("span.clock");
  const each = el("span.each");
  const first = el("span.first");
  const rest = el("span.rest");
  const words = el("p.words", { tabindex: "0", role: "group", "aria-label": `Text of the ${path} path` });
  const title = el("h4", {}, el("i", { "aria-hidden": "true" }), TITLES[path]);
  const node = el(
    `section.lane.${path}`,
    { "aria-label": `${path} path`, "data-path": path },
    el("header", {}, title, clock, each),
    el("div.bar", { "aria-hidden": "true" }, first, rest),
    words,
  );

  function draw({ lanes, prompt, newTokens }, count, time, longest, state) {
    const { text } = lanes[path];
    const ms = lanes[path].ms.data;
    clock.textContent = seconds(time);
    each.textContent = count
      ? `${count} of ${newTokens} tokens · first after ${perToken(ms[0])} · last took ${perToken(ms[count - 1])}${state}`
      : `0 of ${newTokens} tokens${state}`;
    const prefill = Math.min(ms[0] ?? 0, time);
    first.style.width = `${(100 * prefill) / longest}%`;
    rest.style.width = `${(100 * (time - prefill)) / longest}%`;
    const atEnd = words.scrollTop + words.clientHeight > words.scrollHeight - 30;
    words.replaceChildren(
      el("span.given", {}, prompt),
      text.slice(0, Math.max(0, count - 1)).join(""),
      ...(count ? [el("mark", {}, text[count - 1])] : []),
    );
    if (atEnd) words.scrollTop = words.scrollHeight;
  }

  return { node, draw };
}
