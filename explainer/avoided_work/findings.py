"""What the comparison found and what follows from it: the sentences over the scene, and the reductions."""

from collections.abc import Callable

from kvengine.compare import TOLERANCE, State
from kvengine.config import Config
from kvengine.experiments import Recomputation, Way
from kvengine.walk import TOLERANCE as SAME_RESULT

REDUCTIONS = ("Everything again", "Keep all blue", "What is read", "Keep K and V", "Side by side")


# ---- what was found --------------------------------------------------------------------------------------


def finding(r: Recomputation, labels: list[str], originals: list[str]) -> str:
    """How many cells of the whole model were compared, and how many came out as before."""
    layers = len({name.split(".")[1] for name in r.tensors if "." in name})
    if r.premise.holds:
        return (
            f"Compared with the step before: {r.equal:,} of {r.compared:,} earlier cells came out as before, "
            f"in all {layers} layers."
        )
    if not r.premise.causal:
        early, late = _split(r, lambda name: name == "embed" or _before_softmax(name))
        return (
            f"No mask, so earlier rows see “{labels[-1]}”. Up to the scores of layer 0, {_of(early)} earlier "
            f"cells came out as before; from its softmax on, {_of(late)}."
        )
    row = r.premise.changed or 0
    above, first, rest = (
        _rows(r, lambda name: True, 0, row),
        _rows(r, _in_first, row, r.t),
        _rows(r, lambda name: not _in_first(name), row, r.t),
    )
    return (
        f"“{originals[row]}” became “{labels[row]}” in the naive step. In the {_count(row, 'row')} before "
        f"it, {_of(above)} cells came out as before; from its row on, {_of(first)} in layer 0 and "
        f"{_of(rest)} above it."
    )


def not_as_before(equal: int, compared: int) -> str:
    """What is said of an operation whose earlier cells are not all blue."""
    return (
        f"The premise is broken: {equal:,} of its {compared:,} earlier cells, all heads, came out as before."
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
            "focus": f"Keep all cells of the step before, {r.stored.floats:,} floats; compute the new row: "
            f"{r.stored.multiplications:,} multiplications instead of {r.naive.multiplications:,}.",
            "why": "This was run: in every operation, stored rows took the place of those computed again.",
            "verdict": _verdict(r.stored, tokens["stored"], tokens["naive"]),
        },
        {
            "title": "Only the last row matters, and it reads little",
            "focus": f"To choose the next token the readout takes the last row, and of all rows above it "
            f"this one reads only {read}: {r.cached.floats:,} of {r.stored.floats:,} stored floats.",
            "why": "Also run: one operation after the other had its stored rows replaced by NaN, all layers. "
            f"The last row's logits changed for {read}, and for no other.",
            "verdict": "Dimmed: stored, and read by nobody.",
        },
        {
            "title": "Second reduction: keep only K and V",
            "focus": f"{r.cached.floats:,} floats, {less}. What is computed stays the same: "
            f"{r.cached.multiplications:,} multiplications.",
            "why": "Computed: every operation of the new row, its k and v included. Reused: K and V of the "
            f"{_count(t, 'earlier row')}. Never stored: all other cells.",
            "verdict": _verdict(r.cached, tokens["cached"], tokens["naive"]),
        },
        {
            "title": "One step, three ways",
            "focus": "Three runs for the same token. The two that store something compute the same, "
            "and differ in what they keep.",
            "why": "The logits of the three runs are held against each other. They agree but for rounding: "
            "their matrices have other shapes."
            if r.premise.holds
            else "The premise is broken: what was stored is not what the naive pass computes.",
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


def _verdict(way: Way, token: str, naive_token: str) -> str:
    largest = f"largest difference of the logits {_small(way.difference)}"
    if way.difference <= SAME_RESULT and token == naive_token:
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
        f"{prefill:,} multiplications with a cache or without. The cache is only filled here. It pays from "
        f"the next token on: {cached:,} instead of {naive:,}."
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
PREMISES = {0: "as is", -1: "no causal mask", 1: "change a token"}
