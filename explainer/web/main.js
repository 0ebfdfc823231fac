// The one component of the app: loads the scene that the data name, and hands it every new state.

import { operands, unpack } from "./arrays.js";
import { readTheme } from "./cells.js";
import { messages } from "./saved.js";

/**
 * @typedef {Object} Scene what a scene's module makes on its root
 * @property {(data: any, kit: {send: (state: string, value: any) => void, themed: boolean, fresh: boolean}) => void} update
 *   `send` gives Python a state, `themed` says that the colours have changed, `fresh` that the data are new
 * @property {() => void} destroy
 */

const mounts = new WeakMap();

// What a scene says whatever it shows, by its address: fetched once, not sent with every message.
const wordings = new Map();
const RETRY_AFTER = 2000; // ms; no more is amiss than the connection

/** Streamlit calls this whenever the component's data or the theme change. */
export default function (component) {
  const host = component.parentElement;
  if (!mounts.has(host)) mounts.set(host, open(host));
  mounts.get(host).update(component);
  // Streamlit cleans up after a call that a later one has overtaken, too: the scene ends when its host is gone.
  return () =>
    setTimeout(() => {
      if (host.isConnected) return;
      mounts.get(host)?.close();
      mounts.delete(host);
    });
}

function open(host) {
  const root = host.querySelector(".scene-root");
  root.replaceChildren(); // nothing of an earlier life
  let scene = null;
  let shown = null; // the bytes that the scene has
  let data = null; // the same, decoded
  let newest = null;
  let closed = false;
  let opening = null;

  async function load(name) {
    const at = (file) => new URL(`../${name}/${file}`, import.meta.url).href;
    const style = document.createElement("link");
    style.rel = "stylesheet";
    style.href = at("scene.css");
    const styled = new Promise((resolve) => (style.onload = style.onerror = resolve));
    root.before(style);
    const [module] = await Promise.all([import(at("scene.js")), styled]);
    if (closed || !host.isConnected) return;
    scene = module.default(root);
    show();
  }

  function show() {
    if (!scene || closed) return;
    const fresh = newest.data !== shown;
    if (fresh) {
      const sent = unpack(newest.data);
      if (sent.wording && !wordings.has(sent.wording)) return fetchWording(sent.wording);
      shown = newest.data;
      data = { ...wordings.get(sent.wording), ...sent };
      messages.set(root, shown);
    }
    const themed = readTheme(root);
    root.removeAttribute("aria-busy");
    if (fresh || themed) scene.update(data, { send: newest.setStateValue, themed, fresh });
  }

  async function fetchWording(path) {
    const found = await operands([path]).catch(() => null);
    if (!found) return void setTimeout(show, RETRY_AFTER);
    wordings.set(path, found);
    show();
  }

  return {
    update(component) {
      newest = component;
      opening ??= load(nameOf(component.data));
      show();
    },
    close() {
      closed = true;
      scene?.destroy();
    },
  };
}

/** The scene's name, without decoding the rest: it is the first thing in the message. */
function nameOf(bytes) {
  const start = new TextDecoder().decode(bytes.subarray(4, 104));
  return /"scene":"(\w+)"/.exec(start)[1];
}
