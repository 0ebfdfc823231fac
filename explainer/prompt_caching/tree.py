"""The tree of stored beginnings, as bars: blocks in a row, without a fork and in one state, are one bar."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from kvengine.prefix import Block, Slab

#: What a request did with a block.
READ, NEW, KEPT, GONE = "read", "new", "kept", "gone"

#: Characters of a bar's text that are sent.
LONGEST = 90


@dataclass(frozen=True)
class Bar:
    """`length` tokens from `start`, in so many blocks, on a row; `above` is the row that it branches off.

    `hash` is the beginning of its last block's.
    """

    row: int
    start: int
    length: int
    blocks: int
    state: str
    above: int
    text: str
    hash: str


def bars(
    blocks: Sequence[Block[Slab]],
    *,
    root: bytes,
    read: Collection[bytes],
    new: Collection[bytes],
    gone: Collection[bytes],
    born: Mapping[bytes, int],
    text_of: Callable[[list[int]], str],
) -> list[Bar]:
    """All blocks as bars, row by row. The child that was `born` first goes on in its parent's row."""
    children: dict[bytes, list[Block[Slab]]] = {}
    for block in sorted(blocks, key=lambda block: born[block.key]):
        children.setdefault(block.parent, []).append(block)

    def state(block: Block[Slab]) -> str:
        if block.key in gone:
            return GONE
        return READ if block.key in read else NEW if block.key in new else KEPT

    found: list[Bar] = []
    rows = 0
    # Depth first, without recursion: with blocks of one token a text is hundreds of blocks deep.
    waiting = [(block, -1) for block in reversed(children.get(root, []))]
    while waiting:
        block, above = waiting.pop()
        row, rows = rows, rows + 1
        line: Block[Slab] | None = block
        while line is not None:
            run = [line]
            below = children.get(line.key, [])
            while len(below) == 1 and state(below[0]) == state(run[0]):
                run.append(below[0])
                below = children.get(run[-1].key, [])
            ids = [token for one in run for token in one.token_ids]
            text = text_of(ids)
            text = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
            found.append(
                Bar(row, run[0].start, len(ids), len(run), state(run[0]), above, text, run[-1].key.hex()[:8])
            )
            above = -1
            waiting += [(other, row) for other in reversed(below[1:])]
            line = below[0] if below else None
    return found
