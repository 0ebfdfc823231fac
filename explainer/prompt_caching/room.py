"""One learner's store and what was sent to it. It belongs to the session: no two learners share one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from explainer.kit.cache import computing, model, tokenizer
from explainer.prompt_caching.choice import ANSWER, LONGEST
from explainer.prompt_caching.tree import Bar, bars
from kvengine import ContextLengthError, PromptError, sampler
from kvengine.cost import cache_bytes
from kvengine.generate import Sampler
from kvengine.prefix import Change, prefix_cache
from kvengine.reuse import Computed, Proof, Served, prove, serve

#: Requests that are shown, and that are kept to be priced.
SHOWN, KEPT = 6, 40


@dataclass(frozen=True)
class Entry:
    """A request of the history: `sizes` are the tokens of each of its parts, `kept` the blocks that it added.

    `stored` are the bytes in the store after it, `hit_rate` the share of all tokens so far that was read. The
    blocks themselves are the store's alone: a history that held them would keep what the store has pruned.
    What comes later than the answer is None until then: the proof, and the seconds to the first token, with
    the store and without it.
    """

    number: int
    texts: tuple[str, ...]
    sizes: tuple[int, ...]
    served: Served
    tree: tuple[Bar, ...]
    kept: int
    stored: int
    hit_rate: float
    proof: Proof | None = None
    seconds: tuple[float, float] | None = None


def prompt_of(name: str, texts: Sequence[str]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The tokens of a prompt and how many of them each part has, the start token with the first.

    Each part is cut into tokens by itself, on a line of its own, as a chat's template does it: so no text can
    change the tokens of another.
    """
    cut = tokenizer(name)
    ids, sizes = [cut.start], []
    for text in texts:
        before = len(ids)
        if text:
            ids += cut.encode_part(text if before == 1 else "\n" + text)
        sizes.append(len(ids) - before)
    return tuple(ids), (1 + sizes[0], *sizes[1:])


class Room:
    """A model's store with blocks of `block` tokens and room for `budget` tokens, and its history."""

    def __init__(self, name: str, block: int, budget: int) -> None:
        self.name, self.block, self.budget = name, block, budget
        self.config = model(name).config
        self.sent = 0
        self.empty()
        self.emptied = False  # by the learner

    def empty(self) -> None:
        """Forget everything that was sent."""
        size = cache_bytes(self.config, self.budget)
        self.store = prefix_cache(self.config, block_size=self.block, budget=size)
        self.history: list[Entry] = []
        self._unproved: tuple[Served, Computed, Sampler] | None = None  # the last request, until it is proved
        self.emptied = True
        self._born: dict[bytes, int] = {}

    def fits(self, name: str, block: int, budget: int) -> bool:
        return (self.name, self.block, self.budget) == (name, block, budget)

    def send(self, texts: Sequence[str], *, temperature: float, seed: int) -> Entry:
        """Send a prompt. Raises `PromptError` and `ContextLengthError` for one that no model can run."""
        if any(len(text) > LONGEST for text in texts):
            raise PromptError(f"A part of the prompt has more than {LONGEST:,} characters; shorten it.")
        ids, sizes = prompt_of(self.name, texts)
        most = self.config.max_seq_len - ANSWER
        if len(ids) > most:
            raise ContextLengthError(
                f"The prompt has {len(ids):,} tokens. The model has {self.config.max_seq_len} positions, and "
                f"the answer takes {ANSWER} of them: shorten the prompt to {most} tokens."
            )
        self.prove()
        draw = sampler(temperature, seed=seed)
        with computing(self.name):
            served, computed = serve(model(self.name), ids, self.store, new_tokens=ANSWER, sampler=draw)
        self._unproved = served, computed, draw
        self.sent += 1
        entry = Entry(
            number=self.sent,
            texts=tuple(texts),
            sizes=sizes,
            served=replace(served, change=Change((), ())),
            tree=self._tree(served),
            kept=len(served.change.stored),
            stored=self.store.used_bytes,
            hit_rate=self.store.stats.hit_rate,
        )
        self.history = [*self.history, entry][-KEPT:]
        return entry

    def prove(self) -> None:
        """Hold the last request against the same one without the store, if that was not done yet."""
        if self._unproved is None:
            return
        (served, computed, draw), self._unproved = self._unproved, None
        with computing(self.name):
            found = prove(model(self.name), served, computed, sampler=draw)
        self.tell(self.sent, proof=found)

    def tell(self, number: int, **more: Any) -> None:
        """Enter into the history what is known now of a request."""
        self.history = [replace(one, **more) if one.number == number else one for one in self.history]

    def _tree(self, served: Served) -> tuple[Bar, ...]:
        new = {block.key for block in served.change.stored}
        gone = {block.key for block in served.change.evicted}
        now = self.store.blocks
        first = 1 + max(self._born.values(), default=0)
        self._born |= {block.key: first + i for i, block in enumerate(served.change.stored)}
        ids = served.token_ids
        read, key = set(), self.store.root
        by_parent = {(block.parent, block.token_ids): block.key for block in now}
        for start in range(0, served.reused, self.block):
            key = by_parent[key, ids[start : start + self.block]]
            read.add(key)
        drawn = bars(
            (*now, *served.change.evicted),
            root=self.store.root,
            read=read,
            new=new,
            gone=gone,
            born=self._born,
            text_of=tokenizer(self.name).decode,
        )
        self._born = {block.key: self._born[block.key] for block in now}
        return tuple(drawn)
