// Many texts in one memory: rows reserved for the longest, and blocks that are handed out, step by step.

import { questionOf } from "../web/asking.js";
import { el, svg, whole } from "../web/dom.js";
import { createStage, headed, onRoom } from "../web/stage.js";
import { createStepper } from "../web/stepper.js";
import { fill, say } from "../web/words.js";

const NOBODY = 255;
const NOWHERE = 65_535;
const LINE = 26; // px of a line of the memory
const GAP = 5;
const STEP_MS = 350;

/** A letter for each request. */
export const letter = (i) => String.fromCharCode(65 + i);

/** @param {HTMLElement} root */
export default function blocks(root) {
  let scene = null;
  let stepper = null;

  const stage = createStage(root, { label: "", heading: "", rail: "", terms: () => scene.terms });
  const { heading, lead } = headed(root);
  stage.text.remove();
  const panels = Object.fromEntries(
    ["rows", "paged"].map((name) => [
      name,
      {
        title: el("h2"),
        canvas: el("canvas", { role: "img" }),
        used: el("p"),
        running: el("p.quiet"),
        node: el(`section.memory.${name}`),
      },
    ]),
  );
  for (const { node, title, canvas, used, running } of Object.values(panels)) {
    node.append(title, canvas, used, running);
  }
  const scrub = el("input", { type: "range", min: "1" });
  const step = el("output");
  const slider = el("label.scrub", {}, el("span.quiet"), scrub, step);
  const legend = el("div.legend");
  const curve = el("figure.curve");
  const proof = el("p.proof");
  const changes = el("p", { "data-tells": "" });
  stage.rail.after(slider);
  stage.picture.before(stage.asking.parentElement); // a question stands in sight, above what it covers
  stage.picture.append(
    el("div.memories", {}, ...Object.values(panels).map(({ node }) => node)),
    legend,
    curve,
    changes,
    proof,
  );
  scrub.oninput = () => {
    stepper.stop();
    stepper.go({ lap: 0, stage: Number(scrub.value) });
  };
  const room = onRoom(root, stage.picture, () => stepper && paint());

  const at = () => stepper.place.stage - 1;
  /** A run that is over stays as it ended. */
  const index = (name) => Math.min(at(), scene[name].used.length - 1);

  function share(name, i) {
    const { used, reserved } = scene[name];
    return reserved[i] ? used[i] / reserved[i] : null;
  }
  const wasted = (name) => {
    const of = share(name, index(name));
    return of === null ? "0%" : `${Math.round(100 * (1 - of))}%`;
  };

  function paint() {
    for (const name of ["rows", "paged"]) {
      drawMemory(name);
      const { words } = scene;
      const i = index(name);
      const run = scene[name];
      panels[name].used.textContent = run.reserved[i]
        ? fill(words.used, {
            used: whole(run.used[i]),
            reserved: whole(run.reserved[i]),
            wasted: wasted(name),
          })
        : words.none;
      const counts = { running: run.running[i], waiting: run.waiting[i], finished: run.finished[i] };
      const back = run.put_back[i] ? fill(words.put_back, { put_back: run.put_back[i] }) : "";
      const over = at() >= run.used.length - 1;
      panels[name].running.textContent = over
        ? fill(words.ends, { steps: whole(run.used.length - 1) }) + back
        : fill(words.running, counts) + back;
      panels[name].canvas.setAttribute(
        "aria-label",
        `${panels[name].title.textContent}. ${panels[name].used.textContent}`,
      );
    }
    scrub.value = String(at() + 1);
    step.textContent = fill(scene.words.of_step, { step: at(), last: scene.steps - 1 });
    drawCurve();
    stage.told.replaceChildren();
  }

  function drawMemory(name) {
    const { canvas, node } = panels[name];
    const { places, row, block } = scene;
    const width = node.clientWidth;
    if (!width) return;
    const lines = Math.ceil(places / row);
    const height = lines * (LINE + GAP);
    const ratio = devicePixelRatio || 1;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    canvas.style.height = `${height}px`;
    const c = canvas.getContext("2d");
    c.scale(ratio, ratio);
    const style = getComputedStyle(node);
    const [blue, orange, ink, muted, line] = ["--blue", "--orange", "--ink", "--muted", "--line"].map((v) =>
      style.getPropertyValue(v).trim(),
    );
    const cell = width / row;
    c.font = `600 12px ${style.fontFamily}`;
    c.textBaseline = "middle";
    /** Boxes of places from `start` on, over the ends of lines. */
    function span(start, length, each) {
      for (let from = start; from < start + length;) {
        const end = Math.min(start + length, (Math.floor(from / row) + 1) * row);
        each((from % row) * cell, Math.floor(from / row) * (LINE + GAP), (end - from) * cell);
        from = end;
      }
    }
    c.strokeStyle = line;
    const whole_rows = name === "rows" ? row : block;
    for (let start = 0; start + whole_rows <= places; start += whole_rows) {
      span(start, whole_rows, (x, y, w) => c.strokeRect(x + 1, y + 0.5, w - 2, LINE - 1));
    }
    const i = index(name);
    const before = i && at() < scene[name].used.length ? scene[name].tokens.row(i - 1) : null;
    const tokens = scene[name].tokens.row(i);
    /** One stretch of a request: places held, places with a token, of them new. */
    function held(request, start, length, filled, fresh) {
      c.strokeStyle = muted;
      c.setLineDash([3, 3]);
      span(start, length, (x, y, w) => c.strokeRect(x + 1.5, y + 1, w - 3, LINE - 2));
      c.setLineDash([]);
      c.fillStyle = blue;
      span(start, filled - fresh, (x, y, w) => c.fillRect(x + 1, y + 0.5, Math.max(1, w - 1), LINE - 1));
      c.fillStyle = orange;
      if (fresh) {
        span(start + filled - fresh, fresh, (x, y, w) =>
          c.fillRect(x, y + 0.5, Math.max(2, w - 0.5), LINE - 1),
        );
      }
      c.fillStyle = ink;
      span(start, 1, (x, y) => c.fillText(letter(request), x + 5, y + LINE / 2));
    }
    scene.requests.forEach((_, request) => {
      const fresh = before ? Math.max(0, tokens[request] - before[request]) : tokens[request];
      if (name === "rows") {
        const start = scene.rows.start.row(i)[request];
        if (start !== NOWHERE) held(request, start, row, tokens[request], fresh);
        return;
      }
      const last = scene.paged.last.row(i)[request];
      if (last === NOWHERE) return;
      const rest = tokens[request] % block || block;
      const owner = scene.paged.owner.row(i);
      owner.forEach((of, b) => {
        if (of !== request || of === NOBODY) return;
        const filled = b === last ? rest : block;
        const all = fresh > 1 ? filled : b === last ? fresh : 0;
        held(request, b * block, block, filled, Math.min(all, filled));
      });
    });
  }

  function drawCurve() {
    const width = Math.max(300, curve.clientWidth);
    const tall = 92;
    const left = 46;
    const x = (i) => left + ((width - left - 8) * i) / Math.max(1, scene.steps - 1);
    const y = (of) => 8 + (tall - 26) * (1 - of);
    const path = (name) => {
      let d = "";
      scene[name].used.forEach((_, i) => {
        const of = share(name, i);
        if (of === null) return;
        d += `${d && share(name, i - 1) !== null ? "L" : "M"}${x(i).toFixed(1)} ${y(of).toFixed(1)}`;
      });
      return svg("path", { d, class: name });
    };
    curve.replaceChildren(
      svg(
        "svg",
        { viewBox: `0 0 ${width} ${tall}`, width, height: tall, "aria-hidden": "true" },
        ...[0, 0.5, 1].flatMap((of) => [
          svg("line", { x1: left, x2: width - 8, y1: y(of), y2: y(of), class: "grid" }),
          svg("text", { x: left - 6, y: y(of) + 4, class: "tick" }, `${100 * of}%`),
        ]),
        path("rows"),
        path("paged"),
        svg("line", { x1: x(at()), x2: x(at()), y1: 4, y2: tall - 14, class: "cursor" }),
      ),
      el(
        "figcaption.legend",
        {},
        el("span", {}, scene.words.curve),
        el("span.of-rows", {}, panels.rows.title.textContent),
        el("span.of-paged", {}, panels.paged.title.textContent),
      ),
    );
  }

  function createSteps() {
    stepper?.destroy();
    stepper = createStepper(stage, {
      stages: Array.from({ length: scene.steps }, (_, i) => ({ name: String(i), show: paint })),
      param: "step",
      small: true,
      stageName: "step",
      name: () => scene.key,
      question: ({ stage: to }) => questionOf(scene.words.question, {}, scene.questions[to] ?? null),
      pace: () => STEP_MS,
      ending: () => scene.words.ending,
      said: () =>
        stepper.playing
          ? ""
          : fill(scene.words.said, {
              step: at(),
              rows_wasted: wasted("rows"),
              rows_running: scene.rows.running[index("rows")],
              paged_wasted: wasted("paged"),
              paged_running: scene.paged.running[index("paged")],
            }),
    });
  }

  const key = (kind, text) => el("span", {}, el(`i.key.${kind}`), text);

  return {
    update(data, kit) {
      const before = scene;
      scene = data;
      if (before && !kit.fresh) return paint();
      const same = before?.key === data.key;
      const { words, block, row } = data;
      root.setAttribute("aria-label", words.label);
      heading.textContent = words.heading;
      stage.rail.setAttribute("aria-label", words.rail);
      lead.replaceChildren(...say(words.lead, { block }));
      slider.firstElementChild.textContent = words.scrub;
      panels.rows.title.textContent = fill(words.rows, { row: whole(row) });
      panels.paged.title.textContent = fill(words.paged, { block });
      legend.replaceChildren(
        key("fresh-key", words.legend_new),
        key("cached-key", words.legend_used),
        key("empty-key", words.legend_reserved),
      );
      changes.replaceChildren(...say(words.changes, { most: String(block - 1) }));
      proof.hidden = !data.proof;
      if (data.proof) {
        const of = data.proof.same ? words.proof_same : words.proof_differs;
        proof.replaceChildren(
          `${data.proof.same ? "✓" : "✗"} `,
          ...say(words.proof, { ...data.proof.values, same: of }),
        );
      }
      scrub.max = String(data.steps);
      room.measure();
      if (same && before.revision === data.revision) return stepper.show();
      createSteps();
      const first = Math.min(data.steps, before ? 1 : data.step);
      stepper.show({ lap: 0, stage: first });
    },
    destroy() {
      stepper?.destroy();
      room.destroy();
    },
  };
}
