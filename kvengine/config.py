"""The shape of a model, read from a Hugging Face `config.json`."""

import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from reprlib import repr as short  # a value of any size or depth, in a few words
from typing import Any, Literal

from kvengine.errors import CheckpointError

#: Where a key may have one of these values only, or be null or absent: all that this engine computes.
_COMPUTED: dict[str, tuple[object, ...]] = {
    "hidden_act": ("silu",),
    "attention_bias": (False,),
    "mlp_bias": (False,),
    "is_causal": (True,),
    "is_encoder_decoder": (False,),
    "add_cross_attention": (False,),
    "partial_rotary_factor": (1,),
    "rope_interleaved": (False,),
    "pretraining_tp": (1,),
    "quantization_config": (),
    "per_layer_config": (),
    "pruned_heads": ({},),
}


@dataclass(frozen=True)
class _Family:
    """What a `model_type` stands for, where its config does not say it."""

    qkv_bias: bool = False
    qk_norm: bool = False
    window: Literal["never", "when asked", "always"] = "never"  # whether `sliding_window` counts
    #: Without a number of KV heads in the config, each query head has its own; others have another default.
    kv_heads_follow: bool = False
    own_head_dim: bool = False  # it has to be in the config: the default is not d_model / n_heads


_FAMILIES = {
    "llama": _Family(kv_heads_follow=True),
    "mistral": _Family(window="always"),
    "qwen2": _Family(qkv_bias=True, window="when asked"),
    "qwen3": _Family(qk_norm=True, own_head_dim=True, window="when asked"),
}

#: Keys that transformers writes, now or in earlier versions, and that do not change what a pass computes.
_WITHOUT_EFFECT = frozenset(
    """architectures _name_or_path name_or_path _commit_hash transformers_version transformers.js_config
    is_llama_config torch_dtype dtype use_bfloat16 torchscript tf_legacy_loss
    _attn_implementation _attn_implementation_autoset chunk_size_feed_forward is_decoder tie_encoder_decoder
    bos_token_id eos_token_id pad_token_id sep_token_id decoder_start_token_id tokenizer_class prefix
    initializer_range attention_dropout use_cache output_attentions output_hidden_states output_scores
    return_dict return_dict_in_generate id2label label2id num_labels problem_type finetuning_task
    task_specific_params max_length min_length do_sample early_stopping num_beams num_beam_groups
    num_return_sequences diversity_penalty temperature top_k top_p typical_p repetition_penalty
    length_penalty no_repeat_ngram_size encoder_no_repeat_ngram_size bad_words_ids suppress_tokens
    begin_suppress_tokens forced_bos_token_id forced_eos_token_id remove_invalid_values
    exponential_decay_length_penalty""".split()  # noqa: SIM905
)

#: Llama 3.1's rotary settings, all of which it needs, and what they are called here.
_STRETCH = {
    "factor": "factor",
    "low_freq_factor": "low_turns",
    "high_freq_factor": "high_turns",
    "original_max_position_embeddings": "original_positions",
}

#: In Qwen's layers below this one no query has a window, unless `max_window_layers` says otherwise.
_FIRST_WINDOWED = 28

#: A pass looks its rotations up in tables, made once for every position.
_MOST_POSITIONS = 2**20

_REMEDY = "choose an unquantized model of the kinds llama, mistral, qwen2 or qwen3."


@dataclass(frozen=True)
class RopeStretch:
    """How Llama 3.1 turns its slow pairs more slowly, for a longer context than `original_positions`.

    A pair that turns at most `low_turns` times within those is slowed by `factor`; one that turns
    `high_turns` times or more is left alone.
    """

    factor: float
    low_turns: float
    high_turns: float
    original_positions: float

    def __post_init__(self) -> None:
        if not (1 <= self.factor < math.inf and 0 < self.low_turns < self.high_turns < math.inf):
            raise CheckpointError(
                f"the rotary scaling has factor {self.factor:g}, low_freq_factor {self.low_turns:g} and "
                f"high_freq_factor {self.high_turns:g}; the first must be at least 1, and the second "
                "above 0 and below the third."
            )
        if self.original_positions < 1:
            raise CheckpointError("original_max_position_embeddings must be at least 1.")


