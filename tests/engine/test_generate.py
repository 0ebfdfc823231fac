"""The loop around the pass, with a cache and without, and the choice of the next token."""

import math

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor

from kvengine import (
    ContextLengthError,
    PromptError,
    Transformer,
    available_models,
    generate,
    greedy,
    load_model,
    load_tokenizer,
    sampler,
)
from kvengine.generate import probabilities
from tests.engine.reference import TINY, tiny_model


class FakeModel(Transformer):
    """Says `last token + 1` and writes down what it was fed. It has no weights and computes nothing."""

    def __init__(self) -> None:
        self.config, self.device, self.dtype = TINY, torch.device("cpu"), torch.float32
        self.fed: list[tuple[list[int], int | None]] = []  # token ids, rows in the cache
        self.room = 0  # rows that the cache has memory for

    def __call__(self, token_ids, cache=None, tap=None, *, last_only=False) -> Tensor:
        self.fed.append((token_ids[0].tolist(), None if cache is None else cache.length))
        if cache is not None:
            cache.advance(token_ids.shape[1])
            self.room = cache.max_seq_len
        assert last_only, "the next token needs no other row"
        logits = torch.zeros(1, 1, TINY.vocab_size)
        logits[0, 0, (token_ids[0, -1] + 1) % TINY.vocab_size] = 1
        return logits


def test_without_a_cache_every_pass_is_fed_the_whole_text() -> None:
    model = FakeModel()
    steps = list(generate(model, [5, 6, 7], max_new_tokens=3, use_cache=False))
    assert [step.token_id for step in steps] == [8, 9, 10]
    assert model.fed == [([5, 6, 7], None), ([5, 6, 7, 8], None), ([5, 6, 7, 8, 9], None)]


def test_with_the_cache_every_pass_after_the_prefill_is_fed_one_token() -> None:
    model = FakeModel()
    steps = list(generate(model, [5, 6, 7], max_new_tokens=3, use_cache=True))
    assert [step.token_id for step in steps] == [8, 9, 10]
    assert model.fed == [([5, 6, 7], 0), ([8], 3), ([9], 4)]


@pytest.mark.parametrize("use_cache", [False, True])
def test_a_step_tells_its_position_and_the_logits_it_was_chosen_from(use_cache: bool) -> None:
    seen = []

    def choose(logits: Tensor, position: int) -> int:
        seen.append((position, logits))
        return position

    steps = list(generate(FakeModel(), [5, 6], max_new_tokens=3, use_cache=use_cache, sampler=choose))
    assert [(s.position, s.token_id) for s in steps] == [(2, 2), (3, 3), (4, 4)]
    for step, (position, logits) in zip(steps, seen, strict=True):
        assert step.position == position
        assert step.logits is logits
        assert logits.shape == (TINY.vocab_size,)


def test_generation_is_lazy() -> None:
    model = FakeModel()
    steps = generate(model, [5], max_new_tokens=1000, use_cache=True)
    assert model.fed == []
    next(steps)
    assert len(model.fed) == 1


@pytest.mark.parametrize("name", [card.name for card in available_models()])
@pytest.mark.parametrize("sample", [greedy, sampler(0.8, top_k=40, top_p=0.95, seed=3)])
def test_cached_and_naive_generation_give_the_same_tokens(name: str, sample) -> None:
    model = load_model(name)
    prompt = load_tokenizer(name).encode("Once upon a time, there was a little")
    texts = [
        [step.token_id for step in generate(model, prompt, max_new_tokens=32, use_cache=on, sampler=sample)]
        for on in (True, False)
    ]
    assert texts[0] == texts[1]
    assert len(set(texts[0])) > 10, "a text that repeats itself proves little"


@pytest.mark.parametrize("use_cache", [False, True])
def test_generation_stops_with_an_error_where_the_model_has_no_position_left(use_cache: bool) -> None:
    model = tiny_model()
    prompt = list(range(TINY.max_seq_len - 2))
    steps = generate(model, prompt, max_new_tokens=1_000_000_000, use_cache=use_cache)
    # The last pass runs the model's last position; its token is the first that can't be run itself.
    assert [next(steps).position for _ in range(3)] == [46, 47, 48]
    with pytest.raises(ContextLengthError, match="48 positions"):
        next(steps)


@pytest.mark.parametrize("use_cache", [False, True])
def test_a_prompt_without_tokens_is_refused(use_cache: bool) -> None:
    with pytest.raises(PromptError, match="at least one"):
        next(generate(tiny_model(), [], max_new_tokens=1, use_cache=use_cache))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7])
def test_a_sampler_draws_as_often_as_its_probabilities_say(temperature: float) -> None:
    logits = torch.tensor([1.0, -0.5, 2.0, 0.3])
    expected = probabilities(logits, temperature)
    assert expected.tolist() == pytest.approx((logits.double() / temperature).softmax(dim=-1).tolist())
    draw, n = sampler(temperature, seed=1), 4000
    counts = torch.bincount(torch.tensor([draw(logits, position) for position in range(n)]), minlength=4)
    # Four standard deviations of a binomial.
    spread = 4 * (n * expected * (1 - expected)).sqrt()
    assert ((counts - n * expected).abs() <= spread).all()


