"""What the memory page's scenes and charts hold, without a browser."""

import json
import re
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
import torch

from explainer.kit.encode import pack
from explainer.kit.palette import LIGHT
from explainer.kit.words import names
from explainer.memory import blocks_scene, figures, heads_scene, model_words, speed_words, trade_scene
from explainer.memory.calculator import Numbers, Sum, calculate
from explainer.memory.choice import NEW, OWN, RUNNING, MemoryChoice
from explainer.memory.measure import Load
from explainer.memory.numbers import whole
from explainer.memory.runs import sharing
from explainer.memory.scene import Dragged, measured, scene
from explainer.memory.words import WORDS, digits, size
from kvengine import KVCache, ModelCard, available_models, load_model, load_tokenizer
from kvengine.batch import BatchPoint
from kvengine.growth import grow
from kvengine.memory import FORMATS, SizeError
from kvengine.paged_cache import paged_run
from kvengine.paging import BLOCK, TraceError
from kvengine.presets import gpus, presets
from kvengine.timing import CACHED, NAIVE, Point, Row

CARDS = {card.name: card for card in available_models()}
CARD = CARDS["stories-1m-h8-kv8"]
TOKENIZER = load_tokenizer(CARD.name)
PROMPT = "Tom and Sara went to the park. Tom gave the ball to"
IDS = tuple(TOKENIZER.encode(PROMPT))


def a_sum(**changes: str) -> Sum:
    return calculate(MemoryChoice(**changes), CARD)


# ---- the cache now ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("card", CARDS.values(), ids=lambda card: card.name)
def test_the_bytes_of_the_growing_tensors_are_those_of_the_formula(card: ModelCard) -> None:
    found = grow(load_model(card.name), IDS, new=NEW)
    drawn = scene(found, card.config, TOKENIZER.texts)
    assert drawn["used"] == drawn["formula"]
    assert len(drawn["used"]) == NEW + 1
    assert drawn["allocated"] == drawn["used"][-1]
    assert len({b - a for a, b in zip(drawn["used"], drawn["used"][1:], strict=False)}) == 1
    pack(drawn)


def test_the_strength_of_a_block_is_that_of_its_numbers_in_the_cache() -> None:
    model = load_model(CARD.name)
    found = grow(model, IDS, new=3)
    cache = KVCache(model.config)
    ids = [*IDS, *found.token_ids[:3]]
    with torch.inference_mode():
        model(torch.tensor([ids]), cache)
    block = torch.cat([cache.k[2, 0, 5, 4], cache.v[2, 0, 5, 4]])
    assert found.strength[2, 5, 4] == pytest.approx(float(block.square().mean().sqrt()), abs=1e-5)


@pytest.mark.parametrize("fmt", FORMATS)
def test_a_dragged_shape_is_allocated_and_measured(fmt: str) -> None:
    found = measured(f"3.4.32.50.2.{fmt}")
    rows = 2 * 3 * 4 * 50 * 2
    assert found["bytes"] == rows * FORMATS[fmt].row_bytes(32)
    assert "[3, 2, 4, 50," in found["tensors"]


@pytest.mark.parametrize(
    "said",
    [
        "",
        "4",
        "a.b.c.d.e.f",
        "4.8.16.14.1.fp7",
        "0.8.16.14.1.fp32",
        "4.8.16.-3.1.fp32",
        f"4.8.16.{10**30}.1.fp32",
    ],
)
def test_a_shape_that_is_none_gets_a_sentence(said: str) -> None:
    assert measured(said)["error"].endswith(".")


def test_a_shape_too_large_to_allocate_gets_a_sentence() -> None:
    assert "more than the" in measured("32.32.256.512.32.fp32")["error"]
    assert Dragged.read("4.8.16.14.1.fp32") == Dragged(4, 8, 16, 14, 1, "fp32")


