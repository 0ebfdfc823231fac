"""The parts of the timing page: each starts a run, watches it, and draws what it found."""

from dataclasses import dataclass

import streamlit as st

from explainer.kit import scene, session
from explainer.kit.cache import large
from explainer.kit.charts import chart, palette, prose
from explainer.kit.controls import chosen, picked, shown
from explainer.kit.measure import Setting
from explainer.kit.runs import Measured, begin, measured, polling, results, watched
from explainer.timing import figures, reasons, words
from explainer.timing.choice import TimingChoice
from explainer.timing.files import show_files
from explainer.timing.measure import Agree, Race, Sweep
from explainer.timing.scene import race_scene
from explainer.timing.words import label, tell
from kvengine import Tokenizer
from kvengine.hardware import dtypes
from kvengine.recording import Recording
from kvengine.speed import fit, points_of, total_seconds
from kvengine.timing import CACHED, MAX_LENGTH, NAIVE, Row, lengths_up_to

SLIDER = 260
#: Steps that a real model is compared in: each takes it a tenth of a second or more, in every precision.
REAL_STEPS = 16


@dataclass(frozen=True)
class Lab:
    """What the page's parts share: what a run would be measured with now, and how to write its tokens."""

    setting: Setting
    tokenizer: Tokenizer

    @property
    def prompt(self) -> str:
        return self.tokenizer.decode(list(self.setting.prompt_ids))

    @property
    def room(self) -> int:
        """Positions behind the prompt."""
        return self.setting.config.max_seq_len - len(self.setting.prompt_ids)


# ---- the race --------------------------------------------------------------------------------------------


def race(lab: Lab) -> None:
    on = polling("race")
    st.fragment(_race, run_every=on)(lab, on is not None)


def _race(lab: Lab, was_polling: bool) -> None:
    # A real model's naive path takes minutes for 256 tokens, and would take hours for all of its positions.
    real = large(lab.setting.name)
    most = min(256, lab.room) if real else lab.room
    options = sorted({*(n for n in (16, 32, 64, 128, 256) if n < most), most})
    with st.container(horizontal=True, vertical_alignment="bottom"):
        new_tokens = st.select_slider(
            tell("race.tokens"),
            options,
            value=min(64 if real else 256, most),
            key=f"t_tokens_{lab.room}",
            width=SLIDER,
        )
        if polling("race") is None and st.button(
            tell("race.start"), type="primary", icon=":material/play_arrow:", key="start_race"
        ):
            begin("race", Race(lab.setting, new_tokens), lab.setting, lab.prompt, new_tokens)
        found = watched("race", was_polling)
    if found is None:
        return
    steps = found.run.results
    drawn = race_scene(
        found.prompt,
        steps,
        lab.tokenizer.token_text,
        new_tokens=found.size,
        prompt_tokens=len(found.setting.prompt_ids),
        running=found.run.active,
    )
    scene.mount("timing", drawn)
    if not found.run.active and (line := words.race_line(steps)):
        prose(line)
        st.caption(words.setting_line(found.setting.name, found.setting.dtype, found.setting.threads))


# ---- the sweep -------------------------------------------------------------------------------------------


def sweep(lab: Lab) -> None:
    on = polling("sweep")
    st.fragment(_sweep, run_every=on)(lab, on is not None, session.own(TimingChoice))


def _sweep(lab: Lab, was_polling: bool, drawn: TimingChoice) -> None:
    own = session.own(TimingChoice)
    if own != drawn:  # chosen in here: the address is written when the whole page runs
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        longest = st.select_slider(
            tell("sweep.longest"),
            sorted({*lengths_up_to(MAX_LENGTH, 16), own.longest}),
            **shown("t_longest", own.longest),
            width=SLIDER,
            on_change=chosen("t_longest", "longest"),
        )
        with_cat = st.toggle(tell("sweep.cat"), key="t_cat", help=tell("sweep.cat_help"))
        if polling("sweep") is None and st.button(
            tell("sweep.start"), type="primary", icon=":material/play_arrow:", key="start_sweep"
        ):
            begin("sweep", Sweep(lab.setting, longest, with_cat), lab.setting, lab.prompt, longest)
        found = watched("sweep", was_polling)
    st.caption(words.past_context_line(lab.setting.config.max_seq_len, longest))
    if found is None:
        return
    rows, lengths = found.run.results, lengths_up_to(found.size)
    if found.run.active:
        st.progress(len(rows) / len(lengths), words.progress_line(len(rows), lengths))
        if rows:  # one chart, no more: drawing takes time from what is being measured
            figure = figures.measured(rows, figures.STEP, palette(), log=True)
            chart(figure, "measured", words.measured_alt(rows, figures.STEP))
    elif rows:
        _swept(found, rows)


