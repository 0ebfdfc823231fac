"""Timing with a clock of our own: what is measured, in which order, and what is made of it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count

import pytest
import torch

from kvengine import KVCache, PromptError, Transformer, generate, load_model
from kvengine.hardware import cores, devices, dtypes, hardware, place, threads
from kvengine.recording import Provenance, RecordingError, from_json, table, to_csv, to_json
from kvengine.speed import (
    fit,
    kv_bytes,
    points_of,
    step_cost,
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
    race,
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


# ---- the race --------------------------------------------------------------------------------------------


def test_race_times_every_step_by_its_own_two_looks_at_the_clock(model: Transformer) -> None:
    steps = list(race(model, PROMPT, max_new_tokens=6, clock=ticking()))
    assert [step.seconds for step in steps] == [1.0] * 12


def test_race_takes_turns_and_both_paths_generate_what_generate_does(model: Transformer) -> None:
    steps = list(race(model, PROMPT, max_new_tokens=6, clock=ticking()))
    assert [step.path for step in steps] == [CACHED, NAIVE] * 6
    expected = [(s.position, s.token_id) for s in generate(model, PROMPT, max_new_tokens=6, use_cache=True)]
    for path in (CACHED, NAIVE):
        assert [(s.position, s.token_id) for s in steps if s.path == path] == expected


def test_race_does_no_step_that_nobody_asks_for(model: Transformer) -> None:
    looks = 0

    def clock() -> float:
        nonlocal looks
        looks += 1
        return float(looks)

    run = race(model, PROMPT, max_new_tokens=400, clock=clock)
    next(run), next(run), next(run)
    run.close()
    assert looks == 6


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
    asked = count()
    rows = list(sweep(model, PROMPT, (2, 4), clock=ticking(), stopped=lambda: next(asked) > 30))
    assert [r.length for r in rows] in ([2], [])
    assert list(sweep(model, PROMPT, (2, 4), clock=ticking(), stopped=lambda: True)) == []


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
    with threads(1):
        assert hardware("cpu").threads == 1
    assert torch.get_num_threads() == before
    assert hardware("cpu").cores == cores() >= 1
    assert hardware("cpu").name


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


def test_fit_finds_the_terms_that_made_the_times(model: Transformer) -> None:
    c, terms = model.config, (5e-4, 2e-11, 3e-10)

    def seconds(path: str, n: int) -> float:
        work, read = step_cost(c, path, n).multiplications, kv_bytes(c, n, 4)
        return terms[0] + terms[1] * work + terms[2] * read

    rows = [row(n, seconds(CACHED, n), seconds(NAIVE, n)) for n in (16, 64, 256, 1024)]
    found = fit(c, rows, 4)
    assert found is not None
    assert (found.fixed, found.per_multiplication, found.per_byte) == pytest.approx(terms, rel=1e-6)
    assert max(abs(r) for r in found.residuals.values()) < 1e-9
    assert sum(found.parts(c, NAIVE, 64, 4)) == pytest.approx(seconds(NAIVE, 64))


def test_fit_has_no_negative_term_even_where_one_would_fit_better(model: Transformer) -> None:
    rows = [row(n, 1e-3 / n, 2e-3 / n) for n in (16, 64, 256)]
    found = fit(model.config, rows, 4)
    assert found is not None
    assert min(found.fixed, found.per_multiplication, found.per_byte) >= 0
    assert fit(model.config, rows[:2], 4) is None


# ---- files -----------------------------------------------------------------------------------------------


def recorded() -> tuple[Provenance, str]:
    provenance = Provenance("2026-01-31T12:00:00+00:00", "m", "float32", hardware("cpu"))
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
        (lambda raw: {**raw, "measured": {**raw["measured"], "name": "x" * 500}}, "name"),
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


def test_infinite_times_are_refused() -> None:
    text = recorded()[1].replace('"q75_ms": 1.1', '"q75_ms": Infinity')
    assert "Infinity" in text
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
