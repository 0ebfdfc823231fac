// Terms in Streamlit's own text: links to "#term" whose titles say what they mean, as `say` of kit/words.py writes
// them. Pointed at, or reached with the Tab key, they are explained as those of a scene are.

import { el } from "../web/dom.js";
import { createTip } from "../web/tip.js";

/** Where it is explained; stands in the bar, which is on every page. */
export const meaning = el("div.meaning", { "aria-hidden": "true", hidden: true });
const tip = createTip(meaning);

/** @returns {HTMLAnchorElement | null} */
const termOf = (event) => event.target.closest?.('a[href="#term"]') ?? null;

function show(event) {
  const link = termOf(event);
  if (!link) return;
  if (link.title) {
    // Else the browser would explain it a second time.
    link.ariaDescription = link.title;
    link.removeAttribute("title");
  }
  tip.show(link, [link.textContent, link.ariaDescription ?? ""]);
}

/** Once for all pages. */
export function explainTerms() {
  for (const kind of ["pointerover", "focusin"]) document.addEventListener(kind, show);
  for (const kind of ["pointerout", "focusout"])
    document.addEventListener(kind, (event) => termOf(event) && tip.hide());
  document.addEventListener("keydown", ({ key }) => key === "Escape" && tip.hide());
  document.addEventListener("click", (event) => {
    if (termOf(event)) event.preventDefault(); // it is no place to go to
  });
}
