"""What the comparison of two steps found, and what follows from it: counted from the states of the cells."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from explainer.avoided_work.questions import read_names
from explainer.avoided_work.words import KEYS, WORDS, for_class
from explainer.kit.units import byte_size
from explainer.kit.words import count
from kvengine.compare import TOLERANCE, State
from kvengine.config import Config
from kvengine.experiments import Recomputation, Way, name_of
from kvengine.proof import TOLERANCE as SAME_RESULT

#: What the reductions keep, by mode: the way that was run for it.
WAY_OF = {"again": "naive", "all": "stored", "kv": "cached"}


# ---- shares ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Share:
    """Of the cells of a naive step, those that came out as before, and those that came out differently.

    The others are new. What the mask hides is left out.
    """

    equal: float
    different: float

    @property
    def new(self) -> float:
        return 1 - self.equal - self.different


def shares(r: Recomputation) -> dict[str, Share]:
    """By operation, all layers together, and of all operations as `all`.

    `x` is the embedding alone: what later layers take in is an earlier result.
    """
    n_layers = sum(name.endswith(".attn_norm") for name in r.tensors)
    tensors = {key: [r.tensors[name_of(key, layer)] for layer in range(n_layers)] for key in KEYS[1:-1]}
    tensors |= {"x": [r.tensors["embed"]], "all": list(r.tensors.values())}
    found = {}
    for key, compared in tensors.items():
        counts = [sum(tensor.count(state) for tensor in compared) for state in State]
        total = sum(counts) - counts[State.MASKED]
        found[key] = Share(counts[State.EQUAL] / total, counts[State.DIFFERENT] / total)
    return {key: found[key] for key in (*KEYS[:-1], "all")}


# ---- the comparison, in one line -------------------------------------------------------------------------


def finding(r: Recomputation, config: Config, labels: list[str], originals: list[str]) -> dict[str, Any]:
    """How many numbers of the whole model came out as before, and where the largest difference is."""
    largest = r.largest[1].largest
    where = _where_largest(r, config)
    told = WORDS["finding"]
    case = "holds" if r.premise.holds else "changed" if r.premise.causal else "unmasked"
    said = {
        "token": labels[-1],
        "layers": count(config.n_layers, "layer"),
        "equal": f"{r.equal:,}",
        "compared": f"{r.compared:,}",
        "tolerance": small(TOLERANCE),
        "largest": small(largest),
        "where_layer": str(where["layer"]),
        "where_operation": WORDS["operation"][where["op"]]["rail"],
        "where_row": str(where["row"]),
    }
    if case == "changed":
        row = r.premise.changed or 0
        said |= {
            "original": originals[row],
            "changed": labels[row],
            "rows_above": count(row, "row"),
            "above_row": _of(r, lambda name: True, 0, row),
            "first_layer": _of(r, _in_first, row, r.t),
            "other_layers": _of(r, lambda name: not _in_first(name), row, r.t),
        }
    elif case == "unmasked":
        said |= {
            "early": _of(r, _before_softmax, 0, r.t),
            "late": _of(r, lambda name: not _before_softmax(name), 0, r.t),
        }
    return {
        "text": told[case],
        "tolerance": told["tolerance"],
        "largest": told["largest"] if largest else told["exact"],
        "jump": told["where"] if largest else "",
        "where": where,
        "holds": r.equal == r.compared,
        "values": said,
    }


def _in_first(name: str) -> bool:
    return name == "embed" or name.startswith("layers.0.")


def _before_softmax(name: str) -> bool:
    return name in {name_of(key, 0) for key in ("x", "norm", "q", "k", "v", "scores")}


def _of(r: Recomputation, chosen: Callable[[str], bool], start: int, end: int) -> str:
    """ "7 of 9": equal and compared cells of the chosen tensors in the rows start … end."""
    equal = compared = 0
    for name, tensor in r.tensors.items():
        if chosen(name):
            state = tensor.state[..., start:end, :]
            same = int((state == State.EQUAL).sum())
            equal, compared = equal + same, compared + same + int((state == State.DIFFERENT).sum())
    return f"{equal:,} of {compared:,}"


def _where_largest(r: Recomputation, config: Config) -> dict[str, Any]:
    """The operation, layer, head and cell of the largest difference of all."""
    name, tensor = r.largest
    head, row, col = tensor.where if len(tensor.where) == 3 else (0, *tensor.where)
    places = ((layer, key) for layer in range(config.n_layers) for key in KEYS[:-1])
    layer, key = next((layer, key) for layer, key in places if name_of(key, layer) == name)
    return {"layer": layer, "op": key, "head": head, "row": row, "col": col, "largest": tensor.largest}


# ---- the reductions --------------------------------------------------------------------------------------


def reductions(r: Recomputation, text_of: Callable[[int], str]) -> list[dict[str, Any]]:
    """The steps from everything again to the cache: which sentences each says."""
    said = []
    for told in WORDS["reduction"]:
        mode = told["mode"]
        why = told["why"] if r.premise.holds else told.get("why_broken", told["why"])
        step: dict[str, Any] = {name: told[name] for name in ("mode", "rail", "title", "focus")} | {
            "why": why
        }
        if r.premise.holds:
            step |= for_class(told)
        if mode in WAY_OF:
            step |= _verdict(r, WAY_OF[mode], text_of)
        elif "verdict" in told:
            step |= {"verdict": told["verdict"], "holds": True}
        said.append(step)
    return said


def reduction_values(r: Recomputation) -> dict[str, str]:
    """What fills the reductions' sentences in, beside the values of the operations."""
    return {
        "equal": f"{r.equal:,}",
        "naive_work": f"{r.naive.multiplications:,}",
        "stored_work": f"{r.stored.multiplications:,}",
        "cached_work": f"{r.cached.multiplications:,}",
        "stored_floats": f"{r.stored.floats:,}",
        "cached_floats": f"{r.cached.floats:,}",
        "share": _percent(r),
        "read": read_names(r),
    }


