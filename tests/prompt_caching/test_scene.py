"""What the browser gets: every sentence filled in, every number the run's."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from explainer.kit.cache import tokenizer
from explainer.kit.encode import pack
from explainer.kit.words import names
from explainer.prompt_caching.choice import MISTAKES, PROMPT_PARTS, TEXTS, PromptCachingChoice
from explainer.prompt_caching.mistakes import AGAIN, DIFFERENT, NEW, READ, Pair, pair, states
from explainer.prompt_caching.room import Room
from explainer.prompt_caching.scene import mistake_scene, requests_scene
from explainer.prompt_caching.words import WORDS, mistake_values, question
from kvengine.reuse import Served

NAME = "stories-1m-h8-kv8"
TEXT = tuple(TEXTS["prompt"][name] for name in PROMPT_PARTS)


def said(told: dict[str, Any]) -> str:
    text: str = told["text"].format(**told["values"])
    return text


def shown(room: Room, temperature: float = 0.0, comes: bool = True) -> dict[str, Any]:
    scene = requests_scene(
        room,
        PromptCachingChoice(),
        tokenizer(NAME),
        temperature=temperature,
        error="",
        late=lambda entry: ("wait", comes),
    )
    pack(scene)
    return scene


def test_no_number_is_typed_into_a_sentence() -> None:
    digits = re.findall(r".{0,20}\d.{0,20}", json.dumps(WORDS, ensure_ascii=False))
    # A name of a paper, and those of the model's own settings.
    assert all("arXiv" in found for found in digits), digits


@pytest.mark.parametrize(
    ("block", "budget", "texts", "expected"),
    [
        (16, 256, [TEXT], "The store was empty: all 105 tokens were computed. 7 blocks were kept"),
        (16, 256, [TEXT, TEXT], "96 of 105 tokens were read, 9 computed"),
        (16, 0, [TEXT, TEXT], "the store has no room"),
        (128, 256, [TEXT, TEXT], "the prompt has 105 tokens, and the first block is full only with 128"),
        (64, 256, [TEXT, (TEXT[0][5:], *TEXT[1:])], "differs from all earlier ones at token 1 or before"),
        (64, 64, [TEXT, ("x" * 150, "", ""), TEXT], "It was pruned"),
    ],
)
def test_the_line_says_what_happened_and_why(
    block: int, budget: int, texts: list[tuple[str, ...]], expected: str
) -> None:
    room = Room(NAME, block, budget)
    for text in texts:
        room.send(text, temperature=0.0, seed=0)
    assert expected in said(shown(room)["entries"][-1]["line"])


def test_a_request_shows_the_numbers_of_its_run() -> None:
    room = Room(NAME, 16, 256)
    for _ in range(2):
        room.send(TEXT, temperature=0.0, seed=0)
    entry = shown(room)["entries"][-1]
    assert entry["proof"] is None, "the answer is there first"
    assert entry["pending"]
    room.prove()
    entry, served = shown(room)["entries"][-1], room.history[-1].served
    assert len(entry["labels"]) == len(served.token_ids) == sum(entry["sizes"])
    assert entry["reused"] == served.reused == 96
    assert entry["numbers"]["tokens"]["said"] == ["9", "105"]
    assert entry["proof"]["equal"]
    assert entry["proof"]["same"]
    lines = " ".join(said(told) for told in entry["proof_lines"])
    assert "At temperature zero the highest logit wins" in lines
    assert entry["pending"]
    assert entry["numbers"]["time"] is None
    assert entry["late"] == "wait"
    assert not shown(room, comes=False)["entries"][-1]["pending"], "what will not come is not waited for"
    room.tell(2, seconds=(0.002, 0.008))
    entry = shown(room)["entries"][-1]
    assert not entry["pending"]
    assert entry["numbers"]["time"]["said"] == ["2.00 ms", "8.00 ms"]
    assert said(entry["line"]).endswith("and the first token came 4.0× sooner.")
    assert not any("zero" in said(told) for told in shown(room, 0.7)["entries"][-1]["proof_lines"])


@pytest.fixture(scope="module")
def pairs() -> dict[str, Pair]:
    return {key: pair(NAME, 16, key) for key in MISTAKES}


def test_each_mistake_does_what_its_words_say(pairs: dict[str, Pair]) -> None:
    reused = {key: found.after.reused for key, found in pairs.items()}
    length = {key: len(found.after.token_ids) for key, found in pairs.items()}
    assert reused["first"] == reused["moved"] == reused["short"] == 0
    assert 0 < reused["space"] < reused["letter"] < reused["last"] < length["last"]
    assert reused["temperature"] == (length["temperature"] - 1) // 16 * 16
    assert pairs["temperature"].before.answer_ids != pairs["temperature"].after.answer_ids
    assert reused["answer"] > len(pairs["answer"].before.token_ids)
    seam = pairs["seam"]
    decode = tokenizer(NAME).decode
    before, after = decode(list(seam.before.token_ids)), decode(list(seam.after.token_ids))
    assert after.startswith(before)
    assert seam.common == len(seam.before.token_ids) - 1
    assert reused["seam"] == len(seam.before.token_ids) - 16, "a block is lost for it"


def test_what_the_layers_show_was_compared(pairs: dict[str, Pair]) -> None:
    letter, changed = states(pairs["letter"]), pairs["letter"].common
    assert (letter[..., : pairs["letter"].after.reused] == READ).all()
    assert (letter[0, :, changed] == DIFFERENT).all()
    assert (letter[0, :, changed + 1 :] == AGAIN).all()
    assert (letter[1:, :, changed:] == DIFFERENT).all()
    moved = states(pairs["moved"])
    assert (moved[0, 1] == AGAIN).all()
    assert (moved[0, 0, 1:] == DIFFERENT).all()
    assert (states(pairs["answer"])[..., -1] == NEW).all()
    assert not (states(pairs["temperature"]) == DIFFERENT).any()


@pytest.mark.parametrize("key", MISTAKES)
@pytest.mark.parametrize("block", [1, 16, 64, 128])
def test_every_question_has_its_right_answer_and_wrong_ones(key: str, block: int) -> None:
    if block != 16 and key not in ("letter", "short", "moved"):
        return  # another model run for each: these three have every case
    found = pair(NAME, block, key)
    asked = question(key, found)
    assert asked is not None
    options = [text for _, text, _ in asked["options"]]
    assert len(options) == 3
    right = options[asked["answer"]]
    reused = found.after.reused
    if key == "tie":
        assert right == WORDS["option"]["other" if found.flipped else "words"]
        return
    assert str(reused) in right if reused else right == WORDS["option"]["none"]
    for name, _, more in asked["options"]:
        why = WORDS["question"][key]["why"][name]
        values = mistake_values(found, ("", ""))
        assert names(why) <= set(values) | set(more)


def test_a_near_tie_is_told_as_it_ended_on_this_machine(pairs: dict[str, Pair]) -> None:
    found = pairs["tie"]
    assert found.close
    assert found.before.token_ids == found.after.token_ids
    assert (found.before.reused, found.after.reused) == (0, len(found.before.token_ids) - 1)
    assert abs(found.close.leads[0]) <= 1e-5, "as close as rounding, wherever this runs"

    def told(after: Served) -> str:
        scene = mistake_scene("tie", replace(found, after=after), tokenizer(NAME))
        text: str = WORDS["mistake"]["tie"][scene["because"]]
        return text.format(**scene["values"])

    assert ("rounding decided" in told(found.after)) == found.flipped
    assert "rounding decided" in told(replace(found.after, answer_ids=(1,)))
    assert "the same token won both times" in told(found.before)


def test_every_mistake_has_its_words() -> None:
    assert set(WORDS["mistake"]) == set(WORDS["question"]) == set(MISTAKES)
    for key in MISTAKES:
        known = {"n", "block", "common", "reused", "warm", "cold_answer", "warm_answer"}
        if key == "tie":
            known |= {"first_token", "second_token", "apart", "moved", "rare", "places", "gap"}
        assert names(WORDS["mistake"][key]) <= known
