"""Which policy forgets: one prompt that needs something from its beginning, under every policy."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from explainer.kit.measure import Setting, Stopped, placed
from explainer.policies.rules import RULES
from kvengine.hardware import threads
from kvengine.policies import PolicyError
from kvengine.recall import recall

#: Tokens that the model goes on with.
NEW = 8


@dataclass(frozen=True)
class Recalled:
    """One policy: the answer's probability, what was written instead or as well, and what the cache held.

    `holding` of `heads`, KV heads of all layers, still had a row of what was asked for. A policy that cannot
    work with the budget has refused with a sentence, and nothing was run.
    """

    rule: str
    probability: float = float("nan")
    written: tuple[int, ...] = ()
    rows: int = 0
    bytes: float = 0
    holding: int = 0
    heads: int = 0
    refused: str = ""


@dataclass(frozen=True)
class WhichForgets:
    """Policies at one budget on the same prompt."""

    setting: Setting
    answer_ids: tuple[int, ...]
    needed: tuple[int, ...]
    budget: int
    rules: tuple[str, ...]

    def run(self, stopped: Stopped) -> Iterator[Recalled]:
        with threads(self.setting.threads):
            model = placed(self.setting)
            for name in self.rules:
                if stopped():
                    return
                try:
                    policy = RULES[name].make(self.budget)
                except PolicyError as error:
                    yield Recalled(name, refused=str(error))
                    continue
                prompt, answer = self.setting.prompt_ids, self.answer_ids
                found = recall(model, prompt, answer, policy, needed=self.needed, new=NEW)
                cache = (found.rows, found.bits / 8, found.holding, found.heads)
                yield Recalled(name, found.probability, found.written, *cache)


def plan() -> tuple[str, ...]:
    """The policies in the order in which they run, the full cache first."""
    return ("full", *(name for name in RULES if name != "full"))


def places(texts: Sequence[str], answer: str) -> tuple[int, ...]:
    """Where the answer stands in a prompt, given as the texts of its tokens: the tokens it is part of."""
    whole, wanted = "".join(texts), answer.strip()
    found: set[int] = set()
    at = whole.find(wanted)
    while at >= 0:
        begin = 0
        for i, text in enumerate(texts):
            if begin < at + len(wanted) and begin + len(text) > at:
                found.add(i)
            begin += len(text)
        at = whole.find(wanted, at + 1)
    return tuple(sorted(found))
