"""The parts of the timing page: each starts a run, watches it, and draws what it found."""

from dataclasses import dataclass

import streamlit as st

from explainer.kit import scene, session
from explainer.kit.cache import large
from explainer.kit.charts import PROSE, chart, palette, prose
from explainer.kit.controls import chosen, picked, shown
from explainer.kit.measure import Setting
from explainer.kit.runs import Measured, begin, measured, polling, results, watched
from explainer.timing import figures, reasons, words
from explainer.timing.choice import TimingChoice
from explainer.timing.files import show_files
from explainer.timing.measure import Agree, Race, Sweep
from explainer.timing.scene import race_scene
from explainer.timing.stepped import parts_scene
from explainer.timing.words import label, tell
from kvengine import Tokenizer
from kvengine.hardware import dtypes
from kvengine.recording import Recording
from kvengine.speed import fit, points_of, total_seconds
from kvengine.timing import CACHED, MAX_LENGTH, NAIVE, Row, lengths_up_to

SLIDER = 260
#: Positions that a long prompt leaves to generate into; as many steps are compared.
STEPS = 64
#: Steps that a real model is compared in: each takes it a tenth of a second or more, in every precision.
REAL_STEPS = 16


@dataclass(frozen=True)
class Lab:
    """What the page's parts share: what a run would be measured with now, and how to write its tokens."""

    setting: Setting
    tokenizer: Tokenizer
    prompt_tokens: int  # before it was cut

    @property
    def prompt(self) -> str:
        return self.tokenizer.decode(list(self.setting.prompt_ids))

    @property
    def room(self) -> int:
        """Positions behind the prompt."""
        return self.setting.config.max_seq_len - len(self.setting.prompt_ids)


# ---- all parts, and the race -----------------------------------------------------------------------------

#: The scene of all parts, and what it has asked for.
ALL, ASKED = "timing_parts", "timing_asked"
#: What the learner expected of the race, where they did.
GUESSED = "timing_guessed"
#: By the parts that start them, the runs.
RUNS = {"race": "race", "sweep": "sweep", "precision": "agreement"}


def race(lab: Lab) -> None:
    """The parts, to go from one to the next and before a class; and the first of them, the race."""
    on = [often for name in RUNS.values() if (often := polling(name))]
    st.fragment(_race, run_every=min(on, default=None))(lab, polling("race") is not None)


def _parts(lab: Lab) -> None:
    drawn = parts_scene(
        {part: measured(name) for part, name in RUNS.items()},
        session.own(TimingChoice).scale,
        lab.tokenizer.token_text,
    )
    with st.container(key="low"):
        scene.mount("timing", drawn, ALL, on_start_change=_asked)


def _asked() -> None:
    """A part is to be measured: that begins once the page is drawn anew."""
    part = scene.sent(ALL, "start")["part"]
    if part == "scale":  # its texts can be longer than those of the sweep
        session.choose(longest=session.own(TimingChoice).scale)
    st.session_state[ASKED] = part if part in RUNS else "sweep"


def _race(lab: Lab, was_polling: bool) -> None:
    _parts(lab)
    st.header(tell("race.title"), anchor="race")
    prose(words.race_text())
    if lab.prompt_tokens > (kept := len(lab.setting.prompt_ids)):
        told = words.cut_line(lab.prompt_tokens, kept, lab.setting.config.max_seq_len)
        st.info(told, icon=":material/info:")
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
        guess = st.segmented_control(
            tell("race.guess"), words.GUESSES, format_func=lambda guess: f"{guess}×", key="t_guess"
        )
        asked = st.session_state.pop(ASKED, None)
        if polling("race") is None and (
            st.button(tell("race.start"), type="primary", icon=":material/play_arrow:", key="start_race")
            or asked == "race"
        ):
            st.session_state[GUESSED] = guess  # it counts as it stood before the race
            begin("race", Race(lab.setting, new_tokens), lab.setting, lab.prompt, new_tokens)
        if asked == "sweep" and polling("sweep") is None:
            _begin_sweep(lab, session.own(TimingChoice).longest)
        if asked == "precision" and polling("agreement") is None:
            _begin_agreement(lab)
        found = watched("race", was_polling)
    setting, prompt = (found.setting, found.prompt) if found else (lab.setting, lab.prompt)
    steps = found.run.results if found else []
    drawn = race_scene(
        prompt,
        steps,
        lab.tokenizer.token_text,
        new_tokens=found.size if found else new_tokens,
        prompt_tokens=len(setting.prompt_ids),
        running=found is not None and found.run.active,
    )
    scene.mount("timing", drawn)
    if found and not found.run.active and (line := words.race_line(steps)):
        guessed = st.session_state.get(GUESSED)
        prose(f"{line} {words.guess_line(guessed, steps)}" if guessed else line)
        st.caption(words.setting_line(found.setting.name, found.setting.dtype, found.setting.threads))
    st.caption(words.race_how(), width=PROSE)


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
        st.toggle(tell("sweep.cat"), key="t_cat", help=tell("sweep.cat_help"))
        if polling("sweep") is None and st.button(
            tell("sweep.start"), type="primary", icon=":material/play_arrow:", key="start_sweep"
        ):
            _begin_sweep(lab, longest)
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


def _begin_sweep(lab: Lab, longest: int) -> None:
    with_cat = bool(st.session_state.get("t_cat"))
    begin("sweep", Sweep(lab.setting, longest, with_cat), lab.setting, lab.prompt, longest)


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
    st.header(tell("why.title"), anchor="why")
    if found is None or model is None:
        st.caption(tell("why.not_swept"))
        return
    config, longest = found.setting.config, max(row.length for row in rows)
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


def agreement(lab: Lab) -> None:
    on = polling("agreement")
    st.fragment(_agreement, run_every=on)(lab, on is not None)


def _agreement(lab: Lab, was_polling: bool) -> None:
    if polling("agreement") is None and st.button(tell("agreement.start"), key="start_agreement"):
        _begin_agreement(lab)
    if (found := watched("agreement", was_polling)) and found.run.results:
        st.table([words.agreement_row(result) for result in found.run.results])


def _begin_agreement(lab: Lab) -> None:
    steps = REAL_STEPS if large(lab.setting.name) else STEPS
    job = Agree(lab.setting, dtypes(lab.setting.device), steps)
    begin("agreement", job, lab.setting, lab.prompt)
