// A block of the volume under the pointer or the arrow keys: what it holds.

import { num, whole } from "../web/dom.js";
import { fill } from "../web/words.js";
import { eachBytes, rowBytes, short } from "./sizes.js";
import { blockAt } from "./volume.js";

const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

/**
 * @param {ReturnType<typeof import("./volume.js").createVolume>} volume
 * @param {{tip: any, live: HTMLElement}} stage
 * @param {() => {scene: any, of: import("./sizes.js").Shape, dragged: boolean}} now
 */
export function readBlocks(volume, stage, now) {
  const { canvas } = volume;
  let at = null; // the block that is read

  function read(block, aloud) {
    at = block;
    const { scene, of, dragged } = now();
    volume.mark(block, of.tokens);
    if (!block) return stage.tip.hide();
    const { token, layer, head } = block;
    const { words, labels, strength, formats, room } = scene;
    const [, heads, columns] = strength.shape;
    const named = dragged && of.tokens > room ? undefined : labels[token];
    const title = fill(words.block, {
      token: named ?? String(token),
      layer: String(layer),
      head: String(head),
    });
    const lines = [
      fill(words.block_bytes, {
        dim: String(of.dim),
        each: short(eachBytes(of, formats)),
        bytes: whole(2 * rowBytes(of, formats)),
      }),
      dragged
        ? words.allocated_only
        : fill(words.block_strength, {
            strength: num(strength.data[(layer * heads + head) * columns + token], 2),
          }),
    ];
    stage.tip.show(volume.spot, [title, ...lines]);
    if (aloud) stage.live.textContent = [title, ...lines].join(". ");
  }

  canvas.addEventListener("pointermove", (event) => {
    const box = canvas.getBoundingClientRect();
    read(blockAt(volume.at, now().of.tokens, event.clientX - box.left, event.clientY - box.top), false);
  });
  canvas.addEventListener("pointerleave", () => read(null, false));
  canvas.addEventListener("blur", () => read(null, false));
  canvas.addEventListener("keydown", (event) => {
    if (event.key === "Escape") return read(null, false);
    const by = MOVES[event.key];
    if (!by) return;
    event.preventDefault();
    const { of } = now();
    const from = at ?? { token: of.tokens, layer: of.layers - 1 };
    const within = (x, most) => Math.max(0, Math.min(most - 1, x));
    const layer = within(from.layer + by[1], of.layers);
    read({ token: within(from.token + by[0], of.tokens), layer, head: 0 }, true);
  });
}
