// The words of a stage, the text so far, and where we are in the model.

import { el, num } from "../web/dom.js";
import { fill, say } from "../web/words.js";
import { outcomeOf } from "./experiment.js";
import { chance } from "./naming.js";
import { isExperiment } from "./views.js";

/** The words of a stage, its results, and the map where a head can be picked or was found. */
export function tell(box, scene, views, key, map) {
  if (!box.firstElementChild) box.append(...["words", "work", "where"].map((name) => el(`section.${name}`)));
  const [words, work, where] = box.children;
  const values = views.valuesOf(key);
  const [focus, why] = views.sentences(key);
  const number = scene.stages.indexOf(views.stageOf(key)) + 1;
  words.replaceChildren(
    el("p.over", {}, `Stage ${number} of ${scene.stages.length}`),
    el("h2", {}, views.stageOf(key).title),
    el("p.focus", {}, ...say(focus, values)),
    why ? el("p.why", {}, ...say(why, values)) : "",
  );
  work.replaceChildren(...(isExperiment(key) ? [outcomeOf(scene, key)] : []));
  const mapped = key === "visit" || key === "next" || (key === "name" && views.pieceNow());
  where.replaceChildren(...(mapped ? [map.node] : []));
  if (mapped) map.show(key === "name" ? foundHead(scene, views) : looks(scene, views.readerAt(key)));
}

/** Every head's largest weight. */
function looks(scene, reader) {
  const { layer, head, labels } = scene.library;
  const at = (l, h) => l * scene.n_heads + h;
  const weight = (l, h) => reader.looks.data[at(l, h)] / 255;
  return {
    layer,
    head,
    shade: weight,
    said: (l, h) => `${num(weight(l, h), 2)} on “${labels[reader.looks_at.data[at(l, h)]]}”`,
    note: fill(scene.words.map, reader.values),
    stored: reader.position + 1,
    fresh: true,
  };
}

/** Every head's weight on what came next the last time. */
function foundHead(scene, views) {
  const { layer, head, scores } = scene.spelling;
  const score = (l, h) => scores.data[l * scene.n_heads + h] / 255;
  return {
    layer,
    head,
    shade: score,
    said: (l, h) => `${num(score(l, h), 2)} on what came next`,
    note: scene.words.name.map,
    stored: views.pieceNow().position + 1,
    fresh: true,
  };
}

/** The text up to the token that runs, and what the model writes next. */
export function showText(line, scene, views, key) {
  const piece = key === "name" ? views.pieceNow() : null;
  const { texts } = piece ? scene.spelling : scene.library;
  const reader = views.readerAt(key);
  const { position } = piece ?? reader;
  const now = el("b.fresh-word", {}, texts[position]);
  const soFar = el("span.so-far", {}, el("span", {}, texts.slice(0, position).join(""), now));
  setTimeout(() => soFar.classList.toggle("cut", soFar.firstChild.offsetWidth > soFar.offsetWidth), 50);
  if (piece) return line.replaceChildren(soFar);
  const [[text, p]] = reader.top;
  const next = el(
    "span.next",
    { "data-tells": true },
    el("span.quiet", {}, "→ "),
    el("b", {}, text),
    el("small", {}, ` ${chance(p)}`),
  );
  line.replaceChildren(soFar, " ", next);
}
