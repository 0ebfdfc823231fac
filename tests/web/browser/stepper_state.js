// What a stepper keeps between two steps: the address, what it waits for, the question, and the time.

import { equal, inAddress, press, test } from "./harness.js";
import { LAPS, STAGES, stepping, timed } from "./stepping.js";

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

test("it opens where the address says", () => {
  equal(stepping(LAPS, { query: "?token=3&stage=2", at: null }).where(), "3.2");
  equal(stepping({}, { query: "?stage=3", at: null }).where(), "0.3");
});

test("where the address names no place it opens at the first", () => {
  for (const query of ["", "?stage=0", "?stage=4", "?stage=2.5", "?stage=x", "?stage=", "?stage=-1"]) {
    equal(stepping({}, { query, at: null }).where(), "0.1", query);
  }
  for (const query of ["?token=9&stage=2", "?token=3.5&stage=2", "?token=x&stage=2", "?stage=2"]) {
    equal(stepping(LAPS, { query, at: null }).where(), "0.1", query);
  }
});

test("Back shows what the address says now, without motion, and writes nothing late", () => {
  const { where, log, root, clock } = timed(LAPS);
  press("ArrowRight");
  press("n");
  log.length = 0;
  history.replaceState(null, "", "/?token=3&stage=3&other=1");
  dispatchEvent(new PopStateEvent("popstate"));
  equal([where(), log, root.classList.contains("numbers")], ["3.3", ["leave 2", "show 3.3"], false]);
  clock.pass(1000);
  equal(location.search, "?token=3&stage=3&other=1");
});

