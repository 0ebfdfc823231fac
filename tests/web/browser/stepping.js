// A stepper on a page of its own, for the tests of it.

import { createStepper } from "../../../explainer/web/stepper.js";
import { page, stopClock } from "./harness.js";

export const STAGES = ["One", "Two", "Three"];
export const LAST = 4; // lap: of the last one only the first two stages exist

export const LAPS = {
  lapParam: "token",
  lapName: "token",
  exists: ({ lap, stage }) => lap >= 2 && (lap < LAST || (lap === LAST && stage < 3)),
};

/**
 * A stepper on a page of its own, with what it told the scene in `log`.
 * @param {any} [told] what the scene tells its stepper besides its stages
 */
export function stepping(told = {}, { query = "", at = undefined, groups = [], clock = undefined } = {}) {
  history.replaceState(null, "", `/${query}`);
  const root = page(`
    <main class="scene-root">
      <nav id="rail"></nav><div id="asking"></div><div id="told"></div><div id="live"></div>
      <p id="inside" tabindex="0"></p>
    </main>`);
  document.body.insertAdjacentHTML("beforeend", '<p id="outside" tabindex="0"></p>');
  const [rail, asking, box, live] = ["rail", "asking", "told", "live"].map((id) =>
    root.querySelector(`#${id}`),
  );
  const log = [];
  const note = (what) => (place) => log.push(place ? `${what} ${place.lap}.${place.stage}` : what);
  const stepper = createStepper(
    { root, rail, asking, told: box, live },
    {
      stages: STAGES.map((name, i) => ({
        name,
        group: groups[i],
        show: note("show"),
        enter: note("enter"),
        leave: () => log.push(`leave ${i + 1}`),
      })),
      param: "stage",
      said: ({ lap, stage }) => `Stage ${stage} of lap ${lap}.`,
      ...told,
    },
  );
  if (at !== null) stepper.show(at ?? { lap: told.lapParam ? 2 : 0, stage: 1 });
  log.length = 0;
  const $ = (selector) => /** @type {any} */ (root.querySelector(selector));
  const stage = (n) => $(`.stage[data-stage="${n}"]`);
  const where = () => `${stepper.place.lap}.${stepper.place.stage}`;
  return { stepper, root, log, $, stage, where, live, asking, rail, clock };
}

/** The same with a clock that stands still. */
export const timed = (told, around) => stepping(told, { ...around, clock: stopClock() });

export const laps = (around) => stepping(LAPS, around);
