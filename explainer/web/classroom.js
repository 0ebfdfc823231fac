// The class that this page is shown to, or follows. The bar holds it; the scenes, whose modules are others, find it
// at the document.

/**
 * @typedef {Object} Poll a question that a class answers
 * @property {string} [id]
 * @property {string} by the address parameter of the stepper that asks
 * @property {string} text
 * @property {string[]} options
 * @property {boolean} veil
 * @property {"open" | "bars" | "truth"} phase what is shown: the question, how it was answered, what is right
 * @property {number[]} [counts] how often each option was chosen
 * @property {number} [answer]
 * @property {string} [why]
 *
 * @typedef {Object} Class
 * @property {string} code
 * @property {boolean} leads this is the teacher's page
 * @property {boolean} follows it shows what the teacher's shows
 * @property {boolean} asks the class is to be asked before each stage
 * @property {string} line for the projector: how to join, and how many have
 * @property {number} joined
 * @property {Poll | null} poll
 * @property {number | null} voted the option chosen here
 * @property {(poll: Poll | null) => void} pose ask the class, or go on with what it was asked
 * @property {(option: number) => void} vote
 */

const KEY = Symbol.for("explainer.class");
const CHANGED = "explainer-class";
const MOVED = "explainer-moved";

/** @returns {Class | null} */
export const theClass = () => /** @type {any} */ (document)[KEY] ?? null;

/** @param {Class | null} known */
export function tellClass(known) {
  /** @type {any} */ (document)[KEY] = known;
  document.dispatchEvent(new Event(CHANGED));
}

/** Call `tell` whenever something about the class is new. Gives the undoing. */
export function onClass(tell) {
  document.addEventListener(CHANGED, tell);
  return () => document.removeEventListener(CHANGED, tell);
}

/**
 * The class has gone on: the address has another value for these parameters. A scene that shows that by itself takes
 * its own out of the set; for what is left, Python has to run.
 * @param {Set<string>} keys
 */
export const moved = (keys) => document.dispatchEvent(new CustomEvent(MOVED, { detail: keys }));

/** @param {(keys: Set<string>) => void} tell */
export function onMoved(tell) {
  const on = (event) => tell(event.detail);
  document.addEventListener(MOVED, on);
  return () => document.removeEventListener(MOVED, on);
}