def ways(r: Recomputation, text_of: Callable[[int], str]) -> list[dict[str, Any]]:
    """The three ways as they were run: what each kept, computed, and came to."""
    told = WORDS["ways"]
    return [
        {
            "key": key,
            "mode": mode,
            "title": told[key],
            "floats": way.floats,
            "multiplications": way.multiplications,
            "holds": _holds(r, way),
            "values": {
                "work": f"{way.multiplications:,}",
                "floats": f"{way.floats:,}",
                "bytes": byte_size(way.bytes),
                "token": text_of(way.next_token),
                "probability": f"{way.probability:.3f}",
                "difference": small(way.difference),
            },
        }
        for (mode, key), way in zip(WAY_OF.items(), (r.naive, r.stored, r.cached), strict=True)
    ]


def small(x: float) -> str:
    """7.6e−6; 0.35 where it is not small at all."""
    return f"{x:.2f}" if x == 0 or x >= 0.01 else f"{x:.1e}".replace(".0e", "e").replace("e-0", "e−")


def _holds(r: Recomputation, way: Way) -> bool:
    return way.difference <= SAME_RESULT and way.next_token == r.naive.next_token


def _verdict(r: Recomputation, key: str, text_of: Callable[[int], str]) -> dict[str, Any]:
    way: Way = getattr(r, key)
    if key == "naive":
        case = "naive"
    elif _holds(r, way):
        case = "same"
    else:
        case = "differs" if way.next_token == r.naive.next_token else "other"
    said = {
        "token": text_of(way.next_token),
        "naive_token": text_of(r.naive.next_token),
        "difference": small(way.difference),
    }
    return {"verdict": WORDS["verdict"][case], "verdict_values": said, "holds": case in ("naive", "same")}


def _percent(r: Recomputation) -> str:
    return f"{r.cached.floats / r.stored.floats:.0%}"
