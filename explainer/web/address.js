// The part of the address that a scene writes by itself, step by step. Python reads all of it, and writes the rest.

/** @param {string} [key] */
export const inAddress = (key) => new URL(location.href).searchParams.get(key);

const writers = new Set();

/** Before the page is left: the address of the place that is shown, written without waiting. */
export const settle = () => writers.forEach((flush) => flush());

/**
 * Writes in place, so that Back leaves the page and not a step, and a little later: the browser takes a while
 * over an address, which must not be in the frame that shows the step.
 */
export function createAddress(delay = 120) {
  let timer = null;
  let wanted = {};

  function flush() {
    clearTimeout(timer);
    timer = null;
    const url = new URL(location.href);
    for (const [key, value] of Object.entries(wanted)) {
      if (value === null || value === undefined || value === false) url.searchParams.delete(key);
      else url.searchParams.set(key, value === true ? "1" : String(value));
    }
    wanted = {};
    if (url.href !== location.href) history.replaceState(history.state, "", url);
  }

  // Going back must find the old address as it was: nothing late may overwrite it.
  const forget = () => {
    clearTimeout(timer);
    wanted = {};
  };
  addEventListener("popstate", forget);
  writers.add(flush);

  return {
    /** @param {Object<string, string | number | boolean | null>} values */
    write(values) {
      Object.assign(wanted, values);
      clearTimeout(timer);
      timer = setTimeout(flush, delay);
    },
    destroy() {
      clearTimeout(timer);
      writers.delete(flush);
      removeEventListener("popstate", forget);
    },
  };
}
