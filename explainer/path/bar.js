// The bar above every page, and the next idea below it.

import { el } from "../web/dom.js";
import { inAddress } from "../web/address.js";
import { addressOf, door, leads, nextIdea, onWay, onward, open } from "../web/way.js";
import { explainTerms, meaning } from "./terms.js";

const NARROW = 860; // up to it there is one menu, and a panel is as wide as the window
const feet = new WeakMap(); // host of a foot -> what undoes it

/** Streamlit calls this whenever the data or the theme change. */
export default function bar(component) {
  const host = component.parentElement;
  const data = JSON.parse(new TextDecoder().decode(component.data));
  const root = host.querySelector(".way-root");
  if (data.part === "foot") {
    if (!feet.has(host)) feet.set(host, foot(root));
  } else {
    leads(data);
    draw(root, data);
    whenConnectedAgain(component);
    if (inClass()) enterRoom();
  }
  return () =>
    setTimeout(() => {
      if (host.isConnected) return;
      feet.get(host)?.();
      feet.delete(host);
    });
}

let newest = null;
let lost = false;

/**
 * A server that a lost connection finds again may be another one, where the session is new and knows nothing: what
 * the learner did next would be its first run, and be lost. It runs at once, and takes all from the address.
 */
function whenConnectedAgain(component) {
  const watching = newest !== null;
  newest = component;
  if (!watching) explainTerms();
  const app = /** @type {HTMLElement | null} */ (document.querySelector("[data-testid=stApp]"));
  if (watching || !app) return;
  new MutationObserver(() => {
    const connected = app.dataset.testConnectionState === "CONNECTED";
    if (connected && lost) newest.setTriggerValue("again", true);
    lost = !connected;
  }).observe(app, { attributeFilter: ["data-test-connection-state"] });
}

// ---- a class -----------------------------------------------------------------------------------------------

const said = el("span.class-slot", { role: "status", "data-class": "" });
const opened = el("div.class-panel", { "data-class": "" });
let room = null; // its module: whoever is in no class never loads it

function inClass() {
  try {
    return inAddress("room") !== null || sessionStorage.getItem("kv-room") !== null;
  } catch {
    return false;
  }
}

async function enterRoom() {
  const entered = room;
  room ??= import("../rooms/room.js").then(async (found) => (await found.enter(said, opened), found));
  if (entered) (await entered).drawn();
}

// ---- the bar -----------------------------------------------------------------------------------------------

function draw(root, data) {
  const groups = new Map();
  for (const [file, { group }] of Object.entries(data.pages)) {
    groups.set(group, [...(groups.get(group) ?? []), file]);
  }
  const here = data.pages[data.here];
  const list = (files, spec = "ul") => el(spec, {}, ...files.map((file) => el("li", {}, link(data, file))));
  const apart = [...groups].map(([name, files]) => {
    const current = name === here.group;
    return menu(name, [name, current ? el("b", {}, here.title) : null], [list(files)]);
  });
  const all = [...groups].flatMap(([name, files]) => [el("p.group", {}, name), list(files)]);
  const { words, next } = data;
  root.replaceChildren(
    el(
      "nav",
      { "aria-label": words.pages },
      el("div.apart", {}, ...apart),
      el("div.as-one", {}, menu("all", ["☰", el("b", {}, here.title)], all)),
    ),
    el(
      "div.path",
      {},
      said,
      classMenu(words),
      paths(data, list),
      onward("a.next", words.next, el("b.long", {}, `: ${next.title}`), " →"),
    ),
    meaning,
  );
}

function link({ pages, here, words }, file) {
  const { title, learn, seen } = pages[file];
  const page = door(
    "a.page",
    file,
    {},
    el("i", { "aria-hidden": true }, seen ? "✓" : ""),
    el("b", {}, title, seen ? el("span.sr", {}, ` (${words.seen})`) : null),
    learn ? el("span.learn", {}, learn) : null,
  );
  if (file === here) page.setAttribute("aria-current", "page");
  return page;
}

/** A button that opens a panel; the browser closes it with Escape, and when something else is clicked. */
function menu(name, label, children) {
  const panel = el("div.panel", { id: `panel-${name}`, popover: "auto" }, ...children);
  const button = el("button", { type: "button" }, ...label, el("i", { "aria-hidden": true }, "▾"));
  button.popoverTargetElement = panel;
  panel.addEventListener("beforetoggle", () => {
    const { left, right, bottom } = button.getBoundingClientRect();
    const width = document.documentElement.clientWidth;
    const side = (px, nearer) => (width <= NARROW ? "8px" : nearer ? `${Math.max(8, px)}px` : "auto");
    panel.style.top = `${bottom + 4}px`;
    panel.style.left = side(left, left < width / 2);
    panel.style.right = side(width - right, left >= width / 2);
  });
  panel.addEventListener("click", (event) => {
    if (/** @type {any} */ (event.target).closest("a, .take")) panel.hidePopover();
  });
  return el("div", {}, button, panel);
}

function classMenu(words) {
  const made = menu("class", [words.class], [opened]);
  made.className = "class-menu";
  made.firstElementChild.addEventListener("click", enterRoom);
  return made;
}

function paths({ words, place, path, paths: known, here, home }, list) {
  const sections = known.map(({ name, about, pages }, i) => {
    const mine = path === i + 1;
    const take = el("button.take", { type: "button" }, mine ? words.leave : words.take);
    take.onclick = () => choosePath(mine ? null : String(i + 1), mine || pages[0] === here ? "" : pages[0]);
    return el("section", {}, el("h2", {}, name), el("p", {}, about), list(pages, "ol"), take);
  });
  const fitting = (long, short) => [el("span.long", {}, long), el("span.short", {}, short)];
  const named = known[path - 1];
  const unchosen = here === home ? fitting(words.choose, words.choose_short) : [];
  const label = named
    ? [...fitting(`${named.name}: `, `${named.short}: `), place]
    : [words.paths, ...unchosen];
  return menu("paths", [el("span", {}, ...label)], [el("div.paths", {}, ...sections)]);
}

/** Another path, or none, stands in the address; `page` is where it begins, if that is not here. */
function choosePath(path, page) {
  const to = new URL(page ? addressOf(page) : location.href, location.href);
  if (path) to.searchParams.set("path", path);
  else to.searchParams.delete("path");
  open(to.href);
}

// ---- below the page ----------------------------------------------------------------------------------------

/** Drawn where it does not take a page that fits its screen beyond it: there, the bar has the same door. */
function foot(root) {
  const main = document.querySelector("[data-testid=stMain]");
  const page = /** @type {HTMLElement} */ (document.querySelector(".stMainBlockContainer"));
  let tall = 0; // what the page has more of with it
  const tell = () => {
    root.replaceChildren(el("p.foot", {}, ...nextIdea()));
    measure();
  };
  function measure() {
    if (!page) return;
    root.hidden = true;
    const without = page.offsetHeight;
    root.hidden = false;
    tall = page.offsetHeight - without;
    fit();
  }
  // At every step that makes the page higher or lower: only what is known is read, and written only if it is new.
  function fit() {
    if (!main || !page) return;
    const without = page.offsetTop + page.offsetHeight - (root.hidden ? 0 : tall);
    const hidden = without <= main.clientHeight && without + tall > main.clientHeight;
    if (root.hidden !== hidden) root.hidden = hidden;
  }
  const undo = onWay(tell);
  const observer = new ResizeObserver(fit);
  if (page) observer.observe(page);
  addEventListener("resize", measure);
  tell();
  return () => {
    undo();
    observer.disconnect();
    removeEventListener("resize", measure);
  };
}
