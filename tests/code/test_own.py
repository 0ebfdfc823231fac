"""The cache to copy, and its bugs: each is run, as a text by itself and in the trained model."""

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from explainer.code import runs
from explainer.code.changes import scene
from explainer.code.listing import pieces
from explainer.code.own import (
    BASE,
    CHANGES,
    TEXT,
    Outcome,
    marked_lines,
    module,
    printed,
    text_of,
    time_appending,
    try_out,
)
from explainer.code.words import WORDS
from explainer.kit.words import names
from kvengine import generate, load_model, load_tokenizer
from kvengine.lines import decode_step
from kvengine.proof import TOLERANCE
from tests.engine.reference import random_ids, tiny_model

NAME, GROUPED = "stories-1m-h8-kv8", "stories-1m-h8-kv2"
PROMPT = "Tom and Sara went to the park. Tom gave the ball to"


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    found = {}
    for change in CHANGES:
        name = GROUPED if change == "expanded" else NAME
        found[change] = try_out(load_model(name), load_tokenizer(name).encode(PROMPT), change)
    return found


def run(text: str, folder: Path) -> str:
    """What a Python prints that knows nothing of this repository."""
    file = folder / "copied.py"
    file.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-I", str(file)], cwd=folder, capture_output=True, text=True, check=True, timeout=60
    )
    assert not done.stderr
    return done.stdout.rstrip("\n")


def test_the_text_needs_numpy_alone_and_its_cache_has_twelve_lines() -> None:
    tree = ast.parse(TEXT)
    imported = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert [ast.unparse(node) for node in imported] == ["import numpy as np"]
    (cache,) = (node for node in tree.body if isinstance(node, ast.ClassDef))
    lines = TEXT.splitlines()[cache.lineno - 1 : cache.end_lineno]
    assert len([line for line in lines if line.strip()]) == 12


@pytest.mark.parametrize("change", ["none", "twice"])
def test_the_copied_text_runs_in_a_fresh_python_and_prints_what_the_page_says(
    change: str, tmp_path: Path
) -> None:
    assert run(text_of(change), tmp_path) == printed(change)


@pytest.mark.parametrize("change", CHANGES)
def test_each_change_is_made_once_and_shown_as_it_is_run(change: str) -> None:
    for old, new in CHANGES[change]:
        assert TEXT.count(old) == 1
        assert new in text_of(change)
    marked = marked_lines(change)
    assert "\n".join(line for mark, line in marked if mark != "-") == text_of(change).rstrip("\n")
    assert "\n".join(line for mark, line in marked if mark != "+") == TEXT.rstrip("\n")
    assert (change == "none") == all(not mark for mark, _ in marked)


def test_the_right_text_is_the_engine_s(outcomes: dict[str, Outcome]) -> None:
    right = outcomes["none"]
    ids = load_tokenizer(NAME).encode(PROMPT)
    steps = generate(load_model(NAME), ids, max_new_tokens=len(right.token_ids), use_cache=False)
    assert right.token_ids == right.right_ids == tuple(step.token_id for step in steps)
    assert max(right.differences) < 1e-4
    assert right.used == right.right


def test_the_text_has_the_rotation_of_the_model_that_it_runs_in() -> None:
    model = tiny_model(dtype=torch.float32, rope_theta=100_000.0)
    found = try_out(model, random_ids(model.config.vocab_size, 9)[0].tolist(), "none", words=3)
    assert max(found.differences) < 1e-4
    assert len(found.token_ids) == 3
    assert "position * 100_000.0 **" in text_of("twice", 100_000.0)
    assert all(not mark for mark, _ in marked_lines("none", 100_000.0))


def test_its_tensors_lie_where_the_model_is() -> None:
    """The model is not on torch's own default device here, as with KVENGINE_DEVICE: what names none fails."""
    model = tiny_model(dtype=torch.float32)
    with torch.device("meta"):
        found = try_out(model, [5, 3, 8, 1], "none", words=3)
        lines = decode_step(model, (5, 3, 8, 1), layer=1, use_cache=True)
    assert max(found.differences) < 1e-4
    assert {v.device for ran in lines.ran for v in ran.values.values() if isinstance(v, torch.Tensor)} == {
        model.device
    }


