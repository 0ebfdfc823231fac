// The tree of stored beginnings: a bar is a run of blocks, and a fork is where texts part.

import { el } from "../web/dom.js";
import { fill } from "../web/words.js";

const ROW = 1.65; // em
const LEAST = 64; // tokens that the width stands for at least

/**
 * @param {{bars: [number, number, number, number, string, number, string, string][], stored: string, budget: string}} tree
 *   each bar: row, first token, tokens, blocks, state, the row that it branches off, text, hash
 */
export function drawTree(tree, words) {
  const names = words.legend;
  if (!tree.bars.length) return el("p.quiet", {}, words.tree.empty);
  const most = Math.max(LEAST, ...tree.bars.map(([, start, length]) => start + length));
  const share = (tokens) => `${(100 * tokens) / most}%`;
  const rows = 1 + Math.max(...tree.bars.map(([row]) => row));
  const said = { read: names.read, new: names.new, kept: names.kept, gone: names.gone };
  const nodes = tree.bars.flatMap(([row, start, length, blocks, state, above, text, hash]) => {
    const told = fill(words.tree.bar, {
      state: said[state],
      blocks: blocks === 1 ? "1 block" : `${blocks} blocks`,
      start: String(start),
      end: String(start + length - 1),
      text: text.replaceAll("\n", "⏎"),
      hash,
    });
    const bar = el(
      `div.bar.${state}`,
      { role: "listitem", "aria-label": told, title: told },
      el("span", { "aria-hidden": "true" }, text.replaceAll("\n", "⏎ ")),
    );
    bar.style.cssText = `left:${share(start)};width:${share(length)};top:${row * ROW}em`;
    if (above < 0 || !start) return [bar];
    const fork = el("i.fork", { "aria-hidden": "true" });
    fork.style.cssText = `left:${share(start)};top:${(above + 1) * ROW - 0.3}em;height:${(row - above - 1) * ROW + 0.3 + ROW / 2}em`;
    return [fork, bar];
  });
  const box = el("div.tree", { role: "list", tabindex: "0", "aria-label": words.tree.lead });
  const inner = el("div.tree-rows", { role: "none" }, ...nodes);
  inner.style.height = `${rows * ROW}em`;
  box.append(inner);
  return box;
}
