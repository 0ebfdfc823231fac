"""The parameters of "Why K and V" in the address."""

from dataclasses import dataclass

from explainer.kit.address import text, whole

#: Readers that come one after the other: the prompt's last token, and those that the model writes.
READERS = 4

#: Of a longer prompt so many tokens are used: each is a card and a book.
LONGEST = 48

#: Words that an experiment writes; with a real model, which takes its time, fewer.
WORDS_WRITTEN, WORDS_LARGE = 9, 4

#: The stages, in the order of the rail; words.toml has them in the same order.
STAGES = (
    "visit",
    "next",
    "roles",
    "old_query",
    "no_keys",
    "no_values",
    "swapped",
    "unturned",
    "everything",
    "holds",
    "unmasked",
    "name",
)

LONGEST_NAME = 24


@dataclass(frozen=True)
class WhyChoice:
    """`changed` 0 is a token that the page picks; `reader` counts from 1, the first that comes after."""

    stage: int = whole("stage", 1, 1, len(STAGES), "The stages are {low} to {high}", browser=True)
    reader: int = whole("reader", 1, 1, READERS - 1, "The readers are {low} to {high}", browser=True)
    row: int = whole("row", 0, 0, LONGEST + READERS, "The tokens are 0 to {high}", browser=True)
    changed: int = whole("changed", 0, 0, LONGEST, "The tokens are 0 to {high}")
    name: str = text("name", "Wenko", LONGEST_NAME, "The name was cut to {high} characters.")
    piece: int = whole("piece", 0, 0, LONGEST_NAME, "The pieces are 0 to {high}", browser=True)


def changed_of(choice: WhyChoice, t: int) -> int:
    """The position whose token is changed, of `t` earlier ones; 0 where there is none to change.

    Three words into the text there is most often a name. The very first has nothing before it that would
    suggest another.
    """
    return max(0, min(choice.changed or 3, t - 1))
