"""One learner's visit: their store, what they chose on each part, and what they did last."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from explainer.kit.choice import Common
from explainer.prompt_caching.ahead import DEFAULT, loaded
from explainer.prompt_caching.choice import (
    BUDGETS,
    LONGEST,
    MISTAKES,
    PARTS,
    PROMPT_PARTS,
    PromptCachingChoice,
)
from explainer.prompt_caching.machines import MACHINES, STORE, STORES, machines_scene
from explainer.prompt_caching.measure import Behind, FirstToken, as_served, runs_of
from explainer.prompt_caching.mistakes import pair
from explainer.prompt_caching.prices import Prices, prices_scene
from explainer.prompt_caching.room import Entry, Room
from explainer.prompt_caching.routing import MOST_MACHINES
from explainer.prompt_caching.scene import documents_scene, mistake_scene, requests_scene
from explainer.prompt_caching.timed import Seconds, Timed
from explainer.prompt_caching.words import WORDS, explained
from kvengine import KVEngineError, Tokenizer
from kvengine.ahead import Loaded

_ROOM, _STATE = "prompt_caching_room", "prompt_caching_state"


def room(name: str, own: PromptCachingChoice) -> Room:
    """The learner's store; another model, or another size, begins with an empty one."""
    found: Room | None = st.session_state.get(_ROOM)
    if found is None or not found.fits(name, own.block, own.budget):
        found = st.session_state[_ROOM] = Room(name, own.block, own.budget)
    return found


def state() -> "Visit":
    """What else the learner's visit holds."""
    if _STATE not in st.session_state:
        st.session_state[_STATE] = Visit()
    found: Visit = st.session_state[_STATE]
    return found


def _whole(value: object, low: int, high: int, otherwise: int) -> int:
    """A number from the browser within its limits."""
    if not isinstance(value, int) or isinstance(value, bool):
        return otherwise
    return min(max(value, low), high)


def _text(value: object) -> str:
    """A text from the browser, valid Unicode and not much longer than it may be."""
    return str(value)[: LONGEST + 1].encode("utf-8", "replace").decode()


def _first_token(room: Room, entry: Entry) -> FirstToken:
    """What is measured of a request."""
    setting = as_served(room.name, room.config, entry.served.token_ids)
    return FirstToken(setting, room.block, entry.served.reused)


def _behind(room: Room, loaded: Loaded) -> Behind:
    """What is measured of a document."""
    setting = as_served(room.name, room.config, loaded.document_ids)
    return Behind(setting, tuple(one.question_ids for one in loaded.questions))


