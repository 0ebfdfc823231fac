// What is commonly said, what is true, and a door to where that can be seen.

import { bind } from "../web/bind.js";
import { el } from "../web/dom.js";
import { createTip } from "../web/tip.js";
import { onWay, placeDoor } from "../web/way.js";
import { say } from "../web/words.js";

const SIGNS = { no: "✗", half: "◐" };

export default function heard(root) {
  let scene = null;
  const box = el("div.tip", { "aria-hidden": "true", hidden: true });
  bind(root, { tip: createTip(box), terms: () => scene.terms });

  const entry = ({ claim, kind, verdict, truth, place }) =>
    el(
      "li",
      {},
      el("h2", {}, `“${claim}”`),
      el(
        "p",
        {},
        el("b.verdict", {}, el("span", { "aria-hidden": true }, `${SIGNS[kind]} `), verdict),
        " ",
        ...say(truth, {}),
        " ",
        placeDoor(place),
      ),
    );

  function draw() {
    if (!scene) return;
    root.setAttribute("aria-label", scene.title);
    root.replaceChildren(
      el("h1", {}, scene.title),
      el("p.lead", {}, scene.lead),
      el("ol.said.entries", {}, ...scene.said.map(entry)),
      box,
    );
  }

  const forget = onWay(draw); // the doors need to know the pages
  return {
    update(data) {
      scene = data;
      draw();
    },
    destroy: forget,
  };
}
