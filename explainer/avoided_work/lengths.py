"""What is repeated at other lengths of the text: each length is run and compared once, for all visitors."""

from dataclasses import dataclass

from explainer.avoided_work.findings import Share, shares
from explainer.kit.cache import computing, identity, model
from explainer.kit.shelf import Shelf
from kvengine import sampler
from kvengine.experiments import Premise, recompute, text_of_length

LENGTHS = (2, 4, 8, 16, 24, 32, 48, 64)


@dataclass(frozen=True)
class _Kept:
    share: Share
    nbytes: int = 256  # about


_SHARES: Shelf[str, _Kept] = Shelf(2**20)


def shares_by_length(
    name: str, token_ids: tuple[int, ...], *, t: int, premise: int, temperature: float, seed: int
) -> dict[int, Share]:
    """Of all operations together, at `LENGTHS` and `t`, less the lengths that end before what is changed."""
    found = {}
    for length in sorted({*LENGTHS, t}):
        if premise >= length:
            continue

        def make(length: int = length) -> _Kept:
            with computing(name):
                draw = sampler(temperature, seed=seed)
                text = text_of_length(model(name), token_ids, length + 1, sampler=draw)
                broken = Premise(causal=premise != -1, changed=premise if premise > 0 else None)
                return _Kept(shares(recompute(model(name), text, broken, ways=False))["all"])

        key = identity(name, token_ids[: length + 1], length, premise, temperature, seed)
        found[length] = _SHARES.get(key, make).share
    return found