def copied(change: str, rows: int) -> list[int]:
    """Earlier rows of keys and values that each of so many appends, a row each, puts into other memory."""
    kept, row = module(change)["Cache"](1, 2, 2, 16, rows), np.ones((2, 1, 16), np.float32)
    found: list[int] = []
    before: tuple[np.ndarray, ...] = ()
    for _ in range(rows):
        now = kept.update(0, row, row)
        kept.advance(1)
        pairs = zip(before, now, strict=False)
        found.append(sum(was.shape[1] for was, new in pairs if not np.shares_memory(was, new)))
        before = now
    return found


def test_growing_changes_no_digit_and_copies_every_row_at_every_append(outcomes: dict[str, Outcome]) -> None:
    assert outcomes["grow"].differences == outcomes["none"].differences
    assert copied("none", 9) == [0] * 9
    assert copied("grow", 9) == [2 * rows for rows in range(9)]


def test_the_time_of_an_append_is_that_of_what_it_copies() -> None:
    """A measured time, as the page shows it: the ratios are about 8 and 20, and 1 is enough."""
    config = load_model(NAME).config
    grown, placed = (time_appending(config, change) for change in ("grow", "none"))
    assert grown.long > max(grown.short, placed.long)


@pytest.mark.parametrize("change", ["offset", "mask"])
def test_what_is_right_in_the_prefill_goes_wrong_with_the_first_decode_step(
    change: str, outcomes: dict[str, Outcome]
) -> None:
    first, *later = outcomes[change].differences
    assert first < 1e-4
    assert min(later) > 100 * TOLERANCE


def test_keys_turned_twice_pass_their_own_check_and_are_wrong(outcomes: dict[str, Outcome]) -> None:
    difference = float(printed("twice").splitlines()[0].split()[-1])
    assert difference < 1e-5
    assert min(outcomes["twice"].differences) > 100 * TOLERANCE
    assert outcomes["twice"].token_ids != outcomes["twice"].right_ids


def test_the_wrong_layer_is_wrong_from_the_first_word(outcomes: dict[str, Outcome]) -> None:
    assert min(outcomes["layers"].differences) > 100 * TOLERANCE


def test_expanded_heads_give_the_same_text_for_the_group_s_size_in_memory(
    outcomes: dict[str, Outcome],
) -> None:
    expanded = outcomes["expanded"]
    assert expanded.token_ids == expanded.right_ids
    assert max(expanded.differences) < 1e-4
    assert expanded.used == load_model(GROUPED).config.group_size * expanded.right


def test_the_top_left_mask_is_torch_s_is_causal() -> None:
    """With one row behind a warm cache, and with three."""
    rng = np.random.default_rng(1)
    k, v = (rng.normal(size=(2, 9, 16)).astype(np.float32) for _ in range(2))
    for rows in (1, 3):
        q = rng.normal(size=(2, rows, 16)).astype(np.float32)
        tensors = (torch.from_numpy(part)[None] for part in (q, k, v))
        expected = F.scaled_dot_product_attention(*tensors, is_causal=True)[0].numpy()
        np.testing.assert_allclose(module("mask")["attention"](q, k, v), expected, atol=1e-5)
        assert np.abs(module("none")["attention"](q, k, v) - expected).max() > 0.1


def test_every_sentence_about_a_change_can_be_filled_in(outcomes: dict[str, Outcome]) -> None:
    model = load_model(NAME)
    appending = {key: time_appending(model.config, key) for key in ("none", "grow")}
    text_of_token = load_tokenizer(NAME).token_text
    data = scene(outcomes, appending, text_of_token, base=BASE, expanded_in=load_model(GROUPED).config)
    for change in data["changes"]:
        shown = [data["lines"][line] for mark, line in change["code"] if mark != "-"]
        assert shown == pieces(text_of(change["key"]).rstrip("\n"))
        own = WORDS["own"]
        used = [change["focus"], own[change["verdict"]], own[change["memory"]], own["table_note"]]
        used += [own["appending"], own["times"]] if change["appending"] else []
        assert names(used) <= set(change["values"])
        verdicts = {"none": "right", "grow": "right", "expanded": "right"}
        assert change["verdict"] == verdicts.get(change["key"], "wrong")


def test_the_library_s_lines_print_in_a_fresh_process_what_the_page_shows() -> None:
    done = subprocess.run(
        [sys.executable, "-c", runs.TEN_LINES], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.rstrip("\n") == runs.library()["printed"]
    assert "next token:  Sara" in done.stdout
    code = [line for line in runs.TEN_LINES.splitlines() if line and "import" not in line]
    assert len(code) == 9
