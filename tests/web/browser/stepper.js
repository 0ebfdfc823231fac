import { createStepper } from "../../../explainer/web/stepper.js";
import { equal, inAddress, page, press, stopClock, test } from "./harness.js";

const STAGES = ["One", "Two", "Three"];
const LAST = 4; // lap: of the last one only the first two stages exist

const LAPS = {
  lapParam: "token",
  lapName: "token",
  exists: ({ lap, stage }) => lap >= 2 && (lap < LAST || (lap === LAST && stage < 3)),
};

/**
 * A stepper on a page of its own, with what it told the scene in `log`.
 * @param {any} [told] what the scene tells its stepper besides its stages
 */
function stepping(told = {}, { query = "", at = undefined, groups = [], clock = undefined } = {}) {
  history.replaceState(null, "", `/${query}`);
  const root = page(`
    <main class="scene-root">
      <nav id="rail"></nav><div id="asking"></div><div id="live"></div>
      <p id="inside" tabindex="0"></p>
    </main>`);
  document.body.insertAdjacentHTML("beforeend", '<p id="outside" tabindex="0"></p>');
  const [rail, asking, live] = ["rail", "asking", "live"].map((id) => root.querySelector(`#${id}`));
  const log = [];
  const note = (what) => (place) => log.push(place ? `${what} ${place.lap}.${place.stage}` : what);
  const stepper = createStepper(
    { root, rail, asking, live },
    {
      stages: STAGES.map((name, i) => ({
        name,
        group: groups[i],
        show: note(`show`),
        enter: note(`enter`),
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
const timed = (told, around) => stepping(told, { ...around, clock: stopClock() });

const laps = (around) => stepping(LAPS, around);

// ---- the rail ------------------------------------------------------------------------------------------

test("the rail names the stages, and says which one is shown", () => {
  const { rail, stage, stepper } = stepping();
  equal(
    [...rail.querySelectorAll(".stage")].map((button) => button.textContent),
    STAGES,
  );
  stepper.go({ lap: 0, stage: 2 });
  equal(
    [1, 2, 3].map((n) => stage(n).getAttribute("aria-current")),
    [null, "step", null],
  );
});

test("stages are numbered where they are gone through again and again", () => {
  equal(laps().stage(2).textContent, "2Two");
});

test("stages of a group share a row under its name, with the moves behind the last", () => {
  const { rail } = stepping({}, { groups: ["First", "First", "Then"] });
  const rows = [...rail.querySelectorAll(".rail-row")];
  equal(
    rows.map((row) => row.querySelectorAll(".stage").length),
    [2, 1],
  );
  equal(
    rows.map((row) => row.querySelector("ol").getAttribute("aria-label")),
    ["First", "Then"],
  );
  equal(
    rows.map((row) => Boolean(row.querySelector(".moves"))),
    [false, true],
  );
});

test("a question button only where there are questions", () => {
  equal(Boolean(stepping().$(".ask")), false);
  equal(Boolean(stepping({ question: () => null }).$(".ask")), true);
});

// ---- moving --------------------------------------------------------------------------------------------

test("next and back go through the stages, and stop at both ends", () => {
  const { $, where } = stepping();
  equal([$(".back").disabled, $(".next-step").disabled], [true, false]);
  $(".next-step").click();
  $(".next-step").click();
  equal([where(), $(".next-step").disabled], ["0.3", true]);
  press("ArrowRight");
  equal(where(), "0.3");
  $(".back").click();
  $(".back").click();
  equal([where(), $(".back").disabled], ["0.1", true]);
  press("ArrowLeft");
  equal(where(), "0.1");
});

test("with laps the last stage leads to the next lap, and the button says so", () => {
  const { $, where } = laps({ at: { lap: 2, stage: 3 } });
  equal($(".next-step").textContent, "Next token ▸");
  $(".next-step").click();
  equal([where(), $(".next-step").textContent], ["3.1", "Next ▸"]);
  $(".back").click();
  equal(where(), "2.3");
});

test("a stage on the rail is gone to in the lap that is shown", () => {
  const { stage, where } = laps({ at: { lap: 3, stage: 1 } });
  stage(3).click();
  equal(where(), "3.3");
});

test("what does not exist can't be gone to", () => {
  const { stage, stepper, where } = laps({ at: { lap: LAST, stage: 1 } });
  equal([stage(2).disabled, stage(3).disabled], [false, true]);
  stepper.go({ lap: LAST, stage: 3 });
  stepper.go({ lap: 1, stage: 3 });
  equal(where(), "4.1");
});

test("at the end the scene says why there is no next one", () => {
  const { $ } = stepping({ ...LAPS, ending: () => "Here the text ends." }, { at: { lap: LAST, stage: 1 } });
  equal($(".ending").hidden, true);
  press("ArrowRight");
  equal([$(".ending").hidden, $(".ending").textContent], [false, "Here the text ends."]);
  press("ArrowLeft");
  equal($(".ending").hidden, true);
});

test("a step leaves the old stage, shows the new one, and then moves something", () => {
  const { log } = laps();
  press("ArrowRight");
  equal(log, ["leave 1", "show 2.2", "enter 2.2"]);
});

test("nothing is left before the first is shown", () => {
  const { stepper, log } = laps({ at: null });
  stepper.show({ lap: 3, stage: 2 });
  equal(log, ["show 3.2"]);
});

test("shown anew nothing moves, is read aloud or folds away", () => {
  const { stepper, log, live } = laps();
  stepper.show();
  stepper.show({ lap: 3, stage: 2 });
  equal(log, ["leave 1", "show 2.1", "leave 1", "show 3.2"]);
  equal([live.textContent, document.body.className], ["", ""]);
});

test("the first step folds the controls away", () => {
  laps();
  press("ArrowRight");
  equal(document.body.className, "kv-folded");
});

test("each step is read aloud, and says what may be needed soon", () => {
  const near = [];
  const { live } = stepping({ ...LAPS, near: ({ lap, stage }) => near.push(`${lap}.${stage}`) });
  press("ArrowRight");
  press("ArrowRight");
  equal([live.textContent, near], ["Stage 3 of lap 2.", ["2.2", "2.3"]]);
});

test("the root knows the stage, for the style sheets", () => {
  const { root } = laps();
  press("ArrowRight");
  equal(root.dataset.stage, "2");
});

// ---- keys ----------------------------------------------------------------------------------------------

test("arrow keys step from anywhere on the page, and are used up", () => {
  const { where } = laps();
  const outside = document.querySelector("#outside");
  equal([press("ArrowRight", outside), where()], [true, "2.2"]);
  equal([press("ArrowLeft", outside), where()], [true, "2.1"]);
});

test("the page keys step inside of the scene, and scroll elsewhere", () => {
  const { $, where } = laps();
  equal([press("PageDown", $("#inside")), where()], [true, "2.2"]);
  equal([press("PageUp", $("#inside")), where()], [true, "2.1"]);
  equal([press("PageDown", document.querySelector("#outside")), where()], [false, "2.1"]);
});

test("keys with a modifier, used-up keys and all other keys are left alone", () => {
  const { where, $ } = laps();
  for (const modifier of ["altKey", "ctrlKey", "metaKey"]) {
    equal(press("ArrowRight", document.body, { [modifier]: true }), false, modifier);
  }
  $("#inside").onkeydown = (event) => event.preventDefault();
  press("ArrowRight", $("#inside"));
  for (const key of ["ArrowUp", "ArrowDown", "Home", "End", " ", "Enter", "c", "r", "Tab"]) {
    equal(press(key), false, key);
  }
  equal(where(), "2.1");
});

test("whoever means its own arrow keys keeps them", () => {
  const { where } = laps();
  const own = `<input><textarea></textarea><select></select><div contenteditable>x</div>
    <div role="slider"></div><div role="radiogroup"><i></i></div><div role="tablist"><i></i></div>
    <div role="dialog"><button>x</button></div><div role="listbox"><i></i></div>`;
  document.body.insertAdjacentHTML("beforeend", `<section>${own}</section>`);
  for (const node of document.querySelectorAll("section *")) equal(press("ArrowRight", node), false);
  equal(where(), "2.1");
});

test("inside of a shadow root the keys are known by where they were pressed", () => {
  const { where } = laps();
  const host = document.createElement("div");
  document.body.append(host);
  host.attachShadow({ mode: "open" }).innerHTML = "<input><p></p>";
  press("ArrowRight", host.shadowRoot.querySelector("input"));
  equal(where(), "2.1");
  press("ArrowRight", host.shadowRoot.querySelector("p"));
  equal(where(), "2.2");
});

test("a destroyed stepper hears no key, writes nothing, and unfolds the controls", () => {
  const { stepper, where, clock } = timed(LAPS);
  press("ArrowRight");
  press("p");
  stepper.destroy();
  press("ArrowRight");
  clock.pass(60_000);
  equal([where(), inAddress("stage"), document.body.className], ["2.2", null, ""]);
});

test("what the last stage has moved is taken away in the end", () => {
  const { stepper, log } = laps();
  press("ArrowRight");
  log.length = 0;
  stepper.destroy();
  equal(log, ["leave 2"]);
});

// ---- the address ---------------------------------------------------------------------------------------

test("the address says lap and stage, a little after the step", () => {
  const { clock } = timed(LAPS, { query: "?other=1" });
  press("ArrowRight");
  equal(inAddress("stage"), null);
  clock.pass(500);
  equal(location.search, "?other=1&token=2&stage=2");
});

test("without laps the address says the stage alone", () => {
  const { clock } = timed();
  press("ArrowRight");
  clock.pass(500);
  equal(location.search, "?stage=2");
});

test("numbers are switched by button and key, kept in the address, and read from there", () => {
  const { $, root, clock } = timed();
  const state = () => [root.classList.contains("numbers"), $(".numbers").getAttribute("aria-pressed")];
  press("n");
  clock.pass(500);
  equal([...state(), inAddress("numbers")], [true, "true", "1"]);
  $("button.numbers").click();
  clock.pass(500);
  equal([root.classList.contains("numbers"), inAddress("numbers")], [false, null]);
  press("N");
  equal(root.classList.contains("numbers"), true);
  equal(stepping({}, { query: "?numbers=1" }).root.classList.contains("numbers"), true);
});

test("the ask flag is kept in the address, and read from there", () => {
  const { $, clock } = timed({ question: () => null });
  $(".ask").click();
  clock.pass(500);
  equal([inAddress("ask"), $(".ask").getAttribute("aria-pressed")], ["1", "true"]);
  $(".ask").click();
  clock.pass(500);
  equal(inAddress("ask"), null);
  const again = stepping({ question: () => null }, { query: "?ask=1" });
  equal(again.$(".ask").getAttribute("aria-pressed"), "true");
});

test("write() puts back what Python's address has lost", () => {
  const { stepper, clock } = timed(LAPS, { at: { lap: 3, stage: 2 } });
  clock.pass(500);
  history.replaceState(null, "", "/?prompt=new");
  stepper.write();
  clock.pass(500);
  equal(location.search, "?prompt=new&token=3&stage=2");
});

// ---- waiting for data ----------------------------------------------------------------------------------

/** A scene that has the laps up to `has.lap`. */
function waiting(more = {}, around = {}) {
  const has = { lap: 2, walk: "a" };
  const asked = [];
  const told = {
    ...LAPS,
    ready: ({ lap }) => lap <= has.lap,
    ask: ({ lap, stage }) => asked.push(`${lap}.${stage}`),
    name: () => has.walk,
    ...more,
  };
  return { has, asked, ...timed(told, { at: { lap: 2, stage: 3 }, ...around }) };
}

test("a place without data is asked for, and shown when they have come", () => {
  const { has, asked, stepper, where, root, log } = waiting();
  press("ArrowRight");
  equal([where(), asked, root.classList.contains("waiting")], ["2.3", ["3.1"], true]);
  has.lap = 3;
  log.length = 0;
  equal(stepper.arrived(), true);
  equal([where(), root.classList.contains("waiting")], ["3.1", false]);
  equal(log, ["leave 3", "show 3.1", "enter 3.1"]);
});

test("data that nobody waits for move nothing", () => {
  const { has, stepper, where } = waiting();
  has.lap = 3;
  equal([stepper.arrived(), where()], [false, "2.3"]);
});

test("while more is needed than has come it goes on waiting, and asks again", () => {
  const { has, asked, stepper, where, root } = waiting();
  stepper.go({ lap: 4, stage: 1 });
  has.lap = 3;
  equal([stepper.arrived(), where(), root.classList.contains("waiting")], [false, "2.3", true]);
  equal(asked, ["4.1", "4.1"]);
  has.lap = 4;
  equal([stepper.arrived(), where()], [true, "4.1"]);
});

test("who goes elsewhere waits no longer", () => {
  const { has, stepper, where, root } = waiting();
  press("ArrowRight");
  press("ArrowLeft");
  equal([where(), root.classList.contains("waiting")], ["2.2", false]);
  has.lap = 3;
  equal([stepper.arrived(), where()], [false, "2.2"]);
});

test("what was waited for in one walk is not shown of another", () => {
  const { has, stepper, where, root } = waiting();
  press("ArrowRight");
  Object.assign(has, { lap: 4, walk: "b" });
  equal([stepper.arrived(), where(), root.classList.contains("waiting")], [false, "2.3", false]);
});

test("play goes on by itself when the data have come", () => {
  const { has, stepper, where, clock } = waiting();
  press("p");
  clock.pass(2500);
  equal(where(), "2.3");
  clock.pass(60_000);
  has.lap = 3;
  stepper.arrived();
  equal(where(), "3.1");
  clock.pass(2500);
  equal(where(), "3.2");
});

// ---- questions -----------------------------------------------------------------------------------------

const QUESTION = { text: "How many?", options: ["one", "two"], answer: 1 };

function questioned(more = {}, around = {}) {
  const told = { ...LAPS, question: ({ stage }) => (stage === 2 ? QUESTION : null), ...more };
  return timed(told, { query: "?ask=1", ...around });
}

test("a question comes before its stage, and the picture stays", () => {
  const { log, where, root, asking: box, live } = questioned();
  press("ArrowRight");
  equal([where(), log, "asking" in root.dataset], ["2.1", [], true]);
  equal(
    [...box.querySelectorAll(".option")].map((option) => option.textContent),
    ["one", "two"],
  );
  equal(live.textContent, "How many? one, two?");
});

test("the right answer shows the stage and says so, to the ear too", () => {
  const { $, where, root, asking: box, live } = questioned();
  press("ArrowRight");
  box.querySelectorAll(".option")[1].click();
  equal([where(), "asking" in root.dataset], ["2.2", false]);
  equal([box.textContent, live.textContent], ["✓ Right.", "✓ Right. Stage 2 of lap 2."]);
  equal(document.activeElement === $(".next-step"), true);
});

test("a wrong answer is put right, until the next step", () => {
  const { asking: box } = questioned();
  press("ArrowRight");
  box.querySelectorAll(".option")[0].click();
  equal(box.textContent, "✗ It is two.");
  press("ArrowRight");
  equal(box.textContent, "");
});

test("who goes on without an answer is shown the stage, and not asked again", () => {
  const { where, asking: box } = questioned();
  press("ArrowRight");
  press("ArrowRight");
  equal([where(), box.textContent], ["2.2", ""]);
  press("ArrowLeft");
  press("ArrowRight");
  equal(where(), "2.2");
});

test("the same stage of another lap is another question, and so is that of another walk", () => {
  const walk = { name: "a" };
  const { stepper, where } = questioned({ name: () => walk.name });
  for (const lap of [2, 3]) {
    stepper.go({ lap, stage: 1 });
    stepper.go({ lap, stage: 2 });
    equal(where(), `${lap}.1`);
    stepper.go({ lap, stage: 2 });
    equal(where(), `${lap}.2`);
  }
  walk.name = "b";
  stepper.go({ lap: 3, stage: 1 });
  stepper.go({ lap: 3, stage: 2 });
  equal(where(), "3.1");
});

test("nobody is asked who does not want it", () => {
  const { where } = questioned({}, { query: "" });
  press("ArrowRight");
  equal(where(), "2.2");
});

test("a question stops play", () => {
  const { clock, where, $ } = questioned();
  press("p");
  clock.pass(2500);
  equal([where(), $(".play").getAttribute("aria-pressed")], ["2.1", "false"]);
  clock.pass(60_000);
  equal(where(), "2.1");
});

test("a question stays when more data come meanwhile, and so does the verdict", () => {
  const { stepper, root, asking: box } = questioned();
  press("ArrowRight");
  stepper.arrived();
  stepper.show();
  equal([box.querySelectorAll(".option").length, "asking" in root.dataset], [2, true]);
  box.querySelectorAll(".option")[1].click();
  stepper.show();
  equal(box.textContent, "✓ Right.");
});

test("another walk takes the question away", () => {
  const walk = { name: "a" };
  const { stepper, root, asking: box } = questioned({ name: () => walk.name });
  press("ArrowRight");
  walk.name = "b";
  stepper.show();
  equal([box.textContent, "asking" in root.dataset], ["", false]);
});

// ---- play ----------------------------------------------------------------------------------------------

const words = (count) => Array(count).fill("word").join(" ");

test("play steps at the pace of reading, each stage by its own length", () => {
  const { clock, where } = timed({ ...LAPS, said: ({ stage }) => words(stage === 2 ? 220 : 1) });
  press("p");
  clock.pass(2499);
  equal(where(), "2.1");
  clock.pass(1);
  equal(where(), "2.2");
  clock.pass(59_999);
  equal(where(), "2.2");
  clock.pass(1);
  equal(where(), "2.3");
});

test("the button says whether it plays, and pauses", () => {
  const { clock, where, $ } = timed(LAPS);
  const state = () => [$(".play").getAttribute("aria-label"), $(".play").getAttribute("aria-pressed")];
  equal(state(), ["Play", "false"]);
  $(".play").click();
  equal(state(), ["Pause", "true"]);
  $(".play").click();
  equal(state(), ["Play", "false"]);
  clock.pass(60_000);
  equal(where(), "2.1");
});

test("another speed holds from now on", () => {
  const { clock, where, $ } = timed(LAPS);
  press("p");
  $(".speed").value = "2×";
  $(".speed").dispatchEvent(new Event("change"));
  clock.pass(1250);
  equal(where(), "2.2");
  $(".speed").value = "0.5×";
  $(".speed").dispatchEvent(new Event("change"));
  clock.pass(4999);
  equal(where(), "2.2");
  clock.pass(1);
  equal(where(), "2.3");
});

test("a step by hand stops play", () => {
  const { clock, where, $ } = timed(LAPS);
  press("p");
  press("ArrowRight");
  equal($(".play").getAttribute("aria-pressed"), "false");
  clock.pass(60_000);
  equal(where(), "2.2");
});

test("play ends where there is no next one, and says so", () => {
  const { clock, where, $ } = timed();
  press("p");
  clock.pass(60_000);
  equal([where(), $(".play").getAttribute("aria-pressed")], ["0.3", "false"]);
  press("p");
  equal($(".play").getAttribute("aria-pressed"), "false", "at the end there is nothing to play");
});

test("stop() stops play", () => {
  const { stepper, clock, where } = timed(LAPS);
  press("p");
  stepper.stop();
  clock.pass(60_000);
  equal(where(), "2.1");
});

test("a stage shown anew starts its time anew", () => {
  const { stepper, clock, where } = timed(LAPS);
  press("p");
  clock.pass(2000);
  stepper.show();
  clock.pass(2000);
  equal(where(), "2.1");
  clock.pass(500);
  equal(where(), "2.2");
});
