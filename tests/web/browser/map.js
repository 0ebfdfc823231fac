import { createMap } from "../../../explainer/web/map.js";
import { equal, page, press, test } from "./harness.js";

const MODEL = { n_layers: 3, n_heads: 4, n_kv_heads: 2 };
const NOW = { layer: 1, head: 2, stored: 14, fresh: false };

function mapped(now = {}) {
  const picked = [];
  const map = createMap(MODEL, (layer, head) => picked.push([layer, head]));
  page("<main></main>").append(map.node);
  map.show({ ...NOW, ...now });
  const at = (layer, head) =>
    /** @type {any} */ (map.node.querySelectorAll(`[data-layer="${layer}"] .map-head`)[head]);
  const stops = () => map.node.querySelectorAll('[tabindex="0"]').length;
  const key = (name) => press(name, document.activeElement);
  return { ...map, picked, at, stops, key, grid: map.node.querySelector("[role=grid]") };
}

test("the first layer stands below", () => {
  const { node } = mapped();
  equal(
    [...node.querySelectorAll("[role=row]")].map((row) => row.dataset.layer),
    ["2", "1", "0"],
  );
});

test("the shown head is lit, alone, and the slab of its layer", () => {
  const { show, node, at } = mapped();
  show({ ...NOW, layer: 2, head: 0 });
  equal([at(2, 0).className.includes("lit-head"), at(2, 0).getAttribute("aria-current")], [true, "true"]);
  equal([node.querySelectorAll(".lit-head").length, node.querySelectorAll("[aria-current]").length], [1, 1]);
  equal(
    [...node.querySelectorAll(".slab")].map((slab) => slab.classList.contains("lit-slab")),
    [true, false, false],
  );
  equal(node.querySelector(".map-title").textContent, "Layer 2, head 0");
});

test("a click picks a head", () => {
  const { picked, at } = mapped();
  at(0, 3).click();
  equal(picked, [[0, 3]]);
});

test("arrow keys go from head to head, up to the layers above, and stop at the edges", () => {
  const { at, key } = mapped();
  at(1, 2).focus();
  for (const [name, layer, head] of [
    ["ArrowUp", 2, 2],
    ["ArrowUp", 2, 2],
    ["ArrowRight", 2, 3],
    ["ArrowRight", 2, 3],
    ["ArrowDown", 1, 3],
    ["ArrowDown", 0, 3],
    ["ArrowDown", 0, 3],
    ["ArrowLeft", 0, 2],
  ]) {
    equal(key(name), true);
    equal(document.activeElement === at(layer, head), true, `${name} to ${layer}.${head}`);
  }
});

test("the arrow keys of the map are not those of the scene, all others are", () => {
  const { at, key } = mapped();
  let heard = "";
  document.addEventListener("keydown", (event) => (heard += event.key));
  at(1, 2).focus();
  key("ArrowUp");
  key("p");
  equal(heard, "p");
});

test("the map is one tab stop, wherever the keys and the scene have been", () => {
  const { at, key, stops, show } = mapped();
  equal([stops(), at(1, 2).tabIndex], [1, 0]);
  at(1, 2).focus();
  key("ArrowUp");
  equal([stops(), at(2, 2).tabIndex], [1, 0]);
  show(NOW);
  equal(stops(), 1);
  show({ ...NOW, layer: 0, head: 0 });
  equal([stops(), at(0, 0).tabIndex], [1, 0]);
});

test("a head says where it is and what it looks at, and is shaded by it", () => {
  const { at } = mapped({ shade: (l, h) => (l + h) / 10, said: (l, h) => `0.${l + h} on “Sara”` });
  equal(at(2, 3).getAttribute("aria-label"), "layer 2, head 3: 0.5 on “Sara”");
  equal(at(2, 3).style.getPropertyValue("--shade"), "50");
});

test("heads that share a KV head stand together", () => {
  const { at } = mapped();
  equal(
    [0, 1, 2, 3].map((head) => at(0, head).classList.contains("new-group")),
    [false, false, true, false],
  );
});

test("the slab counts the tokens in the cache, the newest apart", () => {
  const { grid, show } = mapped();
  const counts = () => ["--stored", "--newest"].map((name) => grid.style.getPropertyValue(name));
  equal(counts(), ["14", "0"]);
  show({ ...NOW, stored: 15, fresh: true });
  equal(counts(), ["14", "1"]);
});

const VIEWS = [
  { name: "Any", shade: () => 0.9, note: "all" },
  { name: "First", shade: (l, h) => (l === 2 ? 0.2 + h / 10 : 0), note: "the first" },
  { name: "Next", shade: null, note: "not here" },
];

function chooseView(node, i) {
  const choice = node.querySelector("select");
  choice.selectedIndex = i;
  choice.dispatchEvent(new Event("change"));
}

test("heads are ranked by what a view asks of them, and picked from the ranking", () => {
  const { node, at, picked } = mapped({ views: VIEWS });
  const best = () => [...node.querySelectorAll(".map-pick")].map((button) => button.textContent);
  equal(best(), []);
  chooseView(node, 1);
  equal(best(), ["2.30.50", "2.20.40", "2.10.30", "2.00.20"]);
  equal(
    [at(2, 3).style.getPropertyValue("--shade"), node.querySelector(".map-note").textContent],
    ["50", "the first"],
  );
  node.querySelector(".map-pick").click();
  equal(picked, [[2, 3]]);
});

test("a view that the text has nothing for says so, and shades no head", () => {
  const { node, at } = mapped({ views: VIEWS });
  chooseView(node, 2);
  equal([node.querySelectorAll(".map-pick").length, at(2, 3).style.getPropertyValue("--shade")], [0, "0"]);
  equal(node.querySelector(".map-note").textContent, "not here");
});

test("the chosen view stays while the learner steps", () => {
  const { node, show } = mapped({ views: VIEWS });
  chooseView(node, 1);
  show({ ...NOW, stored: 15, views: VIEWS });
  equal(node.querySelector("select").selectedIndex, 1);
});
