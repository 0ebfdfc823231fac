"""What the browser gets of the parts that run the model: plain values and sentences with theirs."""

from collections.abc import Callable, Sequence
from typing import Any

from explainer.kit.encode import token_label
from explainer.kit.units import byte_size, milliseconds, rate
from explainer.kit.words import count
from explainer.prompt_caching.choice import (
    BLOCKS,
    BUDGETS,
    LONGEST,
    MISTAKES,
    PROMPT_PARTS,
    TEXTS,
    PromptCachingChoice,
)
from explainer.prompt_caching.measure import runs_of
from explainer.prompt_caching.mistakes import Pair, states
from explainer.prompt_caching.questions import documents_question, request_question
from explainer.prompt_caching.room import SHOWN, Entry, Room
from explainer.prompt_caching.words import (
    WORDS,
    line,
    mistake_values,
    percent,
    proof,
    proof_lines,
    question,
    room_names,
    small,
    tie_values,
)
from kvengine import Config, Tokenizer
from kvengine.ahead import Loaded
from kvengine.cost import cache_bytes
from kvengine.memory import FORMATS, kv_bytes
from kvengine.presets import presets
from kvengine.reuse import Served

#: Kept pays where it takes less than this share of the work: the first question only pays for the loading.
PAYS = 0.95

#: A document as people have them, in a model as people run them.
BIG_DOCUMENT, BIG_MODEL = 100_000, "llama-3.1-8b"


#: Of a request that was not measured yet: what is said in the place of its time, and whether one will come.
Late = Callable[[Entry], tuple[str, bool]]


def labels(tokenizer: Tokenizer, token_ids: Sequence[int]) -> list[str]:
    """The tokens of a text as they stand in a box."""
    return [token_label(text) for text in tokenizer.texts(token_ids)]


# ---- two requests ----------------------------------------------------------------------------------------


def requests_scene(
    room: Room,
    choice: PromptCachingChoice,
    tokenizer: Tokenizer,
    *,
    temperature: float,
    error: str,
    late: Late,
) -> dict[str, Any]:
    """The texts, the store's settings, and the last requests with what became of the store."""
    blocks = tuple(sorted({*BLOCKS, room.block}))
    budgets = tuple(sorted({*BUDGETS, room.budget}))
    shown = room.history[-SHOWN:]
    return {
        "texts": {name: getattr(choice, name) for name in PROMPT_PARTS},
        "more": TEXTS["more"],
        "longest": LONGEST,
        "block": room.block,
        "blocks": list(blocks),
        "budget": room.budget,
        "budgets": list(budgets),
        "rooms": room_names(cache_bytes(room.config, 1), budgets),
        "error": error,
        "runs": str(runs_of(room.config)),
        "asked": request_question(shown[-1], room.block) if shown else None,
        "entries": [
            _entry(room, entry, room.history[: room.history.index(entry)], tokenizer, temperature, late)
            for entry in shown
        ],
    }


def _entry(
    room: Room, entry: Entry, earlier: list[Entry], tokenizer: Tokenizer, temperature: float, late: Late
) -> dict[str, Any]:
    served, seconds = entry.served, entry.seconds
    waiting, comes = late(entry)
    n = len(served.token_ids)
    return {
        "number": entry.number,
        "question": next((text for text in reversed(entry.texts) if text), ""),
        "labels": labels(tokenizer, served.token_ids),
        "sizes": list(entry.sizes),
        "reused": served.reused,
        "answer": tokenizer.decode(list(served.answer_ids)),
        "line": line(entry, earlier, block=room.block, budget=room.budget),
        "numbers": {
            "tokens": _number([served.computed, n], [f"{served.computed:,}", f"{n:,}"]),
            "work": _number(served.multiplications, [rate(work) for work in served.multiplications]),
            "time": _number(seconds, [milliseconds(one) for one in seconds]) if seconds else None,
        },
        "late": waiting if served.reused else WORDS["requests"]["number"]["same"],
        # There is more to come: the browser asks for it.
        "pending": entry.proof is None or (served.reused > 0 and seconds is None and comes),
        "proof": proof(entry.proof) if entry.proof else None,
        "proof_lines": proof_lines(entry.proof, served.reused, temperature) if entry.proof else [],
        "tree": {
            "rate": percent(entry.hit_rate),
            "stored": byte_size(entry.stored),
            "budget": byte_size(cache_bytes(room.config, room.budget)),
            "bars": [list(vars(bar).values()) for bar in entry.tree],
        },
    }


