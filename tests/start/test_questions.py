"""The questions of the start page: right by what was counted, wrong where they say so."""

import re
from functools import cache
from typing import Any

import pytest

from explainer.kit.choice import EXAMPLES
from explainer.kit.encode import token_label
from explainer.kit.units import byte_size
from explainer.kit.words import names
from explainer.start.choice import MOST
from explainer.start.questions import question
from explainer.start.words import WORDS
from kvengine import load_model, load_tokenizer
from kvengine.writers import Writing, write

RUNS = [("stories-1m-h8-kv8", EXAMPLES[0]), ("stories-1m-h8-kv2", EXAMPLES[1]), ("stories-1m-h1-kv1", "A")]


@cache
def written(name: str, prompt: str) -> tuple[Writing, list[str]]:
    tokenizer = load_tokenizer(name)
    writing = write(load_model(name), tokenizer.encode(prompt), words=MOST)
    return writing, [token_label(text) for text in tokenizer.texts(writing.naive_ids)]


def posed(name: str, prompt: str) -> dict[str, tuple[int, str, str, dict[str, str]]]:
    """By kind: the word, the question, the right option, and what is said of each."""
    writing, labels = written(name, prompt)
    found: dict[str, tuple[int, str, str, dict[str, str]]] = {}
    for k in range(1, MOST + 1):
        asked = question(writing, k, labels)
        if asked:
            told = WORDS["question"][asked["kind"]]
            options = {
                text: fill(told["why"][why], asked["values"] | more) for why, text, more in asked["options"]
            }
            assert 2 <= len(options) == len(asked["options"])
            right = asked["options"][asked["answer"]][1]
            found[asked["kind"]] = (k, fill(told["text"], asked["values"]), right, options)
    return found


def fill(template: str, values: dict[str, Any]) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: values[match[1]], template)


def number(text: str) -> int:
    return int(re.findall(r"\d[\d,]*", text)[0].replace(",", ""))


@pytest.mark.parametrize("at", RUNS, ids=lambda at: f"{at[0]} {at[1][:9]}")
def test_the_right_answer_is_what_was_counted_and_no_other_is(at: tuple[str, str]) -> None:
    writing, labels = written(*at)
    asked = posed(*at)
    assert set(asked) == set(WORDS["question"])
    for kind, (k, text, right, options) in asked.items():
        word, n = writing.words[k - 1], len(writing.prompt_ids) + k - 1
        if kind == "kept":
            assert right == byte_size(2 * word.cached.kept)
            assert byte_size(word.cached.kept // n) in options[right]
            continue
        truth = {
            "left": word.naive.computed,
            "right": word.cached.computed,
            "different": len(word.equal) - int(word.equal.sum()),
            "ratio": round(word.naive.multiplications / word.cached.multiplications),
        }[kind]
        assert number(right) == truth
        assert all(number(option) != truth for option in options if option != right)
        assert f"“{labels[n - 1]}”" in text or kind in ("ratio", "different")


def test_memory_grows_with_the_words_as_it_is_said() -> None:
    writing, _ = written(*RUNS[0])
    kept = [word.cached.kept for word in writing.words]
    first = len(writing.prompt_ids)
    assert [size / (first + k) for k, size in enumerate(kept)] == [kept[0] / first] * len(kept)


def test_every_sentence_names_a_number() -> None:
    for told in WORDS["question"].values():
        for why in told["why"].values():
            assert names(why)
