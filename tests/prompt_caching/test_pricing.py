"""What requests cost: each rule by itself, with numbers that can be checked by hand."""

import math
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explainer.prompt_caching.prices import Prices, examples, prices_scene, requests_of
from explainer.prompt_caching.pricing import (
    LIMITS,
    MODES,
    PROVIDERS,
    Request,
    Rules,
    bills,
    break_even,
    common,
    conversation,
    edited,
    presets,
    scaled,
)

#: An automatic cache without any surcharge, whose price makes the bill readable: a token costs 1.
PLAIN = Rules(
    minimum=0,
    step=1,
    mode="prefix",
    lookback=0,
    lifetime=0,
    refresh=True,
    write=1,
    read=0.1,
    storage=0,
    price=1e6,
)


def sent(*texts: str, every: float = 1) -> list[Request]:
    """Requests with a breakpoint at the end of each."""
    return [Request(tuple(text), i * every, ((len(text), 1),)) for i, text in enumerate(texts)]


def told(rules: Rules, *texts: str, every: float = 1) -> list[tuple[int, int, int]]:
    return [(bill.read, bill.written, bill.plain) for bill in bills(rules, sent(*texts, every=every))]


def test_the_longest_known_beginning_is_read() -> None:
    assert told(PLAIN, "abcdef", "abcxyz", "abcxyq") == [(0, 6, 0), (3, 3, 0), (5, 1, 0)]


def test_below_the_minimum_nothing_is_written_or_read() -> None:
    rules = replace(PLAIN, minimum=5)
    assert told(rules, "abcd", "abcd") == [(0, 0, 4), (0, 0, 4)]
    assert told(rules, "abcdef", "abcdxx") == [(0, 6, 0), (0, 6, 0)], "four tokens are no hit either"


def test_hits_come_in_steps() -> None:
    rules = replace(PLAIN, step=4, minimum=4)
    assert told(rules, "abcdefghi", "abcdefxyz") == [(0, 8, 1), (4, 4, 1)]


def test_an_explicit_breakpoint_is_all_or_nothing() -> None:
    rules = replace(PLAIN, mode="breakpoints")
    assert told(rules, "abcd", "abcx") == [(0, 4, 0), (0, 4, 0)]
    assert told(rules, "abcd", "abcdef") == [(0, 4, 0), (4, 2, 0)]


def test_breakpoints_in_the_middle_serve_texts_that_part_behind_them() -> None:
    rules = replace(PLAIN, mode="breakpoints")
    first = Request(tuple("abcdef"), 0, ((3, 1), (6, 2)))
    second = Request(tuple("abcxyz"), 1, ((3, 1), (6, 2)))
    assert [bill.read for bill in bills(rules, [first, second])] == [0, 3]


def test_the_lookback_ends_after_so_many_blocks() -> None:
    rules = replace(PLAIN, mode="breakpoints", lookback=20)

    def hits(blocks: int) -> list[int]:
        chat = conversation(system=5, user=1, answer=1, every=1, blocks=blocks)
        return [bill.read for bill in bills(rules, chat)][1:4]

    assert hits(20) == [6, 8, 10]
    assert hits(21) == [0, 0, 0]


def test_what_is_kept_ends_with_its_lifetime_and_a_read_refreshes_it() -> None:
    rules = replace(PLAIN, lifetime=10)
    assert [read for read, _, _ in told(rules, "abc", "abc", "abc", every=9)] == [0, 3, 3]
    assert [read for read, _, _ in told(rules, "abc", "abc", every=10)] == [0, 0]
    fixed = replace(rules, refresh=False)
    assert [read for read, _, _ in told(fixed, "abc", "abc", "abc", every=9)] == [0, 3, 0]


def test_a_unit_must_match_whole_and_a_shared_beginning_helps_the_third() -> None:
    rules = replace(PLAIN, mode="units")
    assert [read for read, _, _ in told(rules, "abcd", "abxy", "abqr")] == [0, 0, 2]


def test_the_end_of_an_answer_is_a_unit() -> None:
    rules = replace(PLAIN, mode="units")
    first = Request(tuple("abc"), 0, (), tuple("de"))
    again = Request(tuple("abcdefg"), 1, ())
    assert [bill.read for bill in bills(rules, [first, again])] == [0, 5]


def test_a_bill_is_its_tokens_times_their_factors() -> None:
    rules = replace(PLAIN, minimum=4, step=4, write=1.25, read=0.1)
    first, second = bills(rules, sent("abcdefgh", "abcdxy"))
    assert first.cost == pytest.approx(8 * 1.25)
    assert second.cost == pytest.approx(4 * 0.1 + 2)
    assert (first.full, second.full) == (8, 6)


def test_storage_is_billed_for_as_long_as_it_lasts() -> None:
    rules = replace(PLAIN, storage=3600e6, lifetime=10, read=0, write=0, price=0)
    first, second = bills(rules, sent("abcd", "abcd", every=4))
    assert first.cost == pytest.approx(4 * 10)
    assert second.cost == pytest.approx(4 * 4), "a read makes it last four seconds longer"


