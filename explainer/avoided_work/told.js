// What is told around the picture: the text, the finding, the words of an operation or a reduction, the legend.

import { meter } from "../web/counts.js";
import { el, whole } from "../web/dom.js";
import { formula, say } from "../web/words.js";
import { counts, DIFFERENT, EQUAL, LOOKS, MASKED } from "./compared.js";
import { kept, work } from "./layer_map.js";

const MOST_SHOWN = 60; // tokens of the text: more are never in sight

/** The text that both steps ran, its changed and its new token, and what comes next. */
export function showText(line, scene) {
  const first = Math.max(1, scene.t - MOST_SHOWN);
  const parts = scene.texts.slice(first).map((text, i) => {
    const word = text.replaceAll("\n", "⏎ ");
    if (first + i === scene.t) return el("b.fresh-word", { "data-ref": "new" }, word);
    return first + i === scene.changed ? el("b.changed-word", {}, word) : word;
  });
  const inside = el("span", {}, first > 1 ? el("span.quiet", {}, "… ") : null, ...parts);
  const soFar = el("span.so-far", {}, inside);
  setTimeout(() => soFar.classList.toggle("cut", inside.offsetWidth > soFar.offsetWidth), 50);
  const [naive] = scene.ways;
  const next = [
    el("span.quiet", {}, "→ "),
    el("span.guess.best-guess", {}, naive.values.token, el("small", {}, naive.values.probability)),
  ];
  line.replaceChildren(soFar, " ", el("span.next", { title: "The token that comes next" }, ...next));
}

/** What the comparison of all layers found, in one line. */
export function showFinding(box, { text, tolerance, largest, jump, holds, values }, toLargest) {
  const button = jump ? el("button.jump", { type: "button" }, ...say(jump, values)) : null;
  if (button) button.onclick = toLargest;
  box.classList.toggle("broken", !holds);
  box.replaceChildren(
    el("span", {}, holds ? "✓ " : "✗ ", ...say(text, values)),
    " ",
    el("span.quiet", {}, ...say(tolerance, values), " ", ...say(largest, values), " ", button ?? ""),
  );
}

const KEYS = { again: "again-key", new: "fresh-key", different: "different-key", masked: "masked-key" };

/** The cells that are drawn right now, counted. */
function tally(scene, parts) {
  const found = counts(parts);
  const items = Object.entries(KEYS)
    .map(([name, key]) => ({ name, key, n: found[LOOKS.indexOf(name)] }))
    .filter(({ n }) => n);
  return el(
    "dl.tally",
    { "aria-label": "Numbers in this picture" },
    ...items.map(({ name, key, n }) =>
      el(
        "div",
        {},
        el("dt", {}, el(`i.key.${key}`), scene.words.tally[name]),
        el("dd", { "data-count": name }, whole(n)),
      ),
    ),
  );
}

/** @param {{box: HTMLElement, scene: any, values: any, over: string, map: HTMLElement}} told */
export function tellOperation({ box, scene, values, over, map }, entry, parts) {
  const said = { ...values, ...entry.values };
  box.replaceChildren(
    el(
      "section.words",
      {},
      el("p.over", {}, over, el("span.quiet", {}, ` · layer ${scene.layer}`)),
      el("h2", {}, entry.title),
      el("p.focus", {}, ...say(entry.focus, said)),
      el("p.why", {}, ...say(entry.why, said)),
    ),
    el("section.work", {}, formula(entry.formulas, {}), tally(scene, parts)),
    el("section.count", {}, entry.meter ? meter(scene.words.meter, entry.meter) : null, map),
  );
}

export function tellReduction({ box, scene, values, over, map }, entry) {
  const way = scene.ways.find(({ mode }) => mode === entry.mode);
  const verdict = entry.verdict
    ? el(
        "p.found",
        { "data-holds": String(entry.holds) },
        entry.mode === "read" ? "" : entry.holds ? "✓ " : "✗ ",
        ...say(entry.verdict, { ...values, ...entry.verdict_values }),
      )
    : null;
  const { computes, keeps } = scene.words.ways;
  const meters = way
    ? [
        el("p", {}, ...say(computes, way.values)),
        work(scene, way),
        el("p", {}, ...say(keeps, way.values)),
        kept(scene, way),
      ]
    : [];
  box.replaceChildren(
    el(
      "section.words",
      {},
      el("p.over", {}, over),
      el("h2", {}, entry.title),
      el("p.focus", {}, ...say(entry.focus, values)),
      el("p.why", {}, ...say(entry.why, values)),
    ),
    el("section.work", {}, verdict, el("div.meter", {}, ...meters)),
    el("section.count", {}, map),
  );
}

/** What the colours mean, as far as they are in the picture. */
export function legend(scene, mode, parts) {
  const words = scene.words.legend;
  const item = (key, text) => el("span", {}, el(`i.key.${key}`), text);
  const seen = parts && counts(parts);
  const items = [];
  const stores = mode && mode !== "again";
  const different = seen ? seen[DIFFERENT] : scene.found.holds ? 0 : 1;
  if (stores) items.push(item("cached-key", words.stored));
  if (seen ? seen[EQUAL] : !stores || mode === "ways") items.push(item("again-key", words.again));
  items.push(item("fresh-key", words.new));
  if (different) items.push(item("different-key", stores ? words.stale : words.different));
  if (seen ? seen[MASKED] : scene.causal) items.push(item("masked-key", words.masked));
  if (mode === "kv" || mode === "ways") items.push(item("empty-key", words.empty));
  return el(
    "p.legend",
    {},
    ...items,
    mode ? null : el("span.invite", {}, "Point at a cell to see how it came about."),
  );
}

/** Over the picture: what it shows, how large it is, and one head or all. */
export function heading(scene, { entry, parts, many, head, kv, toggle }) {
  if (!entry)
    return el("div.head.flush", {}, el("b", {}, `Layer ${scene.layer}`), el("span", {}, "all heads"));
  const [{ rows, cols }] = parts;
  const size = many ? `${parts.length} × ${rows} × ${cols}` : `${rows} × ${cols}`;
  const box = el(
    many ? "div.head.flush" : "div.head",
    {},
    el("b", {}, entry.rail),
    el("span.size", {}, size),
  );
  if (!entry.heads) return box;
  const shared = entry.heads === "kv" && scene.n_kv_heads < scene.n_heads;
  const whose = many ? "" : shared ? `head ${head} reads KV head ${kv}` : `head ${head}`;
  if (whose) box.append(el("span", {}, whose));
  const button = el(
    "button.toggle",
    { type: "button", "aria-pressed": String(many) },
    many ? "one head, large" : "all heads",
  );
  button.onclick = toggle;
  if (scene.tensors[entry.key].shape[0] > 1) box.append(button);
  return box;
}
