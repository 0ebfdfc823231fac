// The glossary: terms by what they are about, each with a door to where it can be seen.

import { el } from "../web/dom.js";
import { onWay, placeDoor } from "../web/way.js";

export default function glossary(root) {
  let scene = null;
  const entry = ({ name, text, place }) =>
    el("div", {}, el("dt", {}, name), el("dd", {}, `${text} `, placeDoor(place)));

  function draw() {
    if (!scene) return;
    root.setAttribute("aria-label", scene.title);
    root.replaceChildren(
      el("h1", {}, scene.title),
      el("p.lead", {}, scene.lead),
      ...scene.groups.map(({ name, terms }) =>
        el("section", {}, el("h2", {}, name), el("dl.entries", {}, ...terms.map(entry))),
      ),
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
