// The trade: a table whose every cell leads to where it is proved.

import { el } from "../web/dom.js";
import { onWay, placeDoor } from "../web/way.js";
import { say } from "../web/words.js";

/** @param {HTMLElement} root */
export default function trade(root) {
  let scene = null;
  const unlisten = onWay(() => scene && draw());

  function draw() {
    const { words, values, rows } = scene;
    const cell = ({ text, proof }, i) =>
      el("td", { "data-column": words.columns[i] }, text, placeDoor(proof));
    root.setAttribute("aria-label", words.label);
    root.replaceChildren(
      el("h1", {}, words.heading),
      el("p.lead", {}, ...say(words.lead, values)),
      el(
        "table.trade",
        {},
        el(
          "thead",
          {},
          el("tr", {}, el("td"), ...words.columns.map((name) => el("th", { scope: "col" }, name))),
        ),
        el(
          "tbody",
          {},
          ...rows.map(({ name, cells }) =>
            el("tr", {}, el("th", { scope: "row" }, name), ...cells.map(cell)),
          ),
        ),
      ),
      el("p.note", {}, scene.note),
    );
  }

  return {
    update(data, kit) {
      if (scene && !kit.fresh) return;
      scene = data;
      draw();
    },
    destroy: unlisten,
  };
}
