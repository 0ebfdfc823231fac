"""The hand page's own parameters in the address, and the numbers in them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from explainer.by_hand.numbers import NumberError, parse, plain, table
from explainer.kit.address import text, whole
from kvengine.paper import D, Numbers

#: The words that the small model knows, and how many of them the first round begins with.
VOCABULARY = ("the", "cat", "sat", "down", "quietly")
PROMPT = 3

STEPS = 16

#: Chosen so that weights come out as simple fractions, and the words as an English sentence.
_EXAMPLE = {
    "embed": "0 1 0 0 2 1 0 0 0 2 0 2 1 1 0 2 2 1 1 0",
    "wq": "0 0 1 0 0 1 0 1 1 0 0 0 0 1 0 0",
    "wk": "1 0 0 0 0 0 1 1 0 1 0 0 0 0 1 0",
    "wv": "0 0 0 1 1 0 0 0 0 1 0 0 1 0 1 0",
}

_LONG = "The numbers in the address were cut to {high} characters."
_LONGEST = 400

#: What W_Q is multiplied with, by its name in the address.
UNITS = {"ln2": math.log(2), "1": 1.0}

#: The tables of numbers, each with its rows.
TABLES = {"embed": len(VOCABULARY), "wq": D, "wk": D, "wv": D}


@dataclass(frozen=True)
class HandChoice:
    """The given numbers, row by row, and the stage. `wrong` has a letter for each mistake that is on.

    The embeddings are `x` in the address: `embed` there means something to Streamlit.
    """

    words: str = text("words", "0 1 2", 60, "The words in the address were cut to {high} characters.")
    embed: str = text("x", _EXAMPLE["embed"], _LONGEST, _LONG)
    wq: str = text("wq", _EXAMPLE["wq"], _LONGEST, _LONG)
    wk: str = text("wk", _EXAMPLE["wk"], _LONGEST, _LONG)
    wv: str = text("wv", _EXAMPLE["wv"], _LONGEST, _LONG)
    unit: str = text("unit", "ln2", 8, "The factor of W_Q is ln2 or 1.")
    step: int = whole("step", 1, 1, STEPS, "The steps are {low} to {high}", browser=True)
    wrong: str = text("wrong", "", 8, "The mistakes are q and n.", browser=True)


@dataclass(frozen=True)
class Given:
    """All that a pencil begins with."""

    prompt: tuple[int, ...]
    tables: Mapping[str, tuple[tuple[Fraction, ...], ...]]
    unit: str

    @property
    def numbers(self) -> Numbers:
        """The same for the engine."""
        rows = {name: tuple(tuple(map(float, row)) for row in self.tables[name]) for name in TABLES}
        return Numbers(**rows, unit=UNITS[self.unit])


def given(choice: HandChoice) -> tuple[Given, list[str]]:
    """The numbers of an address, and a sentence for each table that cannot be read: it is the example's."""
    notes: list[str] = []
    tables = {}
    for name, rows in TABLES.items():
        try:
            tables[name] = table(getattr(choice, name), rows, D)
        except NumberError as error:
            notes.append(f"{NAMES[name]} in the address: {error} The example's numbers are shown.")
            tables[name] = table(_EXAMPLE[name], rows, D)
    try:
        prompt = tuple(int(parse(word)) for word in choice.words.split())
    except NumberError:
        prompt = ()
    if len(prompt) != PROMPT or not all(0 <= word < len(VOCABULARY) for word in prompt):
        last = len(VOCABULARY) - 1
        notes.append(
            f"The words in the address have to be {PROMPT} numbers from 0 to {last}; the example's are shown."
        )
        prompt = tuple(range(PROMPT))
    unit = choice.unit
    if unit not in UNITS:
        notes.append("The factor of W_Q in the address is neither ln2 nor 1; ln 2 is shown.")
        unit = "ln2"
    return Given(prompt, tables, unit), notes


#: What the tables are called in a sentence.
NAMES = {"embed": "The embeddings", "wq": "W_Q", "wk": "W_K", "wv": "W_V"}


def edited(texts: Mapping[str, object]) -> tuple[dict[str, str], dict[str, list[int]], str]:
    """What the fields of the scene hold: the parameters they make, else which fields are wrong, and why.

    `texts` has a list of field texts for each table, the three words as numbers, and the unit.
    """
    changes: dict[str, str] = {}
    wrong: dict[str, list[int]] = {}
    why = ""
    for name, rows in TABLES.items():
        fields = texts.get(name)
        if not isinstance(fields, list) or len(fields) != rows * D:
            return {}, {}, f"{NAMES[name]}: {rows * D} numbers are needed."
        values = []
        for i, field in enumerate(fields):
            try:
                values.append(parse(str(field)))
            except NumberError as error:
                wrong.setdefault(name, []).append(i)
                why = why or f"{NAMES[name]}: {error}"
        changes[name] = plain([values])
    prompt, unit = texts.get("words"), texts.get("unit")
    if (
        isinstance(prompt, list)
        and len(prompt) == PROMPT
        and all(w in range(len(VOCABULARY)) for w in prompt)
    ):
        changes["words"] = " ".join(map(str, prompt))
    if isinstance(unit, str) and unit in UNITS:
        changes["unit"] = unit
    return ({} if wrong else changes), wrong, why
