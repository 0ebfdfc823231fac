"""The start page's scene and its words, without a browser."""

import json
import re
from typing import Any

import numpy as np
import pytest

from explainer.kit.choice import EXAMPLES
from explainer.kit.encode import pack
from explainer.kit.words import names
from explainer.start.choice import LETTERS, MOST, PLAYED, StartChoice
from explainer.start.scene import choices, scene
from explainer.start.words import WORDS, line, small, times_less, totals, verdict, why_values
from kvengine import Transformer, load_model, load_tokenizer
from kvengine.keep import BOXES, READABLE, Outcome, go_on
from kvengine.writers import Times, Writing, write

NAME = "stories-1m-h8-kv8"
TOKENIZER = load_tokenizer(NAME)
TIMES = Times(naive=(0.002,) * MOST, cached=(0.001,) * MOST, runs=5)

#: What the scene fills in by itself (scene.js and keep.js).
IN_THE_BROWSER = {
    "cell": {"token", "new", "numbers", "rows", "count"},
    "row": {"rows", "new", "next", "earlier", "same"},
    "why": {"unread", "waste"},
}


@pytest.fixture(scope="module")
def model() -> Transformer:
    return load_model(NAME)


@pytest.fixture(scope="module")
def writing(model: Transformer) -> Writing:
    return write(model, TOKENIZER.encode(EXAMPLES[0]), words=MOST)


def drawn(model: Transformer, writing: Writing, times: Times = TIMES) -> dict[str, Any]:
    return scene(writing, times, model.config, TOKENIZER.texts)


def said(told: dict[str, Any]) -> str:
    text: str = told["text"].format(**told["values"])
    return text


def test_no_number_is_typed_into_a_sentence() -> None:
    assert not re.search(r"\d", json.dumps(WORDS, ensure_ascii=False))


def test_every_name_is_filled_in(model: Transformer, writing: Writing) -> None:
    data = drawn(model, writing)
    outcome = go_on(model, writing.prompt_ids, (), words=3)
    filled = {
        "line": set(data["rows"][0]["line"]["values"]) | {"ratio"},
        "verdict": set(why_values(outcome)),
        "why": set(why_values(outcome)) | IN_THE_BROWSER["why"],
        "keep": set(data["values"]),
        "numbers": set(data["values"]),
        "prompt": {"tokens", "used", "name", "words", "word"},
        "cell": IN_THE_BROWSER["cell"],
        "row": IN_THE_BROWSER["row"],
    }
    filled["line"] |= set(data["rows"][PLAYED]["line"]["values"])
    questions = [row["asked"] for row in data["rows"] if row["asked"]]
    filled["question"] = {name for asked in questions for name in asked["values"]}
    for table, sentences in WORDS.items():
        assert names(sentences) <= filled.get(table, set()), table
    for row in data["rows"]:
        said(row["line"])


def test_every_box_has_its_words() -> None:
    assert tuple(WORDS["box"]) == BOXES == tuple(LETTERS.values())


@pytest.mark.parametrize("prompt", [EXAMPLES[0], "", "a story " * 200])
def test_the_scene_holds_what_the_two_writers_did(model: Transformer, prompt: str) -> None:
    ids = TOKENIZER.encode(prompt)[:257]
    found = write(model, ids, words=MOST)
    data = drawn(model, found)
    assert len(data["naive"]["labels"]) == len(ids) + MOST
    assert data["naive"]["texts"][0] == "", "the marker of the beginning is no word of the text"
    for k, (row, word) in enumerate(zip(data["rows"], found.words, strict=True), start=1):
        assert row["computed"] == [len(ids) + k - 1, 1 if k > 1 else len(ids)]
        assert row["read"] == [0, len(ids) + k - 2 if k > 1 else 0]
        assert data["equal"][k - 1].sum() == word.equal.sum() == (len(ids) + k - 2 if k > 1 else 0)
        np.testing.assert_array_equal(data["largest"][k - 1][: len(word.largest)], word.largest)
    assert len(pack(data)) < 80_000


def test_totals_add_up(writing: Writing) -> None:
    total = totals(writing, TIMES, 4)
    assert total["works"] == [
        sum(word.naive.multiplications for word in writing.words[:4]),
        sum(word.cached.multiplications for word in writing.words[:4]),
    ]
    assert total["seconds"] == pytest.approx([0.008, 0.004])


def test_the_line_tells_what_happened(writing: Writing) -> None:
    assert said(line(writing, TIMES, 1)) == "Both have to compute the prompt once: 14 words."
    assert "15 words are computed again without the cache" in said(line(writing, TIMES, 3))
    naive, cached = totals(writing, TIMES, PLAYED)["works"]
    done = said(line(writing, TIMES, PLAYED))
    assert done == (
        f"The same 10 words on both sides, to the last one: {naive / cached:.1f} times less work, "
        "2.0 times less time."
    )
    slow = Times(naive=TIMES.cached, cached=TIMES.naive, runs=5)
    assert said(line(writing, slow, PLAYED)).endswith("but 2.0 times the time, on a text this short.")


def test_texts_that_part_are_said_to(writing: Writing) -> None:
    word = writing.words[6]
    parted = Writing(
        writing.prompt_ids,
        (
            *writing.words[:6],
            type(word)(**{**vars(word), "naive": type(word.naive)(**{**vars(word.naive), "token_id": 5})}),
            *writing.words[7:],
        ),
    )
    assert "rounding decided word 7" in said(line(parted, TIMES, PLAYED))


@pytest.fixture(scope="module")
def outcomes(model: Transformer, writing: Writing) -> dict[frozenset[str], Outcome]:
    kept = [frozenset(box for i, box in enumerate(sorted(READABLE)) if n >> i & 1) for n in range(8)]
    return {one: go_on(model, writing.prompt_ids, one, words=PLAYED) for one in kept}


def test_every_choice_has_its_outcome_and_its_sentence(
    outcomes: dict[frozenset[str], Outcome], writing: Writing
) -> None:
    found = choices(outcomes, writing.cached_ids[len(writing.prompt_ids) :], TOKENIZER.texts)
    verdicts = {kept: (one["verdict"], one["why"]) for kept, one in found.items()}
    assert verdicts == {
        "": ("broken", "lost_both"),
        "k": ("broken", "lost_v"),
        "v": ("broken", "lost_k"),
        "kv": ("works", "kv"),
        "x": ("again", "x"),
        "kx": ("again", "x"),
        "vx": ("again", "x"),
        "kvx": ("works", "kv"),
    }
    for one in found.values():
        assert all(one["same"]) == (one["verdict"] != "broken")
        for text in (WORDS["verdict"][one["verdict"]], WORDS["why"][one["why"]]):
            text.format(**one["said"])
    assert found["x"]["said"]["remade"] == "K and V"
    assert found["kx"]["said"]["remade"] == "V"


def test_right_words_by_luck_are_called_that(outcomes: dict[frozenset[str], Outcome]) -> None:
    broken = outcomes[frozenset()]
    assert verdict(broken, broken.token_ids) == "lucky"


def test_numbers_are_written_as_they_are_said() -> None:
    assert [times_less(x) for x in (1.04, 7.25, 12.4, 1024)] == ["1.0", "7.2", "12", "1,024"]
    assert [small(x) for x in (0, 3.8e-6, 0.35, 12.31)] == ["0", "3.8e−6", "0.35", "12"]


def test_the_address_has_room_for_every_word_and_box() -> None:
    assert StartChoice(word=MOST, part=2, keep="".join(LETTERS)).word == 16
