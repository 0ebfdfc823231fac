"""The operations of a pass, once, as data: what each reads, how its cells are computed, and what that costs.

The costs (`cost.py`), the experiments (`experiments.py`), the names of a trace and the arithmetic that a page
shows of a cell all come from here. `model.py` is the code that this describes; the tests recompute every
tensor of a real trace from it.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from kvengine.config import Config

#: How one cell comes about:
#: given    nothing is computed in the layer: it is the layer's input
#: norm     the row's cell, over the row's root mean square, times the weight
#: project  the row times one row of the matrix; then, where a model has them, plus its `bias` and normed over
#:          the head with `head_norm`; with `rotate`, turned to the row's position afterwards
#: dot      a query's row times a key's row, over √head_dim; −∞ where the key lies in the future
#: softmax  over the row
#: mix      the row's weights times one column of the values
#: add      two cells
#: gated    SiLU(gate) · up, both projected from the row
Kind = Literal["given", "norm", "project", "dot", "softmax", "mix", "add", "gated"]


@dataclass(frozen=True)
class Operation:
    """One operation. A layer has one of each of `LAYER`; `READOUT` runs once, behind the last layer."""

    key: str
    tensor: str  # its result by its name in a trace, `layers.i.` left out
    kind: Kind
    inputs: tuple[str, ...] = ()  # keys of the operations that it reads
    weights: tuple[str, ...] = ()  # as `model.py` names them; wq, wk and wv are parts of wqkv
    heads: Literal["", "q", "kv"] = ""  # the result has one matrix for each query head, each KV head, or one
    rows: str = "q_len"  # the rows of that matrix, and its columns: names in `sizes`
    columns: str = "d_model"
    terms: tuple[str | int, ...] = ()  # factors of the multiplications in one cell; none: not counted
    bias: str = ""  # part of bqkv; only some models have it, as Qwen 2
    head_norm: str = ""  # only some models have it, as Qwen 3
    rotate: bool = False
    symbols: tuple[str, ...] = ()  # what a reader calls the two operands
    operands: tuple[str, ...] = ()  # what a cell is computed from, where not just inputs and weights

    def shape(self, sizes: Mapping[str, int]) -> tuple[int, ...]:
        """The result's shape, batch axis left out."""
        heads = {"": (), "q": (sizes["n_heads"],), "kv": (sizes["n_kv_heads"],)}[self.heads]
        return (*heads, sizes[self.rows], sizes[self.columns])

    def multiplications(self, sizes: Mapping[str, int]) -> int:
        """Those of all its cells, in one layer; 0 where no matrix is multiplied."""
        factors = [sizes[term] if isinstance(term, str) else term for term in self.terms]
        return math.prod(self.shape(sizes)) * math.prod(factors) if factors else 0


#: The layer's input: the embeddings in layer 0, above it the `post` of the layer below.
X = Operation("x", "embed", "given", weights=("embed",))

#: What a layer computes of x, in this order.
LAYER = (
    Operation("norm", "attn_norm", "norm", ("x",), ("attn_norm",)),
    Operation(
        "q",
        "attn.q_rot",
        "project",
        ("norm",),
        ("wq",),
        bias="bq",
        head_norm="q_norm",
        heads="q",
        columns="head_dim",
        terms=("d_model",),
        rotate=True,
        symbols=("h", "W_Q"),
    ),
    Operation(
        "k",
        "attn.k_rot",
        "project",
        ("norm",),
        ("wk",),
        bias="bk",
        head_norm="k_norm",
        heads="kv",
        columns="head_dim",
        terms=("d_model",),
        rotate=True,
        symbols=("h", "W_K"),
    ),
    Operation(
        "v",
        "attn.v",
        "project",
        ("norm",),
        ("wv",),
        bias="bv",
        heads="kv",
        columns="head_dim",
        terms=("d_model",),
        symbols=("h", "W_V"),
    ),
    Operation("scores", "attn.masked", "dot", ("q", "k"), heads="q", columns="end", terms=("head_dim",)),
    Operation("weights", "attn.weights", "softmax", ("scores",), heads="q", columns="end"),
    Operation("z", "attn.z", "mix", ("weights", "v"), heads="q", columns="head_dim", terms=("end",)),
    Operation(
        "out",
        "attn.out",
        "project",
        ("z",),
        ("wo",),
        terms=("n_heads", "head_dim"),
        symbols=("the heads", "W_O"),
        operands=("concat", "wo"),  # the heads of z, side by side
    ),
    Operation("mid", "resid_mid", "add", ("out", "x"), symbols=("attention's output", "what came in")),
    Operation("ffn_norm", "ffn_norm", "norm", ("mid",), ("ffn_norm",), operands=("mid", "ffn_norm_weight")),
    Operation(
        "hidden",
        "ffn.hidden",
        "gated",
        ("ffn_norm",),
        ("w_gate", "w_up"),
        columns="d_ffn",
        terms=(2, "d_model"),
        operands=("gate", "up"),
    ),
    Operation("ffn", "ffn.out", "project", ("hidden",), ("w_down",), terms=("d_ffn",), symbols=("m", "Down")),
    Operation("post", "resid_post", "add", ("ffn", "mid"), symbols=("the MLP's output", "the residual")),
)

