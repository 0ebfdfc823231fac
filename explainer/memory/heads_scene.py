"""What the browser gets of the models that share keys and values."""

from collections.abc import Callable, Sequence
from typing import Any

from explainer.kit.asking import Option, asked
from explainer.kit.encode import token_label
from explainer.memory.runs import Continued, Sharing
from explainer.memory.words import WORDS, explained
from kvengine.presets import presets

#: A large model that shares, named as an example.
OTHER = presets()["llama-3.1-8b"]

TextsOf = Callable[[Sequence[int]], list[str]]


def scene(found: Sharing, texts_of: TextsOf) -> dict[str, Any]:
    """The models from most KV heads to fewest, each with its cost, its loss, and how it goes on."""
    first, *_ = found.models
    last = found.models[-1]
    texts = texts_of(found.prompt_ids)
    return {
        "prompt": texts[1:] if texts and texts[0] == "(start)" else texts,
        "n_heads": first.config.n_heads,
        "models": [_model(model, first, texts_of) for model in found.models],
        "questions": [
            None,
            *(_question(a, b, first) for a, b in zip(found.models, found.models[1:], strict=False)),
        ],
        "caveat": {
            "share": _share(last.config.kv_floats_per_token, first.config.kv_floats_per_token),
            "most": _rise(first, max(found.models, key=lambda m: m.loss)),
            "token": token_label(texts_of(first.token_ids[:1])[0]),
        },
        "last": last.config.n_kv_heads,
        "words": WORDS["heads"],
        "terms": explained("heads"),
    }


def _model(model: Continued, first: Continued, texts_of: TextsOf) -> dict[str, Any]:
    config, texts = model.config, texts_of(model.token_ids)
    floats = config.kv_floats_per_token
    return {
        "kv": config.n_kv_heads,
        "floats": floats,
        "loss": f"{model.loss:.4f}",
        "rise": _rise(first, model),
        "texts": texts,
        "token": token_label(texts[0]),
        "probability": f"{model.probability:.2f}",
        "values": {
            "heads": f"{config.n_heads}",
            "kv": f"{config.n_kv_heads}",
            "layers": f"{config.n_layers}",
            "dim": f"{config.head_dim}",
            "group": f"{config.group_size}",
            "floats": f"{floats:,}",
            "bytes": f"{4 * floats:,}",
            "share": _share(floats, first.config.kv_floats_per_token),
            "other": OTHER.name,
            "other_group": f"{OTHER.shape.n_heads // OTHER.shape.n_kv_heads}",
            "loss": f"{model.loss:.4f}",
            "best": f"{first.loss:.4f}",
        },
    }


def _share(part: int, whole: int) -> str:
    """A half, a quarter, an eighth."""
    return {1: "all", 2: "a half", 4: "a quarter", 8: "an eighth"}.get(whole // part, f"1 ∕ {whole // part}")


def _rise(first: Continued, model: Continued) -> str:
    rise = model.loss / first.loss - 1
    return f"{100 * rise:.1f}%"


def _question(before: Continued, model: Continued, first: Continued) -> dict[str, Any]:
    floats_before, floats = before.config.kv_floats_per_token, model.config.kv_floats_per_token
    values = {
        "kv": f"{model.config.n_kv_heads}",
        "kv_before": f"{before.config.n_kv_heads}",
        "heads": f"{model.config.n_heads}",
        "floats": f"{floats:,}",
        "floats_before": f"{floats_before:,}",
        "share": _share(floats, first.config.kv_floats_per_token),
        "loss": f"{model.loss:.4f}",
        "best": f"{first.loss:.4f}",
    }
    if model.config.n_kv_heads == 1:
        rise = model.loss / first.loss - 1
        found = asked(
            "loss",
            Option(f"by {100 * rise:.1f}%", "right", rise),
            Option("not at all", "none", 0),
            Option("eightfold", "eightfold", 7),
        )
    else:
        found = asked(
            "half",
            Option("half", "right", 0.5),
            Option("a quarter", "quarter", 0.25),
            Option("the same", "same", 1),
        )
    return {"asked": found, "values": values}
