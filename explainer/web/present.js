// Presenting: the picture and one sentence fill the screen, for a class. A remote steps wherever the focus is, the
// pointer lights a row, a column or a cell, and the speaker's notes stand in a window of their own.

import { onClass, theClass } from "./classroom.js";
import { el } from "./dom.js";
import { REMOTE } from "./keys.js";
import { randomName } from "./random.js";
import { fill, say } from "./words.js";

/**
 * @typedef {Object} Presented what a place has for a class
 * @property {(Node | string)[]} line one sentence
 * @property {string} [say] for the speaker alone
 * @property {string} [ask]
 */

/**
 * The words for a class as words.toml has them: `line`, `say` and `ask`. Nothing without a `line`.
 * @param {{line?: string, say?: string, ask?: string}} words
 * @param {Object<string, any>} values
 * @returns {Presented | null}
 */
export const presented = ({ line, say: told = "", ask = "" }, values) =>
  line ? { line: say(line, values), say: fill(told, values), ask: fill(ask, values) } : null;

/** What the page itself tells beyond its first sentence: where a scene has no notes of its own, the speaker says that. */
const restOf = (told, line) =>
  [...told.querySelectorAll(".focus, .why, .needed")]
    .map((paragraph) => paragraph.textContent)
    .join(" ")
    .replace(line, "")
    .trim();

/** The first sentence of a paragraph, with what in it is bound to the picture. */
function firstSentence(paragraph) {
  const parts = [];
  for (const node of paragraph?.childNodes ?? []) {
    const end = node.nodeType === Node.TEXT_NODE ? node.textContent.search(/[.?!](\s|$)/) : -1;
    if (end >= 0) return [...parts, node.textContent.slice(0, end + 1)];
    parts.push(node.cloneNode(true));
  }
  return parts;
}

// What a hand at a keyboard does besides.
const SHOWS = { b: "blank", ".": "blank", f: "full", l: "light", s: "notes", Escape: "leave" };
const TYPED = "input:not([type=range], [type=checkbox], [type=radio]), textarea, [contenteditable]";

const LIGHTS = ["row", "column", "cell", "nothing"];
const HINT_MS = 6000;
const NOTES = "kv-notes"; // in the tab's storage: the name of the channel to its notes

/** A channel to the window with this tab's notes: none until that was opened once, unless it is to be. */
function channelOf(opened) {
  try {
    if (opened && !sessionStorage.getItem(NOTES)) sessionStorage.setItem(NOTES, randomName());
    const name = sessionStorage.getItem(NOTES);
    return name ? new BroadcastChannel(`${NOTES} ${name}`) : null;
  } catch {
    return null; // no storage: then there is no second window
  }
}

/**
 * @param {{root: HTMLElement, told: HTMLElement, live: HTMLElement}} parts of the page
 * @param {{next: () => void, back: () => void, first: () => void, last: () => void,
 *   digit: (key: string) => boolean, changed: (presenting: boolean) => void,
 *   words: () => Presented | null | undefined, asks: () => string, where: () => {over: string, title: string, next: string}}} on
 *   `digit` says whether it has used the key; `asks` is the question about what comes next, `where` what the notes
 *   stand under
 */
