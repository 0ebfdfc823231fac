"""The question before each stage: which answers there are, and which is right, taken from the runs."""

from collections.abc import Mapping
from typing import Any

from explainer.kit.asking import Option, asked
from explainer.why_k_and_v.words import WORDS, chance, verdict
from kvengine.changed import ChangedRows
from kvengine.induction import Spelled
from kvengine.misuse import Outcome


def visit_question(position: int) -> dict[str, Any] | None:
    everybody = Option(f"{position:,} of {position:,}", "all", position)
    return asked("visit", Option("none", "none"), Option("1", "one", 1), everybody)


def next_question() -> dict[str, Any] | None:
    return asked(
        "next",
        Option("its key and its value", "kv", 1),
        Option("its query", "q", 0),
        Option("its query, its key and its value", "all", 2),
    )


def roles_question(values: Mapping[str, str]) -> dict[str, Any] | None:
    return asked(
        "roles",
        Option("1", "one", 1),
        Option("0", "none", 0),
        *([Option(values["k_of"], "many", 2)] if values["k_of"] != "1" else []),
    )


def experiment_question(outcome: Outcome, right: Outcome) -> dict[str, Any] | None:
    if outcome.misuse == "no_keys":
        return asked(
            "no_keys",
            Option("only from its own", "own", 0),
            Option("from all alike", "even", 2),
            Option("from those that fitted before", "before", 1),
        )
    if outcome.misuse == "no_values":
        return asked(
            "no_values",
            Option("nothing", "nothing", 2),
            Option("what their cards say", "cards", 1),
            Option("the same as before", "before", 0),
        )
    lasts = verdict(outcome, right) in ("same", "lucky")
    same = Option("the same words", "same" if lasts else "not_same", 0)
    other = Option("other words", "not_other" if lasts else "other", 1)
    error = Option("none, since the model stops with an error", "error", 2)
    return asked(outcome.misuse, *((same, other) if lasts else (other, same)), error)


def questions() -> dict[str, Any]:
    """The sentences of all questions; some experiments share what is said of an answer."""
    tables: dict[str, Any] = WORDS["question"]
    shared = tables["experiment"]["why"]
    return {kind: {"why": shared} | table for kind, table in tables.items()}


def everything_question() -> dict[str, Any] | None:
    return asked(
        "everything",
        Option("K and V", "kv", 0),
        Option("Q, K and V", "qkv", 1),
        Option("all of it", "all", 2),
    )


def holds_question() -> dict[str, Any] | None:
    return asked(
        "holds",
        Option("its own and later ones", "later", 1),
        Option("only its own", "own", 0),
        Option("all", "all", 2),
    )


def unmasked_question(unmasked: ChangedRows) -> dict[str, Any] | None:
    changed, rows = int(unmasked.different.sum()), unmasked.different.size
    return asked(
        "unmasked",
        Option(f"{changed:,} of {rows:,}", "upper", changed),
        Option(f"0 of {rows:,}", "none", 0),
        Option(f"{rows:,} of {rows:,}", "all", rows),
    )


def name_question(piece: Spelled) -> dict[str, Any] | None:
    """Only of a name that the model has from the text: else striking its row out says little."""
    if piece.without > piece.probability / 4:
        return None
    half = piece.probability / 2
    return asked(
        "name",
        Option(chance(piece.without), "little", piece.without),
        Option(chance(half), "half", half),
        Option(chance(piece.probability), "all", piece.probability),
    )
