"""What comes after an answer: the proof, and the time, which is taken in another process."""

from collections.abc import Iterator
from typing import Any

import pytest

from explainer.kit.cache import tokenizer
from explainer.kit.choice import Common
from explainer.kit.lab import QueueFull, Run
from explainer.prompt_caching import timed
from explainer.prompt_caching.choice import PROMPT_PARTS, TEXTS, PromptCachingChoice
from explainer.prompt_caching.measure import RUNS, Behind, FirstToken, as_served
from explainer.prompt_caching.room import Room
from explainer.prompt_caching.visit import Visit
from explainer.prompt_caching.words import WORDS

NAME = "stories-1m-h8-kv8"
TEXT = {name: TEXTS["prompt"][name] for name in PROMPT_PARTS}


class Here:
    """A worker that runs a job where it is asked to."""

    alive = True

    def results(self, job: Any, should_stop: Any) -> Iterator[Any]:
        yield from job.run(should_stop)

    def close(self) -> None: ...


class Line:
    """In place of the lab: a job runs when the test says so."""

    def __init__(self) -> None:
        self.runs: list[Run[Any]] = []
        self.full = False

    def submit(self, job: Any) -> Run[Any]:
        if self.full:
            raise QueueFull("Too many are waiting.")
        self.runs.append(Run(job, lambda: 0.0))
        return self.runs[-1]

    def place(self, run: Run[Any]) -> int:
        return 1 if run.state == "waiting" else 0


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    found = Line()
    monkeypatch.setattr(timed, "LAB", found)
    monkeypatch.setattr("explainer.kit.measure.SETTLE", 0)
    return found


class Learner:
    """A visit, and what it is shown."""

    def __init__(self) -> None:
        self.visit, self.room = Visit(), Room(NAME, 16, 256)

    def send(self) -> None:
        self.visit.act({"kind": "send", **TEXT}, self.room, Common())

    def look(self, **asked: Any) -> None:
        self.visit.look(asked, self.room)

    def shown(self, part: str = "requests") -> Any:
        return self.visit.part(part, 1, self.room, PromptCachingChoice(), Common(), tokenizer(NAME))


def test_a_request_is_answered_then_proved_then_timed(line: Line) -> None:
    learner = Learner()
    learner.send()
    learner.look(number=1)
    assert not line.runs, "nothing was read: there is nothing to compare"
    assert learner.room.history[0].proof
    learner.send()
    assert learner.room.history[1].proof is None
    learner.look(number=2)
    learner.look(number=2)
    entry = learner.shown()["entries"][1]
    assert entry["proof"]["same"]
    assert "One measurement is ahead of yours" in entry["late"]
    assert len(line.runs) == 1, "looking again begins nothing anew"
    line.runs[0].execute(Here)
    learner.look(number=2)
    seconds = learner.room.history[1].seconds
    assert seconds
    assert min(seconds) > 0
    assert not learner.shown()["entries"][1]["pending"]


def test_a_run_that_nobody_watched_begins_anew_and_one_that_failed_is_told(line: Line) -> None:
    learner = Learner()
    for _ in range(2):
        learner.send()
    line.full = True
    learner.look(number=2)
    assert learner.shown()["entries"][1]["late"] == "Too many are waiting."
    line.full = False
    learner.look(number=2)
    line.runs[0].stop()
    learner.look(number=2)
    assert len(line.runs) == 2
    line.runs[1].state, line.runs[1].error = "failed", "It broke."
    entry = learner.shown()["entries"][1]
    assert (entry["late"], entry["pending"]) == ("It broke.", False)


def test_a_document_and_its_questions_are_timed(line: Line) -> None:
    learner = Learner()
    learner.visit.act({"kind": "ahead", "texts": ["A short one.", "It", "", "was"]}, learner.room, Common())
    assert learner.shown("documents")["found"]["pending"]
    learner.look(document=True)
    line.runs[0].execute(Here)
    learner.look(document=True)
    found = learner.shown("documents")["found"]
    assert not found["pending"]
    assert [len(row["time"]) for row in found["rows"]] == [2, 2]
    learner.visit.act({"kind": "ahead", "texts": ["Another one.", "It"]}, learner.room, Common())
    assert learner.shown("documents")["found"]["load"]["time"] == "", "those times were of another document"


@pytest.mark.parametrize("asked", [None, {}, {"number": "x"}, {"number": [1]}, {"document": 1}, "look"])
def test_whatever_the_browser_looks_for_nothing_breaks(line: Line, asked: Any) -> None:
    learner = Learner()
    learner.visit.look(asked, learner.room)
    learner.shown()
    learner.visit.look(asked, learner.room)
    assert WORDS["measuring"]


def test_a_job_yields_both_ways_run_by_run() -> None:
    room = Room(NAME, 16, 256)
    setting = as_served(NAME, room.config, tuple(range(40)))
    for job, steps in ((FirstToken(setting, 16, 32), RUNS), (Behind(setting, ((1, 2), (3,))), 3)):
        found = list(job.run(lambda: False))
        assert len(found) == steps
        assert all(seconds > 0 for each in found for seconds in each)
