// What breaks it: a first request, a second one, a guess, and then layer by layer what became of the rows.

import { counted, questionOf } from "../web/asking.js";
import { el } from "../web/dom.js";
import { fill, say } from "../web/words.js";
import { legend, tokenStrip } from "./tokens.js";

const STATES = ["read", "again", "different", "new"]; // as explainer/prompt_caching/mistakes.py counts them

/** @param {import("./scene.js").Around} around @param {any} scene */
export function createMistakes(around, scene) {
  const all = around.words();
  const words = all.mistakes;
  let body = null;
  let wrong = scene.wrong;
  const answered = new Map(); // by mistake and block: what was chosen, null for no answer
  let score = null; // of the session, a line

  const list = el("div.mistake-list", { role: "group", "aria-label": words.group });
  const what = el("p.what");
  const texts = el("div.texts");
  const asking = el("div.predict");
  const outcome = el("div.outcome");
  const node = el("div.mistakes", {}, list, el("section.pair", {}, what, texts, asking, outcome));

  const buttons = scene.mistakes.map((key, i) => {
    const button = el("button", { type: "button" }, all.mistake[key].name);
    button.onclick = () => {
      wrong = i + 1;
      around.write();
      press();
      if (body.key !== key) around.want(scene.parts.indexOf("mistakes") + 1, wrong);
    };
    return button;
  });
  list.append(...buttons);

  function press() {
    buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(i + 1 === wrong)));
  }

  const name = () => `${body.key} ${body.block}`;

  function drawTexts(told) {
    const { block } = body;
    const before = [...body.before, ...body.answer];
    const mark = body.common < Math.min(before.length, body.after.length) ? body.common : -1;
    const parts = [
      el("h3", {}, words.before),
      tokenStrip({
        labels: before,
        block,
        state: (i) => (i < body.known ? "kept" : "loose-key"),
        mark,
        label: words.before,
        said: { ...all.requests.legend, "loose-key": all.requests.legend.loose },
      }),
      el("h3", {}, words.after),
      tokenStrip({
        labels: body.after,
        block,
        state: (i) => (!told ? "plain" : i < body.reused ? "read" : "computed"),
        mark,
        label: words.after,
        said: all.requests.legend,
      }),
    ];
    texts.replaceChildren(...parts);
  }

  /** A row of cells as runs of one state. */
  function runs(states) {
    const found = [];
    for (const state of states) {
      if (found.at(-1)?.state === state) found.at(-1).count++;
      else found.push({ state, count: 1 });
    }
    const share = (count) => `width:${(100 * count) / states.length}%`;
    return found.map(({ state, count }) => el(`i.${STATES[state]}`, { style: share(count) }));
  }

  function drawLayers() {
    const layers = body.states.shape[0];
    const rows = [];
    for (let layer = layers - 1; layer >= 0; layer--) {
      ["K", "V"].forEach((side, i) => {
        const states = body.states.row(2 * layer + i);
        const counts = STATES.map((state, s) => [state, states.filter((one) => one === s).length]);
        const said = counts.filter(([, n]) => n).map(([state, n]) => `${n} ${words.legend[state]}`);
        rows.push(
          el(
            "div.layer-row",
            {
              role: "listitem",
              "aria-label": `${fill(words.layer, { layer: String(layer) })}, ${side}: ${said.join(", ")}`,
            },
            el("span", {}, i ? "" : fill(words.layer, { layer: String(layer) })),
            el("b", {}, side),
            el("div.layer-cells", {}, ...runs(states)),
          ),
        );
      });
    }
    const used = STATES.filter((_, s) => body.states.data.includes(s));
    return [
      el("h3", {}, words.layers),
      el("div.layers", { role: "list" }, ...rows),
      legend(used.map((state) => [`${state}-cell`, words.legend[state]])),
    ];
  }

  function reveal(question, chosen) {
    answered.set(name(), chosen);
    score = chosen === null ? null : counted(chosen === question.answer);
    draw(question);
    around.live.textContent = `${asking.textContent} ${outcome.textContent}`;
    /** @type {HTMLElement} */ (outcome.querySelector(".became"))?.focus();
  }

  function drawGuess(question) {
    const { options, answer } = question ?? { options: [], answer: 0 };
    if (!answered.has(name()) && question) {
      const choices = options.map(({ text }, i) => {
        const button = el("button.option", { type: "button" }, text);
        button.onclick = () => reveal(question, i);
        return button;
      });
      const show = el("button.show", { type: "button" }, words.show);
      show.onclick = () => reveal(question, null);
      asking.replaceChildren(
        el("p.focus", {}, question.text),
        el("div.options", { role: "group" }, ...choices, show),
      );
      return;
    }
    const chosen = answered.get(name());
    const lines = [];
    if (question && chosen !== null && chosen !== undefined) {
      const right = chosen === answer;
      lines.push(el("p.verdict", {}, right ? "✓ Right." : `✗ Not “${options[chosen].text}”.`));
      if (!right) lines.push(el("p", {}, options[chosen].why));
      lines.push(el("p", {}, options[answer].why), ...(score ? [score] : []));
    }
    asking.replaceChildren(...lines);
  }

  function draw(question) {
    const told = answered.has(name()) || !question;
    drawTexts(told);
    drawGuess(question);
    const mistake = all.mistake[body.key];
    what.replaceChildren(...say(mistake.what, body.values));
    outcome.replaceChildren(
      ...(told
        ? [
            el(
              "div.became",
              { tabindex: "-1" },
              el("p.line", {}, fill(words.verdict, body.values), " ", fill(words.counted, body.values)),
              el("p", {}, ...say(mistake[body.because], body.values)),
            ),
            ...drawLayers(),
            el("p.quiet", {}, fill(body.largest, body.values)),
          ]
        : []),
    );
  }

  return {
    node,
    get wrong() {
      return wrong;
    },
    show(data) {
      body = data;
      wrong = scene.mistakes.indexOf(data.key) + 1;
      press();
      draw(questionOf(all.question, data.values, data.question));
      around.write();
    },
  };
}
