"""Which policy forgets: what is asked for, what has run, and how it is told."""

from dataclasses import replace

import pytest

from explainer.kit.measure import Setting
from explainer.policies.measure_which import Recalled, WhichForgets, places, plan
from explainer.policies.which_words import back, lines, table, to_csv
from explainer.policies.words import TEXTS
from kvengine import Tokenizer, load_model, load_tokenizer

MODEL = "stories-1m-h8-kv8"


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return load_tokenizer(MODEL)


def job(tokenizer: Tokenizer, text: str, budget: int) -> WhichForgets:
    told = TEXTS["watch"][text]
    prompt = tokenizer.encode(told["text"])
    answer = tokenizer.encode(told["text"] + told["answer"])
    assert answer[: len(prompt)] == prompt  # the answer begins with a token of its own
    of = Setting(MODEL, load_model(MODEL).config, tuple(prompt), "cpu", "float32", 1)
    needed = places(tokenizer.texts(prompt), told["answer"])
    return WhichForgets(of, tuple(answer[len(prompt) :]), needed, budget, plan())


@pytest.fixture(scope="module")
def cat(tokenizer: Tokenizer) -> list[Recalled]:
    return list(job(tokenizer, "cat", 16).run(lambda: False))


@pytest.mark.parametrize("text", TEXTS["watch"])
def test_a_full_cache_gives_each_answer_back_and_a_window_holds_no_row_of_it(
    tokenizer: Tokenizer, text: str
) -> None:
    answer = TEXTS["watch"][text]["answer"]
    found = {point.rule: point for point in job(tokenizer, text, 16).run(lambda: False)}
    assert tuple(found) == plan()
    assert back(found["full"], answer, lambda ids: tokenizer.decode(list(ids)))
    assert found["full"].holding == found["full"].heads == 32
    assert found["window"].holding == 0
    assert found["window"].probability < found["full"].probability / 2


def test_what_is_asked_for_is_found_wherever_it_stands() -> None:
    assert places(["(start)", "A", " F", "luffy", ".", " F", "luffy", " ran"], "Fluffy") == (2, 3, 5, 6)
    assert places(["(start)", "Bob", "by"], " Bob") == (1,)


def test_a_budget_that_a_policy_cannot_work_with_is_its_row_of_the_table(tokenizer: Tokenizer) -> None:
    points = list(job(tokenizer, "bear", 4).run(lambda: False))
    refused = {point.rule for point in points if point.refused}
    assert refused == {"sinks", "places", "snapkv"}
    drawn = table(points, " Bob", lambda ids: tokenizer.decode(list(ids)), None)
    assert drawn.count("is too small for the policy") == 3
    assert drawn.count("<tr>") == len(points) + 1


def test_a_stopped_run_keeps_what_it_has(tokenizer: Tokenizer) -> None:
    calls = iter([False, False, True])
    assert len(list(job(tokenizer, "cat", 16).run(lambda: next(calls)))) == 2


def test_guesses_are_counted_against_what_was_written(tokenizer: Tokenizer, cat: list[Recalled]) -> None:
    def decode(ids: object) -> str:
        return tokenizer.decode(list(ids))  # type: ignore[call-overload]

    forgot = [p.rule for p in cat if p.rule != "full" and not back(p, "Fluffy", decode)]
    assert "window" in forgot
    assert lines(cat, "Fluffy", decode, forgot)[-1] == "Of your guesses 12 of 12 were right."
    assert lines(cat, "Fluffy", decode, forgot[1:])[-1] == "Of your guesses 11 of 12 were right."
    assert '<td class="guess"' not in table(cat, "Fluffy", decode, None)
    assert table(cat, "Fluffy", decode, forgot).count(">✓</td>") == 12


def test_what_the_model_wrote_is_text_in_the_table_and_in_the_file(cat: list[Recalled]) -> None:
    def wrote(_: object) -> str:
        return "<b>=1"

    assert "<b>" not in table(cat, "Fluffy", wrote, None)
    rows = to_csv([replace(cat[0], rule="full")], "Fluffy", lambda _: "=1").splitlines()
    assert "'=1" in rows[1]
