// Lines of code: coloured pieces with their line numbers, bound to the picture by the variables they name.

import { el, whole } from "../web/dom.js";

const SHORT = 10_000;

/** A count that fits into the margin: 1,792, 49k, 11.7M. */
const short = (n) => {
  if (n < SHORT) return whole(n);
  return n < 1e6 ? `${Math.round(n / 1e3)}k` : `${(n / 1e6).toFixed(1)}M`;
};

/** The spaces that a line begins with. */
const indentOf = (pieces) => (typeof pieces[0] === "string" ? pieces[0].match(/^ */)[0].length : 0);

/** @param {(string | [string, string, string])[]} pieces */
export const textOf = (pieces) =>
  pieces.map((piece) => (typeof piece === "string" ? piece : piece[0])).join("");

/**
 * One line; long ones go on below their beginning.
 * @param {(string | [string, string, string])[]} pieces plain text; or text, kind and variable
 * @param {number} less spaces that every line begins with
 */
export function codeOf(pieces, less = 0) {
  const indent = indentOf(pieces);
  const nodes = pieces.map((piece, i) => {
    const [text, kind, variable] = typeof piece === "string" ? [piece] : piece;
    const inside = i ? text : text.slice(indent);
    if (variable) return el("span.var", { "data-ref": `v-${variable}` }, inside);
    return kind ? el(`span.${kind}`, {}, inside) : inside;
  });
  return el("code", { style: `--indent: ${Math.max(0, indent - less)}` }, ...nodes);
}

/**
 * The files of a step, of which one is shown.
 * @param {any} scene
 * @param {Object<string, string>} words of the legend
 * @param {(stop: number) => void} go to a stop, counted from 1
 */
export function createListing(scene, words, go) {
  const tabs = el("div.files", { role: "group", "aria-label": "Files" });
  const panel = el("section.panel", { tabindex: "0", "aria-label": "Source" });
  const lines = new Map(); // stop -> its lines
  const bodies = scene.files.map((file) => el("div.file", { hidden: true }, ...linesOf(file)));
  const columns = el(
    "div.l.columns",
    {},
    el("span.no"),
    el("span.mult", {}, words.with),
    el("span.mult.naive", {}, words.without),
    el("span.quiet", {}, words.mult),
  );
  panel.append(columns, ...bodies);
  const buttons = scene.files.map((file) => {
    const button = el("button.tab", { type: "button", title: file.name }, file.name.split("/").at(-1));
    button.onclick = () => go(1 + scene.stops.findIndex((stop) => stop.module === file.module));
    return button;
  });
  tabs.append(...buttons);
  let lit = [];

  function linesOf(file) {
    let less = 0;
    return file.lines.map((line, i) => {
      if (!i || line.gap) less = indentOf(line.pieces);
      const stop = line.stop === undefined ? null : scene.stops[line.stop];
      const first = stop?.first === line.n;
      const number = first
        ? el(
            "button.no",
            { type: "button", tabindex: "-1", "aria-label": `Go to line ${line.n}` },
            String(line.n),
          )
        : el("span.no", {}, String(line.n));
      const counts = first ? stop.mult.map((n) => (n ? short(n) : "")) : ["", ""];
      const node = el(
        "div.l",
        { "data-ran": line.ran, "data-gap": Boolean(line.gap) },
        number,
        el("span.mult", {}, counts[0]),
        el("span.mult.naive", {}, counts[1]),
        codeOf(line.pieces, less),
      );
      if (stop) {
        node.classList.add("stop");
        node.onclick = () => !getSelection().toString() && go(line.stop + 1);
        lines.set(line.stop, [...(lines.get(line.stop) ?? []), node]);
      }
      return node;
    });
  }

  return {
    tabs,
    panel,
    /** Light the lines of a stop, counted from 1, and bring them into sight. */
    show(at) {
      const { module } = scene.stops[at - 1];
      scene.files.forEach((file, i) => {
        bodies[i].hidden = file.module !== module;
        if (file.module === module) buttons[i].setAttribute("aria-current", "true");
        else buttons[i].removeAttribute("aria-current");
      });
      for (const node of lit) node.classList.remove("now");
      for (const node of lit) node.removeAttribute("aria-current");
      lit = lines.get(at - 1) ?? [];
      for (const node of lit) node.classList.add("now");
      lit[0]?.setAttribute("aria-current", "step");
      // Not scrollIntoView: the page itself must stay where it is.
      panel.scrollTop = Math.max(0, (lit[0]?.offsetTop ?? 0) - panel.clientHeight * 0.4);
    },
  };
}

/** A button that copies a text, and says so. */
export function copyButton(text, live) {
  const button = el("button.copy", { type: "button" }, "Copy");
  button.onclick = async () => {
    let done = "Copied";
    try {
      await navigator.clipboard.writeText(text());
    } catch {
      done = "Select the text and copy it"; // no clipboard without https
    }
    button.textContent = done;
    live.textContent = done;
    setTimeout(() => (button.textContent = "Copy"), 2500);
  };
  return button;
}
