"""Cache policies: which rows of a cache stay when it is full, each as the rule of its paper.

A policy is asked after every pass, never before, and the newest row always stays. It sees the cache that it
has to thin out (`policy_cache.py`) and gives each row a score: those with the highest stay, in every layer
and KV head for itself. With grouped heads one KV head keeps one set of rows, so what the query heads of a
group say is averaged. The model knows nothing of it. Formats of fewer bits are in `quantised.py`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from kvengine.errors import KVEngineError

if TYPE_CHECKING:
    from kvengine.policy_cache import PolicyCache


class PolicyError(KVEngineError):
    """A policy cannot work with so few rows."""


@dataclass(frozen=True)
class Policy:
    """Full cache: every row stays as it is. The others refine this."""

    title: ClassVar[str] = "Full cache"
    paper: ClassVar[str] = ""
    #: Does it look at the attention weights? They exist only where attention is written out.
    watches: ClassVar[bool] = False

    @property
    def renumbers(self) -> bool:
        """Are rows numbered by their place in the cache, rather than by that in the text?"""
        return False

    def after(self, cache: "PolicyCache") -> None:
        """What becomes of the rows, now that a pass is over."""

    def bits(self, rows: int, head_dim: int, full: int) -> float:
        """Bits that a number takes on average in a cache of `rows`; `full` in the precision of the model."""
        return float(full)


@dataclass(frozen=True)
class Evicting(Policy):
    """Keeps `budget` rows of each layer and KV head; None is a budget without an end."""

    budget: int | None = None

    def __post_init__(self) -> None:
        if self.budget is not None and self.budget < self.fewest:
            raise PolicyError(
                f"A budget of {self.budget} row{'' if self.budget == 1 else 's'} is too small for the policy "
                f"“{self.title}”; it needs {self.fewest} at least."
            )

    @property
    def fewest(self) -> int:
        """The smallest budget: the newest row, and one to look back at."""
        return 2

    def scores(self, cache: "PolicyCache") -> Tensor:
        """How much each row is worth keeping. [n_layers, batch, n_kv_heads, rows]"""
        raise NotImplementedError

    def due(self, cache: "PolicyCache") -> bool:
        """Have rows to go now?"""
        return self.budget is not None and cache.length > self.budget

    def after(self, cache: "PolicyCache") -> None:
        if self.due(cache) and self.budget is not None:
            scores = self.scores(cache).clone()
            scores[..., -1] = torch.inf  # the newest row stays
            cache.keep(scores.topk(self.budget, dim=-1).indices.sort(dim=-1).values)


@dataclass(frozen=True)
class Window(Evicting):
    """The newest rows stay. As Mistral 7B was trained (arXiv 2310.06825); here on a model that was not."""

    title = "Window"
    paper = "arXiv 2310.06825"

    def scores(self, cache: "PolicyCache") -> Tensor:
        return cache.origin[..., : cache.length].to(cache.k.dtype)


@dataclass(frozen=True)
class Sinks(Window):
    """The first `sinks` rows stay too: StreamingLLM, arXiv 2309.17453.

    In the paper positions are counted inside the cache, `by_place`; without it they stay those of the text.
    """

    title = "Window and first rows"
    paper = "arXiv 2309.17453"
    sinks: int = 4
    by_place: bool = False

    @property
    def fewest(self) -> int:
        return self.sinks + 2

    @property
    def renumbers(self) -> bool:
        return self.by_place

    def scores(self, cache: "PolicyCache") -> Tensor:
        first = cache.origin[..., : cache.length] < self.sinks
        return super().scores(cache).masked_fill(first, torch.inf)


@dataclass(frozen=True)
class HeavyHitters(Evicting):
    """Rows that got the most attention so far, summed over all queries, and the newest half.

    H2O, arXiv 2306.14048.
    """

    title = "Heavy hitters (H2O)"
    paper = "arXiv 2306.14048"
    watches = True

    def scores(self, cache: "PolicyCache") -> Tensor:
        assert self.budget is not None
        recent = cache.origin[..., : cache.length] >= cache.tokens - self.budget // 2
        return cache.seen[..., : cache.length].masked_fill(recent, torch.inf)


@dataclass(frozen=True)
class LastLook(Evicting):
    """The rows that the newest query weighs most, in the mean of a layer's heads. TOVA, arXiv 2401.06104."""

    title = "Last look (TOVA)"
    paper = "arXiv 2401.06104"
    watches = True

    def scores(self, cache: "PolicyCache") -> Tensor:
        last = cache.weights[..., -1, :]  # [n_layers, batch, n_kv_heads, rows]
        return last.mean(dim=2, keepdim=True).expand_as(last)


@dataclass(frozen=True)
class PromptVote(Evicting):
    """Once, after the prompt: its last `window` queries vote for rows. SnapKV, arXiv 2404.14469.

    Votes are smoothed over `kernel` neighbours, so that a row comes with those beside it; the window itself
    stays. What is written later is never dropped: the cache grows again.
    """

    title = "Vote of the prompt's end (SnapKV)"
    paper = "arXiv 2404.14469"
    watches = True
    window: int = 8
    kernel: int = 5

    @property
    def fewest(self) -> int:
        return self.window + 1

    def due(self, cache: "PolicyCache") -> bool:
        return super().due(cache) and cache.tokens == cache.fresh > self.window

    def scores(self, cache: "PolicyCache") -> Tensor:
        votes = cache.weights[..., -self.window :, :].sum(dim=-2)
        pooled = F.avg_pool1d(votes.flatten(0, 2), self.kernel, stride=1, padding=self.kernel // 2)
        recent = cache.origin[..., : cache.length] >= cache.tokens - self.window
        return pooled.view_as(votes).masked_fill(recent, torch.inf)


@dataclass(frozen=True)
class SmallKeys(Evicting):
    """The rows with the shortest keys stay; no attention weights are needed. arXiv 2406.11430."""

    title = "Shortest keys"
    paper = "arXiv 2406.11430"

    def scores(self, cache: "PolicyCache") -> Tensor:
        # The rotation keeps lengths, so that it does not matter whether the keys are turned already.
        lengths: Tensor = torch.linalg.vector_norm(cache.k[..., : cache.length, :], dim=-1)
        return -lengths


@dataclass(frozen=True)
class AtRandom(Evicting):
    """Any row may go: what a rule has to beat. The draw depends on the seed and the position alone."""

    title = "At random"
    seed: int = 0

    def scores(self, cache: "PolicyCache") -> Tensor:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + cache.tokens)
        shape = cache.origin[..., : cache.length].shape
        return torch.rand(shape, generator=generator).to(cache.k)
