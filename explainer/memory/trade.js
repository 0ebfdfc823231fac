// The trade: a table whose every line leads to where it is proved.

import { el } from "../web/dom.js";
import { door, onWay, way } from "../web/way.js";
import { say } from "../web/words.js";

/** @param {HTMLElement} root */
export default function trade(root) {
  let scene = null;
  const unlisten = onWay(() => scene && draw());

  /** To the page that proves a line, by its title where that is known. */
  function link({ page, params, anchor }) {
    const title = way()?.pages[page]?.title ?? scene.words.see;
    return door("a.see", page, { params, anchor }, `${title} →`);
  }

  function draw() {
    const { words, values, rows } = scene;
    const [, ...names] = words.columns;
    root.setAttribute("aria-label", words.label);
    root.replaceChildren(
      el("h1", {}, words.heading),
      el("p.lead", {}, ...say(words.lead, values)),
      el(
        "table.trade",
        {},
        el("thead", {}, el("tr", {}, el("td"), ...names.map((name) => el("th", { scope: "col" }, name)))),
        el(
          "tbody",
          {},
          ...rows.map((row) =>
            el(
              "tr",
              {},
              el("th", { scope: "row" }, row.name),
              el("td", { "data-column": names[0] }, row.with),
              el("td", { "data-column": names[1] }, row.without),
              el("td", {}, link(row)),
            ),
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
