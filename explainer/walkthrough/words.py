"""The five stages of one generated token: their formulas, and what fills the sentences of words.toml."""

from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from explainer.kit.formula import formula, fraction, history, op, root, row, rows, total, turned, var
from explainer.kit.words import count, say, terms, words_of
from explainer.walkthrough.choice import end_of
from kvengine.config import Config
from kvengine.cost import pass_cost

WORDS = words_of(Path(__file__).with_name("words.toml"))


@dataclass(frozen=True)
class Moment:
    """One decode step seen through one head: what the sentences are filled in from.

    `weights` and `scores` are [position + 1]; `shares` says how much of the output each row makes: its
    weighted value along the output's direction, so that all together are 1.
    """

    config: Config
    position: int
    token_ids: tuple[int, ...]  # the tokens so far, and the one that the model wrote next
    labels: tuple[str, ...]  # of the same
    scores: np.ndarray
    weights: np.ndarray
    shares: np.ndarray
    earlier_numbers: int  # stored numbers of the earlier rows, compared before and after the append
    changed_numbers: int

    @property
    def best(self) -> int:
        """The position with the largest weight."""
        return int(self.weights.argmax())

    @property
    def giver(self) -> int:
        """The position that makes the largest part of the output."""
        return int(self.shares.argmax())


