"""The cache of one's own and its bugs, as the data that the code page draws."""

from collections.abc import Callable, Mapping
from typing import Any

from explainer.code.listing import Piece, pieces
from explainer.code.own import (
    APPENDED,
    CHANGES,
    ENDS,
    TEXT,
    Appending,
    Outcome,
    marked_lines,
    printed,
    text_of,
)
from explainer.code.words import WORDS
from explainer.kit.encode import token_label
from explainer.kit.units import byte_size
from explainer.kit.words import count
from kvengine.config import Config
from kvengine.proof import TOLERANCE


def plain(config: Config) -> bool:
    """Whether the text computes what a model of this shape needs: its rotation is the plain one."""
    return config.rope_stretch is None and config.window is None


def scene(
    outcomes: Mapping[str, Outcome],
    appending: Mapping[str, Appending],
    text_of_token: Callable[[int], str],
    *,
    base: float,
    expanded_in: Config,
) -> dict[str, Any]:
    """All changes, their texts for a rotation with this `base`, and what each did where it has been run."""
    changes = []
    lines: dict[str, list[Piece]] = {}
    for key in CHANGES:
        outcome = outcomes.get(key)
        values = {"lines": str(TEXT.count("\n")), "tolerance": f"{TOLERANCE:g}"} | _times(appending)
        found: dict[str, Any] = {
            "key": key,
            **WORDS["change"][key],
            "code": _coloured(key, base, lines),
            "printed": printed(key, base),
        }
        if outcome:
            values |= _values(outcome)
            labels = [
                [token_label(text_of_token(i)) for i in ids] for ids in (outcome.token_ids, outcome.right_ids)
            ]
            found["rows"] = [
                {"written": written, "right": right, "same": a == b, "difference": difference}
                for written, right, a, b, difference in zip(
                    *labels, outcome.token_ids, outcome.right_ids, outcome.differences, strict=True
                )
            ]
            found["verdict"] = _verdict(outcome)
            found["memory"] = "memory_more" if outcome.used > outcome.right else "memory_value"
            found["appending"] = key in appending
        if key == "expanded":
            values |= {
                "heads": count(expanded_in.n_heads, "query head"),
                "kv": count(expanded_in.n_kv_heads, "KV head"),
            }
            found["note"] = "other_model"
        changes.append(found | {"values": values})
    return {"changes": changes, "lines": list(lines.values()), "tolerance": TOLERANCE}


def _coloured(key: str, base: float, lines: dict[str, list[Piece]]) -> list[tuple[str, int]]:
    """Each line's mark, and which of `lines` it is: those hold each text once, in its colours.

    The replaced ones are coloured as they stood in the right text.
    """
    before, after = iter(pieces(text_of("none", base))), iter(pieces(text_of(key, base)))
    found: list[tuple[str, int]] = []
    for mark, text in marked_lines(key, base):
        if mark == "":
            next(before)
        lines.setdefault(text, next(before if mark == "-" else after))
        found.append((mark, list(lines).index(text)))
    return found


def _times(appending: Mapping[str, Appending]) -> dict[str, str]:
    values = {"short_rows": f"{ENDS}", "long_rows": f"{APPENDED:,}"}
    if appending:
        grown, placed = appending["grow"], appending["none"]
        values |= {"short": _micro(grown.short), "long": _micro(grown.long), "in_place": _micro(placed.long)}
    return values


def _micro(seconds: float) -> str:
    """1.4 µs, 28 µs."""
    return f"{seconds * 1e6:.2g} µs" if seconds < 99e-6 else f"{seconds * 1e6:.0f} µs"


def _verdict(outcome: Outcome) -> str:
    """Which sentence says how the model fared."""
    if outcome.token_ids != outcome.right_ids:
        return "wrong"
    return "right" if max(outcome.differences) <= TOLERANCE else "lucky"


def _values(outcome: Outcome) -> dict[str, str]:
    same = [a == b for a, b in zip(outcome.token_ids, outcome.right_ids, strict=True)]
    rounding = [difference <= TOLERANCE for difference in outcome.differences]
    words = count(len(same), "word")
    whole = f"the model writes the same {words} as with its own"
    return {
        "words": words,
        "same": whole if all(same) else f"the model writes another text from word {1 + same.index(False)} on",
        "first": str(1 + same.index(False)) if False in same else "",
        "row": str(1 + rounding.index(False)) if False in rounding else "",
        "difference": small(max(outcome.differences)),
        "used": byte_size(outcome.used),
        "right": byte_size(outcome.right),
        "ratio": f"{outcome.used / outcome.right:g}",
    }


def small(x: float) -> str:
    """7.6e−6; 12.3 where it is not small at all."""
    return f"{x:.2g}" if x == 0 or x >= 0.01 else f"{x:.1e}".replace("e-0", "e−")
