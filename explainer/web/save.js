// Writes the page that is shown as one HTML file: the scene's modules as they are, bound by an import map, its
// styles, and what Python has sent. All of it happens in the browser; the server is asked for nothing that the
// page would not ask for.

import { unpack } from "./arrays.js";
import { el } from "./dom.js";
import { ID, messages } from "./saved.js";
import { way } from "./way.js";

/** Bytes of a file at most: a page of the models that ship takes about one million. */
export const LARGEST = 32_000_000;

const HERE = new URL("../", import.meta.url);
const IMPORT = /^(import\s[^"';(]*?|export\s*[{*][^"';(]*?)"(\.[^"]+)"/gm;

async function read(url, as) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(await answer.text());
  return answer[as]();
}

const nameOf = (url) => `kv/${new URL(url).pathname.slice(HERE.pathname.length)}`;

/** These modules and all that they import, by name, each asking for the others by name. */
async function modules(...entries) {
  const found = new Map();
  async function take(url) {
    if (found.has(url)) return;
    found.set(url, "");
    const text = await read(url, "text");
    const needed = [...text.matchAll(IMPORT)].map(([, , path]) => new URL(path, url).href);
    const named = text.replace(IMPORT, (_, before, path) => `${before}"${nameOf(new URL(path, url))}"`);
    found.set(url, named);
    await Promise.all(needed.map(take));
  }
  await Promise.all(entries.map((path) => take(new URL(path, HERE).href)));
  return Object.fromEntries([...found].map(([url, text]) => [nameOf(url), text]));
}

/** @param {Uint8Array} bytes */
function base64(bytes) {
  let text = "";
  for (let i = 0; i < bytes.length; i += 0x8000)
    text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(text);
}

const script = (text) => `data:text/javascript;base64,${base64(new TextEncoder().encode(text))}`;

// Nothing of a learner's text may end the script that it stands in.
const json = (value) => JSON.stringify(value).replaceAll("<", "\\u003c");

/**
 * @param {HTMLElement} root of the scene
 * @param {Object<string, any> | undefined} later what of its data has come later than the rest
 * @returns {Promise<string>} the file's text
 */
export async function fileOf(root, later) {
  const bytes = messages.get(root);
  const { scene, wording, operands = [] } = unpack(bytes);
  const paths = wording ? [wording, ...operands] : operands;
  const app = new URL("../../../", HERE);
  const [sources, ...styles] = await Promise.all([
    modules("web/open_saved.js", `${scene}/scene.js`),
    ...["web/kit.css", `${scene}/scene.css`, "web/saved.css"].map((path) =>
      read(new URL(path, HERE), "text"),
    ),
  ]);
  const parts = await Promise.all(paths.map((path) => read(new URL(path, app), "arrayBuffer")));
  const held = paths.map((path, i) => [path, base64(new Uint8Array(parts[i]))]);
  const imports = Object.fromEntries(Object.entries(sources).map(([name, text]) => [name, script(text)]));
  /** @type {import("./saved.js").Saved} */
  const all = {
    scene,
    data: base64(bytes),
    later: later ?? {},
    operands: Object.fromEntries(held),
    style: styles.join("\n"),
    from: location.href,
    when: new Date().toISOString(),
    way: way(),
  };
  const head = el(
    "head",
    {},
    el("meta", { charset: "utf-8" }),
    el("meta", { name: "viewport", content: "width=device-width" }),
    el("meta", {
      "http-equiv": "Content-Security-Policy",
      content:
        "default-src 'none'; script-src 'unsafe-inline' data:; style-src 'unsafe-inline'; img-src data:",
    }),
    el("base", { href: app.href }), // its links lead to the app
    el("link", { rel: "icon", href: "data:," }),
    el("title", {}, document.title),
  );
  const text = `<!doctype html>
<html lang="en">
${head.outerHTML.replace("</head>", "")}
<script type="importmap">${json({ imports })}</script>
<script type="application/json" id="${ID}">${json(all)}</script>
<script type="module">import "kv/web/open_saved.js";</script>
</head>
<body></body>
</html>
`;
  if (text.length > LARGEST) {
    const mb = (n) => `${Math.ceil(n / 1e6)} MB`;
    throw new Error(
      `This page would take ${mb(text.length)}, and a file may take ${mb(LARGEST)}. A smaller model or a shorter text fits.`,
    );
  }
  return text;
}

/** Give the learner a text as a file. */
export function download(text, name) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/html" }));
  const link = el("a", { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
