// What the timing lab draws itself: the race, and the parts of the page one after the other.

import parts from "./stepped.js";
import race from "./race.js";

const MAKE = { race, parts };

/** @param {HTMLElement} root */
export default function timing(root) {
  let scene = null;
  return {
    update(data, kit) {
      scene ??= MAKE[data.what](root);
      scene.update(data, kit);
    },
    destroy: () => scene?.destroy(),
  };
}
