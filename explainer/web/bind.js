// Words and picture are bound: what the pointer or the focus is on lights up in both. Terms explain themselves.

/**
 * Everything below `root` with data-ref="a b" is lit while something with one of these names is pointed at;
 * data-term="name" shows what `terms()` says of it.
 * @param {HTMLElement} root
 * @param {{tip: any, terms: () => Object<string, string>}} around
 */
export function bind(root, { tip, terms }) {
  let lit = [];

  /** Light what has one of these names: everywhere from the words, in the words alone from the picture. */
  function light(names, within = root) {
    for (const node of lit) node.classList.remove("lit");
    lit = names.flatMap((name) => [...within.querySelectorAll(`[data-ref~="${name}"]`)]);
    for (const node of lit) node.classList.add("lit");
  }

  function on(event) {
    const bound = event.target.closest?.("[data-ref]");
    /** @type {HTMLElement | null} */
    const words = root.querySelector(".story");
    const spoken = words?.contains(bound);
    light(bound ? bound.dataset.ref.split(" ") : [], spoken ? root : (words ?? root));
    // What the words speak of may have scrolled out of its panel.
    if (spoken) lit.find((node) => node.role === "row")?.scrollIntoView({ block: "nearest" });
    const term = event.target.closest?.("[data-term]");
    if (term) tip.show(term, [term.textContent, terms()[term.dataset.term]]);
    else if (event.type === "focusin" && tip.shown && !event.target.closest?.("[role=gridcell]")) tip.hide();
  }

  function off(event) {
    if (event.target.closest?.("[data-term]")) tip.hide();
    if (!root.contains(event.relatedTarget)) light([]);
  }

  root.addEventListener("pointerover", on);
  root.addEventListener("focusin", on);
  root.addEventListener("pointerout", off);
  root.addEventListener("focusout", off);
  return { light };
}
