// Presenting: its keys come before all others, the pointer lights, and a second window is told what to say.

import { presented } from "../../../explainer/web/present.js";
import { equal, inAddress, ok, point, press, test } from "./harness.js";
import { LAPS, LAST, laps, stepping, timed } from "./stepping.js";

const shown = ({ root }) => root.classList.contains("presenting");
const words = (line, more = {}) => presented({ line, say: "Say it.", ask: "Ask it.", ...more }, {});

test("F, the button and the address present, and Escape leaves", () => {
  const first = timed();
  equal([press("f"), shown(first)], [true, true]);
  first.clock.pass(1000);
  equal(inAddress("present"), "1");
  press("Escape");
  first.clock.pass(1000);
  equal(
    [shown(first), inAddress("present"), document.body.classList.contains("kv-presenting")],
    [false, null, false],
  );
  first.$(".present").click();
  equal(shown(first), true);
  first.stepper.destroy();
  equal(document.body.classList.contains("kv-presenting"), false);
  equal(shown(stepping({}, { query: "?present=1" })), true);
});

test("a remote steps wherever the focus is, and never a slider", () => {
  const at = laps();
  document.body.insertAdjacentHTML("beforeend", '<input type="range"><div role="slider" tabindex="0"></div>');
  const heard = [];
  for (const node of document.querySelectorAll("input, [role=slider]"))
    node.addEventListener("keydown", (event) => heard.push(event.key));
  press("f");
  for (const key of ["PageDown", "ArrowRight", " "])
    for (const node of document.querySelectorAll("input, [role=slider], #outside")) {
      const before = at.where();
      equal(press(key, node), true, key);
      ok(at.where() !== before || before === `${LAST}.2`, key);
      press("PageUp", node);
      equal(at.where(), before, key);
    }
  equal(heard, []);
});

test("F presents from a slider too, and is typed into a field", () => {
  const at = stepping();
  document.body.insertAdjacentHTML("beforeend", '<input id="typed"><i role="slider" tabindex="0"></i>');
  equal([press("f", document.querySelector("#typed")), shown(at)], [false, false]);
  equal([press("f", document.querySelector("[role=slider]")), shown(at)], [true, true]);
});

test("Home and End are the ends of a lap, digits its stages, and where laps are stepped through the ends of all", () => {
  const at = laps({ at: { lap: 3, stage: 2 } });
  press("f");
  const after = (key) => {
    press(key);
    return at.where();
  };
  equal(["End", "Home", "3", "9", "1"].map(after), ["3.3", "3.1", "3.3", "3.3", "3.1"]);
  at.stepper.destroy();
  const along = ({ lap }, by) => (lap + by < 2 || lap + by > LAST ? null : { lap: lap + by, stage: 1 });
  const small = stepping({ ...LAPS, along, small: true });
  press("f");
  press("End");
  equal(small.where(), `${LAST}.1`);
  press("Home");
  equal(small.where(), "2.1");
});

test("what an answer names in the picture gives it when it is touched, and with Enter there", () => {
  for (const [act, right] of [
    [(part) => part.click(), "true"],
    [(part) => press("Enter", part), "true"],
    [(part) => press("x", part), undefined],
  ]) {
    sessionStorage.clear(); // nothing was asked yet
    const options = ["a", "b"].map((text) => ({ text, why: "." }));
    const named = (text) => [...document.querySelectorAll(`[data-name="${text}"]`)];
    const at = stepping({ question: () => ({ text: "Which?", options, answer: 1 }), touch: named });
    at.root.insertAdjacentHTML("beforeend", '<i data-name="a"></i><i data-name="b" tabindex="0"></i>');
    at.$(".ask").click();
    press("ArrowRight"); // the first was asked about, its picture covered
    equal(named("b")[0].dataset.answers, undefined);
    press("ArrowRight");
    equal(
      named("b").map((part) => part.dataset.answers),
      ["2"],
    );
    act(named("b")[0]);
    equal(at.$(".answered")?.dataset.right, right);
    if (right) equal([named("a")[0].onclick, at.root.querySelectorAll("[data-answers]").length], [null, 0]);
    at.stepper.destroy();
  }
});

test("a digit answers an open question before it is a stage", () => {
  const options = ["1 row", "2 rows"].map((text) => ({ text, why: "So it is." }));
  const at = stepping(
    { question: () => ({ text: "How many?", options, answer: 1 }) },
    { query: "?ask=1&present=1" },
  );
  press("2");
  equal([at.where(), at.asking.querySelector(".answered").dataset.right], ["0.1", "true"]);
  press("3");
  ok(at.asking.querySelector(".posed"));
});

