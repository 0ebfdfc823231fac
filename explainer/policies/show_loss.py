"""Loss against memory: every policy at every budget, measured on the page's own stories."""

import streamlit as st

from explainer.kit import cache, session
from explainer.kit.charts import chart, palette, prose
from explainer.kit.lab import LAB
from explainer.kit.measure import Setting
from explainer.kit.runs import begin, polling, watched
from explainer.policies import figures
from explainer.policies import loss_words as said
from explainer.policies.measure import LATE, LossCurve, LossPoint, plan
from explainer.policies.words import TEXTS, label, nats, tell

RUN = "policies_loss"
#: Tokens of each story; the shortest has some more.
LENGTH = 256


def stories(name: str) -> tuple[tuple[int, ...], ...]:
    """The held-out stories as tokens, all of one length."""
    return tuple(tuple(cache.tokenizer(name).encode(story)[:LENGTH]) for story in TEXTS["stories"])


def small() -> str:
    """The chosen model, or the first that ships where that is a large one."""
    shipped = {card.name for card in cache.cards()}
    name = session.card().name
    return name if name in shipped else cache.cards()[0].name


def setting(name: str, prompt: str = "") -> Setting:
    """What a run of that small model is measured with."""
    config = next(card.config for card in cache.cards() if card.name == name)
    return Setting(name, config, tuple(cache.tokenizer(name).encode(prompt)), "cpu", "float32", 1)


def loss() -> None:
    """The part of the page."""
    LAB.warm_up()
    on = polling(RUN)
    st.header(label("loss.title"), anchor=False)
    count = len(TEXTS["stories"])
    prose(tell("loss.text", stories=count, tokens=LENGTH, late=LATE))
    with st.expander(label("first.texts_title")):
        for story in TEXTS["stories"]:
            st.text(story)
    st.fragment(_curve, run_every=on)(small(), on is not None)


def _curve(name: str, was_polling: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        if polling(RUN) is None and st.button(
            label("loss.start"), type="primary", icon=":material/play_arrow:", key="start_policies_loss"
        ):
            of = setting(name)
            begin(RUN, LossCurve(of, stories(name)), of, "")
        found = watched(RUN, was_polling)
    points: list[LossPoint] = found.run.results if found else []
    ours = found is not None and found.setting.name == name
    if found and found.run.active:
        st.progress(len(points) / len(plan()), label("loss.progress", done=len(points), all=len(plan())))
    if not points or not ours or found is None:
        prose(tell("loss.guess"))
        prose(tell("loss.before"))
        return
    st.markdown(f"**{label('loss.chart_title')}**")
    full = next((nats(p.late) for p in points if p.rule == "full"), "–")
    chart(
        figures.against_memory(points, palette()), "loss-against-memory", label("loss.chart_alt", full=full)
    )
    if found.run.active:
        return
    for line in (said.best_line(points), said.bits_line(points)):
        if line:
            prose(line)
    prose(f"{tell('loss.bits_note')} {tell('loss.snap_note', prompt=LATE)}")
    with st.expander(label("loss.table")):
        st.table(said.rows(points))
    st.download_button(
        label("loss.csv"),
        said.to_csv(points),
        label("loss.csv_file"),
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
    )
    prose(tell("loss.machine", model=found.setting.name, when=found.when))
