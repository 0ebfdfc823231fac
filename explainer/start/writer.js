// One writer: its text, its triangle, and the numbers under it.

import { el } from "../web/dom.js";
import { createTriangle } from "./triangle.js";

/**
 * @param {{title: string, note: string}} words
 * @param {string} name of its element's class
 */
export function createWriter(words, name) {
  const text = el("p.written", { "data-matters": "" });
  const triangle = createTriangle(`${words.title}: ${words.note}`);
  const numbers = el("dl.numbers");
  const node = el(
    `section.writer.${name}`,
    { "aria-label": words.title },
    el("h2", {}, words.title),
    text,
    el("p.quiet.note", {}, words.note),
    triangle.node,
    numbers,
  );
  return {
    node,
    triangle,
    /**
     * The text: of the prompt as much as the line has room for, then what was written, the newest last.
     * @param {string[]} texts of the tokens
     * @param {number} prompt how many of them are the prompt's
     * @param {(i: number) => boolean} right is the token that one that should be there?
     */
    write(texts, prompt, right) {
      const last = texts.length - 1;
      const shown = (i) => texts[i].replaceAll("\n", "⏎ ");
      const parts = texts.slice(prompt).map((_, i) => {
        const kind = `${prompt + i === last ? "b.newest-word" : "span.own"}${right(prompt + i) ? "" : ".other"}`;
        const space = shown(prompt + i).match(/^\s*/)[0];
        return [space, el(kind, {}, shown(prompt + i).slice(space.length))];
      });
      const given = texts
        .slice(0, prompt)
        .map((_, i) => shown(i))
        .join("");
      const line = el("span", {}, el("span.given", {}, given), ...parts.flat());
      text.replaceChildren(line);
    },
    /**
     * @param {{name: string, value: string, bar?: {kind: string, share: number}[], wide?: boolean}[]} entries
     *   `wide`: there is no room for it on a phone
     */
    count(entries) {
      numbers.replaceChildren(
        ...entries.map(({ name: what, value, bar, wide }) =>
          el(
            wide ? "div.only-wide" : "div",
            {},
            el("dt", {}, what),
            el("dd", { "data-matters": "" }, value),
            bar
              ? el(
                  "div.gauge",
                  { "aria-hidden": "true" },
                  ...bar.map(({ kind, share }) => el(`i.${kind}`, { style: `width:${100 * share}%` })),
                )
              : null,
          ),
        ),
      );
    },
  };
}
