"""The rounds of given numbers, right and with each mistake, shared by all who chose the same."""

from dataclasses import dataclass
from functools import lru_cache

from explainer.by_hand.words import MISTAKES
from kvengine.paper import Mistake, Numbers, Round, difference, model_of, two_rounds, without_cache


@dataclass(frozen=True)
class Runs:
    """Two rounds by the letters of the mistakes in them.

    `proofs` hold each second round against the right one over the same words, without a cache: the largest
    difference, and how many numbers were compared.
    """

    rounds: dict[str, tuple[Round, Round]]
    proofs: dict[str, tuple[float, int]]


@lru_cache(maxsize=512)  # 20 kB each
def runs_of(numbers: Numbers, prompt: tuple[int, ...]) -> Runs:
    """All of them together are some 400 operations on a few numbers."""
    model = model_of(numbers)
    both = Mistake(old_query=True, by_length=True)
    kinds = {"": Mistake(), **MISTAKES, "".join(MISTAKES): both}
    rounds = {letters: two_rounds(model, prompt, mistake) for letters, mistake in kinds.items()}
    again = {ids: without_cache(model, ids) for ids in {second.token_ids for _, second in rounds.values()}}
    proofs = {letters: difference(second, again[second.token_ids]) for letters, (_, second) in rounds.items()}
    return Runs(rounds, proofs)
