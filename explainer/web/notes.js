// The speaker's notes, in a window of their own: they follow the window that presents, and step it.

import { el } from "./dom.js";
import { REMOTE } from "./keys.js";

const name = location.hash.slice(1);
const channel = new BroadcastChannel(`kv-notes ${name}`);
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel has none
const send = (message) => channel.postMessage(message);
const STEPS = { ...REMOTE, b: "blank", ".": "blank" };

const over = el("p.over");
const title = el("h1");
const line = el("p.line");
const say = el("p");
const ask = el("p");
const next = el("p.next");
const clock = el("p.clock", { "aria-label": "Since the notes were opened" });
const part = (heading, text) => el("section", {}, el("h2", {}, heading), text);
const parts = [part("On the screen", line), part("Say", say), part("Ask", ask)];
const button = (text, step) => {
  const made = el("button", { type: "button" }, text);
  made.onclick = () => send({ step });
  return made;
};
const waiting = el(
  "p.waiting",
  { role: "status" },
  "No page is being presented in the tab that opened this window. Open one there, and press F.",
);
document.body.append(
  el("header", {}, over, clock),
  title,
  waiting,
  el("main", { "aria-live": "polite" }, ...parts, next),
  el(
    "nav",
    { "aria-label": "Steps" },
    button("◀ Back", "back"),
    button("Next ▶", "next"),
    button("Blank", "blank"),
  ),
);

channel.onmessage = ({ data: { notes } }) => {
  if (!notes) return;
  waiting.hidden = true;
  over.textContent = notes.over;
  title.textContent = notes.title;
  next.textContent = notes.next ? `Next: ${notes.next}` : "";
  for (const [node, text] of [
    [line, notes.line],
    [say, notes.say],
    [ask, notes.ask],
  ]) {
    node.textContent = text;
    node.parentElement.hidden = !text;
  }
};
send({ hello: true });

addEventListener("keydown", (event) => {
  const step = STEPS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!step || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  send({ step });
});

const began = Date.now();
function tick() {
  const seconds = Math.floor((Date.now() - began) / 1000);
  clock.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
tick();
setInterval(tick, 1000);
