// Two requests: the parts of a prompt, what a request read and computed, and the store as it grows.

import { proof } from "../web/counts.js";
import { el } from "../web/dom.js";
import { fill, say } from "../web/words.js";
import { choice, legend, tokenStrip } from "./tokens.js";
import { drawTree } from "./tree.js";

const PARTS = ["system", "documents", "question"];

/** @param {import("./scene.js").Around} around */
export function createRequests(around) {
  const words = around.words().requests;
  let body = null;
  let chosen = null; // the number of the request that is shown, the last one otherwise
  let newest = 0;

  const areas = Object.fromEntries(
    PARTS.map((name) => {
      const area = el("textarea", { rows: name === "question" ? 2 : 4, spellcheck: "false" });
      area.addEventListener("keydown", (event) => {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit();
      });
      return [name, area];
    }),
  );
  const error = el("p.error", { role: "alert" });
  const send = el("button.primary", { type: "button" }, words.send);
  send.onclick = submit;
  const others = ["question", "documents"].map((name) => {
    const button = el("button", { type: "button" }, words[name]);
    button.onclick = () => {
      const texts = body.more[name === "question" ? "questions" : name];
      areas[name].value = texts[(texts.indexOf(areas[name].value) + 1) % texts.length];
      submit();
    };
    return button;
  });
  const clear = el("button", { type: "button" }, words.clear);
  clear.onclick = () => around.act("clear");
  const settings = el("div.settings");
  const form = el(
    "section.form",
    { "aria-label": words.form },
    ...PARTS.map((name) => el("label.part", {}, el("span", {}, words.name[name]), areas[name])),
    error,
    el("div.buttons", {}, send, ...others, clear),
    settings,
    el("p.quiet.private", {}, words.private, " ", words.reset),
  );
  const history = el("div.history", { role: "group", "aria-label": words.history });
  const told = el("p.line");
  const strip = el("div.strip-box", { tabindex: "0", role: "group", "aria-label": words.strip });
  const signs = el("div");
  const numbers = el("dl.numbers");
  const proved = el("div.proved");
  const treeTitle = el("h3");
  const tree = el("div.tree-box");
  const treeSigns = legend([
    ["read", words.legend.read],
    ["computed", words.legend.new],
    ["kept", words.legend.kept],
    ["gone", words.legend.gone],
  ]);
  const found = el(
    "section.found",
    {},
    history,
    told,
    strip,
    signs,
    numbers,
    proved,
    treeTitle,
    tree,
    treeSigns,
  );
  const node = el("div.requests", {}, form, found);

  function submit() {
    chosen = null;
    around.act("send", Object.fromEntries(PARTS.map((name) => [name, areas[name].value])));
  }

  function drawSettings() {
    const set = words.set;
    settings.replaceChildren(
      choice(
        set.block,
        body.blocks.map((n) => [n, String(n)]),
        body.block,
        (block) => around.act("store", { block }),
      ),
      choice(
        set.store,
        body.budgets.map((n, i) => [n, body.rooms[i]]),
        body.budget,
        (budget) => around.act("store", { budget }),
      ),
    );
  }

  function drawHistory(entry) {
    history.replaceChildren(
      ...body.entries.map((each) => {
        const share = (100 * each.reused) / each.labels.length;
        const gauge = el("i.gauge", { "aria-hidden": "true" }, el("i", { style: `width:${share}%` }));
        const name = fill(words.request, { number: String(each.number) });
        const button = el(
          "button.past",
          {
            type: "button",
            "aria-pressed": String(each === entry),
            "aria-label": `${name}: ${each.question}`,
          },
          el("b", {}, String(each.number)),
          el("span", {}, each.question),
          gauge,
        );
        button.onclick = () => {
          chosen = each.number;
          draw(true);
        };
        return button;
      }),
    );
  }

  function drawNumber(name, { said, share }) {
    const [ours, full] = share;
    const track = (...bars) => el("div.track", { "aria-hidden": "true" }, ...bars);
    const bar = (kind, part) => el(`i.${kind}`, { style: `width:${100 * part}%` });
    const isTime = name === "time";
    return el(
      "div",
      {},
      el("dt", {}, words.number[name]),
      el("dd", {}, el("b", {}, said[0]), el("span.quiet", {}, ` ${words.number.with}`)),
      track(bar(isTime ? "cached" : "need", ours)),
      el("dd", {}, el("b", {}, said[1]), el("span.quiet", {}, ` ${words.number.without}`)),
      isTime ? track(bar("naive", full)) : track(bar("need", ours), bar("again", Math.max(0, full - ours))),
    );
  }

  function draw(spoken = false) {
    const entry = body.entries.find((each) => each.number === chosen) ?? body.entries.at(-1);
    found.classList.toggle("empty", !entry);
    drawHistory(entry);
    // One click makes the point: it is the one that stands out until it was made.
    const first = body.entries.length === 1 && body.entries[0].number === 1;
    others[0].classList.toggle("primary", first);
    send.classList.toggle("primary", !first);
    if (!entry) {
      told.textContent = words.tree.empty;
      for (const part of [strip, signs, numbers, proved, tree]) part.replaceChildren();
      treeTitle.textContent = "";
      return;
    }
    const { line } = entry;
    told.replaceChildren(...say(line.text, line.values));
    /** @type {{[at: number]: string}} */
    const names = {};
    let at = 0;
    PARTS.forEach((name, i) => {
      if (entry.sizes[i]) names[at] = words.name[name];
      at += entry.sizes[i];
    });
    const label = told.textContent;
    const state = (i) => (i < entry.reused ? "read" : "computed");
    strip.replaceChildren(
      tokenStrip({ labels: entry.labels, block: body.block, state, names, answer: entry.answer, label }),
    );
    signs.replaceChildren(
      legend([
        ["read", words.legend.read],
        ["computed", words.legend.computed],
        ["loose-key", words.legend.loose],
        ["answer", words.legend.answer],
      ]),
    );
    numbers.replaceChildren(...Object.entries(entry.numbers).map(([name, count]) => drawNumber(name, count)));
    numbers.title = fill(words.number.measured, { runs: body.runs });
    const details = proof(entry.proof, words.proof, proved.querySelector("details")?.open);
    details.append(...entry.proof_lines.map(({ text, values }) => el("p", {}, ...say(text, values))));
    details.append(el("p.quiet", {}, fill(words.number.measured, { runs: body.runs })));
    proved.replaceChildren(details);
    const { stored: bytes, budget, rate } = entry.tree;
    treeTitle.textContent = fill(words.tree.title, { bytes, budget, rate });
    tree.replaceChildren(drawTree(entry.tree, words));
    if (spoken) around.live.textContent = told.textContent;
  }

  return {
    node,
    show(data) {
      const first = body === null;
      body = data;
      const last = data.entries.at(-1)?.number ?? 0;
      for (const name of PARTS) {
        areas[name].maxLength = data.longest;
        // What somebody is writing stays.
        if (first || document.activeElement?.shadowRoot?.activeElement !== areas[name]) {
          if (areas[name].value !== data.texts[name]) areas[name].value = data.texts[name];
        }
      }
      error.textContent = data.error;
      drawSettings();
      draw(!first && last !== newest);
      newest = last;
    },
  };
}