@dataclass(frozen=True)
class Config:
    """The numbers that fix a model of Llama's architecture or one of its relatives'.

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
    rope_stretch: RopeStretch | None = None
    window: int | None = None  # a query sees this many keys, its own the last of them; None: all
    qkv_bias: bool = False
    qk_norm: bool = False  # each head's q and k are normed before they are turned
    tied: bool = True  # the embedding is the readout too

    def __post_init__(self) -> None:
        for field in ("vocab_size", "d_model", "n_layers", "n_heads", "n_kv_heads", "d_ffn", "max_seq_len"):
            if getattr(self, field) < 1:
                raise CheckpointError(f"{field} is {short(getattr(self, field))}; it must be at least 1.")
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
        if self.window is not None and self.window < 1:
            raise CheckpointError(f"sliding_window is {short(self.window)}; it must be at least 1.")

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

        Raises `CheckpointError` when it is missing, is not JSON, lacks a number, or holds anything that this
        engine does not compute, or does not know: what is not understood is never passed over.
        """
        file = f"{path.parent.name}/config.json"
        raw = read_json(path)
        if not isinstance(raw, dict):
            raise CheckpointError(f"{file} holds no JSON object; copy it again.")
        # Each key is taken out as it is understood; null stands for an absent one.
        left = {key: value for key, value in raw.items() if value is not None}
        kind = left.pop("model_type", None)
        if not isinstance(kind, str) or kind not in _FAMILIES:
            raise CheckpointError(_not_computed(file, "model_type", kind))
        family = _FAMILIES[kind]
        for key, values in _COMPUTED.items():
            value = left.pop(key, None)
            if value is not None and value not in values:
                raise CheckpointError(_not_computed(file, key, value))
        tied = left.pop("tie_word_embeddings", False)
        if not isinstance(tied, bool):
            raise CheckpointError(_not_computed(file, "tie_word_embeddings", tied))

        def take(key: str, default: int | None = None) -> int:
            value = left.pop(key, default)
            if value is None:
                raise CheckpointError(f"{file} lacks {key!r}; copy it again.")
            if not isinstance(value, int) or isinstance(value, bool):
                raise CheckpointError(f"{file} has {key} = {short(value)}, not an integer; copy it again.")
            return value

        n_layers = take("num_hidden_layers")
        rope_theta, rope_stretch = _take_rope(file, left)
        window = _take_window(file, left, family, n_layers)
        n_heads, d_model = take("num_attention_heads"), take("hidden_size")
        if "head_dim" not in left and not family.own_head_dim and n_heads > 0 and d_model % n_heads:
            raise CheckpointError(
                f"{file} has no head_dim, and hidden_size = {short(d_model)} is no multiple of "
                f"num_attention_heads = {short(n_heads)}; copy it again."
            )
        numbers: dict[str, Any] = {
            "vocab_size": take("vocab_size"),
            "d_model": d_model,
            "n_layers": n_layers,
            "n_heads": n_heads,
            "n_kv_heads": take("num_key_value_heads", n_heads if family.kv_heads_follow else None),
            "head_dim": take("head_dim", None if family.own_head_dim else d_model // max(n_heads, 1)),
            "d_ffn": take("intermediate_size"),
            "max_seq_len": take("max_position_embeddings"),
            "norm_eps": _number(file, "rms_norm_eps", left.pop("rms_norm_eps", None)),
            "rope_theta": rope_theta,
            "rope_stretch": rope_stretch,
            "window": window,
            "qkv_bias": family.qkv_bias,
            "qk_norm": family.qk_norm,
            "tied": tied,
        }
        for key, value in left.items():
            if key not in _WITHOUT_EFFECT:
                raise CheckpointError(
                    f"{file} has {short(key)} = {short(value)}, which this engine does not know; "
                    "remove it if it changes nothing that the model computes, or choose another model."
                )
        if numbers["max_seq_len"] > _MOST_POSITIONS:
            raise CheckpointError(
                f"{file} has max_position_embeddings = {short(numbers['max_seq_len'])}, more than the "
                f"{_MOST_POSITIONS:,} that this engine takes; lower it to as many as you need."
            )
        try:
            return cls(**numbers)
        except CheckpointError as error:
            raise CheckpointError(f"{file} contradicts itself: {error}") from None


def read_json(path: Path) -> Any:
    """What stands in a JSON file of a model's directory. Raises `CheckpointError` where it cannot be read."""
    file = f"{path.parent.name}/{path.name}"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(
            f"{path.parent.name} has no {path.name}; copy the model's complete directory."
        ) from None
    except OSError as error:  # its own text would tell the whole path
        raise CheckpointError(f"{file} cannot be read ({error.strerror}); copy it again.") from None
    except RecursionError:
        raise CheckpointError(f"{file} is nested too deeply to be read; copy it again.") from None
    except ValueError as error:
        raise CheckpointError(f"{file} cannot be read as JSON ({error}); copy it again.") from None


def _not_computed(file: str, key: str, value: object) -> str:
    return f"{file} has {key} = {short(value)}, which this engine does not compute; {_REMEDY}"


def _number(file: str, key: str, value: object) -> float:
    if value is None:
        raise CheckpointError(f"{file} lacks {key!r}; copy it again.")
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max:
        return float(value)
    raise CheckpointError(f"{file} has {key} = {short(value)}, not a finite number; copy it again.")


def _take_rope(file: str, left: dict[str, Any]) -> tuple[float, RopeStretch | None]:
    """The base of the rotary angles, and how Llama 3.1 changes them.

    Both stand alone or, in newer files, in a group of rotary settings. Takes what it has understood out of
    `left`.
    """
    thetas, stretches = [left.pop("rope_theta", None)], []
    for key in ("rope_scaling", "rope_parameters"):
        group = left.pop(key, {})
        if not isinstance(group, dict):
            raise CheckpointError(_not_computed(file, key, group))
        settings = {name: value for name, value in group.items() if value is not None}
        thetas.append(settings.pop("rope_theta", None))
        kinds = [settings.pop(name) for name in ("rope_type", "type") if name in settings]
        whole = settings.pop("partial_rotary_factor", 1) == 1
        if whole and kinds and all(kind == "llama3" for kind in kinds) and settings.keys() == _STRETCH.keys():
            stretches.append(_stretch(file, settings))
        elif settings or not whole or any(kind != "default" for kind in kinds):
            raise CheckpointError(_not_computed(file, key, group))
    found = {_number(file, "rope_theta", theta) for theta in thetas if theta is not None}
    if len(found) > 1:
        raise CheckpointError(
            f"{file} has rope_theta twice, as {' and as '.join(map(str, sorted(found)))}; "
            "keep the one that the model was trained with."
        )
    if len(set(stretches)) > 1:
        raise CheckpointError(
            f"{file} has two rotary scalings; keep the one that the model was trained with."
        )
    return (found.pop() if found else 10_000.0), (stretches[0] if stretches else None)


def _stretch(file: str, settings: dict[str, Any]) -> RopeStretch:
    numbers = {_STRETCH[name]: _number(file, name, value) for name, value in settings.items()}
    try:
        return RopeStretch(**numbers)
    except CheckpointError as error:
        raise CheckpointError(f"{file} contradicts itself: {error}") from None


def _take_window(file: str, left: dict[str, Any], family: _Family, n_layers: int) -> int | None:
    """How many keys a query sees, where the model limits it. Takes what it has understood out of `left`.

    Raises `CheckpointError` where some layers have a window and others none.
    """
    window, kinds = left.pop("sliding_window", None), left.pop("layer_types", None)
    if family.window == "when asked":
        asked, first = left.pop("use_sliding_window", False), left.pop("max_window_layers", _FIRST_WINDOWED)
        if asked is False:
            window = None
        elif asked is not True or first != 0:
            raise CheckpointError(_not_computed(file, "use_sliding_window", asked))
    if window is not None and family.window == "never":
        raise CheckpointError(_not_computed(file, "sliding_window", window))
    if window is not None and (not isinstance(window, int) or isinstance(window, bool)):
        raise CheckpointError(f"{file} has sliding_window = {short(window)}, not an integer; copy it again.")
    expected = "full_attention" if window is None else "sliding_attention"
    if kinds is not None and (
        not isinstance(kinds, list) or len(kinds) != n_layers or any(kind != expected for kind in kinds)
    ):
        raise CheckpointError(_not_computed(file, "layer_types", kinds))
    return window
