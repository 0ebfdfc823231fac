"""Small models for the tests: written by Hugging Face's library, or made here from random numbers."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel
from transformers.utils import logging

from kvengine import Config, Transformer, generate, sampler
from kvengine.model import LayerWeights, Weights
from kvengine.weights import CHECKPOINTS

logging.disable_progress_bar()

#: Every way in which 1, 2, 4, 6 or 8 query heads can share KV heads.
GROUPINGS = [(heads, kv) for heads in (1, 2, 4, 6, 8) for kv in range(1, heads + 1) if heads % kv == 0]

TINY = Config(
    vocab_size=61,
    d_model=24,
    n_layers=2,
    n_heads=4,
    n_kv_heads=2,
    head_dim=6,
    d_ffn=40,
    max_seq_len=48,
)


def tiny_model(*, dtype: torch.dtype = torch.float64, seed: int = 0, **changes: int) -> Transformer:
    """Random weights, large enough that heads look at some tokens more than at others.

    `changes` are those of its config against `TINY`.
    """
    cfg = replace(TINY, **changes)
    generator = torch.Generator().manual_seed(seed)

    def matrix(rows: int, columns: int) -> Tensor:
        drawn = torch.randn(rows, columns, generator=generator, dtype=torch.float64)
        return (drawn * 1.5 / columns**0.5).to(dtype)

    def norm(size: int = cfg.d_model) -> Tensor:
        return (0.5 + torch.rand(size, generator=generator, dtype=torch.float64)).to(dtype)

    def layer() -> LayerWeights:
        width = (cfg.n_heads + 2 * cfg.n_kv_heads) * cfg.head_dim
        return LayerWeights(
            attn_norm=norm(),
            wqkv=matrix(width, cfg.d_model),
            wo=matrix(cfg.d_model, cfg.n_heads * cfg.head_dim),
            ffn_norm=norm(),
            w_gate=matrix(cfg.d_ffn, cfg.d_model),
            w_up=matrix(cfg.d_ffn, cfg.d_model),
            w_down=matrix(cfg.d_model, cfg.d_ffn),
            bqkv=matrix(width, 1)[:, 0] if cfg.qkv_bias else None,
            q_norm=norm(cfg.head_dim) if cfg.qk_norm else None,
            k_norm=norm(cfg.head_dim) if cfg.qk_norm else None,
        )

    layers = tuple(layer() for _ in range(cfg.n_layers))
    return Transformer(cfg, Weights(embed=matrix(cfg.vocab_size, cfg.d_model), layers=layers, norm=norm()))


def save_random_llama(
    directory: Path, *, kind: str = "llama", shard: str = "5GB", **settings: object
) -> None:
    """What `save_pretrained` writes for a small random model, in files of at most `shard`.

    `settings` are those of the config of that kind of model.
    """
    config = AutoConfig.for_model(
        kind,
        **{
            "vocab_size": 97,
            "hidden_size": 48,
            "intermediate_size": 80,
            "num_hidden_layers": 2,
            "max_position_embeddings": 128,
            "tie_word_embeddings": True,
            # Large enough that attention is far from uniform, or the comparison would see little of it.
            "initializer_range": 0.25,
            **settings,
        },
    )
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config)
    for name, parameter in model.named_parameters():
        # All ones or zeros when new, which would hide a norm that forgets its weight, or a forgotten bias.
        if "norm" in name or name.endswith("bias"):
            torch.nn.init.uniform_(parameter, 0.5, 1.5)
    model.save_pretrained(directory, max_shard_size=shard)


def load_reference(name_or_dir: str | Path) -> PreTrainedModel:
    directory = CHECKPOINTS / name_or_dir
    return AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()


def random_ids(vocab_size: int, length: int, *, batch: int = 1, seed: int = 0) -> Tensor:
    """Token ids [batch, length]."""
    return torch.randint(vocab_size, (batch, length), generator=torch.Generator().manual_seed(seed))


def random_text(model: Transformer, length: int, seed: int = 0) -> list[int]:
    ids: list[int] = random_ids(model.config.vocab_size, length, seed=seed)[0].tolist()
    return ids


def written(model: Transformer, prompt: Sequence[int], n: int, temperature: float = 0.0) -> list[int]:
    """The tokens that the model goes on with, every one of them computed without a cache."""
    draw = sampler(temperature, seed=3)
    steps = generate(model, prompt, max_new_tokens=n, use_cache=False, sampler=draw)
    return [step.token_id for step in steps]


def largest_difference(a: Tensor, b: Tensor) -> float:
    assert a.shape == b.shape
    return float((a - b).abs().max())
