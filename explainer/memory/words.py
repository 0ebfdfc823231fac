"""The memory page's words: what words.toml says, filled in from a run or from the formula."""

from pathlib import Path

from explainer.kit.words import Words

_OURS = Words(Path(__file__).with_name("words.toml"))
WORDS, tell, label, explained = _OURS.tables, _OURS.tell, _OURS.label, _OURS.explained


def size(count: float) -> str:
    """1.5 GiB, 57,344 bytes; binary units, as memories are counted."""
    for unit, name in ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if count >= unit:
            return f"{digits(count / unit)} {name}"
    return f"{count:,.0f} byte{'' if count == 1 else 's'}"


def digits(x: float) -> str:
    """Three significant digits: 0.53, 8.58, 62, 1,024."""
    if x >= 100:
        return f"{x:,.0f}"
    return f"{x:.1f}".removesuffix(".0") if x >= 10 else f"{x:.2f}".rstrip("0").rstrip(".")


def small(x: float) -> str:
    """7.6e−6, or 0."""
    return "0" if x == 0 else f"{x:.1e}".replace("e-0", "e−").replace("e-", "e−")
