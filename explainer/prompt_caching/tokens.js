// A prompt token by token: which were read and which computed, in the blocks that they fall in.

import { el } from "../web/dom.js";

/**
 * @param {{labels: string[], block: number, state: (i: number) => string, names?: {[at: number]: string},
 *   answer?: string, mark?: number, label: string, said: {[state: string]: string}}} told
 *   `names` stand before the token at their place, `mark` is the token that stands out; `said` of a state is what
 *   a screen reader hears where it begins: on the screen it is a colour and a line
 */
export function tokenStrip({ labels, block, state, names = {}, answer = "", mark = -1, label, said }) {
  const parts = [];
  for (let start = 0; start < labels.length; start += block) {
    const end = Math.min(start + block, labels.length);
    const tokens = [];
    for (let i = start; i < end; i++) {
      const begins = i === 0 || state(i) !== state(i - 1);
      if (begins && said[state(i)]) tokens.push(el("span.sr", {}, `(${said[state(i)]}:) `));
      if (names[i]) tokens.push(el("span.part-name", {}, names[i]));
      tokens.push(el(`span.tk.${state(i)}${i === mark ? ".mark" : ""}`, {}, labels[i]), " ");
    }
    const loose = end - start < block;
    parts.push(el(`span.block${loose ? ".loose" : ""}`, {}, ...tokens), " ");
  }
  if (answer) parts.push(el("span.answer", {}, answer));
  const node = el("div.strip-of-tokens", { role: "group", "aria-label": label }, ...parts);
  node.classList.toggle("singles", block === 1);
  return node;
}

/** Signs and what they mean. @param {[string, string][]} entries class and words */
export const legend = (entries) =>
  el(
    "p.legend",
    {},
    ...entries.map(([state, text]) =>
      el("span", {}, el(`i.tk.${state}`, { "aria-hidden": "true" }), ` ${text}`),
    ),
  );

/** A choice of a few. @param {[any, string][]} options value and words @param {(value: any) => void} chosen */
export function choice(label, options, value, chosen) {
  const list = options.map(([each, text]) =>
    el("option", { value: String(each), selected: each === value }, text),
  );
  const select = el("select", {}, ...list);
  select.onchange = () => chosen(options[select.selectedIndex][0]);
  return el("label.field", {}, el("span", {}, label), select);
}

/**
 * A number that can be changed.
 * @param {string} label
 * @param {number} value
 * @param {{min?: number, max?: number, step?: number | string}} limits
 * @param {(value: number) => void} chosen not called for what is no number
 */
export function number(label, value, { min = 0, max = Infinity, step = "any" }, chosen) {
  const attributes = { type: "number", min, max: Number.isFinite(max) ? max : null, step, value };
  const input = el("input", attributes);
  input.onchange = () => {
    const given = Number(input.value);
    if (input.value.trim() === "" || !Number.isFinite(given)) input.value = String(value);
    else chosen(given);
  };
  return el("label.field", {}, el("span", {}, label), input);
}
