"""What the browser gets of the two texts: every step of both, and what is asked about them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from explainer.kit.asking import Option, asked
from explainer.kit.encode import token_label
from explainer.policies.rules import RULES
from explainer.policies.runs import Pair
from explainer.policies.words import WORDS, explained, percent
from kvengine.policies import Evicting
from kvengine.watched import Watched

#: Words that a sentence tells of what comes behind the place where the texts part.
AHEAD = 7


def scene(pair: Pair, rule: str, texts_of: Callable[[Sequence[int]], list[str]]) -> dict[str, Any]:
    """Both texts at every step. `texts_of` gives the texts of tokens."""
    full, thin, parts = pair.full, pair.thin, parting(pair)
    budget = pair.policy.budget if isinstance(pair.policy, Evicting) else None
    return {
        "prompt": full.prompt,
        "steps": len(full.token_ids),
        "budget": budget,
        "title": RULES[rule].title.removeprefix("… "),
        "full": _run(full, texts_of, parts),
        "thin": _run(thin, texts_of, parts),
        "parts": parts,
        "strongest": float(max(np.abs(full.keys).max(), np.abs(thin.keys).max())),
        "asked": questions(pair, texts_of),
        "questions": WORDS["question"],
        "rule": WORDS["rules"][rule],
        "words": WORDS["watch"],
        "terms": explained("watch"),
    }


def parting(pair: Pair) -> int | None:
    """The first pass after the prompt that chose another word than the full cache; None where none did."""
    full, thin = pair.full, pair.thin
    for i in range(full.prompt - 1, len(full.token_ids)):
        if full.chosen[i] != thin.chosen[i]:
            return i
    return None


def lost(run: Watched) -> np.ndarray:
    """Of each pass, the share of its attention that would have gone to rows that were not there. [tokens]"""
    before = np.vstack([np.zeros((1, len(run.kept)), dtype=np.uint8), run.kept[:-1]])
    there = before.astype(bool) | np.eye(len(run.kept), dtype=bool)
    earlier = np.tril(np.ones_like(there))
    prefill = (
        run.kept.sum(axis=1) > there.sum(axis=1) * 2
    )  # the rows of one pass over a prompt see each other
    share: np.ndarray = np.where(earlier & ~there, run.missed, 0).sum(axis=1)
    return np.where(prefill, 0, share)


def _run(run: Watched, texts_of: Callable[[Sequence[int]], list[str]], parts: int | None) -> dict[str, Any]:
    texts = texts_of(run.token_ids)
    ahead = "" if parts is None else "".join(texts[parts + 1 : parts + 1 + AHEAD])
    return {
        "texts": texts,
        "labels": [token_label(text) for text in texts],
        "ahead": " ".join(ahead.split()),
        "kept": run.kept,
        "weights": run.weights,
        "missed": run.missed,
        "lost": [round(float(share), 4) for share in lost(run)],
        "keys": run.keys,
        "next": [token_label(text) for text in texts_of(run.chosen)],
        "probability": run.probability,
        "bytes": [round(float(bits) / 8) for bits in run.bits],
    }


def questions(pair: Pair, texts_of: Callable[[Sequence[int]], list[str]]) -> dict[str, Any]:
    """By the step that is about to be shown, counted from 1: which row goes, and which word comes."""
    full, thin = pair.full, pair.thin
    found: dict[str, Any] = {}
    labels = [token_label(text) for text in texts_of(thin.token_ids)]
    for step in _evictions(thin):
        going = np.flatnonzero(thin.kept[step - 1].astype(int) - thin.kept[step] == 1)
        stay = np.flatnonzero(thin.kept[step][:step])
        if len(going) != 1 or len(stay) < 3:
            continue
        right = int(going[0])
        wrong = {int(stay[0]), int(stay[-1]), int(stay[thin.weights[step][stay].argmin()])}
        options = [
            Option(f"“{labels[at]}”, row {at}", "gone" if at == right else "stays", at, _row(thin, step, at))
            for at in (right, *sorted(wrong))
        ]
        found[str(step + 1)] = asked("row", *options, values={"policy": pair.policy.title})
        break
    at = full.prompt - 1
    said = [token_label(texts_of([token])[0]) for token, _ in (*thin.top[at], *full.top[at])]
    ours, theirs = token_label(texts_of([thin.chosen[at]])[0]), token_label(texts_of([full.chosen[at]])[0])
    others = [word for word in dict.fromkeys([theirs, *said]) if word != ours][:3]
    values = {"full": theirs, "thin": ours, "lost": percent(float(lost(thin)[at]))}
    found[str(full.prompt)] = asked(
        "word",
        Option(f"“{ours}”", "same" if ours == theirs else "other", len(ours)),
        *(Option(f"“{word}”", "not", len(word)) for word in others),
        values=values,
    )
    return {step: question for step, question in found.items() if question}


def _row(run: Watched, step: int, at: int) -> dict[str, str]:
    return {
        "weight": percent(float(run.weights[step][at])),
        "seen": percent(float(run.weights[: step + 1, at].sum())),
    }


def _evictions(run: Watched) -> list[int]:
    """The passes after which a row went."""
    fewer = run.kept[1:].sum(axis=1) <= run.kept[:-1].sum(axis=1)
    return [int(i) + 1 for i in np.flatnonzero(fewer)]
