// The rail of a stepper: a button a stage, and the moves. It draws, and tells what was pressed.

import { el } from "./dom.js";
import { nextIdea } from "./way.js";

/** @param {import("./stepper.js").Stepped} scene */
export const stepName = ({ stageName, small, lapName }) =>
  stageName ?? (small ? (lapName ?? "step") : "stage");

const SPEEDS = { "0.5×": 0.5, "1×": 1, "2×": 2 };

/**
 * @param {HTMLElement} rail
 * @param {import("./stepper.js").Stepped} scene
 * @param {Node[]} take what opens what can be taken along
 * @param {{stage: (n: number) => void, ask: () => void, numbers: () => void, present: () => void, back: () => void, play: () => void,
 *   next: () => void, speed: (times: number) => void}} on
 */
export function createRail(rail, scene, take, on) {
  const stages = scene.stages.map(({ name, title }, i) => {
    const number = scene.lapParam ? el("b", {}, String(i + 1)) : null;
    const attributes = { type: "button", "data-stage": i + 1, title: title ?? name };
    const button = el("button.stage", attributes, number, el("span", {}, name));
    button.onclick = () => on.stage(i + 1);
    return button;
  });
  const groups = new Map();
  scene.stages.forEach(({ group = "" }, i) => {
    if (!groups.has(group)) groups.set(group, el("ol", { "aria-label": group || null }));
    groups.get(group).append(el("li", {}, stages[i]));
  });
  const control = (spec, label, title, text, click) => {
    const button = el(`button.${spec}`, { type: "button", "aria-label": label, title }, text);
    button.onclick = click;
    return button;
  };
  const before = `Ask me before each ${stepName(scene)}`;
  const ask = control("ask", before, before, "Ask me", on.ask);
  const numbers = control("numbers", "All numbers", "Show all numbers (N)", "Numbers", on.numbers);
  const present = control(
    "present",
    "Present",
    "Fill the screen, for a class (F)",
    el("i.screen"),
    on.present,
  );
  const back = control("back", "Back", "Back (←)", "◀", on.back);
  const play = control("play", "Play", "Play or pause (P)", "▶", on.play);
  const next = control("next-step", null, "Next (→)", "", on.next);
  const speed = el(
    "select.speed",
    { "aria-label": "Speed" },
    ...Object.keys(SPEEDS).map((name) => el("option", {}, name)),
  );
  speed.value = "1×";
  speed.onchange = () => on.speed(SPEEDS[speed.value]);
  const ending = el("p.ending", { role: "status", hidden: true });
  const moves = el(
    "div.moves",
    {},
    scene.question ? ask : null,
    scene.small ? null : numbers,
    ...take,
    present,
    back,
    play,
    scene.small ? null : speed,
    next,
  );
  const rows = [...groups].map(([name, list]) => (name ? [el("span.group", {}, name), list] : [list]));
  if (scene.small) rows.length = 0;
  rows.push([...(rows.pop() ?? []), moves]);
  const lines = el("div.rail-lines", {}, ...rows.map((row) => el("div.rail-row", {}, ...row)));
  rail.replaceChildren(lines, ending);

  let current = 0;

  /** Where stages stand in a line that scrolls, the one that is shown is in sight. */
  function inSight(n) {
    if (n === current || !rail.closest(".phone")) return;
    current = n;
    requestAnimationFrame(() => {
      const own = stages[n - 1].closest("ol");
      const line = lines.scrollWidth > lines.clientWidth ? lines : own; // all stages stand in one, or each group in its own
      const item = stages[n - 1].parentElement;
      line.scrollLeft = item.offsetLeft - line.offsetLeft - (line.clientWidth - item.offsetWidth) / 2;
    });
  }

  /** Why there is no next one, and at the last stage the next idea. */
  function end({ ending: why, last }) {
    const idea = last ? nextIdea() : [];
    const line = el("p", {}, why, why && idea.length ? " " : "", ...idea);
    ending.hidden = !line.textContent;
    ending.classList.toggle("reasoned", Boolean(why));
    if (ending.innerHTML !== line.innerHTML) ending.replaceChildren(...line.childNodes);
  }

  return {
    present,
    play,
    next,
    /**
     * @param {{stage: number, exists: (n: number) => boolean, isBack: boolean, isNext: boolean, nextText: string,
     *   ending: string, last: boolean, playing: boolean, asks: boolean, allNumbers: boolean}} now
     */
    show(now) {
      stages.forEach((button, i) => {
        if (i + 1 === now.stage) button.setAttribute("aria-current", "step");
        else button.removeAttribute("aria-current");
        button.disabled = !now.exists(i + 1);
      });
      if (!scene.small) inSight(now.stage);
      back.disabled = !now.isBack;
      next.disabled = !now.isNext;
      next.textContent = now.nextText;
      end(now);
      play.setAttribute("aria-pressed", String(now.playing));
      play.setAttribute("aria-label", now.playing ? "Pause" : "Play");
      play.textContent = now.playing ? "❚❚" : "▶";
      ask.setAttribute("aria-pressed", String(now.asks));
      numbers.setAttribute("aria-pressed", String(now.allNumbers));
    },
  };
}
