"""A step as Python ran it, against the trace, the formulas and the source."""

import sys

import pytest
import torch
from torch import Tensor

from kvengine import KVCache, ModelCard, available_models, load_model, trace
from kvengine.cost import pass_cost
from kvengine.errors import ContextLengthError
from kvengine.generate import generate
from kvengine.lines import Lines, decode_step
from kvengine.source import FUNCTIONS, functions, source_lines
from tests.engine.reference import random_ids, tiny_model

each_model = pytest.mark.parametrize("card", available_models(), ids=lambda card: card.name)
some_models = pytest.mark.parametrize(
    "card",
    [c for c in available_models() if c.config.n_heads == 8 and c.config.n_kv_heads in (2, 8)],
    ids=lambda card: card.name,
)
LAYER = 2
TOKENS = tuple(random_ids(2048, 12)[0].tolist())


def steps(card: ModelCard) -> tuple[Lines, Lines]:
    model = load_model(card.name)
    cached, naive = (decode_step(model, TOKENS, layer=LAYER, use_cache=use) for use in (True, False))
    return cached, naive


def flops(lines: Lines) -> int:
    """Of all lines of the pass; those of the loop around it count what they call once more."""
    return sum(ran.flops * ran.times for ran in lines.ran if ran.function.name != "generate")


@each_model
def test_the_lines_together_cost_what_the_formulas_say(card: ModelCard) -> None:
    cached, naive = steps(card)
    assert flops(cached) == pass_cost(card.config, q_len=1, start=11).flops
    assert flops(naive) == pass_cost(card.config, q_len=12).flops
    (call,) = (ran for ran in cached.ran if ran.key == "generate.logits")
    assert call.flops == flops(cached)


@some_models
@pytest.mark.parametrize("use_cache", [True, False])
def test_the_values_of_tapped_lines_are_those_of_a_trace(card: ModelCard, use_cache: bool) -> None:
    model = load_model(card.name)
    lines = decode_step(model, TOKENS, layer=LAYER, use_cache=use_cache)
    cache = KVCache(card.config) if use_cache else None
    ids = torch.tensor([TOKENS])
    if cache:
        trace(model, ids[:, :-1], cache)
    traced = trace(model, ids[:, -1:] if cache else ids, cache)
    compared = 0
    for ran in lines.ran:
        name = ran.key.removeprefix("__call__.")
        whole = name if name in traced else f"layers.{LAYER}.{name}"
        value = next(iter(ran.values.values()))
        if whole not in traced or name in ("norm", "logits"):  # the step reads out the last row alone
            continue
        assert isinstance(value, Tensor)
        torch.testing.assert_close(value, torch.from_numpy(traced[whole]), rtol=0, atol=0)
        compared += 1
    assert compared >= 10


@some_models
def test_both_ways_choose_the_token_that_generation_chooses(card: ModelCard) -> None:
    model = load_model(card.name)
    expected = next(iter(generate(model, TOKENS, max_new_tokens=1, use_cache=False))).token_id
    assert [lines.step.token_id for lines in steps(card)] == [expected, expected]


def test_the_cache_s_own_lines_run_only_with_the_cache() -> None:
    cached, naive = steps(available_models()[0])
    module = "kvengine.cache"
    assert not [line for line in naive.executed if line[0] == module]
    written = {ran.key for ran in cached.ran if ran.function.module == module}
    assert written == {
        "update.end",
        "update.all_k",
        "update.all_k.copy_",
        "update.all_v.copy_",
        "advance.self.length",
    }
    assert {ran.key for ran in cached.ran} - written <= {ran.key for ran in naive.ran}


def test_every_stop_has_a_name_of_its_own_and_stands_where_the_source_assigns_it() -> None:
    cached, _ = steps(available_models()[0])
    keys = [ran.key for ran in cached.ran]
    assert len(keys) == len(set(keys))
    for ran in cached.ran:
        last = ran.node.end_lineno or ran.node.lineno
        text = "\n".join(source_lines(ran.function.module)[ran.node.lineno - 1 : last])
        assert all(name in text for name in ran.values), text


def test_the_memory_is_seen_as_it_was_when_the_line_ran() -> None:
    """The view of the cache is taken before the row is written, and its value shows that."""
    cached, _ = steps(available_models()[0])
    by_key = {ran.key: ran for ran in cached.ran}
    before, after = by_key["update.all_k"].values["all_k"], by_key["update.all_k.copy_"].values["all_k"]
    assert isinstance(before, Tensor)
    assert isinstance(after, Tensor)
    assert not before[:, :, -1].any()
    assert after[:, :, -1].any()
    assert torch.equal(before[:, :, :-1], after[:, :, :-1])


@pytest.mark.parametrize("layer", [0, 3])
def test_each_layer_can_be_shown(layer: int) -> None:
    model = load_model(available_models()[0].name)
    lines = decode_step(model, TOKENS, layer=layer, use_cache=True)
    weights = next(ran for ran in lines.ran if ran.key == "__call__.attn.weights").values["weights"]
    cache = KVCache(model.config)
    ids = torch.tensor([TOKENS])
    trace(model, ids[:, :-1], cache)
    expected = trace(model, ids[:, -1:], cache)[f"layers.{layer}.attn.weights"]
    assert isinstance(weights, Tensor)
    assert torch.equal(weights, torch.from_numpy(expected))


def test_nothing_listens_any_more_afterwards_even_after_an_error() -> None:
    before = sys.gettrace()
    model = tiny_model()
    decode_step(model, [1, 2, 3], layer=0, use_cache=True)
    assert sys.gettrace() is before
    too_long = [1] * (model.config.max_seq_len + 1)
    with pytest.raises(ContextLengthError):
        decode_step(model, too_long, layer=0, use_cache=False)
    assert sys.gettrace() is before


def test_every_function_that_is_stepped_through_is_found_by_its_name() -> None:
    for module, names in FUNCTIONS.items():
        assert {function.name for function in functions(module)} == set(names)
