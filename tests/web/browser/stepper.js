// Where a stepper goes: by its rail, its buttons and its keys.

import { leads } from "../../../explainer/web/way.js";
import { equal, inAddress, press, test } from "./harness.js";
import { LAPS, LAST, STAGES, laps, stepping, timed } from "./stepping.js";

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

test("the last stage of a lap ends with the next idea, once the bar has told of it", () => {
  const { $, stepper } = stepping(LAPS, { at: { lap: 2, stage: 3 } });
  equal($(".ending").hidden, true);
  const next = { page: "timing", title: "Timing", lead: "How much time is it?" };
  leads({ next, pages: {}, home: "start", link: { head: "2" }, token: ["token", "tokens"] });
  equal($(".ending").textContent, "How much time is it? Timing →");
  equal($(".onward").getAttribute("href"), "timing?head=2");
  press("ArrowLeft");
  equal($(".ending").hidden, true);
  stepper.destroy();
  leads(null);
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
  equal([live.textContent, document.body.classList.contains("kv-folded")], ["", false]);
});

test("the first step folds the controls away", () => {
  laps();
  press("ArrowRight");
  equal(document.body.classList.contains("kv-folded"), true);
});

test("each step is read aloud, and says what may be needed soon", () => {
  const near = [];
  const { live } = stepping({ ...LAPS, near: ({ lap, stage }) => near.push(`${lap}.${stage}`) });
  press("ArrowRight");
  press("ArrowRight");
  equal([live.textContent, near], ["Stage 3 of lap 2.", ["2.2", "2.3"]]);
});

test("where the scene does not say what is read aloud, it is what the stage tells", () => {
  const { $, live } = stepping({ ...LAPS, said: undefined });
  $("#told").textContent = "One query asks every key.";
  press("ArrowRight");
  equal(live.textContent, "One query asks every key.");
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

// ---- what a scene can have otherwise ---------------------------------------------------------------------

test("a small rail has present, back, play and next alone", () => {
  const { rail } = stepping({ small: true });
  equal(
    [...rail.querySelectorAll("button, select")].map((control) => control.className),
    ["present", "back", "play", "next-step"],
  );
});

test("places follow each other as the scene says", () => {
  const along = ({ lap, stage }, by) => (lap + by < 2 || lap + by > LAST ? null : { lap: lap + by, stage });
  const { $, where } = stepping({ ...LAPS, along });
  press("ArrowRight");
  equal(where(), "3.1");
  press("ArrowLeft");
  equal([where(), $(".back").disabled], ["2.1", true]);
});

test("a scene has a pace of its own", () => {
  const { where, clock } = timed({ pace: () => 700 });
  press("p");
  clock.pass(699);
  equal(where(), "0.1");
  clock.pass(1);
  equal(where(), "0.2");
});

test("what plays without being asked ends with whatever the learner does", () => {
  for (const [kind, more] of [
    ["keydown", { key: "Shift" }],
    ["pointerdown", {}],
  ]) {
    const { stepper, where, clock } = timed({ pace: () => 700 });
    stepper.demonstrate();
    equal(stepper.playing, true);
    clock.pass(700);
    const event = kind === "keydown" ? new KeyboardEvent(kind, more) : new Event(kind);
    document.dispatchEvent(event);
    equal(stepper.playing, false, kind);
    clock.pass(60_000);
    equal(where(), "0.2", kind);
    stepper.destroy();
  }
});

test("P pauses what plays without being asked, and an arrow goes one step further", () => {
  const { stepper, where } = timed({ pace: () => 700 });
  stepper.demonstrate();
  press("p");
  equal([stepper.playing, where()], [false, "0.1"]);
  stepper.demonstrate();
  press("ArrowRight");
  equal([stepper.playing, where()], [false, "0.2"]);
});

test("what else a scene tells the address is written with the place", () => {
  const { stepper, clock } = timed({ also: () => ({ keep: "kv" }) });
  stepper.write();
  clock.pass(1000);
  equal(inAddress("keep"), "kv");
});
