// One stepper for every scene: the rail, back and next, keys, play, questions before a stage, what is read aloud,
// and the address. A scene says what its stages are and draws them; it never touches a key or the address.

import { createAddress, inAddress } from "./address.js";
import { createAsking } from "./asking.js";
import { onClass, onMoved, theClass } from "./classroom.js";
import { calm } from "./dom.js";
import { copyOf } from "./handout.js";
import { createKeys } from "./keys.js";
import { createPresent } from "./present.js";
import { createRail, stepName } from "./rail.js";
import { saved } from "./saved.js";
import { createTake } from "./take.js";
import { onWay } from "./way.js";

/**
 * @typedef {{lap: number, stage: number}} Place a stage, counted from 1, of a lap: a token, or always 0
 * @typedef {Object} Stage
 * @property {string} name on the rail
 * @property {string} [group] stages of one group stand in one row of the rail, under this name
 * @property {string} [title] more of it, under the pointer
 * @property {boolean} [predict] it is asked about in any case before it is first shown, unless it comes while playing
 *   or an address leads to it: who follows a link gets what was linked. Where it is shown of something else now,
 *   as of another prompt, it is asked about anew
 * @property {(place: Place) => void} show make the picture show this stage, from whatever it shows now
 * @property {(place: Place) => void} [enter] move something: the learner has just stepped here
 * @property {() => void} [leave] take away what `enter` left
 */

/**
 * @typedef {Object} Stepped what the scene tells its stepper
 * @property {Stage[]} stages
 * @property {string} param the address parameter of the stage
 * @property {string} [lapParam] that of the lap, where there are laps
 * @property {string} [lapName] what a lap is called: "token"
 * @property {string} [stageName] what a stage is called: "stage" by itself, and on a small rail what a lap is,
 *   or "step" where there are no laps
 * @property {() => string} [name] of what is stepped through: questions are asked, and data waited for, of it
 * @property {(place: Place) => boolean} [exists] false beyond the ends; without it there is one lap
 * @property {(place: Place) => boolean} [ready] false while its data are still to come
 * @property {(place: Place) => void} [ask] have them sent; `arrived()` goes on when they are there
 * @property {(place: Place) => void} [near] called after each step: more may be needed soon
 * @property {(place: Place) => import("./asking.js").Question | null} [question] what to ask before a place is shown
 * @property {(text: string) => HTMLElement[]} [touch] the parts of the picture that an answer names: touching one
 *   gives that answer
 * @property {(place: Place) => string} [said] what a screen reader hears, and what there is to read: without
 *   it, all that is told
 * @property {() => string} [ending] why there is no next one
 * @property {(place: Place, by: number) => Place | null} [along] the place after or before another, where that is
 *   not the neighbouring stage
 * @property {(place: Place) => number} [pace] how long playing stays at a place, in ms, where it is not read
 * @property {() => Object<string, string | null>} [also] what else of the scene the address says; `write()` tells of it
 * @property {(place: Place) => import("./present.js").Presented | null} [present] the sentence for a class, and the
 *   speaker's notes; without it, the first sentence of the stage's focus, the rest of what is told, and the question
 *   about the next stage
 * @property {boolean} [saves] the page can be saved as a file
 * @property {() => Promise<any>} [whole] waits until all is here that such a file should have;
 *   gives what of the data has come later than the rest
 * @property {boolean} [handout] all stages of a lap fit on two printed pages
 * @property {boolean} [small] a rail of present, back, play and next alone
 */

const WORDS_A_MINUTE = 220;
const LEAST_MS = 2500;

/** How long a text takes to read, in ms. */
export const pace = (text, speed = 1) =>
  Math.max(LEAST_MS, (text.split(/\s+/).length * 60_000) / WORDS_A_MINUTE) / speed;

