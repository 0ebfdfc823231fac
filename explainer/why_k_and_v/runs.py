"""What the page has run: the readers' reads counted, each misuse of the cache, rows that changed, a name."""

from collections.abc import Callable
from dataclasses import dataclass

from explainer.kit.cache import MIB, computing, computing_part, identity, large, model, tokenizer
from explainer.kit.shelf import Shelf
from explainer.why_k_and_v.choice import WORDS_LARGE, WORDS_WRITTEN
from kvengine import PromptError, sampler
from kvengine.changed import ChangedRows, changed_rows
from kvengine.experiments import Premise, recompute
from kvengine.induction import Induction, spell
from kvengine.misuse import MISUSES, Misuse, Outcome, misuses
from kvengine.reads import Reads, count_reads

#: What the name is told in: once, and then the model has to spell it.
STORY = "There was a girl named {name}. One day,"


@dataclass(frozen=True)
class Outcomes:
    """What comes of each misuse of the cache behind one prompt."""

    by_misuse: dict[Misuse, Outcome]

    @property
    def nbytes(self) -> int:
        return sum(outcome.look.nbytes for outcome in self.by_misuse.values())


@dataclass(frozen=True)
class Counted:
    reads: Reads

    @property
    def nbytes(self) -> int:
        return 3 * self.reads.q.nbytes


@dataclass(frozen=True)
class Changed:
    """Two texts compared, and the token that one of them has in the place of another."""

    rows: ChangedRows
    token_ids: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        return self.rows.nbytes


#: Of all visitors together. The default prompt takes 0.5 MB of outcomes, the longest 1.6.
_OUTCOMES: Shelf[str, Outcomes] = Shelf(48 * MIB)
_READS: Shelf[str, Counted] = Shelf(4 * MIB)
_CHANGED: Shelf[str, Changed] = Shelf(4 * MIB)
_NAMES: Shelf[str, Induction] = Shelf(16 * MIB)


def outcomes(
    name: str,
    token_ids: tuple[int, ...],
    *,
    temperature: float,
    seed: int,
    progress: Callable[[int], None] = lambda done: None,
) -> Outcomes:
    """How the text goes on with each misuse of its cache; `progress` hears how many are done."""

    def make() -> Outcomes:
        run, draw = model(name), sampler(temperature, seed=seed)
        words = WORDS_LARGE if large(name) else WORDS_WRITTEN
        found: dict[Misuse, Outcome] = {}
        # Side by side they take a quarter of the time; with a real model one by one, so that others get their
        # turn and the progress is seen.
        for together in [(how,) for how in MISUSES] if large(name) else [MISUSES]:
            progress(len(found))
            with computing_part(name):
                found |= misuses(run, token_ids, together, words=words, sampler=draw)
        return Outcomes(found)

    return _OUTCOMES.get(identity("misuse", name, token_ids, temperature, seed), make)


def reads(name: str, token_ids: tuple[int, ...]) -> Reads:
    """Who reads the rows of these tokens, run one by one."""

    def make() -> Counted:
        with computing(name):
            return Counted(count_reads(model(name), token_ids))

    return _READS.get(identity("reads", name, token_ids), make).reads


def changed(name: str, token_ids: tuple[int, ...], *, position: int = 0, causal: bool = True) -> Changed:
    """The K and V of a text held against those of the same with one token less; with another token at
    `position`, or without mask."""

    def make() -> Changed:
        with computing(name):
            premise = Premise(causal=causal, changed=position or None)
            found = recompute(model(name), token_ids, premise, operations="kv", ways=False)
        return Changed(changed_rows(found), found.token_ids)

    return _CHANGED.get(identity("changed", name, token_ids, position, causal), make)


def spelled(name: str, word: str) -> Induction:
    """A made-up name in a text, spelled by the model. Raises `PromptError` for one that cannot be spelled."""

    def make() -> Induction:
        encode = tokenizer(name).encode
        story = encode(STORY.format(name=word))
        whole = encode(f"{STORY.format(name=word)} {word}")
        if not word.strip() or whole[: len(story)] != story:
            raise PromptError("This is no name that the story can hold; write letters.")
        with computing(name):
            return spell(model(name), story, whole[len(story) :])

    return _NAMES.get(identity("name", name, word), make)
