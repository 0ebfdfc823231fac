// The race. Live, both lanes stand at the same token and their clocks drift apart; a finished race can be
// replayed with both clocks running at once, from the step times that were measured.

const races = new WeakMap();
const PATHS = ["cached", "naive"];
const SVG = "http://www.w3.org/2000/svg";

const sum = (values) => values.reduce((total, x) => total + x, 0);
const seconds = (ms) => (ms < 10000 ? `${(ms / 1000).toFixed(3)} s` : `${(ms / 1000).toFixed(2)} s`);
const perToken = (ms) => `${ms < 10 ? ms.toFixed(2) : ms.toFixed(1)} ms`;

function svg(tag, attributes, text) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

/** The median of each value and its four neighbours on either side. */
function smooth(values) {
  return values.map((_, i) => {
    const near = values.slice(Math.max(0, i - 4), i + 5).sort((a, b) => a - b);
    return near[near.length >> 1];
  });
}

/** 1, 2 or 5 times a power of ten, the smallest that is at least x. */
function nice(x) {
  const power = Math.pow(10, Math.floor(Math.log10(x)));
  return power * [1, 2, 5, 10].find((m) => m * power >= x * 0.999);
}

function createRace(root) {
  const lanes = {};
  let data = null;
  let replaying = 0;

  for (const path of PATHS) {
    const parts = {
      clock: el("span.clock"),
      each: el("span.each"),
      first: el("span.first"),
      rest: el("span.rest"),
      words: el("p.words", { tabindex: "0", "aria-label": `Text of the ${path} path` }),
    };
    const title = el("h4", {}, el("i", { "aria-hidden": "true" }), path === "cached" ? "With the cache" : "Without it");
    lanes[path] = parts;
    root.querySelector(".lanes").append(
      el(
        `section.lane.${path}`,
        { "aria-label": `${path} path`, "data-path": path },
        el("header", {}, title, parts.clock, parts.each),
        el("div.bar", { "aria-hidden": "true" }, parts.first, parts.rest),
        parts.words,
      ),
    );
  }
  const chart = svg("svg", { role: "img" });
  const note = el("span");
  const again = el("button", { type: "button", hidden: true }, "Replay at the measured speed");
  again.onclick = replay;
  root.querySelector(".plot").append(el("figcaption", {}, el("b", {}, "Milliseconds per token"), note, again), chart);
  const observer = new ResizeObserver(() => data && drawChart());
  observer.observe(root);

  /** Show the first `counts[path]` tokens of each lane, with `clocks[path]` on its clock. */
  function drawLanes(counts, clocks, caption) {
    const longest = Math.max(...PATHS.map((path) => sum(data.lanes[path].ms)), 1e-9);
    for (const path of PATHS) {
      const { ms, text } = data.lanes[path];
      const part = lanes[path];
      const n = counts[path];
      part.clock.textContent = seconds(clocks[path]);
      part.each.textContent = n
        ? `${n} of ${data.newTokens} tokens · first after ${perToken(ms[0])} · last took ${perToken(ms[n - 1])}${caption}`
        : `0 of ${data.newTokens} tokens${caption}`;
      const first = Math.min(ms[0] ?? 0, clocks[path]);
      part.first.style.width = `${(100 * first) / longest}%`;
      part.rest.style.width = `${(100 * (clocks[path] - first)) / longest}%`;
      const atEnd = part.words.scrollTop + part.words.clientHeight > part.words.scrollHeight - 30;
      part.words.replaceChildren(
        el("span.given", {}, data.prompt),
        text.slice(0, Math.max(0, n - 1)).join(""),
        ...(n ? [el("mark", {}, text[n - 1])] : []),
      );
      if (atEnd) part.words.scrollTop = part.words.scrollHeight;
    }
  }

  function drawChart() {
    const width = chart.clientWidth || 600;
    const height = 230;
    const box = { left: 46, right: width - 66, top: 10, bottom: height - 34 };
    const all = PATHS.flatMap((path) => data.lanes[path].ms).sort((a, b) => a - b);
    const smoothed = Object.fromEntries(PATHS.map((path) => [path, smooth(data.lanes[path].ms)]));
    // A step in which the machine did something else must not flatten all others.
    const most = Math.max(...PATHS.flatMap((path) => smoothed[path]), 1e-3);
    const top = nice(Math.min(all.at(-1) ?? 1, most * 1.5));
    const x = (i) => box.left + ((box.right - box.left) * i) / Math.max(1, data.newTokens - 1);
    const y = (ms) => box.bottom - ((box.bottom - box.top) * Math.min(ms, top)) / top;
    const marks = [];
    for (let i = 0; i <= 4; i++) {
      const value = (top * i) / 4;
      marks.push(svg("line", { class: "grid", x1: box.left, x2: box.right, y1: y(value), y2: y(value) }));
      marks.push(svg("text", { x: box.left - 7, y: y(value) + 4, "text-anchor": "end" }, String(+value.toPrecision(3))));
    }
    const every = nice(Math.max(1, data.newTokens / Math.max(2, width / 130)));
    for (let i = 0; i < data.newTokens; i += every) {
      marks.push(svg("text", { x: x(i), y: box.bottom + 16, "text-anchor": "middle" }, String(data.first + i)));
    }
    marks.push(svg("text", { x: (box.left + box.right) / 2, y: height - 3, "text-anchor": "middle" }, "position of the token"));
    for (const path of [...PATHS].reverse()) {
      const { ms } = data.lanes[path];
      if (!ms.length) continue;
      const points = (values) => values.map((value, i) => `${x(i).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
      marks.push(svg("polyline", { class: `${path} each-step`, points: points(ms) }));
      marks.push(svg("polyline", { class: path, points: points(smoothed[path]) }));
      const label = { class: "name", x: x(ms.length - 1) + 6, y: y(smoothed[path].at(-1)) + 4 };
      marks.push(svg("text", label, path));
    }
    chart.setAttribute("viewBox", `0 0 ${width} ${height}`);
    chart.replaceChildren(...marks);
    const above = all.filter((ms) => ms > top).length;
    note.textContent = `thin: every step; bold: the median of nine neighbours${above ? `; ${above} of ${all.length} steps lie above the axis` : ""}`;
    const last = PATHS.map((path) => [path, data.lanes[path].ms.at(-1)]).filter(([, ms]) => ms !== undefined);
    chart.setAttribute(
      "aria-label",
      `Milliseconds per token against position; the last: ${last.map(([path, ms]) => `${path} ${perToken(ms)}`).join(", ")}`,
    );
  }

  function drawAll() {
    const counts = Object.fromEntries(PATHS.map((path) => [path, data.lanes[path].ms.length]));
    const clocks = Object.fromEntries(PATHS.map((path) => [path, sum(data.lanes[path].ms)]));
    drawLanes(counts, clocks, "");
    drawChart();
  }

  function replay() {
    cancelAnimationFrame(replaying);
    const began = performance.now();
    const ends = Object.fromEntries(
      PATHS.map((path) => {
        let total = 0;
        return [path, data.lanes[path].ms.map((ms) => (total += ms))];
      }),
    );
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

  function update(component) {
    readTheme(root);
    if (replaying && !component.data.running && data && data.lanes.naive.ms.length === component.data.lanes.naive.ms.length) return;
    cancelAnimationFrame(replaying);
    replaying = 0;
    data = component.data;
    again.hidden = data.running || data.lanes.naive.ms.length < 2;
    root.dataset.running = data.running;
    drawAll();
  }

  return {
    update,
    destroy() {
      cancelAnimationFrame(replaying);
      observer.disconnect();
    },
  };
}

export default function (component) {
  const root = component.parentElement.querySelector(".scene-root");
  if (!races.has(root)) races.set(root, createRace(root));
  races.get(root).update(component);
  return () => {
    races.get(root)?.destroy();
    races.delete(root);
  };
}
