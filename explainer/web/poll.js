// What a class is asked, as its devices and the projector show it: the question, then the bars, then what is right.

import { el } from "./dom.js";

/**
 * @param {import("./classroom.js").Class} room
 * @param {boolean} touched the answers can be touched in the picture, too
 */
export function drawPoll({ leads, joined, voted, poll, vote }, touched) {
  const { text, options, phase, counts = [], answer, why } = poll;
  const open = phase === "open";
  const all = counts.reduce((sum, n) => sum + n, 0);
  const votes = leads || !open;
  const answered = leads ? `${all} of ${Math.max(joined, all)} answered` : `${all} answered`; // a device knows no more
  const rows = options.map((option, i) => {
    const right = phase === "truth" && i === answer;
    const sign = el("span.digit", { "aria-hidden": "true" }, right ? "✓" : String(i + 1));
    const mine = i === voted && !open ? el("span.quiet", {}, " (your answer)") : null;
    const label = el("span", {}, option, mine, right ? el("span.sr", {}, " is right") : null);
    if (!leads && open) {
      const button = el(
        "button.option",
        { type: "button", "aria-pressed": String(i === voted) },
        sign,
        label,
      );
      button.onclick = () => vote(i);
      return button;
    }
    const share = all ? (counts[i] ?? 0) / all : 0;
    const bar = open
      ? []
      : [el("i.share", { style: `width:${share * 100}%` }), el("b.votes", {}, String(counts[i] ?? 0))];
    return el("div.option", { role: "listitem", "data-right": right }, ...bar, sign, label);
  });
  const where = touched ? "Touch your answer, here or in the picture." : "Touch your answer.";
  const said = open && !leads ? `${where} You can change it until the answers are shown.` : "";
  return el(
    "div.posed.poll",
    {},
    el("p.over", {}, leads ? "The class is asked" : "Your teacher asks"),
    phase === "truth"
      ? el(
          "div",
          {},
          el("p.quiet", {}, text),
          el("p.verdict", {}, `✓ It is ${options[answer]}.`),
          el("p.because", {}, why),
        )
      : el("p.focus", {}, text),
    el("div.options", { role: open && !leads ? "group" : "list", "aria-label": "Answers" }, ...rows),
    el("p.counted", {}, votes ? answered : said),
  );
}

/** The same for a screen reader. */
export function saidOf({ poll: { text, options, phase, counts = [], answer, why } }) {
  if (phase === "truth") return `It is ${options[answer]}. ${why}`;
  if (phase === "open") return `${text} ${options.map((option, i) => `${i + 1}: ${option}.`).join(" ")}`;
  return options.map((option, i) => `${option}: ${counts[i] ?? 0}.`).join(" ");
}
