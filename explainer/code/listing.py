"""Python text as lines of coloured pieces, by Python's own tokenizer: nothing is guessed from its looks."""

import ast
import io
import keyword
import token
import tokenize
from collections.abc import Collection, Sequence
from typing import Any

from kvengine.source import FUNCTIONS, Function, functions, source_lines

#: A piece of a line: its text, its kind ("" is plain), and the variable that it names, if any. Plain text is
#: that alone: it is most of the code, and each run of a page sends all of it.
Piece = tuple[str, str, str] | str

#: A docstring of more lines is cut to its first.
_CUT = " …"


def pieces(text: str, variables: Collection[str] = ()) -> list[list[Piece]]:
    """Each line of a Python text as pieces, white space included: joined, they are the text again."""
    lines: list[list[Piece]] = [[] for _ in text.split("\n")]
    at = (1, 0)
    rows = text.split("\n")

    def add(row: int, start: int, end: int, kind: str, variable: str = "") -> None:
        line, text = lines[row - 1], rows[row - 1][start:end]
        if kind or variable:
            line.append((text, kind, variable))
        elif line and isinstance(line[-1], str):
            line[-1] += text
        elif text:
            line.append(text)

    before, name_before = "", ""
    for piece in tokenize.generate_tokens(io.StringIO(text).readline):
        if piece.type in (token.NEWLINE, token.NL, token.INDENT, token.DEDENT, token.ENDMARKER):
            continue
        (first, start), (last, end) = piece.start, piece.end
        if first > at[0]:
            at = (first, 0)
        add(first, at[1], start, "")
        kind = _kind(piece)
        variable = piece.string if piece.string in variables and before != "." and not kind else ""
        if piece.type == token.NAME and name_before in ("def", "class"):
            kind = "def"
        for row in range(first, last + 1):
            add(row, start if row == first else 0, end if row == last else len(rows[row - 1]), kind, variable)
        before = piece.string
        name_before = piece.string if piece.type == token.NAME else ""
        at = (last, end)
    return lines


def joined(line: Sequence[Piece]) -> str:
    """The text of a line again."""
    return "".join(piece if isinstance(piece, str) else piece[0] for piece in line)


def _kind(piece: tokenize.TokenInfo) -> str:
    if piece.type == token.COMMENT:
        return "com"
    if piece.type == token.STRING or tokenize.tok_name[piece.type].startswith("FSTRING"):
        return "str"
    if piece.type == token.NUMBER:
        return "num"
    if piece.type == token.NAME and keyword.iskeyword(piece.string):
        return "kw"
    return ""


def _locals(function: Function) -> set[str]:
    """The names of a function's own variables and arguments."""
    nodes = list(ast.walk(function.node))
    stored = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return stored | {node.arg for node in nodes if isinstance(node, ast.arg)}


def files() -> list[dict[str, Any]]:
    """The source that a step runs through: module by module the functions' lines, with their line numbers.

    A line is {"n": number, "pieces": …}; `gap` says that lines of the file are left out before it.
    """
    return [
        {"module": module, "name": module.replace(".", "/") + ".py", "lines": _lines(module)}
        for module in FUNCTIONS
    ]


def _lines(module: str) -> list[dict[str, Any]]:
    text = source_lines(module)
    shown: list[dict[str, Any]] = []
    for function in functions(module):
        body = text[function.first - 1 : function.last]
        # A method stands inside a class: to be read by itself its indentation needs a head.
        head = ["if 1:"] if body[0].startswith(" ") else []
        coloured = pieces("\n".join([*head, *body]), _locals(function))[len(head) :]
        for n, line in enumerate(coloured, start=function.first):
            if n in function.doc and n != function.doc.start:
                continue
            cut = [(_CUT, "com", "")] if n in function.doc and len(function.doc) > 1 else []
            gap = {"gap": True} if shown and n == function.first else {}
            shown.append({"n": n, "pieces": [*line, *cut], **gap})
    return shown
