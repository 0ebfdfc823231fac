// Prompt caching: five parts, each drawn when it is opened from what Python sends of it then.

import { questionOf } from "../web/asking.js";
import { el } from "../web/dom.js";
import { createStage, onRoom } from "../web/stage.js";
import { createStepper } from "../web/stepper.js";
import { say } from "../web/words.js";
import { createDocuments } from "./documents.js";
import { createMachines } from "./machines.js";
import { createMistakes } from "./mistakes.js";
import { createPrices } from "./prices.js";
import { createRequests } from "./requests.js";

const MAKE = {
  requests: createRequests,
  mistakes: createMistakes,
  documents: createDocuments,
  prices: createPrices,
  machines: createMachines,
};

/**
 * @typedef {Object} Around what a part gets
 * @property {() => any} words of words.toml
 * @property {(kind: string, more?: Object<string, any>) => void} act have Python do something
 * @property {(part: number, wrong: number) => void} want have Python send something
 * @property {(what: Object<string, any>) => void} look have Python see to what comes later
 * @property {() => string} stamp what the bodies were made of
 * @property {() => void} write the address has to say something else
 * @property {(text: string) => void} hear have it read aloud, unless a question is open
 * @property {HTMLElement} live what is put there is read aloud
 * @property {any} tip
 */

export default function promptCaching(root) {
  let scene = null; // what Python sent last
  let stepper = null;
  let send = null;
  let stamp = ""; // what the bodies were made of
  let asked = ""; // what Python was asked for last
  let busy = false; // the learner has asked for something, and Python has not answered
  const bodies = new Map(); // by part
  const panels = new Map(); // by part

  const stage = createStage(root, {
    label: "Prompt caching",
    heading: "",
    rail: "Parts",
    terms: () => scene.terms,
  });
  const heading = root.querySelector("h1");
  heading.classList.remove("sr");
  const lead = el("p.lead", { "data-tells": "" });
  heading.dataset.tells = "";
  const line = root.querySelector(".text-line");
  line.prepend(el("div", {}, heading, lead));
  stage.text.remove();
  line.before(stage.rail);
  stage.picture.before(stage.asking.parentElement); // a question stands in sight, above what it covers
  const unfold = root.querySelector(".unfold");
  // The controls wait behind this button: Python draws them when it is pressed (explainer/frame.py).
  root.classList.add("folded");
  unfold.addEventListener("click", () => {
    root.classList.remove("folded");
    send("controls", true);
  });
  const room = onRoom(root, stage.picture, () => {});

  /** @type {Around} */
  const around = {
    words: () => scene.words,
    act(kind, more = {}) {
      busy = true;
      root.classList.add("waiting");
      send("act", { kind, ...more, at: Date.now() }); // the time makes it another message
    },
    want(part, wrong) {
      asked = `${part} ${wrong} ${stamp}`;
      busy = true;
      root.classList.add("waiting");
      send("want", { part, wrong, revision: scene.revision, at: Date.now() });
    },
    look(what) {
      // Of two states that are set in one moment Streamlit may keep the second alone. The first is the learner's;
      // when it was heard, there is an update, and what is still to come is asked for again.
      if (busy) return;
      const [part, wrong] = placeOf(stepper.place);
      send("want", { part, wrong, ...what, revision: scene.revision, at: Date.now() });
    },
    stamp: () => stamp,
    write: () => stepper?.write(),
    hear(text) {
      if (!("asking" in root.dataset)) stage.live.textContent = text; // it would tell the answer
    },
    live: stage.live,
    tip: stage.tip,
  };

  const nameOf = (part) => scene.parts[part - 1];

  function panel(name) {
    if (!panels.has(name)) panels.set(name, MAKE[name](around, scene));
    return panels.get(name);
  }

  function show({ stage: part }) {
    const name = nameOf(part);
    const words = scene.words[name];
    const body = bodies.get(name);
    heading.textContent = words.title;
    const { values, text = words.lead } = body?.lead ?? { values: {} };
    if (body) lead.replaceChildren(...say(text, { ...body.values, ...values }));
    if (!body) return (lead.replaceChildren(scene.words.waiting), stage.picture.replaceChildren());
    const shown = panel(name);
    shown.show(body);
    if (stage.picture.firstElementChild !== shown.node) stage.picture.replaceChildren(shown.node);
  }

  const ready = ({ stage: part }) => bodies.has(nameOf(part));
  const placeOf = ({ stage: part }) => [part, panels.get("mistakes")?.wrong ?? scene.wrong];

  function ask(place) {
    const [part, wrong] = placeOf(place);
    if (asked !== `${part} ${wrong} ${stamp}`) around.want(part, wrong);
  }

  function createSteps() {
    stepper = createStepper(stage, {
      stages: scene.parts.map((name) => ({ name: scene.words.part[name], show })),
      param: "part",
      stageName: "part",
      also: () => ({ wrong: panels.get("mistakes")?.wrong ?? (scene.wrong > 1 ? scene.wrong : null) }),
      name: () => stamp,
      ready,
      ask,
      question: ({ stage: part }) => questionOf(scene.words.ask, {}, bodies.get(nameOf(part))?.asked ?? null),
      // Of the requests what the last one did, of the documents what all of them take.
      present: () => ({
        line: [
          stage.picture.querySelector(":is(.requests, .documents) .line")?.textContent || heading.textContent,
        ],
        say: lead.textContent,
      }),
      said: () => `${heading.textContent} ${lead.textContent}`,
    });
  }

  function update(data, kit) {
    const before = scene;
    send = kit.send;
    scene = data;
    if (!kit.fresh && before) return; // only the colours have changed
    busy = false;
    root.classList.remove("waiting");
    unfold.textContent = data.words.model;
    if (stamp !== data.stamp) bodies.clear();
    stamp = data.stamp;
    asked = "";
    bodies.set(data.part, data.body);
    if (!stepper) createSteps();
    const moved = before?.revision !== data.revision;
    if (moved) return stepper.show(data.at);
    if (stepper.arrived()) return;
    if (ready(stepper.place)) stepper.show();
    else ask(stepper.place);
  }

  return {
    update,
    destroy() {
      stepper?.destroy();
      room.destroy();
    },
  };
}
