"""A walk through the cache, seen through one head, as the data that the walkthrough component draws."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np

from explainer.scenes.encode import f32, token_label
from explainer.story.walkthrough import STAGES, Moment, stages, whole_step, without_cache
from kvengine import Walk, WalkStep

#: How each cell came about, as data: it drives the arithmetic under the pointer. Names are those of the
#: arrays in the scene (h, wq, wk, wv, cos, sin) and of the tensors of the current step.
ARITHMETIC = {
    "q": {"op": "project", "row": "h", "matrix": "wq", "symbols": ["h", "W_Q"], "rotate": True},
    "k": {"op": "project", "row": "h", "matrix": "wk", "symbols": ["h", "W_K"], "rotate": True},
    "v": {"op": "project", "row": "h", "matrix": "wv", "symbols": ["h", "W_V"], "rotate": False},
    "score": {"op": "dot", "left": "q", "right": "k"},
    "weight": {"op": "softmax", "of": "score"},
    "output": {"op": "mix", "weights": "weight", "rows": "v"},
}


def scene(
    walk: Walk,
    text_of: Callable[[int], str],
    *,
    layer: int,
    head: int,
    walk_id: str,
    history: int,
    prompt_length: int,
) -> dict[str, Any]:
    """Everything the component needs to step through the walk's recorded tokens by itself.

    `text_of` gives a token's text. `walk_id` names the learner's walk: data with the same id continue it.
    That walk begins behind `history` tokens; `walk` may be a later part of it. The tokens from
    `prompt_length` on were written by the model. The last recorded step serves as the next token of the
    one before, so it can be shown up to stage 4 only.
    """
    config = walk.model.config
    kv_head = head // config.group_size
    rows = walk.history + len(walk.steps)
    width = slice(head * config.head_dim, (head + 1) * config.head_dim)
    kv_start = (config.n_heads + kv_head) * config.head_dim
    v_start = kv_start + config.n_kv_heads * config.head_dim
    wqkv = walk.model.weights.layers[layer].wqkv.numpy(force=True)
    labels = [token_label(text_of(i)) for i in walk.token_ids]
    return {
        "id": walk_id,
        "layer": layer,
        "head": head,
        "kv_head": kv_head,
        "n_layers": config.n_layers,
        "n_heads": config.n_heads,
        "n_kv_heads": config.n_kv_heads,
        "head_dim": config.head_dim,
        "max_seq_len": config.max_seq_len,
        "history": history,
        "first": walk.history,
        "prompt_length": prompt_length,
        "stages": list(STAGES),
        "arithmetic": ARITHMETIC,
        "labels": labels,
        "chances": dict(walk.chances),
        "texts": ["" if position == 0 else text_of(i) for position, i in enumerate(walk.token_ids)],
        "arrays": {
            "k": f32(walk.k[layer, kv_head, :rows]),
            "v": f32(walk.v[layer, kv_head, :rows]),
            "h": f32(walk.attn_norm[layer, :rows]),
            "wq": f32(wqkv[width]),
            "wk": f32(wqkv[kv_start : kv_start + config.head_dim]),
            "wv": f32(wqkv[v_start : v_start + config.head_dim]),
            "cos": f32(walk.model.cos[:rows].numpy(force=True)),
            "sin": f32(walk.model.sin[:rows].numpy(force=True)),
        },
        "steps": [_step(walk, step, labels, text_of, layer, head) for step in walk.steps],
    }


def _step(
    walk: Walk, step: WalkStep, labels: list[str], text_of: Callable[[int], str], layer: int, head: int
) -> dict[str, Any]:
    config = walk.model.config
    attention = {
        name: step.trace[f"layers.{layer}.attn.{name}"][0, head, 0]
        for name in ("q_rot", "scores", "weights", "z")
    }
    best, loudest = int(attention["weights"].argmax()), int(attention["scores"].argmax())
    moment = Moment(
        config=config,
        position=step.position,
        token=labels[step.position],
        next_token=labels[step.position + 1],
        top_token=labels[best],
        top_weight=float(attention["weights"][best]),
        candidates=_candidates(labels, attention["weights"]),
        top_score_token=labels[loudest],
        top_score=float(attention["scores"][loudest]),
        earlier_numbers=step.proof.earlier,
        changed_numbers=step.proof.changed,
    )
    top = np.argsort(-step.probabilities, kind="stable")[:5]
    return {
        "position": step.position,
        "q": f32(attention["q_rot"]),
        "score": f32(attention["scores"]),
        "weight": f32(attention["weights"]),
        "output": f32(attention["z"]),
        "stages": [asdict(stage) for stage in stages(moment)],
        "without_cache": without_cache(moment),
        "whole_step": asdict(whole_step(config, step.position)),
        "top": [[token_label(text_of(int(i))), float(step.probabilities[i])] for i in top],
        "proof": {
            "differences": step.proof.differences,
            "numbers": step.proof.numbers,
            "same_token": step.proof.same_token,
            "equal": step.proof.equal,
        },
    }


def _candidates(labels: list[str], weights: np.ndarray, count: int = 4) -> tuple[str, ...]:
    """The tokens with the largest weights, each label once, as they stand in the text."""
    heaviest: dict[str, int] = {}
    for row in np.argsort(-weights, kind="stable"):
        heaviest.setdefault(labels[row], int(row))
    return tuple(sorted(list(heaviest)[:count], key=heaviest.__getitem__))
