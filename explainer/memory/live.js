// The cache now: a slab a token, the bytes of the very tensors, and the formula with factors to drag.

import { questionOf } from "../web/asking.js";
import { fullShade } from "../web/cells.js";
import { el, whole } from "../web/dom.js";
import { createStage, headed, onRoom } from "../web/stage.js";
import { createStepper } from "../web/stepper.js";
import { fill, say } from "../web/words.js";
import { createHandles, factorsOf } from "./handles.js";
import { readBlocks } from "./reading.js";
import { parseShape, shapeSaid, tokenBytes } from "./sizes.js";
import { tensorProof } from "./tensor_proof.js";
import { createVolume } from "./volume.js";

const WORD_MS = 650; // while the text grows by itself
const ASKED = new Set([2, 10]); // steps before which there is a question
const LEAST = 190; // px of the volume

/** @param {HTMLElement} root */
export default function live(root) {
  let scene = null; // what Python sent
  let stepper = null;
  let handles = null;
  let send = null;
  let shape = null; // what was dragged to, or null for the running model
  let full = 1; // the strength that gets the full shade

  const stage = createStage(root, { label: "", heading: "", rail: "", terms: () => scene.terms });
  const { heading, lead } = headed(root);
  root.querySelector(".text-line").append(stage.rail);
  const volume = createVolume();
  const knobs = Object.fromEntries(
    ["tokens", "layers", "heads"].map((name) => [name, el(`div.knob.${name}`, { "aria-hidden": "true" })]),
  );
  volume.node.append(...Object.values(knobs));
  const legend = el("div.legend");
  const factors = el("div.formula-row");
  stage.picture.append(volume.node, legend, factors);
  const sized = new ResizeObserver(() => stepper && paint()); // before a class it has what the rest leaves
  sized.observe(volume.node);
  const room = onRoom(root, stage.picture, fit);
  readBlocks(volume, stage, () => ({ scene, of: now(), dragged: Boolean(shape) }));

  // ---- what is shown ---------------------------------------------------------------------------------

  const grown = () => stepper.place.stage - 1;
  const running = () => ({ ...scene.own, tokens: scene.prompt_length + grown(), fmt: "fp32" });
  const now = () => shape ?? running();

  const bytesOf = (of) => of.batch * of.tokens * tokenBytes(of, scene.formats);

  function drawn() {
    const of = now();
    const { strength, own, labels, room: places, prompt_length } = scene;
    const [, heads, columns] = strength.shape;
    const isOwn = !shape;
    return {
      layers: of.layers,
      heads: of.heads,
      tokens: of.tokens,
      room: isOwn ? places : of.tokens,
      fresh: isOwn ? (grown() ? 1 : prompt_length) : 0,
      empty: !isOwn,
      names: isOwn || of.tokens <= places ? labels : [],
      strength: isOwn
        ? (l, h, t) => Math.min(1, strength.data[(l * heads + h) * columns + t] / full)
        : () => 0,
      words: scene.words,
      own,
    };
  }

  function paint() {
    const picture = drawn();
    volume.draw(picture);
    volume.mark(null, 0);
    stage.tip.hide();
    placeKnobs(picture);
    const of = now();
    handles.show(of, bytesOf(of));
    volume.canvas.setAttribute(
      "aria-label",
      fill(scene.words.picture, { tokens: whole(of.tokens), layers: of.layers, heads: of.heads }),
    );
    const { words } = scene;
    legend.replaceChildren(
      ...(shape
        ? [key("empty-key", words.legend.allocated)]
        : [
            key("fresh-key", words.legend.fresh),
            grown() ? key("cached-key", words.legend.cached) : null,
            key("empty-key", words.legend.empty),
          ]
      ).filter(Boolean),
      el("span.quiet", {}, of.batch > 1 ? fill(words.sequences, { batch: of.batch }) : words.drag),
    );
    tellText();
    tell(of);
  }

  const key = (kind, text) => el("span", {}, el(`i.key.${kind}`), text);

  function placeKnobs({ tokens }) {
    const { x, y, cell, row, dx, dy, layers, heads } = volume.at;
    const put = (name, left, top) => Object.assign(knobs[name].style, { left: `${left}px`, top: `${top}px` });
    put("tokens", x + cell * tokens + (dx * heads) / 2, y + (row * layers) / 2 - (dy * heads) / 2);
    put("layers", x, y);
    put("heads", x + dx * heads, y - dy * heads);
  }

  function tellText() {
    const { texts, prompt_length: n } = scene;
    const end = n + grown();
    const start = texts[0] === "(start)" ? 1 : 0;
    const given = texts.slice(start, n).join("");
    const own = texts.slice(n, end);
    const newest = own.pop();
    stage.text.replaceChildren(
      el(
        "span.so-far",
        {},
        el("span.given", {}, given),
        ...own.map((text) => el("span", {}, text)),
        newest === undefined ? "" : el("b.fresh-word", {}, newest),
      ),
    );
  }

  function tell(of) {
    const { words, labels } = scene;
    const bytes = bytesOf(of);
    const values = {
      n: whole(of.tokens),
      token: labels[of.tokens - 1] ?? "",
      token_bytes: whole(tokenBytes(of, scene.formats)),
    };
    const sentence = shape ? words.shaped : grown() ? words.step : words.prefill;
    stage.told.replaceChildren(
      el(
        "div.words",
        {},
        el(
          "h2",
          {},
          `${whole(of.tokens)} ${of.tokens === 1 ? words.slab : words.slabs}, ${whole(bytes)} bytes`,
        ),
        el("p.focus", {}, ...say(sentence, values)),
      ),
      tensorProof({ scene, of, formula: bytes, dragged: shape && shapeSaid(of), grown: grown(), back }),
    );
  }

  function back() {
    shape = null;
    stepper.write();
    paint();
    /** @type {HTMLElement} */ (factors.querySelector("[role=slider]")).focus();
  }

  // ---- dragging --------------------------------------------------------------------------------------

  function change(name, value) {
    stepper.stop();
    const { own, prompt_length: n, used } = scene;
    const to = { ...now(), [name]: value };
    const isOwn = to.fmt === "fp32" && Object.entries(own).every(([of, is]) => to[of] === is);
    const stageOf = to.tokens - n + 1;
    shape = to;
    if (isOwn && stageOf >= 1 && stageOf <= used.length) {
      shape = null;
      if (stageOf !== stepper.place.stage) return stepper.show({ lap: 0, stage: stageOf });
    }
    paint();
  }

  function settled() {
    stepper.write();
    if (shape && scene.measured?.said !== shapeSaid(shape)) send("shape", shapeSaid(shape));
  }

  function createFactors() {
    const { words } = scene;
    handles = createHandles(factorsOf(scene, now), { change, settled });
    const two = el("div.fixed", {}, el("b", {}, "2"), el("small", {}, words.factor.kv));
    factors.replaceChildren(handles.node(two));
    handles.draggable(
      knobs.tokens,
      "tokens",
      (event) => event.clientX,
      () => Math.max(3, volume.at.cell),
    );
    handles.draggable(
      knobs.layers,
      "layers",
      (event) => -event.clientY,
      () => 22,
    );
    handles.draggable(
      knobs.heads,
      "heads",
      (event) => event.clientX - event.clientY,
      () => 26,
    );
  }

  // ---- the room, and Python's side -------------------------------------------------------------------

  function fit({ height, wide, phone }) {
    if (!scene || !stepper) return;
    const below = factors.offsetHeight + legend.offsetHeight + 40;
    const told = wide ? 0 : phone ? 260 : 190;
    const tall = Math.max(LEAST, Math.min(620, height - below - told));
    volume.node.style.height = `${tall}px`;
    paint();
  }

  function createSteps() {
    const stages = scene.used.map((_, i) => ({
      name: `${scene.prompt_length + i} ${scene.words.tokens}`,
      show: paint,
    }));
    stepper = createStepper(stage, {
      stages,
      param: "grown",
      also: () => ({ shape: shape ? shapeSaid(shape) : null }),
      small: true,
      name: () => scene.key,
      pace: () => WORD_MS,
      near() {
        if (!shape) return;
        shape = null; // a step is the running model's
        paint();
        stepper.write();
      },
      question: ({ stage: to }) =>
        ASKED.has(to)
          ? questionOf(
              scene.words.question,
              { ...scene.questions[to - 2].values },
              scene.questions[to - 2].asked,
            )
          : null,
      ending: () => scene.words.ending,
      said: () => (stepper.playing ? "" : stage.told.textContent),
    });
  }

  return {
    update(data, kit) {
      const before = scene;
      send = kit.send;
      scene = data;
      if (!kit.fresh && before) return paint(); // only the colours have changed
      const sameText = before?.key === data.key;
      full = fullShade(data.strength.data);
      if (!before) {
        root.setAttribute("aria-label", data.words.label);
        heading.textContent = data.words.heading;
        stage.rail.setAttribute("aria-label", data.words.rail);
      }
      if (!sameText) {
        lead.replaceChildren(...say(data.words.lead, {}));
        stepper?.destroy();
        stepper = null;
        createSteps();
        createFactors();
      }
      if (before?.revision !== data.revision)
        shape = data.shape ? parseShape(data.shape, data.formats) : null;
      else if (!sameText) shape = null;
      if (sameText && before?.revision === data.revision) return stepper.arrived() || paint();
      const first = data.grown === 0 && !shape;
      stepper.show({ lap: 0, stage: first || (!sameText && before) ? 1 : Math.max(1, data.grown) });
      room.measure();
      fit(sizeOf());
      if (first) stepper.demonstrate();
    },
    destroy() {
      sized.disconnect();
      stepper?.destroy();
      room.destroy();
    },
  };

  function sizeOf() {
    const scrolled = document.querySelector("[data-testid=stMain]")?.scrollTop ?? 0;
    return {
      height: innerHeight - stage.picture.getBoundingClientRect().top - scrolled,
      wide: root.classList.contains("wide"),
      phone: root.classList.contains("phone"),
    };
  }
}
