// What lets a student go of the class: to step, or to choose something. To read is no leaving.

const CONTROL =
  "a, button, input, select, textarea, summary, label, .stSlider, [role=slider], [role=option], [role=tab], [role=radio]";
const STEPS = new Set(["arrowleft", "arrowright", "p", "n"]);
const STEPS_INSIDE = new Set(["pageup", "pagedown"]); // elsewhere the page scrolls by them
const READS = new Set(["arrowleft", "arrowright", "arrowup", "arrowdown", "home", "end"]);
// These go on to another control, or press it, which is a click.
const ELSEWHERE = new Set(["tab", "shift", "control", "alt", "meta", "escape", "enter", " "]);

/** Opening a menu is no choice yet, and how large a device shows the page is its own affair. */
function works(node) {
  if (!node.matches || node.popoverTargetElement || node.matches(".present")) return false;
  // React has handlers of its own around everything; those of a scene stand in its shadow.
  return node.matches(CONTROL) || (node.onclick && node.getRootNode() !== document);
}

/** @param {MouseEvent | KeyboardEvent | PopStateEvent} event */
export function chooses(event) {
  /** @type {any[]} */
  const path = event.composedPath();
  if (path.some((node) => node.dataset && "class" in node.dataset)) return false; // of the class itself
  if (event.type === "click") return path.some(works);
  if (!(event instanceof KeyboardEvent)) return true;
  const key = event.key.toLowerCase();
  if (event.ctrlKey || event.metaKey || event.altKey || ELSEWHERE.has(key)) return false;
  if (path[0].matches?.("[role=gridcell]") && READS.has(key)) return false; // from cell to cell
  if (STEPS_INSIDE.has(key)) return path.some((node) => node.matches?.(".scene-root"));
  return STEPS.has(key) || Boolean(path[0].matches?.(CONTROL));
}
