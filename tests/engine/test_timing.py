"""Timing with a clock of our own: what is measured, in which order, and what is made of it."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count

import numpy as np
import pytest
import torch

from kvengine import KVCache, PromptError, Transformer, load_model
from kvengine.hardware import cores, devices, dtypes, hardware, place, threads
from kvengine.recording import Provenance, RecordingError, from_json, table, to_csv, to_json
from kvengine.speed import (
    fit,
    kv_bytes,
    points_of,
    step_cost,
    step_masked,
    step_projections,
    total_projections,
    total_seconds,
    verdict,
)
from kvengine.timing import (
    CACHED,
    CAT,
    NAIVE,
    PREFILL,
    CatCache,
    Point,
    Row,
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


def row(length: int, cached: float, naive: float, spread: float = 0.0) -> Row:
    points = {
        path: Point(path, length, seconds * (1 - spread), seconds, seconds * (1 + spread), 5)
        for path, seconds in ((CACHED, cached), (NAIVE, naive))
    }
    return Row(length, points, same_token=True, difference=0.0)


# ---- the sweep -------------------------------------------------------------------------------------------


def test_sweep_measures_every_operation_at_every_length(model: Transformer) -> None:
    rows = list(sweep(model, PROMPT, (1, 3, 8), with_cat=True, clock=ticking(), seconds_per_point=7.0))
    assert [r.length for r in rows] == [1, 3, 8]
    for r in rows:
        assert set(r.points) == {CACHED, CAT, NAIVE, PREFILL}
        assert {(p.q25, p.median, p.q75, p.repeats) for p in r.points.values()} == {(1.0, 1.0, 1.0, 7)}
        assert r.same_token
        assert r.difference < 1e-4


@pytest.mark.parametrize(("budget", "repeats"), [(0.0, 5), (9.0, 9), (1e9, 40)])
def test_repetitions_follow_the_time_there_is_within_bounds(
    model: Transformer, budget: float, repeats: int
) -> None:
    (only,) = sweep(model, PROMPT, (4,), clock=ticking(), seconds_per_point=budget)
    assert {point.repeats for point in only.points.values()} == {repeats}


def test_stopped_sweep_keeps_whole_lengths_only(model: Transformer) -> None:
    # Asked once for each repetition and each turn: three operations, 5 repetitions, 3 rounds.
    one_length = 3 * (5 + 3)

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


# ---- counts and what is made of the rows -----------------------------------------------------------------


def test_a_thousand_tokens_are_500_500_projections_against_1_000() -> None:
    assert total_projections(NAIVE, 1000) == sum(range(1, 1001)) == 500_500
    assert total_projections(CACHED, 1000) == 1000
    assert sum(step_projections(NAIVE, n) for n in range(1, 1001)) == 500_500


def test_step_counts_meet_their_closed_forms(model: Transformer) -> None:
    c, n = model.config, 48
    width = (c.n_heads + 2 * c.n_kv_heads) * c.head_dim
    row_work = c.n_layers * (c.d_model * width + c.n_heads * c.head_dim * c.d_model + 3 * c.d_model * c.d_ffn)
    meeting = 2 * c.n_layers * c.n_heads * c.head_dim
    readout = c.d_model * c.vocab_size
    assert step_cost(c, CACHED, n).multiplications == row_work + meeting * n + readout
    assert step_cost(c, NAIVE, n).multiplications == n * row_work + meeting * n * n + readout
    assert step_cost(c, CACHED, 1) == step_cost(c, NAIVE, 1)
    assert kv_bytes(c, n, 4) == 2 * c.n_layers * c.n_kv_heads * c.head_dim * n * 4


def test_totals_sum_steps_that_are_linear_between_measured_lengths() -> None:
    points = [Point(NAIVE, n, n * 1e-3, n * 1e-3, n * 1e-3, 5) for n in (1, 2, 4, 8, 1000)]
    assert total_seconds(points, 1000) == pytest.approx(500_500e-3)
    assert total_seconds(points, 6) == pytest.approx(21e-3)


@pytest.mark.parametrize(
    ("cached", "naive", "expected"), [(2.0, 1.0, NAIVE), (1.0, 2.0, CACHED), (1.0, 1.05, "tie")]
)
def test_a_path_wins_only_where_the_bands_are_apart(cached: float, naive: float, expected: str) -> None:
    assert verdict(row(16, cached, naive, spread=0.1)) == expected


def made_by(model: Transformer, terms: tuple[float, float, float], noise: float = 0.0) -> list[Row]:
    """Rows whose times follow the fit's own model, up to a factor of 1 ± noise."""
    draw = np.random.default_rng(0)

    def seconds(path: str, n: int) -> float:
        work = step_cost(model.config, path, n).multiplications
        return (terms[0] + terms[1] * work + terms[2] * n) * (1 + noise * draw.standard_normal())

    return [row(n, seconds(CACHED, n), seconds(NAIVE, n)) for n in (1, 4, 16, 64, 256, 1024)]


