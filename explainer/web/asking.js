// Ask me: a question before a stage is shown, each answer explained, and the score of the session.

import { theClass } from "./classroom.js";
import { el } from "./dom.js";
import { drawPoll, saidOf } from "./poll.js";
import { createTouch } from "./touch.js";
import { fill } from "./words.js";

/**
 * @typedef {Object} Option
 * @property {string} text what stands on the button: “14 rows”, not “14”
 * @property {string} why a sentence or two with the run's numbers, told when it was chosen: of the right one why it
 *   is right, of a wrong one what is wrong with it. After a wrong answer the right one's is told as well.
 */

/**
 * @typedef {Object} Question
 * @property {string} text
 * @property {Option[]} options two to nine, in an order that gives nothing away
 * @property {number} answer index of the right one
 * @property {boolean} [veil] the picture that is shown before the answer holds it: it is covered meanwhile
 */

/**
 * A question as explainer/kit/asking.py sends it: its sentences are templates, filled in here.
 * @param {Object<string, any>} tables of words.toml: by kind of question its `text`, and `why` by name
 * @param {Object<string, any>} values of the step
 * @param {{kind: string, answer: number, veil: boolean, values: Object<string, string>, options: [string, string, Object<string, string>][]} | null} asked
 * @returns {Question | null}
 */
export function questionOf(tables, values, asked) {
  if (!asked) return null;
  const { text, why } = tables[asked.kind];
  const said = { ...values, ...asked.values };
  return {
    text: fill(text, said),
    options: asked.options.map(([name, option, more]) => ({
      text: option,
      why: fill(why[name], { ...said, ...more }),
    })),
    answer: asked.answer,
    veil: asked.veil,
  };
}

const KEY = "kv-asked";
const MOST_KEPT = 500; // names of questions that are not asked again
const OFFERS = 5; // steps that offer it

/** What is remembered for as long as the tab is open, on all pages: in the tab, and nowhere else. */
function recall() {
  const fresh = { on: false, offers: OFFERS, right: 0, answered: 0, done: [] };
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "{}");
    const fits = Object.entries(fresh).filter(([name, value]) => typeof kept[name] === typeof value);
    const found = { ...fresh, ...Object.fromEntries(fits.map(([name]) => [name, kept[name]])) };
    return Array.isArray(found.done) ? found : fresh;
  } catch {
    return fresh; // no storage, or not ours
  }
}

function keep(kept) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(kept));
  } catch {
    // Then it is forgotten with the page.
  }
}

const score = (kept) =>
  kept.answered
    ? el("p.right-so-far.quiet", {}, `Right so far: ${kept.right} of ${kept.answered} in this session.`)
    : null;

function add(kept, right) {
  kept.answered += 1;
  kept.right += right ? 1 : 0;
}

/** Count an answer that a page has asked for by itself. Gives the line with the score. */
export function counted(right) {
  const kept = recall();
  add(kept, right);
  keep(kept);
  return score(kept);
}

/**
 * @param {{root: HTMLElement, asking: HTMLElement, live: HTMLElement}} parts of the page
 * @param {{what: string, touch?: (text: string) => HTMLElement[]}} scene `what` is asked about: “stage”; `touch`
 *   gives the parts of the picture that an answer names
 * @param {{answered: (verdict: string) => void, accepted: () => void}} on `answered` shows the place, and
 *   `verdict` is to be read aloud before it; `accepted` begins to ask
 */
