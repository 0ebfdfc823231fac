// Ways between pages, within the session: what the bar at the top knows, for every scene on the page.

import { el } from "./dom.js";

/**
 * @typedef {Object} Way
 * @property {{page: string, title: string, lead: string}} next the idea that comes next
 * @property {Object<string, {title: string}>} pages those that there are
 * @property {string} home the page at the root of the address
 * @property {Object<string, string>} link what goes along in an address
 * @property {(page: string, params?: Object<string, string> | null) => void} go open a page; without parameters
 *   as the learner has left it
 * @property {() => void} onward open the next idea, at the token shown here
 */

// The bar is another component, with modules of its own: what they share stands at the document.
const KEY = Symbol.for("explainer.way");
const CHANGED = "explainer-way";

/** @returns {Way | null} */
export const way = () => /** @type {any} */ (document)[KEY] ?? null;

/** @param {Way | null} known */
export function leads(known) {
  /** @type {any} */ (document)[KEY] = known;
  document.dispatchEvent(new Event(CHANGED));
}

/** Call `tell` whenever the way is known anew. Gives the undoing. */
export function onWay(tell) {
  document.addEventListener(CHANGED, tell);
  return () => document.removeEventListener(CHANGED, tell);
}

/**
 * A link to a page of the app that stays in the session; with Ctrl or ⌘ it opens a tab, as any link does.
 * @param {string} spec tag and classes, as el() takes them
 * @param {string} page
 * @param {{params?: Object<string, string> | null, open?: () => void}} [how] `params` come on top of what goes
 *   along, `open` takes the place of going there
 * @param {...(Node | string | null)} children
 */
export function door(spec, page, { params = null, open } = {}, ...children) {
  const query = String(new URLSearchParams({ ...way()?.link, ...params }));
  const path = page === way()?.home ? "./" : page;
  const link = el(spec, { href: query ? `${path}?${query}` : path }, ...children);
  link.addEventListener("click", (event) => {
    const known = way();
    if (!known || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (open) open();
    else known.go(page, params && { ...known.link, ...params });
  });
  return link;
}

/**
 * A door to a place of kit/places.toml: what can be seen there. Nothing where its page is not known.
 * @param {{page: string, params: Object<string, string>, at: string}} place
 */
export function placeDoor({ page, params, at }) {
  const known = way()?.pages[page];
  return known ? door("a.see", page, { params }, `${known.title}: ${at} →`) : null;
}

/** The idea that comes next: a sentence and a button. Nothing while it is not known. */
export function nextIdea() {
  const known = way();
  if (!known) return [];
  const { page, title, lead } = known.next;
  const open = () => way()?.onward();
  return [el("span.lead-on", {}, lead), " ", door("a.onward", page, { open }, `${title} →`)];
}
