// The exercise sheet: what is printed instead of the page, one round to a page.

import { el } from "../web/dom.js";
import { fill } from "../web/words.js";
import { lowerAll, rowsOf } from "./tables.js";
import { createWork } from "./work.js";

const PAGE = 1015; // px of an A4 page within its margins, less a line
const FONTS = [10.5, 10, 9.5, 9, 8.5, 8, 7.5, 7, 6.5, 6, 5.5];

export function createSheet() {
  const node = el("div.sheet");
  let solved = false;

  /** The sheet from a scene's numbers, right ones always. */
  function write(scene) {
    const { sheet: words } = scene.words;
    const { rounds, values } = scene.variants[""];
    const blank = !solved;
    const manner = { blank };
    const work = createWork(scene, "", { hidden: blank ? "…" : "" });
    const task = (text, ...nodes) => el("section", {}, el("h3", {}, text), ...nodes);
    const named = (name, part) => el("figure", {}, el("figcaption", {}, name), part);
    const count = [0];
    const numbered = (text, ...nodes) => task(`${(count[0] += 1)}. ${text}`, ...nodes);
    const answer = (i) =>
      el(
        "p.answer",
        {},
        `${words.answer} `,
        blank ? el("span.line-to-fill") : el("b", {}, scene.vocabulary[rounds[i].next]),
      );
    const embeddings = rowsOf(
      words.given,
      scene.vocabulary.map((name, i) => ({ name, row: scene.given.embed[i], kind: "given" })),
    );
    const given = () => el("div.sheet-given", {}, embeddings.cloneNode(true), work.matrices());
    const rest = (i) => [
      numbered(
        fill(words.scores, values),
        el("div.beside", {}, work.scores(i, true, manner), work.softmax(i, manner)),
      ),
      numbered(words.output, work.output(i, manner)),
      numbered(words.next, work.next(i, manner), answer(i)),
    ];
    const head = (text) =>
      el(
        "header",
        {},
        el("h1", {}, words.title),
        el("p", {}, `${words.name}: `, el("span.line-to-fill")),
        el("h2", {}, text),
      );
    const all = { stored: rounds[1].ids.length, room: rounds[1].ids.length };
    const [fresh, naive] = scene.work.map(String);
    const last = (name, value) => [` ${name}: `, blank ? el("span.line-to-fill") : el("b", {}, value), " "];
    const first = [
      numbered(words.query, work.query(0, manner)),
      numbered(words.keys, work.rows(0, "k", manner)),
      numbered(words.values, work.rows(0, "v", manner)),
      ...rest(0),
    ];
    count[0] = 0;
    const second = [
      numbered(words.fresh, ...work.newest(manner)),
      numbered(
        words.append,
        el(
          "div.beside",
          {},
          ...["k", "v"].map((part) =>
            named(scene.words.ui[`cache_${part}`], work.cache(1, part, all, manner)),
          ),
        ),
      ),
      ...rest(1),
      numbered(words.last, el("p.answer", {}, ...last(words.with, fresh), ...last(words.without, naive))),
    ];
    const hint = scene.unit === "ln2" ? el("p.hint", {}, words.hint) : "";
    node.replaceChildren(
      el("article", {}, head(fill(words.first, values)), given(), hint, ...first),
      el(
        "article",
        {},
        head(blank ? words.second_blank : fill(words.second, values)),
        given(),
        hint && hint.cloneNode(true),
        ...second,
      ),
    );
    lowerAll(node);
    node.classList.toggle("solved", solved);
    fit();
  }

  /** The largest font with which each round stays on its page: long numbers take more room. */
  function fit() {
    node.classList.add("measured");
    const articles = [...node.children];
    for (const font of FONTS) {
      node.style.setProperty("--sheet-font", `${font}px`);
      if (articles.every((article) => /** @type {HTMLElement} */ (article).offsetHeight <= PAGE)) break;
    }
    node.classList.remove("measured");
  }

  return {
    node,
    solutions(with_) {
      solved = with_;
    },
    fill: write,
  };
}
