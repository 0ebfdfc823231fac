"""Published models and GPUs: their numbers from `presets.toml`, each with where it was read and when."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from kvengine.memory import Shape


@dataclass(frozen=True)
class Preset:
    """A published model. `active` are the parameters a token is computed with: of experts, those used."""

    key: str
    name: str
    shape: Shape
    parameters: int
    active: int
    context: int
    weight_bits: int
    note: str
    source: str
    url: str
    date: str


@dataclass(frozen=True)
class Gpu:
    """A memory as it is sold: bytes (10⁹ to a GB), and bytes per second at its peak."""

    key: str
    name: str
    memory: float
    bandwidth: float
    source: str
    date: str


@cache
def presets() -> dict[str, Preset]:
    """The models, by key, in the order of the file."""
    data = _data()
    return {model["key"]: _preset(model, data["source"]) for model in data["model"]}


@cache
def gpus() -> dict[str, Gpu]:
    """The GPUs, by key, in the order of the file."""
    return {
        gpu["key"]: Gpu(
            gpu["key"],
            gpu["name"],
            gpu["gb"] * 1e9,
            gpu["gb_per_s"] * 1e9,
            gpu["source"],
            str(gpu["date"]),
        )
        for gpu in _data()["gpu"]
    }


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("presets.toml").read_text(encoding="utf-8"))


def _preset(model: dict[str, Any], sources: dict[str, dict[str, Any]]) -> Preset:
    source = sources[model["source"]]
    shape = Shape(
        model["layers"],
        model["heads"],
        model["kv_heads"],
        model["head_dim"],
        model["d_model"],
        model.get("window", 0),
        model.get("local_layers", 0),
        tuple(model.get("latent", ())),
        tuple(model.get("expanded", ())),
    )
    return Preset(
        model["key"],
        model["name"],
        shape,
        round(model["billions"] * 1e9),
        round(model.get("active_billions", model["billions"]) * 1e9) - _idle(model),
        model["context"],
        model.get("weight_bits", 16),
        model.get("note", ""),
        source["name"],
        source["url"],
        str(source["date"]),
    )


def _idle(model: dict[str, Any]) -> int:
    """Parameters of the experts that a token does not use, where the configuration tells of them."""
    unused = model.get("experts", 0) - model.get("experts_used", 0)
    return int(model["layers"] * unused * 3 * model["d_model"] * model.get("expert_width", 0))
