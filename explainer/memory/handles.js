// The formula as a row of factors that can be dragged, each a slider for the keyboard too.

import { el, whole } from "../web/dom.js";
import { eachBytes, short } from "./sizes.js";

const PIXELS = 16; // to drag a stop

/**
 * @typedef {Object} Factor
 * @property {string} name
 * @property {string} label
 * @property {any[]} stops
 * @property {(value: any) => string} text on the factor
 */

/** The index of the stop that is nearest to a value. */
export function nearest(stops, value) {
  const exact = stops.indexOf(value);
  if (exact >= 0 || typeof value !== "number") return Math.max(exact, 0);
  const gaps = stops.map((stop) => Math.abs(stop - value));
  return gaps.indexOf(Math.min(...gaps));
}

/**
 * The factors of the cache's formula.
 * @param {{stops: any, longest: number, words: any, formats: any}} scene
 * @param {() => import("./sizes.js").Shape} now
 * @returns {Factor[]}
 */
export function factorsOf({ stops, longest, words, formats }, now) {
  const counts = ["batch", "layers", "tokens", "heads", "dim"].map((name) => ({
    name,
    label: words.factor[name],
    stops: stops[name] ?? Array.from({ length: longest }, (_, i) => i + 1),
    text: whole,
  }));
  const text = (fmt) => short(eachBytes({ ...now(), fmt }, formats));
  return [...counts, { name: "fmt", label: words.factor.bytes, stops: Object.keys(formats), text }];
}

/**
 * @param {Factor[]} factors
 * @param {{change: (name: string, value: any) => void, settled: () => void}} on `settled`: let go
 */
export function createHandles(factors, on) {
  const total = el("output.total", { "aria-live": "off" });
  const values = {};
  const sliders = new Map();
  for (const factor of factors) sliders.set(factor.name, slider(factor));

  function slider(factor) {
    const number = el("b", {}, "");
    const node = el(
      "div.factor",
      {
        role: "slider",
        tabindex: "0",
        "aria-label": factor.label,
        "aria-valuemin": "0",
        "data-factor": factor.name,
      },
      number,
      el("small", {}, factor.label),
    );
    draggable(node, factor, (event) => event.clientX);
    node.addEventListener("keydown", (event) => {
      const at = nearest(factor.stops, values[factor.name]);
      const leap = Math.max(1, Math.round(factor.stops.length / 10));
      const to = {
        ArrowRight: at + 1,
        ArrowUp: at + 1,
        ArrowLeft: at - 1,
        ArrowDown: at - 1,
        PageUp: at + leap,
        PageDown: at - leap,
        Home: 0,
        End: factor.stops.length - 1,
      }[event.key];
      if (to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      move(factor, to);
      on.settled();
    });
    return { node, number, factor };
  }

  function move(factor, to) {
    const stop = factor.stops[Math.max(0, Math.min(factor.stops.length - 1, to))];
    if (stop !== values[factor.name]) on.change(factor.name, stop);
  }

  /** `along` gives the place of the pointer on the way that raises the factor; `pixels` make one stop. */
  function draggable(node, factor, along, pixels = () => PIXELS) {
    node.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      event.preventDefault();
      node.focus({ preventScroll: true });
      node.setPointerCapture(event.pointerId);
      const from = along(event);
      const at = nearest(factor.stops, values[factor.name]);
      const dragged = (moved) => move(factor, at + Math.round((along(moved) - from) / pixels()));
      const end = () => {
        node.removeEventListener("pointermove", dragged);
        node.removeEventListener("pointerup", end);
        node.removeEventListener("pointercancel", end);
        node.classList.remove("dragging");
        on.settled();
      };
      node.classList.add("dragging");
      node.addEventListener("pointermove", dragged);
      node.addEventListener("pointerup", end);
      node.addEventListener("pointercancel", end);
    });
  }

  const row = [...sliders.values()].flatMap(({ node }) => [
    el("span.times", { "aria-hidden": "true" }, "×"),
    node,
  ]);

  return {
    total,
    /** The factors, with × between them and a 2 before. */
    node: (two) =>
      el("div.factors", {}, two, ...row, el("span.times.equals", { "aria-hidden": "true" }, "="), total),
    draggable: (node, name, along, pixels) => draggable(node, sliders.get(name).factor, along, pixels),
    show(now, bytes) {
      Object.assign(values, now);
      for (const { node, number, factor } of sliders.values()) {
        const at = nearest(factor.stops, values[factor.name]);
        const text = factor.text(values[factor.name]);
        if (number.textContent !== text) number.textContent = text;
        node.setAttribute("aria-valuemax", String(factor.stops.length - 1));
        node.setAttribute("aria-valuenow", String(at));
        node.setAttribute("aria-valuetext", `${text} ${factor.label}`);
      }
      total.replaceChildren(el("b", {}, whole(bytes)), el("small", {}, "bytes"));
    },
  };
}
