"""Readers, experiments, changed rows and a spelled name, as the data that the scene draws."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from explainer.kit.encode import token_label
from explainer.kit.words import count
from explainer.why_k_and_v.choice import READERS
from explainer.why_k_and_v.questions import (
    everything_question,
    experiment_question,
    holds_question,
    name_question,
    next_question,
    questions,
    roles_question,
    unmasked_question,
    visit_question,
)
from explainer.why_k_and_v.words import (
    EXPERIMENTS,
    WORDS,
    Label,
    everything,
    everything_values,
    explained,
    holds_values,
    label_with,
    name_values,
    outcome_values,
    row_values,
    small,
    stages,
    unmasked_values,
    verdict,
    verdict_text,
    visit_values,
)
from kvengine.changed import ChangedRows
from kvengine.config import Config
from kvengine.graph import arithmetic
from kvengine.induction import Induction
from kvengine.misuse import Look, Misuse, Outcome
from kvengine.reads import Reads
from kvengine.walk import Recording

#: How each cell came about, as data: it drives the arithmetic under the pointer.
ARITHMETIC = arithmetic(
    ("q", "k", "v", "scores", "weights", "z"),
    {"norm": "h", "scores": "score", "weights": "weight", "z": "output"},
)

TextOf = Callable[[int], str]


def scene(config: Config) -> dict[str, Any]:
    """The shape of the model."""
    return {
        "n_layers": config.n_layers,
        "n_heads": config.n_heads,
        "n_kv_heads": config.n_kv_heads,
        "head_dim": config.head_dim,
    }


def wording() -> dict[str, Any]:
    """What no run changes: the stages and the words, with holes for their values."""
    return {
        "stages": stages(),
        "groups": list(WORDS["group"].values()),
        "words": {name: WORDS[name] for name in ("picture", "cell", "roles", "result", "holds", "name")}
        | {"box": WORDS["box"], "map": WORDS["map"]["note"], "ending": WORDS["ending"]["text"]},
        "questions": questions(),
        "terms": explained(),
        "arithmetic": ARITHMETIC,
    }


# ---- the library -----------------------------------------------------------------------------------------


def library(r: Recording, texts: Sequence[str], *, layer: int, head: int) -> dict[str, Any]:
    """The readers that come one after the other, each with its question, and what it read and took home."""
    config = r.model.config
    kv_head = head // config.group_size
    labels = [token_label(text) for text in texts]
    steps = r.steps[:READERS]
    rows = r.first + len(steps)
    readers = []
    for step in steps:
        n, weights = step.position, step.weights[layer, head]
        readers.append(
            {
                "position": n,
                "q": step.q[layer, head],
                "weight": weights,
                "score": step.scores[layer, head],
                "output": step.output[layer, head],
                "best": int(weights.argmax()),
                "looks": np.rint(255 * step.weights[:, :, :n].max(axis=-1)).astype(np.uint8),
                "looks_at": step.weights[:, :, :n].argmax(axis=-1).astype(np.uint16),
                "top": [[token_label(text), round(p, 4)] for text, p in _next(r, step.position, texts)],
                "values": visit_values(r, labels, n, weights),
                "asked": visit_question(n) if step is steps[0] else next_question(),
            }
        )
    return {
        "layer": layer,
        "head": head,
        "kv_head": kv_head,
        "first": r.first,
        "labels": labels[: rows + 1],
        "texts": ["", *texts[1 : rows + 1]],
        "k": r.k[layer, kv_head, :rows],
        "v": r.v[layer, kv_head, :rows],
        "readers": readers,
    }


def _next(r: Recording, position: int, texts: Sequence[str]) -> list[tuple[str, float]]:
    """The token that was written behind a reader, and the model's probability of it."""
    return [(texts[position + 1], r.chances[position + 1])] if position + 1 in r.chances else []


def roles(reads: Reads, labels: Sequence[str]) -> dict[str, Any]:
    """Who read which row, and the sentences' values for each token."""
    values = [row_values(reads, labels, row) for row in range(len(labels))]
    return {
        "heads": reads.heads,
        "q": reads.q,
        "k": reads.k,
        "v": reads.v,
        "values": values,
        "asked": [roles_question(said) for said in values],
    }


# ---- experiments -----------------------------------------------------------------------------------------


