// A class on this page: the teacher's page tells the room where it is, a student's goes there, or explores.

import { inAddress } from "../web/address.js";
import { moved, tellClass } from "../web/classroom.js";
import { el } from "../web/dom.js";
import { open, way } from "../web/way.js";
import { fill } from "../web/words.js";

const KEPT = "kv-room"; // in the tab: {code, secret, asks}; for a device of the class in the browser: {code, device}
const OWN = new Set(["present", "ask", "room", "path"]); // what in an address is this device's alone
const PATIENCE = 90_000; // ms that a room is looked for which was there before: the server may have been restarted
const AGAIN = 1000;
const SILENT = new Set(["Tab", "Shift", "Control", "Alt", "Meta", "Escape", "Enter", " "]); // keys that touch nothing

const base = new URL("./", location.href);
const at = (path) => new URL(path ? `rooms/${path}` : "rooms", base);
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

let words = null;
let home = null; // in the bar: what is said of the class
let panel = null; // what the bar's button opens
let room = null; // {code, secret, device, asks, follows, joined, pages, place, poll, voted, trouble}
let source = null;
let leaping = false; // to another page, which has not been drawn yet

// ---- what is kept ------------------------------------------------------------------------------------------

function kept(storage) {
  try {
    return JSON.parse(storage().getItem(KEPT) ?? "null");
  } catch {
    return null;
  }
}

function keep(storage, value) {
  try {
    if (value) storage().setItem(KEPT, JSON.stringify(value));
    else storage().removeItem(KEPT);
  } catch {
    // Then it is forgotten with the page.
  }
}

const ofTab = () => sessionStorage;
const ofBrowser = () => localStorage;

/** One device votes once: its random name is the same in every tab, as long as the room is. */
function deviceOf(code) {
  const known = kept(ofBrowser);
  if (known?.code === code) return known.device;
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  const device = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  keep(ofBrowser, { code, device });
  return device;
}

// ---- the server --------------------------------------------------------------------------------------------

