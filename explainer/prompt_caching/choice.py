"""The parameters of prompt caching in the address: the part, the store, and the three texts of a prompt."""

from dataclasses import dataclass
from pathlib import Path

from explainer.kit.address import text, whole
from explainer.kit.words import words_of

#: Stories in the manner of those that the models were trained on.
TEXTS = words_of(Path(__file__).with_name("texts.toml"))

#: The parts of the page, in order.
PARTS = ("requests", "mistakes", "documents", "prices", "machines")

#: The parts of a prompt, in order.
PROMPT_PARTS = ("system", "documents", "question")

#: Tokens in a block, and tokens that the store may hold.
BLOCKS = (1, 16, 64, 128)
BUDGETS = (0, 128, 256, 1024)

#: Characters that one part of a prompt may have, and tokens that an answer gets.
LONGEST, ANSWER = 1500, 16

MISTAKES = tuple(TEXTS["mistake"])

_CUT = "A text in the address was cut to {high} characters."


@dataclass(frozen=True)
class PromptCachingChoice:
    """`part` counts the parts of the page from 1, `wrong` the mistakes."""

    part: int = whole("part", 1, 1, len(PARTS), "The parts are {low} to {high}", browser=True)
    wrong: int = whole("wrong", 1, 1, len(MISTAKES), "The mistakes are {low} to {high}", browser=True)
    block: int = whole("block", 16, 1, 128, "A block has {low} to {high} tokens")
    budget: int = whole("store", 256, 0, 1024, "The store holds {low} to {high} tokens")
    system: str = text("system", TEXTS["prompt"]["system"], LONGEST, _CUT)
    documents: str = text("documents", TEXTS["prompt"]["documents"], LONGEST, _CUT)
    question: str = text("question", TEXTS["prompt"]["question"], LONGEST, _CUT)
