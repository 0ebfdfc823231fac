// The memory page's pictures: the part that Python names is drawn, one at a time.

import blocks from "./blocks.js";
import heads from "./heads.js";
import live from "./live.js";
import trade from "./trade.js";

const PARTS = { now: live, heads, blocks, trade };

/** @param {HTMLElement} root */
export default function memory(root) {
  let part = "";
  let scene = null;

  function close() {
    scene?.destroy();
    delete root.dataset.stage;
    delete root.dataset.asking;
    root.classList.remove("waiting");
    root.replaceChildren();
  }

  return {
    update(data, kit) {
      if (data.part !== part) {
        close();
        part = data.part;
        root.dataset.part = part;
        scene = PARTS[part](root);
      }
      scene.update(data, kit);
    },
    destroy: close,
  };
}