def _number(values: Sequence[float], said: list[str]) -> dict[str, Any]:
    """A number with the store and without: how it is said, and how long its bar is."""
    most = max(*values, 1e-12)
    return {"said": said, "share": [value / most for value in values]}


# ---- what breaks it --------------------------------------------------------------------------------------


def mistake_scene(key: str, found: Pair, tokenizer: Tokenizer) -> dict[str, Any]:
    """One mistake: both texts, what is asked, and what the second request's rows are in each layer."""
    known, after, block = found.known, found.after, found.block
    before_n = len(found.before.token_ids)
    values = mistake_values(found, _answers(found, tokenizer))
    if found.close:
        values |= tie_values(found.close, found.name, lambda token: labels(tokenizer, [token])[0])
    return {
        "key": key,
        "names": {name: WORDS["mistake"][name]["name"] for name in MISTAKES},
        "block": block,
        "before": labels(tokenizer, found.before.token_ids),
        "known": len(known) // block * block,
        "answer": labels(tokenizer, known[before_n:]) if key == "answer" else [],
        "after": labels(tokenizer, after.token_ids),
        "reused": after.reused,
        "common": found.common,
        "states": states(found),
        "question": question(key, found),
        "lead": {"text": WORDS["mistakes"]["lead_tie" if found.close else "lead"], "values": {}},
        "largest": WORDS["mistakes"]["largest" if found.differ else "largest_same"],
        "because": "because_same" if found.close and not found.flipped else "because",
        "values": values,
    }


def _answers(found: Pair, tokenizer: Tokenizer) -> tuple[str, str]:
    def said(served: Served) -> str:
        return tokenizer.decode(list(served.answer_ids)).strip().replace("\n", " ")

    return said(found.before), said(found.after)


# ---- documents ahead -------------------------------------------------------------------------------------


def documents_scene(
    texts: Sequence[str],
    loaded: Loaded | None,
    config: Config,
    decode: Callable[[list[int]], str],
    error: str,
    seconds: Sequence[tuple[float, ...]] | None,
    late: tuple[str, bool],
) -> dict[str, Any]:
    """The document and its questions, and what they cost both ways; `seconds` as times_behind yields them."""
    scene: dict[str, Any] = {"texts": list(texts), "longest": LONGEST, "error": error, "found": None}
    if loaded is None:
        return scene
    asked = loaded.questions
    again = [sum(one.multiplications[1] for one in asked[: i + 1]) for i in range(len(asked))]
    kept = [
        loaded.multiplications + sum(one.multiplications[0] for one in asked[: i + 1])
        for i in range(len(asked))
    ]
    pays = next(
        (i + 1 for i, (ours, full) in enumerate(zip(kept, again, strict=True)) if ours < PAYS * full), None
    )
    same = all(one.answer_ids == one.plain_ids for one in asked)
    n, words, big = len(loaded.document_ids), WORDS["documents"], presets()[BIG_MODEL]
    values = {
        "questions": count(len(asked), "question"),
        "ratio": f"{again[-1] / kept[-1]:.1f}" if asked else "",
        "from": str(pays),
        "largest": small(max((one.difference for one in asked), default=0)),
        "bytes": byte_size(loaded.nbytes),
        "tokens": f"{n:,}",
        "positions": f"{config.max_seq_len:,}",
        "big": f"{BIG_DOCUMENT:,}",
        "big_bytes": byte_size(kv_bytes(big.shape, BIG_DOCUMENT, FORMATS["bf16"])),
        "big_model": big.name,
        "runs": str(runs_of(config)),
    }
    times_of = [[milliseconds(one) for one in each] for each in seconds or ()]
    most = max(again[-1], kept[-1]) if asked else 1
    scene["asked"] = documents_question(loaded)
    scene["found"] = {
        "tokens": count(n, "token"),
        "load": {
            "work": rate(loaded.multiplications),
            "share": loaded.multiplications / most,
            "time": times_of[0][0] if times_of else "",
        },
        "late": late[0],
        "pending": not times_of and late[1],
        "rows": [
            {
                "answer": decode(list(one.answer_ids)),
                "work": [rate(work) for work in one.multiplications],
                "time": times_of[i] if times_of else [],
                "shares": [one.multiplications[0] / most, one.multiplications[1] / most],
            }
            for i, one in enumerate(asked, start=1)
        ],
        "totals": [rate(kept[-1]), rate(again[-1])] if asked else [],
        "verdict": words["total" if pays else "never"],
        "same": words["same" if same else "differs"],
        "values": values,
    }
    return scene
