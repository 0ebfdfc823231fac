"""A sweep as a table, and as a file of JSON to lay it over a run on other hardware.

The JSON is one object:

    {"format": "kv-cache-timing", "version": 1,
     "measured": {"when": "2025-01-31T12:00:00+00:00", "model": "stories-1m-h8-kv8", "dtype": "float32",
                  "name": "the processor's or GPU's name", "device": "cpu", "cores": 8, "threads": 4,
                  "torch": "2.13.0"},
     "points": [{"path": "cached", "length": 16, "q25_ms": 0.7, "median_ms": 0.8, "q75_ms": 0.9,
                 "repeats": 60}, …]}

`path` is cached, naive, cat or prefill; `length` counts the tokens of the text, the newest included.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from kvengine.config import Config
from kvengine.errors import KVEngineError
from kvengine.hardware import Hardware
from kvengine.speed import step_bytes, step_cost, step_projections
from kvengine.timing import CACHED, CAT, MAX_LENGTH, NAIVE, PREFILL, Point, Row

FORMAT, VERSION = "kv-cache-timing", 1
MOST_POINTS = 200
MOST_BYTES = 200_000

#: Times outside of these are no measured step: a picosecond, an hour.
SHORTEST_MS, LONGEST_MS = 1e-9, 3_600_000


class RecordingError(KVEngineError):
    """A file that holds no recorded run."""


@dataclass(frozen=True)
class Provenance:
    """Where, when and with what a run was measured."""

    when: str
    model: str
    dtype: str
    hardware: Hardware


@dataclass(frozen=True)
class Recording:
    """A run measured elsewhere, or at another time."""

    provenance: Provenance
    points: tuple[Point, ...]

    def of(self, path: str) -> list[Point]:
        return sorted((p for p in self.points if p.path == path), key=lambda point: point.length)


def to_json(provenance: Provenance, rows: Sequence[Row]) -> str:
    measured = {**asdict(provenance), **asdict(provenance.hardware)}
    del measured["hardware"]
    points = [
        {
            "path": p.path,
            "length": p.length,
            "q25_ms": p.q25 * 1e3,
            "median_ms": p.median * 1e3,
            "q75_ms": p.q75 * 1e3,
            "repeats": p.repeats,
        }
        for row in rows
        for p in row.points.values()
    ]
    return json.dumps(
        {"format": FORMAT, "version": VERSION, "measured": measured, "points": points}, indent=1
    )


def from_json(data: bytes) -> Recording:
    """Raises `RecordingError`, with what is wrong and what to do, for anything but a whole recorded run."""
    if len(data) > MOST_BYTES:
        raise RecordingError(f"The file has {len(data):,} bytes; a recorded run has at most {MOST_BYTES:,}.")
    try:
        raw = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        raise RecordingError("The file is no JSON text; choose one that this page saved.") from None
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise RecordingError(f'The file is no recorded run: its "format" is not "{FORMAT}".')
    if raw.get("version") != VERSION:
        raise RecordingError(
            f"The file has version {_shown(raw.get('version'))}; this page reads version {VERSION}."
        )
    measured, points = raw.get("measured"), raw.get("points")
    if not isinstance(measured, dict) or not isinstance(points, list) or not 0 < len(points) <= MOST_POINTS:
        raise RecordingError(f'The file needs "measured" and "points", 1 to {MOST_POINTS} of them.')
    hardware = Hardware(
        name=_text(measured, "name"),
        device=_text(measured, "device"),
        cores=_whole(measured, "cores", 100_000),
        threads=_whole(measured, "threads", 100_000),
        torch=_text(measured, "torch"),
    )
    provenance = Provenance(
        _text(measured, "when"), _text(measured, "model"), _text(measured, "dtype"), hardware
    )
    read = tuple(_point(p) for p in points)
    if len({(p.path, p.length) for p in read}) < len(read):
        raise RecordingError("The file has two points for one path and length; keep one of them.")
    return Recording(provenance, read)


def table(config: Config, rows: Sequence[Row], bytes_per_float: int) -> list[dict[str, str | int | float]]:
    """A line for each operation at each length, its counted work beside its time."""
    return [
        {
            "path": p.path,
            "tokens": p.length,
            "median ms": round(p.median * 1e3, 4),
            "q25 ms": round(p.q25 * 1e3, 4),
            "q75 ms": round(p.q75 * 1e3, 4),
            "repeats": p.repeats,
            "multiplications": step_cost(config, p.path, p.length).multiplications,
            "projected rows": step_projections(p.path, p.length),
            "bytes read": step_bytes(config, p.length, bytes_per_float),
            "same token": "yes" if row.same_token else "no",
            "largest logit difference": row.difference,
        }
        for row in rows
        for p in row.points.values()
    ]


def _point(raw: Any) -> Point:
    if not isinstance(raw, dict) or raw.get("path") not in (CACHED, NAIVE, CAT, PREFILL):
        raise RecordingError('Each point needs a "path": cached, naive, cat or prefill.')
    q25, median, q75 = (_milliseconds(raw, key) for key in ("q25_ms", "median_ms", "q75_ms"))
    if not q25 <= median <= q75:
        raise RecordingError(f"A point has quartiles out of order: {q25}, {median}, {q75}.")
    length, repeats = _whole(raw, "length", MAX_LENGTH), _whole(raw, "repeats", 1_000_000)
    return Point(raw["path"], length, q25 / 1e3, median / 1e3, q75 / 1e3, repeats)


def _text(raw: dict[str, Any], key: str) -> str:
    value = raw.get(key)
    if not isinstance(value, str) or not 0 < len(value) <= 120 or not value.isprintable():
        raise RecordingError(f'"{key}" is missing from the file, or is no text of at most 120 characters.')
    return value


def _whole(raw: dict[str, Any], key: str, most: int) -> int:
    value = raw.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise RecordingError(
            f'"{key}" must be a whole number from 1 to {most:,}; the file has {_shown(value)}.'
        )
    return value


def _milliseconds(raw: dict[str, Any], key: str) -> float:
    value = raw.get(key)
    if (
        not isinstance(value, int | float)
        or isinstance(value, bool)
        or not SHORTEST_MS <= value <= LONGEST_MS  # compares whole numbers of any size, and refuses NaN
    ):
        raise RecordingError(
            f'"{key}" must be milliseconds above 0, at most {LONGEST_MS:,}; the file has {_shown(value)}.'
        )
    return float(value)


def _shown(value: object) -> str:
    """What a file has where something else belongs, in a word or a few."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
