// Ways between pages, within the session: what the bar at the top knows, for every scene on the page.

import { inAddress, settle } from "./address.js";
import { el } from "./dom.js";

/**
 * @typedef {Object} Way
 * @property {{page: string, title: string, lead: string}} next the idea that comes next
 * @property {Object<string, {title: string, query: Object<string, string>}>} pages those that there are, each
 *   with the parameters that open it as the learner has left it
 * @property {string} home the page at the root of the address
 * @property {{name: string, about: string, pages: string[]}[]} [paths] that have a name; the address counts them
 *   from 1
 * @property {Object<string, string>} link what goes along in an address
 * @property {boolean} [elsewhere] the pages are not here: this one was saved as a file
 * @property {[string, string]} token parameters that hold the token shown, here and on the next page; "" for none
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

/** Open an address of the app within the session: as if the learner had gone there through the history. */
export function open(address) {
  settle();
  history.pushState({}, "", address);
  dispatchEvent(new PopStateEvent("popstate", { state: {} }));
}

/**
 * The address of a page; without parameters as the learner has left it.
 * @param {string} page
 * @param {Object<string, string> | null} [params] on top of what goes along
 */
export function addressOf(page, params) {
  const { pages = {}, home = "", link = {} } = way() ?? {};
  const query = String(new URLSearchParams(params ? { ...link, ...params } : (pages[page]?.query ?? link)));
  const path = page === home ? "./" : page;
  return query ? `${path}?${query}` : path;
}

/**
 * A link to a page of the app that stays in the session; with Ctrl or ⌘ it opens a tab, as any link does.
 * @param {string} spec tag and classes, as el() takes them
 * @param {string} page
 * @param {{params?: Object<string, string> | null | (() => Object<string, string> | null), anchor?: string}} how
 *   `anchor` is a heading of the page; `params` come on top
 *   of what goes along, a function is asked for them when the link is clicked; without any the page opens as the
 *   learner has left it
 * @param {...(Node | string | null)} children
 */
export function door(spec, page, { params = null, anchor = "" }, ...children) {
  const at = anchor && `#${anchor}`; // Streamlit goes to a heading that the address names
  const address = () => addressOf(page, typeof params === "function" ? params() : params) + at;
  const link = el(spec, { href: address() }, ...children);
  link.addEventListener("click", (event) => {
    link.href = address();
    if (!way() || way().elsewhere || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    open(link.href);
  });
  return link;
}

/**
 * A door to a place of kit/places.toml: what can be seen there. Nothing where its page is not known.
 * @param {{page: string, params: Object<string, string>, anchor: string, at: string}} place
 */
export function placeDoor({ page, params, anchor, at }) {
  const known = way()?.pages[page];
  return known ? door("a.see", page, { params, anchor }, `${known.title}: ${at}\u00a0→`) : null;
}

/** The door to the next idea; the token shown goes along where the next page has one. */
export function onward(spec, ...children) {
  const [here, there] = way().token;
  const token = () => here && there && inAddress(here);
  const params = () => (token() ? { [there]: token() } : null);
  return door(spec, way().next.page, { params }, ...children);
}

/** The idea that comes next: a sentence and a button. Nothing while it is not known. */
export function nextIdea() {
  const known = way();
  if (!known) return [];
  return [el("span.lead-on", {}, known.next.lead), " ", onward("a.onward", `${known.next.title} →`)];
}
