"""Cache policies held against dense computations with masks, and against a cache that drops nothing."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from kvengine import KVCache, Transformer, load_model
from kvengine.forgetting import mask_of
from kvengine.hardware import place
from kvengine.policies import (
    AtRandom,
    Evicting,
    HeavyHitters,
    LastLook,
    Policy,
    PolicyError,
    PromptVote,
    Sinks,
    SmallKeys,
    Window,
)
from kvengine.policy_cache import PolicyCache
from kvengine.streaming import stream

Make = Callable[[int | None], Evicting]

EVICTING: dict[str, Make] = {
    "window": Window,
    "sinks": Sinks,
    "renumbered": lambda budget: Sinks(budget, by_place=True),
    "h2o": HeavyHitters,
    "tova": LastLook,
    "snapkv": PromptVote,
    "knorm": SmallKeys,
    "random": AtRandom,
}
TOKENS = 48


@pytest.fixture(scope="module", params=["stories-1m-h8-kv8", "stories-1m-h8-kv2"])
def model(request: pytest.FixtureRequest) -> Transformer:
    return load_model(request.param)


@pytest.fixture(scope="module")
def precise(model: Transformer) -> Transformer:
    return place(model, device="cpu", dtype="float64")


def ids(model: Transformer, tokens: int = TOKENS) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    drawn = torch.randint(4, model.config.vocab_size, (1, tokens), generator=generator)
    drawn[0, 0] = 0
    return drawn


@torch.inference_mode()
def stepped(
    model: Transformer, token_ids: Tensor, policy: Policy, prompt: int = 1
) -> tuple[Tensor, list[Tensor]]:
    """Logits of each token, and which rows each layer and KV head held after each pass."""
    cache = PolicyCache(model, policy, room=token_ids.shape[1])
    logits, held = [], []
    for at in (0, *range(prompt, token_ids.shape[1])):
        n = prompt if at == 0 else 1
        logits.append(model(token_ids[:, at : at + n], cache, cache.tap)[0])
        held.append(cache.origin[:, 0, :, : cache.length].clone())
    return torch.cat(logits), held


@torch.inference_mode()
def dense(model: Transformer, token_ids: Tensor, hidden: Callable[[int], Tensor]) -> Tensor:
    """One pass without a cache, each layer with a mask of its own: [n_kv_heads or 1, tokens, tokens]."""

    def tap(name: str, tensor: Tensor) -> Tensor:
        if not name.endswith("attn.masked"):
            return tensor
        mask = hidden(int(name.split(".")[1]))
        return tensor.masked_fill(mask.repeat_interleave(tensor.shape[1] // mask.shape[0], dim=0), -torch.inf)

    return model(token_ids, None, tap)[0]


@pytest.mark.parametrize("name", EVICTING)
def test_an_unlimited_budget_equals_the_full_cache_bit_for_bit(model: Transformer, name: str) -> None:
    token_ids, policy = ids(model), EVICTING[name](None)
    tap = PolicyCache(model, policy, room=1).tap and (lambda _, tensor: tensor)
    with torch.inference_mode():
        full = KVCache(model.config)
        expected = [model(token_ids[:, i : i + 1], full, tap)[0, 0] for i in range(TOKENS)]
    for found in (stepped(model, token_ids, policy)[0], stepped(model, token_ids, EVICTING[name](TOKENS))[0]):
        assert torch.equal(found, torch.stack(expected))


@pytest.mark.parametrize("policy", [Window(8), Window(2), Sinks(8), Sinks(6), Sinks(12, sinks=1)])
def test_window_and_first_rows_are_a_mask(precise: Transformer, policy: Evicting) -> None:
    token_ids = ids(precise)
    found, held = stepped(precise, token_ids, policy)
    first = policy.sinks if isinstance(policy, Sinks) else 0
    assert policy.budget is not None
    query = torch.arange(TOKENS)[:, None]
    key = torch.arange(TOKENS)
    read = (key <= query) & ((key < first) | (key >= query - (policy.budget - first)))
    assert torch.allclose(found, dense(precise, token_ids, lambda _: ~read[None]), atol=1e-10)
    assert torch.equal(~read, mask_of(policy, TOKENS))
    assert held[-1][0, 0].tolist() == [*range(first), *range(TOKENS - policy.budget + first, TOKENS)]


@pytest.mark.parametrize("name", ["h2o", "tova", "knorm", "random", "window"])
def test_what_is_dropped_step_by_step_is_a_mask_of_each_layer_and_head(
    precise: Transformer, name: str
) -> None:
    token_ids = ids(precise)
    found, held = stepped(precise, token_ids, EVICTING[name](10))
    layers, heads, _ = held[0].shape
    read = torch.eye(TOKENS, dtype=torch.bool).expand(layers, heads, TOKENS, TOKENS).clone()
    for i, rows in enumerate(held[:-1]):
        read[:, :, i + 1].scatter_(-1, rows, True)
    assert torch.allclose(found, dense(precise, token_ids, lambda layer: ~read[layer]), atol=1e-10)


@torch.inference_mode()
def replayed(model: Transformer, token_ids: Tensor, choose: Callable[..., Tensor], budget: int) -> Tensor:
    """The kept rows after each step, [steps, n_layers, n_kv_heads, tokens], by masks alone.

    `choose(weights, keys, there)` gives the score of each token in the text from what is known by then: the
    weights of all queries so far [heads, queries, tokens] and the keys [n_kv_heads, tokens, head_dim].
    """
    config = model.config
    there = torch.zeros(config.n_layers, config.n_kv_heads, TOKENS, dtype=torch.bool)
    read = torch.zeros(config.n_layers, config.n_kv_heads, TOKENS, TOKENS, dtype=torch.bool)
    after = []
    for i in range(TOKENS):
        there[:, :, i] = True
        read[:, :, i] = there
        seen: dict[str, Tensor] = {}

        def tap(name: str, tensor: Tensor, seen: dict[str, Tensor] = seen, i: int = i) -> Tensor:
            if name.endswith("attn.masked"):
                mask = ~read[int(name.split(".")[1]), :, : i + 1, : i + 1]
                return tensor.masked_fill(mask.repeat_interleave(config.group_size, dim=0), -torch.inf)
            seen[name] = tensor[0]
            return tensor

        model(token_ids[:, : i + 1], None, tap)
        if i + 1 > budget:
            for layer in range(config.n_layers):
                weights = (
                    seen[f"layers.{layer}.attn.weights"].unflatten(0, (config.n_kv_heads, -1)).mean(dim=1)
                )
                scores = choose(weights, seen[f"layers.{layer}.attn.k_rot"], i)
                scores = scores.masked_fill(~there[layer, :, : i + 1], torch.inf)
                scores[:, i] = torch.inf
                there[layer].scatter_(-1, scores.argmin(dim=-1, keepdim=True), False)
        after.append(there.clone())
    return torch.stack(after)


BUDGET = 9
CHOICES: dict[str, Callable[[Tensor, Tensor, int], Tensor]] = {
    "h2o": lambda weights, _, i: weights.sum(dim=1).masked_fill(
        torch.arange(i + 1) > i - BUDGET // 2, torch.inf
    ),
    "tova": lambda weights, _, i: weights[:, -1].mean(dim=0, keepdim=True).expand(len(weights), -1),
    "knorm": lambda _, keys, i: -keys.norm(dim=-1),
}


@pytest.mark.parametrize("name", CHOICES)
def test_the_rows_that_go_are_those_of_the_rule_computed_from_the_whole_text(
    precise: Transformer, name: str
) -> None:
    token_ids = ids(precise)
    _, held = stepped(precise, token_ids, EVICTING[name](BUDGET))
    expected = replayed(precise, token_ids, CHOICES[name], BUDGET)
    for rows, there in zip(held, expected, strict=True):
        found = torch.zeros_like(there).scatter_(-1, rows, True)
        assert torch.equal(found, there)


def test_the_prompts_end_votes_once_and_the_cache_grows_again(precise: Transformer) -> None:
    token_ids, prompt, policy = ids(precise), 32, PromptVote(16, window=4, kernel=3)
    found, held = stepped(precise, token_ids, policy, prompt)
    config = precise.config
    weights: list[Tensor] = []

    def note(name: str, tensor: Tensor) -> Tensor:
        if name.endswith("attn.weights"):
            weights.append(tensor[0])
        return tensor

    with torch.inference_mode():
        precise(token_ids[:, :prompt], None, note)
    for layer, of in enumerate(weights):
        votes = of.unflatten(0, (config.n_kv_heads, -1)).mean(dim=1)[:, -4:].sum(dim=1)
        padded = torch.nn.functional.pad(votes, (1, 1))
        pooled = (padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]) / 3
        for head in range(config.n_kv_heads):
            best = pooled[head, : prompt - 4].topk(12).indices.sort().values.tolist()
            assert held[0][layer, head].tolist() == [*best, *range(prompt - 4, prompt)]
    assert [rows.shape[-1] for rows in held] == [16, *range(17, 17 + TOKENS - prompt)]
    rows = held[0]
    read = torch.ones(TOKENS, TOKENS).tril().bool().expand(*rows.shape[:2], TOKENS, TOKENS).clone()
    read[:, :, prompt:, :prompt] = False
    read[:, :, prompt:].scatter_(-1, rows[:, :, None].expand(-1, -1, TOKENS - prompt, -1), True)
    assert torch.allclose(found, dense(precise, token_ids, lambda layer: ~read[layer]), atol=1e-10)


def test_renumbered_rows_are_a_text_of_their_own_positions(precise: Transformer) -> None:
    """The first layer has nothing from earlier rows: it scores as if the kept tokens were a text."""
    token_ids, policy = ids(precise), Sinks(8, sinks=2, by_place=True)
    cache = PolicyCache(precise, policy, room=TOKENS)
    found: dict[str, Tensor] = {}

    def tap(name: str, tensor: Tensor) -> Tensor:
        found[name] = tensor
        return cache.listen(name, tensor)

    with torch.inference_mode():
        for i in range(TOKENS):
            kept = [*cache.origin[0, 0, 0, : cache.length].tolist(), i]
            precise(token_ids[:, i : i + 1], cache, tap)
        alone: dict[str, Tensor] = {}
        precise(token_ids[:, kept], None, lambda name, t: alone.setdefault(name, t))
    name = "layers.0.attn.weights"
    assert torch.allclose(found[name][..., -1, :], alone[name][..., -1, :], atol=1e-12)
    assert cache.position == cache.length == 8


def test_positions_of_both_kinds_are_never_mixed(model: Transformer) -> None:
    token_ids = ids(model)
    for policy, expected in ((Sinks(8), TOKENS), (Sinks(8, by_place=True), 8)):
        cache = PolicyCache(model, policy, room=9)
        with torch.inference_mode():
            for i in range(TOKENS):
                model(token_ids[:, i : i + 1], cache, cache.tap)
        assert cache.position == expected
        assert cache.allocated_bytes == 9 * model.config.kv_floats_per_token * 4


def test_a_stream_runs_past_the_models_positions_in_constant_memory(story_model: Transformer) -> None:
    pieces = list(
        stream(
            story_model,
            [0, 5, 6],
            Sinks(16, by_place=True),
            budget=16,
            tokens=515,
            sampler=lambda x, _: int(x.argmax()),
        )
    )
    assert pieces[-1].end > story_model.config.max_seq_len
    assert {piece.rows for piece in pieces} == {16}
    assert len({piece.bytes for piece in pieces}) == 1
    assert sum(len(piece.token_ids) for piece in pieces) == 515


def test_a_fork_does_not_touch_the_cache_that_it_came_from(story_model: Transformer) -> None:
    token_ids = ids(story_model)
    cache = PolicyCache(story_model, HeavyHitters(8), room=9)
    with torch.inference_mode():
        for i in range(20):
            story_model(token_ids[:, i : i + 1], cache, cache.tap)
        before = cache.k.clone(), cache.v.clone(), cache.origin.clone(), cache.length, cache.tokens
        twin = cache.fork()
        for i in range(20, 30):
            story_model(token_ids[:, i : i + 1], twin, twin.tap)
    assert torch.equal(before[0], cache.k)
    assert torch.equal(before[1], cache.v)
    assert torch.equal(before[2], cache.origin)
    assert before[3:] == (cache.length, cache.tokens)
    assert twin.tokens == 30


@pytest.mark.parametrize(
    ("name", "budget"), [("window", 0), ("window", 1), ("sinks", 5), ("snapkv", 8), ("h2o", -1)]
)
def test_a_budget_below_what_a_policy_needs_is_refused(name: str, budget: int) -> None:
    with pytest.raises(PolicyError, match="needs"):
        EVICTING[name](budget)
