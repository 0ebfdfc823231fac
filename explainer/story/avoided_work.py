"""The operations of a layer and the two reductions: what each says, filled in from what was found."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from explainer.story.avoided_formula import Kind, Math
from kvengine.config import Config
from kvengine.experiments import TOLERANCE, Recomputation, State, Way
from kvengine.walk import TOLERANCE as SAME_RESULT


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

REDUCTIONS = ("Everything again", "Keep all blue", "What is read", "Keep K and V", "Side by side")


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
            f"{below}: one row of {c.d_model} numbers for each of the {n} tokens. “{s.token}” is the new one.",
            "A naive step starts with all rows, though all but one have been through this layer before.",
            math.column("x", "x"),
        ),
        "norm": Words(
            "Each row is scaled by its own size",
            f"RMSNorm divides a row by the root mean square of its {c.d_model} numbers. No row looks at another.",
            "A row that came in as before leaves as before.",
            math.rowwise("norm", "norm(x)", "h"),
        ),
        "q": Words(
            "Queries: what each token asks for",
            f"Row by row, h times W_Q, turned by the angle of its position: {c.head_dim} numbers a head.",
            "A query is used in its own row and nowhere else. Those of earlier tokens have had their turn.",
            math.projected("q", "q", "Q", turned=True),
        ),
        "k": Words(
            "Keys: what each token is found by",
            f"Row by row, h times W_K, turned by the angle of its position. {group}The rows are what a cache keeps.",
            "Every later token asks these rows again, and they are the same each time.",
            math.projected("k", "k", "K", turned=True),
        ),
        "v": Words(
            "Values: what each token has to give",
            f"Row by row, h times W_V, not turned. {group}Up to here no token has met another.",
            "Like the keys, they are read by every later token.",
            math.projected("v", "v", "V", turned=False),
        ),
        "scores": Words(
            "Every query meets every key",
            f"Here tokens meet for the first time: row i is the query of token i against all keys, over "
            f"√{c.head_dim}. The mask hides {masked:,} of {n * n:,} scores.",
            "A masked score is one with a later token. This is why the earlier rows cannot notice the new token."
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
            "Heads side by side, then W_O",
            f"The {c.n_heads} head outputs of a row, {c.n_heads * c.head_dim} numbers, are multiplied with W_O."
            if c.n_heads > 1
            else f"The head's output of a row, {c.head_dim} numbers, is multiplied with W_O.",
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
            f"What layer {s.layer} hands on to layer {s.layer + 1}." if not last else "The last layer's result.",
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


# ---- what was found --------------------------------------------------------------------------------------


def finding(r: Recomputation, labels: list[str], originals: list[str]) -> str:
    """One or two sentences: how many cells of the whole model were compared, and how many came out as before."""
    layers = len({name.split(".")[1] for name in r.tensors if "." in name})
    if r.premise.holds:
        return (
            f"Compared with the step before: {r.equal:,} of {r.compared:,} earlier cells, all {layers} layers, "
            f"came out as before."
        )
    if not r.premise.causal:
        early, late = _split(r, lambda name: name == "embed" or _before_softmax(name))
        return (
            f"No mask, so earlier rows see “{labels[-1]}”. Up to the scores of layer 0, {_of(early)} earlier cells "
            f"came out as before; from its softmax on, {_of(late)}."
        )
    row = r.premise.changed or 0
    above, first, rest = (
        _rows(r, lambda name: True, 0, row),
        _rows(r, _in_first, row, r.t),
        _rows(r, lambda name: not _in_first(name), row, r.t),
    )
    return (
        f"“{originals[row]}” became “{labels[row]}” in the naive step. In the {_count(row, 'row')} before it, "
        f"{_of(above)} cells came out as before; from its row on, {_of(first)} in layer 0 and {_of(rest)} above it."
    )


def tolerance() -> str:
    return f"Equal means: apart by no more than {_small(TOLERANCE)}, plus {_small(TOLERANCE)} of the value."


def _of(pair: tuple[int, int]) -> str:
    return f"{pair[0]:,} of {pair[1]:,}"


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def _in_first(name: str) -> bool:
    return name == "embed" or name.startswith("layers.0.")


def _before_softmax(name: str) -> bool:
    return name in {f"layers.0.attn{part}" for part in ("_norm", ".q_rot", ".k_rot", ".v", ".masked")}


def _split(r: Recomputation, first: Callable[[str], bool]) -> tuple[tuple[int, int], tuple[int, int]]:
    return _rows(r, first, 0, r.t), _rows(r, lambda name: not first(name), 0, r.t)


def _rows(r: Recomputation, chosen: Callable[[str], bool], start: int, end: int) -> tuple[int, int]:
    """(equal, compared) cells of the chosen tensors in the rows start … end."""
    equal = compared = 0
    for name, tensor in r.tensors.items():
        if chosen(name):
            state = tensor.state[..., start:end, :]
            same = int((state == State.EQUAL).sum())
            equal, compared = equal + same, compared + same + int((state == State.DIFFERENT).sum())
    return equal, compared


# ---- the reductions --------------------------------------------------------------------------------------


def reductions(
    r: Recomputation, config: Config, text_of: Callable[[int], str]
) -> tuple[dict[str, object], ...]:
    """The five steps from everything again to the cache, each with what was counted and run."""
    n, t = r.t + 1, r.t
    share = r.cached.floats / r.stored.floats
    less = f"{share:.0%} of everything blue"
    tokens = {name: text_of(way.next_token) for name, way in _ways(r).items()}
    names = {"k": "K", "v": "V"}
    read = " and ".join(names.get(key, key) for key in sorted(r.read)) or "nothing"
    return (
        {
            "title": "A naive step computes everything again",
            "focus": f"All {n} rows go through all {config.n_layers} layers: "
            f"{r.naive.multiplications:,} multiplications for one token. "
            f"{r.equal:,} cells come out as they did one step before.",
            "why": "Nothing is kept, so nothing can be reused.",
            "verdict": f"Next token: “{tokens['naive']}”.",
        },
        {
            "title": "First reduction: store everything blue",
            "focus": f"Keep every cell of the step before, {r.stored.floats:,} floats, and compute only the new row: "
            f"{r.stored.multiplications:,} multiplications instead of {r.naive.multiplications:,}.",
            "why": "This was run: each stored row took the place of the one computed again, in every operation.",
            "verdict": _verdict(r.stored, r.naive, tokens["stored"], tokens["naive"]),
        },
        {
            "title": "Only the last row matters, and it reads little",
            "focus": f"To choose the next token the readout takes the last row. Of all rows above it, the last row "
            f"reads only {read}: {r.cached.floats:,} of {r.stored.floats:,} stored floats.",
            "why": "Also run: one operation after the other had its stored rows replaced by NaN, in every layer. "
            f"The last row's logits changed for {read}, and for no other.",
            "verdict": "Dimmed: stored, and read by nobody.",
        },
        {
            "title": "Second reduction: keep only K and V",
            "focus": f"{r.cached.floats:,} floats, {less}. What is computed stays the same: "
            f"{r.cached.multiplications:,} multiplications.",
            "why": "Computed: every operation of the new row, its k and v included. Reused: K and V of the "
            f"{_count(t, 'earlier row')}. Never stored: all other cells.",
            "verdict": _verdict(r.cached, r.naive, tokens["cached"], tokens["naive"]),
        },
        {
            "title": "One step, three ways",
            "focus": "Three runs for the same token. Storing everything and storing K and V compute the same; "
            "they differ in what they keep.",
            "why": "The logits of the three runs are held against each other: equal but for rounding, since the "
            "matrices have other shapes."
            if r.premise.holds
            else "The premise is broken, so what was stored no longer belongs to this text.",
            "verdict": "",
        },
    )


def _ways(r: Recomputation) -> dict[str, Way]:
    return {"naive": r.naive, "stored": r.stored, "cached": r.cached}


def side_by_side(r: Recomputation, text_of: Callable[[int], str]) -> list[dict[str, object]]:
    """The three ways as they were run: what each kept, computed, and came to."""
    titles = {"naive": "Naive", "stored": "Store everything", "cached": "KV cache"}
    return [
        {
            "key": key,
            "title": titles[key],
            "floats": way.floats,
            "bytes": way.bytes,
            "multiplications": way.multiplications,
            "token": text_of(way.next_token),
            "probability": way.probability,
            "difference": way.difference,
            "same": way.next_token == r.naive.next_token,
            "holds": way.difference <= SAME_RESULT,
        }
        for key, way in _ways(r).items()
    ]


def _verdict(way: Way, naive: Way, token: str, naive_token: str) -> str:
    largest = f"largest difference of the logits {_small(way.difference)}"
    if way.difference <= SAME_RESULT:
        return f"✓ Same next token, “{token}”; {largest}."
    same = f"“{token}”" if token == naive_token else f"“{token}” instead of “{naive_token}”"
    return f"✗ The result is another one: {same}; {largest}. What was stored does not hold any more."


def _small(x: float) -> str:
    return "0" if x == 0 else f"{x:.0e}".replace("e-0", "e−").replace("e-", "e−") if x < 0.01 else f"{x:.2f}"


# ---- the first pass --------------------------------------------------------------------------------------


def prefill_words(r: Recomputation, prefill: int, naive: int, cached: int) -> str:
    """What the cache does not save. The three counts are multiplications of one pass each."""
    return (
        f"The first pass over {_count(r.t, 'token')} has no step before it: nothing is blue, and it takes "
        f"{prefill:,} multiplications with a cache or without. The cache is only filled here. It pays from the "
        f"next token on: {cached:,} instead of {naive:,}."
    )


#: Titles and words over the three charts; the third is filled in by `prefill_words`.
CHARTS = (
    (
        "What was there before",
        "Share of the naive step's cells that came out as in the step before, all layers together.",
    ),
    ("It grows with the text", "Each point is two passes, run and compared: a longer text, a larger share."),
    ("What the cache does not save", ""),
)

#: What the control on the page offers.
PREMISES = {0: "as it is", -1: "no causal mask", 1: "one earlier token changed"}
