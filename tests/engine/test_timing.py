"""Timing with a clock of our own: what is measured, and in which order."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count

import pytest
import torch

from kvengine import KVCache, PromptError, Transformer, load_model
from kvengine.hardware import cores, devices, dtypes, hardware, place, threads
from kvengine.timing import (
    CACHED,
    CAT,
    NAIVE,
    PREFILL,
    CatCache,
    agreement,
    lengths_up_to,
    sweep,
)

PROMPT = (0, 400, 12, 33, 7)


@pytest.fixture(scope="module")
def model() -> Transformer:
    return load_model("stories-1m-h8-kv2")


def ticking() -> Callable[[], float]:
    """A clock that is one second later at every look."""
    ticks = count()
    return lambda: float(next(ticks))


# ---- the sweep -------------------------------------------------------------------------------------------


def test_sweep_measures_every_operation_at_every_length(model: Transformer) -> None:
    rows = list(sweep(model, PROMPT, (1, 3, 8), with_cat=True, clock=ticking(), seconds_per_point=7.0))
    assert [r.length for r in rows] == [1, 3, 8]
    for r in rows:
        assert set(r.points) == {CACHED, CAT, NAIVE, PREFILL}
        assert {(p.q25, p.median, p.q75, p.repeats) for p in r.points.values()} == {(1.0, 1.0, 1.0, 7)}
        assert r.same_token
        assert r.difference < 1e-4


@pytest.mark.parametrize(("budget", "repeats"), [(0.5, 3), (2.0, 5), (9.0, 9), (1e9, 40)])
def test_repetitions_follow_the_time_there_is_within_bounds(
    model: Transformer, budget: float, repeats: int
) -> None:
    (only,) = sweep(model, PROMPT, (4,), clock=ticking(), seconds_per_point=budget)
    assert {point.repeats for point in only.points.values()} == {repeats}


def test_stopped_sweep_keeps_whole_lengths_only(model: Transformer) -> None:
    # Asked once in each turn, since its first pass is so long that it counts: three operations, 3 rounds.
    one_length = 3 * 3

    def rows(after: int) -> list[int]:
        asked = count()
        found = sweep(
            model,
            PROMPT,
            (2, 4, 8),
            clock=ticking(),
            stopped=lambda: next(asked) >= after,
            seconds_per_point=0.0,
        )
        return [row.length for row in found]

    assert rows(0) == rows(one_length - 1) == []
    assert rows(one_length) == rows(2 * one_length - 1) == [2]
    assert rows(2 * one_length) == [2, 4]
    assert rows(3 * one_length) == [2, 4, 8]


def test_sweep_reports_quartiles_of_what_the_clock_said(model: Transformer) -> None:
    durations: Iterator[float] = (1.0 + (i % 5) for i in count())
    time, inside = 0.0, False

    def clock() -> float:
        nonlocal time, inside
        time += next(durations) if inside else 0.0
        inside = not inside
        return time

    (only,) = sweep(model, PROMPT, (4,), clock=clock, seconds_per_point=1e9)
    for point in only.points.values():
        assert 1.0 <= point.q25 <= point.median <= point.q75 <= 5.0
        assert point.q25 < point.q75


def test_a_longer_text_than_the_trained_one_is_timed_on_the_same_weights(model: Transformer) -> None:
    longer = place(model, device="cpu", dtype="float32", max_seq_len=600)
    (only,) = sweep(longer, PROMPT, (600,), clock=ticking(), seconds_per_point=0.0)
    assert only.length == 600
    assert longer.config == replace(model.config, max_seq_len=600)
    assert torch.equal(longer.weights.embed, model.weights.embed)


def test_sweep_of_nothing_is_refused(model: Transformer) -> None:
    with pytest.raises(PromptError):
        list(sweep(model, (), (4,)))


def test_lengths_double_and_end_where_asked() -> None:
    assert lengths_up_to(2048, 16) == (16, 32, 64, 128, 256, 512, 1024, 2048)
    assert lengths_up_to(100, 16) == (16, 32, 64, 100)
    assert lengths_up_to(1) == (1,)


# ---- torch.cat -------------------------------------------------------------------------------------------


@torch.inference_mode()
def test_cat_cache_gives_the_same_logits_as_the_preallocated_one(model: Transformer) -> None:
    kept, joined = KVCache(model.config), CatCache(model.config)
    for chunk in (PROMPT, (9,), (11,)):
        ids = torch.tensor([chunk])
        assert torch.equal(model(ids, kept), model(ids, joined))
    kept.crop(3), joined.crop(3)
    assert torch.equal(model(torch.tensor([[5]]), kept), model(torch.tensor([[5]]), joined))
    assert joined.used_bytes == kept.used_bytes == joined.allocated_bytes < kept.allocated_bytes
    joined.reset()
    assert joined.length == joined.used_bytes == 0


# ---- precision and hardware ------------------------------------------------------------------------------


def test_paths_agree_in_float64_to_rounding_and_choose_the_same_tokens(model: Transformer) -> None:
    found = agreement(place(model, device="cpu", dtype="float64"), PROMPT, steps=12)
    assert (found.dtype, found.steps, found.same_tokens) == ("float64", 12, 12)
    assert found.difference < 1e-10


def test_every_offered_precision_runs(model: Transformer) -> None:
    assert "cpu" in devices()
    for dtype in dtypes("cpu"):
        assert agreement(place(model, device="cpu", dtype=dtype), PROMPT, steps=2).steps == 2


@pytest.mark.parametrize(("device", "dtype"), [("abacus", "float32"), ("cpu", "float3")])
def test_an_unknown_device_or_precision_is_refused(model: Transformer, device: str, dtype: str) -> None:
    with pytest.raises(PromptError, match="choose another"):
        place(model, device=device, dtype=dtype)


def test_threads_are_set_for_the_block_alone() -> None:
    before = torch.get_num_threads()
    with threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


def test_hardware_is_named_with_the_threads_of_the_measurement() -> None:
    found = hardware("cpu", 3)
    assert (found.device, found.threads) == ("cpu", 3)
    assert found.cores == cores() >= 1
    assert found.name
    assert found.torch == torch.__version__


def test_loading_a_model_leaves_the_number_of_threads_alone() -> None:
    before = torch.get_num_threads()
    with threads(before + 1):
        place(load_model("stories-1m-h8-kv1"), device="cpu", dtype="float32")
        assert torch.get_num_threads() == before + 1
