"""The policies page's words: what words.toml says, filled in from a run."""

from functools import cache
from pathlib import Path
from typing import Any

from explainer.kit.words import say, terms, words_of

WORDS = words_of(Path(__file__).with_name("words.toml"))
TEXTS = words_of(Path(__file__).with_name("texts.toml"))


def tell(key: str, **values: object) -> str:
    """A sentence as Markdown, by table and name: `tell("page.part")`."""
    return say(template(key), **values)


def label(key: str, **values: object) -> str:
    """The same as it is, for what is no Markdown."""
    return template(key).format(**values)


def template(key: str) -> str:
    found: Any = WORDS
    for name in key.split("."):
        found = found[name]
    return str(found)


@cache
def explained(part: str) -> dict[str, str]:
    """The terms that a scene of the page explains."""
    return terms(WORDS[part])


def nats(x: float) -> str:
    """A loss, with a real minus sign."""
    return f"{x:.3f}".replace("-", "−") if x == x else "–"


def percent(x: float) -> str:
    return f"{100 * x:.0f} %"
