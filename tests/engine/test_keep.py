"""What has to be kept: each choice run, and held against the text that the model writes with everything."""

from itertools import chain, combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from kvengine import ContextLengthError, KVCache, PromptError, Transformer, generate, load_model, trace
from kvengine.cost import cache_bytes
from kvengine.experiments import recompute
from kvengine.graph import name_of
from kvengine.keep import BOXES, READABLE, Outcome, go_on, kept_floats, sources
from kvengine.proof import TOLERANCE
from tests.engine.reference import save_random_llama

PROMPT = [0, 420, 300, 77, 512, 9]
WORDS = 8
CHOICES = [frozenset(c) for c in chain.from_iterable(combinations(sorted(READABLE), n) for n in range(4))]


@pytest.fixture(scope="module", params=["stories-1m-h8-kv8", "stories-1m-h8-kv2"])
def model(request: pytest.FixtureRequest) -> Transformer:
    return load_model(request.param)


@pytest.fixture(scope="module")
def full(model: Transformer) -> tuple[int, ...]:
    """The text as the model writes it without any cache."""
    steps = generate(model, PROMPT, max_new_tokens=WORDS, use_cache=False)
    return tuple(step.token_id for step in steps)


def run(model: Transformer, kept: str) -> Outcome:
    return go_on(model, PROMPT, kept.split(), words=WORDS)


@pytest.mark.parametrize("kept", ["k v", "x", "x k", "x v", "x k v", " ".join(BOXES)])
def test_with_k_and_v_or_x_the_text_is_the_full_one(
    model: Transformer, full: tuple[int, ...], kept: str
) -> None:
    outcome = run(model, kept)
    assert outcome.token_ids == full
    assert outcome.difference <= TOLERANCE
    assert all(gone.token_id == gone.naive_token for gone in outcome.tokens)


@pytest.mark.parametrize("kept", ["", "q", "k", "v", "q k scores weights z ffn", "q v scores weights z ffn"])
def test_without_k_or_v_the_text_breaks(model: Transformer, full: tuple[int, ...], kept: str) -> None:
    outcome = run(model, kept)
    assert outcome.token_ids != full
    assert outcome.difference > 100 * TOLERANCE
    assert outcome.token_ids[0] == full[0], "the prompt's own pass has everything"


@pytest.mark.parametrize("kept", CHOICES, ids=lambda kept: "+".join(sorted(kept)) or "nothing")
def test_what_no_pass_reads_changes_no_word(model: Transformer, kept: frozenset[str]) -> None:
    without, unread = go_on(model, PROMPT, kept, words=WORDS), set(BOXES) - READABLE
    assert go_on(model, PROMPT, kept | unread, words=WORDS).tokens == without.tokens


def test_what_can_be_read_is_what_an_experiment_finds(model: Transformer) -> None:
    """Of all stored rows that are destroyed, K and V alone change the last row's logits."""
    assert recompute(model, [*PROMPT, 5]).read == READABLE - {"x"}


def test_x_alone_costs_the_projections_of_every_earlier_row(model: Transformer) -> None:
    c = model.config
    one = c.d_model * c.n_kv_heads * c.head_dim * c.n_layers
    rows = sum(len(PROMPT) + i for i in range(WORDS - 1))
    assert run(model, "x").again == 2 * one * rows
    assert run(model, "x k").again == run(model, "x v").again == one * rows
    assert run(model, "k v").again == run(model, "x k v").again == run(model, "").again == 0


def test_k_and_v_made_again_from_x_are_those_of_the_first_time(model: Transformer) -> None:
    assert 0 <= run(model, "x").error <= 1e-5
    assert run(model, "k v").error == 0


@pytest.mark.parametrize("kind", ["qwen2", "qwen3"])
def test_k_and_v_are_made_again_with_what_a_relative_of_llama_adds(kind: str, tmp_path: Path) -> None:
    """Biases, and norms of each head's keys."""
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 12}
    save_random_llama(tmp_path, kind=kind, vocab_size=600, **heads)
    outcome = go_on(load_model(tmp_path), PROMPT, {"x"}, words=WORDS)
    assert outcome.error <= 1e-5
    assert outcome.difference <= TOLERANCE


def test_where_keys_are_lost_the_new_token_sees_only_itself(model: Transformer) -> None:
    """The same as running it behind nothing, but for its position, which without others changes nothing."""
    outcome = run(model, "v")
    token = outcome.first
    for gone in outcome.tokens:
        alone = model(torch.tensor([[token]]))[0, -1]
        assert gone.token_id == int(alone.argmax())
        token = gone.token_id


def test_where_values_are_lost_the_weights_stay_and_mix_nothing(model: Transformer) -> None:
    """In layer 0 the head output is the weight on the own value, times it: earlier rows give zeros."""
    outcome, c = run(model, "k"), model.config
    n = len(PROMPT)
    cache = KVCache(c)
    model(torch.tensor([PROMPT]), cache)
    cache.v.zero_()
    found: dict[str, Tensor] = {}

    def record(name: str, tensor: Tensor) -> Tensor:
        found[name] = tensor.clone()
        return tensor

    logits = model(torch.tensor([[outcome.first]]), cache, record)[0, -1]
    assert outcome.tokens[0].token_id == int(logits.argmax())
    complete = trace(model, torch.tensor([[*PROMPT, outcome.first]]))
    weights = found["layers.0.attn.weights"][0, :, 0]
    np.testing.assert_allclose(weights, complete["layers.0.attn.weights"][0, :, n], atol=1e-5)
    own = weights[:, n:] * found["layers.0.attn.v"][0, :, 0].repeat_interleave(c.group_size, dim=0)
    np.testing.assert_allclose(found["layers.0.attn.z"][0, :, 0], own, atol=1e-5)


def test_sizes_are_those_of_what_a_pass_computes(model: Transformer) -> None:
    recorded = trace(model, torch.tensor([PROMPT]))
    floats = kept_floats(model.config, len(PROMPT))
    for box in BOXES:
        arrays = [recorded[name_of(box, layer)] for layer in range(model.config.n_layers)]
        masked = [recorded[name_of("scores", layer)] for layer in range(model.config.n_layers)]
        square = box in ("scores", "weights")
        hidden = sum(int(np.isneginf(array).sum()) for array in masked) if square else 0
        assert floats[box] == sum(array.size for array in arrays) - hidden
    assert 4 * (floats["k"] + floats["v"]) == cache_bytes(model.config, len(PROMPT))


def test_sources_follow_from_what_is_kept() -> None:
    assert sources(()) == ("lost", "lost")
    assert sources({"k"}) == ("read", "lost")
    assert sources({"x", "v"}) == ("again", "read")
    assert sources(BOXES) == ("read", "read")


def test_what_cannot_go_on_is_refused(model: Transformer) -> None:
    with pytest.raises(ValueError, match="no such boxes"):
        go_on(model, PROMPT, {"keys"}, words=2)
    with pytest.raises(PromptError):
        go_on(model, [], (), words=2)
    with pytest.raises(ContextLengthError):
        go_on(model, PROMPT, (), words=model.config.max_seq_len)
