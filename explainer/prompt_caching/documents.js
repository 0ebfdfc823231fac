// Documents computed ahead: loaded once, asked five times, held against computing all of it each time.

import { el } from "../web/dom.js";
import { fill } from "../web/words.js";

const LOOK = 400; // ms between two looks at what is being measured

/** @param {import("./scene.js").Around} around */
export function createDocuments(around) {
  const words = around.words().documents;
  const area = el("textarea", { rows: 7, spellcheck: "false" });
  const label = el("span");
  const questions = el("div.questions");
  const error = el("p.error", { role: "alert" });
  const run = el("button.primary", { type: "button" }, words.run);
  const found = el("div.asked");
  const node = el(
    "div.documents",
    {},
    el(
      "section.form",
      { "aria-label": words.questions },
      el("label.part", {}, label, area),
      questions,
      error,
      el("div.buttons", {}, run),
    ),
    found,
  );
  let inputs = [];
  let given = ""; // the texts as Python sent them last
  let timer = 0;
  run.onclick = () => around.act("ahead", { texts: [area.value, ...inputs.map((input) => input.value)] });

  const bar = (kind, share) => el(`i.${kind}`, { style: `width:${100 * share}%` });
  const track = (...bars) => el("div.track", { "aria-hidden": "true" }, ...bars);

  function drawRow(question, row) {
    return el(
      "tr",
      {},
      el("th", { scope: "row" }, question, el("span.answer", {}, row.answer)),
      el(
        "td",
        {},
        el("span.both", {}, el("b", {}, row.work[0]), track(bar("need", row.shares[0]))),
        el(
          "span.both",
          {},
          el("span", {}, row.work[1]),
          track(bar("need", row.shares[0]), bar("again", row.shares[1] - row.shares[0])),
        ),
      ),
      el(
        "td",
        {},
        ...(row.time.length
          ? [
              el("b", {}, row.time[0]),
              el("span.quiet", {}, ` ${words.kept}`),
              el("br"),
              row.time[1],
              el("span.quiet", {}, ` ${words.again}`),
            ]
          : []),
      ),
    );
  }

  function draw({ found: told, texts }) {
    if (!told) return found.replaceChildren();
    const asked = texts.slice(1).filter(Boolean);
    const { load } = told;
    found.replaceChildren(
      el("p.line", {}, fill(told.verdict, told.values)),
      el(
        "table",
        {},
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            ...[words.column_answer, words.column_work, words.column_time].map((text) =>
              el("th", { scope: "col" }, text),
            ),
          ),
        ),
        el(
          "tbody",
          {},
          el(
            "tr.load",
            {},
            el("th", { scope: "row" }, words.load),
            el("td", {}, el("span.both", {}, el("b", {}, load.work), track(bar("need", load.share)))),
            el("td", {}, load.time ? el("b", {}, load.time) : el("span.quiet", {}, told.late)),
          ),
          ...told.rows.map((row, i) => drawRow(asked[i], row)),
        ),
      ),
      el("p", {}, fill(told.same, told.values)),
      el("p.without", {}, fill(words.price, told.values)),
      el("p.quiet", {}, fill(words.measured, told.values), " ", words.source),
    );
  }

  return {
    node,
    show(data) {
      const { found: told, texts, error: refused, longest } = data;
      const [text, ...asked] = texts;
      label.textContent = fill(words.document, { tokens: told?.tokens ?? "…" });
      if (String(texts) !== given) {
        area.value = text;
        area.maxLength = longest;
        inputs = asked.map((question, i) =>
          el("input", {
            type: "text",
            value: question,
            maxlength: longest,
            "aria-label": `${words.questions} ${i + 1}`,
          }),
        );
        questions.replaceChildren(el("span.quiet", {}, words.questions), ...inputs);
      }
      given = String(texts);
      error.textContent = refused;
      draw(data);
      clearTimeout(timer);
      if (told?.pending) timer = setTimeout(() => node.isConnected && around.look({ document: true }), LOOK);
    },
  };
}
