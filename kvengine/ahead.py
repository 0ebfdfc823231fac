"""Documents computed ahead: loaded into a cache once, and questions put behind their keys and values.

Cache-augmented generation: arXiv 2412.15605.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from kvengine.cost import pass_cost
from kvengine.generate import Sampler, greedy
from kvengine.model import Transformer
from kvengine.prefix import Prefill, prefill
from kvengine.reuse import answer_behind, seconds_to_first
from kvengine.timing import Clock


@dataclass(frozen=True)
class Asked:
    """One question behind a document: with the document's rows kept, and with all of it computed again.

    `multiplications` of the prefill are (kept, again); `difference` is the largest between the logits of the
    first token.
    """

    question_ids: tuple[int, ...]
    answer_ids: tuple[int, ...]
    plain_ids: tuple[int, ...]
    difference: float
    multiplications: tuple[int, int]


@dataclass(frozen=True)
class Loaded:
    """A document whose keys and values were computed ahead, once, and what was asked behind it.

    `multiplications` are those of loading it.
    """

    document_ids: tuple[int, ...]
    nbytes: int
    multiplications: int
    questions: tuple[Asked, ...]


class _Kept:
    """A document in a cache, with room behind it for the longest question and its answer."""

    def __init__(
        self,
        model: Transformer,
        document_ids: Sequence[int],
        questions: Sequence[Sequence[int]],
        new_tokens: int,
    ) -> None:
        self.model, self.document_ids = model, document_ids
        self.room = max((len(question) for question in questions), default=0) + new_tokens

    def load(self) -> Prefill:
        self.loaded = prefill(self.model, self.document_ids, room=self.room)
        return self.loaded

    @torch.inference_mode()
    def behind(self, question: Sequence[int]) -> Prefill:
        """Cut the cache back to the document, and put a question behind it."""
        n, cache = len(self.document_ids), self.loaded.cache
        cache.crop(n)
        ids = torch.tensor([list(question)], device=self.model.device)
        return Prefill(n, cache, self.model(ids, cache, last_only=True)[0, -1])

    def again(self, question: Sequence[int]) -> Prefill:
        """The same without it."""
        ids = (*self.document_ids, *question)
        return prefill(self.model, ids, room=self.room - len(question))


@torch.inference_mode()
def ask_behind(
    model: Transformer,
    document_ids: Sequence[int],
    questions: Sequence[Sequence[int]],
    *,
    new_tokens: int,
    sampler: Sampler = greedy,
) -> Loaded:
    """Load a document once; put each question behind it, answer, and cut the cache back to the document.

    Each is answered behind the document computed again as well. Raises what `prefill` raises, and
    `ContextLengthError` where the longest answer would outgrow the model.
    """
    kept, n, config = _Kept(model, document_ids, questions, new_tokens), len(document_ids), model.config
    nbytes = kept.load().cache.used_bytes
    found = []
    for question in questions:
        ids = (*document_ids, *question)
        ours, full = kept.behind(question), kept.again(question)
        costs = pass_cost(config, q_len=len(question), start=n), pass_cost(config, q_len=len(ids))
        found.append(
            Asked(
                question_ids=tuple(question),
                answer_ids=answer_behind(model, ids, ours, new_tokens, sampler)[0],
                plain_ids=answer_behind(model, ids, full, new_tokens, sampler)[0],
                difference=float((ours.logits - full.logits).abs().max()),
                multiplications=(costs[0].multiplications, costs[1].multiplications),
            )
        )
    load = pass_cost(config, q_len=n).multiplications
    return Loaded(tuple(document_ids), nbytes, load, tuple(found))


def times_behind(
    model: Transformer,
    document_ids: Sequence[int],
    questions: Sequence[Sequence[int]],
    *,
    runs: int,
    clock: Clock = time.perf_counter,
) -> Iterator[tuple[float, ...]]:
    """Seconds of loading the document; then of each question to its first token, (kept, again), both in turn.

    Each is the fastest of `runs`; nothing else should run meanwhile.
    """
    kept = _Kept(model, document_ids, questions, 0)
    yield (min(seconds_to_first(model, kept.load, clock) for _ in range(runs)),)
    for question in questions:

        def ours(question: Sequence[int] = question) -> Prefill:
            return kept.behind(question)

        def full(question: Sequence[int] = question) -> Prefill:
            return kept.again(question)

        pairs = [
            (seconds_to_first(model, ours, clock), seconds_to_first(model, full, clock)) for _ in range(runs)
        ]
        yield min(a for a, _ in pairs), min(b for _, b in pairs)
