// The box that explains what the pointer or the focus is on.

import { el } from "./dom.js";

/**
 * @param {HTMLElement} tip an empty box inside a positioned parent
 */
export function createTip(tip) {
  let target = null;

  /** Place the box above `target`, or below it where there is no room; `x` is the middle, in the window. */
  function place(x) {
    const host = tip.offsetParent?.getBoundingClientRect();
    if (!host) return;
    const box = target.getBoundingClientRect();
    const middle = x ?? box.left + box.width / 2;
    const left = Math.max(
      0,
      Math.min(middle - host.left - tip.offsetWidth / 2, host.width - tip.offsetWidth),
    );
    const above = box.top - tip.offsetHeight - 8;
    tip.style.left = `${left}px`;
    tip.style.top = `${(above > 60 ? above : box.bottom + 8) - host.top}px`;
  }

  return {
    /** @param {Element} explained @param {(string | Node)[]} paragraphs the first is the title @param {number} [x] */
    show(explained, paragraphs, x) {
      target = explained;
      const [title, ...rest] = paragraphs;
      tip.replaceChildren(el("p.tip-title", {}, title), ...rest.map((line) => el("p", {}, line)));
      tip.hidden = false;
      place(x);
    },
    hide() {
      target = null;
      tip.hidden = true;
    },
    /** What it explains now, or null. */
    get target() {
      return target;
    },
    get shown() {
      return !tip.hidden;
    },
  };
}
