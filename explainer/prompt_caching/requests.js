// Two requests: the parts of a prompt, what a request read and computed, and the store as it grows.

import { proof } from "../web/counts.js";
import { el } from "../web/dom.js";
import { fill, say } from "../web/words.js";
import { choice, legend, tokenStrip } from "./tokens.js";
import { drawTree } from "./tree.js";

const PARTS = ["system", "documents", "question"];
const LOOK = 400; // ms between two looks at what is being measured

/** @param {import("./scene.js").Around} around */
export function createRequests(around) {
  const words = around.words().requests;
  let body = null;
  let chosen = null; // the number of the request that is shown, the last one otherwise
  let newest = 0;
  let given = {}; // the texts as Python sent them last
  let drawn = ""; // what the picture was made of
  let heard = ""; // what was read aloud last
  let provedOf = 0; // the request whose proof is shown
  let timer = 0;

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
          draw();
          around.live.textContent = told.textContent;
          lookAgain(entryShown());
        };
        return button;
      }),
    );
  }

  function drawNumber(name, number, late) {
    if (!number) return el("div", {}, el("dt", {}, words.number[name]), el("dd.quiet", {}, late));
    const { said, share } = number;
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

  const entryShown = () => body.entries.find((each) => each.number === chosen) ?? body.entries.at(-1);

  /** All of it: another request is shown, or another one was sent. */
  function draw() {
    const entry = entryShown();
    provedOf = 0;
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
    /** @type {{[at: number]: string}} */
    const names = {};
    let at = 0;
    PARTS.forEach((name, i) => {
      if (entry.sizes[i]) names[at] = words.name[name];
      at += entry.sizes[i];
    });
    const state = (i) => (i < entry.reused ? "read" : "computed");
    const label = fill(words.request, { number: String(entry.number) });
    strip.replaceChildren(
      tokenStrip({
        labels: entry.labels,
        block: body.block,
        state,
        names,
        answer: entry.answer,
        label,
        said: words.legend,
      }),
    );
    signs.replaceChildren(
      legend([
        ["read", words.legend.read],
        ["computed", words.legend.computed],
        ["loose-key", words.legend.loose],
        ["answer", words.legend.answer],
      ]),
    );
    const { stored: bytes, budget, rate } = entry.tree;
    treeTitle.textContent = fill(words.tree.title, { bytes, budget, rate });
    tree.replaceChildren(drawTree(entry.tree, words));
    // What is new stands in sight: the last request, what it computed, and its end in the tree.
    if (entry === body.entries.at(-1)) history.scrollLeft = history.scrollWidth;
    scrollTo(strip, ".computed");
    if (tree.firstElementChild) scrollTo(tree.firstElementChild, ".bar.new");
    drawLate(entry);
  }

  /** Scroll a box so far that the first part of a kind stands in its middle. */
  function scrollTo(scrolled, kind) {
    const part = scrolled.querySelector(kind);
    if (!part) return;
    const below = part.getBoundingClientRect().top - scrolled.getBoundingClientRect().top;
    scrolled.scrollTop += below - scrolled.clientHeight / 2;
  }

  /** What comes after the answer: the proof, and the time. */
  function drawLate(entry) {
    const { line, late } = entry;
    told.replaceChildren(...say(line.text, line.values));
    const counts = Object.entries(entry.numbers);
    numbers.replaceChildren(...counts.map(([name, count]) => drawNumber(name, count, late)));
    const measured = fill(words.number.measured, { runs: body.runs });
    numbers.title = measured;
    if (!entry.proof) return proved.replaceChildren(el("p.quiet", {}, words.proof.proving));
    if (provedOf === entry.number) return; // somebody may be reading it
    provedOf = entry.number;
    const details = proof(entry.proof, words.proof, proved.querySelector("details")?.open);
    details.append(...entry.proof_lines.map(({ text, values }) => el("p", {}, ...say(text, values))));
    details.append(el("p.quiet", {}, measured));
    proved.replaceChildren(details);
  }

  /** The answer is there first; then Python is asked for the rest, until all of it has come. */
  function lookAgain(entry) {
    clearTimeout(timer);
    if (!entry?.pending) return;
    const soon = entry.proof ? LOOK : 0;
    timer = setTimeout(() => node.isConnected && around.look({ number: entry.number }), soon);
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
        const writing = document.activeElement?.shadowRoot?.activeElement === areas[name];
        if (data.texts[name] !== given[name] && (first || !writing)) areas[name].value = data.texts[name];
      }
      given = data.texts;
      error.textContent = data.error;
      const entry = entryShown();
      const made = JSON.stringify([around.stamp(), last, entry?.number]);
      if (made !== drawn) {
        drawSettings();
        draw();
      } else if (entry) drawLate(entry);
      drawn = made;
      // On a phone it stands below what is written.
      const hidden = found.getBoundingClientRect().top > 0.7 * innerHeight;
      if (!first && last > newest && hidden) found.scrollIntoView({ block: "start" });
      if (!first && (last !== newest || (entry && heard && !entry.pending))) {
        around.hear(told.textContent);
        heard = entry?.pending ? told.textContent : "";
      }
      newest = last;
      lookAgain(entry);
    },
  };
}
