// One path of a race.

import { el } from "../web/dom.js";
import { perToken, seconds } from "./times.js";

export const PATHS = ["cached", "naive"];
const TITLES = { cached: "With the cache", naive: "Without it" };

/** One path: its clock, how far it is, a bar as long as its time, and its text. */
export function createLane(path) {
  const clock = el("span.clock");
  const count = el("span");
  const more = el("span.more");
  const first = el("span.first");
  const rest = el("span.rest");
  const words = el("p.words", { tabindex: "0", role: "group", "aria-label": `Text of the ${path} path` });
  const title = el("h3", {}, el("i", { "aria-hidden": "true" }), TITLES[path]);
  const node = el(
    `section.lane.${path}`,
    { "aria-label": `${path} path`, "data-path": path },
    el("header", {}, title, clock, el("span.each", {}, count, more)),
    el("div.bar", { "aria-hidden": "true" }, first, rest),
    words,
  );

  /** The first `n` tokens of the lane, with `time` on its clock; `longest` is the time of the longer lane. */
  function draw({ lanes, prompt, newTokens }, n, time, longest, state = "") {
    const { text } = lanes[path];
    const ms = lanes[path].ms.data;
    clock.textContent = seconds(time);
    count.textContent = `${n} of ${newTokens} tokens`;
    more.textContent = `${n ? ` · first after ${perToken(ms[0])} · last took ${perToken(ms[n - 1])}` : ""}${state}`;
    const prefill = Math.min(ms[0] ?? 0, time);
    first.style.width = `${(100 * prefill) / longest}%`;
    rest.style.width = `${(100 * (time - prefill)) / longest}%`;
    const atEnd = words.scrollTop + words.clientHeight > words.scrollHeight - 30;
    words.replaceChildren(
      el("span.given", {}, prompt),
      text.slice(0, Math.max(0, n - 1)).join(""),
      ...(n ? [el("mark", {}, text[n - 1])] : []),
    );
    if (atEnd) words.scrollTop = words.scrollHeight;
  }

  return { node, draw };
}
