"""The timing lab: cached against naive, measured live."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import streamlit as st

from explainer import ui
from explainer.components.race import race as draw_race
from explainer.figures import timing as figures
from explainer.figures.timing_parts import DARK, LIGHT
from explainer.lab import LAB, Run
from explainer.measure import Setting, agreement_of, now, race_of, sweep_of
from explainer.story import timing as story
from kvengine.errors import KVEngineError
from kvengine.hardware import cores, devices, dtypes
from kvengine.recording import from_json, table, to_csv, to_json
from kvengine.speed import fit, points_of, total_seconds
from kvengine.timing import CACHED, MAX_LENGTH, NAIVE, lengths_up_to

# Seconds between two looks at a run: each look is work for the process whose clock is running.
POLL = {"race": 0.25, "sweep": 1.0, "precision": 1.0}
PROSE = 760  # pixels, a line that is easy to read
ROOM = 64  # positions that a long prompt leaves to generate into


@dataclass(frozen=True)
class Measured:
    """A run, with what it was started with."""

    run: Run[Any]
    setting: Setting
    size: int
    prompt: str
    when: str  # UTC, when it was started


palette = DARK if st.context.theme.type == "dark" else LIGHT
config, tokenizer = ui.card().config, ui.tokenizer(ui.card().name)
ids = ui.prompt_ids()
kept_ids = ids[: config.max_seq_len - ROOM]


def measured(name: str) -> Measured | None:
    found: Measured | None = st.session_state.get(f"timing_{name}")
    return found


def polling(name: str) -> float | None:
    found = measured(name)
    return POLL[name] if found and found.run.active else None


def begin(name: str, measure: Callable[[Callable[[], bool]], Iterator[Any]], size: int = 0) -> None:
    if before := measured(name):
        before.run.stop()
    with ui.errors_shown():
        run = LAB.submit(measure)
    st.session_state[f"timing_{name}"] = Measured(run, setting, size, tokenizer.decode(list(kept_ids)), now())
    st.rerun()


def stop_button(name: str, was_polling: bool) -> Measured | None:
    """Look at a run: a button to stop it while it is on, its place in the queue, what went wrong."""
    found = measured(name)
    if found is None:
        return None
    found.run.look()
    if found.run.active:
        if st.button("Stop", key=f"stop_{name}", icon=":material/stop:", on_click=found.run.stop):
            st.rerun()
        if ahead := LAB.place(found.run):
            st.info(story.queue_line(ahead), icon=":material/hourglass_top:")
    elif found.run.state != "done":
        st.warning(found.run.error or story.ENDED[found.run.state], icon=":material/info:")
    if found.run.active != was_polling:
        st.rerun()
    return found


def chart(figure: Any, filename: str, alt: str) -> None:
    st.plotly_chart(
        figure, theme=None, config=figures.plot_config(filename), alt=alt, key=f"chart_{filename}"
    )


def prose(text: str) -> None:
    st.markdown(text, width=PROSE)


def pick(label: str, options: tuple[str, ...], key: str) -> str:
    return str(st.segmented_control(label, options, default=options[0], key=key, required=True))


st.header("The timing lab", anchor=False)
prose(story.LEAD)
kept: dict[str, Any] = {"required": True, "persist_state": "session"}
with st.container(horizontal=True, vertical_alignment="center"):
    with st.popover("Measure with", icon=":material/memory:"):
        device = st.segmented_control("Device", devices(), default="cpu", key="t_device", **kept)
        dtype = st.segmented_control("Precision", dtypes(device), default="float32", key="t_dtype", **kept)
        choices = sorted({1, max(1, cores() // 2), cores()})
        threads = st.segmented_control(
            "Threads", choices, default=choices[0], key="t_threads", disabled=device != "cpu", **kept
        )
    setting = Setting(ui.model(ui.card().name), ui.card().name, kept_ids, device, dtype, threads)
    st.caption(
        f"{story.hardware_line(setting.hardware)}. Model {setting.name}, {setting.dtype}, batch of one."
    )

# ---- the race --------------------------------------------------------------------------------------------

st.subheader("The race", anchor="race")
prose(story.RACE)
if len(ids) > len(kept_ids):
    st.info(story.cut_line(len(ids), len(kept_ids)), icon=":material/info:")


@st.fragment(run_every=polling("race"))
def race_section(was_polling: bool) -> None:
    room = config.max_seq_len - len(kept_ids)
    options = sorted({*(n for n in (16, 32, 64, 128, 256) if n < room), room})
    with st.container(horizontal=True, vertical_alignment="bottom"):
        tokens = st.select_slider(
            "Tokens to generate", options, value=min(256, room), key=f"t_tokens_{room}", width=260
        )
        if polling("race") is None and st.button(
            "Start the race", type="primary", icon=":material/play_arrow:", key="start_race"
        ):
            begin("race", race_of(setting, tokens), tokens)
        found = stop_button("race", was_polling)
    if found is None:
        return
    steps = found.run.results
    draw_race(
        found.prompt,
        steps,
        [tokenizer.token_text(step.token_id) for step in steps],
        new_tokens=found.size,
        prompt_tokens=len(found.setting.prompt_ids),
        running=found.run.active,
        key="race",
    )
    if not found.run.active and (line := story.race_line(steps)):
        prose(line)
        st.caption(story.setting_line(found.setting.name, found.setting.dtype, found.setting.threads))


race_section(polling("race") is not None)

# ---- the sweep -------------------------------------------------------------------------------------------

st.subheader("The sweep", anchor="sweep")
prose(story.SWEEP)


@st.fragment(run_every=polling("sweep"))
def sweep_section(was_polling: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        longest = st.select_slider(
            "Longest text", lengths_up_to(MAX_LENGTH, 16), value=512, key="t_longest", width=260
        )
        with_cat = st.toggle("torch.cat every step", key="t_cat", help=story.CAT_HELP)
        if polling("sweep") is None and st.button(
            "Start the sweep", type="primary", icon=":material/play_arrow:", key="start_sweep"
        ):
            begin("sweep", sweep_of(setting, longest, with_cat=with_cat), longest)
        found = stop_button("sweep", was_polling)
    st.caption(story.past_context_line(config.max_seq_len, longest))
    if found is None:
        return
    rows, lengths = found.run.results, lengths_up_to(found.size)
    if found.run.active:
        st.progress(len(rows) / len(lengths), story.progress_line(len(rows), lengths))
        if rows:  # one chart, no more: drawing takes time from what is being measured
            figure = figures.measured(rows, figures.STEP, palette, log=True)
            chart(figure, "measured", story.measured_alt(rows, figures.STEP))
    elif rows:
        show_sweep(found, rows)


def show_sweep(found: Measured, rows: list[Any]) -> None:
    s, recording = found.setting, st.session_state.get("timing_recording")
    shape, lengths = s.model.config, [row.length for row in rows]
    with st.container(horizontal=True):
        view = pick("Show", figures.VIEWS, "t_view")
        axes = pick("Axes", ("Log", "Linear"), "t_axes")
        quantity = pick("Counted", figures.QUANTITIES, "t_quantity")
    left, right = st.columns(2)
    with left:
        st.markdown("**Measured**")
        figure = figures.measured(rows, view, palette, log=axes == "Log", recording=recording)
        chart(figure, "measured", story.measured_alt(rows, view))
    with right:
        st.markdown("**Counted**")
        figure = figures.counted(
            shape, lengths, view, quantity, palette, log=axes == "Log", bytes_per_float=s.bytes_per_float
        )
        chart(figure, "counted", f"{quantity} of both paths against the tokens in the text")
    if recording:
        st.caption(story.recorded_line(recording.provenance))
    prose(story.view_line(view))
    prose(f"{story.losing_line(rows)} {story.agreement_line(rows)}")
    st.caption(story.setting_line(s.name, s.dtype, s.threads))
    prose("**The prefill: time to the first token.** " + story.PREFILL)
    chart(figures.prefill_bars(rows, palette), "prefill", "Time to the first token of both paths")
    show_files(found, rows)


def show_files(found: Measured, rows: list[Any]) -> None:
    s = found.setting
    lines = table(s.model.config, rows, s.bytes_per_float)
    with st.expander("The numbers: table, CSV, PNG, and runs from other hardware", key="t_numbers"):
        st.dataframe(lines, hide_index=True)
        with st.container(horizontal=True):
            st.download_button("CSV", to_csv(lines), "timing.csv", "text/csv", icon=":material/download:")
            recorded = to_json(s.provenance(found.when), rows)
            st.download_button(
                "This run, to lay over another", recorded, "timing.json", "application/json",
                icon=":material/download:",
            )  # fmt: skip
            st.button("Keep, to lay it over the next run", on_click=keep, args=(recorded,), key="t_keep")
            if st.session_state.get("timing_kept"):
                st.button("Take the kept run away", on_click=keep, key="t_forget")
        prose(story.FILES)
        uploaded = st.file_uploader(
            "A recorded run to lay over",
            type="json",
            key="t_upload",
            on_change=keep,
            max_upload_size=1,
        )
        try:
            recording = from_json(uploaded.getvalue()) if uploaded else st.session_state.get("timing_kept")
        except KVEngineError as error:
            recording = None
            st.error(str(error), icon=":material/error:")
        if recording != st.session_state.get("timing_recording"):
            st.session_state["timing_recording"] = recording
            st.rerun()


def keep(recorded: str = "") -> None:
    st.session_state["timing_kept"] = from_json(recorded.encode()) if recorded else None


sweep_section(polling("sweep") is not None)

# ---- counted work, to scale, and where the time goes -----------------------------------------------------

st.subheader("Fewer projections, drawn to scale", anchor="scale")
prose(story.COUNTED)
swept = measured("sweep")
rows = swept.run.results if swept and not swept.run.active else []
n = st.slider("Tokens generated", 10, MAX_LENGTH, 1000, 10, key="t_scale", width=360, persist_state="session")
timed = None
if rows and max(row.length for row in rows) >= n:
    timed = (total_seconds(points_of(rows, NAIVE), n), total_seconds(points_of(rows, CACHED), n))
prose(story.scale_line(n) + (" " + story.measured_scale_line(*timed, n) if timed else ""))
chart(figures.to_scale(n, palette, timed), "to-scale", f"Projected rows for {n} tokens, as squares to scale")
if timed is None:
    st.caption(story.sweep_first_line(n, max((row.length for row in rows), default=0)))

if swept and (model := fit(swept.setting.model.config, rows, swept.setting.bytes_per_float)):
    s, top = swept.setting, max(row.length for row in rows)
    st.subheader("Why that is not the factor in time", anchor="why")
    for column, (reason, numbers) in zip(
        st.columns(2) * 2, story.fit_reasons(s.model.config, rows, model, s.bytes_per_float), strict=True
    ):
        column.markdown(f"**{reason}.** {numbers}")
    left, right = st.columns(2)
    with left:
        st.markdown("**The fitted model, and by how much it misses**")
        figure = figures.fitted(s.model.config, rows, model, s.bytes_per_float, palette)
        chart(figure, "fitted", "Fitted line through the measured steps, residuals below")
    with right:
        st.markdown(f"**Where it puts the time of one step at {top:,} tokens**")
        figure = figures.parts(s.model.config, model, top, s.bytes_per_float, palette)
        chart(figure, "parts", "Share of fixed cost, multiplying and reading in a step of each path")
        st.markdown(story.fit_line(model))

# ---- precision -------------------------------------------------------------------------------------------

st.subheader("Do both paths say the same?", anchor="precision")
prose(story.PRECISION)


@st.fragment(run_every=polling("precision"))
def precision_section(was_polling: bool) -> None:
    if polling("precision") is None and st.button("Compare in every precision", key="start_precision"):
        begin("precision", agreement_of(setting, dtypes(device), ROOM))
    if found := stop_button("precision", was_polling):
        lines = [story.agreement_row(result) for result in found.run.results]
        if lines:
            st.table(lines)


precision_section(polling("precision") is not None)
