"""The equations of a layer's operations, row under row, each row in the colour that was found for it."""

from collections.abc import Callable
from typing import Literal

from explainer.story.formula import formula, fraction, op, root, row, total, turned, var

Kind = Literal["cached", "fresh", "differs", "masked"]


def _words(text: str) -> str:
    return f"<mtext>{text}</mtext>"


class Math:
    """Equations over t earlier rows and a new one; `kind(operation, i, j)` is what was found there."""

    def __init__(self, t: int, kind: Callable[[str, int, int | None], Kind]) -> None:
        self.t, self.kind = t, kind
        self.shown = (0, None, t - 1, t) if t > 2 else tuple(range(t + 1))

    def _matrix(self, cells: Callable[[int], list[str]], width: int = 1) -> str:
        lines = []
        for i in self.shown:
            entries = [op("⋮")] * width if i is None else cells(i)
            lines.append("<mtr>" + "".join(f"<mtd>{entry}</mtd>" for entry in entries) + "</mtr>")
        return "<mtable>" + "".join(lines) + "</mtable>"

    def _rows(self, key: str, entry: Callable[[int], str]) -> str:
        return self._matrix(lambda i: [row(entry(i), kind=self.kind(key, i, None))])

    def column(self, key: str, name: str) -> tuple[str, ...]:
        return (formula(var(name.upper()), op("="), self._rows(key, lambda i: var(name, i))),)

    def rowwise(self, key: str, pattern: str, result: str) -> tuple[str, ...]:
        """`pattern` is applied to each row alone: its single letters o, x, y, g, m, f get the row's index."""

        def entry(i: int) -> str:
            parts = []
            for piece in _pieces(pattern):
                parts.append(var(piece, i) if piece in {"o", "x", "y", "g", "m", "f"} else _plain(piece))
            return row(*parts)

        return (formula(self._rows(key, entry), op("="), self._rows(key, lambda i: var(result, i))),)

    def projected(self, key: str, name: str, matrix: str, *, turned: bool) -> tuple[str, ...]:
        def entry(i: int) -> str:
            product = row(var("h", i), var("W", matrix))
            return _turned(i, product) if turned else product

        return (
            formula(
                var(matrix), op("="), self._rows(key, entry), op("="), self._rows(key, lambda i: var(name, i))
            ),
        )

    def _square(self, key: str, entry: Callable[[int, int], str], hidden: str) -> str:
        columns = (0, None, self.t) if self.t > 1 else (0, 1)

        def cells(i: int) -> list[str]:
            found = []
            for j in columns:
                kind = self.kind(key, i, j) if j is not None else "fresh"
                inside = op("⋯") if j is None else hidden if kind == "masked" else entry(i, j)
                found.append(row(inside, kind="" if j is None else kind))
            return found

        return self._matrix(cells, len(columns))

    def scores(self, head_dim: int) -> tuple[str, ...]:
        grid = self._square(
            "scores", lambda i, j: row(var("q", i), op("·"), var("k", j)), row(op("−"), op("∞"))
        )
        return (formula(var("S"), op("="), fraction("<mn>1</mn>", root(f"<mn>{head_dim}</mn>")), grid),)

    def weights(self) -> tuple[str, ...]:
        grid = self._square(
            "weights", lambda i, j: f"<msub><mi>a</mi>{row(_n(i), op(','), _n(j))}</msub>", _n(0)
        )
        rule = formula(
            f"<msub><mi>a</mi>{row('<mi>i</mi>', op(','), '<mi>j</mi>')}</msub>",
            op("="),
            fraction(
                f"<msup><mi>e</mi>{_index('s', 'i', 'j')}</msup>",
                row(total("l"), f"<msup><mi>e</mi>{_index('s', 'i', 'l')}</msup>"),
            ),
        )
        return (
            formula(var("A"), op("="), _words("softmax"), op("("), var("S"), op(")"), op("="), grid),
            rule,
        )

    def mixed(self) -> tuple[str, ...]:
        def entry(i: int) -> str:
            return row(
                total("j"), f"<msub><mi>a</mi>{row(_n(i), op(','), '<mi>j</mi>')}</msub>", var("v", "j")
            )

        return (formula(self._rows("z", entry), op("="), self._rows("z", lambda i: var("z", i))),)

    def concatenated(self, heads: int) -> tuple[str, ...]:
        def entry(i: int) -> str:
            def z(head: int) -> str:
                return f"<msubsup><mi>z</mi>{_n(i)}{row(op('('), _n(head), op(')'))}</msubsup>"

            return row(z(0), *([op("…"), z(heads - 1)] if heads > 1 else []))

        return (
            formula(
                self._rows("out", entry), var("W", "O"), op("="), self._rows("out", lambda i: var("o", i))
            ),
        )

    def readout(self) -> tuple[str, ...]:
        last = row(_words("norm"), op("("), var("x", self.t), op(")"), kind="fresh")
        return (
            formula(var("logits", kind="fresh"), op("="), last, "<msup><mi>E</mi><mtext>T</mtext></msup>"),
        )


def _turned(i: int, inside: str) -> str:
    return turned(i, inside)


def _n(i: int) -> str:
    return f"<mn>{i}</mn>"


def _index(name: str, i: str, j: str) -> str:
    return f"<msub><mi>{name}</mi>{row(f'<mi>{i}</mi>', op(','), f'<mi>{j}</mi>')}</msub>"


def _pieces(pattern: str) -> list[str]:
    """ "norm(x)" -> ["norm", "(", "x", ")"]."""
    pieces: list[str] = []
    for sign in pattern.replace(" ", ""):
        if sign.isalpha() and pieces and pieces[-1].isalpha():
            pieces[-1] += sign
        else:
            pieces.append(sign)
    return pieces


def _plain(piece: str) -> str:
    return _words(piece) if piece.isalpha() else op(piece)
