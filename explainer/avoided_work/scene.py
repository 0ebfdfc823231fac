"""A recomputation, seen in one layer, as the data that the component of the avoided work draws."""

import base64
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np

from explainer.scenes.encode import f32, token_label
from explainer.story.avoided_findings import (
    REDUCTIONS,
    finding,
    not_as_before,
    reductions,
    side_by_side,
    tolerance,
)
from explainer.story.avoided_work import OPERATIONS, Scope, words
from kvengine import Transformer
from kvengine.compare import Compared, State
from kvengine.experiments import Recomputation, name_of

#: How each cell came about, as data: it drives the arithmetic under the pointer. Names are those of the
#: scene's operations and matrices, and `concat`, the heads of `z` side by side.
ARITHMETIC: dict[str, dict[str, Any]] = {
    "x": {"op": "given"},
    "norm": {"op": "norm", "row": "x", "weight": "attn_norm"},
    "q": {"op": "project", "row": "norm", "matrix": "wq", "symbols": ["h", "W_Q"], "rotate": True},
    "k": {"op": "project", "row": "norm", "matrix": "wk", "symbols": ["h", "W_K"], "rotate": True},
    "v": {"op": "project", "row": "norm", "matrix": "wv", "symbols": ["h", "W_V"], "rotate": False},
    "scores": {"op": "dot", "left": "q", "right": "k"},
    "weights": {"op": "softmax", "of": "scores"},
    "z": {"op": "mix", "weights": "weights", "rows": "v"},
    "out": {
        "op": "project",
        "row": "concat",
        "matrix": "wo",
        "symbols": ["the heads", "W_O"],
        "rotate": False,
    },
    "mid": {"op": "add", "left": "out", "right": "x", "symbols": ["attention's output", "what came in"]},
    "ffn_norm": {"op": "norm", "row": "mid", "weight": "ffn_norm_weight"},
    "hidden": {"op": "gated", "gate": "gate", "up": "up"},
    "ffn": {"op": "project", "row": "hidden", "matrix": "w_down", "symbols": ["m", "Down"], "rotate": False},
    "post": {"op": "add", "left": "ffn", "right": "mid", "symbols": ["the MLP's output", "the residual"]},
    "readout": {"op": "norm", "row": "final", "weight": "final_norm"},
}


def scene(
    r: Recomputation,
    model: Transformer,
    text_of: Callable[[int], str],
    *,
    layer: int,
    head: int,
    scene_id: str,
) -> dict[str, Any]:
    """Everything the component needs to step through one layer's operations and the reductions by itself.

    `text_of` gives a token's text. `scene_id` names what was computed, the layer left aside.
    """
    config = model.config
    labels = [token_label(text_of(i)) for i in r.token_ids]
    originals = [token_label(text_of(i)) for i in r.original_ids]
    tensors = {op.key: r.tensors[name_of(op.key, layer)] for op in OPERATIONS if op.key != "readout"}
    said = words(
        Scope(
            config=config,
            layer=layer,
            t=r.t,
            token=labels[-1],
            next_token=token_label(text_of(r.naive.next_token)),
            probability=r.naive.probability,
            states={key: _heads(tensor.state) for key, tensor in tensors.items()},
        )
    )
    return {
        "id": f"{scene_id} layer {layer}",
        "layer": layer,
        "head": head,
        "n_layers": config.n_layers,
        "n_heads": config.n_heads,
        "n_kv_heads": config.n_kv_heads,
        "head_dim": config.head_dim,
        "norm_eps": config.norm_eps,
        "t": r.t,
        "labels": labels,
        "texts": ["" if position == 0 else text_of(i) for position, i in enumerate(r.token_ids)],
        "causal": r.premise.causal,
        "changed": r.premise.changed,
        "ops": [asdict(op) | asdict(said[op.key]) | _exception(tensors.get(op.key)) for op in OPERATIONS],
        "arithmetic": ARITHMETIC,
        "tensors": {key: _tensor(tensor) for key, tensor in tensors.items()},
        "arrays": _arrays(r, model, layer),
        "readout": _readout(r, text_of),
        "reductions": [
            {"label": label} | step
            for label, step in zip(REDUCTIONS, reductions(r, config, _label_of(text_of)), strict=True)
        ],
        "read": sorted(r.read),
        "ways": side_by_side(r, _label_of(text_of)),
        "found": {
            "text": finding(r, labels, originals),
            "tolerance": tolerance(),
            "holds": r.equal == r.compared,
            "compared": r.compared,
            "equal": r.equal,
        }
        | _largest(r),
    }


