"""Two compared steps, seen in one layer, as the data that the scene of the avoided work draws."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from explainer.avoided_work.findings import finding, reduction_values, reductions, ways
from explainer.avoided_work.questions import questions
from explainer.avoided_work.words import KEYS, WORDS, Scope, explained, operations, templates, values
from explainer.kit.encode import token_label
from kvengine import Transformer
from kvengine.compare import Compared, State
from kvengine.experiments import Recomputation, name_of
from kvengine.generate import probabilities
from kvengine.graph import arithmetic

#: How each cell came about, as data: it drives the arithmetic under the pointer.
ARITHMETIC = arithmetic()

#: The likeliest next tokens that the readout names.
_TOP = 5


def scene(
    r: Recomputation,
    model: Transformer,
    *,
    texts: Sequence[str],
    originals: Sequence[str],
    text_of: Callable[[int], str],
    layer: int,
    head: int,
) -> dict[str, Any]:
    """Everything that the scene needs to step through one layer's operations and the reductions by itself.

    `texts` are those of `r.token_ids`, `originals` those of `r.original_ids`; `text_of` gives any token's.
    """
    config = model.config

    def label_of(token_id: int) -> str:
        return token_label(text_of(token_id))

    labels = [token_label(text) for text in texts]
    tensors = {key: r.tensors[name_of(key, layer)] for key in KEYS[:-1]}
    scope = Scope(
        config=config,
        layer=layer,
        t=r.t,
        causal=r.premise.causal,
        token=labels[-1],
        next_token=label_of(r.naive.next_token),
        probability=r.naive.probability,
        temperature=r.temperature,
        states={key: _heads(tensor.state) for key, tensor in tensors.items()},
    )
    return {
        "layer": layer,
        "head": head,
        "n_layers": config.n_layers,
        "n_heads": config.n_heads,
        "n_kv_heads": config.n_kv_heads,
        "head_dim": config.head_dim,
        "norm_eps": config.norm_eps,
        "t": r.t,
        "causal": r.premise.causal,
        "changed": r.premise.changed,
        "labels": labels,
        "texts": ["" if position == 0 else text for position, text in enumerate(texts)],
        "values": values(scope) | reduction_values(r),
        "templates": templates(scope),
        "ops": operations(scope),
        "reductions": reductions(r, label_of),
        "ways": ways(r, label_of),
        "read": sorted(r.read),
        "asked": questions(scope, r),
        "questions": WORDS["question"],
        "found": finding(r, config, labels, [token_label(text) for text in originals]),
        "words": {name: WORDS[name] for name in ("operations", "then", "ending", "legend", "tally", "cell")}
        | {"meter": WORDS["meter"]["text"], "map": WORDS["map"]["note"], "ways": WORDS["ways"]},
        "terms": explained(),
        "arithmetic": ARITHMETIC,
        "looks": _looks(r, config.n_layers),
        "top": _top(r, label_of),
        "tensors": {key: _tensor(tensor.now, tensor.state) for key, tensor in tensors.items()}
        | {"readout": _tensor(r.final, np.full(r.final.shape, State.NEW))},
    }


def operands(r: Recomputation, model: Transformer, layer: int) -> dict[str, np.ndarray]:
    """What the cells of a layer are computed from and is not drawn; and, where an operation came out
    differently by so much as the last digit, what it was in the step before."""
    n = r.t + 1
    last = r.tensors[name_of("post", model.config.n_layers - 1)].now[-1:]
    before = {
        f"was_{key}": _heads(tensor.was)
        for key in KEYS[:-1]
        if not _same(tensor := r.tensors[name_of(key, layer)])
    }
    return before | {
        "gate": r.gates[f"layers.{layer}.ffn.gate"],
        "up": r.gates[f"layers.{layer}.ffn.up"],
        "final": last,
        "cos": model.cos[:n].float().numpy(force=True),
        "sin": model.sin[:n].float().numpy(force=True),
    }


def _same(tensor: Compared) -> bool:
    return np.array_equal(tensor.was, tensor.now[tuple(slice(n) for n in tensor.was.shape)])


def _heads(array: np.ndarray) -> np.ndarray:
    """[rows, cols] as one head: [1, rows, cols]."""
    return array if array.ndim == 3 else array[None]


def _tensor(now: np.ndarray, state: np.ndarray) -> dict[str, Any]:
    """The cells that are not masked, and the state of all, as runs of cells with the same one."""
    shape = list(_heads(now).shape)
    cells, states = now.ravel(), state.ravel().astype(np.uint8)
    starts = np.flatnonzero(np.r_[True, states[1:] != states[:-1]])
    # A run is at most as long as two bytes can say.
    longest = np.iinfo(np.uint16).max
    starts = np.union1d(starts, np.arange(0, len(states), longest))
    lengths = np.diff(np.r_[starts, len(states)])
    return {
        "shape": shape,
        "now": cells[states != State.MASKED],
        "states": states[starts],
        "lengths": lengths.astype(np.uint16),
    }


def _looks(r: Recomputation, n_layers: int) -> dict[str, np.ndarray]:
    """The largest weight that the new row puts on an earlier token in each head, in 255ths, and on which."""
    rows = np.stack([r.tensors[name_of("weights", layer)].now[:, -1, : r.t] for layer in range(n_layers)])
    return {
        "weight": np.rint(255 * rows.max(axis=-1)).astype(np.uint8),
        "at": rows.argmax(axis=-1).astype(np.uint16),
    }


def _top(r: Recomputation, label_of: Callable[[int], str]) -> list[list[Any]]:
    """The likeliest next tokens with logit and probability at the temperature, and the one that came next."""
    chances = probabilities(torch.from_numpy(r.logits), r.temperature)
    likeliest = np.argsort(-r.logits, kind="stable")[:_TOP].tolist()
    if r.naive.next_token not in likeliest:
        likeliest[-1] = r.naive.next_token
    return [[label_of(i), float(r.logits[i]), float(chances[i]), i == r.naive.next_token] for i in likeliest]
