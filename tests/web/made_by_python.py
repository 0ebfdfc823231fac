"""What the tests of JavaScript read and only Python can make; printed as JSON.

`packed`: messages of `explainer.kit.encode.pack`, and what has to come out of them.
`pass`: a recorded pass of a trained model, with the recipes of `kvengine.graph` and all that they name.
`biased`: the same with biases of q, k and v, and norms of the heads, which that model has not.
"""

import base64
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from explainer.kit.encode import pack

MODEL = "stories-1m-h8-kv4"
LAYER = 1


def packed() -> list[dict[str, Any]]:
    bits = np.array([0x80000000, 0x00000001, 0x7F800000, 0xFF800000, 0x7FC00001, 0x3EAAAAAB], dtype="<u4")
    random = np.random.default_rng(0)
    messages = {
        "floats to the last bit": {"a": bits.view("<f4")},
        "float64 becomes float32": {"a": np.array([0.1, 1 / 3, 1e-50, 1e300**0.1])},
        "bytes and words": {"a": np.arange(256).astype("u1"), "b": np.array([0, 1, 65535], dtype="u2")},
        "odd lengths, one after another": {
            "three": np.array([1, 2, 3], dtype="u1"),
            "five": np.array([4, 5, 6, 7, 8], dtype="u1"),
            "one": np.array([9], dtype="u2"),
            "then floats": np.array([1.5], dtype="f4"),
        },
        "empty arrays": {
            "none": np.zeros(0, dtype="f4"),
            "no rows": np.zeros((0, 4), dtype="f4"),
            "no columns": np.zeros((3, 0), dtype="u1"),
            "after them": np.array([[7]], dtype="u2"),
        },
        "three axes": {"a": random.normal(size=(2, 3, 5)), "b": random.normal(size=(4, 1, 1)).astype("f4")},
        "equal arrays": {
            "a": np.arange(6, dtype="f4"),
            "other": np.ones(3, dtype="u1"),
            "again": np.arange(6, dtype="f4").reshape(2, 3),
        },
        "a part of an array, in another order": {"a": np.arange(24, dtype="f4").reshape(4, 6).T[::2]},
        "arrays at any depth": {"list": [1, {"deep": np.arange(3, dtype="u2")}, np.ones(1)], "text": "plain"},
        "no array": {"nothing": None, "yes": True, "number": -1.25, "empty": {}, "list": []},
        "text of every length": {f"{n}": 'ä→😀\n"\\'[:n] * 3 for n in range(7)},
    }
    return [
        {
            "name": name,
            "message": base64.b64encode(pack(message)).decode(),
            "arrays": [
                {"path": path, "kind": kind_of(array), "shape": array.shape, "hex": hex_of(array)}
                for path, array in arrays_in(message, [])
            ],
            "plain": without_arrays(message),
        }
        for name, message in messages.items()
    ]


def arrays_in(value: object, path: list[str | int]) -> Iterator[tuple[list[str | int], np.ndarray]]:
    if isinstance(value, np.ndarray):
        yield path, value
    elif isinstance(value, Mapping | list):
        for key, part in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from arrays_in(part, [*path, key])


def kind_of(array: np.ndarray) -> str:
    return {"f": "Float32Array", "u1": "Uint8Array", "u2": "Uint16Array"}[
        "f" if array.dtype.kind == "f" else array.dtype.str[1:]
    ]


def hex_of(array: np.ndarray) -> str:
    return (array.astype("<f4") if array.dtype.kind == "f" else array).tobytes(order="C").hex()


def without_arrays(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return "an array"
    if isinstance(value, Mapping):
        return {key: without_arrays(part) for key, part in value.items()}
    return [without_arrays(part) for part in value] if isinstance(value, list) else value


def recorded_pass(*, biased: bool = False) -> dict[str, Any]:
    """With `biased`, every layer gets random biases of q, k and v, and norms of its heads' q and k."""
    import torch

    from explainer.server import weights_of
    from kvengine import Transformer, load_model, trace
    from kvengine.graph import OPERATIONS, arithmetic, name_of

    model = load_model(MODEL)
    if biased:
        torch.manual_seed(0)
        config, size = model.config, model.config.head_dim
        layers = tuple(
            replace(w, bqkv=torch.randn(len(w.wqkv)), q_norm=torch.rand(size) + 0.5, k_norm=torch.randn(size))
            for w in model.weights.layers
        )
        model = Transformer(
            replace(config, qkv_bias=True, qk_norm=True), replace(model.weights, layers=layers)
        )
    config = model.config
    recorded = trace(model, torch.tensor([[0, 17, 301, 5, 944, 17]]))
    tensors = {key: recorded[name_of(key, LAYER)][0] for key in ("x", *OPERATIONS)}
    matrices = {"cos": model.cos[:6].numpy(), "sin": model.sin[:6].numpy()}
    rows = tensors["z"].shape[1]
    message = {
        "recipes": arithmetic(OPERATIONS),
        "eps": config.norm_eps,
        "n_heads": config.n_heads,
        "n_kv_heads": config.n_kv_heads,
        "head_dim": config.head_dim,
        "tensors": tensors,
        "operands": weights_of(model, LAYER)
        | matrices
        | {
            "concat": tensors["z"].transpose(1, 0, 2).reshape(rows, -1),
            "gate": recorded[f"layers.{LAYER}.ffn.gate"][0],
            "up": recorded[f"layers.{LAYER}.ffn.up"][0],
        },
    }
    return {"message": base64.b64encode(pack(message)).decode()}


if __name__ == "__main__":
    biased = partial(recorded_pass, biased=True)
    made = {"packed": packed, "pass": recorded_pass, "biased": biased}[sys.argv[1]]()
    json.dump(made, sys.stdout)
