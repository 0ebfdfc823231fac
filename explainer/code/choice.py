"""The code page's own parameters in the address."""

from dataclasses import dataclass

from explainer.kit.address import text, whole
from kvengine import Config

#: The three parts of the page.
PARTS = ("run", "own", "library")

#: More lines than a step has to stop at: the page takes the last one for what lies beyond.
MOST_LINES = 99


def _last(config: Config) -> int:
    return config.max_seq_len - 1


@dataclass(frozen=True)
class CodeChoice:
    """`token` 0 is the last of the prompt, and `length` cuts that as the walkthrough does, 0 not at all.
    `line` 0 is the first, or the first of a `stage` of the walkthrough, or the one that makes what is called
    `at` in the code, as `at=k_all`: an address that outlives a change of the lines. `change` is what was done
    to the cache of one's own, 1 nothing.
    """

    part: int = whole("part", 1, 1, len(PARTS), "The parts are {low} to {high}")
    length: int = whole("length", 0, 0, _last, "The text can be cut behind up to {high} tokens")
    token: int = whole("token", 0, 0, _last, "The tokens are 0 to {high}", browser=True)
    line: int = whole("line", 0, 0, MOST_LINES, "The lines are {low} to {high}", browser=True)
    stage: int = whole("stage", 0, 0, 5, "The stages are {low} to {high}", browser=True)
    at: str = text("at", "", 40, "The name of a line was cut to {high} characters.", browser=True)
    change: int = whole("change", 1, 1, 7, "The changes are {low} to {high}", browser=True)