async function post(path, body) {
  const answer = await fetch(at(path), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw Object.assign(new Error(await answer.text()), { status: answer.status });
  return answer;
}

let saying = false;
let unsaid = false;

/** Tell the room where the teacher is; one message at a time, and always the newest. */
async function say() {
  unsaid = true;
  if (saying) return;
  saying = true;
  await wait(0); // a step writes more than one thing
  await sayNewest();
  saying = false;
}

async function sayNewest() {
  if (!unsaid || !room?.secret) return;
  unsaid = false;
  try {
    await post(`${room.code}/place`, { secret: room.secret, ...here(), poll: room.poll });
    complain("");
  } catch (error) {
    const refused = error.status >= 400 && error.status < 429;
    complain(refused ? error.message : words.lost);
    if (!refused) {
      unsaid = true;
      await wait(AGAIN);
    }
  }
  await sayNewest();
}

function complain(text) {
  if (!room || room.trouble === text) return;
  room.trouble = text;
  changed();
}

/** Hear of the room until it ends, whatever happens to the connection. */
function listen(since = 0) {
  const { code, secret, device } = room;
  const mine = room;
  let lost = since;
  source?.close();
  source = new EventSource(at(`${code}/events?${new URLSearchParams(secret ? { secret } : { device })}`));
  source.addEventListener("place", ({ data }) => follow(JSON.parse(data)));
  source.addEventListener("class", ({ data }) => count(JSON.parse(data)));
  source.addEventListener("end", () => end(words.ended));
  source.onopen = () => {
    lost = 0;
    mine.was = true;
    mine.back = true;
    keepTab();
    if (secret) say(); // the server may have been restarted
  };
  source.onerror = async () => {
    // It comes again by itself, unless it was refused: then the room is not there, or not yet again.
    if (source.readyState !== EventSource.CLOSED || room !== mine) return;
    lost ||= Date.now();
    if (!secret && (!mine.was || Date.now() - lost > PATIENCE)) return end(fill(words.none, { code }));
    if (secret) await say();
    await wait(AGAIN * (1 + Math.random()));
    if (room === mine) listen(lost);
  };
}

// ---- where one is ------------------------------------------------------------------------------------------

function here() {
  const params = [...new URLSearchParams(location.search)].filter(([name]) => !OWN.has(name));
  return { page: location.pathname.slice(base.pathname.length), params: Object.fromEntries(params) };
}

const differing = (one, other) =>
  new Set([...Object.keys(one), ...Object.keys(other)].filter((name) => one[name] !== other[name]));

/** Show what the teacher shows. Where only a step differs, no script runs. */
function go() {
  const { page, params } = room.place;
  const now = here();
  const target = new URL(page || "./", base);
  target.search = String(new URLSearchParams(params));
  if (page !== now.page) {
    leaping = true;
    return open(target.href);
  }
  const keys = differing(now.params, params);
  if (!keys.size) return;
  history.replaceState(history.state, "", target);
  moved(keys);
  if (keys.size && !leaping) dispatchEvent(new PopStateEvent("popstate", { state: history.state }));
}

/** A message to a student. */
function follow({ page, params, poll }) {
  const known = room.poll;
  room.place = { page, params };
  room.poll = poll;
  if (poll?.id !== known?.id) room.voted = null;
  if (room.follows) go();
  changed();
  // A server that was restarted has forgotten the answer.
  if (room.back && room.voted !== null) vote(room.voted);
  room.back = false;
}

/** A message to the teacher. */
function count({ joined, pages, poll, counts }) {
  Object.assign(room, { joined, pages });
  if (room.poll && room.poll.id === poll) room.poll.counts = counts;
  changed();
}

function setFollowing(on) {
  room.follows = on;
  if (on) go();
  changed();
  sayWhere();
}

function sayWhere() {
  const page = room.follows ? "" : here().page || way()?.home || "start";
  if (page === room.said) return;
  room.said = page;
  post(`${room.code}/here`, { device: room.device, page }).catch(() => (room.said = null));
}

/** A student who touches anything explores from then on. */
function touched(event) {
  if (!room?.follows || !event.isTrusted) return;
  if (event.composedPath().some((node) => node.dataset && "class" in node.dataset)) return;
  if (event.type === "keydown") {
    const answers = room.poll?.phase === "open" && /^[1-9]$/.test(event.key);
    if (answers || SILENT.has(event.key) || event.ctrlKey || event.metaKey || event.altKey) return;
  }
  setFollowing(false);
}

// ---- questions ---------------------------------------------------------------------------------------------

function pose(poll) {
  if (!poll && !room.poll) return;
  room.poll = poll && { id: Math.random().toString(36).slice(2, 12), ...poll };
  changed();
  say();
}

function vote(option) {
  const asked = room.poll.id;
  room.voted = option;
  changed();
  post(`${room.code}/vote`, { device: room.device, poll: asked, option }).catch(async (error) => {
    // Too often, or not yet in the room again: once more, unless it is no longer asked.
    if (error.status === 400) return;
    await wait(AGAIN);
    if (room?.poll?.id === asked && room.poll.phase === "open" && room.voted === option) vote(option);
  });
}

// ---- begin and end -----------------------------------------------------------------------------------------

const keepTab = () => keep(ofTab, room && { code: room.code, secret: room.secret, asks: room.asks });

/**
 * The bar has found a room in the tab or in the address, or its button was pressed.
 * @param {HTMLElement} slot for what is said of the class
 * @param {HTMLElement} into what the button opens
 */
export async function enter(slot, into) {
  home = slot;
  panel = into;
  words ??= await (await fetch(at("words"))).json();
  if (!home.isConnected) return;
  const style = el("link", { rel: "stylesheet", href: new URL("room.css", import.meta.url).href });
  const styled = new Promise((done) => (style.onload = style.onerror = done));
  home.closest(".way-root").before(style);
  await styled;
  const tab = kept(ofTab);
  const code = inAddress("room")?.trim().toUpperCase();
  if (code && code !== tab?.code) begin({ code });
  else if (tab) begin(tab);
  else changed();
}

function begin({ code, secret = "", asks = true }) {
  const known = kept(ofTab)?.code === code;
  const device = secret ? "" : deviceOf(code);
  const fresh = { joined: 0, pages: {}, place: null, poll: null, voted: null, trouble: "", said: "" };
  room = { code, secret, device, asks, follows: !secret, was: known, back: false, ...fresh };
  if (secret) {
    for (const name of ["pushState", "replaceState"]) watch(name);
    addEventListener("popstate", say);
  } else for (const kind of ["click", "keydown", "popstate"]) addEventListener(kind, touched, true);
  changed();
  listen();
}

/** Whatever writes the address, the room hears of it. */
function watch(name) {
  const write = history[name].bind(history);
  history[name] = (...given) => {
    write(...given);
    say();
  };
}

function end(said) {
  source?.close();
  if (room.secret) {
    for (const name of ["pushState", "replaceState"]) delete history[name]; // the browser's own again
    removeEventListener("popstate", say);
  }
  for (const kind of ["click", "keydown", "popstate"]) removeEventListener(kind, touched, true);
  keep(ofTab, null);
  if (room.device) keep(ofBrowser, null);
  if (inAddress("room")) {
    const url = new URL(location.href);
    url.searchParams.delete("room");
    history.replaceState(history.state, "", url);
  }
  room = null;
  changed(said);
}

async function openRoom() {
  try {
    begin(await (await post("", {})).json());
    keepTab();
  } catch (error) {
    changed(error.message);
  }
}

/** The bar has drawn a page. */
export function drawn() {
  if (!room) return words && changed();
  leaping = false;
  if (room.secret) return;
  if (room.follows && room.place) go();
  else if (!room.follows) sayWhere();
}

// ---- what is said ------------------------------------------------------------------------------------------

const button = (spec, text, act) => {
  const made = el(spec, { type: "button" }, text);
  made.onclick = act;
  return made;
};
const long = (text) => el("span.long", {}, text);

function changed(said = "") {
  const { code = "", secret, joined, poll, voted, asks, follows } = room ?? {};
  const line = secret ? fill(words.line, { host: `${base.host}${base.pathname}join`, code, joined }) : "";
  const leads = Boolean(secret);
  const shown = leads || follows ? poll : null;
  tellClass(room && { code, leads, follows, asks, line, joined, poll: shown, voted, pose, vote });
  draw(said);
}

function draw(said) {
  home.closest(".way-root")?.classList.toggle("in-class", room ? !room.secret : said !== "");
  if (!room) home.replaceChildren(said ? el("span.said", {}, said) : "");
  else if (room.secret) home.replaceChildren(el("b", {}, room.code), " · ", String(room.joined));
  else if (!room.place) home.replaceChildren(el("span.said", {}, words.looks));
  else if (room.follows) home.replaceChildren(el("span.said", {}, `● ${words.follows}`));
  else {
    const back = button("button.back-to-class", words.back, () => setFollowing(true));
    home.replaceChildren(long(words.own), " ", back);
  }
  drawPanel(said);
}

function drawPanel(said) {
  if (room?.secret) return drawOpened();
  if (room) return panel.replaceChildren(button("button.act", words.leave, () => end("")));
  panel.replaceChildren(
    el("p", {}, words.opens),
    button("button.act", words.open, openRoom),
    el("p.have", {}, el("a", { href: new URL("join", base).href }, words.have)),
    el("p", { role: "status" }, said),
  );
}

let opened = null; // the parts of the panel of an open room, which stay while the numbers change

function drawOpened() {
  const { code, joined, pages, asks } = room;
  if (opened?.code !== code || !panel.contains(opened.box)) {
    const link = new URL(`?room=${code}`, base).href;
    const asking = el("input", { type: "checkbox" });
    asking.checked = asks;
    asking.onchange = () => {
      room.asks = asking.checked;
      keepTab();
      changed();
    };
    const where = el("p.whereabouts", { role: "status" });
    const trouble = el("p.trouble", { role: "status" });
    const close = button("button.act", words.close, () => {
      post(`${code}/close`, { secret: room.secret }).catch(() => {});
      end(words.ended);
    });
    const local = ["localhost", "127.0.0.1", "[::1]"].includes(base.hostname);
    const box = el(
      "div.room",
      {},
      el("img", { src: at(`${code}/qr.svg?at=${encodeURIComponent(base.href)}`).href, alt: link }),
      el(
        "div",
        {},
        el("p.join", {}, `${base.host}${base.pathname}join`),
        el("p.code", { "aria-label": [...code].join(" ") }, code),
        el("p", {}, el("a", { href: link, target: "_blank", rel: "noopener" }, link)),
        local ? el("p.local", {}, words.local) : null,
        where,
        trouble,
        el("label", {}, asking, " ", words.asks),
        el("p.quiet", {}, words.asks_how),
        close,
      ),
    );
    opened = { code, box, where, trouble };
    panel.replaceChildren(box);
  }
  const name = (page) => way()?.pages[page]?.title ?? page;
  const places = Object.entries(pages)
    .filter(([, n]) => n)
    .sort()
    .map(([page, n]) => (page ? fill(words.elsewhere, { n, page: name(page) }) : fill(words.with, { n })));
  opened.where.textContent = [fill(words.joined, { joined }), ...places].join(" · ");
  opened.trouble.textContent = room.trouble;
}
