"""The equations of a layer's operations, row under row, each row in the colour that was found for it."""

from collections.abc import Callable
from typing import Literal

from explainer.kit.formula import formula, fraction, op, root, row, total, turned, var

Kind = Literal["again", "fresh", "differs", "masked"]

#: What is written into the place of row or column i.
Entry = Callable[[int], str]

#: The operations whose rows come from one row each: entries, from the first form of a row to the last.
_ROWS: dict[str, tuple[Entry, ...]] = {
    "x": (lambda i: var("x", i),),
    "norm": (lambda i: _norm("x", i), lambda i: var("h", i)),
    "q": (lambda i: turned(i, _times("h", i, var("W", "Q"))), lambda i: var("q", i)),
    "k": (lambda i: turned(i, _times("h", i, var("W", "K"))), lambda i: var("k", i)),
    "v": (lambda i: _times("h", i, var("W", "V")), lambda i: var("v", i)),
    "z": (lambda i: row(total("j"), _cell("a", i, "j"), var("v", "j")), lambda i: var("z", i)),
    "mid": (lambda i: row(var("o", i), op("+"), var("x", i)), lambda i: var("y", i)),
    "ffn_norm": (lambda i: _norm("y", i), lambda i: var("g", i)),
    "hidden": (
        lambda i: row(
            _text("SiLU"), _bracket(_times("g", i, _text("Gate"))), op("⊙"), _times("g", i, _text("Up"))
        ),
        lambda i: var("m", i),
    ),
    "ffn": (lambda i: _times("m", i, _text("Down")), lambda i: var("f", i)),
    "post": (lambda i: row(var("f", i), op("+"), var("y", i)), lambda i: var("x", i)),
}


class Equations:
    """Of one layer over t earlier rows and a new one; `kind(operation, i, j)` is what was found there."""

    def __init__(
        self, t: int, n_heads: int, head_dim: int, kind: Callable[[str, int, int | None], Kind]
    ) -> None:
        self.t, self.n_heads, self.head_dim, self.kind = t, n_heads, head_dim, kind

    def of(self, key: str) -> tuple[str, ...]:
        if key == "scores":
            grid = self._square(
                key, lambda i, j: row(var("q", i), op("·"), var("k", j)), row(op("−"), op("∞"))
            )
            return (formula(var("S"), op("="), fraction(_n(1), root(_n(self.head_dim))), grid),)
        if key == "weights":
            grid = self._square(key, lambda i, j: _cell("a", i, j), _n(0))
            return (formula(var("A"), op("="), _text("softmax"), _bracket(var("S")), op("="), grid),)
        if key == "readout":
            last = row(_norm("x", self.t), kind="fresh", ref="new")
            return (
                formula(
                    var("logits", kind="fresh"), op("="), last, "<msup><mi>E</mi><mtext>T</mtext></msup>"
                ),
            )
        entries = _ROWS.get(key) or (self._heads, lambda i: var("o", i))
        name = [var(key.upper()), op("=")] if key in ("x", "q", "k", "v") else []
        matrices = [part for entry in entries for part in (op("="), self._matrix(self._lines(key, entry)))]
        return (formula(*name, *matrices[1:]),)

    def _heads(self, i: int) -> str:
        """The heads of row i side by side, times W_O."""
        shown = [0, self.n_heads - 1][: self.n_heads]
        heads = [f"<msubsup><mi>z</mi>{_n(i)}{row(op('('), _n(head), op(')'))}</msubsup>" for head in shown]
        return row(op("["), op("…").join(heads), op("]"), var("W", "O"))

    def _rows(self) -> tuple[int | None, ...]:
        """The rows that are written out; None stands for those between."""
        return (0, None, self.t - 1, self.t) if self.t > 2 else tuple(range(self.t + 1))

    def _lines(self, key: str, entry: Entry) -> list[list[str]]:
        def line(i: int) -> str:
            return row(entry(i), kind=self.kind(key, i, None), ref="new" if i == self.t else "old")

        return [[op("⋮") if i is None else line(i)] for i in self._rows()]

    def _square(self, key: str, entry: Callable[[int, int], str], hidden: str) -> str:
        columns = (0, None, self.t) if self.t > 1 else (0, 1)

        def cell(i: int | None, j: int | None) -> str:
            if i is None:
                return op("⋮")
            if j is None:
                return op("⋯")
            kind = self.kind(key, i, j)
            return row(hidden if kind == "masked" else entry(i, j), kind=kind)

        return self._matrix([[cell(i, j) for j in columns] for i in self._rows()])

    @staticmethod
    def _matrix(lines: list[list[str]]) -> str:
        cells = ["".join(f"<mtd>{entry}</mtd>" for entry in line) for line in lines]
        return "<mtable>" + "".join(f"<mtr>{line}</mtr>" for line in cells) + "</mtable>"


def _n(i: int) -> str:
    return f"<mn>{i}</mn>"


def _text(word: str) -> str:
    return f"<mtext>{word}</mtext>"


def _bracket(inside: str) -> str:
    """In brackets of the height of a line, whatever stands in them."""
    return f'<mo stretchy="false">(</mo>{inside}<mo stretchy="false">)</mo>'


def _norm(name: str, i: int) -> str:
    return row(_text("norm"), _bracket(var(name, i)))


def _times(name: str, i: int, matrix: str) -> str:
    return row(var(name, i), matrix)


def _cell(name: str, i: int, j: int | str) -> str:
    column = _n(j) if isinstance(j, int) else f"<mi>{j}</mi>"
    return f"<msub><mi>{name}</mi>{row(_n(i), op(','), column)}</msub>"
