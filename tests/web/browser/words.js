import { formula, say } from "../../../explainer/web/words.js";
import { el } from "../../../explainer/web/dom.js";
import { equal, ok, test, throws } from "./harness.js";

const told = (sentence, values = {}) => el("p", {}, ...say(sentence, values));

test("a sentence without pieces is its text", () => {
  equal(told("{n} rows.", { n: "3" }).innerHTML, "3 rows.");
});

test("a bound part and a term are elements, their values filled in", () => {
  const p = told("The [query of {t}](#q) meets a [row](?row){end}", { t: "“to”", end: "." });
  equal(p.textContent, "The query of “to” meets a row.");
  const [bound, term] = /** @type {any} */ (p.children);
  equal([bound.dataset.ref, bound.textContent], ["q", "query of “to”"]);
  equal([term.dataset.term, term.textContent, term.tabIndex], ["row", "row", 0]);
});

test("markup in a value is text", () => {
  const value = '<img src=x onerror="alert(1)"> &amp; <b>';
  for (const sentence of ["{x}", "[{x}](#q)", "[{x}](?term)"]) {
    const p = told(sentence, { x: value });
    equal(p.textContent, value);
    equal(p.querySelectorAll("img, b").length, 0);
  }
});

test("pieces and names in a value are text", () => {
  const p = told("{x} and {y}", { x: "[a](#q) [b](?t) {y}", y: "2" });
  equal([p.textContent, p.children.length], ["[a](#q) [b](?t) {y} and 2", 0]);
});

test("a missing value throws, in the sentence and in its pieces", () => {
  throws(() => say("{n} rows", {}), /no value for \{n\}/);
  throws(() => say("[{n} rows](#k)", {}), /no value for \{n\}/);
});

test("a template as a value is put in first, with its own pieces and values", () => {
  const p = told("So: {more} End.", { more: { template: "[{n} rows](#k)." }, n: "4" });
  equal([p.textContent, p.querySelector("[data-ref=k]")?.textContent], ["So: 4 rows. End.", "4 rows"]);
});

test("markup in a template's own text is text", () => {
  equal(told("1 < 2 & <b>no</b>").children.length, 0);
});

test("a formula is our markup with numbers in it", () => {
  const box = formula(["<math><mn>{n}</mn>", "<mo>=</mo><mn>{m}</mn></math>"], { n: "1,024.5", m: "−3" });
  equal(
    [...box.querySelectorAll("mn")].map((node) => node.textContent),
    ["1,024.5", "−3"],
  );
  ok(box.matches(".formula"));
});

test("nothing but digits and their signs gets into a formula", () => {
  const value = '12<img src=x onerror="alert(34)">&lt;';
  const box = formula(["<math><mn>{n}</mn></math>"], { n: value });
  equal([box.textContent, box.querySelectorAll("img").length], ["1234", 0]);
});

test("zero is a number in a formula, and a missing value throws", () => {
  equal(formula(["<mn>{n}</mn>"], { n: 0 }).textContent, "0");
  throws(() => formula(["{n}"], {}), /no value for \{n\}/);
});
