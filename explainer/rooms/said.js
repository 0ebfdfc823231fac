// What the bar says of a class, and what its button opens.

import { el } from "../web/dom.js";
import { way } from "../web/way.js";
import { fill } from "../web/words.js";

const button = (spec, text, act) => {
  const made = el(spec, { type: "button" }, text);
  made.onclick = act;
  return made;
};
const long = (text) => el("span.long", {}, text);

/**
 * @param {HTMLElement} home in the bar: what is said of the class
 * @param {HTMLElement} panel what the bar's button opens
 * @param {{words: any, base: URL, at: (path: string) => URL}} around
 * @param {{open: () => void, close: () => void, leave: () => void, follow: () => void,
 *   asks: (on: boolean) => void}} acts
 */
export function createSaid(home, panel, { words, base, at }, acts) {
  let opened = null; // the parts of the panel of an open room, which stay while the numbers change

  function drawPanel(room, said) {
    if (room?.secret) return drawOpened(room);
    if (room) return panel.replaceChildren(button("button.act", words.leave, acts.leave));
    panel.replaceChildren(
      el("p", {}, words.opens),
      button("button.act", words.open, acts.open),
      el("p.have", {}, el("a", { href: new URL("join", base).href }, words.have)),
      el("p", { role: "status" }, said),
    );
  }

  function drawOpened({ code, joined, pages, asks, trouble }) {
    if (opened?.code !== code || !panel.contains(opened.box)) opened = makeOpened(code, asks);
    const name = (page) => way()?.pages[page]?.title ?? page;
    const places = Object.entries(pages)
      .filter(([, n]) => n)
      .sort()
      .map(([page, n]) => (page ? fill(words.elsewhere, { n, page: name(page) }) : fill(words.with, { n })));
    opened.where.textContent = [fill(words.joined, { joined }), ...places].join(" · ");
    opened.trouble.textContent = trouble;
  }

  function makeOpened(code, asks) {
    const link = new URL(`?room=${code}`, base).href;
    const asking = el("input", { type: "checkbox" });
    asking.checked = asks;
    asking.onchange = () => acts.asks(asking.checked);
    const where = el("p.whereabouts", { role: "status" });
    const trouble = el("p.trouble", { role: "status" });
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
        button("button.act", words.close, acts.close),
      ),
    );
    panel.replaceChildren(box);
    return { code, box, where, trouble };
  }

  return {
    /** `room` as room.js holds it, or null; `said` of one that has ended or was not opened. */
    draw(room, said) {
      home.closest(".way-root")?.classList.toggle("in-class", room ? !room.secret : said !== "");
      if (!room) home.replaceChildren(said ? el("span.said", {}, said) : "");
      else if (room.secret) home.replaceChildren(el("b", {}, room.code), " · ", String(room.joined));
      else if (!room.place) home.replaceChildren(el("span.said", {}, words.looks));
      else if (room.follows) home.replaceChildren(el("span.said", {}, `● ${words.follows}`));
      else {
        const back = button("button.back-to-class", words.back, acts.follow);
        home.replaceChildren(long(words.own), " ", back);
      }
      drawPanel(room, said);
    },
  };
}
