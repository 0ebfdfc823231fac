// Opens a page that was saved as a file: what main.js does for the app.

import { operands, unpack } from "./arrays.js";
import { readTheme } from "./cells.js";
import { el } from "./dom.js";
import { bytesOf, saved } from "./saved.js";
import { leads } from "./way.js";

const sent = unpack(bytesOf(saved.data));
const wording = sent.wording ? await operands([sent.wording]) : {};
const data = { ...wording, ...sent, ...saved.later };
const { run } = data;
const told = el("p.from", {}, ...provenance());
const notice = el("p.notice", { role: "status", hidden: true });
const host = el("main");
const style = el("style", {}, saved.style);
const root = el("div.scene-root.saved", { role: "region" });
host.attachShadow({ mode: "open" }).append(style, root);
document.head.append(el("style", {}, saved.style));
document.body.append(told, notice, host);
leads(saved.way && { ...saved.way, elsewhere: true });

/** When and by what the numbers were computed, and where to compute others. */
function provenance() {
  const date = new Date(saved.when).toLocaleString("en", { dateStyle: "long", timeStyle: "short" });
  const by = `Numbers of a run of ${run.model} (${run.manner}, torch ${run.torch}), saved on ${date}. `;
  return [by, el("a", { href: saved.from }, "Open it in the app")];
}

/** What the scene asks Python for: a page of the app is opened there, and for the rest there is a sentence. */
function send(_, value) {
  if (value?.page) return location.assign(`${value.page}?${new URLSearchParams(value.params)}`);
  notice.textContent = "This file holds one run. For another layer, head or text, open it in the app.";
  notice.hidden = false;
  setTimeout(() => (notice.hidden = true), 6000);
}

const { default: create } = await import(`kv/${saved.scene}/scene.js`);
readTheme(root);
const scene = create(root);
const show = (fresh) => scene.update(data, { send, themed: true, fresh });
show(true);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => readTheme(root) && show(false));