def _exception(tensor: Compared | None) -> dict[str, str]:
    """Where the premise is broken, what was found stands in the place of why the rows should be as before."""
    if tensor is None or tensor.count(State.EQUAL) == tensor.compared:
        return {}
    return {"why": not_as_before(tensor.count(State.EQUAL), tensor.compared)}


def _label_of(text_of: Callable[[int], str]) -> Callable[[int], str]:
    return lambda token_id: token_label(text_of(token_id))


def _heads(array: np.ndarray) -> np.ndarray:
    """[rows, cols] as one head: [1, rows, cols]."""
    return array if array.ndim == 3 else array[None]


def _tensor(tensor: Compared) -> dict[str, Any]:
    exact = np.array_equal(tensor.was, tensor.now[tuple(slice(n) for n in tensor.was.shape)])
    return {
        "now": f32(_heads(tensor.now)),
        # Most often every bit is the same: then there is nothing more to send.
        "was": None if exact else f32(_heads(tensor.was)),
        "state": u8(_heads(tensor.state)),
    }


def u8(array: np.ndarray) -> dict[str, Any]:
    """Bytes as {shape, b64}: the state of each cell."""
    small = np.ascontiguousarray(array, dtype=np.uint8)
    return {"shape": list(small.shape), "b64": base64.b64encode(small.tobytes()).decode("ascii")}


def _arrays(r: Recomputation, model: Transformer, layer: int) -> dict[str, Any]:
    """What cells are computed from and is not drawn itself: weights, angles, the two parts of the MLP."""
    config, w = model.config, model.weights.layers[layer]
    wq, wk, wv = w.wqkv.split([config.n_heads * config.head_dim, *[config.n_kv_heads * config.head_dim] * 2])
    last = r.tensors[name_of("post", config.n_layers - 1)].now[-1:]
    tensors = {
        "wq": wq,
        "wk": wk,
        "wv": wv,
        "wo": w.wo,
        "w_down": w.w_down,
        "attn_norm": w.attn_norm,
        "ffn_norm_weight": w.ffn_norm,
        "final_norm": model.weights.norm,
        "cos": model.cos[: r.t + 1],
        "sin": model.sin[: r.t + 1],
    }
    return {name: f32(tensor.numpy(force=True)) for name, tensor in tensors.items()} | {
        "gate": f32(r.gates[f"layers.{layer}.ffn.gate"]),
        "up": f32(r.gates[f"layers.{layer}.ffn.up"]),
        "final": f32(last),
    }


def _readout(r: Recomputation, text_of: Callable[[int], str]) -> dict[str, Any]:
    top = np.argsort(-r.logits, kind="stable")[:5]
    shifted = np.exp(r.logits - r.logits.max())
    return {
        "now": f32(r.final[None]),
        "state": u8(np.full((1, *r.final.shape), State.NEW)),
        "top": [
            [token_label(text_of(int(i))), float(r.logits[i]), float(shifted[i] / shifted.sum())] for i in top
        ],
    }


def _largest(r: Recomputation) -> dict[str, Any]:
    """Where the largest difference of all is: the operation, layer, head and cell."""
    name, tensor = r.largest
    where = tensor.where if len(tensor.where) == 3 else (0, *tensor.where)
    layer, key = next(
        (layer, op.key)
        for layer in range(len(r.tensors))
        for op in OPERATIONS
        if op.key != "readout" and name_of(op.key, layer) == name
    )
    return {
        "largest": tensor.largest,
        "layer": layer,
        "op": key,
        "head": where[0],
        "row": where[1],
        "col": where[2],
        "where": f"layer {layer}, {next(op.label for op in OPERATIONS if op.key == key)}, row {where[1]}",
    }
