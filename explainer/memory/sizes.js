// Bytes of a cache of some shape: what kvengine/memory.py counts, for the factor that is being dragged.

import { num } from "../web/dom.js";

/**
 * @typedef {{batch: number, layers: number, tokens: number, heads: number, dim: number, fmt: string}} Shape
 * @typedef {Object<string, {bits: number, group: number, scale_bits: number}>} Formats
 */

/** Of one row of head_dim numbers with its scales. @param {Shape} of @param {Formats} formats */
export function rowBytes({ dim, fmt }, formats) {
  const { bits, group, scale_bits } = formats[fmt];
  return Math.ceil((dim * bits) / 8) + (group ? (Math.ceil(dim / group) * scale_bits) / 8 : 0);
}

/** Of one number, with its share of the scales. @param {Shape} of @param {Formats} formats */
export const eachBytes = (of, formats) => rowBytes(of, formats) / of.dim;

/** Of one token: K and V in all layers. @param {Shape} of @param {Formats} formats */
export const tokenBytes = (of, formats) => 2 * of.layers * of.heads * rowBytes(of, formats);

/** 4, 1.125: no more digits than it needs. @param {number} x */
export const short = (x) => num(x, 4).replace(/\.?0+$/, "");

const FIELDS = ["layers", "heads", "dim", "tokens", "batch", "fmt"]; // of a shape in the address
const MOST = 8192; // scene.py knows it too

/** A shape as the address says it. @param {Shape} of */
export const shapeSaid = (of) => FIELDS.map((name) => of[name]).join(".");

/** The same read; null for what is no shape. @param {string} said @param {Formats} formats @returns {Shape | null} */
export function parseShape(said, formats) {
  const parts = said.split(".");
  if (parts.length !== FIELDS.length || !formats[parts[5]]) return null;
  const numbers = parts.slice(0, 5).map(Number);
  if (numbers.some((x) => !Number.isInteger(x) || x < 1 || x > MOST)) return null;
  const [layers, heads, dim, tokens, batch] = numbers;
  return { layers, heads, dim, tokens, batch, fmt: parts[5] };
}
