"""Autoregressive generation, one loop: with the cache a pass takes the fresh tokens, without it all."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kvengine.cache import KVCache
from kvengine.errors import ContextLengthError, PromptError
from kvengine.model import Transformer

#: Chooses the next token: (logits [vocab_size], position of the token to choose) -> token id.
Sampler = Callable[[Tensor, int], int]


@dataclass(frozen=True)
class Step:
    """One generated token, the position it takes, and the logits [vocab_size] it was chosen from."""

    position: int
    token_id: int
    logits: Tensor


def greedy(logits: Tensor, position: int) -> int:
    """The most probable token."""
    return int(logits.argmax())


def probabilities(logits: Tensor, temperature: float) -> Tensor:
    """The softmax of logits / temperature, which a sampler draws from before top-k and top-p cut its tail.

    Temperature 0 draws nothing, and gives the model's own probabilities, those at temperature 1.
    On the CPU and in float64, so that a seed means the same text on every device.
    """
    logits = logits.cpu().double()  # mps has no float64
    # Less the largest first, which changes nothing, or a tiny temperature would divide it to infinity.
    return ((logits - logits.max()) / (temperature or 1.0)).softmax(dim=-1)


def sampler(
    temperature: float, *, top_k: int | None = None, top_p: float | None = None, seed: int = 0
) -> Sampler:
    """Draw from the softmax of logits / temperature, after top-k and then top-p have cut its tail.

    Temperature 0 is greedy. The draw depends on the seed and the position alone, not on earlier draws, so
    that a text can be continued from any place. Top-p is nucleus sampling (arXiv 1904.09751): the fewest
    tokens whose probabilities reach `top_p`.

    Raises `PromptError` for a negative temperature, top_k < 1, or top_p outside 0 < top_p <= 1.
    """
    if not 0 <= temperature < float("inf"):
        raise PromptError(f"The temperature is {temperature}; it must be a number from 0 (greedy) upwards.")
    if top_k is not None and top_k < 1:
        raise PromptError(f"top_k is {top_k}; it must keep at least 1 token.")
    if top_p is not None and not 0 < top_p <= 1:
        raise PromptError(f"top_p is {top_p}; it must be above 0 and at most 1.")
    if temperature == 0:
        return greedy

    def draw(logits: Tensor, position: int) -> int:
        # Sorted before the softmax, in which logits that hardly differ become equal probabilities.
        logits, token_ids = logits.cpu().double().sort(descending=True, stable=True)
        ordered = probabilities(logits, temperature)
        if top_k is not None:
            ordered[top_k:] = 0
        if top_p is not None:
            ordered = ordered / ordered.sum()
            ordered[ordered.cumsum(0) - ordered >= top_p] = 0
        generator = torch.Generator().manual_seed((seed * 1_000_003 + position) % 2**63)
        return int(token_ids[torch.multinomial(ordered, 1, generator=generator)])

    return draw


@torch.inference_mode()
def generate(
    model: Transformer,
    prompt_ids: Sequence[int],
    *,
    max_new_tokens: int,
    use_cache: bool,
    sampler: Sampler = greedy,
) -> Iterator[Step]:
    """Yield one `Step` per new token; the first comes out of the prefill.

    With the cache, every later pass runs the newest token alone; without it, the whole text again. Errors
    are those of `Transformer.__call__`, raised when the text outgrows the model's positions.
    """
    token_ids = list(prompt_ids)
    cache = None
    if use_cache:
        cache = KVCache(
            model.config,
            max_seq_len=min(len(token_ids) + max_new_tokens, model.config.max_seq_len),
            device=model.device,
            dtype=model.dtype,
        )
    for _ in range(max_new_tokens):
        fresh = token_ids if cache is None else token_ids[cache.length :]
        ids = torch.tensor([fresh], dtype=torch.long, device=model.device)
        logits = model(ids, cache, last_only=True)[0, -1]
        token_ids.append(sampler(logits, len(token_ids)))
        yield Step(len(token_ids) - 1, token_ids[-1], logits)


def text_of_length(
    model: Transformer, token_ids: Sequence[int], n: int, *, sampler: Sampler = greedy
) -> tuple[int, ...]:
    """The tokens cut, or continued by the model, to `n` of them.

    Raises `PromptError` for no tokens at all, `ContextLengthError` for more than the model's positions.
    """
    if not token_ids:
        raise PromptError("There is no token to run; a prompt needs at least one.")
    if n > model.config.max_seq_len:
        raise ContextLengthError(
            f"The model was trained on {model.config.max_seq_len} positions, and {n} are asked for; "
            "choose fewer."
        )
    missing = max(0, n - len(token_ids))
    steps = generate(model, token_ids, max_new_tokens=missing, use_cache=True, sampler=sampler)
    return (*token_ids[:n], *(step.token_id for step in steps))
