// Proofs that come after their steps: asked for while some are missing, and somebody sees the page.

const EVERY = 500; // ms

/** This file lies at <app>/_stcore/bidi-components/explainer.scene/walkthrough/. */
const below = (path) => new URL(`../../../../${path}`, import.meta.url);

/**
 * @param {(answer: {proofs: Object<string, any>, ahead: number, given_up: boolean}) => void} take
 * @returns {(path: string | null) => void} asks there from now on, or nowhere any more
 */
export function createProofs(take) {
  let at = null;
  let timer = 0;

  async function ask(path) {
    if (!document.hidden) {
      const answer = await fetch(below(path))
        .then((found) => found.json())
        .catch(() => null); // no connection: perhaps the next time
      if (path !== at) return;
      if (answer) take(answer);
    }
    if (path === at) timer = setTimeout(ask, EVERY, path);
  }

  return (path) => {
    if (path === at) return;
    clearTimeout(timer);
    at = path;
    if (path) ask(path);
  };
}