test("Back to another page, or to a place that is not there, shows nothing", () => {
  const { where } = timed(LAPS);
  for (const address of ["/other?token=3&stage=3", "/?token=9&stage=1", "/?stage=1.5", "/"]) {
    history.replaceState(null, "", address);
    dispatchEvent(new PopStateEvent("popstate"));
    equal(where(), "2.1", address);
  }
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

test("who goes back in the history waits no longer", () => {
  const { has, stepper, where, root } = waiting();
  press("ArrowRight");
  history.replaceState(null, "", "/?token=2&stage=1");
  dispatchEvent(new PopStateEvent("popstate"));
  has.lap = 3;
  equal([stepper.arrived(), where(), root.classList.contains("waiting")], [false, "2.1", false]);
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

const QUESTION = {
  text: "How many?",
  options: [
    { text: "one", why: "One is too few." },
    { text: "two", why: "There were two." },
  ],
  answer: 1,
};

function questioned(more = {}, around = {}) {
  const told = { ...LAPS, question: ({ stage }) => (stage === 2 ? QUESTION : null), ...more };
  return timed(told, { query: "?ask=1", ...around });
}

const options = (box) => [...box.querySelectorAll(".option")];
const openly = (root) => root.dataset.asking ?? ""; // how a question is open

test("a question comes before its stage, and the picture stays", () => {
  const { log, where, root, asking: box, live } = questioned();
  press("ArrowRight");
  equal([where(), log, openly(root)], ["2.1", [], "before"]);
  equal(
    options(box).map((option) => option.lastChild.textContent),
    ["one", "two"],
  );
  equal(live.textContent, "How many? 1: one. 2: two.");
  equal(document.activeElement === options(box)[0], true);
});

test("the right answer shows the stage and says why, to the ear too", () => {
  const { $, where, root, asking: box, live } = questioned();
  press("ArrowRight");
  options(box)[1].click();
  equal([where(), openly(root)], ["2.2", ""]);
  equal(
    [...box.querySelectorAll("p")].map((p) => p.textContent),
    ["✓ Right: two.", "There were two.", "Right so far: 1 of 1 in this session."],
  );
  equal(live.textContent, "✓ Right: two. There were two. Stage 2 of lap 2.");
  equal(document.activeElement === $(".next-step"), true);
});

test("a wrong answer is explained and put right, until the next step", () => {
  const { asking: box, live } = questioned();
  press("ArrowRight");
  options(box)[0].click();
  equal(
    [...box.querySelectorAll("p:not(.right-so-far)")].map((p) => p.textContent),
    ["✗ Not one.", "One is too few.", "✓ It is two.", "There were two."],
  );
  equal(live.textContent, "✗ Not one. One is too few. ✓ It is two. There were two. Stage 2 of lap 2.");
  press("ArrowRight");
  equal(box.textContent, "");
});

test("digits answer, where there is such an option and no text is written", () => {
  const { where, asking: box } = questioned();
  press("2");
  equal(where(), "2.1", "no question is open");
  press("ArrowRight");
  document.body.insertAdjacentHTML("beforeend", "<input>");
  equal([press("2", document.querySelector("input")), where()], [false, "2.1"]);
  equal([press("3"), press("0"), where()], [false, false, "2.1"]);
  equal([press("2"), where()], [true, "2.2"]);
  equal(box.querySelector(".answered").dataset.right, "true");
});

test("who opens at a place is asked about it first: it is covered, and Next shows it", () => {
  const { $, root, where } = questioned({}, { at: { lap: 3, stage: 2 } });
  equal([openly(root), where(), $(".next-step").textContent], ["veiled", "3.2", "Show ▸"]);
  press("ArrowRight");
  equal([openly(root), where(), $(".next-step").textContent], ["", "3.2", "Next ▸"]);
});

test("switched on at a place it asks about that place, and switched off it shows it", () => {
  const { $, root, live, asking: box } = questioned({}, { query: "", at: { lap: 2, stage: 2 } });
  $(".ask").click();
  equal([openly(root), live.textContent], ["veiled", "How many? 1: one. 2: two."]);
  $(".ask").click();
  equal([openly(root), box.textContent], ["", ""]);
});

test("a question about the last place can be answered", () => {
  const last = { lap: 4, stage: 2 };
  const { $, root, asking: box } = questioned({}, { query: "?ask=1", at: last });
  equal([openly(root), $(".next-step").disabled], ["veiled", false]);
  press("2");
  equal([openly(root), $(".next-step").disabled], ["", true]);
  equal(box.querySelector(".verdict").textContent, "✓ Right: two.");
});

test("a picture that holds the answer is covered meanwhile", () => {
  const veiled = ({ stage }) => (stage === 2 ? { ...QUESTION, veil: true } : null);
  const { root } = questioned({ question: veiled });
  press("ArrowRight");
  equal(openly(root), "veiled");
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

test("Back puts a question about the next place away", () => {
  const { where, root, asking: box } = questioned();
  press("ArrowRight");
  press("ArrowLeft");
  equal([where(), openly(root), box.textContent], ["2.1", "", ""]);
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

test("what is to be predicted is asked about in any case, before it is first shown, unless it comes while playing", () => {
  const stages = STAGES.map((name, i) => ({ name, show: () => {}, predict: i === 1 }));
  const { where, root, stepper } = questioned({ stages }, { query: "" });
  press("ArrowRight");
  equal([where(), openly(root)], ["2.1", "before"]);
  press("ArrowRight");
  equal(where(), "2.2");
  stepper.show({ lap: 3, stage: 1 });
  press("p");
  stepper.go({ lap: 3, stage: 2 });
  equal([where(), openly(root)], ["3.2", ""]);
});

test("a link to what is to be predicted shows it: what was sent was the outcome, and a question can be sent too", () => {
  const stages = STAGES.map((name, i) => ({ name, show: () => {}, predict: i === 1 }));
  const { where, root, stepper } = questioned({ stages }, { query: "" });
  stepper.show({ lap: 3, stage: 2 }); // as the address says
  equal([where(), openly(root)], ["3.2", ""]);
  press("ArrowLeft");
  press("ArrowRight");
  equal([where(), openly(root)], ["3.2", ""], "there is nothing left to predict");
  stepper.destroy();
  const asked = questioned({ stages }, { query: "?ask=1" });
  asked.stepper.show({ lap: 4, stage: 2 });
  equal([asked.where(), openly(asked.root)], ["4.2", "veiled"]);
});

test("what is to be predicted is asked about anew, and covered, where it is shown of something else", () => {
  const stages = STAGES.map((name, i) => ({ name, show: () => {}, predict: i === 1 }));
  let walk = "one prompt";
  const { where, root, stepper } = questioned({ stages, name: () => walk }, { query: "" });
  stepper.show({ lap: 3, stage: 2 }); // as the address says
  stepper.show();
  equal([where(), openly(root)], ["3.2", ""], "more data of the same is no other thing");
  walk = "another prompt";
  stepper.show();
  equal([where(), openly(root)], ["3.2", "veiled"]);
  press("1");
  walk = "one prompt";
  stepper.show();
  equal([where(), openly(root)], ["3.2", ""], "that outcome is known");
  walk = "a linked one";
  stepper.show({ lap: 3, stage: 2 });
  equal([where(), openly(root)], ["3.2", ""], "its address was followed");
});

test("it is offered in words after a step by hand, a few times, until it is taken or declined", () => {
  const { $, where, stepper, asking: box } = questioned({}, { query: "" });
  equal(box.textContent, "");
  press("ArrowLeft");
  press("ArrowRight");
  equal([where(), $(".offer").firstChild.textContent], ["2.2", "Want to guess before each stage?"]);
  for (let i = 0; i < 8; i++) press(i % 2 ? "ArrowRight" : "ArrowLeft");
  equal(box.textContent, "", "enough");
  stepper.destroy();
  sessionStorage.clear();
  const again = questioned({}, { query: "" });
  press("ArrowRight");
  again.$(".decline").click();
  press("ArrowRight");
  equal(again.asking.textContent, "");
});

test("the offer taken asks about the next place", () => {
  const question = ({ stage }) => (stage === 3 ? QUESTION : null);
  const { $, root, where, clock } = questioned({ question }, { query: "" });
  press("ArrowRight");
  $(".accept").click();
  equal([where(), openly(root)], ["2.2", "before"]);
  clock.pass(500);
  equal(inAddress("ask"), "1");
});

test("on a small rail without laps a step is asked about", () => {
  const { rail, asking: box } = stepping(
    { small: true, question: (to) => (to.stage === 2 ? QUESTION : null) },
    { query: "?ask=1" },
  );
  press("ArrowRight");
  equal(rail.querySelector(".ask").title, "Ask me before each step");
  equal(box.querySelector(".over").textContent, "Before step 2 of 3");
});

test("score, wish and what was asked are remembered on the next page", () => {
  const first = questioned();
  press("ArrowRight");
  press("1");
  first.stepper.destroy();
  const { $, where, asking: box } = timed({ ...LAPS, question: () => QUESTION });
  equal($(".ask").getAttribute("aria-pressed"), "true");
  equal(box.querySelector(".right-so-far").textContent, "Right so far: 0 of 1 in this session.");
  press("2");
  equal(box.querySelector(".right-so-far").textContent, "Right so far: 1 of 2 in this session.");
  press("ArrowRight");
  equal(where(), "2.2", "known from before");
});

test("what stands in the storage and is not ours does no harm", () => {
  for (const kept of ["", "nonsense", "3", '{"right":"x","done":{"length":-1}}', "[]"]) {
    sessionStorage.clear();
    sessionStorage.setItem("kv-asked", kept);
    const { stepper, asking: box } = timed({ ...LAPS, question: () => QUESTION }, { query: "?ask=1" });
    press("2");
    equal(box.querySelector(".right-so-far").textContent, "Right so far: 1 of 1 in this session.", kept);
    stepper.destroy();
  }
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
  equal([options(box).length, openly(root)], [2, "before"]);
  options(box)[1].click();
  stepper.show();
  equal(box.querySelector(".verdict").textContent, "✓ Right: two.");
});

test("another walk takes the question away", () => {
  const walk = { name: "a" };
  const { stepper, root, asking: box } = questioned({ name: () => walk.name });
  press("ArrowRight");
  walk.name = "b";
  stepper.show();
  equal([box.textContent, openly(root)], ["", ""]);
});

test("a place that was asked for is shown without a question", () => {
  const { stepper, root, where } = questioned();
  stepper.show({ lap: 2, stage: 2 }, { quietly: true });
  equal([where(), openly(root)], ["2.2", ""]);
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
