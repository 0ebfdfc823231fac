"""What one can be asked about the two memories, at the steps where something of them shows first."""

from collections.abc import Sequence
from typing import Any

from explainer.kit.asking import Option, asked
from explainer.kit.words import count
from kvengine.paging import Moment, Request

Question = dict[str, Any]


def questions(
    requests: Sequence[Request],
    rows: Sequence[Moment],
    paged: Sequence[Moment],
    *,
    places: int,
    row: int,
    block: int,
) -> dict[str, Question]:
    """At most three, by the stage that each is asked before: what is reserved, handed out, and who waits."""
    found = [
        _share(requests, rows, row),
        _another(paged, row, block),
        _waits(requests, rows, paged, places, row, block),
    ]
    return {str(1 + step): question for step, question in filter(None, found) if question}


def _letter(request: int) -> str:
    return chr(ord("A") + request)


def _share(
    requests: Sequence[Request], rows: Sequence[Moment], row: int
) -> tuple[int, Question | None] | None:
    """How much of what is reserved holds a token, when the first texts begin?"""
    step = next((i for i, moment in enumerate(rows) if moment.held), None)
    if step is None:
        return None
    now = rows[step]
    share = round(100 * now.used / now.reserved)
    values = {
        "texts": count(len(now.held), "text begins", "texts begin"),
        "prompts": count(sum(requests[held.request].prompt for held in now.held), "token"),
        "row": f"{row:,}",
        "used": f"{now.used:,}",
        "reserved": f"{now.reserved:,}",
    }
    return step, asked(
        "share",
        Option(f"{share}%", "right", share),
        Option("100%", "all", 100),
        Option("none yet", "none", 0),
        values=values,
        veil=True,  # the curve and the counts have it
    )


def _another(paged: Sequence[Moment], row: int, block: int) -> tuple[int, Question | None] | None:
    """What is handed out to a text whose blocks are full?"""
    for step in range(1, len(paged)):
        before = {held.request: held for held in paged[step - 1].held}
        for held in paged[step].held:
            old = before.get(held.request)
            if not old or old.tokens % block or held.tokens != old.tokens + 1:
                continue
            values = {
                "letter": _letter(held.request),
                "full": count(old.tokens, "token"),
                "tokens": count(held.tokens, "token"),
                "reserved": f"{held.reserved:,}",
                "empty": f"{held.reserved - held.tokens:,}",
                "block": f"{block:,}",
                "row": f"{row:,}",
            }
            return step, asked(
                "another",
                Option(count(block, "place"), "right", block),
                Option("1 place", "one", 1),
                Option(count(row, "place"), "row", row),
                values=values,
            )
    return None


def _waits(
    requests: Sequence[Request],
    rows: Sequence[Moment],
    paged: Sequence[Moment],
    places: int,
    row: int,
    block: int,
) -> tuple[int, Question | None] | None:
    """Can a request start at once, that finds no row and enough blocks?"""
    for step, (in_rows, in_blocks) in enumerate(zip(rows, paged, strict=False)):
        held = {one.request: one for one in in_blocks.held}
        new = [one for one in in_rows.waiting if one in held and requests[one].arrives == step]
        if not new:
            continue
        values = {
            "letter": _letter(new[0]),
            "prompt": count(requests[new[0]].prompt, "token"),
            "places": f"{places:,}",
            "row": f"{row:,}",
            "block": f"{block:,}",
            "rows_reserved": f"{in_rows.reserved:,}",
            "rows_used": f"{in_rows.used:,}",
            "blocks_reserved": f"{in_blocks.reserved:,}",
            "taken": count(held[new[0]].reserved, "place"),
        }
        return step, asked(
            "waits",
            Option("only in blocks", "right", 1),
            Option("only in rows", "rows", 0),
            Option("in both", "both", 2),
            Option("in neither", "neither", 3),
            values=values,
        )
    return None
