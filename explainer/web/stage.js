// What a stepped scene stands in: the text so far, the rail, the picture with the words beside or below it.

import { bind } from "./bind.js";
import { el } from "./dom.js";
import { createTip } from "./tip.js";

const WIDE = 1180; // from here on the words stand beside the picture
const NARROW = 860; // below it the moves stand under the stages
const PHONE = 600;

/**
 * @param {HTMLElement} root
 * @param {{label: string, heading: string, rail: string, terms?: () => Object<string, string>}} named
 *   `terms` gives what the terms in the words mean
 */
export function createStage(root, { label, heading, rail: railLabel, terms = () => ({}) }) {
  root.setAttribute("aria-label", label);
  const parts = {
    root,
    text: el("p.text"),
    rail: el("nav.rail", { "aria-label": railLabel }),
    picture: el("div.picture-area"),
    asking: el("div.asking"),
    told: el("div.told"),
    live: el("div.live.sr", { role: "status", "aria-live": "polite" }),
  };
  const box = el("div.tip", { "aria-hidden": "true", hidden: true });
  const prompt = el("button.unfold", { type: "button" }, "Change prompt or model");
  prompt.onclick = () => {
    document.body.classList.remove("kv-folded");
    document.body.classList.add("kv-asked");
  };
  root.replaceChildren(
    el("h1.sr", {}, heading),
    el("div.text-line", {}, parts.text, prompt),
    parts.rail,
    el("div.area", {}, parts.picture, el("div.story", {}, parts.asking, parts.told)),
    box,
    parts.live,
  );
  const tip = createTip(box);
  return { ...parts, tip, ...bind(root, { tip, terms }) };
}

/** The heading of a stage for all to see, with a sentence below it, above the line of the text. */
export function headed(root) {
  const heading = root.querySelector("h1");
  const lead = el("p.lead");
  heading.classList.remove("sr");
  root.querySelector(".text-line").before(heading, lead);
  return { heading, lead };
}

/**
 * Call `fit({width, height, whole, wide, phone, presenting})` when the room for the scene changes: `height` is what is
 * left of the window below the top of `area`; while `presenting`, that of `area` itself. `whole` is what is left below
 * the top of the scene, which no line that wraps in it can move. Gives the undoing.
 */
export function onRoom(root, area, fit) {
  let last = "";
  function measure() {
    const scrolled = document.querySelector("[data-testid=stMain]")?.scrollTop ?? 0;
    const topOf = (node) => node.getBoundingClientRect().top + scrolled;
    const presenting = root.classList.contains("presenting");
    const room = {
      width: root.clientWidth,
      height: presenting ? area.clientHeight : innerHeight - topOf(area),
      whole: innerHeight - topOf(root),
      wide: root.clientWidth >= WIDE && !presenting,
      phone: root.clientWidth < PHONE && !presenting,
      presenting,
    };
    const now = `${room.width} ${Math.round(room.height)} ${presenting}`;
    if (!room.width || now === last) return;
    last = now;
    root.classList.toggle("wide", room.wide);
    root.classList.toggle("narrow", room.width < NARROW && !presenting);
    root.classList.toggle("phone", room.phone);
    fit(room);
  }
  const observer = new ResizeObserver(measure);
  observer.observe(root);
  observer.observe(area); // while presenting, a question below it takes room from it
  // What stands above the scene can fold away, which moves it without changing its size.
  const page = document.querySelector(".stMainBlockContainer");
  if (page) observer.observe(page);
  addEventListener("resize", measure);
  return {
    measure,
    destroy() {
      observer.disconnect();
      removeEventListener("resize", measure);
    },
  };
}
