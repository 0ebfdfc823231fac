"""Two writers and what could be kept, as the data that the start page draws."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from explainer.kit.encode import token_label
from explainer.kit.words import count
from explainer.start.choice import LETTERS, PLAYED
from explainer.start.questions import question
from explainer.start.words import WORDS, explained, line, numbers, totals, verdict, why, why_values
from kvengine.config import Config
from kvengine.keep import Outcome, kept_floats
from kvengine.writers import Times, Writing

_TIMED_ONCE = WORDS | {"numbers": WORDS["numbers"] | {"measured": WORDS["numbers"]["measured_once"]}}

#: The text of each token, in order.
TextsOf = Callable[[Sequence[int]], list[str]]


def scene(
    writing: Writing, times: Times, config: Config, texts_of: TextsOf, *, bytes_per_float: int = 4
) -> dict[str, Any]:
    """Everything that the scene needs to write both texts, word by word, by itself."""
    n, words = len(writing.prompt_ids), writing.words
    floats = kept_floats(config, n)
    naive = _text(writing.naive_ids, texts_of)
    return {
        "prompt_length": n,
        "played": PLAYED,
        "most": len(words),
        "naive": naive,
        "cached": _text(writing.cached_ids, texts_of),
        "words": WORDS if times.runs > 1 else _TIMED_ONCE,
        "values": {
            "prompt": count(n, "word"),
            "runs": str(times.runs),
            "numbers": f"{words[0].numbers:,}",
        },
        "terms": explained(),
        "rows": [
            {
                "computed": [word.naive.computed, word.cached.computed],
                "read": [word.naive.read, word.cached.read],
                "multiplications": [word.naive.multiplications, word.cached.multiplications],
                "kept": [word.naive.kept, word.cached.kept],
                "same": word.same_token,
                "numbers": numbers(writing, times, k),
                "line": line(writing, times, k),
                "asked": question(writing, k, naive["labels"]),
                **totals(writing, times, k),
            }
            for k, word in enumerate(words, start=1)
        ],
        "equal": _padded([word.equal.astype(np.uint8) for word in words], n + len(words)),
        "largest": _padded([word.largest.astype(np.float32) for word in words], n + len(words)),
        "kv": config.kv_floats_per_token,
        "boxes": [
            {"key": box, "letter": letter, "bytes": bytes_per_float * floats[box]}
            for letter, box in LETTERS.items()
        ],
    }


def choices(
    outcomes: Mapping[frozenset[str], Outcome], full: tuple[int, ...], texts_of: TextsOf
) -> dict[str, dict[str, Any]]:
    """What comes of each choice, by the letters of what is kept; `full` begins with what should come."""
    letters = {box: letter for letter, box in LETTERS.items()}
    full = full[: len(next(iter(outcomes.values())).token_ids)]
    return {
        "".join(sorted(letters[box] for box in kept)): {
            "keys": outcome.keys,
            "values": outcome.values,
            **_text((*outcome.prompt_ids, *outcome.token_ids), texts_of),
            "same": [ours == theirs for ours, theirs in zip(outcome.token_ids, full, strict=True)],
            "verdict": verdict(outcome, full),
            "why": why(outcome),
            "said": why_values(outcome),
            "error": outcome.error,
            "again": outcome.again,
        }
        for kept, outcome in outcomes.items()
    }


def _text(token_ids: tuple[int, ...], texts_of: TextsOf) -> dict[str, Any]:
    texts = texts_of(token_ids)
    start = len(texts[0]) if texts[0] == "(start)" else 0
    return {"labels": [token_label(text) for text in texts], "texts": [texts[0][start:], *texts[1:]]}


def _padded(vectors: list[np.ndarray], width: int) -> np.ndarray:
    """Vectors of growing length as one matrix, zeros behind each."""
    matrix = np.zeros((len(vectors), width), dtype=vectors[0].dtype)
    for row, vector in zip(matrix, vectors, strict=True):
        row[: len(vector)] = vector
    return matrix
