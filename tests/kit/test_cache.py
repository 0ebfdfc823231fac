"""Walks that visitors share, in parts."""

from collections.abc import Iterator

import pytest

import kvengine.walk
from explainer.kit.cache import AHEAD, PART, SENT, WALKS, prompt_tokens, recording, walks_budget

NAME, PROMPT = "stories-1m-h8-kv8", "Tom and Sara"
IDS = prompt_tokens(NAME, PROMPT)
START = len(IDS) - 1


@pytest.fixture(autouse=True)
def no_walks() -> Iterator[None]:
    WALKS.clear()
    yield
    WALKS.clear()


def test_a_position_comes_with_some_steps_past_it_and_no_more() -> None:
    for position in (START + 9, START, START + 3):
        _, found = recording(NAME, IDS, history=START, position=position, temperature=0.0, seed=0)
        assert position + AHEAD <= found.rows <= position + 1 + SENT


def test_a_part_goes_on_with_what_the_one_before_has_written(monkeypatch: pytest.MonkeyPatch) -> None:
    end = START + PART - 1
    _, before = recording(NAME, IDS, history=START, position=end, temperature=0.7, seed=1)
    monkeypatch.setattr(kvengine.walk, "generate", None)
    _, behind = recording(NAME, IDS, history=START, position=end + 1, temperature=0.7, seed=1)
    assert behind.first == end + 1
    assert behind.token_ids[: before.rows + 1] == before.token_ids[: behind.rows + 1]
    for position, chance in behind.chances.items():
        assert chance == pytest.approx(before.chances.get(position, chance), abs=1e-5)
    assert set(behind.chances) >= set(range(len(IDS), end + 2))


# ---- the budget -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", ["", "many", "-1", "15", "1e3", "192.5"])
def test_what_is_no_budget_for_walks_is_refused_by_name(said: str) -> None:
    assert walks_budget({"EXPLAINER_WALKS": " 192 "}) == 192
    with pytest.raises(ValueError, match="EXPLAINER_WALKS"):
        walks_budget({"EXPLAINER_WALKS": said})
