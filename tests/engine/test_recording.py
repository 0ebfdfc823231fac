"""Recorded runs as files: what is saved reads back, and what is no recording is refused in a sentence."""

import json
import re
from collections.abc import Callable

import pytest

from kvengine import Transformer, load_model
from kvengine.hardware import hardware
from kvengine.recording import Provenance, RecordingError, from_json, table, to_json
from kvengine.speed import (
    points_of,
)
from kvengine.timing import (
    CACHED,
    CAT,
    NAIVE,
)
from tests.engine.rows import row


@pytest.fixture(scope="module")
def model() -> Transformer:
    return load_model("stories-1m-h8-kv2")


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


def test_the_table_has_a_line_for_each_operation(model: Transformer) -> None:
    lines = table(model.config, [row(16, 1e-3, 2e-3)], 4)
    assert [(line["path"], line["tokens"], line["median ms"]) for line in lines] == [
        (CACHED, 16, 1.0),
        (NAIVE, 16, 2.0),
    ]
    assert points_of([row(16, 1e-3, 2e-3)], CACHED)[0].length == 16
