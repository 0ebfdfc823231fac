"""What the memory page's scenes and charts hold, without a browser."""

import re

import pytest
import torch

from explainer.kit.encode import pack
from explainer.kit.words import names
from explainer.memory import blocks_scene, heads_scene
from explainer.memory.choice import NEW
from explainer.memory.runs import sharing
from explainer.memory.scene import Dragged, measured, scene
from explainer.memory.words import WORDS
from kvengine import KVCache, ModelCard, available_models, load_model, load_tokenizer
from kvengine.growth import grow
from kvengine.memory import FORMATS
from kvengine.paged_cache import paged_run
from kvengine.paging import BLOCK, TraceError

CARDS = {card.name: card for card in available_models()}
CARD = CARDS["stories-1m-h8-kv8"]
TOKENIZER = load_tokenizer(CARD.name)
PROMPT = "Tom and Sara went to the park. Tom gave the ball to"
IDS = tuple(TOKENIZER.encode(PROMPT))


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


# ---- heads and blocks ------------------------------------------------------------------------------------


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