def test_fit_finds_the_terms_that_made_the_times(model: Transformer) -> None:
    terms = (5e-4, 2e-11, 3e-6)
    rows = made_by(model, terms)
    found = fit(model.config, rows)
    assert found is not None
    estimates = (found.fixed, found.per_multiplication, found.per_token)
    assert tuple(e.value for e in estimates) == pytest.approx(terms, rel=1e-6)
    assert max(e.error / e.value for e in estimates) < 1e-6
    assert max(abs(r) for r in found.residuals.values()) < 1e-9
    assert sum(found.parts(model.config, NAIVE, 64)) == pytest.approx(rows[3].points[NAIVE].median)


def test_standard_errors_say_how_far_off_the_terms_are(model: Transformer) -> None:
    """Of many noisy runs about two thirds lie within one standard error of the truth, nearly all within 3."""
    terms, inside, total = (5e-4, 2e-11, 3e-6), [0, 0], 0
    draw = np.random.default_rng(1)
    exact = made_by(model, terms)
    for _ in range(60):
        noisy = [
            row(
                r.length,
                r.points[CACHED].median * (1 + 0.05 * draw.standard_normal()),
                r.points[NAIVE].median * (1 + 0.05 * draw.standard_normal()),
            )
            for r in exact
        ]
        found = fit(model.config, noisy)
        assert found is not None
        for estimate, truth in zip(
            (found.fixed, found.per_multiplication, found.per_token), terms, strict=True
        ):
            total += 1
            inside[0] += abs(estimate.value - truth) <= estimate.error
            inside[1] += abs(estimate.value - truth) <= 3 * estimate.error
    assert 0.5 < inside[0] / total < 0.85
    assert inside[1] / total > 0.93


def test_fit_has_no_negative_term_even_where_one_would_fit_better(model: Transformer) -> None:
    rows = [row(n, 1e-3 / n, 2e-3 / n) for n in (16, 64, 256)]
    found = fit(model.config, rows)
    assert found is not None
    estimates = (found.fixed, found.per_multiplication, found.per_token)
    assert min(e.value for e in estimates) == 0
    assert all(e.error == 0 for e in estimates if e.value == 0)
    assert fit(model.config, rows[:2]) is None


def test_masked_work_is_the_naive_steps_alone(model: Transformer) -> None:
    c, n = model.config, 48
    pairs = n * (n - 1) // 2  # of a query and a later key
    assert step_masked(c, NAIVE, n) == 2 * c.n_layers * c.n_heads * c.head_dim * pairs
    assert step_masked(c, CACHED, n) == step_masked(c, NAIVE, 1) == 0


# ---- files -----------------------------------------------------------------------------------------------


def recorded() -> tuple[Provenance, str]:
    provenance = Provenance("2026-01-31T12:00:00+00:00", "m", "float32", hardware("cpu", 2))
    return provenance, to_json(provenance, [row(16, 1e-3, 2e-3, 0.1), row(32, 1e-3, 4e-3, 0.1)])


