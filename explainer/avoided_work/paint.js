// Many cells as one small picture. What came out as before is a stencil cut from paper: its colour, hatch or
// solid, comes from the style sheet behind it, so that one picture serves every reduction.

import { paperColour, shade } from "../web/cells.js";
import { el } from "../web/dom.js";
import { EQUAL, MASKED } from "./compared.js";

let hues = []; // by state, as [red, green, blue]

/** Take the colours from the style sheet. */
export function readHues(root) {
  const dot = /** @type {HTMLCanvasElement} */ (el("canvas", { width: 1, height: 1 }));
  const pen = dot.getContext("2d", { willReadFrequently: true });
  const styles = getComputedStyle(root);
  hues = ["--orange", "--blue", "--violet", "--muted"].map((name) => {
    pen.fillStyle = styles.getPropertyValue(name).trim();
    pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
  });
}

/** The heads' cells side by side, a pixel each. @param {import("./compared.js").Part[]} parts */
export function paint(parts) {
  const { rows, cols } = parts[0];
  const paper = paperColour();
  const gap = parts.length > 1 ? Math.max(1, Math.round(cols / 16)) : 0;
  const width = parts.length * (cols + gap) - gap;
  const canvas = /** @type {HTMLCanvasElement} */ (
    el("canvas", { width, height: rows, "aria-hidden": "true" })
  );
  const pen = canvas.getContext("2d");
  const image = pen.createImageData(width, rows);
  for (let i = 0; i < image.data.length; i += 4) image.data.set([...paper, 255], i); // the gaps
  parts.forEach((part, h) => {
    for (let row = 0; row < rows; row++) {
      const values = part.row(row);
      for (let col = 0; col < cols; col++) {
        const state = part.state(row, col);
        const i = 4 * (row * width + h * (cols + gap) + col);
        if (state === MASKED) {
          const ink = (row + col) % 2 ? 0.24 : 0.05;
          for (let k = 0; k < 3; k++) image.data[i + k] = hues[MASKED][k] * ink + paper[k] * (1 - ink);
          continue;
        }
        const ink = 0.4 + 0.0055 * shade(values[col], part.scale); // where it is matters more than how large
        if (state === EQUAL) image.data[i + 3] = 255 * (1 - ink);
        else for (let k = 0; k < 3; k++) image.data[i + k] = hues[state][k] * ink + paper[k] * (1 - ink);
      }
    }
  });
  pen.putImageData(image, 0, 0);
  return canvas;
}
