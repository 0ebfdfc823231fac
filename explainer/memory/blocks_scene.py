"""What the browser gets of the requests: both memories, step by step."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from explainer.kit.words import count
from explainer.memory.blocks_questions import questions
from explainer.memory.words import WORDS, explained, small
from kvengine.paged_cache import PagedRun
from kvengine.paging import BLOCK, Moment, Request, TraceError, simulate

#: Owner of a block that nobody has, and start of a row that nobody has.
NOBODY, NOWHERE = 255, 65_535

DEFAULT = "0-12-20_0-60-30_2-8-12_4-30-60_6-5-8_8-90-20_10-20-40_14-10-10"


def read(said: str) -> tuple[Request, ...]:
    """Requests from "arrives-prompt-new_…", as the address has them. Raises `TraceError`."""
    found = []
    for number, part in enumerate((said or DEFAULT).split("_"), start=1):
        try:
            arrives, prompt, new = (int(value) for value in part.split("-"))
        except ValueError:
            raise TraceError(
                f"Request {number}, “{part[:24]}”, is no request; each has three whole numbers: "
                "the step at which it arrives, the tokens of its prompt, and its new tokens."
            ) from None
        found.append(Request(arrives, prompt, new))
    return tuple(found)


def lines(said: str) -> str:
    """The same as lines that one can edit."""
    return "\n".join(part.replace("-", " ") for part in (said or DEFAULT).split("_"))


def from_lines(text: str) -> str:
    """What was edited, as the address has it; what is no number is refused when it is read."""
    parts = ("-".join(line.replace(",", " ").split()) for line in text.splitlines() if line.strip())
    said = "_".join(parts)
    return "" if said == DEFAULT else said or "-"


def scene(requests: Sequence[Request], *, places: int, row: int, proof: PagedRun | None) -> dict[str, Any]:
    """Both memories at every step. Raises `TraceError`."""
    rows = simulate(requests, places=places, longest=row)
    paged = simulate(requests, places=places, longest=row, block=BLOCK)
    return {
        "places": places,
        "row": row,
        "block": BLOCK,
        "requests": [[r.arrives, r.prompt, r.new] for r in requests],
        "steps": max(len(rows), len(paged)),
        "rows": _counted(rows, len(requests)) | {"start": _starts(rows, len(requests))},
        "paged": _counted(paged, len(requests)) | _blocks(paged, len(requests), places // BLOCK),
        "proof": proof and _proof(proof),
        "questions": questions(requests, rows, paged, places=places, row=row, block=BLOCK),
        "words": WORDS["blocks"],
        "terms": explained("blocks"),
    }


def _counted(moments: Sequence[Moment], n: int) -> dict[str, Any]:
    tokens = np.zeros((len(moments), n), dtype=np.uint16)
    for line, moment in zip(tokens, moments, strict=True):
        for held in moment.held:
            line[held.request] = held.tokens
    return {
        "tokens": tokens,
        "used": [moment.used for moment in moments],
        "reserved": [moment.reserved for moment in moments],
        "running": [len(moment.held) for moment in moments],
        "waiting": [len(moment.waiting) for moment in moments],
        "finished": [len(moment.finished) for moment in moments],
        "put_back": [moment.put_back for moment in moments],
    }


def _starts(moments: Sequence[Moment], n: int) -> np.ndarray:
    """Where each request's row begins. [steps, requests]"""
    starts = np.full((len(moments), n), NOWHERE, dtype=np.uint16)
    for line, moment in zip(starts, moments, strict=True):
        for held in moment.held:
            line[held.request] = held.spans[0][0]
    return starts


def _blocks(moments: Sequence[Moment], n: int, n_blocks: int) -> dict[str, np.ndarray]:
    """Whose each block is [steps, blocks], and which is the last one of each request [steps, requests]."""
    owner = np.full((len(moments), n_blocks), NOBODY, dtype=np.uint8)
    last = np.full((len(moments), n), NOWHERE, dtype=np.uint16)
    for owners, lasts, moment in zip(owner, last, moments, strict=True):
        for held in moment.held:
            for start, _ in held.spans:
                owners[start // BLOCK] = held.request
            lasts[held.request] = held.spans[-1][0] // BLOCK
    return {"owner": owner, "last": last}


def _proof(run: PagedRun) -> dict[str, Any]:
    return {
        "same": run.same,
        "values": {
            "tokens": count(len(run.token_ids), "token"),
            "blocks": count(len(run.table), "block"),
            "order": ", ".join(map(str, run.table)),
            "difference": small(run.difference),
        },
    }