def shares_of(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """How much of the output w·V each row makes, measured along the output: [rows], adding up to 1."""
    parts = weights[:, None] * values
    output = parts.sum(axis=0)
    size = float(output @ output)
    found: np.ndarray = parts @ output / size if size else np.zeros(len(weights))
    return found


def values(m: Moment) -> dict[str, str]:
    """Every named value of the stages' sentences, as text."""
    c, n, label = m.config, m.position, m.labels
    best, giver, one = m.best, m.giver, n == 1
    return {
        "token": label[n],
        "next_token": label[n + 1],
        "n": f"{n:,}",
        "rows": f"{n + 1:,}",
        "d_model": str(c.d_model),
        "head_dim": str(c.head_dim),
        "layers": count(c.n_layers, "layer"),
        "earlier_tokens": count(n, "token"),
        "earlier_rows": count(n, "row"),
        "earlier_keys": count(n, "key"),
        "earlier_values": count(n, "value row"),
        "are": "is" if one else "are",
        "stay": "stays" if one else "stay",
        "they_were": "it was" if one else "they were",
        "their_rows": "its key and value are" if one else "their keys and values are",
        "their_token": "its token" if one else "their tokens",
        "changed_numbers": f"{m.changed_numbers:,}",
        "earlier_numbers": f"{m.earlier_numbers:,}",
        "best": label[best],
        "best_score": f"{m.scores.max():.1f}".replace("-", "−"),
        "best_weight": f"{m.weights[best]:.2f}",
        "scores": count(n + 1, "score"),
        "weights": count(n + 1, "weight"),
        "mixed_rows": count(n + 1, "row") + " mixed here",
        "read_rows": f"{n:,} {'was' if one else 'were'}",
        "next_rows": count(n + 1, "row"),
        "naive_tokens": f"{n + 2:,}",
        "naive_rows": f"{(n + 2) * c.n_layers:,}",
        "naive_old_rows": f"{(n + 1) * c.n_layers:,}",
        "fresh_rows": f"{c.n_layers:,}",
        "giver": label[giver],
        "share": percent(m.shares[giver]),
        "best_share": percent(m.shares[best]),
        "last": f"{n - 1:,}",
        "next": f"{n + 1:,}",
    }


def contribution(m: Moment) -> str:
    """Which sentence tells whether the largest weight also makes the largest part: often it does not."""
    if m.best == m.giver:
        return "same" if m.shares[m.giver] >= 0.5 else "spread"
    return "sink" if m.best == 0 else "other"


def pattern(m: Moment) -> str:
    """Which sentence tells what the best match has to do with the new token, if the tokens alone say it."""
    before = range(m.position - 1, 0, -1)
    last_time = next((at for at in before if m.token_ids[at] == m.token_ids[m.position]), None)
    if last_time is not None and m.best == last_time + 1:
        return "induction"
    return "previous" if m.best == m.position - 1 > 0 else "none"


def percent(share: float) -> str:
    """A part of the output; a part can be negative, where a value points the other way."""
    if abs(share) < 0.0005:
        return "next to nothing"
    return f"{share:.1%}".replace("-", "−") if abs(share) < 0.1 else f"{share:.0%}"


def meters(config: Config, position: int) -> tuple[tuple[int, int], ...]:
    """The work of each stage in one head, counted twice: with the cache, and in a pass without it."""
    n, d, width = position, config.d_model, config.head_dim
    projections, next_attention = 3 * d * width, 2 * (n + 2) * width
    return (
        (projections, (n + 1) * projections),
        (2 * width, (n + 1) * 2 * width),
        ((n + 1) * width, (n + 1) ** 2 * width),
        ((n + 1) * width, (n + 1) ** 2 * width),
        (projections + next_attention, (n + 2) * (projections + next_attention)),
    )


@lru_cache(maxsize=4096)
def whole_step(config: Config, position: int) -> tuple[int, int]:
    """The multiplications of the whole model for the token at `position`, with the cache and without it."""
    return (
        pass_cost(config, q_len=1, start=position).multiplications,
        pass_cost(config, q_len=position + 1).multiplications,
    )


@cache
def stages(config: Config) -> list[dict[str, Any]]:
    """The five stages as templates: sentences and formulas."""
    return [
        {**told, "formulas": list(math)} for told, math in zip(WORDS["stage"], formulas(config), strict=True)
    ]


def ending(config: Config) -> str:
    """Why the text goes no further."""
    if end_of(config) < config.max_seq_len:
        return say(WORDS["ends_sooner"], positions=f"{config.max_seq_len:,}")
    return str(WORDS["ending"])


@cache
def explained() -> dict[str, str]:
    """The terms that the stages explain."""
    # The names of tokens explain themselves in the same way.
    names = "[(start)](?start) [<0x…>](?byte)"
    return terms(*WORDS["stage"], WORDS["contribution"], WORDS["pattern"], names)


def formulas(config: Config) -> tuple[tuple[str, ...], ...]:
    """Each stage's formulas, with {n}, {last} and {next} for the positions."""
    n, last, new = "{n}", "{last}", "{next}"
    h = var("h", n, ref="h")
    q, k, v = (var(name, n, "fresh", ref=name) for name in "qkv")
    output = var("output", n, "fresh", ref="output")
    return (
        (
            formula(q, op("="), turned(n, h, var("W", "Q"))),
            formula(k, op("="), turned(n, h, var("W", "K"))),
            formula(v, op("="), h, var("W", "V")),
        ),
        tuple(
            formula(
                history(name, last, big),
                op("→"),
                op("["),
                rows(name, last, big),
                op(","),
                var(name, n, "fresh", ref=f"new{name}"),
                op("]"),
            )
            for name, big in (("k", "K"), ("v", "V"))
        ),
        (
            formula(
                var("s", "i", "fresh", ref="score"),
                op("="),
                fraction(
                    row(q, op("·"), var("k", "i", "cached", ref="K")), root(f"<mn>{config.head_dim}</mn>")
                ),
            ),
            formula(var("i"), op("="), f"<mn>0</mn>{op('…')}<mn>{n}</mn>"),
        ),
        (
            formula(
                var("w", kind="fresh", ref="weight"),
                op("="),
                "<mtext>softmax</mtext>",
                op("("),
                var("s", kind="fresh", ref="score"),
                op(")"),
            ),
            formula(
                output,
                op("="),
                total("i"),
                var("w", "i", "fresh", ref="weight"),
                var("v", "i", "cached", ref="V"),
            ),
        ),
        (
            formula(turned(new, var("h", new), var("W", "Q")), op("→"), var("q", new, "fresh", ref="q")),
            formula(
                var("q", new, "fresh", ref="q"),
                op("·"),
                history("k", n, "K"),
                op("→"),
                "<mtext>scores</mtext>",
            ),
            formula(
                "<mtext>weights</mtext>", op("×"), history("v", n, "V"), op("→"), var("output", new, "fresh")
            ),
        ),
    )
