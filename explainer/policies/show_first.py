"""The first token: the same windows on a small model and on a real one, with and without it."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import streamlit as st

from explainer.kit import cache, sheet
from explainer.kit.charts import chart, palette, prose
from explainer.kit.lab import LAB
from explainer.kit.runs import begin, polling, watched
from explainer.policies import figures, pairs
from explainer.policies.controls import save
from explainer.policies.kept import gathered
from explainer.policies.measure import FIRSTS, LATE, SHOWN, WIDE, WINDOWS, FirstPoint, FirstToken, Tried
from explainer.policies.show_loss import LENGTH, setting, small, stories
from explainer.policies.words import TEXTS, label, nats, percent, tell
from kvengine.forgetting import FirstRow
from kvengine.weights import SMOLLM2

RUN = "policies_first"
#: The first token of the prose that counts: by then every window has dropped rows.
REAL_LATE = WIDE + 8
#: Nats per token whose loss counts as breaking.
BREAKS = 0.2
#: What stands first in the text instead of the start token, to tell the token from its place.
OTHER = " and"


def real() -> str | None:
    """The real model, where this server has it."""
    return next((card.name for card in cache.further() if card.name == SMOLLM2), None)


def first() -> None:
    """The part of the page."""
    LAB.warm_up()
    st.title(label("first.title"), anchor=False)
    prose(tell("first.text"))
    names = {"real": real() or "SmolLM2", "small": small()}
    with st.container(key="tells_guess"):
        st.pills(
            label("first.guess"),
            [label(f"first.guess_{answer}", **names) for answer in ("small", "real", "both", "none")],
            key="p_first_guess",
        )
        st.pills(
            label("first.guess_why"),
            [label(f"first.guess_{answer}") for answer in ("token", "place", "values")],
            key="p_first_why",
        )
        if pairs.models():
            st.pills(
                label("pairs.guess"),
                [label(f"pairs.guess_{answer}") for answer in ("weights", "training", "both", "neither")],
                key="p_first_pairs",
            )
    on = polling(RUN)
    st.fragment(_first, run_every=on)(on is not None)
    with st.expander(label("first.texts_title")):
        st.text(TEXTS["prose"])
        for story in TEXTS["stories"]:
            st.text(story)


def _first(was_polling: bool) -> None:
    ours, theirs = small(), real()

    def kept() -> dict[tuple[str, int | None, int, bool, bool], FirstPoint]:
        return gathered(RUN, ours, lambda run: run.setting.name == ours, _mark)

    with st.container(horizontal=True, vertical_alignment="center"):
        if polling(RUN) is None and st.button(
            label("first.start"), type="primary", icon=":material/play_arrow:", key="start_policies_first"
        ):
            models = _tried(ours, theirs)
            of = setting(ours)
            known = frozenset(kept()) if len(kept()) < (total := _total(models)) else frozenset()
            begin(RUN, FirstToken(of, models, known), of, "", total)
        found = watched(RUN, was_polling)
    if theirs is None:
        st.info(label("first.no_real"), icon=":material/info:")
    points = list(kept().values())
    if found and found.run.active:
        done = len(points)
        st.progress(done / found.size, label("loss.progress", done=done, all=found.size))
    if not points or found is None:
        prose(tell("first.before"))
        return
    measured = list(dict.fromkeys(point.model for point in points))
    for column, name in zip(st.columns(2), [n for n in measured if n in (ours, theirs)], strict=False):
        with column:
            _model([p for p in points if p.model == name], name, is_small=name != theirs)
    if not found.run.active:
        listed = [name for name in measured if not name.startswith(pairs.FOLDER)]
        _why({name: [p for p in points if p.model == name] for name in listed}, ours, theirs)
        _pairs(points)
        if len(points) < found.size:
            prose(tell("first.rest", done=len(points), all=found.size))
        save(sheet.to_csv([_row(point) for point in points]), "first-row")


def _model(points: list[FirstPoint], name: str, *, is_small: bool) -> None:
    count, late = len(TEXTS["stories"]), LATE if is_small else REAL_LATE
    key = "small" if is_small else "real"
    st.markdown(f"**{tell(f'first.{key}_title', name=name, texts=count, late=late)}**")
    names = [label(f"first.names.n{firsts}") for firsts in FIRSTS]
    figure = figures.first_rows(points, names, palette())
    chart(figure, f"first-row-{key}", label("first.alt", name=name))
    if {"full", "none", "one", "four", "silent"} <= (told := _told(points)).keys():
        prose(tell(f"first.told_{key}", window=SHOWN, **{n: nats(x) for n, x in told.items()}))
    wide = {p.firsts: nats(p.loss) for p in points if p.window == WIDE}
    if len(wide) == len(FIRSTS):
        prose(tell("first.told_wide", window=WIDE, none=wide[0], one=wide[1], four=wide[4]))


def _told(points: list[FirstPoint]) -> dict[str, float]:
    """The losses that sentences tell of, by name, as far as they are there."""
    names: dict[tuple[Any, ...], str] = {
        (None, 0, False, False): "full",
        (SHOWN, 0, False, False): "none",
        (SHOWN, 1, False, False): "one",
        (SHOWN, 4, False, False): "four",
        (SHOWN, 1, True, False): "silent",
        (SHOWN, 0, False, True): "other_none",
        (SHOWN, 1, False, True): "other_one",
        (None, 0, False, True): "other_full",
    }
    found = {(p.window, p.firsts, p.silent, p.swapped): p.loss for p in points}
    return {name: found[at] for at, name in names.items() if at in found}


def _why(points: dict[str, list[FirstPoint]], ours: str, theirs: str | None) -> None:
    """What both have in common and what not, as far as both were measured."""
    if theirs is None or not {ours, theirs} <= points.keys():
        return
    small_told, real_told = _told(points[ours]), _told(points[theirs])
    if len(small_told) < 8 or len(real_told) < 8:
        return
    small, small_other = _looks(points[ours])
    real, real_other = _looks(points[theirs])
    gains = {"small": _gain(small_told), "real": _gain(real_told)}
    broken = [name for name, gain in gains.items() if gain > BREAKS]
    right = {0: "none", 1: broken[0] if broken else "", 2: "both"}[len(broken)]
    share = (real_told["none"] - real_told["silent"]) / gains["real"] if gains["real"] else 0
    other_gain = real_told["other_none"] - real_told["other_one"]
    by_place = other_gain > gains["real"] / 2
    if guess := st.session_state.get("p_first_guess"):
        answer = label(f"first.guess_{right}", small=ours, real=theirs)
        prose(tell("first.guessed", guess=guess, right=answer, break_at=f"{BREAKS}"))
    st.header(label("first.why_title"), anchor=False)
    prose(tell("first.verdict", real_gain=nats(gains["real"]), small_gain=nats(gains["small"])))
    prose(
        tell(
            "first.why_place" if by_place else "first.why_token",
            other=OTHER.strip(),
            real_gain=nats(gains["real"]),
            real_other=nats(other_gain),
            real_weight=percent(real.weight),
            real_other_weight=percent(real_other.weight),
            small_weight=percent(small.weight),
            small_other_weight=percent(small_other.weight),
        )
    )
    prose(
        tell(
            "first.why_values",
            window=SHOWN,
            real_length=f"{real.length:.2f}",
            small_length=f"{small.length:.2f}",
            small_silent=nats(small_told["silent"]),
            real_silent=nats(real_told["silent"]),
            share=percent(share),
        )
    )
    if guess := st.session_state.get("p_first_why"):
        answer = label(f"first.guess_{'values' if share < 0.5 else 'place' if by_place else 'token'}")
        prose(tell("first.guessed_why", guess=guess, right=answer))
    lost = [
        _gain(told)
        for name in points
        if name != theirs and {"none", "one"} <= (told := _told(points[name])).keys()
    ]
    sizes = {card.name: card for card in (*cache.cards(), *cache.further())}
    prose(
        tell(
            "first.why_size",
            count=len(lost),
            least=nats(min(lost)),
            most=nats(max(lost)),
            small=f"{sizes[ours].parameters / 1e6:.0f}",
            real=f"{sizes[theirs].parameters / 1e6:.0f}",
            context=f"{sizes[ours].config.max_seq_len:,}",
            real_context=f"{sizes[theirs].config.max_seq_len:,}",
        )
    )


def _pairs(points: list[FirstPoint]) -> None:
    """What models show that differ in one thing alone."""
    cards = pairs.models()
    if not pairs.measured(points, tuple(cards)):
        return
    st.header(label("pairs.title"), anchor=False)
    prose(tell("pairs.text", window=SHOWN, texts=len(TEXTS["stories"])))
    st.table(pairs.rows(points, cards))
    guess = st.session_state.get("p_first_pairs")
    guessed = tell("pairs.guessed", guess=guess) if guess else ""
    prose(f"{guessed} **{tell(f'pairs.sum_{pairs.answer(points)}')}**")
    for line in pairs.lines(points, cards):
        prose(line)
    prose(pairs.attention(points, LENGTH))
    prose(tell("pairs.limits"))


def _tried(ours: str, theirs: str | None) -> tuple[Tried, ...]:
    """The small model; in brief the pairs and the others that ship, which differ in their heads; last the
    real one, which takes longest."""

    def one(
        name: str,
        texts: tuple[tuple[int, ...], ...],
        late: int,
        *,
        briefly: bool = False,
        windows: tuple[int, ...] = WINDOWS,
    ) -> Tried:
        return Tried(name, texts, late, cache.tokenizer(name).encode_part(OTHER)[0], briefly, windows)

    first = one(ours, stories(ours), LATE)
    others = [
        one(card.name, stories(card.name), LATE, briefly=True) for card in cache.cards() if card.name != ours
    ]
    # The pairs share the tokenizer of the models that ship, so these are their tokens too.
    paired = [replace(first, name=name, briefly=True) for name in pairs.models() if name != pairs.SHIPPED]
    models = (first, *paired, *others)
    if theirs is None:
        return models
    prose_ids = tuple(cache.tokenizer(theirs).encode(TEXTS["prose"]))
    return (*models, one(theirs, (prose_ids,), REAL_LATE, windows=(*WINDOWS, WIDE)))


def _total(models: Sequence[Tried]) -> int:
    return sum(len(tried.plan()) for tried in models)


def _mark(p: FirstPoint) -> tuple[str, int | None, int, bool, bool]:
    return p.model, p.window, p.firsts, p.silent, p.swapped


def _gain(told: dict[str, float]) -> float:
    """What a window loses without the first row."""
    return told["none"] - told["one"]


def _looks(points: list[FirstPoint]) -> list[FirstRow]:
    """At the start token, and at the other one in its place."""
    return [next(p.look for p in points if p.look and p.swapped is swapped) for swapped in (False, True)]


def _row(point: FirstPoint) -> dict[str, object]:
    """A point as a row of a file; what was not looked at is left empty."""
    row = {name: "" if value is None else value for name, value in asdict(point).items()}
    del row["look"], row["texts"]
    look = asdict(point.look) if point.look else {"weight": "", "length": "", "taken": ""}
    return row | {f"first_row_{name}": value for name, value in look.items()}
