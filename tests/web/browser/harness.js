// What the tests in a real browser are written with. Each test gets a page of its own (test_in_browser.py).

const tests = new Map();

/** @param {string} name on the line of the call, in double quotes: pytest finds it there */
export function test(name, body) {
  if (tests.has(name)) throw new Error(`two tests are called “${name}”`);
  tests.set(name, body);
}

export const names = () => [...tests.keys()];
export function run(name) {
  sessionStorage.clear(); // all tests have the same tab
  return tests.get(name)();
}

/** @returns {asserts value} */
export function ok(value, note = "it is not so") {
  if (!value) throw new Error(note);
}

/** Equal as JSON: for texts, numbers, lists and plain objects. */
export function equal(actual, expected, note = "") {
  const [a, b] = [actual, expected].map((value) => JSON.stringify(value));
  if (a !== b) throw new Error(`${note}\n  expected ${b}\n  found    ${a}`);
}

export function throws(body, pattern) {
  try {
    body();
  } catch (error) {
    return ok(pattern.test(error.message), `another error: ${error.message}`);
  }
  throw new Error("nothing was thrown");
}

/** Let promises and timers of no length go by. */
export const soon = () => new Promise((resolve) => realTimeout(resolve));

/** Elements in the page, as markup. */
export function page(markup) {
  document.body.innerHTML = markup;
  return /** @type {any} */ (document.body.firstElementChild);
}

/** A key on an element, or on the page; says whether it was used up. */
export function press(key, target = document.body, more = {}) {
  const event = new KeyboardEvent("keydown", {
    key,
    bubbles: true,
    composed: true,
    cancelable: true,
    ...more,
  });
  target.dispatchEvent(event);
  return event.defaultPrevented;
}

export function point(type, target, more = {}) {
  target.dispatchEvent(new PointerEvent(type, { bubbles: true, composed: true, ...more }));
}

export const inAddress = (key) => new URL(location.href).searchParams.get(key);

// ---- a clock that stands still until it is told -----------------------------------------------------------

const realTimeout = window.setTimeout.bind(window);

export function stopClock() {
  let now = 0;
  let last = 0;
  const waiting = new Map();
  Object.assign(window, {
    setTimeout: (call, delay = 0) => {
      waiting.set(++last, { at: now + delay, call });
      return last;
    },
    clearTimeout: (id) => waiting.delete(id),
  });
  return {
    /** Let `ms` go by. */
    pass(ms) {
      const until = now + ms;
      for (;;) {
        const due = [...waiting].filter(([, { at }]) => at <= until).sort(([, a], [, b]) => a.at - b.at)[0];
        if (!due) break;
        const [id, { at, call }] = due;
        waiting.delete(id);
        now = at;
        call();
      }
      now = until;
    },
    get waiting() {
      return waiting.size;
    },
  };
}

/** Something later, as a promise to be fulfilled by the test. */
export function later() {
  let [resolve, reject] = [null, null];
  const promise = new Promise((yes, no) => ([resolve, reject] = [yes, no]));
  return { promise, resolve, reject };
}
