"""The rounds of given numbers, right and with each mistake, shared by all who chose the same."""

from dataclasses import dataclass
from functools import lru_cache

from explainer.by_hand.words import MISTAKES
from kvengine.paper import Mistake, Numbers, Round, difference, model_of, two_rounds, without_cache


@dataclass(frozen=True)
class Runs:
    """Two rounds by the letters of the mistakes in them; `proof` is of the right ones."""

    rounds: dict[str, tuple[Round, Round]]
    proof: tuple[float, int]


@lru_cache(maxsize=512)  # 20 kB each
def runs_of(numbers: Numbers, prompt: tuple[int, ...]) -> Runs:
    """All of them together are some 300 operations on a few numbers."""
    model = model_of(numbers)
    both = Mistake(old_query=True, by_length=True)
    kinds = {"": Mistake(), **MISTAKES, "".join(MISTAKES): both}
    rounds = {letters: two_rounds(model, prompt, mistake) for letters, mistake in kinds.items()}
    second = rounds[""][1]
    return Runs(rounds, difference(second, without_cache(model, second.token_ids)))