export function createAsking({ root, asking, live }, { what, touch: partsOf }, on) {
  const kept = recall();
  const touch = createTouch(partsOf);
  const done = new Set(kept.done);
  let question = null; // the open one
  let polls = ""; // what of a class's question is shown

  function remember() {
    kept.done = [...done].slice(-MOST_KEPT);
    keep(kept);
  }

  function clear() {
    question = null;
    polls = "";
    touch.clear();
    delete root.dataset.asking;
    document.body.classList.remove("kv-asking");
    asking.replaceChildren();
  }

  const inSight = () => asking.firstElementChild?.scrollIntoView({ block: "nearest" });

  function choose(chosen) {
    const { options, answer } = question;
    const right = chosen === answer;
    add(kept, right);
    remember();
    clear();
    const why = [`✓ ${right ? "Right:" : "It is"} ${options[answer].text}.`, options[answer].why];
    const told = right ? [why] : [[`✗ Not ${options[chosen].text}.`, options[chosen].why], why];
    on.answered(told.flat().join(" "));
    asking.replaceChildren(
      el(
        "div.answered",
        { tabindex: "-1", "data-right": String(right) },
        ...told.map(([verdict, because]) =>
          el("div", {}, el("p.verdict", {}, verdict), el("p.because", {}, because)),
        ),
        score(kept),
      ),
    );
    inSight();
  }

  return {
    kept,
    remember,
    clear,
    get open() {
      return question !== null;
    },
    /** Is a class's question shown? */
    get polls() {
      return polls !== "";
    },
    /** What a class is asked, and how it has answered, until `clear`. */
    poll(room) {
      const { id, phase, veil, options } = room.poll;
      const votes = phase === "open" && !room.leads;
      // Anew each time: the picture may have come later than the question.
      const touched = votes && !veil && touch.offer(options, room.vote, room.voted);
      if (!touched) touch.clear();
      const at = [...asking.querySelectorAll(".option")].findIndex((option) => option.matches(":focus"));
      const now = `${id} ${phase}`;
      const drawn = JSON.stringify([room.poll, room.joined, room.voted]);
      if (asking.firstElementChild?.getAttribute("data-class") === drawn) return;
      if (phase === "truth") delete root.dataset.asking;
      else root.dataset.asking = veil ? "veiled" : "before";
      document.body.classList.toggle("kv-asking", phase !== "truth");
      const shown = drawPoll(room, touched);
      shown.dataset.class = drawn; // touched, it is no leaving of the class
      asking.replaceChildren(shown);
      if (now !== polls) live.textContent = saidOf(room);
      if (now !== polls) inSight();
      polls = now;
      /** @type {HTMLElement} */ (asking.querySelectorAll("button.option")[at])?.focus();
    },
    /** Was this question asked before? */
    knows: (name) => done.has(name),
    /** Ask; `veil`: the picture already shows what is asked; `by` whom, where the whole class is asked. */
    pose(asked, { name, over, veil, focus, by = "" }) {
      done.add(name); // asked once: going on without an answer shows the stage
      remember();
      if (by) {
        const { text, options, answer } = asked;
        const texts = options.map((option) => option.text);
        theClass().pose({ by, text, options: texts, answer, why: options[answer].why, veil, phase: "open" });
        return;
      }
      question = asked;
      root.dataset.asking = veil ? "veiled" : "before";
      document.body.classList.add("kv-asking");
      const touched =
        !veil &&
        touch.offer(
          asked.options.map(({ text }) => text),
          choose,
        );
      const buttons = asked.options.map(({ text }, i) => {
        const sign = el("span.digit", { "aria-hidden": "true" }, String(i + 1));
        const button = el("button.option", { type: "button" }, sign, el("span", {}, text));
        button.onclick = () => choose(i);
        return button;
      });
      asking.replaceChildren(
        el(
          "div.posed",
          {},
          el("p.over", {}, over),
          el("h2", {}, "What do you think?"),
          el("p.focus", {}, asked.text),
          el("div.options", { role: "group", "aria-label": "Answers, keys 1 to 9" }, ...buttons),
          touched ? el("p.quiet", {}, "Or touch it in the picture.") : null,
          score(kept),
        ),
      );
      const heard = asked.options.map(({ text }, i) => `${i + 1}: ${text}.`);
      live.textContent = `${asked.text} ${heard.join(" ")}`;
      if (!focus) return;
      buttons[0].focus();
      inSight();
    },
    /** A digit answers the open question; says whether it did. */
    digit(key) {
      const at = /^[1-9]$/.test(key) ? Number(key) - 1 : -1;
      const room = theClass();
      if (polls && room?.poll?.phase === "open" && !room.leads && room.poll.options[at]) {
        room.vote(at);
        return true;
      }
      if (!question?.options[at]) return false;
      choose(at);
      return true;
    },
    /** Offer it in words, a few times, until that was taken or declined. */
    offer() {
      if (kept.offers <= 0) return;
      kept.offers -= 1;
      remember();
      const yes = el("button.accept", { type: "button" }, "Ask me");
      const no = el("button.decline", { type: "button", "aria-label": "No, do not ask me" }, "×");
      yes.onclick = () => on.accepted();
      no.onclick = () => {
        kept.offers = 0;
        remember();
        asking.replaceChildren();
      };
      asking.replaceChildren(
        el("p.offer", {}, el("span", {}, `Want to guess before each ${what}?`), yes, no),
      );
    },
    /** Where to be after an answer, if there is nothing to go on to. */
    focus: () => /** @type {HTMLElement} */ (asking.querySelector(".answered"))?.focus(),
  };
}
