"""What the code page draws of a step, without a browser."""

import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch

from explainer.code import runs
from explainer.code.listing import files, joined, pieces
from explainer.code.scene import AGAIN, EMPTY, FRESH, READ, stop_called, stops_of_stages, wording
from explainer.code.words import WORDS, explained
from explainer.kit.units import byte_size
from explainer.kit.words import names, terms_in
from kvengine import KVCache, load_model, load_tokenizer
from kvengine.source import source_lines

NAME = "stories-1m-h8-kv2"
PROMPT = "Tom and Sara went to the park. Tom gave the ball to"


def make(name: str = NAME, *, position: int = 13, layer: int = 3, head: int = 5) -> dict[str, Any]:
    ids = tuple(load_tokenizer(name).encode(PROMPT))
    where = {"position": position, "layer": layer, "head": head}
    return runs.step(name, ids, **where, temperature=0.0, seed=0)


@pytest.fixture(scope="module")
def data() -> dict[str, Any]:
    return make()


@pytest.fixture(scope="module")
def stop(data: dict[str, Any]) -> Callable[[str], dict[str, Any]]:
    by_key = {stop["key"]: stop for stop in data["stops"]}
    return lambda key: by_key[key]


def test_every_line_that_is_stepped_to_has_words_of_its_own(data: dict[str, Any]) -> None:
    assert {stop["key"] for stop in data["stops"]} <= set(WORDS["line"]) - {"other"}


def test_the_sentences_name_only_what_is_there(data: dict[str, Any]) -> None:
    assert names(WORDS["line"]) <= set(data["values"])
    assert terms_in(WORDS) <= set(explained())


def test_the_listing_is_the_source() -> None:
    for file in wording()["files"]:
        source = source_lines(file["module"])
        for line in file["lines"]:
            assert joined(line["pieces"]).removesuffix(" …") == source[line["n"] - 1]


def test_a_stop_lies_on_lines_of_the_listing_that_ran(data: dict[str, Any]) -> None:
    listed = {file["module"]: [line["n"] for line in file["lines"]] for file in wording()["files"]}
    for stop in data["stops"]:
        lines = range(stop["first"], stop["last"] + 1)
        ran = data["ran"][stop["module"]]
        assert set(lines) <= set(listed[stop["module"]])
        assert stop["first"] in ran["both"] + ran["cached"]


def test_with_the_cache_the_history_is_read_and_without_it_made_again(stop: Any) -> None:
    for value in stop("__call__.k_all")["values"]:
        assert value["cached"]["state"] == [READ] * 13 + [FRESH]
        assert value["naive"]["state"] == [AGAIN] * 13 + [FRESH]
        assert 0 <= value["difference"] < 1e-4
        assert value["cached"]["cells"][-1] == pytest.approx(value["naive"]["cells"][-1], abs=1e-4)


def test_memory_that_nothing_was_written_to_is_empty(stop: Any) -> None:
    (k, v) = stop("update.all_k")["values"]
    assert k["cached"]["state"] == v["cached"]["state"] == [READ] * 13 + [EMPTY]
    (written,) = stop("update.all_k.copy_")["values"]
    assert written["cached"]["state"] == [READ] * 13 + [FRESH]
    assert "naive" not in written


