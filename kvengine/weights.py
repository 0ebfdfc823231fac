"""The models that ship, and any other Llama model in a Hugging Face directory."""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from kvengine.config import Config, read_json
from kvengine.errors import CheckpointError
from kvengine.model import LayerWeights, Transformer, Weights
from kvengine.tokenizer import Tokenizer

#: Where a model's name is looked up. KVENGINE_CHECKPOINTS names another directory of models.
CHECKPOINTS = Path(os.environ.get("KVENGINE_CHECKPOINTS", Path(__file__).parent / "checkpoints"))

#: How safetensors names the precisions whose numbers mean what they say; others need scales beside them.
_PRECISIONS = ("F64", "F32", "F16", "BF16")

#: A copy of the embedding, where a file has it.
_READOUT = "lm_head.weight"


@dataclass(frozen=True)
class ModelCard:
    """A model that can be loaded by name. `validation_loss` is in nats per held-out token."""

    name: str
    config: Config
    parameters: int
    validation_loss: float


def available_models(root: Path | None = None) -> tuple[ModelCard, ...]:
    """The models below `root` whose description can be read, in the order of their names.

    A directory with a broken description is left out here; loading it by name says what is wrong with it.
    Raises `CheckpointError` when there is no such `root`.
    """
    root = root or CHECKPOINTS
    if not root.is_dir():
        raise CheckpointError(
            f"There is no directory of models {root.name!r}; let KVENGINE_CHECKPOINTS name one, or unset it."
        )
    cards = []
    for directory in sorted(p for p in root.iterdir() if p.is_dir()):
        try:
            config = Config.from_hf(directory / "config.json")
            card = read_json(directory / "card.json")
            parameters, loss = int(card["parameters"]), float(card["validation"]["nats_per_token"])
        except (CheckpointError, ValueError, OverflowError, KeyError, TypeError):
            continue
        cards.append(ModelCard(directory.name, config, parameters, loss))
    return tuple(cards)


