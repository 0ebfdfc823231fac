"""What fills the sentences of words.toml, from two rounds as they were run."""

import math
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from explainer.by_hand.choice import VOCABULARY, Given
from explainer.by_hand.numbers import DIGITS, fractional, written
from explainer.kit.asking import Option, asked
from explainer.kit.words import terms, words_of
from kvengine.paper import SCALE, D, Mistake, Numbers, Round

WORDS = words_of(Path(__file__).with_name("words.toml"))

_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")

#: Each mistake by its letter in the address.
MISTAKES = {"q": Mistake(old_query=True), "n": Mistake(by_length=True)}

#: A difference below this is rounding: of three digits it changes none.
_SAME = 10**-DIGITS / 2

#: The stage, counted from 1, before which each question is asked.
ASKED_BEFORE = {"queries": 2, "divisor": 6, "rows": 11, "asks": 13, "weight": 14}


def text_of(token_ids: tuple[int, ...]) -> str:
    return " ".join(VOCABULARY[token] for token in token_ids)


def multiplications(n: int, computed: int) -> int:
    """For q, k and v on paper: one query, and the keys and values of so many of the n words."""
    assert 1 <= computed <= n
    return D * D * (1 + 2 * computed)


def values(given: Given, first: Round, second: Round, proof: tuple[float, int]) -> dict[str, str]:
    """Every named value of the stages' sentences, as text; `proof` is what `difference` found."""
    n = len(second.token_ids)
    difference, numbers = proof
    found = {
        "text": text_of(first.token_ids),
        "text1": text_of(second.token_ids),
        "text2": text_of((*second.token_ids, second.next_token)),
        "last": VOCABULARY[first.token_ids[-1]],
        "d": str(D),
        "root": written(math.sqrt(D)),
        "eps": "2" + str(2 * SCALE).translate(_RAISED),
        "words2": str(n),
        "prompt_count": str(len(first.token_ids)),
        "cache_numbers": str(first.k.size + first.v.size),
        "fresh": str(multiplications(n, 1)),
        "naive": str(multiplications(n, n)),
        "factor": WORDS["factor"]["ln2" if given.unit == "ln2" else "one"],
        "powers": WORDS["powers"]["ln2" if given.unit == "ln2" else "one"],
    }
    for i, part in enumerate((first, second), start=1):
        best = int(part.weights.argmax())
        found |= {
            f"next{i}": VOCABULARY[part.next_token],
            f"won{i}": _won(part, given),
            f"best{i}": VOCABULARY[part.token_ids[best]],
            f"best_weight{i}": written(float(part.weights[best]), exact=fractions_in(part, given.numbers)[0]),
        }
    own = np.array_equal(second.asked, second.q)  # else it is the mistake
    found["which"] = "new" if own else "old"
    found["asker"] = VOCABULARY[(second if own else first).token_ids[-1]]
    kind = "holds" if difference < _SAME else "broken"
    found["proof"] = WORDS["proof"][kind].format(words=n, numbers=numbers, difference=_size(difference))
    return found


def _size(difference: float) -> str:
    """0, 2.2e−16, 1.386"""
    if difference == 0:
        return "0"
    return f"{difference:.{DIGITS}f}" if difference >= _SAME else re.sub(r"e-0*", "e−", f"{difference:.1e}")


def fractions_in(part: Round, numbers: Numbers) -> tuple[bool, np.ndarray, np.ndarray]:
    """Which results are fractions: the weights, all or none; entries of the output [4]; logits [words]."""
    exact = fractional(part.scores, numbers.unit)
    # Whatever the weights are, they add up to 1: where all values are the same, so is their mix.
    mixed = exact | (part.v == part.v[0]).all(axis=0)
    return exact, mixed, (mixed | (np.array(numbers.embed) == 0)).all(axis=1)


def _won(part: Round, given: Given) -> str:
    named = [f"“{VOCABULARY[token]}”" for token in part.tied]
    *_, exact = fractions_in(part, given.numbers)
    sentence: str = WORDS["won"]["one" if len(named) == 1 else "tie"]
    return sentence.format(
        next=VOCABULARY[part.next_token],
        logit=written(float(part.logits[part.next_token]), exact=bool(exact[part.next_token])),
        tied=" and ".join(named),
    )


def missed(wrong: tuple[Round, Round], right: tuple[Round, Round], at: int) -> str:
    """By how much a round (0 or 1) that was done wrong misses the right one, in a sentence."""
    ours, theirs = wrong[at], right[at]
    said = WORDS["mistake"]
    if ours.token_ids != theirs.token_ids:
        one, other = ours.token_ids[-1], theirs.token_ids[-1]
        return str(said["parted"].format(wrong=VOCABULARY[one], right=VOCABULARY[other]))
    off = [float(np.abs(a - b).max()) for a, b in ((ours.weights, theirs.weights), (ours.z, theirs.z))]
    if max(off) < 0.5 * 10**-DIGITS:
        return str(said["equal"])
    return str(
        said["same" if ours.next_token == theirs.next_token else "other"].format(
            next=VOCABULARY[ours.next_token],
            right=VOCABULARY[theirs.next_token],
            weights=f"{off[0]:.{DIGITS}f}",
            output=f"{off[1]:.{DIGITS}f}",
        )
    )


def questions(first: Round, second: Round) -> list[dict[str, Any] | None]:
    """For each stage the question before it, as `web/asking.js` takes it."""
    n, m = len(first.token_ids), len(second.token_ids)
    new, last = VOCABULARY[second.token_ids[-1]], VOCABULARY[first.token_ids[-1]]
    found = {
        "queries": asked("queries", Option("one", "right", 1), Option(f"{n}, one a word", "all", n)),
        "divisor": asked(
            "divisor",
            Option(f"√{D} = {written(math.sqrt(D))}", "right", 2),
            Option(f"{n}, the number of words", "length", 3),
            Option("nothing", "none", 1),
        ),
        "rows": asked(
            "rows", Option("one", "right", 1), Option(f"all {m}", "all", m), Option("none", "none", 0)
        ),
        "asks": asked(
            "asks", Option(f"a new one, of “{new}”", "right", 2), Option(f"that of “{last}”", "old", 1)
        ),
        "weight": _heaviest(second),
    }
    stages: list[dict[str, Any] | None] = [None] * len(WORDS["stage"])
    for name, stage in ASKED_BEFORE.items():
        stages[stage - 1] = found[name]
    return stages


def _heaviest(part: Round) -> dict[str, Any] | None:
    """Which word gets the largest weight; no question where several do, or a word stands there twice."""
    top = np.flatnonzero(part.weights >= part.weights.max() - 1e-9)
    named = [VOCABULARY[token] for token in part.token_ids]
    if len(top) > 1 or len(set(named)) < len(named):
        return None
    right, *wrong = sorted(range(len(named)), key=lambda i: i != int(top[0]))
    return asked(
        "weight",
        Option(named[right], "right", right),
        *(Option(named[i], "wrong", i) for i in wrong),
    )


@cache
def explained() -> Mapping[str, str]:
    """The terms that the stages explain."""
    return terms(*WORDS["stage"], WORDS["left_out"])
