// The code that is running: one step, line by line, with the cache and without it at the same time.

import { meter } from "../web/counts.js";
import { el } from "../web/dom.js";
import { readable, tabStop } from "../web/reading.js";
import { createStepper } from "../web/stepper.js";
import { door } from "../web/way.js";
import { fill, say } from "../web/words.js";
import { createListing } from "./listing.js";
import { describe, showValue } from "./values.js";

const LEAST_TALL = 260; // of the code, in px
const BELOW = 20;
const NARROW = 860; // from here on the words stand beside the code

/** The run and what is said of it whatever ran: each stop with its words, each line of the source with its mark. */
function whole(data) {
  const stops = data.stops.map((stop) => ({ ...(data.line[stop.key] ?? data.line.other), ...stop }));
  const files = data.files.map((file) => {
    const ran = Object.entries(data.ran[file.module]);
    const lines = file.lines.map((line) => {
      const at = stops.findLastIndex(
        ({ module, first, last }) => module === file.module && first <= line.n && line.n <= last,
      );
      return {
        ...line,
        ran: ran.find(([, marked]) => marked.includes(line.n))?.[0],
        ...(at >= 0 && { stop: at }),
      };
    });
    return { ...file, lines };
  });
  return { ...data, stops, files };
}

export function createRun(stage) {
  let scene = null; // what Python sent
  let listing = null;
  let stepper = null;
  let send = null;
  let asked = "";

  const head = el("div.code-head");
  const foot = el("div.legend");
  const frame = el("div.code");
  stage.picture.append(head, frame, foot);
  const reading = readable(stage.told, {
    tip: stage.tip,
    live: stage.live,
    describe: (cell, col) => describe(cell, col, scene.stops[stepper.place.stage - 1], scene),
  });

  // ---- what is told of a line ------------------------------------------------------------------------

  const write = (tag, template, values = scene.values) =>
    template ? el(tag, {}, ...say(template, values)) : null;

  function tell({ stage: at }) {
    const stop = scene.stops[at - 1];
    const where = `${stop.module.replace(".", "/")}.py, line ${stop.first}`;
    const [cached, naive] = stop.mult;
    const cost =
      cached || naive ? meter(costOf(stop), [cached, naive ?? 0]) : el("p.quiet", {}, scene.words.no_cost);
    stage.told.replaceChildren(
      el(
        "section.words",
        {},
        el("p.over", {}, `Line ${at} of ${scene.stops.length}`, el("span.quiet", {}, ` · ${where}`)),
        el("h2", {}, stop.title),
        write("p.focus", stop.focus),
      ),
      el(
        "section.values",
        { "data-many": String(stop.values.length) },
        el("div.sides.heads", {}, el("b", {}, "with the cache"), el("b", {}, "without")),
        ...stop.values.map((value) => showValue(value, scene)),
      ),
      el(
        "section.count",
        {},
        write("p.needed", stop.why),
        cost,
        stop.stage ? toWalkthrough(stop.stage) : null,
      ),
    );
    tabStop(stage.told);
  }

  /** The stage that shows this, of the same token: the last one is about the token behind its own. */
  function toWalkthrough(n) {
    const at = Math.max(1, scene.token - (n === 5 ? 1 : 0));
    const least = at < scene.prompt_length - 1 ? at : scene.length;
    const params = { ...(least && { length: String(least) }), token: String(at), stage: String(n) };
    return door("a.door", "walkthrough", { params }, fill(scene.words.walkthrough, { stage: String(n) }));
  }

  function costOf(stop) {
    if (stop.inside) return scene.words.inside;
    return stop.times > 1 ? fill(scene.words.in_layer, scene.values) : scene.words.in_step;
  }

  function showHead() {
    const { texts, values } = scene;
    stage.text.replaceChildren(...say(scene.words.lead, values));
    const so = texts.slice(Math.max(1, texts.length - 24), -1).join("");
    head.replaceChildren(
      listing.tabs,
      el(
        "p.so",
        { title: texts.slice(1).join("") },
        el("span", {}, so),
        el("b.fresh-word", {}, texts.at(-1)),
        el("span.quiet", {}, ` → ${values.next}`),
      ),
      stage.rail,
    );
    const key = (name, words) => el("span", {}, el(`i.ran.${name}`), words);
    const { legend } = scene.words;
    foot.replaceChildren(
      key("cached", legend.cached),
      key("never", legend.never),
      el(
        "span.colours",
        {},
        ...["fresh", "cached", "again", "masked"].map((name) =>
          el("span", {}, el(`i.key.${name}-key`), legend[`${name}_key`]),
        ),
      ),
    );
  }

  // ---- the stepper -----------------------------------------------------------------------------------

  function show(place) {
    reading.hide();
    listing.show(place.stage);
    tell(place);
  }

  function ask({ lap }) {
    const request = `${scene.walk} ${scene.revision} ${lap}`;
    if (request === asked) return;
    asked = request;
    send("at", { walk: scene.walk, revision: scene.revision, token: lap });
  }

  function createSteps() {
    stepper = createStepper(stage, {
      stages: scene.stops.map((stop) => ({ name: stop.title, show })),
      param: "line",
      lapParam: "token",
      lapName: "token",
      stageName: "line",
      small: true,
      name: () => scene.walk,
      exists: ({ lap, stage: at }) =>
        lap >= 1 && lap < scene.max_seq_len && at >= 1 && at <= scene.stops.length,
      ready: ({ lap }) => lap === scene.token,
      ask,
      question({ stage: at }) {
        const { question, options, answer } = scene.stops[at - 1];
        if (!question || scene.token < 2) return null; // with one token before it the answers are the same
        return {
          text: fill(question, scene.values),
          options: options.map(({ text, why }) => ({
            text: fill(text, scene.values),
            why: fill(why, scene.values),
          })),
          answer,
        };
      },
      said({ stage: at }) {
        const stop = scene.stops[at - 1];
        const made = stop.values.map(({ name, cached, naive }) => {
          const of = (side) =>
            side.text ?? side.shape?.join(" by ") ?? `${side.labels.length + side.more} tokens`;
          return `${name}: ${of(cached)}${naive ? `; without the cache ${of(naive)}` : ""}.`;
        });
        const told = [stop.focus, stop.why ?? ""].map((text) => fill(text, scene.values));
        return `${stop.title}. ${told.join(" ")} ${made.join(" ")}`;
      },
      ending: () => scene.words.ending,
      also: () => ({ stage: null, at: null }), // once there is a line, it says where we are
    });
  }

  return {
    update(sent, kit, before) {
      const data = whole(sent);
      scene = data;
      send = kit.send;
      const same = before?.id === data.id;
      if (!same) {
        listing = createListing(data, scene.words.legend, (at) =>
          stepper.go({ lap: scene.token, stage: at }),
        );
        frame.replaceChildren(listing.panel);
      }
      if (!stepper || before?.stops.length !== data.stops.length) {
        stepper?.destroy();
        createSteps();
      }
      showHead();
      if (stepper.arrived()) return;
      const moved = before?.revision !== data.revision || before?.walk !== data.walk;
      const at = Math.min(stepper.place.stage, data.stops.length);
      stepper.show(moved ? data.at : { lap: data.token, stage: at });
    },
    /** The code takes the height that is left of the window. */
    fit({ width, phone, height }) {
      const used = head.offsetHeight + foot.offsetHeight + BELOW;
      const beside = width >= NARROW;
      const tall = beside ? Math.max(LEAST_TALL, height - used) : phone ? 140 : 320;
      frame.style.setProperty("--tall", `${tall}px`);
      if (stepper) listing.show(stepper.place.stage);
    },
    destroy: () => stepper?.destroy(),
  };
}