/** The place after or before another; null beyond the ends. */
export function neighbour(place, count, by, exists) {
  const within = { lap: place.lap, stage: place.stage + by };
  if (within.stage >= 1 && within.stage <= count) return exists(within) ? within : null;
  const over = { lap: place.lap + by, stage: by > 0 ? 1 : count };
  return exists(over) ? over : null;
}

/**
 * @param {{root: HTMLElement, rail: HTMLElement, asking: HTMLElement, told: HTMLElement, live: HTMLElement}} parts
 *   of the page, from createStage()
 * @param {Stepped} scene
 */
export function createStepper({ root, rail, asking, told, live }, scene) {
  const { stages, ready = () => true } = scene;
  const there = scene.exists ?? (({ lap }) => lap === 0);
  // A file has what it has.
  const exists = saved ? (at) => there(at) && ready(at) : there;
  const said = scene.said ?? (() => told.textContent);
  const count = stages.length;
  const neighbourOf = scene.along ?? ((at, by) => neighbour(at, count, by, exists));
  const beside = (by) => neighbourOf(place, by);
  const what = stepName(scene);
  const byLap = scene.small && scene.lapParam && !scene.stageName;
  const address = createAddress();
  const panel = createAsking(
    { root, asking, live },
    { what, touch: scene.touch },
    { answered: reveal, accepted },
  );
  const flags = {
    ask: inAddress("ask") !== null || panel.kept.on,
    numbers: inAddress("numbers") !== null,
    present: inAddress("present") !== null,
  };
  const path = location.pathname;
  if (flags.ask) panel.kept.on = true; // on the next page too
  let place = addressed() ?? { lap: 0, stage: 1 };
  let waiting = null; // a place asked for whose data are not there yet, and of what
  let timer = null;
  let speed = 1;
  let undemonstrate = () => {};
  let asked = null; // the place that a question is open about
  let moves = 0; // made by the learner
  let shown = ""; // the name of the place that is shown
  const seen = new Set(); // the names of all that were

  /** The place that the address names, if there is such a place. */
  function addressed() {
    const stage = Number(inAddress(scene.param));
    const lap = scene.lapParam ? Number(inAddress(scene.lapParam)) : 0;
    const to = { lap, stage };
    const named = [lap, stage].every(Number.isInteger) && stage >= 1 && stage <= count;
    return named && exists(to) ? to : null;
  }

  // ---- the rail --------------------------------------------------------------------------------------

  const take = createTake(root, {
    saves: Boolean(scene.saves),
    whole: async () => ({ at: place, ...(await scene.whole?.()) }),
    pages: scene.handout ? copies : null,
  });
  const buttons = createRail(rail, scene, take, {
    stage: (n) => byHand(() => go({ lap: place.lap, stage: n }))(),
    ask: toggleAsking,
    numbers: toggleNumbers,
    present: () => setPresenting(true),
    back: byHand(back),
    play: () => play(timer === null),
    next: byHand(next),
    speed(times) {
      speed = times;
      if (timer !== null) play(true);
    },
  });

  function showRail() {
    const after = beside(1);
    const onward = after && after.lap !== place.lap ? `Next ${scene.lapName} ▸` : "Next ▸";
    buttons.show({
      stage: place.stage,
      exists: (n) => exists({ lap: place.lap, stage: n }),
      isBack: Boolean(beside(-1)),
      isNext: Boolean(after || asked),
      nextText: asked ? (isCounted() ? "Answers ▸" : "Show ▸") : onward,
      ending: after ? "" : endingOf(),
      last: !scene.small && (!after || place.stage === count),
      playing: timer !== null,
      asks: flags.ask,
      allNumbers: flags.numbers,
    });
    root.classList.toggle("numbers", flags.numbers);
  }

  /** Why there is no next one. */
  function endingOf() {
    const more = saved && neighbour(place, count, 1, there);
    return more && !ready(more) ? "Here this file ends; in the app it goes on." : (scene.ending?.() ?? "");
  }

  // ---- taking it along -------------------------------------------------------------------------------

  /** Every stage of this lap, as it looks. */
  function copies() {
    const here = place;
    const found = [];
    for (let stage = 1; stage <= count; stage++) {
      const to = { lap: here.lap, stage };
      if (!exists(to) || !ready(to)) continue;
      show(to, { stepped: false, quietly: true });
      found.push(copyOf(root));
    }
    show(here, { stepped: false, quietly: true });
    return found;
  }

  // ---- moving ----------------------------------------------------------------------------------------

  const walk = () => scene.name?.() ?? "";
  const nameOf = ({ lap, stage }) => `${walk()} ${lap} ${stage}`;

  function leave() {
    if (shown) stages[place.stage - 1].leave?.();
  }

  function wait(to) {
    waiting = to && { to, walk: walk() };
    root.classList.toggle("waiting", Boolean(to));
  }

  /**
   * Show a place. `stepped`: by the learner, so that the stage may move something; `verdict`: of the answer just
   * given; `quietly`: without a question.
   */
  function show(to, { stepped, verdict = "", quietly = false }) {
    const stage = stages[to.stage - 1];
    const again = nameOf(to) === shown;
    const anew = Boolean(shown) && to === place && !seen.has(nameOf(to)); // what it is shown of is another one
    leave();
    place = to;
    shown = nameOf(to);
    if (!quietly) seen.add(shown);
    root.dataset.stage = String(to.stage);
    stage.show(to);
    present.show();
    // More data can come while a question is open: it stays, and so does what was said of an answer.
    if (stepped || !again) {
      asked = null;
      panel.clear();
      if (polled()?.leads) theClass().pose(null);
      else showPoll();
    }
    showRail();
    if (stepped) {
      if (!calm()) stage.enter?.(to);
      live.textContent = `${verdict} ${said(to)}`.trim();
    }
    write();
    if (timer !== null) play(true); // the next one has its own length
    else if (!stepped && !again && !quietly) ask(to, anew);
  }

  function go(to) {
    if (!exists(to)) return;
    if (!ready(to)) {
      wait(to);
      return scene.ask?.(to);
    }
    wait(null);
    if (ask(to)) return;
    arrive(to);
    if (timer !== null) return;
    moves += 1;
    if (scene.question && !flags.ask && !theClass()) panel.offer();
  }

  /** The learner gets to a place. */
  function arrive(to, verdict = "") {
    show(to, { stepped: true, verdict });
    document.body.classList.add("kv-folded");
    if (!saved) scene.near?.(to);
  }

  // ---- questions -------------------------------------------------------------------------------------

  /** Ask about a place before it is shown, if that is wanted and was not done. A place that is shown is covered. */
  function ask(to, unseen = !seen.has(nameOf(to))) {
    const here = nameOf(to) === shown;
    const room = theClass();
    if (room?.follows) return false;
    const crowd = room?.asks && room.leads;
    const name = `${crowd ? room.code : ""}${path} ${nameOf(to)}`;
    const predicted = stages[to.stage - 1].predict && timer === null && unseen;
    const wanted = flags.ask || crowd || predicted;
    const question = wanted && ready(to) && !panel.knows(name) && scene.question?.(to);
    if (!question) return false;
    play(false);
    asked = to;
    const lap = scene.lapParam && to.lap !== place.lap ? ` of the next ${scene.lapName}` : "";
    const over = `Before ${what} ${byLap ? to.lap : `${to.stage} of ${count}${lap}`}`;
    panel.pose(question, {
      name,
      over,
      veil: here || Boolean(question.veil),
      focus: moves > 0 || !here,
      by: crowd ? scene.param : "",
    });
    showRail();
    return true;
  }

  /** Show what was asked about, with or without an answer. */
  function reveal(verdict) {
    const to = asked;
    const room = polled();
    const poll = room?.leads ? room.poll : null;
    asked = null;
    arrive(to, verdict);
    if (poll) theClass().pose({ ...poll, phase: "truth" });
    if (!verdict) return;
    if (buttons.next.disabled) setTimeout(panel.focus);
    else buttons.next.focus();
  }

  function putAway() {
    asked = null;
    panel.clear();
    if (polled()?.leads) theClass().pose(null);
    showRail();
  }

  function toggleAsking() {
    setAsking(!flags.ask);
    if (flags.ask) ask(place);
    else if (asked && nameOf(asked) === shown) reveal("");
    else putAway();
  }

  function setAsking(on) {
    flags.ask = panel.kept.on = on;
    panel.kept.offers = 0; // the learner knows of it
    moves += 1;
    panel.remember();
    showRail();
    write();
  }

  function accepted() {
    setAsking(true);
    panel.clear();
    next();
  }

  // ---- a class ---------------------------------------------------------------------------------------

  /** The class, if this stepper's question is what it is asked. */
  function polled() {
    const room = theClass();
    return room?.poll?.by === scene.param ? room : null;
  }

  /** Is the class to be shown how it has answered, before what is right? */
  function isCounted() {
    const room = polled();
    return Boolean(room?.leads && room.poll.phase === "open");
  }

  function showPoll() {
    const room = polled();
    if (room) panel.poll(room);
    else if (panel.polls) panel.clear();
    if (shown) showRail();
  }

  /** The class has gone on to where the address says now. */
  function follow(keys) {
    const to = addressed();
    const own = [scene.param, scene.lapParam, "numbers"].filter((key) => keys.delete(key));
    if (!own.length || !to) return own.forEach((key) => keys.add(key));
    play(false);
    flags.numbers = inAddress("numbers") !== null;
    wait(ready(to) ? null : to);
    if (waiting) scene.ask?.(to);
    else arrive(to);
  }

  // ---- back, next, play ------------------------------------------------------------------------------

  function next() {
    const to = beside(1);
    if (asked && isCounted()) theClass().pose({ ...theClass().poll, phase: "bars" });
    else if (asked) reveal("");
    else if (to) go(to);
    else play(false);
  }

  function back() {
    const to = beside(-1);
    // A question about the next place is put away; one about this place leaves it.
    if (asked && nameOf(asked) !== shown) putAway();
    else if (to) go(to);
  }

  function play(on) {
    clearTimeout(timer);
    const more = on && beside(1);
    const ms = () => (scene.pace ? scene.pace(place) / speed : pace(said(place), speed));
    timer = more ? setTimeout(next, ms()) : null;
    showRail();
  }

  /** Play without having been asked, unless things are to stand still: whatever the learner does ends it. */
  function demonstrate() {
    undemonstrate();
    if (calm() || present.shown) return; // before a class the speaker steps
    play(true);
    const end = (event) => {
      undemonstrate();
      // These pause by themselves.
      const own = event.key?.toLowerCase() === "p" || event.composedPath().includes(buttons.play);
      if (!own) play(false);
    };
    const kinds = ["pointerdown", "keydown"];
    for (const kind of kinds) document.addEventListener(kind, end, true);
    undemonstrate = () => kinds.forEach((kind) => document.removeEventListener(kind, end, true));
  }

  function byHand(move) {
    return () => {
      if (timer !== null) play(false);
      move();
    };
  }

  function toggleNumbers() {
    flags.numbers = !flags.numbers;
    showRail();
    write();
  }

  // ---- presenting ------------------------------------------------------------------------------------

  const present = createPresent(
    { root, told, live },
    {
      next: byHand(next),
      back: byHand(back),
      first: () => toEnd(-1),
      last: () => toEnd(1),
      digit(key) {
        if (panel.digit(key)) return true;
        const n = key === "0" ? 10 : Number(key);
        if (!Number.isInteger(n) || n < 1 || n > count) return false;
        byHand(() => go({ lap: place.lap, stage: n }))();
        return true;
      },
      changed: setPresenting,
      words: () => (shown && scene.present?.(place)) || null,
      asks() {
        const after = beside(1);
        return (after && ready(after) && scene.question?.(after)?.text) || "";
      },
      where() {
        const { title, name } = stages[place.stage - 1];
        const after = beside(1);
        const lap = scene.lapParam ? ` · ${scene.lapName} ${place.lap}` : "";
        const following = after && (byLap ? `${what} ${after.lap}` : stages[after.stage - 1].name);
        const over = byLap ? `${what} ${place.lap}` : `${what} ${place.stage} of ${count}${lap}`;
        return { over, title: title ?? name, next: following ?? "" };
      },
    },
  );

  function setPresenting(on) {
    flags.present = on;
    if (on) play(false);
    present.set(on);
    write();
    if (!on) buttons.present.focus();
  }

  /** To the first or the last stage of this lap; where laps are what is stepped through, to their end. */
  function toEnd(by) {
    const { lap } = place;
    const last = stages.findLastIndex((_, i) => exists({ lap, stage: i + 1 })) + 1;
    let to = { lap, stage: by < 0 ? 1 : last };
    if (scene.small && scene.lapParam) for (let on = place; on; on = neighbourOf(on, by)) to = on;
    byHand(() => go(to))();
  }

  // ---- keys and address ------------------------------------------------------------------------------

  const keys = createKeys(root, {
    anywhere: {
      ArrowRight: byHand(next),
      ArrowLeft: byHand(back),
      p: () => play(timer === null),
      n: toggleNumbers,
      f: () => setPresenting(true),
    },
    inside: { PageDown: byHand(next), PageUp: byHand(back) },
    other: panel.digit,
  });

  // Back and forward within the page: what the address says is shown at once where it is there already.
  function onHistory() {
    if (location.pathname !== path) return;
    for (const name of Object.keys(flags)) flags[name] = inAddress(name) !== null;
    present.set(flags.present);
    const to = addressed();
    if (!to || !ready(to)) return showRail();
    wait(null);
    show(to, { stepped: false });
  }
  addEventListener("popstate", onHistory);
  document.body.classList.add("kv-stepped"); // on a phone the controls wait until somebody asks for them
  const forgetWay = onWay(showRail); // it can come later than the scene
  const forgetClass = onClass(showPoll);
  const forgetMoves = onMoved(follow);
  present.set(flags.present);

  function write() {
    address.write({
      ...(scene.lapParam && { [scene.lapParam]: place.lap }),
      [scene.param]: place.stage,
      ...scene.also?.(),
      ask: flags.ask,
      numbers: flags.numbers,
      present: flags.present,
    });
  }

  return {
    get place() {
      return place;
    },
    go,
    /**
     * Show the place anew, or another one, without motion: the data or the colours have changed. `quietly`: what
     * is shown was asked for, and no question comes before it.
     */
    show: (to = place, { quietly = false } = {}) => show(to, { stepped: false, quietly }),
    /** New data are there: go on to where the learner was waiting to go. True when that was so. */
    arrived() {
      if (waiting?.walk !== walk()) wait(null);
      if (!waiting) return false;
      const { to } = waiting;
      if (ready(to)) go(to);
      else scene.ask?.(to); // it needs more than has come
      return !waiting;
    },
    /** The address lost what the scene writes, since Python has written the rest. */
    write,
    stop: () => play(false),
    demonstrate,
    get playing() {
      return timer !== null;
    },
    destroy() {
      forgetClass();
      forgetMoves();
      if (polled()?.leads) theClass().pose(null);
      leave();
      present.destroy();
      undemonstrate();
      clearTimeout(timer);
      address.destroy();
      keys.destroy();
      removeEventListener("popstate", onHistory);
      forgetWay();
      document.body.classList.remove("kv-stepped", "kv-folded", "kv-asked", "kv-asking");
    },
  };
}
