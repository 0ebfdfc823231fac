"""Does a word from early in a text come back under a cache policy? A prompt that needs it, and its answer."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kvengine.errors import PromptError
from kvengine.forgetting import together
from kvengine.model import Transformer
from kvengine.policies import Policy
from kvengine.policy_cache import PolicyCache


@dataclass(frozen=True)
class Recall:
    """What a model says behind a prompt under a policy.

    `probability` is that of the whole answer, `written` what the model goes on with by itself. `rows` and
    `bits` are the cache's when the prompt is over, rows per layer and KV head. Of all `heads`, KV heads of
    all layers together, `holding` still have a row of the tokens that were asked for.
    """

    probability: float
    written: tuple[int, ...]
    rows: int
    bits: float
    holding: int
    heads: int


@torch.inference_mode()
def recall(
    model: Transformer,
    prompt_ids: Sequence[int],
    answer_ids: Sequence[int],
    policy: Policy,
    *,
    needed: Sequence[int],
    new: int,
) -> Recall:
    """Run the prompt, ask for the answer, and go on greedily by `new` tokens.

    `needed` are the positions in the prompt that the answer can be read from. Raises `PromptError` for a
    prompt or an answer without tokens.
    """
    if not prompt_ids or not answer_ids:
        raise PromptError("There is no token to run; a prompt and an answer need at least one each.")
    n = len(prompt_ids)
    cache = PolicyCache(model, policy, room=n + max(new, len(answer_ids)))

    def run(of: PolicyCache, token_ids: Sequence[int]) -> Tensor:
        ids = torch.tensor([list(token_ids)], device=model.device)
        return model(ids, of, of.tap, last_only=True)[0, -1].float()

    at = together(policy, n)
    logits = run(cache, prompt_ids[:at])
    for token in prompt_ids[at:]:
        logits = run(cache, [token])

    there = cache.origin[:, 0, :, : cache.length]  # [n_layers, n_kv_heads, rows]
    holding = torch.isin(there, torch.tensor(list(needed), device=there.device)).any(dim=-1)

    probability, asked, chances = 1.0, cache.fork(), logits
    for i, token in enumerate(answer_ids):
        probability *= float(chances.softmax(dim=-1)[token])
        if i + 1 < len(answer_ids):
            chances = run(asked, [token])

    rows, bits, written = cache.length, cache.used_bits(), []
    for _ in range(new):
        written.append(int(logits.argmax()))
        logits = run(cache, written[-1:])
    return Recall(probability, tuple(written), rows, bits, int(holding.sum()), holding.numel())
