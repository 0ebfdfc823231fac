// All stages on paper: a copy of each, printed in place of the page.

import { el } from "./dom.js";

/** A copy of what the scene shows now, with what is painted in it. */
export function copyOf(root) {
  const copy = root.cloneNode(false);
  const area = root.querySelector(".area");
  const cloned = area.cloneNode(true);
  const painted = area.querySelectorAll("canvas");
  cloned.querySelectorAll("canvas").forEach((canvas, i) => {
    if (painted[i].width && painted[i].height) canvas.getContext("2d").drawImage(painted[i], 0, 0);
  });
  copy.append(cloned);
  return copy;
}

/**
 * Print copies of the stages instead of the page.
 * @param {HTMLElement} root
 * @param {HTMLElement[]} copies
 */
export function handout(root, copies) {
  const title = el("h1", {}, root.querySelector("h1").textContent);
  const text = root.querySelector(".text").cloneNode(true);
  const sheet = el("div.handout", { "aria-hidden": "true" }, title, text, ...copies);
  root.before(sheet);
  addEventListener("afterprint", () => sheet.remove(), { once: true });
  print();
}
