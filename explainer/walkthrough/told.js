// What is told beside the picture: the text so far above it, and the words of the stage.

import { inAddress } from "../web/address.js";
import { meter, proof, unproved } from "../web/counts.js";
import { el, num, whole } from "../web/dom.js";
import { door } from "../web/way.js";
import { fill, formula, say } from "../web/words.js";

const MOST_SHOWN = 90; // tokens: more are never in sight

/** Write the line for a step, unless it stands there already. */
export function showText(line, scene, step) {
  if (line.shown === step) return;
  line.shown = step;
  const n = step.position;
  const first = Math.max(1, n - MOST_SHOWN);
  const parts = first > 1 ? [el("span.quiet", {}, "… ")] : [];
  for (let i = first; i <= n; i++) {
    const text = scene.texts[i].replaceAll("\n", "⏎ ");
    if (i === n) parts.push(el("b.fresh-word", {}, text));
    else if (i < scene.prompt_length) parts.push(text);
    else {
      const space = text.match(/^\s*/)[0];
      parts.push(space, el("span.generated", {}, text.trimStart()), chance(scene.chances[i]));
    }
  }
  if (n === 0) parts.push(el("b.fresh-word", {}, "(start)"));
  const guesses = step.top.flatMap(([text, p], i) => [
    el(i ? "span.guess" : "span.guess.best-guess", {}, text, el("small", {}, num(p, 2))),
    " ",
  ]);
  const soFar = el("span.so-far", {}, el("span", {}, ...parts));
  setTimeout(() => soFar.classList.toggle("cut", soFar.firstChild.offsetWidth > soFar.offsetWidth), 50);
  const next = el(
    "span.next",
    { title: "What the model would write next, with its probabilities" },
    el("span.quiet", {}, "→ "),
    ...guesses,
  );
  line.replaceChildren(soFar, " ", next);
}

/** The probability that the model gave a token that it has written. */
const chance = (p) =>
  p === undefined ? "" : el("small.chance", { title: "the model's probability of this token" }, num(p, 2));

/** The lines of code that do this. Stage 5 is about the token behind its own. */
function toCode(words, lap, stage) {
  const length = inAddress("length");
  const params = { token: String(stage === 5 ? lap + 1 : lap), stage: String(stage) };
  return door("a.to-code", "code", { params: { ...params, ...(length && { length }) } }, words);
}

/** The words of a stage, its formulas, and what it costs. An opened proof stays open. */
export function tell(box, scene, step, { lap, stage }, map) {
  const words = scene.stages[stage - 1];
  const { values } = step;
  const write = (tag, template) => (template ? el(tag, {}, ...say(template, values)) : "");
  const fact = (key, name, template) =>
    template ? el("p.fact", {}, el(`i.key.${key}`), el("b", {}, name), ...say(template, values)) : "";
  // The sections stay, and the map in its own: to set it in anew would be to draw it anew.
  if (!box.firstElementChild)
    box.append(...["words", "work", "count", "where"].map((name) => el(`section.${name}`)));
  const [told, work, count, where] = box.children;
  told.replaceChildren(
    el(
      "div.title",
      {},
      el("p.over", {}, `Stage ${stage} of ${scene.stages.length}`, el("span.quiet", {}, ` · token ${lap}`)),
      el("h2", {}, words.title),
    ),
    write("p.focus", words.focus),
    write("p.why", words.why),
    write("p.without", words.without),
  );
  work.replaceChildren(
    formula(words.formulas, values),
    write("p.quiet", words.shapes),
    fact("fresh-key", "Computed: ", words.fresh),
    fact("cached-key", "Read: ", words.read),
    toCode(scene.code, lap, stage),
    markOf(work.lastElementChild, scene, step),
  );
  const [cached, naive] = step.whole;
  count.replaceChildren(
    meter(words.meter, step.meters[stage - 1]),
    el(
      "p.quiet.whole-model",
      {},
      `Whole model, token ${lap}: ${whole(cached)} multiplications with the cache, ${whole(naive)} without.`,
    ),
  );
  if (where.firstElementChild !== map) where.replaceChildren(map);
}

/** Show what is known of a step's proof by now, where its words stand already. */
export function showProof(box, scene, step) {
  const mark = box.children[1]?.lastElementChild;
  if (mark) mark.replaceWith(markOf(mark, scene, step));
}

/** The mark of a step: the one that stands there, where it says the same. */
function markOf(before, scene, step) {
  const said = step.proof ?? scene.waiting;
  if (before?.step === step && before.said === said) return before;
  const { proof: words } = scene;
  const open = before?.open ?? false;
  const mark = step.proof
    ? proof(step.proof, words, open)
    : scene.waiting.givenUp
      ? unproved(words.given_up, words.given_up_short, words.given_up_long, words.unchanged, open)
      : unproved(words.pending, place(words, scene.waiting.ahead), words.pending_long, words.unchanged, open);
  return Object.assign(mark, { step, said });
}

const place = (words, ahead) =>
  ahead ? fill(ahead === 1 ? words.ahead_one : words.ahead_many, { ahead }) : words.behind;
