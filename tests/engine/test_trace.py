"""What a tap hears, what it can change, and what a trace keeps."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from kvengine import KVCache, Trace, Transformer, available_models, load_model, trace
from tests.engine.reference import TINY, largest_difference, random_ids, tiny_model

MODEL = tiny_model()


def shapes(model: Transformer, batch: int, q_len: int, end: int) -> dict[str, tuple[int, ...]]:
    """Every name of a trace, in the order of computation, with its shape."""
    c = model.config
    row, wide = (batch, q_len, c.d_model), (batch, q_len, c.d_ffn)
    query, key = (batch, c.n_heads, q_len, c.head_dim), (batch, c.n_kv_heads, q_len, c.head_dim)
    history, look = (batch, c.n_kv_heads, end, c.head_dim), (batch, c.n_heads, q_len, end)
    per_layer = {
        "attn_norm": row,
        "attn.q": query,
        "attn.k": key,
        "attn.v": key,
        "attn.q_rot": query,
        "attn.k_rot": key,
        "attn.k_all": history,
        "attn.v_all": history,
        "attn.scores": look,
        "attn.masked": look,
        "attn.weights": look,
        "attn.z": query,
        "attn.out": row,
        "resid_mid": row,
        "ffn_norm": row,
        "ffn.gate": wide,
        "ffn.up": wide,
        "ffn.hidden": wide,
        "ffn.out": row,
        "resid_post": row,
    }
    layers = {f"layers.{i}.{name}": shape for i in range(c.n_layers) for name, shape in per_layer.items()}
    return {"embed": row, **layers, "norm": row, "logits": (batch, q_len, c.vocab_size)}


@pytest.mark.parametrize("name", [card.name for card in available_models()])
@pytest.mark.parametrize(("start", "q_len"), [(0, 7), (7, 1), (4, 3)])
def test_a_trace_has_every_name_in_order_with_its_shape(name: str, start: int, q_len: int) -> None:
    model = load_model(name)
    cache = KVCache(model.config)
    token_ids = random_ids(model.config.vocab_size, start + q_len)
    if start:
        model(token_ids[:, :start], cache)
    recorded = trace(model, token_ids[:, start:], cache)
    expected = shapes(model, 1, q_len, start + q_len)
    assert list(recorded) == list(expected)
    assert {name: tensor.shape for name, tensor in recorded.items()} == expected
    assert recorded.start == start
    assert len(recorded) == 3 + 20 * model.config.n_layers


def test_the_documentation_names_what_a_trace_has() -> None:
    text = " ".join((Trace.__doc__ or "").split())
    names = {name.removeprefix("layers.0.").removeprefix("layers.1.") for name in shapes(MODEL, 1, 1, 1)}
    assert len(names) == 3 + 20
    assert all(name in text for name in names)


def test_a_trace_without_a_cache_is_that_of_a_whole_text_batch_axis_kept() -> None:
    recorded = trace(MODEL, random_ids(TINY.vocab_size, 6, batch=2))
    assert {name: tensor.shape for name, tensor in recorded.items()} == shapes(MODEL, 2, 6, 6)
    assert recorded.start == 0


def test_a_traced_pass_gives_the_logits_and_fills_the_cache_like_any_other() -> None:
    token_ids = random_ids(TINY.vocab_size, 6)
    traced, plain = KVCache(TINY, dtype=MODEL.dtype), KVCache(TINY, dtype=MODEL.dtype)
    recorded = trace(MODEL, token_ids, traced)
    assert largest_difference(torch.from_numpy(recorded["logits"]), MODEL(token_ids, plain)) < 1e-10
    assert traced.length == plain.length == 6
    assert largest_difference(traced.k, plain.k) < 1e-10


def test_recorded_copies_stay_when_the_cache_goes_on() -> None:
    cache = KVCache(TINY, dtype=MODEL.dtype)
    token_ids = random_ids(TINY.vocab_size, 6)
    recorded = trace(MODEL, token_ids, cache)
    before = {name: tensor.copy() for name, tensor in recorded.items()}
    cache.crop(2)
    MODEL((token_ids + 1) % TINY.vocab_size, cache)  # writes over rows that the trace has seen
    cache.k.fill_(0)
    for name, tensor in recorded.items():
        assert np.array_equal(tensor, before[name]), name
        assert tensor.flags.owndata, name


def test_keep_chooses_what_is_copied() -> None:
    recorded = trace(MODEL, random_ids(TINY.vocab_size, 3), keep=lambda name: name.endswith("attn.weights"))
    assert list(recorded) == ["layers.0.attn.weights", "layers.1.attn.weights"]


def test_without_drops_by_the_end_of_a_name_and_keeps_the_rest() -> None:
    cache = KVCache(TINY, dtype=MODEL.dtype)
    MODEL(random_ids(TINY.vocab_size, 2), cache)
    recorded = trace(MODEL, random_ids(TINY.vocab_size, 3), cache)
    rest = recorded.without(".k_all", ".v_all")
    assert list(rest) == [name for name in recorded if not name.endswith("_all")]
    assert rest.start == recorded.start == 2


def test_each_recorded_tensor_follows_from_the_ones_before_it() -> None:
    """The formulas of the model, written once more in numpy, from one recorded tensor to the next."""
    c, w = TINY, MODEL.weights.layers[1]
    cache = KVCache(c, dtype=MODEL.dtype)
    MODEL(random_ids(c.vocab_size, 5), cache)
    t = trace(MODEL, random_ids(c.vocab_size, 3, seed=1), cache)

    def at(name: str) -> np.ndarray:
        return t[f"layers.1.{name}"][0]

    def norm(x: np.ndarray, weight: Tensor) -> np.ndarray:
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + c.norm_eps) * weight.numpy()

    def heads(rows: np.ndarray) -> np.ndarray:
        return rows.reshape(len(rows), -1, c.head_dim).swapaxes(0, 1)

    q_width, kv_width = c.n_heads * c.head_dim, c.n_kv_heads * c.head_dim
    wq, wk, wv = np.split(w.wqkv.numpy(), [q_width, q_width + kv_width])
    x = t["layers.0.resid_post"][0]
    seen = np.arange(8) <= np.arange(5, 8)[:, None]
    group = [head * c.n_kv_heads // c.n_heads for head in range(c.n_heads)]
    silu = at("ffn.gate") / (1 + np.exp(-at("ffn.gate")))
    weights = np.exp(at("attn.masked") - at("attn.masked").max(-1, keepdims=True))
    expected = {
        "attn_norm": norm(x, w.attn_norm),
        "attn.q": heads(at("attn_norm") @ wq.T),
        "attn.k": heads(at("attn_norm") @ wk.T),
        "attn.v": heads(at("attn_norm") @ wv.T),
        "attn.scores": at("attn.q_rot") @ at("attn.k_all")[group].swapaxes(1, 2) / math.sqrt(c.head_dim),
        "attn.masked": np.where(seen, at("attn.scores"), -np.inf),
        "attn.weights": weights / weights.sum(-1, keepdims=True),
        "attn.z": at("attn.weights") @ at("attn.v_all")[group],
        "attn.out": at("attn.z").swapaxes(0, 1).reshape(3, -1) @ w.wo.numpy().T,
        "resid_mid": x + at("attn.out"),
        "ffn_norm": norm(at("resid_mid"), w.ffn_norm),
        "ffn.gate": at("ffn_norm") @ w.w_gate.numpy().T,
        "ffn.up": at("ffn_norm") @ w.w_up.numpy().T,
        "ffn.hidden": silu * at("ffn.up"),
        "ffn.out": at("ffn.hidden") @ w.w_down.numpy().T,
        "resid_post": at("resid_mid") + at("ffn.out"),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(at(name), value, rtol=1e-9, atol=1e-9, err_msg=name)
    np.testing.assert_array_equal(at("attn.k_all")[:, 5:], at("attn.k_rot"))
    np.testing.assert_array_equal(at("attn.v_all")[:, 5:], at("attn.v"))
    embed = MODEL.weights.embed.numpy()
    np.testing.assert_allclose(
        t["norm"][0], norm(t["layers.1.resid_post"][0], MODEL.weights.norm), rtol=1e-9, atol=1e-9
    )
    np.testing.assert_allclose(t["logits"][0], t["norm"][0] @ embed.T, rtol=1e-9, atol=1e-9)


def turned(rows: Tensor, first_position: int, theta: float) -> Tensor:
    """Rotary positions with complex numbers: entries i and i + d/2 are one number."""
    half = rows.shape[-1] // 2
    numbers = torch.complex(rows[..., :half].double(), rows[..., half:].double())
    position = torch.arange(first_position, first_position + rows.shape[-2]).double()[:, None]
    angle = position * theta ** (-2 * torch.arange(half).double() / rows.shape[-1])
    result = numbers * torch.polar(torch.ones_like(angle), angle)
    return torch.cat([result.real, result.imag], dim=-1)


@pytest.mark.parametrize("name", [card.name for card in available_models()])
def test_the_cache_holds_keys_turned_to_their_position(name: str) -> None:
    model = load_model(name)
    cache = KVCache(model.config)
    token_ids = random_ids(model.config.vocab_size, 40)
    model(token_ids[:, :30], cache)
    for start, end in ((30, 31), (31, 40)):
        recorded = trace(model, token_ids[:, start:end], cache)
        for i in range(model.config.n_layers):
            for kind in "qk":
                fresh = torch.from_numpy(recorded[f"layers.{i}.attn.{kind}"])
                rotated = turned(fresh, start, model.config.rope_theta)
                assert (
                    largest_difference(
                        torch.from_numpy(recorded[f"layers.{i}.attn.{kind}_rot"]).double(), rotated
                    )
                    < 1e-4
                )
            stored = cache.k[i, :, :, start:end].double()
            fresh_k = torch.from_numpy(recorded[f"layers.{i}.attn.k"])
            assert largest_difference(stored, turned(fresh_k, start, model.config.rope_theta)) < 1e-4
            assert largest_difference(stored, fresh_k.double()) > 0.1, "unturned keys would be far off"


def test_every_tensor_that_a_tap_returns_is_used() -> None:
    """Adding something to any one intermediate changes the logits, or the model would not use it."""
    token_ids = random_ids(TINY.vocab_size, 5)
    untouched = MODEL(token_ids)
    for target in shapes(MODEL, 1, 5, 5):

        def change(name: str, tensor: Tensor, target: str = target) -> Tensor:
            if name != target:
                return tensor
            return tensor * (1 + 0.1 * torch.arange(tensor.shape[-1]))

        assert largest_difference(MODEL(token_ids, None, change), untouched) > 1e-6, target


def test_undoing_the_causal_mask_changes_earlier_tokens_from_the_first_layer_on() -> None:
    """An experiment: tokens that see the future carry it into K and V of the next layer."""
    token_ids = random_ids(TINY.vocab_size, 8)

    def hidden_states(tap_scores: bool) -> tuple[dict[str, Tensor], KVCache]:
        heard: dict[str, Tensor] = {}

        def tap(name: str, tensor: Tensor) -> Tensor:
            heard[name] = tensor
            # What goes on from here instead of the masked scores are the scores.
            undo = tap_scores and name.endswith("masked")
            return heard[name.replace("masked", "scores")] if undo else tensor

        cache = KVCache(TINY, dtype=MODEL.dtype)
        MODEL(token_ids, cache, tap)
        return heard, cache

    causal, causal_cache = hidden_states(False)
    seeing, seeing_cache = hidden_states(True)
    assert torch.equal(causal_cache.k[0], seeing_cache.k[0])
    assert torch.equal(causal_cache.v[0], seeing_cache.v[0])
    for row in range(7):
        for name in ("layers.0.resid_post", "layers.1.attn_norm", "layers.1.resid_post"):
            assert largest_difference(causal[name][:, row], seeing[name][:, row]) > 1e-3
        for memory, other in ((causal_cache.k, seeing_cache.k), (causal_cache.v, seeing_cache.v)):
            assert largest_difference(memory[1, :, :, row], other[1, :, :, row]) > 1e-3
    # The last token saw everything anyway, so in layer 0 it alone is unchanged.
    assert largest_difference(causal["layers.0.attn.z"][:, :, 7], seeing["layers.0.attn.z"][:, :, 7]) < 1e-10


def test_the_mask_lets_a_token_see_itself_and_all_before_it() -> None:
    cache = KVCache(TINY, dtype=MODEL.dtype)
    MODEL(random_ids(TINY.vocab_size, 3), cache)
    recorded = trace(MODEL, random_ids(TINY.vocab_size, 2), cache)
    masked = np.isneginf(recorded["layers.0.attn.masked"])
    assert np.array_equal(masked, np.broadcast_to([[0, 0, 0, 0, 1], [0, 0, 0, 0, 0]], masked.shape))


def test_a_tap_set_for_one_pass_is_gone_in_the_next() -> None:
    token_ids = random_ids(TINY.vocab_size, 4)
    before = MODEL(token_ids)
    MODEL(token_ids, None, lambda _, tensor: tensor * 0)
    assert torch.equal(MODEL(token_ids), before)


def test_scores_are_scaled_by_the_head_not_by_the_model_or_the_text() -> None:
    for length in (4, 9):
        recorded = trace(MODEL, random_ids(TINY.vocab_size, length))
        q, k = recorded["layers.0.attn.q_rot"], recorded["layers.0.attn.k_all"]
        for head in range(TINY.n_heads):
            dot = q[0, head, 2] @ k[0, head // TINY.group_size, 1]
            score = recorded["layers.0.attn.scores"][0, head, 2, 1]
            assert math.isclose(dot / math.sqrt(TINY.head_dim), score, rel_tol=1e-9)
