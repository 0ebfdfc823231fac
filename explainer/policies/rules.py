"""The policies of this page by their names in the address."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kvengine.policies import (
    AtRandom,
    HeavyHitters,
    LastLook,
    Policy,
    PromptVote,
    Sinks,
    SmallKeys,
    Window,
)
from kvengine.quantised import Kivi, Rounded


@dataclass(frozen=True)
class Rule:
    """A policy to choose: its name, how it is made for a budget, and whether it has one."""

    title: str
    make: Callable[[int], Policy]
    budgeted: bool = True

    @property
    def paper(self) -> str:
        return self.make(MANY).paper


#: A budget that every policy can work with.
MANY = 128

RULES: Mapping[str, Rule] = {
    "window": Rule("Window", Window),
    "sinks": Rule("Window + 4 first rows", Sinks),
    "places": Rule("… renumbered (StreamingLLM)", lambda budget: Sinks(budget, by_place=True)),
    "h2o": Rule("Most attention so far (H2O)", HeavyHitters),
    "tova": Rule("Most attention just now (TOVA)", LastLook),
    "snapkv": Rule("Vote at the prompt's end (SnapKV)", PromptVote),
    "knorm": Rule("Shortest keys", SmallKeys),
    "random": Rule("At random", AtRandom),
    "int8": Rule("8 bits a number", lambda _: Rounded(width=8), budgeted=False),
    "int4": Rule("4 bits a number", lambda _: Rounded(width=4), budgeted=False),
    "int2": Rule("2 bits a number", lambda _: Rounded(width=2), budgeted=False),
    "kivi": Rule("2 bits, keys per channel (KIVI)", lambda _: Kivi(), budgeted=False),
    "full": Rule("Full cache", lambda _: Policy(), budgeted=False),
}


def title(name: str) -> str:
    """A policy's name where it does not stand in the list of all."""
    found = RULES[name].title.removeprefix("… ")
    return found[0].upper() + found[1:]