def test_k_and_v_are_needed_in_every_layer_and_take_what_the_cache_holds(data: dict[str, Any]) -> None:
    model = load_model(NAME)
    cache = KVCache(model.config)
    model(torch.zeros(1, 14, dtype=torch.long), cache)
    assert data["values"]["kv_times"] == f"{model.config.n_layers} times"
    assert data["values"]["kv_all"] == byte_size(cache.used_bytes)
    assert data["values"]["kv_bytes"] == byte_size(cache.used_bytes // model.config.n_layers)
    assert data["stops"][stop_called(data["stops"], "k_all") - 1]["key"] == "__call__.k_all"
    assert stop_called(data["stops"], "nothing") == 0


def test_without_the_cache_a_layer_s_k_and_v_are_let_go_when_the_next_ones_take_their_names() -> None:
    made: list[weakref.ref[torch.Tensor]] = []
    alive = []

    def tap(name: str, tensor: torch.Tensor) -> torch.Tensor:
        if name.endswith(("k_all", "v_all")):
            made.append(weakref.ref(tensor))
        if name.endswith("v_all"):
            alive.append(sum(ref() is not None for ref in made))
        return tensor

    model = load_model(NAME)
    model(torch.zeros(1, 14, dtype=torch.long), None, tap)
    assert alive == [2] * model.config.n_layers


def test_one_row_is_computed_with_the_cache_and_all_without(stop: Any) -> None:
    for key in ("__call__.qkv", "__call__.attn.q_rot", "__call__.attn.scores", "__call__.ffn.gate"):
        (value,) = stop(key)["values"]
        assert value["cached"]["state"] == [FRESH]
        assert value["naive"]["state"] == [AGAIN] * 13 + [FRESH]


def test_every_value_of_the_new_row_agrees(data: dict[str, Any]) -> None:
    found = [value.get("difference") for stop in data["stops"] for value in stop["values"]]
    compared = [difference for difference in found if difference is not None]
    assert len(compared) > 25
    assert max(compared) < 1e-3


def test_the_head_s_own_matrix_is_drawn(stop: Any) -> None:
    (scores,) = stop("__call__.attn.scores")["values"]
    assert scores["cached"]["part"] == "head 5"
    (k, _) = stop("__call__.k_all")["values"]
    assert k["cached"]["part"] == "KV head 1"  # query heads 4 to 7 share it
    assert k["cached"]["shape"] == [1, 2, 14, 16]


def test_each_stage_of_the_walkthrough_has_its_lines(data: dict[str, Any]) -> None:
    found = stops_of_stages(data["stops"])
    assert set(found) == {1, 2, 3, 4, 5}
    assert found[1] < found[2] < found[3] < found[4]


@pytest.mark.parametrize("position", [1, 2, 60])
def test_any_token_can_be_shown_and_large_tensors_are_cut(position: int) -> None:
    found = make(position=position)
    for stop in found["stops"]:
        for value in stop["values"]:
            for side in ("cached", "naive"):
                shown = value.get(side, {})
                if "cells" in shown:
                    tall = shown["shape"][-2] if len(shown["shape"]) > 1 else 1
                    assert shown["cells"].shape[0] == len(shown["state"]) == min(16, tall)
                    assert shown["cells"].shape[1] <= 16


def test_what_ran_is_marked_line_by_line(data: dict[str, Any]) -> None:
    marks = {
        (module, n): how for module, marked in data["ran"].items() for how in marked for n in marked[how]
    }
    ran = {
        joined(line["pieces"]).strip(): marks.get((file["module"], line["n"]))
        for file in wording()["files"]
        for line in file["lines"]
    }
    assert ran["cache = KVCache("] == "cached"
    assert ran["fresh = token_ids if cache is None else token_ids[cache.length :]"] == "both"
    assert ran["cache.advance(q_len)"] == "cached"
    assert ran["raise ContextLengthError("] == "never"


def test_pieces_of_code_joined_are_the_code() -> None:
    text = 'def f(a):\n    """Two\n    lines."""\n    b = a.a + 1  # a\n    return f"{b}"'
    lines = pieces(text, {"a", "b"})
    assert "\n".join(map(joined, lines)) == text
    assert lines[3] == [
        "    ",
        ("b", "", "b"),
        " = ",
        ("a", "", "a"),
        ".a + ",
        ("1", "num", ""),
        "  ",
        ("# a", "com", ""),
    ]
    assert ("f", "def", "") in lines[0]


def test_the_files_are_those_of_a_step() -> None:
    assert [file["name"] for file in files()] == [
        "kvengine/generate.py",
        "kvengine/model.py",
        "kvengine/cache.py",
    ]