def experiments(
    outcomes: dict[Misuse, Outcome], text_of: TextOf, config: Config, *, layer: int, head: int
) -> dict[str, Any]:
    """What comes of each misuse, and what its first pass looked like in one head."""
    label, right = label_with(text_of), outcomes["right"]
    late = outcomes["turned_late"]
    more = {"late_difference": small(late.difference), "turned": f"{late.turned:,}"}
    found: dict[str, Any] = {}
    for how in EXPERIMENTS:
        outcome = outcomes[how]
        said = outcome_values(outcome, right, label, config) | more
        look = _look(outcome.look, config, layer, head)
        best = int(look["weight"].argmax())
        said |= {
            "best": label(outcome.prompt_ids[best]) if best else "(start)",
            "best_weight": f"{look['weight'][best]:.2f}",
            "own_weight": f"{look['weight'][-1]:.2f}",
            "early_weight": f"{look['weight'][:-1].sum():.2f}",
        }
        told = verdict_text(outcome, right, said)
        found[how] = {
            "look": look | {"best": best},
            "words": _written(outcome, right, text_of),
            "values": said | {"verdict": told},
            "kind": verdict(outcome, right),
            "verdict": told,
            "asked": experiment_question(outcome, right),
        }
    return {
        "right": {
            "words": _written(right, right, text_of),
            "values": outcome_values(right, right, label, config),
        },
        **found,
    }


def _look(look: Look, config: Config, layer: int, head: int) -> dict[str, Any]:
    kv_head = head // config.group_size
    return {
        "q": look.q[layer, head],
        "k": look.k[layer, kv_head],
        "v": look.v[layer, kv_head],
        "weight": look.weights[layer, head],
        "output": look.output[layer, head],
    }


def _written(outcome: Outcome, right: Outcome, text_of: TextOf) -> list[list[Any]]:
    """Each word: its text, is it the one that should be there, its probability and the largest difference."""
    return [
        [text_of(word.token_id), word.token_id == should, round(word.probability, 4), small(word.difference)]
        for word, should in zip(outcome.words, right.token_ids, strict=True)
    ]


def kept(config: Config, earlier: int, read: frozenset[str]) -> dict[str, Any]:
    """Everything that could be kept of the earlier tokens, and what of it is read."""
    boxes = everything(config, earlier, read)
    return {
        "boxes": [
            {"key": box.key, "name": box.name, "bytes": 4 * box.floats, "read": box.read} for box in boxes
        ],
        "values": everything_values(boxes, earlier, config.vocab_size),
        "asked": everything_question(),
    }


# ---- what a key holds ------------------------------------------------------------------------------------


def holds(
    rows: ChangedRows, labels: Sequence[str], position: int, original: str, other: str
) -> dict[str, Any]:
    """The rows that came out differently after one token was exchanged; `labels` name the original."""
    return {
        "position": position,
        "labels": list(labels),
        "rows": _changed(rows),
        "values": holds_values(rows, position, original, other),
        "asked": holds_question(),
    }


def unmasked(with_mask: ChangedRows, without: ChangedRows, labels: Sequence[str]) -> dict[str, Any]:
    """The rows that came out differently when a token was added, with the mask and without it."""
    return {
        "labels": list(labels[:-1]),
        "masked": _changed(with_mask),
        "unmasked": _changed(without),
        "values": unmasked_values(with_mask, without, labels[-1]),
        "asked": unmasked_question(without),
    }


def _changed(rows: ChangedRows) -> dict[str, Any]:
    return {
        "count": (rows.k + rows.v).astype(np.uint16),
        "largest": np.maximum(rows.k_largest, rows.v_largest),
        "numbers": 2 * rows.numbers,
    }


# ---- a made-up name --------------------------------------------------------------------------------------


def spelling(found: Induction, text_of: TextOf, config: Config, *, name: str) -> dict[str, Any]:
    """A name spelled piece by piece, through the head that was found by doing it."""
    layer, head = found.head
    kv_head = head // config.group_size
    label: Label = label_with(text_of)
    return {
        "layer": layer,
        "head": head,
        "labels": ["(start)", *(label(token_id) for token_id in found.token_ids[1:])],
        "texts": ["", *(text_of(token_id) for token_id in found.token_ids[1:-1])],
        "k": found.k[layer, kv_head],
        "v": found.v[layer, kv_head],
        "scores": np.rint(255 * found.scores).astype(np.uint8),
        "pieces": [
            {
                "position": piece.position,
                "target": piece.target,
                "q": piece.q[layer, head],
                "weight": piece.weights[layer, head],
                "output": piece.output[layer, head],
                "next": label(piece.token_id),
                "probability": piece.probability,
                "without": piece.without,
                "best": label(piece.best),
                "best_without": label(piece.best_without),
                "values": name_values(found, piece, label, name=name),
                "asked": name_question(piece),
            }
            for piece in found.pieces
        ],
        "said": count(len(found.pieces), "piece"),
    }
