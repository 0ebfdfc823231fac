// Sentences from Python's templates: values filled in, parts bound to the picture, terms explained.

import { el } from "./dom.js";

const PIECES = /\[([^\]]*)\]\(([#?])(\w+)\)/g;

/**
 * A template with its values: text nodes alone, whatever the values hold.
 * @param {string} sentence with {name}, [text](#part of the picture) and [text](?term)
 * @param {Object<string, string | {template: string}>} values
 * @returns {(Node | string)[]}
 */
export function say(sentence, values) {
  const template = whole(sentence, values);
  const parts = [];
  let end = 0;
  for (const { 0: piece, 1: text, 2: kind, 3: name, index } of template.matchAll(PIECES)) {
    parts.push(fill(template.slice(end, index), values));
    const inside = fill(text, values);
    parts.push(
      kind === "#"
        ? el("span.bound", { "data-ref": name }, inside)
        : el("span.term", { "data-term": name, tabindex: "0" }, inside),
    );
    end = index + piece.length;
  }
  parts.push(fill(template.slice(end), values));
  return parts.filter((part) => part !== "");
}

/** A value can be a template of its own, {template}: it is put in first. */
const whole = (sentence, values) =>
  sentence.replace(/\{(\w+)\}/g, (name, inside) => values[inside]?.template ?? name);

/** A template as plain text. */
export const fill = (template, values) =>
  whole(template, values)
    .replace(PIECES, "$1")
    .replace(/\{(\w+)\}/g, (_, name) => values[name] ?? missing(name));

function missing(name) {
  throw new Error(`no value for {${name}}`);
}

/** Our own MathML with its numbers filled in: nothing but digits and their signs gets into the markup. */
export function formula(templates, values) {
  const box = el("div.formula");
  box.innerHTML = templates
    .join(" ")
    .replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? missing(name)).replace(/[^\d.,−-]/g, ""));
  return box;
}
