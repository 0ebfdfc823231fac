// What can be taken along of a page: a file that opens without a server, a stage on paper, or all stages as a handout.

import { el } from "./dom.js";
import { handout } from "./handout.js";

/**
 * @param {HTMLElement} root
 * @param {{saves: boolean, whole: () => Promise<any>, pages: (() => HTMLElement[]) | null}} what `saves`: there is a
 *   file of this page; `whole` waits until the page has all that the file should, and gives what of it came later; `pages` gives a copy of each stage
 */
export function createTake(root, { saves, whole, pages }) {
  if (!saves && !pages) return []; // the browser prints by itself
  const told = el("p.quiet", { role: "status" });
  const choice = (name, about, act, spec = "button") => {
    const button = el(spec, { type: "button" }, el("b", {}, name), el("span.quiet", {}, about));
    button.onclick = act;
    return button;
  };

  async function save() {
    told.textContent = "Writing the file …";
    try {
      const later = await whole();
      const { download, fileOf } = await import("./save.js");
      const text = await fileOf(root, later);
      const name = `kv-cache-${location.pathname.split("/").at(-1) || "start"}.html`;
      download(text, name);
      told.textContent = `Saved as ${name}, ${(text.length / 1e6).toFixed(1)} MB.`;
    } catch (error) {
      told.textContent = `It could not be saved: ${error.message}`;
    }
  }

  const panel = el(
    "div.take-panel",
    { popover: "auto", id: "take-panel" },
    saves
      ? choice(
          "Save as a file",
          "This page with its numbers and proofs, in one HTML file. It opens from a disk, without a server.",
          save,
          "button.save-file",
        )
      : null,
    choice("Print this stage", "One page.", () => {
      panel.hidePopover();
      print();
    }),
    pages
      ? choice("Print a handout", "All stages of this token on two pages.", () => {
          panel.hidePopover();
          handout(root, pages());
        })
      : null,
    told,
  );
  const title = saves ? "Save or print" : "Print";
  const button = el("button.take", { type: "button", "aria-label": title, title }, "⤓");
  button.popoverTargetElement = panel;
  panel.addEventListener("beforetoggle", () => {
    told.textContent = "";
    const { right, bottom } = button.getBoundingClientRect();
    panel.style.top = `${bottom + 4}px`;
    panel.style.right = `${Math.max(8, document.documentElement.clientWidth - right)}px`;
  });
  return [button, panel];
}
