"""A recorded walk, seen through one head, as the data that the walkthrough's scene draws."""

from collections.abc import Callable, Sequence
from functools import cache
from hashlib import blake2b
from typing import Any

import numpy as np

from explainer.kit.encode import pack, token_label
from explainer.walkthrough.choice import end_of
from explainer.walkthrough.questions import questions
from explainer.walkthrough.words import (
    WORDS,
    Moment,
    contribution,
    ending,
    explained,
    meters,
    pattern,
    shares_of,
    stages,
    values,
    whole_step,
)
from kvengine import Config, Proof, Recording, WalkStep
from kvengine.graph import arithmetic

#: Steps sent from before the one shown: Back is at once for so many tokens.
BEHIND = 1

#: How each cell came about, as data: it drives the arithmetic under the pointer.
ARITHMETIC = arithmetic(
    ("q", "k", "v", "scores", "weights", "z"),
    {"norm": "h", "scores": "score", "weights": "weight", "z": "output"},
)


def scene(
    recorded: Recording,
    texts: Sequence[str],
    text_of: Callable[[int], str],
    *,
    layer: int,
    head: int,
    position: int,
) -> dict[str, Any]:
    """Everything but `words` that the scene needs to step through the recorded tokens around `position`.

    `texts` are those of `recorded.token_ids`, `text_of` gives any token's. The last recorded step serves as
    the next token of the one before, so it can be shown up to stage 4 only.
    """
    config = recorded.model.config
    kv_head = head // config.group_size
    labels = tuple(token_label(text) for text in texts)
    first = max(recorded.first, position - BEHIND)
    steps = recorded.steps[first - recorded.first :]
    rows = recorded.rows
    k, v = (part[layer, kv_head, :rows] for part in (recorded.k, recorded.v))
    moments = [_moment(step, labels, v, layer, head, recorded) for step in steps]
    filled = [values(moment) for moment in moments]
    return {
        "layer": layer,
        "head": head,
        "kv_head": kv_head,
        "n_layers": config.n_layers,
        "n_heads": config.n_heads,
        "n_kv_heads": config.n_kv_heads,
        "head_dim": config.head_dim,
        "end": end_of(config),
        "first": first,
        "labels": labels,
        "texts": ["" if position == 0 else text for position, text in enumerate(texts)],
        "chances": {str(position): round(chance, 4) for position, chance in recorded.chances.items()},
        "k": k,
        "v": v,
        "q": np.stack([step.q[layer, head] for step in steps]),
        "output": np.stack([step.output[layer, head] for step in steps]),
        "score": _padded([step.scores[layer, head] for step in steps], rows),
        "weight": _padded([step.weights[layer, head] for step in steps], rows),
        "looks": _looks(steps, recorded.token_ids),
        "names": list(filled[0]),
        "steps": [
            {
                "values": list(said.values()),
                "contribution": contribution(moment),
                "pattern": pattern(moment),
                "best": moment.best,
                "giver": moment.giver,
                "meters": meters(config, moment.position),
                "whole": whole_step(config, moment.position),
                "asked": questions(moment),
                "top": [[token_label(text_of(token)), round(chance, 4)] for token, chance in step.top],
                "proof": found(step.proof) if step.proof else None,
            }
            for step, moment, said in zip(steps, moments, filled, strict=True)
        ],
    }


@cache
def words(config: Config) -> dict[str, Any]:
    """What the scene says of every token and head of a model, with holes for their values: fetched once."""
    return {
        "stages": stages(config),
        "contribution": WORDS["contribution"],
        "pattern": WORDS["pattern"],
        "ending": ending(config),
        "questions": WORDS["question"],
        "proof": WORDS["proof"],
        "terms": explained(),
        "arithmetic": ARITHMETIC,
        "views": WORDS["map"]["view"],
        "code": WORDS["code"],
    }


@cache
def version(config: Config) -> str:
    """Changes with what `words` gives."""
    return blake2b(pack(words(config)), digest_size=6).hexdigest()


def found(proof: Proof) -> dict[str, Any]:
    """What the comparison with the pass without a cache has found, as the scene shows it."""
    return {
        "differences": dict(proof.differences),
        "numbers": f"{proof.numbers:,}",
        "same": proof.same_token,
        "equal": proof.equal,
    }


def hidden_rows(recorded: Recording, layer: int, rows: int) -> dict[str, np.ndarray]:
    """What the keys and values of a layer were projected from, and the angles that turned them."""
    model = recorded.model
    return {
        "h": recorded.attn_norm[layer, :rows],
        "cos": model.cos[:rows].float().numpy(force=True),
        "sin": model.sin[:rows].float().numpy(force=True),
    }


def _moment(
    step: WalkStep, labels: tuple[str, ...], v: np.ndarray, layer: int, head: int, recorded: Recording
) -> Moment:
    weights = step.weights[layer, head]
    return Moment(
        config=recorded.model.config,
        position=step.position,
        token_ids=recorded.token_ids,
        labels=labels,
        scores=step.scores[layer, head],
        weights=weights,
        shares=shares_of(weights, v[: step.position + 1]),
        earlier_numbers=step.earlier,
        changed_numbers=step.changed,
    )


def _padded(vectors: Sequence[np.ndarray], width: int) -> np.ndarray:
    """Vectors of growing length as one matrix, zeros behind each."""
    matrix = np.zeros((len(vectors), width), dtype=np.float32)
    for line, vector in zip(matrix, vectors, strict=True):
        line[: len(vector)] = vector
    return matrix


def _looks(steps: Sequence[WalkStep], token_ids: Sequence[int]) -> dict[str, np.ndarray]:
    """What each head of each step looks at, in 255ths of its weight.

    `weight` is the largest on an earlier token, `at` on which; `wanted` that on each of the step's `targets`:
    the positions by which heads are told apart, 65,535 where the text has none.
    """
    earlier = [step.weights[:, :, : step.position] for step in steps]
    targets = [targets_of(step, token_ids) for step in steps]
    wanted = [
        np.stack([step.weights[:, :, at] if at >= 0 else np.zeros(step.weights.shape[:2]) for at in found])
        for step, found in zip(steps, targets, strict=True)
    ]
    return {
        "weight": np.stack([_in_255ths(w.max(axis=-1)) for w in earlier]),
        "at": np.stack([w.argmax(axis=-1).astype(np.uint16) for w in earlier]),
        "wanted": _in_255ths(np.stack(wanted)),
        "targets": np.array(targets).astype(np.uint16),
    }


def targets_of(step: WalkStep, token_ids: Sequence[int]) -> tuple[int, int, int, int]:
    """Where heads are known to look: at the token before, at the first, at what came after the present token
    when it stood in the text last (induction), and at the next token where the text has it already."""
    ids, n = token_ids, step.position
    before = next((at for at in range(n - 1, -1, -1) if ids[at] == step.token_id), None)
    answer = next((at for at in range(n, -1, -1) if ids[at] == step.next_token), -1)
    return n - 1, 0, -1 if before is None else before + 1, answer


def _in_255ths(weights: np.ndarray) -> np.ndarray:
    return np.asarray(np.rint(255 * weights), dtype=np.uint8)
