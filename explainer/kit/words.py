"""A page's sentences, kept in one TOML file so that anyone can change them.

A sentence has named values, `{tokens}`, filled in from the run; plurals and conditions are decided in Python,
which gives the value its words. In the words of a scene `[text](#name)` is bound to what the picture calls
`name`, and `[term](?name)` is explained on hover and focus from `terms.toml`, in Markdown too. `web/words.js`
renders those of a scene.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any

_NAME = re.compile(r"\{(\w+)\}")
_TERM = re.compile(r"\]\(\?(\w+)\)")

#: Everything that Markdown could take for more than text.
_MARKUP = re.compile(r"([!-/:-@\[-`{-~])")


@cache
def words_of(file: Path) -> dict[str, Any]:
    """The tables of a TOML file of sentences."""
    with file.open("rb") as opened:
        return tomllib.load(opened)


def say(template: str, **values: object) -> str:
    """A sentence of ours, as Markdown, with its values filled in; a text value stays text.

    A term becomes a link whose title explains it (path/terms.js). Raises `KeyError` for a missing value.
    """
    shown = {name: plain(value) if isinstance(value, str) else value for name, value in values.items()}
    return _TERM.sub(_titled, Formatter().vformat(template, (), shown))


def _titled(term: re.Match[str]) -> str:
    return f'](#term "{explained()[term[1]]}")'


def plain(text: str) -> str:
    """Any text as Markdown that shows just this text: no link, image, formula or heading comes of it."""
    return _MARKUP.sub(r"\\\1", text.replace("\n", " "))


def names(template: object) -> set[str]:
    """The names of the values in a template, or in all templates of a table."""
    return {name for text in _texts(template) for name in _NAME.findall(text)}


def terms_in(template: object) -> set[str]:
    """The terms that a template, or all templates of a table, explain."""
    return {name for text in _texts(template) for name in _TERM.findall(text)}


def _texts(table: object) -> Iterator[str]:
    """All strings in a table, at any depth."""
    if isinstance(table, str):
        yield table
    elif isinstance(table, Mapping):
        for part in table.values():
            yield from _texts(part)
    elif isinstance(table, Iterable):
        for part in table:
            yield from _texts(part)


def explained() -> dict[str, str]:
    """What every term means, by name."""
    return words_of(Path(__file__).with_name("terms.toml"))


def terms(*used: object) -> dict[str, str]:
    """What the terms in these templates mean, by name."""
    all_terms = explained()
    return {name: all_terms[name] for template in used for name in sorted(terms_in(template))}


def count(n: int, what: str, many: str = "") -> str:
    """1 row, 2 rows, 1,024 rows."""
    return f"{n:,} {what}" if n == 1 else f"{n:,} {many or what + 's'}"


class Words:
    """The sentences of a page's file, each by table and name: `tell("page.part")`."""

    def __init__(self, file: Path) -> None:
        self.tables = words_of(file)

    def template(self, key: str) -> str:
        """A sentence with the names of its values still in it."""
        found: Any = self.tables
        for name in key.split("."):
            found = found[name]
        return str(found)

    def tell(self, key: str, **values: object) -> str:
        """A sentence as Markdown."""
        return say(self.template(key), **values)

    def label(self, key: str, **values: object) -> str:
        """The same as it is, for what is no Markdown."""
        return self.template(key).format(**values)

    def explained(self, table: str) -> dict[str, str]:
        """The terms that the sentences of a table explain."""
        return terms(self.tables[table])
