// The formula held against the tensors: those that the model has just filled, or those that were just allocated.

import { el, whole } from "../web/dom.js";
import { fill } from "../web/words.js";
import { eachBytes } from "./sizes.js";

/**
 * @param {{scene: any, of: import("./sizes.js").Shape, formula: number, dragged: string | null, grown: number,
 *   back: () => void}} shown `dragged` is the shape as the address says it, where it is not the running model's
 */
export function tensorProof({ scene, of, formula, dragged, grown, back }) {
  const { words, used, allocated, room, measured, formats } = scene;
  const lines = [[words.proof.formula, formula]];
  let told = "";
  let same = null;
  if (!dragged) {
    same = used[grown] === formula;
    lines.push([words.proof.used, used[grown]], [words.proof.allocated, allocated]);
    told = fill(words.proof.running, { room: whole(room) });
  } else if (measured?.said !== dragged) {
    told = words.proof.waiting;
  } else if (measured.error) {
    told = measured.error;
  } else {
    same = measured.bytes === formula;
    lines.push([words.proof.allocated, measured.bytes]);
    told = fill(words.proof.shaped, { tensors: measured.tensors });
  }
  const verdict = same === null ? "" : same ? `✓ ${words.proof.same}` : `✗ ${words.proof.differs}`;
  const { group } = formats[of.fmt];
  const scales = Math.ceil(of.dim / group);
  const about = group
    ? fill(words.proof.scales, {
        dim: String(of.dim),
        scales: scales === 1 ? "one scale" : `${scales} scales`,
        bits: String(8 * eachBytes(of, formats)),
      })
    : "";
  const box = el(
    `div.proof${same === false ? ".broken" : ""}`,
    {},
    el(
      "dl",
      {},
      ...lines.map(([name, value]) =>
        el("div", {}, el("dt", {}, name), el("dd", {}, `${whole(value)} bytes`)),
      ),
    ),
    el("p", {}, el("b", {}, verdict), " ", told),
    about ? el("p.quiet", {}, about) : null,
  );
  if (dragged) {
    const button = el("button.reset", { type: "button" }, words.back);
    button.onclick = back;
    box.append(button);
  }
  return box;
}
