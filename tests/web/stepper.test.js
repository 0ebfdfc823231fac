import assert from "node:assert/strict";
import test from "node:test";

import { neighbour, pace } from "../../explainer/web/stepper.js";

const text = (words) => Array(words).fill("word").join(" ");

test("a text is read at 220 words a minute", () => assert.equal(pace(text(220)), 60_000));
test("a short text stays for a while all the same", () => assert.equal(pace("so"), 2500));
test("half the speed takes twice as long, for short texts too", () => {
  assert.equal(pace(text(220), 0.5), 120_000);
  assert.equal(pace("so", 2), 1250);
});
test("line breaks are white space", () => assert.equal(pace(text(220).replaceAll(" ", "\n\t ")), 60_000));

const always = () => true;

test("stages follow each other, and laps", () => {
  assert.deepEqual(neighbour({ lap: 3, stage: 1 }, 5, 1, always), { lap: 3, stage: 2 });
  assert.deepEqual(neighbour({ lap: 3, stage: 5 }, 5, 1, always), { lap: 4, stage: 1 });
  assert.deepEqual(neighbour({ lap: 3, stage: 2 }, 5, -1, always), { lap: 3, stage: 1 });
  assert.deepEqual(neighbour({ lap: 3, stage: 1 }, 5, -1, always), { lap: 2, stage: 5 });
});

test("beyond what exists there is none", () => {
  const exists = ({ lap, stage }) => lap >= 2 && (lap < 4 || (lap === 4 && stage < 5));
  assert.equal(neighbour({ lap: 2, stage: 1 }, 5, -1, exists), null);
  assert.equal(neighbour({ lap: 4, stage: 4 }, 5, 1, exists), null);
});

test("a stage that is missing ends the way: no lap is begun in its place", () => {
  const exists = ({ lap, stage }) => !(lap === 4 && stage === 5);
  assert.equal(neighbour({ lap: 4, stage: 4 }, 5, 1, exists), null);
});

test("next and back undo each other", () => {
  const exists = ({ lap }) => lap >= 0 && lap < 3;
  for (let lap = 0; lap < 3; lap++) {
    for (let stage = 1; stage <= 4; stage++) {
      const after = neighbour({ lap, stage }, 4, 1, exists);
      if (after) assert.deepEqual(neighbour(after, 4, -1, exists), { lap, stage });
      else assert.deepEqual([lap, stage], [2, 4]);
    }
  }
});
