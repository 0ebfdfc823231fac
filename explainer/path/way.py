"""Where a learner is among the pages, and which idea comes next."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from explainer.kit.words import words_of

TOLD = words_of(Path(__file__).with_name("path.toml"))
WORDS: dict[str, str] = TOLD["words"]

#: Pages to look things up in: no idea of their own, so nothing leads to them by itself.
ASIDE = frozenset({"glossary"})


@dataclass(frozen=True)
class Way:
    """An ordered list of pages, those that exist: a named path, or all of them. `after` follows its end.

    `short` is its name where there is little room.
    """

    name: str
    short: str
    about: str
    pages: tuple[str, ...]
    after: str


@cache
def paths(registered: tuple[str, ...]) -> tuple[Way, ...]:
    """The named paths through the pages that exist, in the order of the file."""
    return tuple(
        Way(
            told["name"],
            told["short"],
            told["about"],
            tuple(p for p in told["pages"] if p in registered),
            told["after"],
        )
        for told in TOLD["path"]
    )


def way_of(path: int, registered: Sequence[str]) -> Way:
    """The path that was chosen, counted from 1; 0, for none, goes through all pages in their order."""
    if path:
        return paths(tuple(registered))[path - 1]
    return Way("", "", "", tuple(p for p in registered if p not in ASIDE), registered[0])


def onward(here: str, way: Way, seen: Collection[str]) -> str:
    """The page that comes next: the one after this one; behind a named path, where that leads.

    From beside the way, and behind its end where it has no name, the first page not seen yet. With all
    of them seen `after`, and from there the way's beginning.
    """
    if here in way.pages[:-1]:
        return way.pages[way.pages.index(here) + 1]
    if here in way.pages and way.name:
        return way.after
    unseen = next((page for page in way.pages if page not in seen), way.after)
    return unseen if unseen != here else way.pages[0]


def place(here: str, way: Way, seen: Collection[str]) -> str:
    """Where this page is on a named path, in words; nothing without one."""
    if not way.name:
        return ""
    if here in way.pages:
        return WORDS["place"].format(n=way.pages.index(here) + 1, all=len(way.pages))
    return WORDS["beside"].format(seen=sum(page in seen for page in way.pages), all=len(way.pages))


def idea(page: str, title: str) -> dict[str, str]:
    """What a page tells (`learn`) and what leads to it (`lead`); its title, where nothing is written."""
    told: dict[str, Any] = TOLD["idea"].get(page, {})
    return {"learn": told.get("learn", ""), "lead": told.get("lead", f"{WORDS['onward']}: {title}.")}
