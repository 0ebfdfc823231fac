// Who reads what: for Q, K and V a line a token and a column for each turn, filled where a read was counted.

import { el } from "../web/dom.js";

/** Runs of equal columns in a line of counts. */
export function runsOf(counts, own) {
  const runs = [];
  counts.forEach((count, i) => {
    const state = count === 0 ? "" : i === own ? "fresh" : "cached";
    const last = runs.at(-1);
    if (last && last.state === state && last.count === count) last.to = i;
    else runs.push({ from: i, to: i, state, count });
  });
  return runs;
}

/**
 * @param {any} words
 * @param {(row: number) => void} pick
 */
export function createReads(words, pick) {
  const node = el("div.reads");
  let shown = null;

  function triangle(role, roles, labels) {
    const n = labels.length;
    const lines = labels.map((label, i) => {
      const counts = Array.from(roles[role].row(i));
      const cells = runsOf(counts, i)
        .filter(({ state }) => state)
        .map(({ from, to, state }) =>
          el(`i.read.${state}`, { style: `left:${(100 * from) / n}%;width:${(100 * (to - from + 1)) / n}%` }),
        );
      const turns = counts.filter(Boolean).length;
      const line = el(
        "button.reads-line",
        {
          type: "button",
          "data-row": i,
          tabindex: "-1",
          "aria-label": `${words[role]} of ${label}: read in ${turns} of ${n} turns`,
        },
        el("span.reads-name", { "aria-hidden": "true" }, label),
        el("span.reads-turns", { "aria-hidden": "true" }, ...cells),
        el("b.reads-count", { "aria-hidden": "true" }, String(turns)),
      );
      line.onclick = () => pick(i);
      return line;
    });
    const box = el(
      `div.reads-lines${n > 30 ? ".dense" : ""}`,
      { role: "group", "aria-label": words[`grid_${role}`], style: `--lines:${n}` },
      ...lines,
    );
    box.onkeydown = (event) => {
      const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      const at = lines.indexOf(event.target);
      const to = lines[at + (by ?? 0)];
      if (!by || !to) return;
      event.preventDefault();
      event.stopPropagation();
      pick(at + by);
      to.focus();
    };
    return el(
      `section.reads-of.of-${role}`,
      { "data-ref": `reads_${role}` },
      el("h3", {}, words[role], el("span.quiet", {}, ` ${words[`${role}_is`]}`)),
      box,
    );
  }

  /** The table of roles, filled from what was counted for one token. */
  function table(values, label) {
    const cell = (tag, text) => el(tag, tag === "th" ? { scope: "row" } : {}, text);
    const turns = (of) => words.turns.replace("{turns}", of).replace("{all}", values.all);
    const later = (template) => template.replace("{token}", label);
    const head = el("tr", {}, ...words.head.map((text) => el("th", { scope: "col" }, text)));
    const lines = [
      ["q", later(words.own), turns(values.q_of), words.until_own, words.no],
      ["k", later(words.later), turns(values.k_of), words.until_last, words.yes],
      ["v", later(words.later), turns(values.v_of), words.until_last, words.yes],
    ].map(([role, ...texts]) =>
      el(
        `tr.role-${role}`,
        {},
        cell("th", words[role]),
        cell("td", words[`${role}_is`]),
        ...texts.map((text) => cell("td", text)),
      ),
    );
    return el("table.roles", {}, el("thead", {}, head), el("tbody", {}, ...lines));
  }

  const holder = el("div.roles-box");
  const grids = el("div.reads-grids");
  const legend = el(
    "p.legend",
    {},
    el("span", {}, el("i.key.fresh-key"), words.now),
    el("span", {}, el("i.key.cached-key"), words.cached),
    el("span", {}, el("i.key.empty-key"), words.never),
  );
  node.append(grids, legend, holder);

  return {
    node,
    /** @param {any} roles @param {string[]} labels @param {number} row */
    show(roles, labels, row) {
      if (shown !== roles) {
        shown = roles;
        grids.replaceChildren(...[..."qkv"].map((role) => triangle(role, roles, labels)));
      }
      for (const line of /** @type {any} */ (grids.querySelectorAll(".reads-line"))) {
        const picked = Number(line.dataset.row) === row;
        line.classList.toggle("picked", picked);
        line.setAttribute("aria-pressed", String(picked));
        line.tabIndex = picked ? 0 : -1;
        if (picked) line.dataset.ref = "row";
        else delete line.dataset.ref;
      }
      holder.replaceChildren(table(roles.values[row], labels[row]));
    },
  };
}