def _swept(found: Measured, rows: list[Row]) -> None:
    setting, lengths = found.setting, [row.length for row in rows]
    recording: Recording | None = st.session_state.get("timing_recording")
    with st.container(horizontal=True):
        view = str(
            st.segmented_control(
                tell("sweep.show"),
                figures.VIEWS,
                **shown("t_view", figures.VIEWS[session.own(TimingChoice).view - 1], "default"),
                required=True,
                on_change=_choose_view,
            )
        )
        log = _pick("sweep.axes", ("Log", "Linear"), "t_axes") == "Log"
        quantity = _pick("sweep.counted_as", figures.QUANTITIES, "t_quantity")
    left, right = st.columns(2)
    with left:
        st.markdown(f"**{tell('sweep.measured')}**")
        figure = figures.measured(rows, view, palette(), log=log, recording=recording)
        chart(figure, "measured", words.measured_alt(rows, view))
    with right:
        st.markdown(f"**{tell('sweep.counted')}**")
        figure = figures.counted(
            setting.config,
            lengths,
            view,
            quantity,
            palette(),
            log=log,
            bytes_per_float=setting.bytes_per_float,
        )
        chart(figure, "counted", label("sweep.counted_alt", quantity=quantity))
    if recording:
        st.caption(words.recorded_line(recording.provenance))
    prose(tell({figures.STEP: "sweep.step", figures.TOTAL: "sweep.total"}.get(view, "sweep.ratio")))
    prose(f"{words.losing_line(rows)} {words.agreement_line(rows)}")
    if quantity == figures.MULTIPLICATIONS:
        prose(words.counted_line(setting.config, lengths))
    st.caption(words.setting_line(setting.name, setting.dtype, setting.threads))
    prose(tell("prefill.text"))
    chart(figures.prefill_bars(rows, palette()), "prefill", label("prefill.alt"))
    show_files(found, rows)


def _choose_view() -> None:
    session.choose(view=figures.VIEWS.index(picked("t_view", figures.STEP)) + 1)


def _pick(key: str, options: tuple[str, ...], widget: str) -> str:
    picked = st.segmented_control(tell(key), options, default=options[0], key=widget, required=True)
    return str(picked)


# ---- counted work, to scale, and where the time goes -----------------------------------------------------


def scale() -> None:
    rows: list[Row] = results("sweep")
    longest = max((row.length for row in rows), default=0)
    tokens = session.own(TimingChoice).scale
    n = st.slider(
        tell("scale.tokens"),
        min(10, tokens),
        MAX_LENGTH,
        step=10,
        **shown("t_scale", tokens),
        width=360,
        on_change=chosen("t_scale", "scale"),
    )
    timed = None
    if longest >= n:
        timed = (total_seconds(points_of(rows, NAIVE), n), total_seconds(points_of(rows, CACHED), n))
    left, right = st.columns(2)
    with left:
        st.markdown(reasons.scale_line(n))
        alt = label("scale.counted_alt", tokens=words.tokens(n))
        chart(figures.counted_squares(n, palette()), "counted-to-scale", alt)
    with right:
        if timed is None:
            st.caption(reasons.sweep_first_line(n, longest))
        else:
            st.markdown(reasons.measured_scale_line(*timed))
            chart(figures.timed_squares(*timed, palette()), "measured-to-scale", label("scale.measured_alt"))


def why() -> None:
    """Why the time does not shrink as the count does: only a run of the learner's own can say."""
    rows: list[Row] = results("sweep")
    found = measured("sweep")
    model = fit(found.setting.config, rows) if found else None
    if found is None or model is None:
        return
    config, longest = found.setting.config, max(row.length for row in rows)
    st.subheader(tell("why.title"), anchor="why")
    said = reasons.fit_reasons(config, rows, model, found.setting.bytes_per_float)
    columns = [*st.columns(2), *st.columns(2)]  # row by row, so that a narrow page keeps their order
    for column, (reason, numbers) in zip(columns, said, strict=True):
        column.markdown(f"**{reason}.** {numbers}")
    left, right = st.columns(2)
    with left:
        st.markdown(tell("why.fitted"))
        chart(figures.fitted(config, rows, model, palette()), "fitted", label("why.fitted_alt"))
    with right:
        st.markdown(tell("why.parts", tokens=words.tokens(longest)))
        chart(figures.parts(config, model, longest, palette()), "parts", label("why.parts_alt"))
        st.markdown(reasons.fit_line(model))


# ---- precision -------------------------------------------------------------------------------------------


def agreement(lab: Lab, steps: int) -> None:
    on = polling("agreement")
    st.fragment(_agreement, run_every=on)(lab, steps, on is not None)


def _agreement(lab: Lab, steps: int, was_polling: bool) -> None:
    if polling("agreement") is None and st.button(tell("agreement.start"), key="start_agreement"):
        if large(lab.setting.name):
            steps = min(steps, REAL_STEPS)
        job = Agree(lab.setting, dtypes(lab.setting.device), steps)
        begin("agreement", job, lab.setting, lab.prompt)
    if (found := watched("agreement", was_polling)) and found.run.results:
        st.table([words.agreement_row(result) for result in found.run.results])
