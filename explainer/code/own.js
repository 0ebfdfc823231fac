// Write it yourself: a cache in twelve lines, the usual bugs as changes to it, and what each of them did.

import { el, tiny } from "../web/dom.js";
import { createStepper } from "../web/stepper.js";
import { fill, say } from "../web/words.js";
import { codeOf, copyButton, textOf } from "./listing.js";

const MARKS = { "-": "removed", "+": "added" };
const LEAST_TALL = 280;
const BELOW = 20;
const NARROW = 860; // from here on the words stand beside the text

export function createOwn(stage) {
  let scene = null; // what Python sent
  let stepper = null;
  let send = null;
  let asked = "";

  const head = el("div.code-head");
  const frame = el("div.code");
  const panel = el("section.panel.own", { tabindex: "0", "aria-label": "The text" });
  frame.append(panel);
  stage.picture.append(head, frame);

  const now = () => scene.changes[stepper.place.stage - 1];
  const ready = ({ stage: at }) => Boolean(scene.changes[at - 1].rows);

  // ---- the picture and what is told of it ------------------------------------------------------------

  /** The text to copy: what is shown, without the lines that were replaced. */
  const copied = ({ code }) =>
    code.filter(([mark]) => mark !== "-").map(([, line]) => `${textOf(scene.lines[line])}\n`);

  function showCode({ code }) {
    const base = scene.changes[0].code.length;
    head.replaceChildren(
      el("code.file-name", {}, scene.words.own.file),
      el("span.quiet", {}, fill(scene.words.own.copy_note, { lines: String(base) })),
      copyButton(() => copied(now()).join(""), stage.live),
    );
    let n = 0;
    const lines = code.map(([mark, line]) => {
      if (mark !== "-") n += 1;
      const node = el(
        "div.l",
        {},
        el("span.no", {}, mark === "-" ? "" : String(n)),
        el("span.mark", { "aria-hidden": "true" }, mark.replace("-", "−")),
        mark ? el("span.sr", {}, `${MARKS[mark]}: `) : null,
        codeOf(scene.lines[line]),
      );
      if (mark) node.classList.add(MARKS[mark]);
      return node;
    });
    panel.replaceChildren(...lines);
    toChange();
  }

  /** Bring the first changed line into sight. */
  function toChange() {
    const first = /** @type {HTMLElement} */ (panel.querySelector(".removed, .added"));
    panel.scrollTop = first ? Math.max(0, first.offsetTop - panel.clientHeight * 0.3) : 0;
  }

  function tell({ stage: at }) {
    const change = now();
    const { own } = scene.words;
    const fact = (name, value) => el("div", {}, el("dt", {}, name), el("dd", {}, value));
    const verdict = el(`p.verdict.${change.verdict}`, {}, fill(own[change.verdict], change.values));
    const facts = el(
      "dl.facts",
      {},
      fact(own.memory, fill(own[change.memory], change.values)),
      change.appending ? fact(fill(own.appending, change.values), fill(own.times, change.values)) : null,
      fact(own.check, el("code", {}, change.printed.split("\n")[0])),
    );
    stage.told.replaceChildren(
      el(
        "section.words",
        {},
        el("p.over", {}, `${at} of ${scene.changes.length}`, el("span.quiet", {}, ` · ${change.name}`)),
        el("h2", {}, change.title),
        el("p.focus", {}, ...say(change.focus, change.values)),
        change.note ? el("p.quiet", {}, fill(own[change.note], change.values)) : null,
      ),
      el("section.outcome", { "data-verdict": change.verdict }, verdict, table(change)),
      el("section.count", {}, facts),
    );
  }

  function table({ rows, values }) {
    const { own } = scene.words;
    const lines = rows.map(({ written, right, same, difference }, i) => {
      const off = difference > scene.tolerance;
      return el(
        "tr",
        { "data-same": String(same) },
        el("th", { scope: "row" }, String(i + 1)),
        el("td.written", {}, same ? "" : el("span.sr", {}, "other: "), written),
        el("td", {}, right),
        el(off ? "td.off" : "td", {}, off ? difference.toFixed(1) : tiny(difference)),
      );
    });
    return el(
      "div",
      {},
      el(
        "table",
        {},
        el("caption.sr", {}, own.table_caption),
        el("thead", {}, el("tr", {}, el("td"), ...own.table.map((name) => el("th", { scope: "col" }, name)))),
        el("tbody", {}, ...lines),
      ),
      el("p.quiet.table-note", {}, fill(own.table_note, values)),
    );
  }

  function show(place) {
    showCode(now());
    tell(place);
  }

  // ---- the stepper -----------------------------------------------------------------------------------

  function ask({ stage: change }) {
    const request = `${scene.walk} ${change}`;
    if (request === asked) return;
    asked = request;
    send("try", { walk: scene.walk, change });
  }

  function createSteps() {
    stepper = createStepper(stage, {
      stages: scene.changes.map(({ name, title }) => ({ name, title, show })),
      param: "change",
      stageName: "change",
      name: () => scene.walk,
      ready,
      ask,
      question({ stage: at }) {
        const { question, options, answer } = scene.changes[at - 1];
        return question ? { text: question, options, answer } : null;
      },
      said({ stage: at }) {
        const { title, focus, values, verdict } = scene.changes[at - 1];
        return `${title}. ${fill(focus, values)} ${fill(scene.words.own[verdict], values)}`;
      },
    });
  }

  return {
    update(data, kit, before) {
      scene = data;
      send = kit.send;
      stage.text.replaceChildren(scene.words.own.lead);
      if (!stepper) createSteps();
      if (stepper.arrived()) return;
      const place = before?.revision !== data.revision ? data.at : stepper.place;
      if (ready(place)) stepper.show(place);
      else stepper.go(place);
    },
    fit({ width, phone, height }) {
      const beside = width >= NARROW;
      const tall = beside ? Math.max(LEAST_TALL, height - head.offsetHeight - BELOW) : phone ? 300 : 380;
      frame.style.setProperty("--tall", `${tall}px`);
      toChange();
    },
    destroy: () => stepper?.destroy(),
  };
}
