// Elements and numbers: what every scene writes with.

/**
 * Build an element: el("div.cell", {title: "…"}, child, "text", …).
 * @param {string} spec tag and classes
 * @param {Object<string, any>} attributes false, null and undefined are left out, true is an empty attribute
 * @param {...(Node | string | null | undefined)} children
 * @returns {any} the kind of element that the tag says
 */
export function el(spec, attributes = {}, ...children) {
  const [tag, ...classes] = spec.split(".");
  const node = document.createElement(tag || "div");
  if (classes.length) node.className = classes.join(" ");
  return fillNode(node, attributes, children);
}

const SVG = "http://www.w3.org/2000/svg";

/** The same for a drawing. */
export const svg = (tag, attributes = {}, ...children) =>
  fillNode(document.createElementNS(SVG, tag), attributes, children);

function fillNode(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** A number with a real minus sign, and no minus before a zero. */
export function num(x, digits = 1) {
  if (!Number.isFinite(x)) return x > 0 ? "∞" : "−∞";
  const text = x.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}

/** A very small number: 7.6e−6. */
export const tiny = (x) => (x === 0 ? "0" : x.toExponential(1).replace("e-", "e−").replace("e+", "e"));

/** A count: 13,312. */
export const whole = (x) => x.toLocaleString("en");

/** Does the learner want things to stand still? */
export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
