import { cellRow, fillCells, readTheme, WIDEST_IN_CELLS } from "../../../explainer/web/cells.js";
import { el } from "../../../explainer/web/dom.js";
import { equal, ok, page, test } from "./harness.js";

const ramp = (count) => Float32Array.from({ length: count }, (_, i) => i / count - 0.5);

test("a row has a cell for each number, with the number in it", () => {
  const row = page("<main></main>").appendChild(cellRow("k"));
  fillCells(row, Float32Array.of(0.25, -1.5, -0.01), 1.5, "key");
  equal(
    [...row.children].map((cell) => cell.textContent),
    ["0.3", "-1.5", "0.0"],
  );
  equal([row.dataset.part, row.children[0].getAttribute("role")], ["k", "gridcell"]);
});

test("filled again, a row keeps its cells and takes the new shades", () => {
  const row = cellRow("k");
  fillCells(row, Float32Array.of(0, 2), 2, "key");
  const [first, second] = row.children;
  const pale = first.className;
  fillCells(row, Float32Array.of(2, 0), 2, "key");
  equal([row.children[0] === first, row.children.length], [true, 2]);
  equal(second.className, pale);
  ok(first.className !== pale);
});

test("a wide row is one strip with all its numbers", () => {
  const row = cellRow("k");
  fillCells(row, ramp(WIDEST_IN_CELLS + 1), 0.5, "key of “to”");
  const [strip] = /** @type {any} */ (row.children);
  equal([row.children.length, strip.values.length], [1, 25]);
  equal(strip.firstElementChild.width, 25);
  ok(strip.getAttribute("aria-label").startsWith("key of “to”: 25 numbers"));
  fillCells(
    row,
    ramp(25).map((x) => -x),
    0.5,
    "another",
  );
  ok(strip.getAttribute("aria-label").startsWith("another"));
});

test("the widest row that is cells is cells", () => {
  const row = cellRow("k");
  fillCells(row, ramp(WIDEST_IN_CELLS), 0.5, "key");
  equal(row.children.length, WIDEST_IN_CELLS);
});

test("the theme is told by the background's lightness, and a change of it once", () => {
  const root = page('<main style="--st-background-color: #101317"></main>');
  equal([readTheme(root), root.classList.contains("dark"), readTheme(root)], [true, true, false]);
  root.style.setProperty("--st-background-color", "rgb(252 252 250)");
  equal([readTheme(root), root.classList.contains("dark"), readTheme(root)], [true, false, false]);
});

test("text and elements are children, and nothing is markup", () => {
  const node = el(
    "p.a.b",
    { title: "<i>", hidden: true, lang: null, id: undefined, dir: false },
    "<b>",
    el("i"),
    null,
  );
  equal([node.className, node.getAttribute("title"), node.textContent], ["a b", "<i>", "<b>"]);
  equal([node.getAttribute("hidden"), node.attributes.length, node.children.length], ["", 3, 1]);
});
