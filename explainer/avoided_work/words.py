"""The operations of a layer and the two reductions: what each says, filled in from what was found."""

from dataclasses import dataclass

import numpy as np

from explainer.story.avoided_formula import Kind, Math
from kvengine.compare import State
from kvengine.config import Config


@dataclass(frozen=True)
class Operation:
    """One stop of the rail. `heads` says whose rows the grid holds: "", "q" (every head) or "kv"."""

    key: str
    label: str  # on the rail
    heads: str = ""


OPERATIONS = (
    Operation("x", "x"),
    Operation("norm", "norm"),
    Operation("q", "Q", "q"),
    Operation("k", "K", "kv"),
    Operation("v", "V", "kv"),
    Operation("scores", "scores", "q"),
    Operation("weights", "softmax", "q"),
    Operation("z", "head out", "q"),
    Operation("out", "W_O"),
    Operation("mid", "+ x"),
    Operation("ffn_norm", "norm"),
    Operation("hidden", "MLP in"),
    Operation("ffn", "MLP out"),
    Operation("post", "+"),
    Operation("readout", "readout"),
)


@dataclass(frozen=True)
class Words:
    title: str
    focus: str
    why: str
    formulas: tuple[str, ...]


@dataclass(frozen=True)
class Scope:
    """What the sentences of one layer's operations are filled in from."""

    config: Config
    layer: int
    t: int
    token: str  # the new one
    next_token: str
    probability: float
    states: dict[str, np.ndarray]  # of State, by operation, [heads, rows, cols]


def words(s: Scope) -> dict[str, Words]:
    """The words of every operation, by its key."""
    c, t, n = s.config, s.t, s.t + 1
    math = Math(t, lambda key, i, j: _kind(s.states, key, i, j))
    group = f"{c.group_size} query heads share each KV head. " if c.group_size > 1 else ""
    last = s.layer == c.n_layers - 1
    masked = int((s.states["scores"][0] == State.MASKED).sum())
    below = "The embeddings" if s.layer == 0 else f"What layer {s.layer - 1} left behind"
    return {
        "x": Words(
            "What the layer takes in",
            f"{below}: {n} rows of {c.d_model} numbers, one a token. “{s.token}” is the new one.",
            "A naive step starts with all rows, though all but one have been through this layer before.",
            math.column("x", "x"),
        ),
        "norm": Words(
            "Each row is scaled by its own size",
            "RMSNorm divides a row by the root mean square of its numbers. No row looks at another.",
            "A row that came in as before leaves as before.",
            math.rowwise("norm", "norm(x)", "h"),
        ),
        "q": Words(
            "Queries: what each token asks for",
            f"h times the query weights, turned by the row's position: {c.head_dim} numbers a head.",
            "A query is used in its own row and nowhere else. Those of earlier tokens have had their turn.",
            math.projected("q", "q", "Q", turned=True),
        ),
        "k": Words(
            "Keys: what each token is found by",
            f"h times the key weights, turned by the row's position. {group}A cache keeps these rows.",
            "Every later token asks these rows again, and they are the same each time.",
            math.projected("k", "k", "K", turned=True),
        ),
        "v": Words(
            "Values: what each token has to give",
            f"h times the value weights, not turned. {group}Up to here no token has met another.",
            "Like the keys, they are read by every later token.",
            math.projected("v", "v", "V", turned=False),
        ),
        "scores": Words(
            "Every query meets every key",
            f"Here tokens meet for the first time: row i is the query of token i against all keys, over "
            f"√{c.head_dim}. The mask hides {masked:,} of {n * n:,} scores.",
            "A masked score is one with a later token: so earlier rows cannot notice the new one."
            if masked
            else "With no mask, every row sees the new token: nothing above this line can stay as it was.",
            math.scores(c.head_dim),
        ),
        "weights": Words(
            "Softmax, row by row",
            "The scores of a row become weights that add up to 1; a masked one becomes 0.",
            "A row mixes only what it sees. What it saw one step ago, it sees again.",
            math.weights(),
        ),
        "z": Words(
            "The output of each head",
            f"Row i mixes the values by its weights: {c.head_dim} numbers a head.",
            "Only the last row is new, and of all rows above it needs the values alone.",
            math.mixed(),
        ),
        "out": Words(
            "Heads side by side, then the output projection",
            f"The {c.n_heads} head outputs of a row, {c.n_heads * c.head_dim} numbers, go through one matrix."
            if c.n_heads > 1
            else f"The head's output of a row, {c.head_dim} numbers, goes through one matrix.",
            "Tokens are apart again: a row comes from its own heads.",
            math.concatenated(c.n_heads),
        ),
        "mid": Words(
            "Residual: the row is added back",
            "Row by row, the attention's output plus what came in.",
            "An equal row plus an equal row is an equal row.",
            math.rowwise("mid", "o + x", "y"),
        ),
        "ffn_norm": Words(
            "A second norm",
            "RMSNorm again, row by row.",
            "Nothing of another token comes in here.",
            math.rowwise("ffn_norm", "norm(y)", "g"),
        ),
        "hidden": Words(
            "The MLP, inside",
            f"Each row becomes {c.d_ffn} numbers: SiLU of one projection times another.",
            "The widest rows of the layer, so this is where most blue is.",
            math.rowwise("hidden", "silu(g·Gate) ⊙ g·Up", "m"),
        ),
        "ffn": Words(
            "The MLP, out",
            f"From {c.d_ffn} numbers back to {c.d_model}, row by row.",
            "A cache of keys and values saves this too, though it holds nothing of it.",
            math.rowwise("ffn", "m·Down", "f"),
        ),
        "post": Words(
            "Residual: the layer's result",
            f"What layer {s.layer} hands on to layer {s.layer + 1}."
            if not last
            else "The last layer's result.",
            "The rows went in blue and come out blue, so the next layer begins like this one."
            if not last
            else "Of all these rows one more step is taken by the last alone.",
            math.rowwise("post", "f + y", "x"),
        ),
        "readout": Words(
            "Readout: one row is enough",
            f"The last row, normed, against all {c.vocab_size:,} embeddings: “{s.next_token}” is next, "
            f"with probability {s.probability:.2f}.",
            f"Behind the last layer {t:,} of {n:,} rows are dropped unread. "
            + ("" if last else f"This row comes from layer {c.n_layers - 1}, whatever layer is shown."),
            math.readout(),
        ),
    }


def _kind(states: dict[str, np.ndarray], key: str, i: int, j: int | None) -> Kind:
    """What was found of a row, or of one cell, in all heads: the colour it has in a formula."""
    if key == "readout":
        return "fresh"
    state = states[key]
    found = state[:, i] if j is None else state[:, i, j]
    if (found == State.MASKED).all():
        return "masked"
    found = found[found != State.MASKED]
    if (found == State.EQUAL).all():
        return "cached"
    return "fresh" if (found == State.NEW).all() else "differs"
