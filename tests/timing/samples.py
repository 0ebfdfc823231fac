"""Rows, a fit and a recording as a run would give them."""

from kvengine import available_models
from kvengine.hardware import Hardware
from kvengine.recording import Provenance, Recording
from kvengine.timing import CACHED, CAT, NAIVE, PREFILL, Point, Row

CONFIG = next(card.config for card in available_models() if card.name == "stories-1m-h8-kv2")
LENGTHS = (1, 4, 16, 64)


def a_row(n: int, cached: float, naive: float, *, cat: bool = False) -> Row:
    times = {CACHED: cached, NAIVE: naive, PREFILL: naive} | ({CAT: 2 * cached} if cat else {})
    points = {path: Point(path, n, t * 0.95, t, t * 1.05, 9) for path, t in times.items()}
    return Row(n, points, same_token=True, difference=1e-6)


ROWS = [a_row(n, 1e-3 + n * 1e-6, 8e-4 + n * 4e-5, cat=True) for n in LENGTHS]
RECORDING = Recording(
    Provenance(
        "2026-01-31T12:00:00+00:00", "some-model", "float32", Hardware("Some GPU", "cuda", 8, 4, "2.13.0")
    ),
    tuple(Point(path, n, 1e-4, 2e-4, 3e-4, 9) for path in (CACHED, NAIVE) for n in LENGTHS),
)
