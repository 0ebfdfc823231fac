"""Rows that are reserved, and blocks: what each holds at every step, and what the model makes of blocks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvengine import KVCache, load_model, load_tokenizer
from kvengine.paged_cache import PagedCache, paged_run
from kvengine.paging import BLOCK, Moment, Request, TraceError, simulate
from tests.engine.reference import random_ids, tiny_model

requests = st.lists(
    st.builds(Request, st.integers(0, 40), st.integers(1, 60), st.integers(1, 60)), min_size=1, max_size=8
)


def is_sound(moment: Moment, places: int) -> bool:
    """No place belongs to two, none lies outside, and everyone has room for its tokens."""
    taken = [place for held in moment.held for start, n in held.spans for place in range(start, start + n)]
    return (
        len(taken) == len(set(taken)) == moment.reserved
        and all(0 <= place < places for place in taken)
        and all(0 < held.tokens <= held.reserved for held in moment.held)
    )


@given(requests, st.sampled_from([None, 4, BLOCK]), st.sampled_from([128, 256, 512]))
def test_every_request_is_served_in_a_sound_memory(
    trace: list[Request], block: int | None, places: int
) -> None:
    moments = simulate(trace, places=places, longest=128, block=block)
    assert all(is_sound(moment, places) for moment in moments)
    assert sorted(moments[-1].finished) == list(range(len(trace)))
    assert moments[-1].reserved == 0


@given(requests, st.sampled_from([256, 512]))
def test_a_block_wastes_less_than_itself_a_request(trace: list[Request], places: int) -> None:
    for moment in simulate(trace, places=places, longest=128, block=BLOCK):
        assert moment.wasted <= len(moment.held) * (BLOCK - 1)


def test_one_request_counted_by_hand() -> None:
    trace = [Request(1, 15, 3)]
    rows = simulate(trace, places=64, longest=32)
    blocks = simulate(trace, places=64, longest=32, block=16)
    assert [moment.used for moment in rows] == [0, 15, 16, 17, 18, 0]
    assert [moment.reserved for moment in rows] == [0, 32, 32, 32, 32, 0]
    assert [moment.reserved for moment in blocks] == [0, 16, 16, 32, 32, 0]
    assert [moment.wasted for moment in blocks] == [0, 1, 0, 15, 14, 0]


def test_more_run_at_once_in_the_same_memory() -> None:
    trace = [Request(0, 10, 10)] * 6
    rows = simulate(trace, places=128, longest=64)
    blocks = simulate(trace, places=128, longest=64, block=16)
    assert max(len(moment.held) for moment in rows) == 2
    assert max(len(moment.held) for moment in blocks) == 6
    assert len(blocks) < len(rows)


def test_where_no_block_is_free_the_last_request_is_put_back_and_ends_later() -> None:
    moments = simulate([Request(0, 16, 16), Request(0, 16, 16)], places=48, longest=32, block=16)
    assert moments[-1].put_back >= 1
    assert moments[-1].finished == (0, 1)


@pytest.mark.parametrize(
    ("trace", "said"),
    [
        ([], "There are 0 requests"),
        ([Request(0, 1, 1)] * 25, "There are 25 requests"),
        ([Request(-1, 1, 1)], "arrives at step -1"),
        ([Request(0, 0, 1)], "a prompt of 0"),
        ([Request(0, 1, 10**30)], "must be 1 to"),
        ([Request(0, 60, 60)], "grows to 120 tokens"),
    ],
)
def test_impossible_requests_get_a_sentence(trace: list[Request], said: str) -> None:
    with pytest.raises(TraceError, match=said):
        simulate(trace, places=128, longest=100)


def test_a_memory_without_room_for_a_row_gets_a_sentence() -> None:
    with pytest.raises(TraceError, match="does not fit"):
        simulate([Request(0, 1, 1)], places=64, longest=100)
    with pytest.raises(TraceError, match="A row of -1 places holds no token"):
        simulate([Request(0, 1, 1)], places=64, longest=-1)
    with pytest.raises(TraceError, match=r"A memory of about 10\^999 places is not served"):
        simulate([Request(0, 1, 1)], places=10**999, longest=100)


@pytest.mark.parametrize("block", [1, 3, 16])
def test_the_model_runs_on_scattered_blocks_as_on_an_unbroken_cache(block: int) -> None:
    model = tiny_model()
    ids = random_ids(model.config.vocab_size, 20)
    plain = KVCache(model.config, dtype=model.dtype)
    paged = PagedCache(model.config, dtype=model.dtype, block=block)
    for part in (ids[:, :9], ids[:, 9:10], ids[:, 10:]):
        difference = (model(part, plain) - model(part, paged)).abs().max()
        assert difference < 1e-12
    order = list(paged.table)
    assert len(order) == -(-20 // block)
    assert order != sorted(order) or len(order) < 3


def test_blocks_change_the_memory_and_not_the_text() -> None:
    name = "stories-1m-h8-kv4"
    run = paged_run(load_model(name), load_tokenizer(name).encode("Once upon a time"), 20)
    assert run.same
    assert run.difference < 1e-4
    tokens = len(load_tokenizer(name).encode("Once upon a time")) + 19
    assert len(run.table) == -(-tokens // BLOCK)
    assert run.used_bytes == len(run.table) * BLOCK * 512 * 4