def test_at_temperature_0_the_probabilities_are_the_models_own() -> None:
    logits = torch.tensor([1.0, -0.5, 2.0])
    assert torch.equal(probabilities(logits, 0.0), probabilities(logits, 1.0))
    assert probabilities(logits, 5e-324).tolist() == [0, 0, 1]


LOGITS = st.lists(st.floats(-30, 30), min_size=1, max_size=50).map(torch.tensor)


@example(torch.tensor([0.0, 3e-32]), 0, 0)  # different logits, equal probabilities
@given(LOGITS, st.integers(0, 1000), st.integers())
def test_temperature_0_and_top_k_1_are_greedy(logits: Tensor, position: int, seed: int) -> None:
    best = greedy(logits, position)
    assert logits[best] == logits.max()
    assert sampler(0.0, seed=seed)(logits, position) == best
    assert logits[sampler(1.5, top_k=1, seed=seed)(logits, position)] == logits.max()


@given(LOGITS, st.floats(0, 5, exclude_min=True), st.integers(1, 60), st.integers())
def test_top_k_draws_one_of_the_k_most_probable(
    logits: Tensor, temperature: float, k: int, seed: int
) -> None:
    draw = sampler(temperature, top_k=k, seed=seed)
    least = logits.sort(descending=True).values[min(k, len(logits)) - 1]
    assert all(logits[draw(logits, position)] >= least for position in range(20))


@given(LOGITS, st.floats(0.01, 1), st.integers())
def test_top_p_draws_from_the_fewest_tokens_that_reach_p(logits: Tensor, p: float, seed: int) -> None:
    draw = sampler(1.0, top_p=p, seed=seed)
    probabilities = logits.double().softmax(0)
    for position in range(20):
        drawn = probabilities[draw(logits, position)]
        # All that is more probable falls short of p by itself, or the token would have been cut.
        assert probabilities[probabilities > drawn].sum() < p + 1e-12


def test_top_p_keeps_the_token_that_reaches_p_and_cuts_the_next() -> None:
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()
    drawn = {sampler(1.0, top_p=0.7)(logits, position) for position in range(300)}
    assert drawn == {0, 1}
    drawn = {sampler(1.0, top_p=0.9)(logits, position) for position in range(300)}
    assert drawn == {0, 1, 2}


def test_top_p_counts_only_what_top_k_left() -> None:
    logits = torch.tensor([0.4, 0.3, 0.2, 0.1]).log()
    draw = sampler(1.0, top_k=2, top_p=0.55)  # of the two left, the first has 0.57
    assert {draw(logits, position) for position in range(300)} == {0}


@given(LOGITS, st.integers(0, 10_000), st.integers(), st.floats(0, 1e300, exclude_min=True))
def test_any_temperature_and_seed_draw_the_same_token_again(
    logits: Tensor, position: int, seed: int, temperature: float
) -> None:
    first = sampler(temperature, seed=seed)(logits, position)
    other = sampler(temperature, seed=seed)
    other(logits, position + 1)  # the draw does not depend on earlier ones
    assert other(logits, position) == first
    assert 0 <= first < len(logits)


def test_draws_differ_with_the_position_and_with_the_seed() -> None:
    flat = torch.zeros(1000)
    assert len({sampler(1.0)(flat, position) for position in range(100)}) > 80
    assert len({sampler(1.0, seed=seed)(flat, 0) for seed in range(100)}) > 80


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_over_many_positions_tokens_come_as_often_as_their_probability_says(temperature: float) -> None:
    weights = torch.tensor([0.5, 0.25, 0.15, 0.08, 0.02])
    expected = (weights.double().log() / temperature).softmax(0)
    n = 4000
    draw = sampler(temperature, seed=11)
    counts = torch.bincount(torch.tensor([draw(weights.log(), i) for i in range(n)]), minlength=5)
    spread = (expected * (1 - expected) / n).sqrt()
    assert bool(((counts / n - expected).abs() < 4 * spread).all())


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": math.nan}, "temperature"),
        ({"temperature": math.inf}, "temperature"),
        ({"temperature": 1.0, "top_k": 0}, "top_k"),
        ({"temperature": 1.0, "top_k": -3}, "top_k"),
        ({"temperature": 1.0, "top_p": 0.0}, "top_p"),
        ({"temperature": 1.0, "top_p": 1.1}, "top_p"),
        ({"temperature": 1.0, "top_p": math.nan}, "top_p"),
        ({"temperature": 0.0, "top_k": 0}, "top_k"),
    ],
)
def test_a_setting_that_means_nothing_is_refused_by_name(settings: dict[str, float], told: str) -> None:
    with pytest.raises(PromptError, match=rf"{told} is .*; it must"):
        sampler(**settings)


@pytest.mark.parametrize(("wanted", "rows"), [(4, 9), (1_000_000_000, TINY.max_seq_len)])
def test_the_cache_of_a_generation_is_no_longer_than_the_text_can_get(wanted: int, rows: int) -> None:
    model = FakeModel()
    next(generate(model, [1, 2, 3, 4, 5], max_new_tokens=wanted, use_cache=True))
    assert model.room == rows
