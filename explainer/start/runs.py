"""What the start page has run: the two writers with their times, and what comes of each choice to keep."""

from dataclasses import dataclass
from itertools import chain, combinations

from explainer.kit.cache import MIB, computing, computing_part, identity, large, model
from explainer.kit.shelf import Shelf
from explainer.kit.slow import Progress
from explainer.kit.words import say
from explainer.start.choice import MOST, PLAYED, TRIED, TRIED_LARGE
from explainer.start.words import WORDS
from kvengine import sampler
from kvengine.keep import READABLE, Outcome, go_on
from kvengine.writers import Times, Writing, measure, write

#: How often each writer's text is timed. Of a real model once: its passes are long.
RUNS, RUNS_LARGE = 3, 1


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


def written(
    name: str, token_ids: tuple[int, ...], *, temperature: float, seed: int, progress: Progress
) -> tuple[str, Written]:
    """The two writers behind a prompt, and the name under which all who choose the same share them.

    It is measured in this process, alone among all that the pages compute. A real model writes no more than
    what is played.
    """
    key = identity("writers", name, token_ids, temperature, seed)

    def make() -> Written:
        run = model(name)
        with computing(name):
            words, runs = (PLAYED, RUNS_LARGE) if large(name) else (MOST, RUNS)
            draw = sampler(temperature, seed=seed)

            def heard(done: int, _: int) -> None:
                progress(done, 2 * words, say(WORDS["prompt"]["word"], word=done + 1, words=words))

            writing = write(run, token_ids, words=words, sampler=draw, progress=heard)
            # The timing takes about as long. No pass is disturbed by being told of.
            progress(words, 2 * words, say(WORDS["prompt"]["timing"]))
            return Written(writing, measure(run, writing, runs=runs))

    return key, _WRITINGS.get(key, make)


def outcomes(
    name: str, token_ids: tuple[int, ...], *, temperature: float, seed: int, progress: Progress
) -> Outcomes:
    """How the text goes on with each set of what can be read."""

    def make() -> Outcomes:
        run, draw = model(name), sampler(temperature, seed=seed)
        sizes = (combinations(sorted(READABLE), n) for n in range(len(READABLE) + 1))
        subsets = [frozenset(kept) for kept in chain.from_iterable(sizes)]
        words = TRIED_LARGE if large(name) else TRIED
        found: dict[frozenset[str], Outcome] = {}
        for kept in subsets:
            progress(len(found), len(subsets))
            with computing_part(name):
                found[kept] = go_on(run, token_ids, kept, words=words, sampler=draw)
        return Outcomes(found)

    return _OUTCOMES.get(identity("keep", name, token_ids, temperature, seed), make)
