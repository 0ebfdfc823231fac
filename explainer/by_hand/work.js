// The calculation of each stage, for the screen and for the printed sheet.

import { el } from "../web/dom.js";
import { fill } from "../web/words.js";
import { added, cell, columns, dots, lead, matrix, mix, product, rowsOf } from "./tables.js";

/** @typedef {import("./tables.js").Manner} Manner */
/** @typedef {import("./tables.js").Kind} Kind */

/**
 * @param {any} scene what Python sent
 * @param {string} letters of the mistakes that are made
 * @param {{hidden?: string}} [sheet] what stands for the word that round one finds, where that is an exercise
 */
export function createWork(scene, letters, { hidden = "" } = {}) {
  const { ui } = scene.words;
  const { rounds } = scene.variants[letters];
  const right = scene.variants[""].rounds;
  const word = (id) => scene.vocabulary[id];
  const isLn2 = scene.unit === "ln2";
  /** A number of units: 2 ln 2. */
  const times = (text) => {
    if (!isLn2 || text === "0") return text;
    return /^−?1$/.test(text) ? text.replace("1", "ln 2") : `${text} ln 2`;
  };
  const queryName = isLn2 ? `${ui.q}\u00a0= ln\u00a02\u00a0·` : ui.q;

  const weightsOf = (part) => `W_${part.toUpperCase()}${part === "q" && isLn2 ? " = ln 2 ·" : ""}`;

  const names = (i) =>
    rounds[i].ids.map((id, j) => (hidden && j >= rounds[0].ids.length ? hidden : word(id)));
  const newest = (i) => names(i).at(-1);
  const same = (i) => String(rounds[i].ids) === String(right[i].ids);
  /**
   * What a result is, and what it should be where it is wrong.
   * @returns {{text: string, kind: Kind, right: string}}
   */
  function judged(i, text, correct) {
    const wrong = letters && same(i) && text !== correct;
    return {
      text,
      kind: wrong ? "differs" : "fresh",
      right: wrong ? fill(ui.instead, { right: correct }) : "",
    };
  }
  /** @returns {{row: string[], kind: Kind, right: string[]}} */
  function judgedRow(i, part) {
    const row = rounds[i][part].map((text, j) => judged(i, text, right[i][part][j]));
    const wrong = row.some(({ kind }) => kind === "differs");
    return {
      row: rounds[i][part],
      kind: wrong ? "differs" : "fresh",
      right: row.map((one) => one.right),
    };
  }
  /** @returns {Kind} */
  const kindOf = (i, row) => (row < rounds[i].start ? "cached" : "fresh");
  const power = (base, exponent) => [base, el("sup", {}, exponent)];

  return {
    names,
    queryName,

    /** The words and their rows. */
    given(i) {
      const { ids, start, x } = rounds[i];
      const rows = ids.slice(start).map((id, j) => ({ name: word(id), row: x[j], kind: "given" }));
      return rowsOf(ui.x, rows, { ref: "x" });
    },

    /** q of the last word. @param {number} i @param {Manner} [manner] */
    query(i, manner, narrow = false) {
      const { q, x } = rounds[i];
      return product(
        {
          label: ui.q,
          top: scene.given.wq,
          topName: weightsOf("q"),
          left: [{ name: newest(i), row: x.at(-1) }],
          results: [q],
          ref: "q",
          narrow,
          unit: isLn2 ? `${ui.q} = ln 2 · (${q.join("  ")})` : "",
        },
        manner,
      );
    },

    /** The keys or values that this round computes. @param {number} i @param {"k" | "v"} part @param {Manner} [manner] */
    rows(i, part, manner, narrow = false) {
      const { ids, start, x } = rounds[i];
      return product(
        {
          label: ui[part],
          top: scene.given[`w${part}`],
          topName: weightsOf(part),
          left: ids.slice(start).map((id, j) => ({ name: word(id), row: x[j] })),
          results: rounds[i][part].slice(start),
          ref: part,
          narrow,
        },
        manner,
      );
    },

    /** q, k and v of the newest word, and its row above them. */
    three(i) {
      const x = rowsOf(ui.x, [{ name: newest(i), row: rounds[i].x.at(-1), kind: "given" }], { ref: "x" });
      const products = [this.query(i, {}, true), this.rows(i, "k", {}, true), this.rows(i, "v", {}, true)];
      return el("div.fresh-three", {}, x, el("div.three", {}, ...products));
    },

    /** The query that this round asks with, or room for it. */
    own(i, { empty, kind, old, blank = false }) {
      const row = rounds[i][old ? "asked" : "q"];
      return rowsOf(ui.q, [{ name: old ? newest(0) : newest(i), row, kind, empty }], { ref: "q", blank });
    },

    /** The newest word's row, and its q, k and v to be worked out. @param {Manner} manner */
    newest(manner) {
      const { x, q, k, v } = rounds[1];
      const left = { name: newest(1), row: x.at(-1) };
      const products = { q, k: k.at(-1), v: v.at(-1) };
      return Object.entries(products).map(([part, row]) =>
        product(
          {
            label: ui[part],
            top: scene.given[`w${part}`],
            topName: "",
            left: [{ ...left, name: part }],
            results: [row],
            ref: part,
          },
          { ...manner, rowBlank: manner.blank },
        ),
      );
    },

    /** A half of the cache: how many rows of it are there, and room for those to come. */
    cache(i, part, { stored, room }, manner) {
      const rows = Array.from({ length: room }, (_, row) => ({
        name: names(i)[row] ?? "",
        row: rounds[i][part][row],
        kind: kindOf(i, row),
        empty: row >= stored,
      }));
      return rowsOf(ui[part], rows, { ref: part, ...manner });
    },

    /** The query against every key; `scaled`, and divided at once. @param {number} i @param {boolean} scaled @param {Manner} [manner] */
    scores(i, scaled, manner) {
      const { asked, k, products, scores, divisor } = rounds[i];
      const query = judgedRow(i, "asked");
      return dots(
        {
          label: ui.score,
          top: { name: queryName, row: asked, kind: query.kind, ref: "q" },
          heads: [ui.product, ...(scaled ? [fill(ui.scaled, { divisor })] : [])],
          rows: k.map((row, j) => {
            const dot = judged(i, times(products[j]), times(right[i].products[j]));
            const over = judged(i, times(scores[j]), times(right[i].scores[j]));
            return {
              name: names(i)[j],
              row,
              kind: kindOf(i, j),
              results: scaled ? [{ ...dot, right: "" }, over] : [dot],
            };
          }),
          rowRef: "k",
          ref: "score",
        },
        manner,
      );
    },

    /** Each score divided. */
    scale(i) {
      const { products, scores, divisor } = rounds[i];
      return columns({
        label: fill(ui.scaled, { divisor }),
        heads: [ui.product, "", fill(ui.scaled, { divisor })],
        rows: names(i).map((name, j) => {
          const over = judged(i, times(scores[j]), times(right[i].scores[j]));
          return {
            name,
            cells: [
              cell(times(products[j]), "fresh"),
              el("td", {}, el("span.how", {}, `${times(products[j])} / ${divisor} =`)),
              cell(over.text, over.kind, { ref: "score", right: over.right }),
            ],
          };
        }),
      });
    },

    /** Powers, their sum, weights. @param {number} i @param {Manner} [manner] */
    softmax(i, { blank = false } = {}) {
      const { scores, softmax, weights, shares } = rounds[i];
      const { base, shift, exponents, powers, sum } = softmax;
      const rows = names(i).map((name, j) => {
        const weight = judged(i, weights[j], right[i].weights[j]);
        const td = cell(weight.text, weight.kind, { ref: "weight", blank, right: weight.right });
        const share = Number(shares[j]);
        const raised = cell(powers[j], "fresh", { blank });
        if (!blank) {
          td.prepend(el("span.how", {}, `${powers[j]} / ${sum} =`));
          td.append(el(`i.bar.${weight.kind}`, { style: `width:${(4 * share).toFixed(2)}em` }));
          raised.prepend(el("span.how", {}, ...power(base, exponents[j]), " ="));
        }
        return { name, cells: [cell(times(scores[j]), "fresh", { ref: "score", blank }), raised, td] };
      });
      rows.push({ name: ui.sum, cells: [el("td.gap"), cell(sum, "fresh", { blank }), el("td.gap")] });
      const less = shift ? ` (${fill(ui.minus, { shift: times(shift) })})` : "";
      const heads = [ui.score, el("span", {}, ...power("e", ui.score), less), ui.weight];
      return columns({ label: ui.weight, heads, rows });
    },

    /** The weighted values. @param {number} i @param {Manner} [manner] */
    output(i, manner) {
      const { v, weights } = rounds[i];
      return mix(
        {
          label: ui.z,
          name: ui.z,
          weightName: ui.weight,
          rows: v.map((row, j) => ({
            name: names(i)[j],
            weight: weights[j],
            weightKind: judged(i, weights[j], right[i].weights[j]).kind,
            row,
            kind: kindOf(i, j),
          })),
          result: judgedRow(i, "z"),
        },
        manner,
      );
    },

    /** Output and row added, and what each word gets. @param {number} i @param {Manner} [manner] */
    next(i, manner) {
      const { x, z, sum, logits, next } = rounds[i];
      const total = judgedRow(i, "sum");
      const output = judgedRow(i, "z");
      const first = [
        { name: `${ui.x}: ${newest(i)}`, row: x.at(-1), kind: "given", ref: "x" },
        { name: ui.z, row: z, kind: output.kind, ref: "z" },
      ];
      return dots(
        {
          label: ui.logit,
          first: first.map((row) => lead(row, manner)),
          top: {
            name: ui.r,
            row: sum,
            kind: total.kind,
            ref: "r",
            cells: added([x.at(-1), z], total, manner),
          },
          heads: [ui.logit],
          rows: scene.vocabulary.map((name, j) => ({
            name,
            row: scene.given.embed[j],
            kind: "given",
            results: [judged(i, logits[j], right[i].logits[j])],
            best: j === next ? ui.next : "",
          })),
          rowRef: "e",
          ref: "logit",
        },
        manner,
      );
    },

    /** The three matrices, as they are given. */
    matrices: () =>
      el(
        "div.matrices",
        {},
        ...["q", "k", "v"].map((part) => matrix(weightsOf(part), scene.given[`w${part}`])),
      ),
  };
}