# ---- the calculator --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("8192", 8192),
        ("8,192", 8192),
        (" 8 192 ", 8192),
        ("8k", 8192),
        ("1.5k", 1536),
        ("1e6", 10**6),
        ("1M", 2**20),
    ],
)
def test_a_number_is_read_as_people_type_it(typed: str, value: int) -> None:
    assert whole(typed, "context") == value


@pytest.mark.parametrize("typed", ["", "x", "1.5", "1e", "--1", "∞", "1e-3", "0x10", "\uff11"])
def test_what_is_no_whole_number_gets_a_sentence(typed: str) -> None:
    with pytest.raises(SizeError, match=r"^Context: .*\.$"):
        whole(typed, "context")


OWN_NUMBERS = "32_32_8_128_4096_8_0_0"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"context": "-5"}, "context is -5"),
        ({"context": "1e30"}, r"context is about 10\^30"),
        ({"context": "0"}, "context is 0"),
        ({"batch": "-1"}, "batch is -1"),
        ({"batch": "1e300"}, r"batch is about 10\^300"),
        ({"fmt": "int3"}, "no number format"),
        ({"gpu": "abacus"}, "no GPU"),
        ({"preset": "gpt-9"}, "no model"),
        ({"weights": "-4"}, "are not offered"),
        ({"cards": "0"}, "number of GPUs is 0"),
        ({"preset": OWN, "own": OWN_NUMBERS.replace("_8_128", "_64_128")}, "more than the 32 query heads"),
        ({"preset": OWN, "own": OWN_NUMBERS.replace("_8_128", "_5_128")}, "must be a multiple"),
        ({"preset": OWN, "own": OWN_NUMBERS.replace("_8_128", "_8_-128")}, "head_dim is -128"),
        ({"preset": OWN, "own": OWN_NUMBERS.replace("4096_8", "4096_-8")}, "no number above 0"),
        ({"preset": OWN, "own": OWN_NUMBERS.replace("4096_8", "4096_1e30")}, "No model has"),
        ({"preset": OWN, "own": "<b>_1_1_1_1_1"}, "no whole number"),
    ],
)
def test_nonsense_gets_a_sentence_and_no_number(changes: dict[str, str], said: str) -> None:
    with pytest.raises(SizeError, match=said):
        a_sum(**changes)


@pytest.mark.parametrize("preset", [*presets(), RUNNING])
@pytest.mark.parametrize("fmt", ["bf16", "int4"])
def test_every_model_fills_every_sentence_and_chart(preset: str, fmt: str) -> None:
    of = a_sum(preset=preset, fmt=fmt, batch="4", cards="8")
    said = [
        model_words.formula_line(of),
        model_words.kind_line(of),
        model_words.fits_line(of),
        model_words.outweighs_line(of),
        model_words.source_line(of),
        speed_words.bound_line(of),
        *(" ".join(row.values()) for row in model_words.wrong_rows(of)),
    ]
    assert not [line for line in said if "{" in line or "None" in line or " nan" in line]
    for log in (True, False):
        figures.over_context(of, LIGHT, log=log)
        figures.over_batch(of, LIGHT, log=log)
    figures.bounds(of, LIGHT)


