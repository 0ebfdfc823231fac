"""The shape of a model, read from a Hugging Face `config.json`."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kvengine.errors import CheckpointError


@dataclass(frozen=True)
class Config:
    """The numbers that fix a Llama-architecture model.

    Raises `CheckpointError` where they contradict each other.
    """

    vocab_size: int
    d_model: int
    n_layers: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    d_ffn: int
    max_seq_len: int
    norm_eps: float = 1e-5
    rope_theta: float = 10_000.0

    def __post_init__(self) -> None:
        for field in ("vocab_size", "d_model", "n_layers", "n_heads", "n_kv_heads", "d_ffn", "max_seq_len"):
            if getattr(self, field) < 1:
                raise CheckpointError(f"{field} is {getattr(self, field)}; it must be at least 1.")
        if self.n_heads % self.n_kv_heads:
            raise CheckpointError(
                f"{self.n_heads} query heads cannot share {self.n_kv_heads} KV heads evenly: "
                "n_heads must be a multiple of n_kv_heads."
            )
        if self.head_dim < 2 or self.head_dim % 2:
            raise CheckpointError(
                f"head_dim is {self.head_dim}; rotary positions turn pairs of entries, so it must be even."
            )
        if not (0 <= self.norm_eps < math.inf and 0 < self.rope_theta < math.inf):
            raise CheckpointError(
                f"norm_eps is {self.norm_eps} and rope_theta {self.rope_theta}; "
                "both must be finite, and rope_theta above 0."
            )

    @property
    def group_size(self) -> int:
        """How many query heads read one KV head: 1 is multi-head, n_heads is multi-query attention."""
        return self.n_heads // self.n_kv_heads

    @property
    def kv_floats_per_token(self) -> int:
        """Floats that the cache keeps of one token: K and V, every layer, every KV head."""
        return 2 * self.n_layers * self.n_kv_heads * self.head_dim

    @classmethod
    def from_hf(cls, path: Path) -> "Config":
        """Read `config.json` at `path`.

        Raises `CheckpointError` when it is missing, is not JSON, lacks a number, or describes a model
        that this engine would silently compute wrongly (biases, scaled rotary positions, untied embeddings).
        """
        file = f"{path.parent.name}/config.json"
        try:
            raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise CheckpointError(
                f"{path.parent.name} has no config.json; copy the model's complete directory."
            ) from None
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{file} cannot be read as JSON ({error}); copy it again.") from None
        if not isinstance(raw, dict):
            raise CheckpointError(f"{file} holds no JSON object; copy it again.")
        # transformers 5 writes the rotary settings as a group, earlier versions one by one.
        rope = raw.get("rope_parameters") or {"rope_theta": raw.get("rope_theta", 10_000.0)}
        plain_rope = isinstance(rope, dict) and rope.get("rope_type", "default") == "default"
        unsupported = {
            "model_type": raw.get("model_type") != "llama",
            "hidden_act": raw.get("hidden_act", "silu") != "silu",
            "tie_word_embeddings": not raw.get("tie_word_embeddings", False),
            "attention_bias": bool(raw.get("attention_bias")),
            "mlp_bias": bool(raw.get("mlp_bias")),
            "rope_scaling": bool(raw.get("rope_scaling")),
            "rope_parameters": not plain_rope,
        }
        for key, wrong in unsupported.items():
            if wrong:
                raise CheckpointError(
                    f"{file} has {key} = {raw.get(key)!r}, which this engine does not compute; "
                    "choose a Llama model with tied embeddings, no biases and plain rotary positions."
                )
        try:
            n_heads = int(raw["num_attention_heads"])
            d_model = int(raw["hidden_size"])
            return cls(
                vocab_size=int(raw["vocab_size"]),
                d_model=d_model,
                n_layers=int(raw["num_hidden_layers"]),
                n_heads=n_heads,
                n_kv_heads=int(raw.get("num_key_value_heads", n_heads)),
                head_dim=int(raw.get("head_dim") or d_model // max(n_heads, 1)),
                d_ffn=int(raw["intermediate_size"]),
                max_seq_len=int(raw["max_position_embeddings"]),
                norm_eps=float(raw["rms_norm_eps"]),
                rope_theta=float(rope["rope_theta"]),
            )
        except KeyError as error:
            raise CheckpointError(f"{file} lacks {error.args[0]!r}; copy it again.") from None
        except (TypeError, ValueError, OverflowError) as error:
            raise CheckpointError(f"{file} holds a number that is none ({error}); copy it again.") from None
        except CheckpointError as error:
            raise CheckpointError(f"{file} contradicts itself: {error}") from None
