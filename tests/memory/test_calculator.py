"""What the calculator computes, says and draws, without a browser."""

from dataclasses import fields

import pytest

from explainer.kit.palette import LIGHT
from explainer.memory import figures, model_words, speed_words
from explainer.memory.calculator import Numbers, Sum, calculate
from explainer.memory.choice import OWN, RUNNING, MemoryChoice
from explainer.memory.numbers import whole
from explainer.memory.words import digits, size
from kvengine import available_models
from kvengine.memory import SizeError
from kvengine.presets import gpus, presets

CARD = next(card for card in available_models() if card.name == "stories-1m-h8-kv8")


def a_sum(**changes: str) -> Sum:
    return calculate(MemoryChoice(**changes), CARD)


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
        ({"preset": OWN, "own": OWN_NUMBERS.replace("_0_0", "_-4_0")}, "[Ww]indow"),
        ({"preset": OWN, "own": OWN_NUMBERS.replace("_4096_", "_x_")}, "^d_model: “x” is no"),
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


def test_a_latent_cache_is_held_against_the_keys_and_values_that_it_stands_for() -> None:
    of = a_sum(preset="deepseek-v3", context="8k")
    assert of.token == 70_272  # 68.6 KiB
    assert "4.77 MiB a token, 71.1 times as much" in model_words.kind_line(of).replace("\\", "")
    assert of.wrong["expanded"] * of.token == pytest.approx(5.0e6, rel=0.001)


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


def test_sizes_are_told_in_binary_units() -> None:
    assert [size(n) for n in (1, 57_344, 2**34, 1.5 * 2**40)] == ["1 byte", "56 KiB", "16 GiB", "1.5 TiB"]
    assert [digits(x) for x in (0.529, 8.58, 62, 1024.4)] == ["0.53", "8.58", "62", "1,024"]
