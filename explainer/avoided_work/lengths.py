"""What is repeated at other lengths of the text: each length is run and compared once, for all visitors."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from explainer.avoided_work.findings import Share, shares
from explainer.kit.cache import computing_part, identity, large, model
from explainer.kit.shelf import Shelf
from kvengine import sampler
from kvengine.experiments import Premise, recompute, text_of_length

LENGTHS = (2, 4, 8, 16, 24, 32, 48, 64)
#: Of a real model, which takes its time.
LENGTHS_LARGE = (2, 4, 8, 16)


@dataclass(frozen=True)
class _Kept:
    share: Share
    nbytes: int = 256  # about


_SHARES: Shelf[str, _Kept] = Shelf(2**20)


def shares_by_length(
    name: str,
    token_ids: tuple[int, ...],
    *,
    t: int,
    premise: int,
    temperature: float,
    seed: int,
    progress: Callable[[int, int], None] = lambda done, wanted: None,
) -> dict[int, Share]:
    """Of all operations together, at some lengths and `t`, less those that end before what is changed."""
    all_shares = {}
    lengths = sorted({*(LENGTHS_LARGE if large(name) else LENGTHS), t})

    @cache
    def longest() -> tuple[int, ...]:
        draw = sampler(temperature, seed=seed)
        return text_of_length(model(name), token_ids, lengths[-1] + 1, sampler=draw)

    for done, length in enumerate(lengths):
        progress(done, len(lengths))
        if premise >= length:
            continue

        def make(length: int = length) -> _Kept:
            with computing_part(name):
                broken = Premise(causal=premise != -1, changed=premise if premise > 0 else None)
                found = recompute(model(name), longest()[: length + 1], broken, ways=False)
            return _Kept(shares(found)["all"])

        key = identity(name, token_ids[: length + 1], length, premise, temperature, seed)
        all_shares[length] = _SHARES.get(key, make).share
    return all_shares
