import main from "../../../explainer/web/main.js";
import { log } from "../../../explainer/example/scene.js";
import { equal, page, soon, test } from "./harness.js";

/** A message as pack() writes it, without arrays. */
function message(n) {
  const text = new TextEncoder().encode(JSON.stringify({ scene: "example", n }));
  const bytes = new Uint8Array(4 + text.length);
  new DataView(bytes.buffer).setUint32(0, text.length, true);
  bytes.set(text, 4);
  return bytes;
}

/** What Streamlit does: calls the component with its place and data. */
function component() {
  const parentElement = page('<div><div class="scene-root" aria-busy="true">what stood here</div></div>');
  const root = parentElement.querySelector(".scene-root");
  const sent = [];
  const setStateValue = (name, value) => sent.push(`${name} ${value}`);
  return { parentElement, root, sent, call: (data) => main({ parentElement, data, setStateValue }) };
}

async function until(condition) {
  const patience = performance.now() + 90_000;
  while (!condition() && performance.now() < patience)
    await new Promise((resolve) => setTimeout(resolve, 10));
  equal(condition(), true, "it did not happen");
}

test("the scene that the data name is loaded with its style, made once, and given the data", async () => {
  const { root, sent, call } = component();
  call(message(1));
  equal([root.textContent, root.getAttribute("aria-busy")], ["", "true"]);
  await until(() => log.length === 2);
  equal(log, ["made", "update 1 fresh"]);
  equal([root.textContent, root.getAttribute("aria-busy")], ["a picture", null]);
  equal([getComputedStyle(root).color, sent], ["rgb(1, 2, 3)", ["seen 1"]]);
});

test("new data update the scene, and the same data do not", async () => {
  const { call } = component();
  const first = message(1);
  call(first);
  await until(() => log.length === 2);
  call(first);
  call(message(2));
  equal(log, ["made", "update 1 fresh", "update 2 fresh"]);
});

test("data that come while the scene loads are the ones it gets", async () => {
  const { call } = component();
  call(message(1));
  call(message(2));
  await until(() => log.length === 2);
  equal(log, ["made", "update 2 fresh"]);
});

test("another theme is told with the old data", async () => {
  const { root, call } = component();
  const data = message(1);
  call(data);
  await until(() => log.length === 2);
  root.style.setProperty("--st-background-color", "#101317");
  call(data);
  equal(log.at(-1), "update 1 themed");
});

test("a component that goes destroys its scene, and one that comes back makes it anew", async () => {
  const { parentElement, call } = component();
  const data = message(1);
  const leave = call(data);
  await until(() => log.length === 2);
  const place = parentElement.parentElement;
  parentElement.remove();
  leave();
  await until(() => log.at(-1) === "destroyed");
  place.append(parentElement);
  call(data);
  await until(() => log.length === 5);
  equal(log.slice(3), ["made", "update 1 fresh"]);
});

test("a call that a later one has overtaken is cleaned up without an end to the scene", async () => {
  const { call } = component();
  const leave = call(message(1));
  await until(() => log.length === 2);
  call(message(2));
  leave();
  await soon();
  call(message(3));
  equal(log, ["made", "update 1 fresh", "update 2 fresh", "update 3 fresh"]);
});

test("a component that goes while its scene loads makes none", async () => {
  const { parentElement, call } = component();
  const leave = call(message(1));
  parentElement.remove();
  leave();
  await new Promise((resolve) => setTimeout(resolve, 200));
  await soon();
  equal(log, []);
});