class Visit:
    """Everything here is bounded; what the browser sends is taken for any value at all."""

    def __init__(self) -> None:
        self.prices = Prices()
        self.machines, self.store = MACHINES, STORE
        self.ahead = DEFAULT
        self.error = ""
        self._loaded: tuple[object, Loaded | None, str] | None = None
        self._times: list[Seconds] | None = None  # of what is loaded
        self._timed = Timed()
        self._heard = 0  # how often the browser has asked for something: each time it gets an answer

    def place(self, wanted: Mapping[str, Any], own: PromptCachingChoice) -> tuple[int, int]:
        """The part and the mistake to send: what the scene asked for last, or what the address says."""
        part = _whole(wanted.get("part"), 1, len(PARTS), own.part)
        return part, _whole(wanted.get("wrong"), 1, len(MISTAKES), own.wrong)

    def act(self, asked: Any, room: Room, common: Common) -> dict[str, Any]:
        """Do what the learner asked for; gives what changes in the address."""
        asked = asked if isinstance(asked, dict) else {}
        kind, self.error = asked.get("kind"), ""
        self._heard += 1
        if kind == "send":
            texts = [_text(asked.get(name, "")) for name in PROMPT_PARTS]
            try:
                room.send(texts, temperature=common.temperature, seed=common.seed)
            except KVEngineError as error:
                self.error = str(error)
            return {name: text[:LONGEST] for name, text in zip(PROMPT_PARTS, texts, strict=True)}
        if kind == "store":
            return {
                "block": _whole(asked.get("block"), 1, 128, room.block),
                "budget": _whole(asked.get("budget"), 0, BUDGETS[-1], room.budget),
            }
        if kind == "clear":
            room.empty()
        elif kind == "prices":
            self.prices.choose(asked)
        elif kind == "machines":
            self.machines = _whole(asked.get("machines"), 1, MOST_MACHINES, self.machines)
            store = asked.get("store")
            self.store = store if store in STORES else self.store
        elif kind == "ahead" and isinstance(asked.get("texts"), list):
            ahead = [_text(text) for text in asked["texts"][: len(self.ahead)]]
            self.ahead = (*ahead, *[""] * (len(self.ahead) - len(ahead)))
        return {}

    def look(self, asked: Any, room: Room) -> None:
        """See to what comes after the answers: the proof of a request, and the times."""
        asked = asked if isinstance(asked, dict) else {}
        self._heard += 1
        entry = next((one for one in room.history if one.number == asked.get("number")), None)
        if entry:
            room.prove()
            if entry.seconds is None and entry.served.reused:
                found = self._timed.look(_first_token(room, entry), runs_of(room.config))
                if found:
                    ours, full = (min(times) for times in zip(*found, strict=True))
                    room.tell(entry.number, seconds=(ours, full))
        loaded = self._loaded[1] if self._loaded else None
        if asked.get("document") and loaded and self._times is None:
            self._times = self._timed.look(_behind(room, loaded), 1 + len(loaded.questions))

    def frame(self, room: Room, own: PromptCachingChoice) -> dict[str, Any]:
        """What the page is called, and what has to be the same for parts that were sent to stay true."""
        # The first request, which is the page's, makes none of them untrue: it is sent when a part needs it.
        sent, kept = max(room.sent, 1), max(len(room.history), int(not room.emptied))
        return {
            "heard": self._heard,
            "words": WORDS,
            "terms": explained(),
            "parts": list(PARTS),
            "wrong": own.wrong,
            "mistakes": list(MISTAKES),
            "stamp": f"{room.name} {room.block} {room.budget} {sent} {kept}",
        }

    def part(
        self,
        name: str,
        wrong: int,
        room: Room,
        own: PromptCachingChoice,
        common: Common,
        tokenizer: Tokenizer,
    ) -> dict[str, Any]:
        """What one part shows, computed now if it was not yet."""
        if name in ("requests", "prices") and not room.history and not room.emptied:
            # The first request is the page's; the learner's own comes second.
            try:
                texts = [getattr(own, part) for part in PROMPT_PARTS]
                room.send(texts, temperature=common.temperature, seed=common.seed)
            except KVEngineError as error:
                self.error = str(error)
        if name == "requests":
            return requests_scene(
                room,
                own,
                tokenizer,
                temperature=common.temperature,
                error=self.error,
                late=lambda entry: self._timed.waiting(_first_token(room, entry)),
            )
        if name == "mistakes":
            key = MISTAKES[wrong - 1]
            return mistake_scene(key, pair(room.name, room.block, key), tokenizer)
        if name == "documents":
            found, refused = self._ahead(room.name, common)
            late = self._timed.waiting(_behind(room, found)) if found else ("", False)
            return documents_scene(
                self.ahead, found, room.config, tokenizer.decode, refused, self._times, late
            )
        if name == "prices":
            return prices_scene(self.prices, room.name, room.history)
        return machines_scene(self.machines, self.store)

    def _ahead(self, name: str, common: Common) -> tuple[Loaded | None, str]:
        """The document loaded and the questions asked, once for each choice."""
        key = (name, self.ahead, common.temperature, common.seed)
        if self._loaded is None or self._loaded[0] != key:
            self._times = None
            try:
                self._loaded = (key, loaded(name, self.ahead, common), "")
            except KVEngineError as error:
                self._loaded = (key, None, str(error))
        return self._loaded[1:]