export function createPresent({ root, told, live }, on) {
  const line = el("p.present-line", { "data-matters": "" });
  const join = el("p.room-line");
  told.after(join, line);
  const nameRoom = () => (join.textContent = theClass()?.line ?? "");
  nameRoom();
  const forgetClass = onClass(nameRoom);
  const spot = el("i.spot");
  const spots = el("div.spots", { "aria-hidden": "true", hidden: true }, spot);
  const blank = el("div.blank", { hidden: true });
  const button = (name, title, act) => {
    const made = el("button", { type: "button", title }, name);
    made.onclick = ({ detail }) => {
      if (detail) root.focus({ preventScroll: true }); // a pointer's click: the bar is not to stay for its focus
      act();
    };
    return made;
  };
  const light = button("", "What the pointer lights (L)", () => acts.light());
  const bar = el(
    "div.present-bar",
    { role: "toolbar", "aria-label": "Presenting" },
    button("◀", "Back (←, PageUp)", on.back),
    button("▶", "Next (→, PageDown, space)", on.next),
    light,
    button("Blank (B)", "Blank the screen (B)", () => acts.blank()),
    button("Full screen (F)", "Full screen (F)", () => acts.full()),
    button("Notes (S)", "Speaker notes in a window of their own (S)", () => acts.notes()),
    button("Leave (Esc)", "Leave (Esc)", () => acts.leave()),
  );
  root.append(spots, bar, blank);
  let shown = false;
  let lights = 0;
  let fading = null;
  let channel = listening(channelOf(false));

  const picture = () => root.querySelector(".picture-area");

  // ---- in and out --------------------------------------------------------------------------------------

  function set(presenting) {
    if (presenting === shown) return;
    shown = presenting;
    root.classList.toggle("presenting", shown);
    document.body.classList.toggle("kv-presenting", shown);
    clear();
    if (shown) {
      // Before anything else on the page hears a key: a slider that has the focus is not to move.
      addEventListener("keydown", onKey, true);
      root.tabIndex = -1;
      root.focus({ preventScroll: true });
      hint();
      live.textContent =
        "Presenting. Arrow keys, page keys and space step, B blanks the screen, F fills it, L chooses what the pointer lights, S opens the speaker notes, Escape leaves.";
    } else {
      removeEventListener("keydown", onKey, true);
      root.removeAttribute("tabindex");
      if (document.fullscreenElement) document.exitFullscreen().catch(() => {});
      live.textContent = "";
    }
  }

  /** Put away what lies over the picture. */
  function clear() {
    blank.hidden = true;
    spots.hidden = true;
  }

  function hint() {
    bar.classList.add("shown");
    clearTimeout(fading);
    fading = setTimeout(() => bar.classList.remove("shown"), HINT_MS);
  }

  function nameLight() {
    light.textContent = `Light: ${LIGHTS[lights]} (L)`;
    root.dataset.light = LIGHTS[lights];
  }
  nameLight();

  const acts = {
    next: () => on.next(),
    back: () => on.back(),
    first: () => on.first(),
    last: () => on.last(),
    leave: () => on.changed(false),
    blank() {
      blank.hidden = !blank.hidden;
      live.textContent = blank.hidden ? "" : "The screen is blank.";
    },
    full() {
      const done = document.fullscreenElement
        ? document.exitFullscreen()
        : document.documentElement.requestFullscreen?.();
      done?.catch(() => {}); // not allowed in this frame
    },
    light() {
      lights = (lights + 1) % LIGHTS.length;
      nameLight();
      spots.hidden = true;
      hint();
    },
    notes() {
      channel ??= listening(channelOf(true));
      const name = sessionStorage.getItem(NOTES);
      if (channel) open(`notes#${name}`, `${NOTES}-${name}`, "popup,width=720,height=820");
      tell();
    },
  };

  // ---- keys --------------------------------------------------------------------------------------------

  function onKey(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const target = event.composedPath()[0];
    const types =
      root.contains(target) && target.matches?.(TYPED) && key !== "Escape" && !key.startsWith("Page");
    if (types) return;
    const back = key === " " && event.shiftKey;
    const act = back ? "back" : (REMOTE[key] ?? SHOWS[key]);
    // Any other letter means something else on the page, or to Streamlit, that a class need not see.
    if (!act && key.length > 1) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    bar.classList.remove("shown"); // whoever has the keys in hand needs the picture
    if (act === "blank") return acts.blank();
    blank.hidden = true;
    if (act) acts[act]();
    else on.digit(key);
  }

  // The browser itself leaves the full screen with Escape, and tells nobody of the key.
  let full = false;
  function onFull() {
    const left = full && !document.fullscreenElement;
    full = Boolean(document.fullscreenElement);
    if (left) hint();
  }
  document.addEventListener("fullscreenchange", onFull);

  // ---- the pointer -------------------------------------------------------------------------------------

  /** What a pointer on a cell lights, in the window. */
  function lit(cell, clientX) {
    const box = cell.getBoundingClientRect();
    const kind = LIGHTS[lights];
    if (kind === "row") return (cell.closest("[role=row]") ?? cell).getBoundingClientRect();
    // Of a strip, which is many cells, the one under the pointer.
    const share = cell.values ? box.width / cell.values.length : box.width;
    const left = box.left + Math.floor((clientX - box.left) / share) * share;
    const all = kind === "column" ? picture().getBoundingClientRect() : box;
    return { left, top: all.top, width: share, height: all.height };
  }

  function onPointer(event) {
    if (!shown) return;
    if (event.clientY < 50) hint();
    const cell = event.composedPath()[0].closest?.("[role=gridcell]");
    spots.hidden = !cell || LIGHTS[lights] === "nothing" || !picture()?.contains(cell);
    if (spots.hidden) return;
    const area = picture().getBoundingClientRect();
    const box = lit(cell, event.clientX);
    const px = (values) => Object.entries(values).map(([name, x]) => `${name}:${x}px`);
    const { left, top, width, height } = area;
    spots.style.cssText = px({ left, top, width, height }).join(";");
    const around = { left: box.left - left, top: box.top - top, width: box.width, height: box.height };
    spot.style.cssText = px(around).join(";");
  }
  const unlight = () => (spots.hidden = true);
  root.addEventListener("pointermove", onPointer);
  root.addEventListener("pointerdown", onPointer);
  root.addEventListener("pointerleave", unlight);

  // ---- notes -------------------------------------------------------------------------------------------

  function listening(made) {
    if (made)
      made.onmessage = ({ data }) => {
        if (data.hello) tell();
        else if (data.step in acts) acts[data.step]();
      };
    return made;
  }

  /** Have the window with the notes show those of this place. */
  function tell() {
    if (!channel) return;
    const said = line.textContent;
    const { say: spoken, ask } = on.words() ?? {};
    const notes = { ...on.where(), line: said, say: spoken || restOf(told, said), ask: ask || on.asks() };
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel has none
    channel.postMessage({ notes });
  }

  return {
    get shown() {
      return shown;
    },
    set,
    /** Another place is shown, or the same with other data. */
    show() {
      line.replaceChildren(...(on.words()?.line ?? firstSentence(told.querySelector(".focus"))));
      unlight();
      tell();
    },
    destroy() {
      set(false);
      forgetClass();
      clearTimeout(fading);
      channel?.close();
      document.removeEventListener("fullscreenchange", onFull);
    },
  };
}
