"""The operations as data, against the model that they describe."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kvengine import KVCache, Trace, Transformer, available_models, load_model, trace
from kvengine.graph import (
    _TENSORS,
    GRAPH,
    LAYER,
    OPERATIONS,
    READOUT,
    Operation,
    X,
    arithmetic,
    forms,
    name_of,
    sizes,
)
from tests.engine.reference import random_ids, tiny_model

# ---- a small interpreter: one operation of a trace from its inputs, by its kind -------------------------


class Interpreter:
    """Computes an operation's result from the recorded results of its inputs and the model's weights."""

    def __init__(self, model: Transformer, recorded: Trace, layer: int) -> None:
        self.model, self.recorded, self.layer = model, recorded, layer
        self.config, self.start = model.config, recorded.start

    def result(self, key: str) -> np.ndarray:
        """What later operations read of this one, as it was recorded."""
        if key in OPERATIONS:
            return self.recorded[f"layers.{self.layer}.{forms(key)[-1]}"][0]
        return self.recorded[name_of(key, self.layer)][0]

    def weight(self, name: str) -> np.ndarray:
        c, w = self.config, self.model.weights.layers[self.layer]
        q_width, kv_width = c.n_heads * c.head_dim, c.n_kv_heads * c.head_dim
        parts = dict(zip(("wq", "wk", "wv"), w.wqkv.split([q_width, kv_width, kv_width]), strict=True))
        if w.bqkv is not None:
            parts |= zip(("bq", "bk", "bv"), w.bqkv.split([q_width, kv_width, kv_width]), strict=True)
        everything = vars(self.model.weights) | vars(w) | parts
        return everything[name].numpy()

    def compute(self, op: Operation) -> np.ndarray:
        inputs = [self.result(key) for key in op.inputs]
        weights = [self.weight(name) for name in op.weights]
        result: np.ndarray = getattr(self, op.kind)(op, *inputs, *weights)
        return result

    def norm(self, op: Operation, rows: np.ndarray, weight: np.ndarray) -> np.ndarray:
        return rows / np.sqrt((rows**2).mean(-1, keepdims=True) + self.config.norm_eps) * weight

    def project(self, op: Operation, rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
        if rows.ndim == 3:  # the heads, side by side
            rows = rows.swapaxes(0, 1).reshape(rows.shape[1], -1)
        result = rows @ matrix.T
        if op.bias and self.config.qkv_bias:
            result = result + self.weight(op.bias)
        if op.heads:
            result = result.reshape(len(rows), -1, self.config.head_dim).swapaxes(0, 1)
        if op.head_norm and self.config.qk_norm:
            result = self.norm(op, result, self.weight(op.head_norm))
        return self.rotated(result) if op.rotate else result

    def rotated(self, rows: np.ndarray) -> np.ndarray:
        half = rows.shape[-1] // 2
        pairs = rows[..., :half] + 1j * rows[..., half:]
        position = self.start + np.arange(rows.shape[-2])[:, None]
        turned = pairs * np.exp(1j * position * self.config.rope_theta ** (-np.arange(half) / half))
        return np.concatenate([turned.real, turned.imag], axis=-1)

    def for_every_query_head(self, heads: np.ndarray) -> np.ndarray:
        return heads[np.arange(self.config.n_heads) // self.config.group_size]

    def dot(self, op: Operation, q: np.ndarray, k: np.ndarray) -> np.ndarray:
        scores = q @ self.for_every_query_head(k).swapaxes(1, 2) / math.sqrt(self.config.head_dim)
        future = np.arange(k.shape[1]) > self.start + np.arange(q.shape[1])[:, None]
        return np.where(future, -np.inf, scores)

    def softmax(self, op: Operation, scores: np.ndarray) -> np.ndarray:
        exponentials = np.exp(scores - scores.max(-1, keepdims=True))
        return exponentials / exponentials.sum(-1, keepdims=True)

    def mix(self, op: Operation, weights: np.ndarray, v: np.ndarray) -> np.ndarray:
        return weights @ self.for_every_query_head(v)

    def add(self, op: Operation, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return left + right

    def gated(self, op: Operation, rows: np.ndarray, w_gate: np.ndarray, w_up: np.ndarray) -> np.ndarray:
        gate = rows @ w_gate.T
        return gate / (1 + np.exp(-gate)) * (rows @ w_up.T)


#: Small models of every shape: heads that share KV heads, head_dim apart from d_model, one layer or several,
#: with and without biases and norms of the heads.
configs = st.builds(
    lambda kv, group, half, d_model, d_ffn, layers, bias, norm: {
        "n_heads": kv * group,
        "n_kv_heads": kv,
        "head_dim": 2 * half,
        "d_model": d_model,
        "d_ffn": d_ffn,
        "n_layers": layers,
        "qkv_bias": bias,
        "qk_norm": norm,
    },
    *(st.integers(1, 3), st.integers(1, 3), st.integers(1, 4)),
    *(st.integers(3, 20), st.integers(3, 20), st.integers(1, 3)),
    *(st.booleans(), st.booleans()),
)


@settings(max_examples=40)
@given(changes=configs, start=st.integers(0, 6), q_len=st.integers(1, 6), seed=st.integers(0, 99))
def test_each_operation_computed_from_its_inputs_by_its_kind_gives_the_trace(
    changes: dict[str, int], start: int, q_len: int, seed: int
) -> None:
    model = tiny_model(**changes, seed=seed)
    token_ids = random_ids(model.config.vocab_size, start + q_len, seed=seed)
    cache = KVCache(model.config, dtype=model.dtype)
    if start:
        model(token_ids[:, :start], cache)
    recorded = trace(model, token_ids[:, start:], cache)
    n = sizes(model.config, q_len=q_len, end=start + q_len, readout_rows=q_len)
    for layer in range(model.config.n_layers):
        interpreter = Interpreter(model, recorded, layer)
        last = layer == model.config.n_layers - 1
        for op in (*LAYER, *(READOUT if last else ())):
            ours, real = interpreter.compute(op), recorded[name_of(op.key, layer)][0]
            assert real.shape == op.shape(n), op.key
            close = 1e-5 if op.rotate else 1e-9  # the model takes its angles in float32
            np.testing.assert_allclose(ours, real, rtol=close, atol=close, err_msg=f"{op.key}, layer {layer}")
    embedded = model.weights.embed[token_ids[0, start:]].numpy()
    assert np.array_equal(recorded[name_of("x", 0)][0], embedded)
    assert GRAPH["x"].shape(n) == embedded.shape


def trace_names(n_layers: int) -> list[str]:
    """The name of every tensor that the graph knows, in the order of computation."""
    layers = [f"layers.{layer}.{name}" for layer in range(n_layers) for name in _TENSORS]
    return [X.tensor, *layers, *(operation.tensor for operation in READOUT)]


@pytest.mark.parametrize("name", [card.name for card in available_models()])
@pytest.mark.parametrize("use_cache", [True, False])
def test_a_real_trace_has_exactly_the_names_of_the_graph_in_order(name: str, use_cache: bool) -> None:
    model = load_model(name)
    cache = KVCache(model.config) if use_cache else None
    recorded = trace(model, random_ids(model.config.vocab_size, 3), cache)
    assert list(recorded) == trace_names(model.config.n_layers)


def test_every_tensor_of_a_trace_belongs_to_one_operation() -> None:
    n_layers = 2
    owned = [name_of("x", 0), name_of("readout", n_layers - 1), name_of("logits", n_layers - 1)]
    for layer in range(n_layers):
        owned += [f"layers.{layer}.{form}" for key in OPERATIONS for form in forms(key)]
    assert sorted(owned) == sorted(trace_names(n_layers))
    for key, tensor in OPERATIONS.items():
        assert tensor in forms(key)
    for layer in range(1, n_layers):
        assert name_of("x", layer) == name_of("post", layer - 1)


def test_what_an_operation_reads_is_there_before_it() -> None:
    there = ["x"]
    for op in (*LAYER, *READOUT):
        assert set(op.inputs) <= set(there), op.key
        assert op.inputs or op.kind == "given"
        there.append(op.key)
    assert there == list(GRAPH)
    assert list(OPERATIONS) == [op.key for op in LAYER]


def test_every_weight_of_the_model_is_read_by_some_operation() -> None:
    weights = tiny_model().weights
    named = vars(weights) | vars(weights.layers[0])
    there = {name for name, weight in named.items() if weight is not None} | {"wq", "wk", "wv"}
    there -= {"layers", "wqkv"}
    assert {name for op in GRAPH.values() for name in op.weights} == there
    of_some = {name for op in GRAPH.values() for name in (op.bias, op.head_norm) if name}
    assert of_some == {"bq", "bk", "bv", "q_norm", "k_norm"}  # of a model that has them: the test at the top


def test_the_forms_of_an_operation_hold_the_same_rows() -> None:
    """Before and after the rotation or the mask: forms differ in their values, not in their rows."""
    recorded = trace(tiny_model(), torch.tensor([[3, 1, 4, 1, 5]]))
    for key in OPERATIONS:
        rows = {recorded[f"layers.1.{form}"].shape for form in forms(key)}
        assert len(rows) == 1, key


# ---- the arithmetic of a cell ---------------------------------------------------------------------------

#: Written out once by hand: pages follow these recipes.
RECIPES: dict[str, dict[str, Any]] = {
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


def test_the_recipes_of_a_layer_and_of_its_readout_are_those_that_pages_follow() -> None:
    assert arithmetic() == RECIPES
    assert list(arithmetic()) == list(RECIPES)


def test_a_page_may_ask_for_some_operations_and_call_them_otherwise() -> None:
    renamed = {"norm": "h", "scores": "score", "weights": "weight", "z": "output"}
    recipes = arithmetic(("q", "scores", "weights", "z"), renamed)
    assert recipes == {
        "q": {"op": "project", "row": "h", "matrix": "wq", "symbols": ["h", "W_Q"], "rotate": True},
        "score": {"op": "dot", "left": "q", "right": "k"},
        "weight": {"op": "softmax", "of": "score"},
        "output": {"op": "mix", "weights": "weight", "rows": "v"},
    }


def test_a_recipe_is_a_fresh_copy() -> None:
    arithmetic()["q"]["symbols"].append("changed")
    assert arithmetic() == RECIPES


def test_a_recipe_says_what_its_operation_says() -> None:
    """Operands are inputs and weights, but for some that stand in a page under another name."""
    elsewhere = {
        "concat": "z",
        "ffn_norm_weight": "ffn_norm",
        "final": "post",
        "final_norm": "norm",
        "gate": "w_gate",
        "up": "w_up",
    }
    for key, recipe in arithmetic().items():
        op = GRAPH[key]
        named = [value for role, value in recipe.items() if role not in ("op", "symbols", "rotate")]
        operands = [elsewhere.get(name, name) if op.operands else name for name in named]
        if op.kind == "gated":
            assert operands == list(op.weights)
        elif op.kind != "given":
            assert operands == [*op.inputs, *op.weights], key
        assert recipe.get("rotate", False) == op.rotate
