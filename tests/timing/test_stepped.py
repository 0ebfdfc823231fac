"""The timing lab for a class: what each part says and draws before it was measured, meanwhile and after."""

import re
from types import SimpleNamespace
from typing import Any

import pytest

from explainer.kit.encode import pack
from explainer.kit.runs import Measured
from explainer.kit.words import names
from explainer.timing.choice import PARTS
from explainer.timing.stepped import WORDS, parts_scene
from kvengine.race import TimedStep
from kvengine.timing import CACHED, NAIVE, Agreement
from tests.timing.samples import CONFIG, ROWS, a_row

STEPS = [TimedStep(path, 5 + i, 7, s) for i in range(4) for path, s in ((CACHED, 0.001), (NAIVE, 0.003))]


def measured(results: list[Any], state: str = "done", size: int = 64) -> Measured:
    run: Any = SimpleNamespace(results=results, state=state, active=state == "running", error="")
    setting: Any = SimpleNamespace(config=CONFIG, prompt_ids=(1, 2, 3))
    return Measured(run, setting, size, "Hi", "")


def parts(scale: int = 16, **runs: Measured) -> dict[str, Any]:
    scene = parts_scene({**dict.fromkeys(("race", "sweep", "precision")), **runs}, scale, str)
    assert pack(scene)
    return {part["key"]: part for part in scene["parts"]}


def all_states() -> list[dict[str, Any]]:
    found = [parts()]
    for state in ("running", "done", "stopped"):
        precision = [Agreement("float32", 9, 9, 1e-6), Agreement("float64", 9, 8, 0.0)]
        runs = {"race": measured(STEPS, state), "sweep": measured(ROWS, state)}
        found += [parts(precision=measured(precision, state), **runs), parts(scale=1000, **runs)]
    return [*found, parts(**{run: measured([], "running") for run in ("race", "sweep", "precision")})]


@pytest.mark.parametrize("state", range(8))
def test_every_part_says_something_in_every_state(state: int) -> None:
    for name, part in all_states()[state].items():
        said = [part[what] for what in ("name", "line", "say", "ask", "start", "status")]
        assert all(said[:4]), name
        assert not re.search(r"[{}]|None|  ", " ".join(filter(None, said))), said
        assert re.search(r"[.?]$", part["line"])


def test_what_was_not_measured_says_so_and_offers_to_measure() -> None:
    found = parts()
    assert [part["measured"] for part in found.values()] == [False, False, True, False, False]
    assert all(part["start"] and "ot measured yet" in part["status"] for part in found.values())
    assert found["scale"]["timed"] is None
    assert found["scale"]["line"] == "16 tokens need 136 projected rows without the cache and 16 with it."


def test_while_it_is_measured_nothing_is_offered_and_no_result_is_told() -> None:
    found = parts(race=measured(STEPS, "running"), sweep=measured(ROWS[:2], "running"))
    assert [found[name]["start"] for name in ("race", "sweep", "scale", "why")] == [""] * 4
    assert found["sweep"]["status"] == "2 of 7 lengths measured."
    assert not re.search(r"\d", found["race"]["line"] + found["sweep"]["line"] + found["why"]["line"])
    assert found["scale"]["timed"] is None


def test_what_was_measured_is_told_and_drawn_from_the_run() -> None:
    found = parts(race=measured(STEPS), sweep=measured(ROWS))
    assert found["race"]["line"] == "4 tokens took 4.00 ms with the cache and 12 ms without it."
    assert found["sweep"]["line"].startswith("At 64 tokens one step takes 1.06 ms with the cache")
    assert found["sweep"]["sweep"]["lengths"] == [row.length for row in ROWS]
    last = ROWS[-1].points[NAIVE].median * 1e3
    assert found["sweep"]["sweep"]["ms"][NAIVE]["median"][-1] == last
    naive, cached = found["scale"]["timed"]["of"]
    assert naive["share"] == 1
    assert found["why"]["line"].startswith(
        "A step at 64 tokens: 64× fewer projections with the cache, 3.2× the"
    )
    for path in found["why"]["why"]["paths"]:
        assert sum(part["share"] for part in path["parts"]) == pytest.approx(1)
    assert cached["share"] < 1


def test_a_cache_that_is_slower_is_called_slower() -> None:
    rows = [a_row(n, 2e-3, 1e-3) for n in (1, 4, 16)]
    found = parts(sweep=measured(rows))
    assert "the cached path takes 2.0× as long" in found["scale"]["line"]
    naive, cached = found["scale"]["timed"]["of"]
    assert (naive["share"] ** 2, cached["share"]) == (pytest.approx(0.5), 1)


def test_the_parts_are_those_of_the_address_and_no_number_is_typed_in_their_words() -> None:
    assert tuple(parts()) == PARTS
    assert set(WORDS) == {"frame", *PARTS}
    assert not [text for table in WORDS.values() for text in table.values() if re.search(r"\d", text)]
    assert all(not names(WORDS[part][what]) for part in PARTS for what in ("name", "say", "ask"))
