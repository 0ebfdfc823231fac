"""What the hand page sends to the browser, and its words."""

import json
import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from explainer.by_hand.choice import STEPS, HandChoice, given
from explainer.by_hand.numbers import softmax, written
from explainer.by_hand.runs import runs_of
from explainer.by_hand.scene import scene
from explainer.by_hand.words import ASKED_BEFORE, WORDS, multiplications
from explainer.kit.encode import pack
from explainer.kit.words import names, terms_in

IN_THE_BROWSER = {"ui": {"divisor", "right", "n", "table", "row", "col", "shift", "next1", "next2"}}


def drawn(**changes: str) -> dict[str, Any]:
    chosen, notes = given(replace(HandChoice(), **changes))
    assert not notes
    return scene(chosen, runs_of(chosen.numbers, chosen.prompt))


def test_every_name_in_every_sentence_is_filled_in() -> None:
    data = drawn()
    for variant in data["variants"].values():
        known = set(variant["values"])
        for table in ("stage", "sheet", "question", "left_out"):
            assert names(WORDS[table]) <= known, table
        said = json.dumps([variant["values"], variant["missed"]])
        assert not re.search(r"\{\w+\}", said)
    assert names(WORDS["ui"]) == IN_THE_BROWSER["ui"]
    assert terms_in(WORDS) == set(data["terms"])


def test_no_number_is_typed_into_a_sentence() -> None:
    for table in ("stage", "question", "sheet", "mistake", "left_out", "won", "proof"):
        text = json.dumps(WORDS[table], ensure_ascii=False)
        text = re.sub(r"ln 2|2ⁿ|\{\w+\}", "", text)
        assert not re.search(r"[0-9⁰¹²³⁴-⁹]", text), table


def test_each_stage_has_its_words_and_some_a_question() -> None:
    data = drawn()
    assert len(WORDS["stage"]) == STEPS == len(data["questions"])
    asked = {i for i, question in enumerate(data["questions"], start=1) if question}
    assert asked == set(ASKED_BEFORE.values())
    for question in filter(None, data["questions"]):
        right = question["options"][question["answer"]]
        assert right[0] == "right"
        assert {option[0] for option in question["options"]} <= set(
            WORDS["question"][question["kind"]]["why"]
        )


def test_the_heaviest_word_is_not_asked_for_where_there_is_none() -> None:
    assert drawn(wq="0 " * 16)["questions"][ASKED_BEFORE["weight"] - 1] is None
    assert drawn(words="1 1 1")["questions"][ASKED_BEFORE["weight"] - 1] is None


def test_the_mistakes_tell_by_how_much_they_miss() -> None:
    variants = drawn()["variants"]
    assert variants[""]["missed"] == ["", ""]
    right, old = (variants[letters]["rounds"][1] for letters in ("", "q"))
    off = max(abs(a - b) for a, b in zip(right["shares"], old["shares"], strict=True))
    assert f"off by up to {off:.3f}" in variants["q"]["missed"][1]
    assert "“down” wins, and it should be “quietly”" in variants["q"]["missed"][1]
    assert "makes no difference" in variants["q"]["missed"][0]
    assert "“down” wins all the same" in variants["n"]["missed"][0]


def test_the_proof_holds_for_the_right_rounds_alone() -> None:
    proofs = {letters: variant["values"]["proof"] for letters, variant in drawn()["variants"].items()}
    assert proofs.pop("").endswith("The largest difference in 53 numbers is 0.")
    for said in proofs.values():
        assert re.search(r"without the mistake\. The largest difference in 53 numbers is 1\.\d{3}\.$", said)


def test_the_words_name_the_query_that_is_asked() -> None:
    variants = drawn()["variants"]
    asked = {
        letters: (found["values"]["which"], found["values"]["asker"]) for letters, found in variants.items()
    }
    assert (asked[""], asked["q"]) == (("new", "down"), ("old", "sat"))


def test_where_no_query_asks_anything_no_mistake_makes_a_difference() -> None:
    for variant in drawn(wq="0 " * 16)["variants"].values():
        assert all("no difference" in said for said in variant["missed"] if said)
        assert variant["rounds"][0]["weights"] == ["1/3"] * 3
        assert variant["rounds"][1]["weights"] == ["1/4"] * 4


def test_words_that_tie_are_told() -> None:
    same = drawn(embed="0 " * 20)["variants"][""]
    assert same["values"]["next1"] == "the"
    assert "5" not in same["values"]["won1"]
    assert "the first of them, “the”, is taken" in same["values"]["won1"]


def test_work_is_counted_as_it_is_written_out() -> None:
    assert drawn()["work"] == [multiplications(4, 1), multiplications(4, 4)] == [48, 144]


@pytest.mark.parametrize(
    ("value", "exact", "text"),
    [
        (0.5, True, "1/2"),
        (-1 / 3, True, "−1/3"),
        (0.35, True, "0.35"),
        (1 / 64, True, "1/64"),
        (2.0, True, "2"),
        (-0.0, True, "0"),
        (math.sqrt(2), True, "1.414"),
        (1.0, False, "1.000"),
        (-0.0001, False, "0.000"),
    ],
)
def test_a_number_is_written_as_on_paper(value: float, exact: bool, text: str) -> None:
    assert written(value, exact=exact) == text


@pytest.mark.parametrize("unit", [1.0, math.log(2)])
@pytest.mark.parametrize(
    "scores", [[0.0, 1.0, 2.0], [0.5, -0.5, 0.25], [500.0, 100.0, 499.0], [3.0, 3.0, 3.0]]
)
def test_the_powers_over_their_sum_are_the_weights(scores: list[float], unit: float) -> None:
    score = np.array(scores) * unit
    found = softmax(score, unit)
    assert (found["shift"] != "") == (max(scores) > 12)

    def value(text: str) -> float:
        above, _, below = text.partition("/")
        return float(above) / float(below or 1)

    powers = np.array([value(text) for text in found["powers"]])  # type: ignore[attr-defined]
    right = np.exp(score - score.max())
    np.testing.assert_allclose(powers / value(str(found["sum"])), right / right.sum(), atol=2e-3)


def test_what_is_sent_is_small() -> None:
    assert len(pack(drawn(unit="1"))) < 60_000
