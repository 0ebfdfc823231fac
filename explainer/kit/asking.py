"""Questions to answer before a stage is shown: what Python sends of one.

A question has a kind, a table of the page's words.toml with its `text`, and below `why` a sentence for each
answer that can be given. Which is right, and what the numbers are, is taken from the run. `web/asking.js`
fills the sentences in (`questionOf`), with the values of the step and those of the option.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Option:
    """An answer: what stands on its button, the name of its sentence, and what only that sentence needs.

    Options stand in the order of `size`, so that the place gives nothing away.
    """

    text: str
    why: str
    size: float = 0
    values: Mapping[str, str] = field(default_factory=dict)


def asked(
    kind: str, right: Option, *wrong: Option, values: Mapping[str, str] | None = None, veil: bool = False
) -> dict[str, Any] | None:
    """A question as the scene gets it; None where no wrong answer is left that differs from the right one.

    `values` are those of all its sentences, besides the step's. `veil`: the picture that is shown before the
    answer holds it, and is covered meanwhile.
    """
    options = {right.text: right}
    for option in wrong:
        options.setdefault(option.text, option)
    if len(options) < 2:
        return None
    ordered = sorted(options.values(), key=lambda option: option.size)
    return {
        "kind": kind,
        "answer": ordered.index(right),
        "veil": veil,
        "values": dict(values or {}),
        "options": [[option.why, option.text, dict(option.values)] for option in ordered],
    }
