// The code page: the engine's source as it runs, a cache to write oneself, and the engine as a library.

import { createStage, onRoom } from "../web/stage.js";
import { createLibrary } from "./library.js";
import { createOwn } from "./own.js";
import { createRun } from "./run.js";

const PARTS = { run: createRun, own: createOwn, library: createLibrary };

/**
 * @typedef {Object} Part one of the three, on the stage that all share
 * @property {(data: any, kit: any, before: any) => void} update
 * @property {(size: any) => void} fit
 * @property {() => void} destroy
 */

export default function code(root) {
  let scene = null; // what Python sent
  let part = null;
  let size = null;

  const stage = createStage(root, {
    label: "Code",
    heading: "The code of the KV cache: as it runs, and to write oneself",
    rail: "Steps",
    terms: () => scene.terms,
  });
  const room = onRoom(root, stage.picture, (now) => {
    size = now;
    part?.fit(size);
  });

  function clear() {
    part?.destroy();
    for (const box of [stage.text, stage.rail, stage.picture, stage.asking, stage.told])
      box.replaceChildren();
    root.querySelector(".text-line").after(stage.rail); // where each part takes it from
    delete root.dataset.stage;
  }

  return {
    update(data, kit) {
      const before = scene?.part === data.part ? scene : null;
      scene = data;
      root.dataset.part = data.part;
      if (!before) {
        clear();
        part = PARTS[data.part](stage);
      }
      part.update(data, kit, before);
      room.measure();
      if (size) part.fit(size);
    },
    destroy() {
      part?.destroy();
      room.destroy();
    },
  };
}
