// What would you keep? The boxes of a layer, and how the text goes on with those that are kept.

import { el, tiny, whole } from "../web/dom.js";
import { fill } from "../web/words.js";
import { createWriter } from "./writer.js";

const READ = "kvx"; // letters of what a later pass can read

/** 2.1 MB, 57.3 kB; decimal units, as kit/units.py */
function size(bytes) {
  for (const [unit, name] of [
    [1e6, "MB"],
    [1e3, "kB"],
  ]) {
    if (bytes >= unit) return `${Number((bytes / Number(unit)).toPrecision(3))} ${name}`;
  }
  return `${bytes} bytes`;
}

const list = (names) => [names.slice(0, -1).join(", "), ...names.slice(-1)].filter(Boolean).join(" and ");

/**
 * @param {any} scene
 * @param {{live: HTMLElement, chosen: () => void, shown: () => void, rowOf: any}} around
 */
export function createKeep(scene, { live, chosen, shown, rowOf }) {
  const kept = new Set();
  const writer = createWriter(scene.words.writer.yours, "yours");
  writer.node.dataset.side = "yours";
  const verdict = el("p.verdict");
  const why = el("div.why");
  const buttons = scene.boxes.map(({ key, letter }) => {
    const { name, what } = scene.words.box[key];
    const bytes = el("span.size");
    const button = el(
      `button.box.box-${key}`,
      { type: "button", "aria-pressed": "false" },
      el("b", {}, name),
      bytes,
      el("span.what", {}, what),
    );
    button.onclick = () => {
      if (!kept.delete(letter)) kept.add(letter);
      draw({ spoken: true });
      shown();
      chosen();
    };
    return { letter, key, button, bytes };
  });
  const boxes = el(
    "section.keep",
    { "aria-label": scene.words.keep.title },
    el(
      "div.boxes",
      { role: "group", "aria-label": scene.words.keep.group },
      ...buttons.map(({ button }) => button),
    ),
    el("div.outcome", {}, verdict, why),
  );

  const letters = () =>
    buttons
      .map(({ letter }) => letter)
      .filter((letter) => kept.has(letter))
      .join("");
  const outcome = () => scene.tried[[...READ].filter((letter) => kept.has(letter)).join("")];
  const bytesOf = (of) =>
    scene.boxes.filter(({ letter }) => of(letter)).reduce((sum, { bytes }) => sum + bytes, 0);

  /** What the earlier words are to a new one. */
  function state({ keys, values } = outcome()) {
    if (keys === "lost" || values === "lost") return "lost";
    return keys === "again" || values === "again" ? "remade" : "kept";
  }

  /** What is kept and nobody reads. */
  function unread({ keys, values }) {
    const read = { k: keys === "read", v: values === "read", x: keys === "again" || values === "again" };
    return scene.boxes.filter(({ letter }) => kept.has(letter) && !read[letter]);
  }

  function tell(found) {
    const idle = unread(found);
    const smallest = found.verdict === "works" && !idle.length;
    verdict.textContent = fill(scene.words.verdict[smallest ? "found" : found.verdict], found.said);
    boxes.dataset.verdict = found.verdict;
    const because = scene.words.why;
    const lines = [fill(because[found.why], found.said)];
    if (idle.length) {
      const names = list(idle.map(({ key }) => scene.words.box[key].name));
      const waste = size(idle.reduce((sum, { bytes }) => sum + bytes, 0));
      lines.push(fill(because.unread, { unread: names, waste }));
    }
    why.replaceChildren(...lines.map((text) => el("p", {}, text)));
  }

  function draw({ spoken = false } = {}) {
    for (const { letter, key, button, bytes } of buttons) {
      button.setAttribute("aria-pressed", String(kept.has(letter)));
      bytes.textContent = size(scene.boxes.find((box) => box.key === key).bytes);
    }
    const found = outcome();
    boxes.classList.toggle("trying", !found);
    if (!found) {
      verdict.textContent = scene.words.keep.loading;
      why.replaceChildren();
      return;
    }
    tell(found);
    const n = scene.prompt_length;
    const right = (i) => i < n || found.same[i - n];
    const { triangle } = writer;
    const earlier = state(found);
    triangle.clear();
    triangle.room(n, n + found.same.length - 1, found.same.length);
    for (let k = 1; k <= found.same.length; k++) {
      const newest = n + k - 2;
      const now = ({ to }) => (k === 1 || to === newest ? "now" : earlier);
      const row = rowOf(earlier, k, found, now);
      triangle.add({ ...row, right: right(newest + 1) });
      triangle.rows.at(-1).node.style.setProperty("--turn", String(k));
    }
    writer.write(found.texts, n, right);
    const good = found.same.filter(Boolean).length;
    const all = bytesOf(() => true);
    const mine = bytesOf((letter) => kept.has(letter));
    const names = scene.words.numbers;
    writer.count([
      { name: names.kept, value: mine ? size(mine) : "0", bar: [{ kind: "store", share: mine / all }] },
      { name: names.again, value: found.again ? found.said.again : "0" },
      { name: names.right, value: `${good} / ${found.same.length}` },
    ]);
    if (spoken) live.textContent = `${verdict.textContent} ${why.textContent}`;
  }

  return {
    boxes,
    writer,
    /** What is kept, as the address says it. */
    get letters() {
      return letters();
    },
    /** The legend's states besides computed now. */
    get states() {
      return outcome() ? [state()] : [];
    },
    get text() {
      return outcome();
    },
    /** @param {string} wanted letters */
    choose(wanted) {
      kept.clear();
      for (const { letter } of buttons) if (wanted.includes(letter)) kept.add(letter);
    },
    show(data) {
      scene = data;
      draw();
    },
    valueOf(cell, at) {
      const { keys, values, error } = outcome();
      const many = cell.to - cell.from + 1;
      if (at === "remade") return tiny(error);
      const parts = [keys, values].filter((source) => source !== "lost").length;
      return whole((scene.kv / 2) * parts * many);
    },
  };
}
