// The keys that a scene hears, from anywhere on the page.

// Whoever has the focus here means its own arrow keys.
const BUSY =
  "input, textarea, select, [role=slider], [role=radiogroup], [role=radio], [role=tablist], [contenteditable], [role=dialog], [role=listbox]";

// Letters are typed here; elsewhere they mean nothing but a key of ours.
const TYPED =
  "input:not([type=range], [type=radio], [type=checkbox]), textarea, select, [contenteditable], [role=dialog], [role=listbox]";

/** What a presenter's remote sends, and what it asks for. */
export const REMOTE = {
  ArrowRight: "next",
  ArrowDown: "next",
  PageDown: "next",
  " ": "next",
  ArrowLeft: "back",
  ArrowUp: "back",
  PageUp: "back",
  Home: "first",
  End: "last",
};

/**
 * @param {HTMLElement} root
 * @param {{anywhere: Object<string, () => void>, inside: Object<string, () => void>, other: (key: string) => boolean}} moves
 *   by key, letters small; `inside`: with the focus in the scene, since elsewhere the page scrolls by them; `other`
 *   says whether it has used any other key
 */
export function createKeys(root, { anywhere, inside, other }) {
  function onKey(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || event.defaultPrevented) return;
    const target = event.composedPath()[0];
    const letter = /^[a-z]$/i.test(event.key);
    if (target.closest?.(letter ? TYPED : BUSY)) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const move = anywhere[key] ?? (root.contains(target) ? inside[key] : undefined);
    if (move) move();
    else if (!other(key)) return;
    event.preventDefault();
  }
  document.addEventListener("keydown", onKey);
  return { destroy: () => document.removeEventListener("keydown", onKey) };
}
