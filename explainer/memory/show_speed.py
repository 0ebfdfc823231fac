"""Speed: what a step reads, how a batch shares it, measured; and the upper bound on a GPU."""

import streamlit as st

from explainer.kit import session
from explainer.kit.charts import chart, csv_button, palette, prose
from explainer.kit.lab import LAB
from explainer.kit.measure import Setting
from explainer.kit.runs import begin, polling, watched
from explainer.memory import figures
from explainer.memory import speed_words as said
from explainer.memory.calculator import Sum
from explainer.memory.choice import LONGEST
from explainer.memory.measure import Batches, Load
from explainer.memory.model_words import figures_row
from explainer.memory.show_model import beside_controls
from explainer.memory.words import label
from kvengine.batch import BatchPoint

RUN = "batch"


def speed(ids: tuple[int, ...]) -> None:
    """The part of the page."""
    LAB.warm_up()
    card = session.card()
    st.title(label("speed.title"), anchor=False)
    setting = Setting(card.name, card.config, ids[:LONGEST], "cpu", "float32", 1)
    on = polling(RUN)
    st.fragment(_batches, run_every=on)(setting, on is not None)
    st.header(label("speed.bound_title"), anchor=False)
    of = beside_controls(_bound)
    if of is None:
        return
    st.markdown(f"**{label('speed.read')}**, {said.model_line(of)}")
    read = figures.read_bytes(said.read_points(of), palette())
    chart(read, "bytes-per-token-on-the-gpu", label("speed.bytes_alt"))


def _bound(of: Sum) -> None:
    st.html(figures_row(said.bound_sizes(of)))
    prose(said.bound_line(of))
    chart(figures.bounds(of, palette()), "decode-bound", label("speed.bound_alt"))


def _batches(setting: Setting, was_polling: bool) -> None:
    load = Load.of(setting.config)
    prose(said.text(setting.name, load))
    with st.container(horizontal=True, vertical_alignment="center"):
        if polling(RUN) is None and st.button(
            label("speed.start", most=load.sizes[-1]),
            type="primary",
            icon=":material/play_arrow:",
            key="start_batch",
        ):
            begin(RUN, Batches(setting, load), setting, "")
        found = watched(RUN, was_polling)
    points: list[BatchPoint] = found.run.results if found and not found.run.active else []
    ours = found is not None and found.setting.name == setting.name
    left, right = st.columns(2)
    with left:
        st.markdown(f"**{label('speed.read')}**, {setting.name}")
        counted = figures.read_bytes(said.counted_points(setting.config, load), palette())
        chart(counted, "bytes-per-token", label("speed.read_alt"))
    with right:
        st.markdown(f"**{label('speed.measured')}**")
        if points and ours and found:
            last = points[-1]
            alt = label("speed.measured_alt", batch=last.batch, rate=f"{last.tokens_per_second:,.0f}")
            chart(figures.measured(points, palette()), "batches-measured", alt)
        else:
            st.caption(label("speed.before"))
    if not (points and ours and found):
        return
    prose(f"{said.measured_line(points)} {said.why_line(points)}")
    prose(said.proof_line(points))
    st.table(said.rows(points))
    st.caption(said.machine_line(found.setting, load))
    csv_button(said.to_csv(points), label("model.csv"), label("speed.csv_file"))
