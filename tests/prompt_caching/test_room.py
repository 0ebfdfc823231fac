"""A learner's store: its prompts, its history, and its tree."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from explainer.kit.cache import tokenizer
from explainer.prompt_caching.choice import LONGEST, TEXTS
from explainer.prompt_caching.room import KEPT, Room, prompt_of
from explainer.prompt_caching.tree import bars
from kvengine import ContextLengthError, PromptError
from kvengine.prefix import PrefixCache, Slab

NAME = "stories-1m-h8-kv8"
PROMPT = TEXTS["prompt"]
TEXT = (PROMPT["system"], PROMPT["documents"], PROMPT["question"])


def send(room: Room, *texts: str) -> list[str]:
    """What became of the bars of the tree."""
    return [bar.state for bar in room.send(texts, temperature=0.0, seed=0).tree]


def test_parts_are_cut_into_tokens_by_themselves() -> None:
    ids, sizes = prompt_of(NAME, TEXT)
    assert sum(sizes) == len(ids)
    assert tokenizer(NAME).decode(list(ids)) == "\n".join(TEXT)
    other, _ = prompt_of(NAME, (*TEXT[:2], "Something else"))
    assert other[: sum(sizes[:2])] == ids[: sum(sizes[:2])]


@pytest.mark.parametrize("texts", [("", "", ""), ("", "a", ""), ("🙂", " ", "\n")])
def test_empty_and_odd_parts_are_prompts_too(texts: tuple[str, str, str]) -> None:
    ids, sizes = prompt_of(NAME, texts)
    assert sum(sizes) == len(ids) >= 1
    assert Room(NAME, 16, 256).send(texts, temperature=0.0, seed=0).served.reused == 0


def test_the_same_beginning_is_read_the_tree_forks_and_is_pruned() -> None:
    room = Room(NAME, 16, 256)
    assert send(room, *TEXT) == ["new"]
    assert send(room, *TEXT[:2], "Lily wanted to get her") == ["read", "kept", "new"]
    for text in TEXTS["more"]["documents"]:
        states = send(room, TEXT[0], text, "Tom saw the dog and")
    assert "gone" in states, "the store has room for two stories and a half"
    assert room.history[-1].stored <= room.store.budget


def test_nothing_is_kept_in_a_store_without_room_and_what_no_model_can_run_is_refused() -> None:
    room = Room(NAME, 16, 0)
    assert send(room, *TEXT) == send(room, *TEXT) == []
    with pytest.raises(PromptError, match="characters"):
        room.send(("a" * (LONGEST + 1), "", ""), temperature=0.0, seed=0)
    with pytest.raises(ContextLengthError, match="512 positions"):
        room.send(("🙂" * 600, "", ""), temperature=0.0, seed=0)
    assert len(room.history) == 2


def test_the_history_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(NAME, 1, 64)
    for n in range(KEPT + 3):
        room.send(("", "", "a" * (n % 7)), temperature=0.0, seed=0)
    assert len(room.history) == KEPT
    assert room.history[-1].number == KEPT + 3
    room.empty()
    assert room.history == []
    assert room.store.blocks == ()


def test_two_rooms_share_nothing() -> None:
    mine, other = Room(NAME, 16, 256), Room(NAME, 16, 256)
    send(mine, *TEXT)
    assert other.store.blocks == ()
    assert other.send(TEXT, temperature=0.0, seed=0).served.reused == 0


SLAB: Slab = (torch.zeros(1), torch.zeros(1))


@given(st.lists(st.text("ab", max_size=7), max_size=6))
@settings(max_examples=60)
def test_the_bars_are_the_blocks_each_once_and_no_two_overlap(texts: list[str]) -> None:
    store: PrefixCache[Slab] = PrefixCache(block_size=2, block_bytes=1, budget=99)
    for text in texts:
        store.store([ord(letter) for letter in text], lambda start, end: SLAB)
    born = {block.key: i for i, block in enumerate(store.blocks)}
    drawn = bars(
        store.blocks, root=store.root, read=(), new=(), gone=(), born=born, text_of=lambda ids: str(len(ids))
    )
    assert sum(bar.blocks for bar in drawn) == len(store.blocks)
    cells = [(bar.row, token) for bar in drawn for token in range(bar.start, bar.start + bar.length)]
    assert len(cells) == len(set(cells)) == 2 * len(store.blocks)
    for bar in drawn:
        if bar.start and bar.above >= 0:
            assert any(o.row == bar.above and o.start + o.length == bar.start for o in drawn)


def test_hundreds_of_blocks_of_one_token_are_drawn_without_recursion() -> None:
    room = Room(NAME, 1, 1024)
    entry = room.send(("a story " * 100, "", ""), temperature=0.0, seed=0)
    assert len(entry.tree) == 1
    assert entry.tree[0].blocks > 200
