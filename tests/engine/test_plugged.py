"""Somebody else's attention in a trained model."""

import numpy as np
import torch
import torch.nn.functional as F

from kvengine import available_models, load_model
from kvengine.plugged import logits_with
from tests.engine.reference import random_ids


def test_attention_that_computes_the_same_gives_the_same_logits() -> None:
    for card in available_models():
        model = load_model(card.name)
        ids = random_ids(card.config.vocab_size, 9)

        def attend(layer: int, q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
            half = card.config.head_dim // 2  # noqa: B023
            sign = np.concatenate([-np.ones(half), np.ones(half)]).astype(np.float32)
            angle = np.arange(9)[:, None] * 10_000.0 ** (-np.arange(half) / half)
            cos, sin = (np.tile(part(angle), 2).astype(np.float32) for part in (np.cos, np.sin))
            q, k = (x * cos + np.roll(x, half, axis=-1) * sign * sin for x in (q, k))
            parts = (torch.from_numpy(x)[None] for x in (q, k, v))
            return F.scaled_dot_product_attention(*parts, is_causal=True, enable_gqa=True)[0].numpy()

        found = logits_with(model, ids[0].tolist(), attend)
        np.testing.assert_allclose(found, model(ids)[0, -1].numpy(), atol=1e-4)


def test_what_is_plugged_in_decides() -> None:
    model = load_model(available_models()[0].name)
    silent = logits_with(model, [1, 2, 3], lambda layer, q, k, v: np.zeros_like(q))
    again = logits_with(model, [2, 1, 3], lambda layer, q, k, v: np.zeros_like(q))
    np.testing.assert_allclose(silent, again, atol=1e-5)  # without attention only the last token counts
