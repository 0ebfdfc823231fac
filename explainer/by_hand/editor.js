// The given numbers as fields: every change is computed at once.

import { el } from "../web/dom.js";
import { fill } from "../web/words.js";
import { lowered } from "./tables.js";

const TABLES = ["embed", "wq", "wk", "wv"];

/** @param {{changed: (fields: any) => void, example: () => void}} on */
export function createEditor(on) {
  let scene = null;
  const inputs = {}; // by table, row after row
  const choices = []; // a word each
  let unit = null;
  const node = el("section.editor", { hidden: true });
  const refused = el("p.refused", { role: "alert" });

  const tell = () =>
    on.changed({
      ...Object.fromEntries(TABLES.map((name) => [name, inputs[name].map((input) => input.value)])),
      words: choices.map((select) => Number(select.value)),
      unit: unit.value,
    });

  function field(name, row, col) {
    const { ui } = scene.words;
    const table = name === "embed" ? ui.embed : `W_${name[1].toUpperCase()}`;
    const which = name === "embed" ? scene.vocabulary[row] : String(row + 1);
    const label = fill(ui.field, { table, row: which, col: String(col + 1) });
    const input = el("input", { type: "text", "aria-label": label, autocomplete: "off", maxlength: 12 });
    input.onchange = tell;
    inputs[name].push(input);
    return el("td", {}, input);
  }

  function tableOf(name, heading) {
    inputs[name] = [];
    const rows = scene.given[name].map((row, i) =>
      el(
        "tr",
        {},
        name === "embed" ? el("th", { scope: "row" }, scene.vocabulary[i]) : null,
        ...row.map((_, j) => field(name, i, j)),
      ),
    );
    return el("table", {}, el("caption", {}, ...lowered(heading)), el("tbody", {}, ...rows));
  }

  const select = (label, options) => {
    const made = el("select", { "aria-label": label }, ...options);
    made.onchange = tell;
    return made;
  };

  function build() {
    const { ui } = scene.words;
    const option = (text, value) => el("option", { value }, text);
    scene.prompt.forEach((_, i) => {
      const label = fill(ui.word_at, { n: String(i + 1) });
      choices.push(
        select(
          label,
          scene.vocabulary.map((word, id) => option(word, id)),
        ),
      );
    });
    unit = select(ui.unit, [option(ui.unit_ln2, "ln2"), option(ui.unit_1, "1")]);
    const example = el("button", { type: "button" }, ui.example);
    example.onclick = on.example;
    node.replaceChildren(
      el(
        "div.fields",
        {},
        tableOf("embed", ui.embed),
        ...["q", "k", "v"].map((letter) => tableOf(`w${letter}`, `W_${letter.toUpperCase()}`)),
      ),
      refused,
      el(
        "div.others",
        {},
        el("span", {}, ui.words),
        ...choices,
        el("label", {}, `${ui.unit} `, unit),
        example,
      ),
    );
  }

  return {
    node,
    get open() {
      return !node.hidden;
    },
    toggle() {
      node.hidden = !node.hidden;
      if (!node.hidden) inputs.embed[0].focus();
    },
    show(data) {
      scene = data;
      const isNew = !unit;
      if (isNew) build();
      const wrong = data.refused?.fields ?? {};
      const why = data.refused?.why ?? "";
      refused.textContent = why;
      refused.hidden = !why;
      // What was refused stays as it was written, to be put right.
      for (const name of TABLES) {
        inputs[name].forEach((input, i) => {
          const bad = wrong[name]?.includes(i) ?? false;
          input.setAttribute("aria-invalid", String(bad));
          const busy = why || input === node.getRootNode().activeElement;
          if (isNew || !busy) input.value = data.given[name].flat()[i];
        });
      }
      choices.forEach((one, i) => (one.value = String(data.prompt[i])));
      unit.value = data.unit;
    },
  };
}
