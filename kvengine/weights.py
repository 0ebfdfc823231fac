"""The models that ship, and any other Llama model in a Hugging Face directory."""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from kvengine.config import Config
from kvengine.errors import CheckpointError
from kvengine.model import LayerWeights, Transformer, Weights
from kvengine.tokenizer import Tokenizer

#: Where a model's name is looked up. KVENGINE_CHECKPOINTS names another directory of models.
CHECKPOINTS = Path(os.environ.get("KVENGINE_CHECKPOINTS", Path(__file__).parent / "checkpoints"))


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
            f"There is no directory of models at {root}; let KVENGINE_CHECKPOINTS name one, or unset it."
        )
    cards = []
    for directory in sorted(p for p in root.iterdir() if p.is_dir()):
        try:
            config = Config.from_hf(directory / "config.json")
            card = json.loads((directory / "card.json").read_text(encoding="utf-8"))
            cards.append(
                ModelCard(directory.name, config, card["parameters"], card["validation"]["nats_per_token"])
            )
        except (CheckpointError, OSError, ValueError, KeyError, TypeError):
            continue
    return tuple(cards)


def load_model(
    name_or_dir: str | Path, *, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> Transformer:
    """Read `config.json` and `model.safetensors` of a shipped model, or of any directory.

    Raises `CheckpointError` when a file is missing, truncated, or holds another architecture.
    """
    directory = _find(name_or_dir)
    config = Config.from_hf(directory / "config.json")
    file = directory / "model.safetensors"
    if not file.is_file():
        raise CheckpointError(
            f"{directory.name} has no model.safetensors; copy the model's complete directory."
        )
    try:
        with safe_open(file, framework="pt") as stored:
            names = set(stored.keys())

            def read(name: str, *shape: int) -> Tensor:
                if name not in names:
                    raise CheckpointError(
                        f"{directory.name}/model.safetensors lacks the tensor {name}; "
                        "copy the model's complete directory."
                    )
                tensor: Tensor = stored.get_tensor(name)
                if tensor.shape != shape:
                    raise CheckpointError(
                        f"{directory.name}/model.safetensors: {name} has shape {list(tensor.shape)}, but "
                        f"config.json asks for {list(shape)}; copy both files from the same model."
                    )
                return tensor.to(device=device, dtype=dtype)

            weights = _read_weights(config, read)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{directory.name}/model.safetensors is damaged or cut short ({error}); copy it again."
        ) from None
    return Transformer(config, weights)


def load_tokenizer(name_or_dir: str | Path) -> Tokenizer:
    """The model's `tokenizer.json`, or the one that all shipped models share, beside their directories.

    Raises `CheckpointError` when there is none, or it cannot be read.
    """
    directory = _find(name_or_dir)
    own, shared = directory / "tokenizer.json", directory.parent / "tokenizer.json"
    return Tokenizer(shared if shared.is_file() and not own.is_file() else own)


def _find(name_or_dir: str | Path) -> Path:
    for directory in (CHECKPOINTS / name_or_dir, Path(name_or_dir)):
        with suppress(OSError, ValueError):  # a name that no file system takes, such as one of 10,000 letters
            if directory.is_dir():
                return directory
    at_hand = ", ".join(card.name for card in available_models())
    raise CheckpointError(f"There is no model {str(name_or_dir)[:80]!r}; the ones at hand are {at_hand}.")


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