test("B blanks the screen, and the next step shows it again", () => {
  const { $, where } = laps();
  press("f");
  press("b");
  equal([$(".blank").hidden, where()], [false, "2.1"]);
  press("b");
  equal($(".blank").hidden, true);
  press(".");
  press("PageDown");
  equal([$(".blank").hidden, where()], [true, "2.2"]);
});

test("the bar leaves the picture to whoever steps, and does not stay for having been clicked", () => {
  const { root, $ } = laps();
  press("f");
  const bar = $(".present-bar");
  const there = () => bar.matches(".shown, :focus-within");
  equal(there(), true);
  press("PageDown");
  equal(there(), false);
  const light = [...bar.querySelectorAll("button")].find((button) => button.textContent.includes("(L)"));
  light.focus();
  light.dispatchEvent(new MouseEvent("click", { detail: 1 }));
  equal([there(), root.getRootNode().activeElement === root], [true, true]); // it says what is lit now
  press("PageDown");
  equal(there(), false);
});

test("other letters do nothing before a class, and what is typed into a field of the scene stays", () => {
  const { root, where } = laps();
  root.insertAdjacentHTML("beforeend", '<input id="name">');
  press("f");
  equal([press("n"), press("c"), root.classList.contains("numbers")], [true, true, false]);
  const field = root.querySelector("#name");
  equal(
    [press("b", field), press("2", field), press("ArrowLeft", field), where()],
    [false, false, false, "2.1"],
  );
  equal([press("PageDown", field), where()], [true, "2.2"]);
  equal(press("b", document.body, { ctrlKey: true }), false);
});

test("the line is the scene's, or the first sentence of what is told", () => {
  const { $, stepper } = stepping({ present: () => words("One row is computed."), said: undefined });
  equal($(".present-line").textContent, "One row is computed.");
  stepper.destroy();
  const other = stepping();
  other.$("#told").innerHTML =
    '<p class="focus">One <i data-ref="q">query</i>. It asks 1.5 keys. And more.</p>';
  press("ArrowRight");
  equal(other.$(".present-line").innerHTML, 'One <i data-ref="q">query</i>.');
});

test("the pointer lights a row, a column, a cell or nothing", () => {
  const { root, $ } = laps();
  root.insertAdjacentHTML(
    "beforeend",
    `<div class="picture-area" style="position:fixed;left:10px;top:20px;width:300px;height:200px">
      <div role="row" style="position:absolute;left:0;top:40px;width:300px;height:20px">
        <i role="gridcell" style="position:absolute;left:100px;width:50px;height:20px"></i></div></div>`,
  );
  root.style.position = "fixed";
  const cell = $("[role=gridcell]");
  const box = () => {
    point("pointermove", cell, { clientX: 130, clientY: 70 });
    const { left, top, width, height } = $(".spot").style;
    return $(".spots").hidden ? null : [left, top, width, height].map(parseFloat);
  };
  equal(box(), null, "not before it presents");
  press("f");
  equal(box(), [0, 40, 300, 20]);
  press("l");
  equal(box(), [100, 0, 50, 200]);
  cell.values = [1, 2, 3, 4, 5]; // a strip: the cell under the pointer
  equal(box(), [120, 0, 10, 200]);
  delete cell.values;
  press("l");
  equal(box(), [100, 40, 50, 20]);
  press("l");
  equal(box(), null);
});

test("the notes of each place go to their window, which steps as well", async () => {
  sessionStorage.setItem("kv-notes", "here");
  const window = new BroadcastChannel("kv-notes here");
  const heard = [];
  const next = () =>
    new Promise((resolve) => {
      window.onmessage = ({ data }) => resolve(heard.push(data.notes));
    });
  let waiting = next();
  const at = laps({ at: { lap: 2, stage: 1 } });
  await waiting;
  waiting = next();
  press("ArrowRight");
  await waiting;
  equal(
    [heard.at(-1).over, heard.at(-1).title, heard.at(-1).next],
    ["stage 2 of 3 · token 2", "Two", "Three"],
  );
  waiting = next();
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel has none
  window.postMessage({ step: "back" });
  await waiting;
  equal(at.where(), "2.1");
  at.stepper.destroy();

  // A small rail has no stages to name: there it is what one steps through.
  const along = (to, by) => ({ lap: to.lap + by, stage: to.stage });
  for (const [told, over, following] of [
    [{ ...LAPS, along, small: true }, "token 2", "token 3"],
    [{ small: true }, "step 1 of 3", "Two"],
  ]) {
    waiting = next();
    const small = stepping(told);
    await waiting;
    equal([heard.at(-1).over, heard.at(-1).next], [over, following]);
    small.stepper.destroy();
  }
  window.close();
});
