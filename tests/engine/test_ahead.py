"""Questions behind a document that was computed ahead."""

import pytest

from kvengine import ContextLengthError, Transformer, load_model
from kvengine.ahead import ask_behind, times_behind
from kvengine.cost import cache_bytes
from tests.engine.reference import random_text, written

NAME = "stories-1m-h8-kv4"


@pytest.fixture(scope="module")
def model() -> Transformer:
    return load_model(NAME)


def test_questions_behind_a_kept_document_are_answered_as_behind_one_computed_again(
    model: Transformer,
) -> None:
    document = random_text(model, 60)
    questions = [random_text(model, n, seed=n) for n in (3, 1, 8)]
    found = ask_behind(model, document, questions, new_tokens=4)
    assert found.nbytes == cache_bytes(model.config, 60)
    for asked, question in zip(found.questions, questions, strict=True):
        assert list(asked.answer_ids) == written(model, [*document, *question], 4)[: len(asked.answer_ids)]
        assert asked.answer_ids == asked.plain_ids
        assert asked.difference < 1e-3
        assert asked.multiplications[0] < asked.multiplications[1] / 5


def test_a_document_that_leaves_no_room_for_the_longest_answer_is_refused(model: Transformer) -> None:
    document = random_text(model, model.config.max_seq_len - 5)
    with pytest.raises(ContextLengthError):
        ask_behind(model, document, [random_text(model, 4)], new_tokens=4)


def test_loading_is_timed_and_each_question_both_ways_the_fastest_counting(model: Transformer) -> None:
    taken = [7.0, 5.0, 1.0, 9.0, 2.0, 8.0]  # loading twice; then kept, again, kept, again
    ticks = iter([time for seconds in taken for time in (0.0, seconds)])
    found = times_behind(
        model, random_text(model, 30), [random_text(model, 3)], runs=2, clock=lambda: next(ticks)
    )
    assert list(found) == [(5,), (1, 8)]
