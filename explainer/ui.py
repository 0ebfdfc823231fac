"""The frame that all pages share: cached loaders, the learner's choice, and how errors are shown.

The one place with streamlit's caches, and with the names of session-state keys.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import streamlit as st
import torch
from streamlit.runtime.pages_manager import PagesManager

from explainer.state import (
    AUTO_HISTORY,
    BLUE_LENGTHS,
    BROWSER_KEYS,
    EXAMPLES,
    LENGTHS,
    LONGEST_PROMPT,
    Choice,
    card_for,
    fit,
    from_address,
    to_address,
)
from kvengine import (
    CheckpointError,
    KVEngineError,
    ModelCard,
    Tokenizer,
    Transformer,
    Walk,
    available_models,
    load_model,
    load_tokenizer,
    sampler,
)
from kvengine.experiments import Premise, Recomputation, avoided_shares, recompute, text_of_length

#: The page's icon; one of streamlit's own would be fetched from the internet.
ICON = Path(__file__).parent / "static" / "icon.svg"

# Streamlit's wide layout leaves margins that the cells of a scene need on a projector.
_PAGE_STYLE = """<style>
.stAppHeader { min-height: 0; height: 2.75rem; }
.stMainBlockContainer { max-width: 1720px; padding: 2.9rem clamp(1rem, 1.8vw, 2.5rem) 1rem; }
.stMainBlockContainer > .stVerticalBlock { gap: 0.6rem; }
</style>"""

# ---- loading ---------------------------------------------------------------------------------------------


@st.cache_resource(show_spinner=False)
def cards() -> tuple[ModelCard, ...]:
    """The models at hand, at least one."""
    found = available_models()
    if not found:
        raise CheckpointError("No model was found; put a model's complete directory where the models are.")
    return found


@st.cache_resource(show_spinner=False, max_entries=16)
def model(name: str) -> Transformer:
    """A shipped model, shared by all sessions."""
    # One token through a small model is too little work to share between cores.
    torch.set_num_threads(1)
    loaded = load_model(name)
    # Streamlit collects garbage after every run, and torch's many objects make that slow; what has been
    # loaded by now stays, so it need not be looked at again.
    gc.collect()
    gc.freeze()
    return loaded


@st.cache_resource(show_spinner=False, max_entries=16)
def tokenizer(name: str) -> Tokenizer:
    """The tokenizer of a shipped model."""
    return load_tokenizer(name)


@st.cache_resource(show_spinner=False, max_entries=24)
def _walk(name: str, token_ids: tuple[int, ...], start: int, temperature: float, seed: int) -> Walk:
    return Walk(model(name), token_ids, history=start, sampler=sampler(temperature, seed=seed))


@st.cache_resource(show_spinner=False, max_entries=12)
def _recomputation(
    name: str, token_ids: tuple[int, ...], t: int, premise: int, temperature: float, seed: int
) -> Recomputation:
    draw = sampler(temperature, seed=seed)
    text = text_of_length(model(name), token_ids, t + 1, sampler=draw)
    broken = Premise(causal=premise != -1, changed=premise if premise > 0 else None)
    return recompute(model(name), text, broken, sampler=draw)


@st.cache_data(show_spinner=False, max_entries=96)
def _avoided(
    name: str, token_ids: tuple[int, ...], t: int, temperature: float, seed: int
) -> dict[str, float]:
    text = text_of_length(model(name), token_ids, t + 1, sampler=sampler(temperature, seed=seed))
    return avoided_shares(recompute(model(name), text, ways=False))


# ---- the choice ------------------------------------------------------------------------------------------

_CHOICE, _NOTES, _ADDRESS, _PAGE = "choice", "notes", "address", "page_shown"
_WIDGETS = ("prompt", "heads", "kv_heads", "history", "temperature", "seed")


def choice() -> Choice:
    """What the learner has chosen; every page reads it from here."""
    if _CHOICE not in st.session_state:
        # A server whose first visitor asks for a page takes the directory of pages for the old kind, which
        # needs no app.py, and runs the page without its frame. Once app.py has run it knows better.
        PagesManager.uses_pages_directory = False
        st.rerun()
    chosen: Choice = st.session_state[_CHOICE]
    return chosen


def choose(**changes: object) -> None:
    """Change the choice from a callback; what no longer fits the model is put right."""
    changed, notes = fit(replace(choice(), **changes), cards())  # type: ignore[arg-type]
    _set(changed, notes)


def _set(new: Choice, notes: list[str]) -> None:
    st.session_state[_CHOICE] = new
    st.session_state[_NOTES] = notes
    for name in _WIDGETS:
        st.session_state[f"w_{name}"] = getattr(new, name)
    if new.history == 0:
        st.session_state["w_history"] = history_of(new)


def restore(page: str) -> None:
    """Take the choice from the address, when the session starts or the learner goes back or forward in it."""
    params = {key: value for key, value in st.query_params.to_dict().items() if key not in BROWSER_KEYS}
    first = _CHOICE not in st.session_state
    same_page = st.session_state.get(_PAGE) == page
    if first or (same_page and params != st.session_state[_ADDRESS]):
        _set(*from_address(st.query_params.to_dict(), cards()))
    elif not same_page:
        _set(choice(), [])  # streamlit forgets widgets that the other page did not show
    st.session_state[_PAGE] = page
    address = to_address(choice())
    if params != address:
        kept = {key: st.query_params[key] for key in BROWSER_KEYS if key in st.query_params}
        st.query_params.from_dict(address | (kept if first else {}))
    st.session_state[_ADDRESS] = address


def card() -> ModelCard:
    """The card of the chosen model."""
    return card_for(choice(), cards())


def prompt_ids() -> tuple[int, ...]:
    """The chosen prompt as tokens, the start token first."""
    return tuple(tokenizer(card().name).encode(choice().prompt))


def history_of(chosen: Choice) -> int:
    """Tokens in the cache when the walkthrough starts: as chosen, or all of the prompt but its last."""
    ids = tokenizer(card_for(chosen, cards()).name).encode(chosen.prompt)
    return chosen.history or max(1, min(len(ids) - 1, AUTO_HISTORY))


#: A long walk is recorded in parts, so that a link into its middle opens at once and no part grows large.
PART = 32


def walk(position: int, ahead: int) -> Walk:
    """The part of the chosen walk that holds `position`, recorded `ahead` steps from there.

    Shared by all sessions that chose the same.
    """
    c, history = choice(), history_of(choice())
    start = history + (position - history) // PART * PART
    # The prompt is cut where the walk begins: what stands behind it the model has written.
    part = _walk(card().name, prompt_ids()[: history + 1], start, c.temperature, c.seed)
    part.extend(position - start + ahead)
    return part


def blue_length() -> int:
    """Tokens of the step that the naive one is compared with: as chosen, or all of the prompt but one."""
    wanted: int = choice().blue_length or len(prompt_ids()) - 1
    return min(BLUE_LENGTHS[-1], max(BLUE_LENGTHS[0], wanted))


def recomputation() -> Recomputation:
    """The chosen naive step against the step before it; a change behind the text's end is taken back."""
    c, t = choice(), blue_length()
    premise = c.premise if c.premise < t else t - 1
    return _recomputation(card().name, prompt_ids()[: t + 1], t, premise, c.temperature, c.seed)


