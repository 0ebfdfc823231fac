// Heads: eight queries, and ever fewer keys and values for them; the models that were trained so, side by side.

import { questionOf } from "../web/asking.js";
import { calm, el, svg, whole } from "../web/dom.js";
import { createStage, headed, onRoom } from "../web/stage.js";
import { createStepper } from "../web/stepper.js";
import { fill, say } from "../web/words.js";

const MORPH_MS = 450;
const LEAST = 300; // px of the picture's width
const TALL = 190;
const QUERY = 34; // y of the queries
const KEPT = 138; // y of the keys and values

/** Where each of `n` KV heads lies, from 0 to 1, when only `kv` are left: those of a group lie on each other. */
export const places = (n, kv) =>
  Array.from({ length: n }, (_, i) => {
    const size = n / kv;
    const group = Math.floor(i / size);
    return (group * size + size / 2) / n;
  });

/** @param {HTMLElement} root */
export default function heads(root) {
  let scene = null;
  let stepper = null;
  let at = null; // where the KV heads are drawn
  let frame = 0;

  const stage = createStage(root, { label: "", heading: "", rail: "", terms: () => scene.terms });
  const { heading, lead } = headed(root);
  stage.text.remove();
  const drawing = svg("svg", { height: TALL, class: "sharing", role: "img" });
  const cards = el("div.cards");
  const caveat = el("p.caveat.quiet");
  stage.picture.append(drawing, cards, caveat);
  const room = onRoom(root, stage.picture, () => stepper && draw(places(scene.n_heads, chosen().kv)));

  const chosen = () => scene.models[stepper.place.stage - 1];

  function draw(to) {
    at = to;
    const n = scene.n_heads;
    const width = Math.max(LEAST, drawing.clientWidth);
    drawing.setAttribute("viewBox", `0 0 ${width} ${TALL}`);
    const xs = to.map((x) => x * width);
    const queries = places(n, n).map((x) => x * width);
    const box = Math.min(36, width / n / 2 - 2); // K and V, side by side
    const radius = Math.min(15, box);
    const { words } = scene;
    const lines = queries.map((x, i) =>
      svg("line", { x1: x, y1: QUERY + radius, x2: xs[i], y2: KEPT - 17, class: "reads" }),
    );
    const asks = queries.map((x, i) =>
      svg(
        "g",
        {},
        svg("circle", { cx: x, cy: QUERY, r: radius, class: "query" }),
        svg("text", { x, y: QUERY + 4.5 }, `q${"₀₁₂₃₄₅₆₇₈₉"[i] ?? i}`),
      ),
    );
    const kept = xs.map((x) =>
      svg(
        "g",
        {},
        svg("rect", { x: x - box, y: KEPT - 17, width: box - 1, height: 34, rx: 5, class: "kept" }),
        svg("rect", { x: x + 1, y: KEPT - 17, width: box - 1, height: 34, rx: 5, class: "kept" }),
        svg("text", { x: x - box / 2, y: KEPT + 4.5 }, "K"),
        svg("text", { x: x + box / 2, y: KEPT + 4.5 }, "V"),
      ),
    );
    drawing.replaceChildren(
      svg("text", { x: 0, y: 11, class: "side" }, words.queries),
      ...lines,
      ...asks,
      ...kept,
      svg("text", { x: 0, y: TALL - 6, class: "side" }, words.kept),
    );
  }

  function morph(to) {
    cancelAnimationFrame(frame);
    if (!at || calm()) return draw(to);
    const from = at;
    const began = performance.now();
    const step = (now) => {
      const t = Math.min(1, Math.max(0, now - began) / MORPH_MS);
      const eased = t * t * (3 - 2 * t);
      draw(to.map((x, i) => from[i] + (x - from[i]) * eased));
      if (t < 1) frame = requestAnimationFrame(step);
    };
    frame = requestAnimationFrame(step);
  }

  function show() {
    const model = chosen();
    const { words } = scene;
    const told = words.stage[stepper.place.stage - 1];
    morph(places(scene.n_heads, model.kv));
    drawing.setAttribute("aria-label", fill(told.title, model.values));
    stage.told.replaceChildren(
      el(
        "div.words",
        {},
        el("h2", {}, fill(told.title, model.values)),
        el("p.focus", {}, ...say(told.focus, model.values)),
      ),
    );
    showCards(model);
  }

  function showCards(model) {
    const { words, models } = scene;
    const most = models[0].floats;
    cards.replaceChildren(
      ...models.map((each, i) => {
        const name = words.stage[i].rail;
        const card = el(
          "section.card",
          { "aria-label": name, "aria-current": each === model ? "step" : null },
          el("h3", {}, `${name}: ${each.kv} KV`),
          el(
            "div.gauge",
            { "aria-hidden": "true" },
            el("i", { style: `width:${(100 * each.floats) / most}%` }),
          ),
          el("p", {}, el("b", {}, whole(each.floats)), ` ${words.floats}`),
          el("p", {}, `${words.loss} `, el("b", {}, each.loss), i ? el("small", {}, ` +${each.rise}`) : null),
          el("p", {}, `${words.first} “${each.token}” `, el("b", {}, each.probability)),
          el(
            "p.goes-on",
            {},
            el("span.given", {}, `… ${scene.prompt.slice(-4).join("").trim()}`),
            el("b", {}, each.texts[0]),
            each.texts.slice(1).join(""),
          ),
        );
        return card;
      }),
    );
    caveat.replaceChildren(...say(words.caveat, scene.caveat));
  }

  return {
    update(data, kit) {
      const before = scene;
      scene = data;
      if (before && !kit.fresh) return;
      if (!stepper) {
        root.setAttribute("aria-label", data.words.label);
        heading.textContent = data.words.heading;
        stage.rail.setAttribute("aria-label", data.words.rail);
        lead.replaceChildren(...say(data.words.lead, {}));
        stepper = createStepper(stage, {
          stages: data.models.map((_, i) => ({ name: data.words.stage[i].rail, show })),
          param: "sharing",
          name: () => scene.key,
          question({ stage: to }) {
            const found = scene.questions[to - 1];
            return found && questionOf(scene.words.question, found.values, found.asked);
          },
        });
      }
      room.measure();
      stepper.show(before?.revision === data.revision ? undefined : { lap: 0, stage: data.sharing });
    },
    destroy() {
      cancelAnimationFrame(frame);
      stepper?.destroy();
      room.destroy();
    },
  };
}
