// The engine as a library: ten lines, and what they print.

import { el } from "../web/dom.js";
import { codeOf, copyButton } from "./listing.js";

export function createLibrary(stage) {
  return {
    update(scene) {
      const { library } = scene.words;
      stage.text.replaceChildren(library.lead);
      const lines = scene.code.map((pieces, i) =>
        el("div.l", {}, el("span.no", {}, String(i + 1)), el("span.mark"), codeOf(pieces)),
      );
      stage.picture.replaceChildren(
        el(
          "div.code-head",
          {},
          el("code.file-name", {}, library.file),
          copyButton(() => scene.text, stage.live),
        ),
        el("section.panel.own", { tabindex: "0", "aria-label": "The text" }, ...lines),
        el("h2.printed", {}, library.output),
        el("pre.panel", { tabindex: "0", "aria-label": library.output }, el("code", {}, scene.printed)),
      );
      stage.told.replaceChildren(
        el("section.words", {}, el("h2", {}, library.title), el("p.focus", {}, library.focus)),
        el(
          "section.count",
          {},
          el("p.over", {}, library.read),
          el(
            "ul",
            {},
            ...library.links.map((text) => {
              const [file, ...rest] = text.split(": ");
              return el("li", {}, el("code", {}, file), `: ${rest.join(": ")}`);
            }),
          ),
        ),
      );
    },
    fit() {},
    destroy() {},
  };
}
