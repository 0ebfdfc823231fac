"""One learner's choice: taken from the address, kept in the session, written back to the address."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

import streamlit as st

from explainer.kit.address import browser_keys, fit, parameters, read, write
from explainer.kit.cache import cards, further, prompt_tokens
from explainer.kit.choice import Common, card_for, fit_model
from explainer.kit.words import plain
from kvengine import KVEngineError, ModelCard

T = TypeVar("T")

_KEY = "choice"


@dataclass
class _Session:
    common: Common = field(default_factory=Common)
    own: dict[type, Any] = field(default_factory=dict)  # by the class in which a page declares its parameters
    kind: type | None = None  # that of the page shown
    page: str = ""
    address: dict[str, str] = field(default_factory=dict)  # as last read or written, without the browser's
    notes: list[str] = field(default_factory=list)
    revision: int = 0  # how often a place was taken from the address
    acted: bool = False  # since the address was last read: the learner used a widget or a scene


def _session() -> _Session:
    if _KEY not in st.session_state:
        st.session_state[_KEY] = _Session()
    found: _Session = st.session_state[_KEY]
    return found


def common() -> Common:
    """What the learner has chosen for all pages."""
    return _session().common


def own(kind: type[T]) -> T:
    """What the learner has chosen on the page that declares `kind`."""
    chosen: T = _session().own.setdefault(kind, kind())
    return chosen


def current(field: str) -> Any:
    """What is chosen under that name, for all pages or on the page shown."""
    session = _session()
    of = session.common if field in {f.name for f in fields(Common)} else own(session.kind or Common)
    return getattr(of, field)


def link(kind: type | None = None) -> dict[str, str]:
    """What an address needs to open with this choice, that of the page that declares `kind` included."""
    return write(common()) | (write(own(kind)) if kind else {})


def card() -> ModelCard:
    """The card of the chosen model."""
    return card_for(common(), cards(), further())


def prompt_ids() -> tuple[int, ...]:
    """The chosen prompt as tokens, the start token first."""
    return prompt_tokens(card().name, common().prompt, chat=bool(common().chat))


def revision() -> int:
    """Counts the times that the place to show was taken from the address: a scene follows each new one."""
    return _session().revision


def acted() -> None:
    """A callback runs: what asked for this run was a widget or a scene, not Back, Forward or a link."""
    _session().acted = True


def choose(**changes: Any) -> None:
    """Change the choice from a callback; what no longer fits the model is put right, and told."""
    session = _session()
    session.acted = True
    shared = {f.name for f in fields(Common)}
    session.common = replace(session.common, **{k: v for k, v in changes.items() if k in shared})
    theirs = {name: value for name, value in changes.items() if name not in shared}
    if theirs and session.kind:
        session.own[session.kind] = replace(own(session.kind), **theirs)
    if "model" in changes:
        session.common = session.common.opened()
    session.notes = []
    _fit(session)


def choose_prompt(prompt: str) -> None:
    """Another text, from a callback: where a page stood in the old one means nothing in it."""
    theirs = _session().own
    for kind, chosen in list(theirs.items()):
        # Except where a page says itself what of it means as much with another text.
        behind = getattr(chosen, "with_another_prompt", None)
        if behind:
            theirs[kind] = behind()
        else:
            del theirs[kind]
    choose(prompt=prompt)


def _fit(session: _Session) -> None:
    session.common, notes = fit_model(session.common, cards(), further())
    config = card_for(session.common, cards(), further()).config
    session.common, more = fit(session.common, config)
    notes += more
    if session.kind:
        session.own[session.kind], more = fit(own(session.kind), config)
        notes += more
    session.notes += notes


def restore(page: str, kind: type | None) -> None:
    """Take the choice from the address, when the session starts or the learner goes back or forward in it.

    `kind` declares the page's own parameters. An address without any is that of a link between pages: the
    choice goes along. What the browser writes by itself, step by step, is read but not written here; what
    nobody declares stays as it is.

    A run that a widget or a scene has asked for can bring an address from before the last one was written:
    the browser sent it before it knew. Such an address is not where the learner went, and is written anew.
    """
    session = _session()
    given = st.query_params.to_dict()
    theirs = browser_keys(kind)
    mine = {p.key for k in (Common, kind) if k for p in parameters(k).values()} - theirs
    params = {key: value for key, value in given.items() if key in mine}
    moved = session.page != page
    first = not session.page
    session.page, session.kind = page, kind
    gone, session.acted = not session.acted, False
    if first or (moved and given) or (not moved and gone and params != session.address):
        session.common, session.notes = read(Common, given)
        if kind:
            session.own[kind], notes = read(kind, given)
            session.notes += notes
        session.revision += 1
        _fit(session)
        if not {"layer", "head"} & given.keys():
            session.common, _ = fit(session.common.opened(), card().config)
    elif moved:
        session.notes = []
        session.revision += 1
        _fit(session)
    address = write(session.common) | (write(own(kind)) if kind else {})
    if params != address:
        kept = {k: v for k, v in given.items() if k not in mine and (first or k not in theirs)}
        st.query_params.from_dict(address | kept)
    session.address = address


def notes() -> list[str]:
    """What in the address or the choice did not fit, a sentence each."""
    return _session().notes


@contextmanager
def errors_shown() -> Iterator[None]:
    """Show what the engine refuses as a sentence; the controls above stay, so that one can choose again."""
    try:
        yield
    except KVEngineError as error:
        st.error(plain(str(error)), icon=":material/error:")
        st.stop()