def test_the_sum_is_the_arithmetic_that_it_tells() -> None:
    of = a_sum(context="131072", batch="3")
    assert of.token == 131_072
    assert of.sequence == 2**34
    assert of.cache == 3 * 2**34
    assert of.weights == 2 * 8_030_000_000
    assert of.users == int((0.92 * 80e9 - of.weights) // 2**34) == 3
    assert of.bound == pytest.approx(3 * 3350e9 / (of.weights + 3 * 2**34))


def test_of_experts_a_token_reads_those_it_uses_and_all_are_stored() -> None:
    of = a_sum(preset="mixtral-8x7b", context="8k")
    assert of.weights == 2 * 46_700_000_000
    assert of.bound == pytest.approx(3350e9 / (2 * 12.88e9 + of.sequence), rel=0.001)
    assert "12.9 of its 46.7 billion" in model_words.kind_line(of).replace("\\", "")
    assert "12.9 billion" in speed_words.bound_line(of).replace("\\", "")
    assert "37 billion" in speed_words.bound_line(a_sum(preset="deepseek-v3", context="8k"))
    assert "experts" not in model_words.kind_line(a_sum(preset="llama-3.1-8b"))


def test_the_csv_has_a_line_a_context_and_its_bytes() -> None:
    of = a_sum(context="1000")
    header, *lines = model_words.to_csv(of).splitlines()
    columns = header.split(",")
    rows = [dict(zip(columns, line.split(","), strict=True)) for line in lines]
    assert "1000" in {row["tokens"] for row in rows}
    assert all(int(row["cache bytes"]) == int(row["tokens"]) * 131_072 for row in rows)


def test_own_numbers_survive_their_way_through_the_address() -> None:
    start = Numbers.read("", presets()["gemma-3-27b"])
    assert Numbers.read(start.said, presets()["gpt2"]) == start
    assert start.preset().shape == presets()["gemma-3-27b"].shape
    assert len(fields(Numbers)) == 8


def test_the_lines_of_the_charts_are_the_gpus_memories() -> None:
    figure = figures.over_context(a_sum(), LIGHT, log=True)
    heights = {shape.y0 for shape in figure.layout.shapes}
    assert 80 in heights
    assert heights <= {gpu.memory / 1e9 for gpu in gpus().values()}


# ---- heads, blocks, speed, the trade ---------------------------------------------------------------------


def test_the_models_that_share_are_those_of_the_cards() -> None:
    _, found = sharing(PROMPT)
    drawn = heads_scene.scene(found, TOKENIZER.texts)
    assert [(m["kv"], m["floats"]) for m in drawn["models"]] == [(8, 1024), (4, 512), (2, 256), (1, 128)]
    losses = [CARDS[f"stories-1m-h8-kv{kv}"].validation_loss or 0 for kv in (8, 4, 2, 1)]
    assert losses == sorted(losses)  # the last stage says that its loss is the highest
    assert [m["loss"] for m in drawn["models"]] == [f"{loss:.4f}" for loss in losses]
    assert drawn["models"][0]["token"] == "Sara"
    assert drawn["models"][0]["probability"] == "0.84"
    pack(drawn)


def test_both_memories_are_drawn_as_they_were_simulated() -> None:
    proof = paged_run(load_model(CARD.name), IDS, 8)
    drawn = blocks_scene.scene(blocks_scene.read(""), places=512, row=128, proof=proof)
    paged, rows = drawn["paged"], drawn["rows"]
    for step in range(len(paged["used"])):
        owner, tokens = paged["owner"][step], paged["tokens"][step]
        held = [int((owner == request).sum()) for request in range(len(tokens))]
        assert held == [-(-int(n) // BLOCK) for n in tokens]
        assert paged["reserved"][step] == BLOCK * sum(held)
    for step, starts in enumerate(rows["start"]):
        assert rows["reserved"][step] == 128 * int((starts != blocks_scene.NOWHERE).sum())
    assert max(paged["running"]) > max(rows["running"])
    assert "0" in drawn["proof"]["values"]["order"]
    pack(drawn)


def test_edited_requests_are_the_address_and_back() -> None:
    assert blocks_scene.from_lines(blocks_scene.lines("")) == ""
    assert blocks_scene.from_lines("0 1 2\n\n3, 4, 5\n") == "0-1-2_3-4-5"
    assert [r.arrives for r in blocks_scene.read("0-1-2_3-4-5")] == [0, 3]


@pytest.mark.parametrize("said", ["-", "1-2", "a-b-c", "1-2-3-4", "0-1-2_", "0--1-2"])
def test_requests_that_are_none_get_a_sentence(said: str) -> None:
    with pytest.raises(TraceError):
        blocks_scene.scene(blocks_scene.read(said), places=512, row=128, proof=None)


def test_measured_batches_are_told_and_drawn() -> None:
    points = [BatchPoint(b, 1.9e-3, 2e-3, 3e-3, 9, 4000, 1000 * b, b, True, 1e-6 * b) for b in (1, 2, 4)]
    said = [speed_words.measured_line(points), speed_words.why_line(points), speed_words.proof_line(points)]
    assert "2,000 tokens a second" in said[0].replace("\\", "")
    assert "fixed cost" in said[1]
    assert "all the same" in said[2]
    wide = [*points, BatchPoint(8, 1e-3, 2e-3, 3e-3, 9, 4000, 8000, 8, True, 0.0)]
    assert "say little" in speed_words.why_line(wide)
    assert not [line for line in said if "{" in line]
    assert len(speed_words.rows(points)) == 3
    assert speed_words.to_csv(points).splitlines()[0].startswith("batch,q25,median")
    figures.measured(points, LIGHT)
    figures.read_bytes(speed_words.counted_points(CARD.config, Load.of(CARD.config)), LIGHT)


def timed(length: int, cached: float, naive: float, difference: float = 2e-6) -> Row:
    """A row as the clock gives it, with quartiles a tenth away."""
    points = {
        path: Point(path, length, 0.9 * took, took, 1.1 * took, 40)
        for path, took in ((CACHED, cached), (NAIVE, naive))
    }
    return Row(length, points, True, difference)


def lines(drawn: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {line["name"]: (line["with"], line["without"]) for line in drawn["rows"]}


def test_the_trade_tells_the_times_that_were_measured_and_who_wins() -> None:
    rows = [timed(1, 1e-3, 1e-3), timed(14, 1e-3, 2e-3, 5e-6)]
    drawn = trade_scene.scene(CARD.config, 14, rows, "waiting")
    told = lines(drawn)
    assert told["Time of this step"] == ("1.00 ms", "2.00 ms, 2.0 times as long")
    assert told["Time of all 14 steps, token by token"] == ("14 ms", "21 ms, 1.5 times as long")
    assert told["What comes out"] == (
        "the same next token as without, at 1, 14 tokens",
        "logits that differ by 5.0e−6 at most: rounding",
    )
    assert "11 times as much, and takes 2.0 times as long: the cache wins" in drawn["note"]
    for cached, said in ((1.95e-3, "the clock does not decide"), (9e-3, "the cache loses")):
        note = trade_scene.scene(CARD.config, 14, [rows[0], timed(14, cached, 2e-3)], "")["note"]
        assert said in note


def test_the_trade_counts_what_the_engine_counts() -> None:
    drawn = trade_scene.scene(CARD.config, 14, [], "being measured")
    assert lines(drawn)["Time of this step"] == ("being measured", "being measured")
    assert drawn["note"] == ""
    text = json.dumps(drawn, ensure_ascii=False)
    assert "11,702,272" in text
    assert "56 KiB" in text
    assert "1 + 2 + … + 14 = 105" in text
    assert not re.search(r"\{\w+\}", json.dumps(drawn["rows"]))


def test_sizes_are_told_in_binary_units() -> None:
    assert [size(n) for n in (1, 57_344, 2**34, 1.5 * 2**40)] == ["1 byte", "56 KiB", "16 GiB", "1.5 TiB"]
    assert [digits(x) for x in (0.529, 8.58, 62, 1024.4)] == ["0.53", "8.58", "62", "1,024"]


def test_no_sentence_has_a_number_that_the_engine_could_give() -> None:
    told = [text for part in ("now", "heads", "blocks", "speed", "trade") for text in texts(WORDS[part])]
    typed = [text for text in told if re.search(r"\d{3}", text)]
    assert typed == []
    assert names(WORDS["now"]["step"]) == {"token", "token_bytes", "n"}


def texts(table: object) -> list[str]:
    if isinstance(table, str):
        return [table]
    parts = table.values() if isinstance(table, dict) else table
    return [text for part in parts for text in texts(part)]  # type: ignore[attr-defined]


def test_a_line_of_bytes_is_straight() -> None:
    used = grow(load_model(CARD.name), IDS, new=5).used
    line = figures.straight(range(14, 20), used, LIGHT).data[0]
    assert np.ptp(np.diff(line.y)) == 0
