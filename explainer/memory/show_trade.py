"""The trade: the table with and without the cache, times measured as it opens, and the growth as a line."""

import streamlit as st

from explainer.kit import scene, session
from explainer.kit.charts import chart, csv_button, palette, prose
from explainer.kit.lab import LAB, Run
from explainer.kit.measure import Setting
from explainer.kit.sheet import to_csv
from explainer.kit.slow import working
from explainer.kit.waiting import queue_line
from explainer.kit.words import count, plain
from explainer.memory import figures
from explainer.memory.measure import measurable
from explainer.memory.runs import growth, steps
from explainer.memory.trade_scene import machine_line
from explainer.memory.trade_scene import scene as traded
from explainer.memory.words import label, tell
from kvengine import KVEngineError
from kvengine.timing import Row

NAME = "memory"
#: Seconds between two looks at a measurement.
POLL = 0.5


def trade(ids: tuple[int, ...]) -> None:
    """The part of the page."""
    card = session.card()
    if len(ids) > (most := measurable(card.config)):
        ids = ids[:most]
        st.info(tell("trade.cut", used=count(most, "token"), name=card.name))
    setting = Setting(card.name, card.config, ids, "cpu", "float32", 1)
    run, _ = _run(setting)
    measuring = run is not None and run.active
    st.fragment(_table, run_every=POLL if measuring else None)(setting, measuring)
    _growth(card.name, ids)


def _run(setting: Setting) -> tuple[Run[Row] | None, str]:
    """The measurement, and what is to be told of it where it cannot be had."""
    try:
        run = steps(setting)
    except KVEngineError as error:  # too many are waiting
        return None, plain(str(error))
    if run.active or run.state == "done":
        return run, ""
    return run, tell("trade.ended", error=run.error)


def _table(setting: Setting, was_measuring: bool) -> None:
    run, problem = _run(setting)
    measuring = run is not None and run.active
    rows = run.results if run and run.state == "done" else []
    scene.mount(
        NAME,
        {"part": "trade"}
        | traded(
            setting.config,
            len(setting.prompt_ids),
            rows,
            instead=label("trade.waiting" if measuring else "trade.unmeasured"),
        ),
        on_shape_change=lambda: None,
    )
    if rows:
        st.caption(machine_line(setting.hardware, rows))
    elif run and (ahead := LAB.place(run)):
        st.info(queue_line(ahead), icon=":material/hourglass_top:")
    elif problem:
        st.warning(problem, icon=":material/info:")
        st.button(label("trade.again"), on_click=lambda: _again(setting), key="measure_trade_again")
    if measuring != was_measuring:
        st.rerun()


def _again(setting: Setting) -> None:
    with session.errors_shown():
        steps(setting, again=True)


def _growth(name: str, ids: tuple[int, ...]) -> None:
    common = session.common()
    with working(name):
        _, found = growth(name, ids, temperature=common.temperature, seed=common.seed)
    counts = range(len(ids), len(ids) + len(found.used))
    st.header(label("trade.growth.title"), anchor=False)
    prose(tell("trade.growth.text", token=f"{found.used[1] - found.used[0]:,} bytes"))
    alt = label("trade.growth.alt", first=f"{found.used[0]:,}", last=f"{found.used[-1]:,}")
    chart(figures.straight(counts, found.used, palette()), "cache-growth", alt)
    lines = [{"tokens": n, "bytes": used} for n, used in zip(counts, found.used, strict=True)]
    csv_button(to_csv(lines), label("trade.growth.csv"), label("trade.growth.csv_file"))
