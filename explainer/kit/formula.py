"""Formulas as MathML, which browsers set and screen readers read without a library.

A class on a part says what happened to it: `fresh` for this step's work, `cached` for what is read. A `ref`
binds it to the part of the picture with that name. An index may be a "{name}" that the scene fills in.
"""


def formula(*parts: str) -> str:
    return '<math displaystyle="true">' + "".join(parts) + "</math>"


def _marks(kind: str, ref: str) -> str:
    return (f' class="{kind}"' if kind else "") + (f' data-ref="{ref}"' if ref else "")


def row(*parts: str, kind: str = "", ref: str = "") -> str:
    return f"<mrow{_marks(kind, ref)}>" + "".join(parts) + "</mrow>"


def var(name: str, index: str | int | None = None, kind: str = "", ref: str = "") -> str:
    """A vector or matrix, with its index below it."""
    letter = f"<mi>{name}</mi>" if len(name) == 1 else f"<mtext>{name}</mtext>"
    if index is None:
        return f"<mrow{_marks(kind, ref)}>{letter}</mrow>"
    number = isinstance(index, int) or index.startswith("{")
    below = f"<mn>{index}</mn>" if number else f"<mi>{index}</mi>"
    return f"<msub{_marks(kind, ref)}>{letter}{below}</msub>"


def op(sign: str) -> str:
    # Brackets that grow with what they hold would make one line of a formula higher than the next.
    return f'<mo stretchy="false">{sign}</mo>' if sign in "()[]" else f"<mo>{sign}</mo>"


def turned(position: str | int, *inside: str) -> str:
    """The rotation that marks a position."""
    return row(var("R", position), op("("), *inside, op(")"))


def rows(name: str, last: str, ref: str = "") -> str:
    """`x₀ … xₗₐₛₜ`, read from the cache."""
    return row(var(name, 0), op("…"), var(name, last), kind="cached", ref=ref)


def history(name: str, last: str, ref: str = "") -> str:
    """`[x₀ … xₗₐₛₜ]`."""
    return row(op("["), rows(name, last, ref), op("]"))


def fraction(above: str, below: str) -> str:
    return f"<mfrac>{above}{below}</mfrac>"


def root(inside: str) -> str:
    return f"<msqrt>{inside}</msqrt>"


def total(index: str) -> str:
    return f"<munder><mo>∑</mo><mi>{index}</mi></munder>"
