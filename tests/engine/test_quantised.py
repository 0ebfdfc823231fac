"""Caches of fewer bits: what their formats can hold, which rows are rounded when, and what it takes."""

import pytest
import torch
from torch import Tensor

from kvengine import KVCache, Transformer
from kvengine.policy_cache import PolicyCache
from kvengine.quantised import Kivi, Rounded, round_between, round_symmetric

TOKENS = 48


@pytest.fixture
def model(story_model: Transformer) -> Transformer:
    return story_model


def ids(model: Transformer, tokens: int = TOKENS) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randint(4, model.config.vocab_size, (1, tokens), generator=generator)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_rounding_keeps_to_the_levels_of_its_format(bits: int) -> None:
    x = torch.randn(3, 5, 32, generator=torch.Generator().manual_seed(0))
    near, between = round_symmetric(x, bits, 16), round_between(x, bits, 16)
    for rounded in (near, between):
        for group in rounded.reshape(-1, 16):
            assert len(group.unique()) <= 2**bits
    scale = x.reshape(-1, 16).abs().amax(dim=1) / (2 ** (bits - 1) - 1)
    assert ((near - x).reshape(-1, 16).abs().amax(dim=1) <= 0.51 * scale).all()
    span = x.reshape(-1, 16).amax(dim=1) - x.reshape(-1, 16).amin(dim=1)
    assert ((between - x).reshape(-1, 16).abs().amax(dim=1) <= 0.51 * span / (2**bits - 1) + 2e-3).all()


def test_numbers_that_are_all_alike_divide_by_no_zero() -> None:
    for x in (torch.zeros(2, 32), torch.full((2, 32), 1.5)):
        assert torch.equal(round_between(x, 2, 32), x)
        assert torch.allclose(round_symmetric(x, 8, 32), x, atol=2e-3)


def test_real_bits_count_scales_zero_points_and_the_exact_tail() -> None:
    assert Rounded(8).bits(100, 64, 32) == 8.5
    assert Rounded(4).bits(100, 64, 32) == 4.5
    assert Rounded(4).bits(100, 16, 32) == 5  # a scale for every 16
    assert Kivi().bits(10, 64, 32) == 32  # nothing rounded yet
    assert Kivi().bits(10**6, 64, 32) == pytest.approx(3.0, abs=2e-3)
    assert Kivi(width=4).bits(10**6, 64, 32) == pytest.approx(5.0, abs=2e-3)
    assert Kivi().bits(64, 64, 32) == (64 * 3 + 32 * 3 + 32 * 32) / 128


def test_a_row_is_rounded_once_by_itself(model: Transformer) -> None:
    token_ids = ids(model)
    with torch.inference_mode():
        plain = KVCache(model.config)
        model(token_ids[:, :1], plain)
        cache = PolicyCache(model, Rounded(4), room=TOKENS)
        model(token_ids[:, :1], cache, cache.tap)
        first = cache.k[..., :1, :].clone()
        assert torch.equal(first, round_symmetric(plain.k[..., :1, :], 4, 32))
        for i in range(1, TOKENS):
            model(token_ids[:, i : i + 1], cache, cache.tap)
    assert torch.equal(cache.k[..., :1, :], first)


def test_kivi_rounds_keys_by_channel_in_whole_groups_and_leaves_the_newest_exact(model: Transformer) -> None:
    token_ids = ids(model, 44)
    exact: list[tuple[Tensor, Tensor]] = []
    policy = Kivi(group=16)
    cache = PolicyCache(model, policy, room=44)
    with torch.inference_mode():
        for i in range(44):
            kept: dict[str, Tensor] = {}
            model(token_ids[:, i : i + 1], cache, kept.setdefault)
            names = [f"layers.0.attn.{part}" for part in ("k_rot", "v")]
            exact.append((kept[names[0]][0, :, 0], kept[names[1]][0, :, 0]))
    k, v = (
        torch.stack([pair[which] for pair in exact], dim=1) for which in (0, 1)
    )  # [heads, tokens, head_dim]
    by_channel = torch.cat(
        [round_between(k[:, a : a + 16].mT.contiguous(), 2, 16).mT for a in (0, 16)], dim=1
    )
    assert torch.allclose(cache.k[0, 0, :, :32], by_channel)
    assert torch.equal(cache.k[0, 0, :, 32:44], k[:, 32:])
    assert torch.allclose(cache.v[0, 0, :, :28], round_between(v[:, :28], 2, 16))
    assert torch.equal(cache.v[0, 0, :, 28:44], v[:, 28:])
