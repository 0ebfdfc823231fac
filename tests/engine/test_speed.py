"""Counts, and what is made of measured rows: totals, verdicts, and a model of where the time goes."""

import numpy as np
import pytest

from kvengine import Transformer, load_model
from kvengine.speed import (
    fit,
    kv_bytes,
    step_cost,
    step_masked,
    step_projections,
    total_projections,
    total_seconds,
    verdict,
)
from kvengine.timing import (
    CACHED,
    NAIVE,
    Point,
    Row,
)
from tests.engine.rows import row


@pytest.fixture(scope="module")
def model() -> Transformer:
    return load_model("stories-1m-h8-kv2")


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