def test_a_saved_run_reads_back_as_it_was() -> None:
    provenance, text = recorded()
    read = from_json(text.encode())
    assert read.provenance == provenance
    assert [(p.length, p.median) for p in read.of(NAIVE)] == [(16, 2e-3), (32, 4e-3)]
    assert read.of(CAT) == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda raw: {**raw, "format": "other"}, "no recorded run"),
        (lambda raw: {**raw, "version": 2}, "version 2"),
        (lambda raw: {**raw, "points": []}, "needs"),
        (lambda raw: {**raw, "points": [{"path": "magic"}]}, "path"),
        (lambda raw: {**raw, "points": [{**raw["points"][0], "median_ms": -1}]}, "above 0"),
        (lambda raw: {**raw, "points": [{**raw["points"][0], "q25_ms": 99}]}, "out of order"),
        (lambda raw: {**raw, "points": [{**raw["points"][0], "length": 10**9}]}, "length"),
        (lambda raw: {**raw, "points": [{**raw["points"][0], "repeats": True}]}, "repeats"),
        (lambda raw: {**raw, "points": [{**raw["points"][0], "q75_ms": 10**400}]}, "at most 3,600,000"),
        (lambda raw: {**raw, "points": [{**raw["points"][0], "median_ms": 1e300}]}, "at most 3,600,000"),
        (lambda raw: {**raw, "points": [{**raw["points"][0], "q25_ms": 1e-300}]}, "above 0"),
        (lambda raw: {**raw, "points": [{**raw["points"][0], "q25_ms": "0.1"}]}, "above 0"),
        (lambda raw: {**raw, "points": [raw["points"][0]] * 2}, "two points"),
        (lambda raw: {**raw, "measured": {**raw["measured"], "cores": 10**400}}, "cores"),
        (lambda raw: {**raw, "version": [raw]}, "version a list"),
        (lambda raw: {**raw, "measured": {**raw["measured"], "name": "x" * 500}}, "name"),
        (lambda raw: {**raw, "measured": {**raw["measured"], "name": "a\ud800b"}}, "name"),
        (lambda raw: {**raw, "measured": None}, "needs"),
        (lambda raw: [raw], "no recorded run"),
    ],
)
def test_a_bad_recording_is_told_in_a_sentence(change: Callable[[object], object], complaint: str) -> None:
    text = json.dumps(change(json.loads(recorded()[1])))
    with pytest.raises(RecordingError, match=complaint):
        from_json(text.encode())


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"[" * 100_000, b"{}" + b" " * 300_000])
def test_what_is_no_recording_at_all_is_refused(data: bytes) -> None:
    with pytest.raises(RecordingError):
        from_json(data)


@pytest.mark.parametrize("number", ["Infinity", "-Infinity", "NaN", "1e400", "1" + "0" * 400, "1" * 5000])
@pytest.mark.parametrize("place", ["q25_ms", "median_ms", "q75_ms", "repeats", "length", "cores", "version"])
def test_numbers_without_measure_are_refused(number: str, place: str) -> None:
    text, found = re.subn(rf'"{place}": [\d.]+', f'"{place}": {number}', recorded()[1])
    assert found
    with pytest.raises(RecordingError) as refused:
        from_json(text.encode())
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("depth", [100, 900, 990, 100_000])
@pytest.mark.parametrize("place", ["version", "q75_ms", "name"])
def test_nesting_however_deep_is_refused_in_a_sentence(depth: int, place: str) -> None:
    nested = "[" * depth + "]" * depth
    text = re.sub(rf'"{place}": ("[^"]*"|[\d.]+)', lambda _: f'"{place}": {nested}', recorded()[1])
    with pytest.raises(RecordingError):
        from_json(text.encode())


def test_the_table_has_a_line_for_each_operation_and_the_csv_says_the_same(model: Transformer) -> None:
    lines = table(model.config, [row(16, 1e-3, 2e-3)], 4)
    assert [(line["path"], line["tokens"], line["median ms"]) for line in lines] == [
        (CACHED, 16, 1.0),
        (NAIVE, 16, 2.0),
    ]
    header, *rest = to_csv(lines).splitlines()
    assert header.split(",")[:3] == ["path", "tokens", "median ms"]
    assert len(rest) == len(lines)
    assert points_of([row(16, 1e-3, 2e-3)], CACHED)[0].length == 16
