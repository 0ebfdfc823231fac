// The parts of the page, one after the other. On the page a step goes to where the part stands; before a class the
// part fills the screen, drawn from the same numbers.

import { calm, el } from "../web/dom.js";
import { inAddress } from "../web/address.js";
import { createStage, onRoom } from "../web/stage.js";
import { createStepper } from "../web/stepper.js";
import { createPictures } from "./pictures.js";

const ACTS = ["wheel", "touchstart", "pointerdown", "keydown"];

/** @param {HTMLElement} root */
export default function parts(root) {
  let data = null; // what Python sent
  let send = null;
  let stepper = null;
  let size = null; // what the picture has
  let at = 0; // the part that was gone to last
  let held = null; // keeps it in sight

  const stage = createStage(root, { label: "", heading: "", rail: "" });
  root.classList.add("parts");
  const pictures = createPictures();
  const status = el("p.status", { role: "status", "data-matters": "" });
  const start = el("button.start", { type: "button" });
  start.onclick = () => send("start", { part: shown().key, at: Date.now() }); // the time makes it another message
  const acts = el("div.acts", {}, status, start);
  const room = onRoom(root, stage.picture, (found) => {
    const left = size?.presenting && !found.presenting;
    size = found;
    if (!stepper) return;
    draw();
    if (left) seek();
  });

  const shown = () => data.parts[stepper.place.stage - 1];

  function draw() {
    if (!size?.presenting) return stage.picture.replaceChildren();
    const part = shown();
    status.textContent = part.status;
    start.textContent = part.start;
    start.hidden = !part.start;
    acts.hidden = start.hidden && !part.status;
    pictures.draw(part, stage.picture, acts);
  }

  /** Keep the part in sight while the page is still being drawn or folds, until the learner does something. */
  function seek() {
    release();
    const { key } = shown(); // the anchor of its heading, too
    const page = new ResizeObserver(() => {
      document.getElementById(key)?.scrollIntoView({ behavior: calm() ? "auto" : "smooth" });
    });
    page.observe(document.querySelector(".stMainBlockContainer"));
    for (const kind of ACTS) addEventListener(kind, release, true);
    held = page;
  }

  function release() {
    held?.disconnect();
    held = null;
    for (const kind of ACTS) removeEventListener(kind, release, true);
  }

  function show({ stage: part }) {
    draw();
    const named = at ? part !== at : inAddress("part") !== null && part > 1;
    at = part;
    if (named && !size?.presenting) seek();
  }

  function createSteps() {
    stepper = createStepper(stage, {
      stages: data.parts.map(({ name }) => ({ name, show })),
      param: "part",
      stageName: "part",
      present: ({ stage: part }) => {
        const { line, say, ask } = data.parts[part - 1];
        return { line: [line], say, ask };
      },
      said: ({ stage: part }) => `${data.parts[part - 1].name}. ${data.parts[part - 1].line}`,
    });
  }

  return {
    update(newest, kit) {
      const first = !data;
      send = kit.send;
      data = newest;
      if (first) {
        root.setAttribute("aria-label", data.frame.label);
        root.querySelector("h1").textContent = data.frame.heading;
        stage.rail.setAttribute("aria-label", data.frame.rail);
        createSteps();
        room.measure();
      }
      if (first || kit.fresh) stepper.show();
      else draw(); // in other colours
    },
    destroy() {
      release();
      stepper?.destroy();
      room.destroy();
    },
  };
}
