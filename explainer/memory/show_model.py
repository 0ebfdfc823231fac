"""The calculator on the page: what is chosen on the left, what follows from it on the right."""

from collections.abc import Callable
from dataclasses import fields

import streamlit as st

from explainer.kit import session
from explainer.kit.charts import chart, csv_button, palette
from explainer.kit.controls import chosen, picked, shown
from explainer.kit.words import plain
from explainer.memory import figures
from explainer.memory import model_words as said
from explainer.memory.calculator import WEIGHT_BITS, Numbers, Sum, calculate, models
from explainer.memory.choice import OWN, MemoryChoice
from explainer.memory.words import label, size, tell
from kvengine.memory import FORMATS, SizeError
from kvengine.presets import gpus, presets

LINEAR, LOG = "linear", "log"


def beside_controls(beside: Callable[[Sum], None]) -> Sum | None:
    """The calculator's widgets, and beside them what `beside` makes of their sum, if there is one."""
    with st.container(key="calculator"):
        left, right = st.columns([5, 9], gap="large")
    with left:
        of = _controls()
    if of is not None:
        with right:
            beside(of)
    return of


def _controls() -> Sum | None:
    """The widgets, and their sum; a sentence in place of it where the numbers make no sense."""
    own, card = session.own(MemoryChoice), session.card()
    known = models(card)
    names = {key: model.name for key, model in known.items()} | {OWN: label("model.own")}
    st.selectbox(
        label("model.choose"),
        list(names),
        format_func=lambda key: names.get(key, key),
        **shown("m_preset", own.preset if own.preset in names else MemoryChoice.preset, among=list(names)),
        on_change=_choose_model,
    )
    if own.preset == OWN:
        _own_numbers(own)
    default = known[own.preset].context if own.preset in known else 8192
    left, right = st.columns(2)
    left.text_input(
        label("model.context"),
        **shown("m_context", own.context or str(default)),
        help=label("model.context_help"),
        max_chars=40,
        on_change=chosen("m_context", "context"),
    )
    right.text_input(
        label("model.batch"),
        **shown("m_batch", own.batch),
        max_chars=40,
        on_change=chosen("m_batch", "batch"),
    )
    left, right = st.columns(2)
    left.selectbox(
        label("model.format"),
        list(FORMATS),
        format_func=lambda name: (
            f"{name}, {FORMATS[name].bits_per_number:g} bits" if name in FORMATS else name
        ),
        **shown("m_format", own.fmt if own.fmt in FORMATS else MemoryChoice.fmt, among=list(FORMATS)),
        help=label("model.format_help"),
        on_change=chosen("m_format", "fmt"),
    )
    bits = own.weights or str(known[own.preset].weight_bits if own.preset in known else 16)
    right.selectbox(
        label("model.weights"),
        WEIGHT_BITS,
        **shown("m_weights", bits if bits in WEIGHT_BITS else "16", among=WEIGHT_BITS),
        on_change=chosen("m_weights", "weights"),
    )
    left, right = st.columns([3, 1])
    left.selectbox(
        label("model.gpu"),
        list(gpus()),
        format_func=lambda key: gpus()[key].name if key in gpus() else key,
        **shown("m_gpu", own.gpu if own.gpu in gpus() else MemoryChoice.gpu, among=list(gpus())),
        on_change=chosen("m_gpu", "gpu"),
    )
    right.text_input(
        label("model.cards"),
        **shown("m_cards", own.cards),
        max_chars=40,
        on_change=chosen("m_cards", "cards"),
    )
    try:
        return calculate(own, card)
    except SizeError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return None


def _choose_model() -> None:
    """Another model: its own context and weights are taken; one's own numbers begin as those shown before."""
    own = session.own(MemoryChoice)
    key = picked("m_preset", own.preset)
    numbers = own.own
    if key == OWN and not numbers:
        numbers = Numbers.read("", presets().get(own.preset, presets()[MemoryChoice.preset])).said
    session.choose(preset=key, own=numbers, context="", weights="")


def _own_numbers(own: MemoryChoice) -> None:
    numbers = Numbers.read(own.own, presets()[MemoryChoice.preset])
    names = [field.name for field in fields(Numbers)]

    def change() -> None:
        typed = {name: picked(f"m_own_{name}", getattr(numbers, name)) for name in names}
        session.choose(own=Numbers(**typed).said)

    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        for name in names:
            st.text_input(
                label(f"model.{name}"),
                **shown(f"m_own_{name}", getattr(numbers, name)),
                max_chars=24,
                width=100,
                on_change=change,
            )


def results(of: Sum) -> None:
    told = {label("model.token"): size(of.token), label("model.sequence"): size(of.sequence)}
    if of.batch > 1:
        told[label("model.all", batch=f"{of.batch:,}")] = size(of.cache)
    told[label("model.beside")] = size(of.weights)
    st.html(said.figures_row(told))
    st.markdown(said.formula_line(of))
    st.markdown(said.kind_line(of))
    st.markdown(f"{said.fits_line(of)} {said.outweighs_line(of)}")
    st.caption(f"{tell('model.share')} {said.source_line(of)}")


def model(_ids: tuple[int, ...]) -> None:
    """The part of the page."""
    st.title(label("model.title"), anchor=False)
    of = beside_controls(results)
    if of is None:
        return
    own = session.own(MemoryChoice)
    log = own.axes != LINEAR
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.segmented_control(
            label("model.axes"),
            (LOG, LINEAR),
            format_func=str.capitalize,
            **shown("m_axes", LOG if log else LINEAR, "default"),
            required=True,
            on_change=chosen("m_axes", "axes"),
        )
        csv_button(said.to_csv(of), label("model.csv"), label("model.csv_file"))
        st.caption(tell("model.link"))
    left, right = st.columns(2)
    batch, tokens = said.sequences(of.batch), said.tokens(of.tokens)
    with left:
        st.markdown(f"**{label('model.over_context')}**, {batch}")
        alt = label("model.over_context_alt", batch=batch, tokens=tokens, cache=size(of.cache))
        chart(figures.over_context(of, palette(), log=log), "memory-over-context", alt)
    with right:
        st.markdown(f"**{label('model.over_batch')}**, {tokens}")
        alt = label("model.over_batch_alt", tokens=tokens)
        chart(figures.over_batch(of, palette(), log=log), "memory-over-batch", alt)
    st.header(label("model.wrong_title"), anchor=False)
    st.markdown(tell("model.wrong_text"))
    st.table(said.wrong_rows(of))
