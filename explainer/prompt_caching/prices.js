// The provider view: rules to play with, the learner's own requests under each, and a conversation.

import { el, svg } from "../web/dom.js";
import { fill } from "../web/words.js";
import { choice, legend, number } from "./tokens.js";

const WIDTH = 560;
const HEIGHT = 190;
const LEFT = 56;
const BELOW = 22;

/** @param {import("./scene.js").Around} around */
export function createPrices(around) {
  const words = around.words().prices;
  const rules = el("div.rules");
  const table = el("div.table-box", { tabindex: "0", role: "group", "aria-label": words.table });
  const chart = el("div.charts");
  const held = el("p.error", { role: "status" });
  const notes = el("div.notes");
  const about = el("p.quiet");
  const node = el(
    "div.prices",
    {},
    el("section.form", { "aria-label": words.rules }, rules, held, about),
    table,
    chart,
    notes,
  );

  const change = (what) => around.act("prices", what);

  function drawRules(body) {
    const fields = Object.keys(body.limits).map((name) =>
      number(
        words.field[name],
        body.rules[name],
        { max: body.limits[name], step: ["minimum", "step", "lookback"].includes(name) ? 1 : "any" },
        (value) => change({ rules: { [name]: value } }),
      ),
    );
    const names = body.rows.map((row) => [row.key, row.name.replace(/ \*$/, "")]);
    const reset = el("button", { type: "button", disabled: !body.changed.length }, words.reset);
    reset.onclick = () => change({ preset: body.preset });
    rules.replaceChildren(
      choice(words.preset, names, body.preset, (preset) => change({ preset })),
      choice(
        words.field.mode,
        body.modes.map((mode) => [mode, words.mode[mode]]),
        body.rules.mode,
        (mode) => change({ rules: { mode } }),
      ),
      ...fields,
      reset,
    );
    held.textContent = body.held ? fill(words.held, { names: body.held }) : "";
  }

  /** A link to where the rules were read. */
  function sourceOf({ name, source, link }) {
    const label = fill(words.source_of, { name, source });
    const attributes = {
      href: link,
      title: source,
      "aria-label": label,
      target: "_blank",
      rel: "noreferrer",
    };
    return el("a", attributes, words.row_source);
  }

  function drawTable(body) {
    const own = fill(body.example ? words.example : words.own_history, {
      requests: body.requests === 1 ? "1 request" : `${body.requests} requests`,
      gap: body.gaps.find(([gap]) => gap === body.gap)[1],
    });
    const head = [
      "",
      words.row_cost,
      words.row_full,
      words.row_share,
      words.row_read,
      words.even,
      words.row_source,
    ];
    const rows = body.rows.map((row) => {
      const pick = el("button.pick", { type: "button", title: row.note || null }, row.name);
      pick.onclick = () => change({ preset: row.key });
      return el(
        `tr${row.key === body.preset ? ".chosen" : ""}`,
        {},
        el("th", { scope: "row" }, pick),
        el("td", {}, el("b", {}, row.cost)),
        el("td", {}, row.full),
        el("td", {}, row.share),
        el("td", {}, row.read),
        el("td", {}, row.even === null ? words.never : String(row.even)),
        el("td", {}, row.link ? sourceOf(row) : "–"),
      );
    });
    table.replaceChildren(
      el("h3", {}, words.table),
      el("p.quiet", {}, own),
      el(
        "div.settings",
        {},
        choice(
          words.scale,
          body.scales.map((n) => [n, String(n)]),
          body.scale,
          (scale) => change({ scale }),
        ),
        choice(words.gap, body.gaps, body.gap, (gap) => change({ gap })),
      ),
      el(
        "table",
        {},
        el(
          "thead",
          {},
          el("tr", {}, ...head.map((text) => el(text ? "th" : "td", text ? { scope: "col" } : {}, text))),
        ),
        el("tbody", {}, ...rows),
      ),
    );
  }

  const axis = (text, x, y, anchor = "end") => svg("text", { x, y, "text-anchor": anchor }, text);

  /** Input tokens of each turn, stacked: read, written, neither. */
  function bars(body) {
    const most = Math.max(...body.turns.map((turn) => turn[0] + turn[1] + turn[2]), 1);
    const wide = (WIDTH - LEFT) / body.turns.length;
    const tall = (tokens) => (tokens / most) * (HEIGHT - BELOW - 8);
    const nodes = [axis(most.toLocaleString("en"), LEFT - 6, 16), axis("0", LEFT - 6, HEIGHT - BELOW)];
    body.turns.forEach((turn, i) => {
      let y = HEIGHT - BELOW;
      ["read", "written", "plain"].forEach((kind, k) => {
        const height = tall(turn[k]);
        y -= height;
        const said = `${i + 1}: ${turn[k].toLocaleString("en")} ${words.legend[kind]}`;
        if (height)
          nodes.push(
            svg(
              "rect",
              { class: kind, x: LEFT + i * wide + 1, y, width: wide - 2, height },
              svg("title", {}, said),
            ),
          );
      });
      if (i % 5 === 4 || !i)
        nodes.push(axis(String(i + 1), LEFT + (i + 0.5) * wide, HEIGHT - BELOW + 16, "middle"));
    });
    return nodes;
  }

  /** What it has cost so far, with caching and without. */
  function lines(body) {
    const most = Math.max(...body.running.flat(), 1e-12);
    const x = (i) => LEFT + ((i + 0.5) * (WIDTH - LEFT)) / body.running.length;
    const y = (cost) => HEIGHT - BELOW - (cost / most) * (HEIGHT - BELOW - 8);
    const path = (k) => body.running.map((pair, i) => `${i ? "L" : "M"}${x(i)} ${y(pair[k])}`).join("");
    const [cost, full] = body.said.at(-1);
    const end = body.running.at(-1);
    const nodes = [
      svg("path", { class: "line-full", d: path(1) }),
      svg("path", { class: "line-cost", d: path(0) }),
      axis(full, x(body.running.length - 1) - 12, y(end[1]) + 6),
      axis(cost, WIDTH - 4, y(end[0]) - 7),
      axis("0", LEFT - 6, HEIGHT - BELOW),
    ];
    for (const i of [0, 4, 9, 14, 19]) nodes.push(axis(String(i + 1), x(i), HEIGHT - BELOW + 16, "middle"));
    return nodes;
  }

  function drawChart(body) {
    const told = fill(words.chart_lead, body.talk_costs);
    const figure = (nodes, label) =>
      svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label }, ...nodes);
    const fields = Object.keys(body.talk).map((name) =>
      number(words.talk[name], body.talk[name], { min: 1, max: body.most_talk[name], step: 1 }, (value) =>
        change({ talk: { [name]: value } }),
      ),
    );
    chart.replaceChildren(
      el("h3", {}, fill(words.chart, { turns: String(body.turns.length) })),
      el("p.line", {}, told),
      el("div.settings", {}, ...fields),
      el("div.pair-of-charts", {}, figure(bars(body), told), figure(lines(body), told)),
      legend([
        ["read-cell", words.legend.read],
        ["new-cell", words.legend.written],
        ["plain-cell", words.legend.plain],
        ["line-full-key", words.legend.full],
        ["line-cost-key", words.legend.cost],
      ]),
    );
  }

  function drawNotes(body) {
    const chosen = body.rows.find((row) => row.key === body.preset);
    about.textContent = chosen.source ? `${chosen.note} ${chosen.source}, ${body.date}.` : words.yours;
    const list = body.unpriced.map((text) => el("li", {}, text));
    notes.replaceChildren(
      el("p.quiet", {}, fill(words.date, { date: body.date }), " ", words.currency),
      el("details", {}, el("summary", {}, words.unpriced), el("ul", {}, ...list)),
    );
  }

  return {
    node,
    show(body) {
      drawRules(body);
      drawTable(body);
      drawChart(body);
      drawNotes(body);
    },
  };
}
