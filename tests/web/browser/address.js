import { createAddress, inAddress, settle } from "../../../explainer/web/address.js";
import { equal, stopClock, test } from "./harness.js";

const at = () => location.search;

function opened(query, delay) {
  history.replaceState({ mine: 1 }, "", `?${query}`);
  return { clock: stopClock(), address: createAddress(delay) };
}

/** What a browser says after Back: the address is the old one already. */
function goBack(query) {
  history.replaceState(null, "", `?${query}`);
  dispatchEvent(new PopStateEvent("popstate"));
}

test("it is written a little later, and only then", () => {
  const { clock, address } = opened("page=1", 120);
  address.write({ stage: 2 });
  clock.pass(119);
  equal(at(), "?page=1");
  clock.pass(1);
  equal(at(), "?page=1&stage=2");
});

test("before the page is left it is written at once, and once", () => {
  const { clock, address } = opened("page=1", 120);
  address.write({ stage: 2 });
  settle();
  equal(at(), "?page=1&stage=2");
  history.replaceState(null, "", "?page=2");
  clock.pass(1000);
  settle();
  equal(at(), "?page=2");
});

test("many steps are one write, of what came last", () => {
  const { clock, address } = opened("");
  let written = 0;
  const replace = history.replaceState;
  history.replaceState = function (...args) {
    written++;
    return replace.apply(this, args);
  };
  for (let stage = 1; stage <= 5; stage++) {
    address.write({ stage });
    clock.pass(60);
  }
  address.write({ token: 7 });
  clock.pass(1000);
  equal(at(), "?stage=5&token=7");
  equal(written, 1);
});

test("false, null and undefined take a parameter away, true is a 1, zero stays", () => {
  const { clock, address } = opened("a=1&b=2&c=3&other=x");
  address.write({ a: false, b: null, c: undefined, d: true, e: 0 });
  clock.pass(1000);
  equal(at(), "?other=x&d=1&e=0");
});

test("an address that says so already is left alone", () => {
  const { clock, address } = opened("stage=2");
  history.replaceState = () => {
    throw new Error("written");
  };
  address.write({ stage: 2, ask: false });
  clock.pass(1000);
  equal(at(), "?stage=2");
});

test("the history has no entry for a step, and keeps its state", () => {
  const { clock, address } = opened("");
  const length = history.length;
  address.write({ stage: 3 });
  clock.pass(1000);
  equal([history.length, history.state], [length, { mine: 1 }]);
});

test("after Back nothing late is written, neither then nor with the next step", () => {
  const { clock, address } = opened("stage=1");
  address.write({ stage: 4, token: 9 });
  clock.pass(100);
  goBack("stage=1&old=1");
  clock.pass(1000);
  equal(at(), "?stage=1&old=1");
  address.write({ stage: 2 });
  clock.pass(1000);
  equal(at(), "?stage=2&old=1");
});

test("once it is destroyed nothing is written, and Back is nothing to it", () => {
  const { clock, address } = opened("");
  address.write({ stage: 4 });
  address.destroy();
  clock.pass(1000);
  equal(at(), "");
  goBack("x=1");
  equal(clock.waiting, 0);
});

test("a value is one value, whatever stands in it", () => {
  const { clock, address } = opened("");
  address.write({ said: "a&b=c #ä+" });
  clock.pass(1000);
  equal([inAddress("said"), inAddress("b"), location.hash], ["a&b=c #ä+", null, ""]);
});

test("what is not in the address is null, what is empty there is empty", () => {
  opened("ask=");
  equal([inAddress("ask"), inAddress("numbers")], ["", null]);
});