def avoided_by_length(lengths: tuple[int, ...]) -> dict[int, dict[str, float]]:
    """Of each length, the share of cells that came out as before, by operation: each length is run."""
    c, ids = choice(), prompt_ids()
    return {t: _avoided(card().name, ids[: t + 1], t, c.temperature, c.seed) for t in lengths}


# ---- the controls ----------------------------------------------------------------------------------------


def controls(*, length: bool) -> None:
    """The row of widgets above every page; the length of the history where the page asks for it."""
    c = choice()
    shown = card().config
    st.html(_PAGE_STYLE)
    kv_options = sorted(
        {k.config.n_kv_heads for k in cards() if k.config.n_heads == shown.n_heads}, reverse=True
    )
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="controls"):
        st.text_input(
            "Prompt",
            key="w_prompt",
            max_chars=LONGEST_PROMPT,
            on_change=lambda: choose(prompt=st.session_state.w_prompt, history=0, token=-1),
        )
        st.menu_button(
            "Examples",
            EXAMPLES,
            key="w_example",
            on_click=lambda: choose(prompt=st.session_state.w_example, history=0, token=-1),
        )
        st.select_slider(
            "Heads",
            sorted({k.config.n_heads for k in cards()}),
            key="w_heads",
            width=120,
            on_change=lambda: choose(heads=st.session_state.w_heads, kv_heads=st.session_state.w_heads),
            help="Each stop is another model, trained with that many heads; all have the same size.",
        )
        if length:
            st.select_slider(
                "Tokens in the cache",
                sorted({*(n for n in LENGTHS if n < shown.max_seq_len), st.session_state.w_history}),
                key="w_history",
                width=170,
                on_change=lambda: choose(history=st.session_state.w_history, token=-1),
                help="How much history stands in the cache when the walkthrough starts. "
                "A longer prompt is cut, a shorter one continued by the model.",
            )
        manner = "greedy" if c.temperature == 0 else f"temperature {c.temperature:g}"
        groups = f"{shown.n_kv_heads} KV head{'s' if shown.n_kv_heads > 1 else ''}"
        with st.popover(f"{groups}, {manner}", icon=":material/tune:"):
            st.segmented_control(
                "KV heads",
                kv_options,
                key="w_kv_heads",
                required=True,
                on_change=lambda: choose(kv_heads=st.session_state.w_kv_heads),
                help="Query heads in a group share one KV head: fewer KV heads, a smaller cache.",
            )
            st.slider(
                "Temperature",
                0.0,
                2.0,
                step=0.1,
                key="w_temperature",
                on_change=lambda: choose(temperature=st.session_state.w_temperature),
                help="0 takes the most probable token. The cache does not depend on it.",
            )
            st.number_input(
                "Seed",
                0,
                9999,
                key="w_seed",
                disabled=c.temperature == 0,
                on_change=lambda: choose(seed=st.session_state.w_seed),
            )
    if notes := st.session_state[_NOTES]:
        st.warning("  \n".join(notes), icon=":material/info:")


# ---- errors ----------------------------------------------------------------------------------------------


@contextmanager
def errors_shown() -> Iterator[None]:
    """Show what the engine refuses as a sentence; the controls above stay, so that one can choose again."""
    try:
        yield
    except KVEngineError as error:
        st.error(str(error), icon=":material/error:")
        st.stop()