#: What is computed of the last layer's result, for the rows whose next token is asked for.
READOUT = (
    Operation(
        "readout", "norm", "norm", ("post",), ("norm",), rows="readout_rows", operands=("final", "final_norm")
    ),
    Operation(
        "logits",
        "logits",
        "project",
        ("readout",),
        ("embed",),
        rows="readout_rows",
        columns="vocab_size",
        terms=("d_model",),
        symbols=("h", "E"),
    ),
)

GRAPH = {operation.key: operation for operation in (X, *LAYER, *READOUT)}

#: The operations of a layer: key -> the tensor that it gives, as a trace names it.
OPERATIONS = {operation.key: operation.tensor for operation in LAYER}

#: Every tensor of a layer in the order in which the pass computes it, and the operation it belongs to.
#: Several can hold the same rows in different forms, such as before and after the rotation.
_TENSORS = {
    "attn_norm": "norm",
    "attn.q": "q",
    "attn.k": "k",
    "attn.v": "v",
    "attn.q_rot": "q",
    "attn.k_rot": "k",
    "attn.k_all": "k",
    "attn.v_all": "v",
    "attn.scores": "scores",
    "attn.masked": "scores",
    "attn.weights": "weights",
    "attn.z": "z",
    "attn.out": "out",
    "resid_mid": "mid",
    "ffn_norm": "ffn_norm",
    "ffn.gate": "hidden",
    "ffn.up": "hidden",
    "ffn.hidden": "hidden",
    "ffn.out": "ffn",
    "resid_post": "post",
}


def sizes(config: Config, *, q_len: int, end: int, readout_rows: int = 1) -> dict[str, int]:
    """What the names in shapes and terms stand for, in a pass of `q_len` rows against `end` keys."""
    c = config
    return {
        "n_heads": c.n_heads,
        "n_kv_heads": c.n_kv_heads,
        "head_dim": c.head_dim,
        "d_model": c.d_model,
        "d_ffn": c.d_ffn,
        "vocab_size": c.vocab_size,
        "q_len": q_len,
        "end": end,
        "readout_rows": readout_rows,
    }


def name_of(key: str, layer: int) -> str:
    """The name in a trace of an operation's tensor; `x` is what the layer takes in."""
    if key == "x" and layer > 0:
        return f"layers.{layer - 1}.resid_post"
    return f"layers.{layer}.{OPERATIONS[key]}" if key in OPERATIONS else GRAPH[key].tensor


def forms(key: str) -> tuple[str, ...]:
    """The tensors of a layer that hold the operation's rows, in order; later operations read the last."""
    return tuple(name for name, owner in _TENSORS.items() if owner == key)


def arithmetic(
    keys: Iterable[str] = ("x", *OPERATIONS, "readout"), names: Mapping[str, str] | None = None
) -> dict[str, dict[str, Any]]:
    """How a cell of each of these operations is computed, as a recipe that a page can follow with its arrays.

    `names` renames operations where a page calls them otherwise, such as {"norm": "h"}.
    """
    names = names or {}
    return {names.get(key, key): _recipe(GRAPH[key], names) for key in keys}


#: What the recipes call the operands, by kind.
_ROLES: dict[Kind, tuple[str, ...]] = {
    "given": (),
    "norm": ("row", "weight"),
    "project": ("row", "matrix"),
    "dot": ("left", "right"),
    "softmax": ("of",),
    "mix": ("weights", "rows"),
    "add": ("left", "right"),
    "gated": ("gate", "up"),
}


def _recipe(operation: Operation, names: Mapping[str, str]) -> dict[str, Any]:
    operands = operation.operands or operation.inputs + operation.weights
    recipe: dict[str, Any] = {"op": operation.kind}
    # What is given has a weight, the embedding, that no page computes with.
    recipe |= {
        role: names.get(name, name) for role, name in zip(_ROLES[operation.kind], operands, strict=False)
    }
    if operation.symbols:
        recipe["symbols"] = list(operation.symbols)
    if operation.kind == "project":
        recipe["rotate"] = operation.rotate
    return recipe
