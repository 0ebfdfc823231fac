"""The first token: the same windows on a small model and on a real one, with and without it."""

from typing import Any

import streamlit as st

from explainer.kit import cache
from explainer.kit.charts import chart, palette, prose
from explainer.kit.lab import LAB
from explainer.kit.runs import begin, polling, watched
from explainer.policies import figures
from explainer.policies.measure import FIRSTS, LATE, SHOWN, FirstPoint, FirstToken, first_plan
from explainer.policies.show_loss import setting, small, stories
from explainer.policies.words import TEXTS, label, nats, percent, tell
from kvengine.weights import SMOLLM2

RUN = "policies_first"
#: The first token of the prose that counts: by then every window has dropped rows.
REAL_LATE = 200
#: Nats per token whose loss counts as breaking.
BREAKS = 0.2


def real() -> str | None:
    """The real model, where this server has it."""
    return next((card.name for card in cache.further() if card.name == SMOLLM2), None)


def first() -> None:
    """The part of the page."""
    LAB.warm_up()
    st.header(label("first.title"), anchor=False)
    prose(tell("first.text"))
    names = {"real": real() or "SmolLM2", "small": small()}
    with st.container(key="tells_guess"):
        st.segmented_control(
            label("first.guess"),
            [label(f"first.guess_{answer}", **names) for answer in ("small", "real", "both", "none")],
            key="p_first_guess",
        )
    with st.expander(label("first.texts_title")):
        st.text(TEXTS["prose"])
        for story in TEXTS["stories"]:
            st.text(story)
    on = polling(RUN)
    st.fragment(_first, run_every=on)(on is not None)


def _first(was_polling: bool) -> None:
    ours, theirs = small(), real()
    with st.container(horizontal=True, vertical_alignment="center"):
        if polling(RUN) is None and st.button(
            label("first.start"), type="primary", icon=":material/play_arrow:", key="start_policies_first"
        ):
            models: list[tuple[str, tuple[tuple[int, ...], ...], int]] = [(ours, stories(ours), LATE)]
            if theirs:
                models.append((theirs, (tuple(cache.tokenizer(theirs).encode(TEXTS["prose"])),), REAL_LATE))
            of = setting(ours)
            begin(RUN, FirstToken(of, tuple(models)), of, "")
        found = watched(RUN, was_polling)
    if theirs is None:
        st.info(label("first.no_real"), icon=":material/info:")
    points: list[FirstPoint] = found.run.results if found else []
    if found and found.run.active:
        all_points = len(first_plan()) * (2 if theirs else 1)
        st.progress(len(points) / all_points, label("loss.progress", done=len(points), all=all_points))
    if not points or found is None:
        prose(tell("first.before"))
        return
    measured = list(dict.fromkeys(point.model for point in points))
    for column, name in zip(st.columns(2), measured, strict=False):
        with column:
            _model([p for p in points if p.model == name], name, is_small=name != theirs)
    if not found.run.active:
        _why({name: [p for p in points if p.model == name] for name in measured}, found.setting.name, theirs)


def _model(points: list[FirstPoint], name: str, *, is_small: bool) -> None:
    count, late = len(TEXTS["stories"]), LATE if is_small else REAL_LATE
    key = "small" if is_small else "real"
    st.markdown(f"**{tell(f'first.{key}_title', name=name, texts=count, late=late)}**")
    names = [label(f"first.names.n{firsts}") for firsts in FIRSTS]
    figure = figures.first_rows(points, names, palette())
    chart(figure, f"first-row-{key}", label("first.alt", name=name))
    if len(told := _told(points)) == 5:
        prose(tell(f"first.told_{key}", window=SHOWN, **{n: nats(x) for n, x in told.items()}))


def _told(points: list[FirstPoint]) -> dict[str, float]:
    """The losses that sentences tell of, by name, as far as they are there."""
    names: dict[tuple[Any, ...], str] = {
        (None, 0, False): "full",
        (SHOWN, 0, False): "none",
        (SHOWN, 1, False): "one",
        (SHOWN, 4, False): "four",
        (SHOWN, 1, True): "silent",
    }
    found = {(p.window, p.firsts, p.silent): p.loss for p in points}
    return {name: found[at] for at, name in names.items() if at in found}


def _why(points: dict[str, list[FirstPoint]], ours: str, theirs: str | None) -> None:
    """What both have in common and what not, as far as both were measured."""
    if theirs is None or not {ours, theirs} <= points.keys():
        return
    small_told, real_told = _told(points[ours]), _told(points[theirs])
    looks = [next((p.look for p in points[name] if p.look), None) for name in (ours, theirs)]
    if len(small_told) < 5 or len(real_told) < 5 or looks[0] is None or looks[1] is None:
        return
    gains = {
        "small_gain": nats(small_told["none"] - small_told["one"]),
        "real_gain": nats(real_told["none"] - real_told["one"]),
    }
    lost = {name: told["none"] - told["one"] for name, told in (("small", small_told), ("real", real_told))}
    broken = [name for name, gain in lost.items() if gain > BREAKS]
    right = {0: "none", 1: broken[0] if broken else "", 2: "both"}[len(broken)]
    answer = label(f"first.guess_{right}", small=ours, real=theirs)
    if guess := st.session_state.get("p_first_guess"):
        prose(tell("first.guessed", guess=guess, right=answer, break_at=f"{BREAKS}"))
    st.subheader(label("first.why_title"), anchor=False)
    prose(tell("first.verdict_real", **gains))
    prose(
        tell(
            "first.why_weight",
            small_weight=percent(looks[0].weight),
            real_weight=percent(looks[1].weight),
            small_length=f"{looks[0].length:.2f}",
            real_length=f"{looks[1].length:.2f}",
        )
    )
    share = (real_told["none"] - real_told["silent"]) / (real_told["none"] - real_told["one"])
    silent = {
        "small_silent": nats(small_told["silent"]),
        "real_silent": nats(real_told["silent"]),
        "share": percent(share),
    }
    prose(tell("first.why_silent", window=SHOWN, **silent))
    prose(tell("first.why_open"))
