import { bind } from "../../../explainer/web/bind.js";
import { createTip } from "../../../explainer/web/tip.js";
import { equal, ok, page, point, test } from "./harness.js";

function bound() {
  const root = page(`
    <div style="position: relative; padding: 150px">
      <span id="said" data-ref="best" tabindex="0">the best <i>match</i></span>
      <span id="row" data-ref="row best">a row</span>
      <span id="other" data-ref="bestseller">another</span>
      <span id="term" data-term="row" tabindex="0">row</span>
      <span id="plain" tabindex="0">plain</span>
      <div id="tip" hidden style="position: absolute"></div>
    </div>`);
  const $ = (id) => /** @type {any} */ (root.querySelector(`#${id}`));
  const tip = createTip($("tip"));
  const lit = () => [...root.querySelectorAll(".lit")].map((node) => node.id);
  return { root, $, tip, lit, ...bind(root, { tip, terms: () => ({ row: "one line of numbers" }) }) };
}

test("pointing at words lights what they name, and back", () => {
  const { $, lit } = bound();
  point("pointerover", $("said").querySelector("i"));
  equal(lit(), ["said", "row"]);
  point("pointerover", $("row"));
  equal(lit(), ["said", "row"]);
});

test("pointing elsewhere puts it out, and so does leaving", () => {
  const { root, $, lit } = bound();
  point("pointerover", $("said"));
  point("pointerover", $("plain"));
  equal(lit(), []);
  point("pointerover", $("said"));
  point("pointerout", $("said"), { relatedTarget: document.body.parentElement });
  equal(lit(), []);
  ok(!root.matches(".lit"));
});

test("from the picture the words are lit, and not the rest of the picture", () => {
  const { root, $, lit } = bound();
  root.insertAdjacentHTML("beforeend", '<p class="story"><b id="told" data-ref="best">the best</b></p>');
  point("pointerover", $("row"));
  equal(lit(), ["told"]);
  point("pointerover", $("told"));
  equal(lit(), ["said", "row", "told"]);
});

test("a name is a whole word: a longer one is not lit", () => {
  const { $, lit } = bound();
  point("pointerover", $("other"));
  equal(lit(), ["other"]);
});

test("the focus lights as the pointer does", () => {
  const { $, lit } = bound();
  $("said").focus();
  equal(lit(), ["said", "row"]);
  $("plain").focus();
  equal(lit(), []);
  $("said").focus();
  $("said").blur();
  equal(lit(), []);
});

test("a term is explained while it is pointed at, or has the focus", () => {
  const { $ } = bound();
  point("pointerover", $("term"));
  equal([$("tip").hidden, $("tip").textContent], [false, "rowone line of numbers"]);
  point("pointerout", $("term"), { relatedTarget: $("plain") });
  equal($("tip").hidden, true);
  $("term").focus();
  equal($("tip").hidden, false);
  $("plain").focus();
  equal($("tip").hidden, true);
});

test("a scene can light something by itself, and put it out", () => {
  const { light, lit } = bound();
  light(["best"]);
  equal(lit(), ["said", "row"]);
  light(["row"]);
  equal(lit(), ["row"]);
  light([]);
  equal(lit(), []);
});

test("what has come since the last time is lit too", () => {
  const { root, $, lit } = bound();
  root.insertAdjacentHTML("beforeend", '<span id="late" data-ref="best">late</span>');
  point("pointerover", $("said"));
  equal(lit(), ["said", "row", "late"]);
});

test("the box stands above what it explains, inside of the scene", () => {
  const { root, $, tip } = bound();
  $("plain").style.cssText = "position: absolute; right: 0";
  tip.show($("plain"), ["A title", "and a rather long line of explanation below it"]);
  const [box, host, target] = [$("tip"), root, $("plain")].map((node) => node.getBoundingClientRect());
  ok(box.bottom <= target.top && box.top >= 0, "above");
  ok(box.right <= host.right + 1 && box.left >= host.left, "inside");
});

test("where there is no room above, the box stands below", () => {
  const { root, $, tip } = bound();
  root.style.padding = "0";
  tip.show($("said"), ["A title"]);
  ok($("tip").getBoundingClientRect().top >= $("said").getBoundingClientRect().bottom, "below");
});
