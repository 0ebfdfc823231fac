// Two texts whose words are the rows of their caches: one keeps all of them, the other drops some.

import { questionOf } from "../web/asking.js";
import { el, whole } from "../web/dom.js";
import { inAddress } from "../web/address.js";
import { createStage, headed, onRoom } from "../web/stage.js";
import { createStepper } from "../web/stepper.js";
import { fill, say } from "../web/words.js";
import { createPanel } from "./panel.js";

const STEP_MS = 330;
const LITTLE = 0.05; // of a head's attention: not worth calling a loss

const percent = (x) => (x > 0 && x < 0.01 ? `${(100 * x).toFixed(1)}%` : `${Math.round(100 * x)}%`);

/** @param {HTMLElement} root */
export default function policies(root) {
  let scene = null;
  let stepper = null;

  const stage = createStage(root, { label: "", heading: "", rail: "", terms: () => scene.terms });
  const { heading, lead } = headed(root);
  stage.text.remove();
  const panels = { full: createPanel(stage), thin: createPanel(stage) };
  const scrub = el("input", { type: "range", min: "1" });
  const count = el("output");
  const slider = el("label.scrub", {}, el("span.quiet"), scrub, count);
  const legend = el("div.legend");
  const steering = el("div.steering");
  stage.rail.replaceWith(steering);
  steering.append(stage.rail, slider, root.querySelector(".unfold"));
  root.querySelector(".text-line").toggleAttribute("hidden", true);
  stage.picture.append(el("div.pair", {}, panels.full.node, panels.thin.node), legend);
  scrub.oninput = () => {
    stepper.stop();
    stepper.go({ lap: 0, stage: Number(scrub.value) });
  };
  const room = onRoom(root, stage.picture, () => Object.values(panels).forEach((panel) => panel.follow()));

  const at = () => stepper.place.stage - 1;
  const rows = (name, i) => scene[name].kept.row(i).reduce((sum, kept) => sum + kept, 0);

  function paint() {
    const i = at();
    const { words } = scene;
    for (const name of ["full", "thin"]) {
      const run = scene[name];
      panels[name].show(i, scene.parts);
      const sizes = { rows: whole(rows(name, i)), all: whole(i + 1), bytes: whole(run.bytes[i]) };
      panels[name].tell(
        fill(name === "full" ? words.rows : words.rows_of, sizes),
        fill(words.writes, { word: run.next[i], probability: percent(run.probability.data[i]) }),
        scene.parts !== null && i >= scene.parts && run.next[i] !== scene.full.next[i],
      );
    }
    scrub.value = String(i + 1);
    count.textContent = fill(words.of_step, { step: i + 1, last: scene.steps });
    stage.told.replaceChildren(el("p.focus", {}, ...sentences(i)));
  }

  /** What this step is about, most important first. */
  function sentences(i) {
    const { words, thin, full, parts, prompt, steps } = scene;
    const told = [];
    const add = (sentence, values = {}) => told.push(...say(sentence, values), " ");
    if (parts === i) {
      add(words.other, { full: full.ahead, thin: thin.ahead });
    } else if (i < prompt - 1) add(words.reading, { step: i + 1, prompt });
    else if (parts !== null && i > parts) add(words.apart);
    else if (i === steps - 1) add(words.never);
    else if (i === prompt - 1) add(words.same, { word: full.next[i] });
    else add(words.together);
    const before = i ? thin.kept.row(i - 1) : [];
    const now = thin.kept.row(i);
    const going = [...before.keys()].filter((j) => before[j] && !now[j]);
    if (going.length === 1) add(words.gone_one, { token: thin.labels[going[0]] });
    else if (going.length) add(words.gone_many, { count: going.length });
    else if (rows("thin", i) === i + 1) add(words.none_yet);
    if (rows("thin", i) < i + 1) {
      add(thin.lost[i] > LITTLE ? words.lost : words.lost_none, { lost: percent(thin.lost[i]) });
    }
    const weights = thin.weights.row(i);
    const most = weights.indexOf(Math.max(...weights));
    add(words.read_most, { token: thin.labels[most], weight: percent(weights[most]) });
    return told;
  }

  const said = () => {
    const i = at();
    const values = { step: i + 1, token: scene.thin.labels[i], rows: rows("thin", i), all: i + 1 };
    return stepper.playing ? "" : fill(scene.words.said, values) + stage.told.textContent;
  };

  function createSteps() {
    stepper?.destroy();
    stepper = createStepper(stage, {
      stages: Array.from({ length: scene.steps }, (_, i) => ({ name: `word ${i + 1}`, show: paint })),
      param: "step",
      small: true,
      name: () => scene.key,
      pace: () => STEP_MS,
      ending: () => scene.words.ending,
      question: ({ stage: step }) => questionOf(scene.questions, {}, scene.asked[step]),
      said,
    });
  }

  const key = (kind, text) => el("span", {}, el(`i.key.${kind}`), text);

  return {
    update(data, kit) {
      const before = scene;
      scene = data;
      if (before && !kit.fresh) {
        for (const name of ["full", "thin"]) panels[name].load(data[name], data);
        return stepper.show();
      }
      const { words } = data;
      root.setAttribute("aria-label", words.label);
      stage.rail.setAttribute("aria-label", words.rail);
      heading.textContent = words.heading;
      lead.replaceChildren(...say(words.lead, { layer: data.layer, head: data.head, rule: data.rule }));
      slider.firstElementChild.textContent = words.scrub;
      scrub.max = String(data.steps);
      legend.replaceChildren(
        key("fresh-key", words.legend_fresh),
        key("cached-key", words.legend_cached),
        key("empty-key", words.legend_gone),
        key("different-key", words.legend_parted),
        key("bar-key", words.legend_weight),
        key("bar-key.missed", words.legend_missed),
      );
      panels.full.load(data.full, data, words.full);
      panels.thin.load(data.thin, data, data.title);
      room.measure();
      if (before?.key === data.key && before.revision === data.revision) return stepper.show();
      const kept = before && before.revision === data.revision ? stepper.place.stage : 0;
      const first = !before && inAddress("step") === null;
      createSteps();
      const start = kept || data.step || Math.max(1, Math.min(data.prompt, data.budget ?? data.prompt) - 3);
      stepper.show({ lap: 0, stage: Math.min(data.steps, start) });
      if (first) stepper.demonstrate();
    },
    destroy() {
      stepper?.destroy();
      room.destroy();
      root.replaceChildren();
    },
  };
}
