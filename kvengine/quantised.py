"""Caches of fewer bits: every row stays, and its numbers are rounded to the few values that a format has.

What is measured is the loss that comes of the rounding. The numbers stand in the cache as floats that the
format can hold; a serving engine would store the codes, and unpack them in its attention kernel.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from kvengine.policies import Policy

if TYPE_CHECKING:
    from kvengine.policy_cache import PolicyCache

#: Bits of a scale, and of a zero point: 16-bit floats.
SCALE_BITS = 16


def _in_groups(x: Tensor, group: int) -> Tensor:
    """The last axis in groups; one that is no multiple is a group by itself."""
    width = x.shape[-1]
    size = group if width % group == 0 else width
    return x.reshape(*x.shape[:-1], -1, size)


def round_symmetric(x: Tensor, bits: int, group: int) -> Tensor:
    """Each group of the last axis rounded to multiples of its scale: largest magnitude / (2^(bits−1) − 1)."""
    parts = _in_groups(x, group)
    most = 2 ** (bits - 1) - 1
    scale = (parts.abs().amax(dim=-1, keepdim=True) / most).half().to(x.dtype)
    steps = (parts / scale.where(scale > 0, 1)).round().clamp(-most, most)
    rounded: Tensor = (steps * scale).flatten(-2)
    return rounded


def round_between(x: Tensor, bits: int, group: int) -> Tensor:
    """Each group of the last axis rounded to 2^bits levels from its least to its largest number."""
    parts = _in_groups(x, group)
    low = parts.amin(dim=-1, keepdim=True).half().to(x.dtype)
    scale = ((parts.amax(dim=-1, keepdim=True) - low) / (2**bits - 1)).half().to(x.dtype)
    steps = ((parts - low) / scale.where(scale > 0, 1)).round().clamp(0, 2**bits - 1)
    rounded: Tensor = (steps * scale + low).flatten(-2)
    return rounded


@dataclass(frozen=True)
class Rounded(Policy):
    """Each row by itself, `width` bits a number and a scale for every `group` of them.

    Groups of 32 are those of llama.cpp's q8_0 and q4_0: 8.5 and 4.5 bits a number, with a scale of 16.
    """

    width: int = 8
    group: int = 32
    title = "Fewer bits"

    def after(self, cache: "PolicyCache") -> None:
        new = slice(cache.rounded, cache.length)
        for rows in (cache.k, cache.v):
            rows[..., new, :] = round_symmetric(rows[..., new, :], self.width, self.group)
        cache.rounded = cache.length

    def bits(self, rows: int, head_dim: int, full: int) -> float:
        return self.width + SCALE_BITS / min(self.group, head_dim)


@dataclass(frozen=True)
class Kivi(Policy):
    """Keys rounded per channel, over `group` tokens; values per token, over up to `group` channels.

    The newest rows stay as they are: keys until a whole group of tokens has come, values for `group`
    tokens. Each group has a scale and a zero point. KIVI, arXiv 2402.02750, whose example has groups of 32.
    """

    width: int = 2
    group: int = 32
    title = "2 bits (KIVI)"
    paper = "arXiv 2402.02750"

    def after(self, cache: "PolicyCache") -> None:
        keys, values = self.full(cache.length)
        # Keys: whole groups of tokens, a channel at a time, as KIVI's quantiser takes them.
        before = cache.rounded
        if keys > before:
            k = cache.k[..., before:keys, :].mT.contiguous()
            cache.k[..., before:keys, :] = round_between(k, self.width, self.group).mT
            cache.rounded = keys
        start = max(0, values - cache.fresh)
        if values > start:
            v = cache.v[..., start:values, :]
            cache.v[..., start:values, :] = round_between(v, self.width, self.group)

    def full(self, rows: int) -> tuple[int, int]:
        """How many rows of keys, and of values, have been rounded in a cache of so many rows."""
        return rows // self.group * self.group, max(0, rows - self.group)

    def bits(self, rows: int, head_dim: int, full: int) -> float:
        if not rows:
            return float(full)
        keys, values = self.full(rows)
        small_key = self.width + 2 * SCALE_BITS / self.group
        small_value = self.width + 2 * SCALE_BITS / min(self.group, head_dim)
        small = keys * small_key + values * small_value
        return (small + (2 * rows - keys - values) * full) / (2 * rows)
