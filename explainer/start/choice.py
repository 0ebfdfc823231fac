"""The start page's own parameters in the address."""

from dataclasses import dataclass

from explainer.kit.address import text, whole
from kvengine.keep import BOXES

#: Words that the page writes by itself on a first visit, and those that it can write.
PLAYED, MOST = 10, 16

#: Words behind each choice of what to keep; of a real model fewer, since each is written eight times.
TRIED, TRIED_LARGE = PLAYED, 4

#: Of a longer prompt so many tokens are used: each is a column.
LONGEST = 257

#: What is kept, a letter each in the address, in the order of the boxes.
LETTERS = dict(zip("xqkvswhm", BOXES, strict=True))


@dataclass(frozen=True)
class StartChoice:
    """`word` 0 is a first visit; `part` 2 asks what to keep, and `keep` answers it."""

    word: int = whole("word", 0, 0, MOST, "The words are {low} to {high}", browser=True)
    part: int = whole("part", 1, 1, 2, "The parts are {low} to {high}", browser=True)
    keep: str = text("keep", "", len(LETTERS), "What is kept was cut to {high} letters.", browser=True)
