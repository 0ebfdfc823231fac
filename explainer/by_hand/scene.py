"""Two rounds as the data that the hand page draws: every number as it is written on paper."""

from typing import Any

from explainer.by_hand.choice import TABLES, VOCABULARY, Given
from explainer.by_hand.numbers import row, softmax, written
from explainer.by_hand.runs import Runs
from explainer.by_hand.words import WORDS, explained, fractions_in, missed, multiplications, questions, values
from kvengine.paper import Numbers, Round


def scene(given: Given, runs: Runs) -> dict[str, Any]:
    """Everything that the scene needs, with each mistake and without, to step through by itself."""
    right = runs.rounds[""]
    n = len(right[1].token_ids)
    return {
        "words": WORDS,
        "terms": explained(),
        "vocabulary": list(VOCABULARY),
        "prompt": list(given.prompt),
        "unit": given.unit,
        "given": {
            name: [[written(float(value)) for value in line] for line in given.tables[name]]
            for name in TABLES
        },
        "work": [multiplications(n, 1), multiplications(n, n)],
        "questions": questions(*right),
        "variants": {
            letters: {
                "rounds": [on_paper(part, given.numbers) for part in rounds],
                "values": values(given, *rounds, runs.proofs[letters]),
                "missed": [missed(rounds, right, at) if letters else "" for at in range(2)],
            }
            for letters, rounds in runs.rounds.items()
        },
    }


def on_paper(part: Round, numbers: Numbers) -> dict[str, Any]:
    """A round's numbers as text. Query and scores are written in units of `numbers.unit`."""
    unit = numbers.unit
    exact, mixed, logits = fractions_in(part, numbers)
    return {
        "ids": list(part.token_ids),
        "start": part.start,
        "x": [row(line) for line in part.x],
        "q": row(part.q / unit),
        "asked": row(part.asked / unit),
        "k": [row(line) for line in part.k],
        "v": [row(line) for line in part.v],
        "products": row(part.products / unit),
        "divisor": written(part.divisor),
        "scores": row(part.scores / unit),
        "softmax": softmax(part.scores, unit),
        "weights": row(part.weights, exact),
        "shares": [round(float(weight), 4) for weight in part.weights],
        "z": row(part.z, mixed),
        "sum": row(part.out, mixed),
        "logits": row(part.logits, logits),
        "next": part.next_token,
    }
