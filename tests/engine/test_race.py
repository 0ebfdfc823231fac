"""The race with a clock of our own: who runs when, and what falls into the clock."""

from collections.abc import Iterator
from itertools import count, pairwise

import pytest

from kvengine import KVCache, Transformer, generate, load_model
from kvengine.race import BLOCK, FIRSTS, REHEARSALS, race
from kvengine.timing import CACHED, NAIVE

PROMPT = (0, 400, 12, 33, 7)
MANY = 2 * BLOCK + 5  # two whole turns behind the first token, and a short one


@pytest.fixture(scope="module")
def model() -> Transformer:
    return load_model("stories-1m-h8-kv2")


class Watched(Transformer):
    """A model that notes its passes, and whether a clock was running: "cached", "naive", "(cached)", …"""

    def __init__(self, model: Transformer) -> None:
        vars(self).update(vars(model))
        self.noted: list[tuple[str, int]] = []  # the path, and the tokens run
        self.untimed: list[tuple[str, int]] = []
        self.looks = 0

    def clock(self) -> float:
        self.looks += 1
        return float(self.looks)

    def __call__(self, token_ids, cache=None, tap=None, *, last_only=False):  # type: ignore[no-untyped-def]
        path, running = NAIVE if cache is None else CACHED, self.looks % 2 == 1
        (self.noted if running else self.untimed).append((path, token_ids.shape[1]))
        if not running:
            self.noted.append((f"({path})", token_ids.shape[1]))
        return super().__call__(token_ids, cache, tap, last_only=last_only)


def test_both_paths_generate_what_generate_does(model: Transformer) -> None:
    steps = list(race(model, PROMPT, max_new_tokens=MANY))
    expected = [
        (s.position, s.token_id) for s in generate(model, PROMPT, max_new_tokens=MANY, use_cache=True)
    ]
    for path in (CACHED, NAIVE):
        assert [(s.position, s.token_id) for s in steps if s.path == path] == expected


def test_each_step_is_timed_by_its_own_two_looks_at_the_clock(model: Transformer) -> None:
    ticks = count()
    steps = list(race(model, PROMPT, max_new_tokens=MANY, clock=lambda: float(next(ticks))))
    assert [step.seconds for step in steps] == [1.0] * 2 * MANY
    assert next(ticks) == 2 * (2 * MANY + 2 * (FIRSTS - 1))


def test_paths_take_turns_in_blocks_and_each_turn_begins_with_passes_outside_the_clock(
    model: Transformer,
) -> None:
    watched = Watched(model)
    list(race(watched, PROMPT, max_new_tokens=MANY, clock=watched.clock))
    n = len(PROMPT)
    expected = [(f"({path})", n) for path in (CACHED, NAIVE) for _ in range(REHEARSALS[path])]
    expected += [(path, n) for _ in range(FIRSTS) for path in (CACHED, NAIVE)]
    for start in range(1, MANY, BLOCK):
        size = min(BLOCK, MANY - start)
        expected += [("(cached)", 1)] * REHEARSALS[CACHED] + [(CACHED, 1)] * size
        expected += [("(naive)", n + start)] * REHEARSALS[NAIVE]
        expected += [(NAIVE, n + start + i) for i in range(size)]
    assert watched.noted == expected
    assert min(REHEARSALS.values()) >= 1


def test_the_first_token_is_the_median_of_several_prefills(model: Transformer) -> None:
    durations = iter([9.0, 1.0, 1.0, 2.0, 8.0, 3.0, 7.0, 4.0, 3.0, 5.0, 4.0, 6.0, 5.0, 7.0])
    now, inside = 0.0, False

    def clock() -> float:
        nonlocal now, inside
        now += next(durations, 1.0) if inside else 0.0
        inside = not inside
        return now

    first = list(race(model, PROMPT, max_new_tokens=1, clock=clock))
    assert [(s.path, s.seconds, s.repeats) for s in first] == [(CACHED, 5.0, 7), (NAIVE, 4.0, 7)]


def test_the_cache_is_there_before_a_clock_starts(
    model: Transformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, made = [], []
    init = KVCache.__init__

    def noted(self: KVCache, *args: object, **kwargs: object) -> None:
        made.append(len(began))
        init(self, *args, **kwargs)  # type: ignore[arg-type]

    def clock() -> float:
        began.append(0)
        return 0.0

    monkeypatch.setattr(KVCache, "__init__", noted)
    list(race(model, PROMPT, max_new_tokens=3, clock=clock))
    assert made == [0]


def test_a_stopped_race_ends_before_the_next_step_and_keeps_what_was_timed(model: Transformer) -> None:
    for after in (0, 2 * FIRSTS + 5, 2 * FIRSTS + BLOCK + 9):
        asked = count()

        def stopped(asked: Iterator[int] = asked, after: int = after) -> bool:
            return next(asked) >= after

        watched = Watched(model)
        steps = list(race(watched, PROMPT, max_new_tokens=400, clock=watched.clock, stopped=stopped))
        timed = len([path for path, _ in watched.noted if not path.startswith("(")])
        assert timed <= after + 2
        own = {path: [s.position for s in steps if s.path == path] for path in (CACHED, NAIVE)}
        for positions in own.values():
            assert all(b == a + 1 for a, b in pairwise(positions))
        assert bool(steps) == (after > 0)


def test_a_race_fills_the_model_to_its_last_position(model: Transformer) -> None:
    prompt = [0] * (model.config.max_seq_len - 2)
    steps = list(race(model, prompt, max_new_tokens=2))
    assert [s.position for s in steps if s.path == NAIVE] == [len(prompt), len(prompt) + 1]
