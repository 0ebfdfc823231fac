// A made-up name: what to call it, and its pieces, each with its probability with its stored row and without it.

import { el, num } from "../web/dom.js";

/** A probability: 0.84; 0.9991 and 0.0005 where two digits would say too little. */
export const chance = (p) => (p < 0.0001 ? "< 0.0001" : num(p, p >= 0.01 && p < 0.995 ? 2 : 4));

/**
 * @param {any} words
 * @param {{name: (text: string) => void, piece: (i: number) => void}} on
 */
export function createNaming(words, on) {
  const input = el("input.name-input", {
    type: "text",
    maxlength: "24",
    autocomplete: "off",
    spellcheck: "false",
    "aria-label": words.label,
  });
  const form = el(
    "form.name-form",
    {},
    el("label", {}, el("span", {}, words.label), input),
    el("button.name-go", { type: "submit" }, words.spell),
  );
  form.onsubmit = (event) => {
    event.preventDefault();
    on.name(input.value);
  };
  const pieces = el("div.pieces", { role: "group", "aria-label": words.pieces, "data-tells": true });
  const problem = el("p.name-problem", { role: "status" });
  const node = el("div.naming", {}, form, pieces, problem);

  return {
    node,
    /** @param {any} spelling @param {string} name @param {number} at */
    show(spelling, name, at) {
      const root = /** @type {ShadowRoot} */ (input.getRootNode());
      if (root.activeElement !== input) input.value = name;
      problem.textContent = spelling.error ?? "";
      pieces.replaceChildren(
        ...(spelling.pieces ?? []).map((piece, i) => {
          const button = el(
            "button.piece",
            { type: "button", "aria-pressed": String(i === at) },
            el(
              "span.piece-text",
              {},
              el(
                "span.quiet",
                {},
                `${spelling.labels.slice(spelling.pieces[0].position, piece.position + 1).join("")}→`,
              ),
              el("b", {}, piece.next),
            ),
            el("span.piece-chance", {}, `${words.with} ${chance(piece.probability)}`),
            el("span.piece-chance.quiet", {}, `${words.without} ${chance(piece.without)}`),
          );
          button.onclick = () => on.piece(i);
          return button;
        }),
      );
    },
  };
}
