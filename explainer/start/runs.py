"""What the start page has run: the two writers with their times, and what comes of each choice to keep."""

from dataclasses import dataclass
from itertools import chain, combinations

from explainer.kit.cache import MIB, computing, identity, model
from explainer.kit.shelf import Shelf
from explainer.start.choice import MOST, PLAYED
from kvengine import sampler
from kvengine.keep import READABLE, Outcome, go_on
from kvengine.writers import Times, Writing, measure, write

#: How often each writer's text is timed.
RUNS = 3


@dataclass(frozen=True)
class Written:
    """Both texts, and what they took."""

    writing: Writing
    times: Times

    @property
    def nbytes(self) -> int:
        return self.writing.nbytes


@dataclass(frozen=True)
class Outcomes:
    """What comes of each choice among the boxes that a later pass can read; the others change nothing."""

    by_kept: dict[frozenset[str], Outcome]

    @property
    def nbytes(self) -> int:
        return 4096 * len(self.by_kept)


#: Of all visitors together. A writing takes 5 kB for the default prompt, 70 for the longest.
_WRITINGS: Shelf[str, Written] = Shelf(16 * MIB)
_OUTCOMES: Shelf[str, Outcomes] = Shelf(8 * MIB)


def written(name: str, token_ids: tuple[int, ...], *, temperature: float, seed: int) -> tuple[str, Written]:
    """The two writers behind a prompt, and the name under which all who choose the same share them.

    It is measured in this process, alone among all that the pages compute.
    """
    key = identity("writers", name, token_ids, temperature, seed)

    def make() -> Written:
        run = model(name)
        with computing(name):
            writing = write(run, token_ids, words=MOST, sampler=sampler(temperature, seed=seed))
            return Written(writing, measure(run, writing, runs=RUNS))

    return key, _WRITINGS.get(key, make)


def outcomes(name: str, token_ids: tuple[int, ...], *, temperature: float, seed: int) -> Outcomes:
    """How the text goes on with each set of what can be read."""

    def make() -> Outcomes:
        run, draw = model(name), sampler(temperature, seed=seed)
        subsets = (combinations(sorted(READABLE), n) for n in range(len(READABLE) + 1))
        found = {}
        for kept in map(frozenset, chain.from_iterable(subsets)):
            with computing(name):  # one by one, so that others get their turn
                found[kept] = go_on(run, token_ids, kept, words=PLAYED, sampler=draw)
        return Outcomes(found)

    return _OUTCOMES.get(identity("keep", name, token_ids, temperature, seed), make)
