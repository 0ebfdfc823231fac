"""What fills the sentences of words.toml in, stage by stage, and the questions before them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from explainer.kit.encode import token_label
from explainer.kit.units import byte_size
from explainer.kit.words import count, terms, words_of
from explainer.why_k_and_v.choice import STAGES
from kvengine.changed import ChangedRows
from kvengine.config import Config
from kvengine.induction import Induction, Spelled
from kvengine.keep import BOXES, kept_floats
from kvengine.misuse import Misuse, Outcome, query_multiplications
from kvengine.reads import Reads
from kvengine.walk import Recording

WORDS = words_of(Path(__file__).with_name("words.toml"))

#: The stages that show a misuse of the cache.
EXPERIMENTS: tuple[Misuse, ...] = ("old_query", "no_keys", "no_values", "swapped", "unturned")

#: A logit that differs by less is as good as the same: `kvengine.proof` takes the same bound.
SAME = 1e-3

Label = Callable[[int], str]


@cache
def explained() -> dict[str, str]:
    """The terms that the stages explain."""
    return terms(*WORDS["stage"].values(), "[(start)](?start) [<0x…>](?byte)")


def stages() -> list[dict[str, Any]]:
    """The stages' sentences, in the order of the rail."""
    return [
        {"key": key, **WORDS["stage"][key], "group": WORDS["group"][WORDS["stage"][key]["group"]]}
        for key in STAGES
    ]


def small(x: float) -> str:
    """7.6e−6; 12.4 where it is not small at all."""
    return f"{x:.2f}".rstrip("0").rstrip(".") if x == 0 or x >= 0.01 else f"{x:.1e}".replace("e-0", "e−")


def chance(p: float) -> str:
    """0.84; 0.9991 and 0.0005 where two digits would say too little."""
    if p < 0.0001:
        return "less than 0.0001"
    return f"{p:.2f}" if 0.01 <= p < 0.995 else f"{p:.4f}"


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.1 else f"{share:.1%}"


# ---- readers ---------------------------------------------------------------------------------------------


def visit_values(r: Recording, labels: Sequence[str], position: int, weights: np.ndarray) -> dict[str, str]:
    """Of one reader, the token at `position`, seen through one head with these weights."""
    step = r.step(position)
    best = int(weights.argmax())
    return {
        "token": labels[position],
        "before": labels[position - 1],
        "best": labels[best],
        "best_weight": f"{weights[best]:.2f}",
        "cards": count(position, "card"),
        "changed_numbers": f"{step.changed:,}",
        "earlier_numbers": f"{step.earlier:,}",
        "next_token": labels[position + 1],
    }


def row_values(reads: Reads, labels: Sequence[str], row: int) -> dict[str, str]:
    """Of one token: in how many turns its query, key and value were read."""
    turns = {role: len(reads.readers(role, row)) for role in "qkv"}
    return {
        "row_token": labels[row],
        "all": str(len(labels)),
        **{f"{role}_turns": count(n, "turn") for role, n in turns.items()},
        **{f"{role}_of": str(n) for role, n in turns.items()},
    }


# ---- experiments -----------------------------------------------------------------------------------------


def verdict(outcome: Outcome, right: Outcome) -> str:
    """Which sentence says what came of an experiment."""
    if outcome.token_ids == right.token_ids:
        return "same" if outcome.difference <= SAME else "lucky"
    return "later" if outcome.token_ids[0] == right.token_ids[0] else "other"


def outcome_values(outcome: Outcome, right: Outcome, label: Label, config: Config) -> dict[str, str]:
    """The numbers of an experiment, beside those of the reader that it begins with."""
    first, should = outcome.words[0], right.words[0]
    same = sum(a == b for a, b in zip(outcome.token_ids, right.token_ids, strict=True))
    return {
        "token": label(outcome.prompt_ids[-1]),
        "before": label(outcome.prompt_ids[-2]),
        "head_dim": str(config.head_dim),
        "got": label(first.token_id),
        "got_probability": chance(first.probability),
        "right": label(should.token_id),
        "right_probability": chance(should.probability),
        "same": str(same),
        "words": str(len(outcome.words)),
        "difference": small(outcome.difference),
        "work": f"{outcome.multiplications:,}",
        "query_work": f"{query_multiplications(config):,}",
        "kept": byte_size(4 * outcome.kept),
    }


def verdict_text(outcome: Outcome, right: Outcome, values: Mapping[str, str]) -> str:
    """The sentence on what came of an experiment, filled in."""
    told: str = WORDS["verdict"][verdict(outcome, right)]
    return told.format(**{**values, "token": values["got"], "probability": values["got_probability"]})


@dataclass(frozen=True)
class Kept:
    """One kind of result: numbers of it that the earlier tokens have, and whether the next token reads it."""

    key: str
    name: str
    floats: int
    read: bool


def everything(config: Config, earlier: int, read: frozenset[str]) -> list[Kept]:
    """What can be kept of the earlier tokens, and what of it was found to be read."""
    floats = kept_floats(config, earlier)
    return [Kept(box, WORDS["box"][box], floats[box], box in read) for box in BOXES]


def everything_values(boxes: Sequence[Kept], earlier: int, vocab: int) -> dict[str, str]:
    total = sum(box.floats for box in boxes)
    kv = sum(box.floats for box in boxes if box.read)
    unread = [box.name for box in boxes if not box.read]
    read = [box.name for box in boxes if box.read]
    return {
        "earlier": count(earlier, "earlier token"),
        "all_bytes": byte_size(4 * total),
        "kv_bytes": byte_size(4 * kv),
        "share": _percent(kv / total),
        "unread": " or ".join(filter(None, [", ".join(unread[:-1]), *unread[-1:]])),
        "read": " and ".join(read),
        "vocab": f"{vocab:,}",
    }


# ---- what a key holds ------------------------------------------------------------------------------------


def _rows(different: np.ndarray) -> str:
    return f"{int(different.sum()):,} of {count(different.size, 'row')}"


def holds_values(rows: ChangedRows, position: int, original: str, other: str) -> dict[str, str]:
    different = rows.different
    return {
        "original": original,
        "other": other,
        "position": str(position),
        "first_rows": _rows(different[0]),
        "upper_rows": _rows(different[1:]),
        "before_rows": f"{int(different[:, :position].sum())} of {different[:, :position].size}",
    }


def unmasked_values(masked: ChangedRows, unmasked: ChangedRows, token: str) -> dict[str, str]:
    return {
        "token": token,
        "masked_rows": _rows(masked.different),
        "unmasked_rows": _rows(unmasked.different),
        "all_above": ", every one in every layer above the first" if unmasked.different[1:].all() else "",
    }


# ---- a made-up name --------------------------------------------------------------------------------------


def name_values(found: Induction, piece: Spelled, label: Label, *, name: str) -> dict[str, str]:
    layer, head = found.head
    same = piece.best_without == piece.token_id
    other = f"; “{label(piece.best_without)}” is the likeliest then"
    return {
        "name": name,
        "piece": label(found.token_ids[piece.position]),
        "target": label(piece.token_id),
        "weight": f"{piece.scores[layer, head]:.2f}",
        "layer": str(layer),
        "head": str(head),
        "heads": count(found.scores.size, "head"),
        "score": f"{found.scores[layer, head]:.2f}",
        "probability": chance(piece.probability),
        "without": chance(piece.without),
        "instead": "" if same else other,
    }


def label_with(text_of: Callable[[int], str]) -> Label:
    """A token's label, of its id."""
    return lambda token_id: token_label(text_of(token_id))