@given(
    st.lists(st.text("ab", max_size=6), min_size=1, max_size=6),
    st.sampled_from(MODES),
    st.integers(0, 4),
    st.integers(1, 3),
)
def test_every_token_is_read_or_written_or_neither(
    texts: list[str], mode: str, minimum: int, step: int
) -> None:
    rules = replace(PLAIN, mode=mode, minimum=minimum, step=step)
    for text, bill in zip(texts, bills(rules, sent(*texts)), strict=True):
        assert min(bill.read, bill.written, bill.plain) >= 0
        assert bill.read + bill.written + bill.plain == len(text)
        assert bill.cost <= bill.full + 1e-9, "without a surcharge caching never costs more"


def test_the_break_even_is_that_of_the_providers_own_guide() -> None:
    """Two requests at ×1.25 and a read at ×0.1 (1.35 < 2), three at ×2 (2.2 < 3)."""
    assert break_even(presets()["opus"], 5000, 60) == 2
    assert break_even(presets()["opus_hour"], 5000, 60) == 3
    assert break_even(presets()["opus"], 5000, 301) is None, "each comes after the last has expired"
    assert break_even(presets()["opus"], 511, 60) is None
    assert break_even(PLAIN, 5000, 60) == 2


def test_twenty_turns_read_all_but_what_is_new() -> None:
    chat = conversation(system=3000, user=200, answer=300, every=60, blocks=2)
    found = bills(presets()["opus"], chat)
    assert len(found) == 20
    assert [bill.read for bill in found[:3]] == [0, 3200, 3700]
    assert all(bill.written == 500 for bill in found[1:])


@pytest.mark.parametrize("key", list(presets()))
def test_every_preset_can_be_shown_and_checked(key: str) -> None:
    given = PROVIDERS["rules"][key]
    rules = presets()[key]
    assert rules.mode in MODES
    assert edited(rules, {name: getattr(rules, name) for name in LIMITS}) == (rules, [])
    if key != "own":
        assert given["source"]
        assert given["link"].startswith("https://")
        assert given["note"]
    assert date.fromisoformat(PROVIDERS["retrieved"]) <= date(2026, 11, 23)


@pytest.mark.parametrize(
    ("changes", "held"),
    [
        ({"read": 0.3}, []),
        ({"read": -1}, ["read"]),
        ({"read": math.nan}, ["read"]),
        ({"price": 1e300}, ["price"]),
        ({"step": 0}, ["step"]),
        ({"mode": "units"}, []),
        ({"mode": "other"}, ["mode"]),
        ({"minimum": "many"}, ["minimum"]),
        ({"refresh": 3, "nonsense": 1}, ["refresh", "nonsense"]),
        ({"lifetime": True}, ["lifetime"]),
    ],
)
def test_edited_rules_stay_within_limits(changes: dict[str, object], held: list[str]) -> None:
    rules, refused = edited(PLAIN, changes)
    assert refused == held
    assert all(0 <= getattr(rules, name) <= max(most, 1e6) for name, most in LIMITS.items())
    assert bills(rules, sent("ab", "ab"))


# ---- the view --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"preset": "nobody"},
        {"preset": "opus", "rules": {"price": 7}},
        {"rules": "all"},
        {"scale": 7, "gap": "long"},
        {"talk": {"system": 1e9, "user": math.nan, "other": 3}},
        {"talk": [1]},
        {"rules": {"step": 10_000, "minimum": 0}},
    ],
)
def test_whatever_the_browser_sends_there_is_a_view(asked: dict[str, object]) -> None:
    prices = Prices()
    prices.choose(asked)
    scene = prices_scene(prices, "stories-1m-h8-kv8", [])
    assert len(scene["rows"]) == len(presets())
    assert len(scene["turns"]) == 20
    assert scene["example"]


def test_another_preset_forgets_what_was_changed_and_a_changed_one_is_marked() -> None:
    prices = Prices()
    prices.choose({"preset": "opus", "rules": {"price": 7}})
    assert prices.rules.price == 7
    rows = prices_scene(prices, "stories-1m-h8-kv8", [])["rows"]
    assert [row["name"].endswith("*") for row in rows] == [row["key"] == "opus" for row in rows]
    prices.choose({"preset": "fable"})
    assert prices.rules == presets()["fable"]


def test_the_example_shares_all_but_the_question() -> None:
    found = examples("stories-1m-h8-kv8", 50, 60)
    told = bills(presets()["opus"], found)
    assert told[0].read == 0
    assert all(bill.read == found[0].breaks[1][0] for bill in told[1:])
    assert requests_of([], 50, 60) == []


def test_a_scaled_text_parts_where_the_text_does() -> None:
    assert len(set(scaled((0, 1, 2), 4))) == 12
    assert common(scaled((0, 1, 2), 4), scaled((0, 1, 7, 2), 4)) == 8


@given(st.lists(st.integers(0, 1)), st.lists(st.integers(0, 1)))
def test_the_common_beginning_is_the_longest(a: list[int], b: list[int]) -> None:
    n = common(a, b)
    assert a[:n] == b[:n]
    assert a[: n + 1] != b[: n + 1] or n == min(len(a), len(b))
