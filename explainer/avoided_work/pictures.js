// The picture of every step: built once, and ahead of the learner, so that a step only has to show it.

/**
 * @param {{idOf: (step: number) => string, build: (step: number) => Node, count: () => number,
 *   at: () => number}} steps `idOf` names the picture of a step, `at` is the step that is shown
 */
export function createPictures({ idOf, build, count, at }) {
  const kept = new Map();
  let ahead = 0;

  function of(step) {
    const id = idOf(step);
    if (!kept.has(id)) kept.set(id, build(step));
    return kept.get(id);
  }

  function buildNearest() {
    const distance = (step) => Math.abs(step - at() - 0.4); // the next one before the last one
    const missing = Array.from({ length: count() }, (_, i) => i + 1)
      .filter((step) => !kept.has(idOf(step)))
      .sort((a, b) => distance(a) - distance(b));
    if (!missing.length) return;
    of(missing[0]);
    ahead = setTimeout(buildNearest, 15);
  }

  return {
    of,
    /** Build the others one by one, while nothing else is asked for. */
    buildAhead() {
      clearTimeout(ahead);
      ahead = setTimeout(buildNearest, 30);
    },
    clear: () => kept.clear(),
    destroy: () => clearTimeout(ahead),
  };
}
