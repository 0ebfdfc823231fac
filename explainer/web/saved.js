// A page that was saved as a file: the same scene, its data and all that it reads, without a server.

/**
 * @typedef {Object} Saved what such a file holds, as JSON
 * @property {string} scene
 * @property {string} data the scene's message, in base64
 * @property {Object<string, any>} later what of the data had come later than the message
 * @property {Object<string, string>} operands by path, in base64
 * @property {string} style
 * @property {string} from the address of the page that was saved
 * @property {string} when
 * @property {import("./way.js").Way | null} way
 */

/** The file's id for it. */
export const ID = "kv-saved";

/** @type {Saved | null} in the app null */
export const saved = JSON.parse(globalThis.document?.getElementById(ID)?.textContent ?? "null");

/** What Python has sent to each scene's root: a file takes it along. @type {WeakMap<HTMLElement, Uint8Array>} */
export const messages = new WeakMap();

/** The bytes behind a text of base64. */
export const bytesOf = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
