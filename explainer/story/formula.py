"""Formulas as MathML, which browsers set and screen readers read without a library.

A class on a part says what happened to it: `fresh` for this step's work, `cached` for what is read.
"""


def formula(*parts: str) -> str:
    return '<math displaystyle="true">' + "".join(parts) + "</math>"


def row(*parts: str, kind: str = "") -> str:
    return f'<mrow class="{kind}">' + "".join(parts) + "</mrow>"


def var(name: str, index: str | int | None = None, kind: str = "") -> str:
    """A vector or matrix, with its index below it."""
    letter = f"<mi>{name}</mi>" if len(name) == 1 else f"<mtext>{name}</mtext>"
    if index is None:
        return f'<mrow class="{kind}">{letter}</mrow>'
    below = f"<mn>{index}</mn>" if isinstance(index, int) else f"<mi>{index}</mi>"
    return f'<msub class="{kind}">{letter}{below}</msub>'


def op(sign: str) -> str:
    return f"<mo>{sign}</mo>"


def turned(position: int, *inside: str) -> str:
    """The rotation that marks a position."""
    return row(var("R", position), op("("), *inside, op(")"))


def rows(name: str, last: int) -> str:
    """`x₀ … xₗₐₛₜ`, read from the cache."""
    return row(var(name, 0), *([op("…"), var(name, last)] if last else []), kind="cached")


def history(name: str, last: int) -> str:
    """`[x₀ … xₗₐₛₜ]`."""
    return row(op("["), rows(name, last), op("]"))


def fraction(above: str, below: str) -> str:
    return f"<mfrac>{above}{below}</mfrac>"


def root(inside: str) -> str:
    return f"<msqrt>{inside}</msqrt>"


def total(index: str) -> str:
    return f"<munder><mo>∑</mo><mi>{index}</mi></munder>"
