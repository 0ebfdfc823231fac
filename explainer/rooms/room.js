// A class on this page: the teacher's page tells the room where it is, a student's goes there, or explores.

import { inAddress } from "../web/address.js";
import { moved, tellClass } from "../web/classroom.js";
import { el } from "../web/dom.js";
import { open, way } from "../web/way.js";
import { fill } from "../web/words.js";
import { chooses } from "./chooses.js";
import { deviceOf, keep, kept, ofBrowser, ofTab } from "./kept.js";
import { createSaid } from "./said.js";

const OWN = new Set(["present", "ask", "room", "path"]); // what in an address is this device's alone
const PATIENCE = 90_000; // ms that a room is looked for which was there before: the server may have been restarted
const AGAIN = 1000;

const base = new URL("./", location.href);
const at = (path) => new URL(path ? `rooms/${path}` : "rooms", base);
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

let words = null;
let said = null; // what draws it in the bar
let room = null; // {code, secret, device, asks, follows, joined, pages, place, poll, voted, trouble}
let source = null;
let leaping = false; // to another page, which has not been drawn yet

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

/** A student who steps or chooses explores from then on. */
function explore(event) {
  if (room?.follows && event.isTrusted && chooses(event)) setFollowing(false);
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
  words ??= await (await fetch(at("words"))).json();
  if (!slot.isConnected) return;
  const acts = {
    open: openRoom,
    close,
    leave: () => end(""),
    follow: () => setFollowing(true),
    asks: setAsks,
  };
  said = createSaid(slot, into, { words, base, at }, acts);
  const style = el("link", { rel: "stylesheet", href: new URL("room.css", import.meta.url).href });
  const styled = new Promise((done) => (style.onload = style.onerror = done));
  slot.closest(".way-root").before(style);
  await styled;
  const tab = kept(ofTab);
  const code = inAddress("room")?.replace(/[\s-]/g, "").toUpperCase(); // however it was written down
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
  } else for (const kind of ["click", "keydown", "popstate"]) addEventListener(kind, explore, true);
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

function end(why) {
  source?.close();
  if (room.secret) {
    for (const name of ["pushState", "replaceState"]) delete history[name]; // the browser's own again
    removeEventListener("popstate", say);
  }
  for (const kind of ["click", "keydown", "popstate"]) removeEventListener(kind, explore, true);
  keep(ofTab, null);
  if (room.device) keep(ofBrowser, null);
  if (inAddress("room")) {
    const url = new URL(location.href);
    url.searchParams.delete("room");
    history.replaceState(history.state, "", url);
  }
  room = null;
  changed(why);
}

async function openRoom() {
  try {
    begin(await (await post("", {})).json());
    keepTab();
  } catch (error) {
    changed(error.message);
  }
}

function close() {
  post(`${room.code}/close`, { secret: room.secret }).catch(() => {});
  end(words.ended);
}

function setAsks(on) {
  room.asks = on;
  keepTab();
  changed();
}

/** The bar has drawn a page. */
export function drawn() {
  if (!room) return words && changed();
  leaping = false;
  if (room.secret) return;
  if (room.follows && room.place) go();
  else if (!room.follows) sayWhere();
}

/** Something about the class is new; `why` there is none any more. */
function changed(why = "") {
  const { code = "", secret, joined, poll, voted, asks, follows } = room ?? {};
  const line = secret ? fill(words.line, { host: `${base.host}${base.pathname}join`, code, joined }) : "";
  const leads = Boolean(secret);
  const shown = leads || follows ? poll : null;
  tellClass(room && { code, leads, follows, asks, line, joined, poll: shown, voted, pose, vote });
  said.draw(room, why);
}
