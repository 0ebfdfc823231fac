// Many machines: the same requests sent out in four ways, and what each way lets the stores do.

import { el } from "../web/dom.js";
import { fill } from "../web/words.js";
import { choice } from "./tokens.js";

/** @param {import("./scene.js").Around} around */
export function createMachines(around) {
  const words = around.words().machines;
  const settings = el("div.settings");
  const ways = el("div.ways");
  const notes = el("div.notes");
  const node = el("div.machines", {}, settings, ways, notes);

  function drawWay(way, machines) {
    const { name, text } = words.way[way.key];
    const rows = Array.from({ length: machines }, (_, machine) => {
      const here = way.sent.filter(([, at]) => at === machine);
      const squares = here.map(([, , tokens, reused]) => {
        const share = Math.round((100 * reused) / tokens);
        return el("i.sq", { style: `--read:${share}%` });
      });
      const computed = way.computed[machine].toLocaleString("en");
      const label = fill(words.machine, { number: String(machine + 1), computed });
      return el(
        "div.machine",
        { role: "listitem", "aria-label": label, title: label },
        el("b", { "aria-hidden": "true" }, String(machine + 1)),
        el("div.squares", { "aria-hidden": "true" }, ...squares),
      );
    });
    return el(
      `section.way${way.best ? ".best" : ""}`,
      { "aria-label": name },
      el("h3", {}, name),
      el("p.quiet", {}, text),
      el(
        "p.line",
        {},
        el("b", {}, fill(words.hit, { rate: way.rate })),
        way.best ? el("span.tag", {}, words.best) : null,
      ),
      el(
        "div.track",
        { "aria-hidden": "true" },
        el("i.cached", { style: `width:${100 * way.share}%` }),
        el("i.need", { style: `width:${100 - 100 * way.share}%` }),
      ),
      el("p.quiet", {}, fill(words.busy, { busy: way.busy })),
      el("div.cluster", { role: "list" }, ...rows),
    );
  }

  return {
    node,
    show(body) {
      /** @type {[number, string][]} */
      const counts = Array.from({ length: body.most }, (_, i) => [i + 1, String(i + 1)]);
      const rooms = body.stores.map((n) => [n, fill(words.room, { tokens: n.toLocaleString("en") })]);
      settings.replaceChildren(
        choice(words.machines, counts, body.machines, (machines) => around.act("machines", { machines })),
        choice(words.store, rooms, body.store, (store) => around.act("machines", { store })),
        el("p.quiet", {}, words.squares),
      );
      ways.replaceChildren(...body.ways.map((way) => drawWay(way, body.machines)));
      notes.replaceChildren(
        el("p", {}, words.who.engines, " ", fill(words.who.openai, body.values)),
        el(
          "p.quiet",
          {},
          fill(words.note, body.values),
          " ",
          fill(words.who.sources, { sources: body.sources, date: body.date }),
        ),
      );
    },
  };
}