def load_model(
    name_or_dir: str | Path, *, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> Transformer:
    """Read `config.json` and `model.safetensors` of a shipped model, or of any directory.

    Both are checked as a whole before a tensor is read. Raises `CheckpointError` when a file is missing,
    truncated, or holds another architecture, another precision, or a tensor that the config does not explain.
    """
    directory = _find(name_or_dir)
    config = Config.from_hf(directory / "config.json")
    file = _weights_file(directory)
    told = f"{directory.name}/{file.name}"
    try:
        with safe_open(file, framework="pt") as stored:
            names = frozenset(stored.keys())

            def read(name: str, *shape: int) -> Tensor:
                tensor: Tensor = stored.get_tensor(name)
                return tensor.to(device=device, dtype=dtype)

            _check(config, stored, names, told)
            weights = _read_weights(config, read)
            if _READOUT in names and not torch.equal(read(_READOUT), weights.embed):
                raise CheckpointError(
                    f"{told}: {_READOUT} differs from the embedding, though config.json has "
                    "tie_word_embeddings = True; choose a model whose readout is its embedding."
                )
    except (SafetensorError, OSError) as error:
        # An OSError's own text would tell the whole path.
        reason = (error.strerror or "unreadable") if isinstance(error, OSError) else error
        raise CheckpointError(f"{told} is damaged or cut short ({reason}); copy it again.") from None
    return Transformer(config, weights)


def _check(config: Config, stored: Any, names: frozenset[str], told: str) -> None:
    """Raise `CheckpointError` unless the open file holds what the config asks for, and nothing besides."""
    seen = set()

    def check(name: str, *shape: int) -> Tensor:
        if name not in names:
            raise CheckpointError(f"{told} lacks the tensor {name}; copy the model's complete directory.")
        tensor = stored.get_slice(name)  # describes it, and reads nothing
        if tensor.get_dtype() not in _PRECISIONS:
            raise CheckpointError(
                f"{told}: {name} is stored as {tensor.get_dtype()}, which this engine does not read; "
                "choose the model in float32, float16 or bfloat16."
            )
        if tensor.get_shape() != list(shape):
            raise CheckpointError(
                f"{told}: {name} has shape {tensor.get_shape()}, but config.json asks for "
                f"{list(shape)}; copy both files from the same model."
            )
        seen.add(name)
        return torch.empty(shape, device="meta")

    _read_weights(config, check)
    if _READOUT in names:
        check(_READOUT, config.vocab_size, config.d_model)
    unknown = sorted(name for name in names - seen if not name.endswith("rotary_emb.inv_freq"))
    if unknown:
        more = f" and {len(unknown) - 1:,} more" if unknown[1:] else ""
        raise CheckpointError(
            f"{told} holds {unknown[0][:80]}{more}, which config.json does not explain; "
            "copy both files from the same model, one without additions to Llama's architecture."
        )


def load_tokenizer(name_or_dir: str | Path) -> Tokenizer:
    """The model's `tokenizer.json`, or the one that all shipped models share, beside their directories.

    Raises `CheckpointError` when there is none, it cannot be read, or it has tokens that the model has not.
    """
    directory = _find(name_or_dir)
    own, shared = directory / "tokenizer.json", directory.parent / "tokenizer.json"
    tokenizer = Tokenizer(shared if shared.is_file() and not own.is_file() else own)
    if (directory / "config.json").exists():
        vocab_size = Config.from_hf(directory / "config.json").vocab_size
        if vocab_size < tokenizer.vocab_size:
            raise CheckpointError(
                f"{directory.name}/config.json has vocab_size = {vocab_size:,}, and its tokenizer.json has "
                f"{tokenizer.vocab_size:,} tokens; copy both files from the same model."
            )
    return tokenizer


def _find(name_or_dir: str | Path) -> Path:
    for directory in (CHECKPOINTS / name_or_dir, Path(name_or_dir)):
        with suppress(OSError, ValueError):  # a name that no file system takes, such as one of 10,000 letters
            if directory.is_dir():
                return directory
    at_hand = ", ".join(card.name for card in available_models())
    raise CheckpointError(
        f"There is no model {Path(name_or_dir).name[:80]!r}; the ones at hand are {at_hand}."
    )


def _weights_file(directory: Path) -> Path:
    file = directory / "model.safetensors"
    if file.is_file():
        return file
    others = sorted(p.name for pattern in ("*.safetensors*", "*.bin*") for p in directory.glob(pattern))
    if others:
        raise CheckpointError(
            f"{directory.name} keeps its weights in {others[0]}, and this engine reads model.safetensors; "
            "load the model with transformers and save it as one such file."
        )
    raise CheckpointError(f"{directory.name} has no model.safetensors; copy the model's complete directory.")


def _read_weights(cfg: Config, read: Callable[..., Tensor]) -> Weights:
    """`read(name, *shape)` gives one tensor, its shape checked. The names are Hugging Face's."""
    q_width, kv_width = cfg.n_heads * cfg.head_dim, cfg.n_kv_heads * cfg.head_dim

    def read_layer(i: int) -> LayerWeights:
        layer = f"model.layers.{i}."
        return LayerWeights(
            attn_norm=read(layer + "input_layernorm.weight", cfg.d_model),
            wqkv=torch.cat(
                [
                    read(layer + "self_attn.q_proj.weight", q_width, cfg.d_model),
                    read(layer + "self_attn.k_proj.weight", kv_width, cfg.d_model),
                    read(layer + "self_attn.v_proj.weight", kv_width, cfg.d_model),
                ]
            ),
            wo=read(layer + "self_attn.o_proj.weight", cfg.d_model, q_width),
            ffn_norm=read(layer + "post_attention_layernorm.weight", cfg.d_model),
            w_gate=read(layer + "mlp.gate_proj.weight", cfg.d_ffn, cfg.d_model),
            w_up=read(layer + "mlp.up_proj.weight", cfg.d_ffn, cfg.d_model),
            w_down=read(layer + "mlp.down_proj.weight", cfg.d_model, cfg.d_ffn),
        )

    return Weights(
        embed=read("model.embed_tokens.weight", cfg.vocab_size, cfg.d_model),
        layers=tuple(read_layer(i) for i in range(cfg.n_layers)),
        norm=read("model.norm.weight", cfg.d_model),
    )
