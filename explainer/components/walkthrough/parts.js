// Parts of the walkthrough that need nothing of its state: the meter, the proof, and what moves.

/** The same work counted twice, as bars: orange is needed, blue could have been avoided. */
function meter({ what, cached, naive }) {
  const share = naive ? (100 * cached) / naive : 100;
  const bar = (...parts) => el("div.track", {}, ...parts);
  const need = () => el("i.need", { style: `width:${share}%` });
  return el(
    "div.meter",
    {},
    el("p.quiet", {}, what),
    el("p", {}, "with the cache ", el("b", {}, cached.toLocaleString("en"))),
    bar(need()),
    el("p", {}, "without ", el("b", {}, naive.toLocaleString("en"))),
    bar(need(), el("i.again", { style: `width:${100 - share}%` })),
  );
}

/** What the comparison with the pass without a cache found. */
function proof({ differences, numbers, same_token, equal }, open) {
  const largest = Math.max(...Object.values(differences));
  const words = equal ? "cached = naive, but for rounding" : "cached and naive differ";
  return el(
    `details.proof${equal && same_token ? "" : ".broken"}`,
    { open },
    el("summary", {}, equal ? "✓ " : "✗ ", el("b", {}, words), ` · largest difference ${tiny(largest)} · ${same_token ? "same" : "another"} next token`),
    el("dl", {}, ...Object.entries(differences).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, tiny(value))))),
    el("p.quiet", {}, `The largest differences from a pass without the cache, run for this step: ${numbers.toLocaleString("en")} numbers, all layers and heads.`),
  );
}

const EASE = { duration: 380, easing: "cubic-bezier(.2,.7,.3,1)" };

/** Cells come from the height of another row to their place; a copy flies, since the row is cut off at its panel. */
function fly(root, cells, source) {
  const page = root.getBoundingClientRect();
  const to = cells.getBoundingClientRect();
  const ghost = el("div.ghost.fresh", { "aria-hidden": true, inert: true }, cells.cloneNode(true));
  const drawn = cells.querySelector("canvas");
  if (drawn) ghost.querySelector("canvas").getContext("2d").drawImage(drawn, 0, 0);
  ghost.style.cssText = `left:${to.left - page.left}px;top:${to.top - page.top}px;height:${to.height}px`;
  root.append(ghost);
  const from = source.getBoundingClientRect().top;
  ghost.animate([{ transform: `translateY(${from - to.top}px)` }, { transform: "none" }], EASE).onfinish = () => ghost.remove();
}

/** The query sweeps down the keys that it meets. One moving thing: a layer a row would cost a frame. */
function sweep(root, query, history) {
  const page = root.getBoundingClientRect();
  const keys = history.getBoundingClientRect();
  const { left, width, height } = query.getBoundingClientRect();
  const bar = el("div.sweep", { "aria-hidden": true });
  bar.style.cssText = `left:${left - page.left}px;top:${keys.top - page.top}px;width:${width}px;height:${height}px`;
  root.append(bar);
  const end = `translateY(${Math.max(0, keys.height - height)}px)`;
  const moves = [{ transform: "none" }, { transform: end, opacity: 1, offset: 0.85 }, { transform: end, opacity: 0 }];
  bar.animate(moves, { duration: 520, easing: "ease-in-out" }).onfinish = () => bar.remove();
}
