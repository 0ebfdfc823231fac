"""Measured quantities as a reader would say them."""


def milliseconds(seconds: float) -> str:
    """0.77 ms, 12 ms, 1.4 s"""
    if seconds >= 1:
        return f"{seconds:.3g} s" if seconds < 100 else f"{seconds:,.0f} s"
    ms = seconds * 1e3
    return f"{ms:.2f} ms" if ms < 10 else f"{ms:.0f} ms"


def times(ratio: float) -> str:
    """1.3×, 12×, 1,024×; a count such as 500.5 keeps its one decimal."""
    if ratio >= 10 and (ratio * 10) % 1 == 0:
        return f"{ratio:,.1f}×".replace(".0×", "×")
    return f"{ratio:.1f}×" if ratio < 10 else f"{ratio:,.0f}×"


def rate(per_second: float) -> str:
    """3.2 billion"""
    for size, word in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if per_second >= size:
            return f"{per_second / size:.3g} {word}"
    return f"{per_second:,.0f}"


def byte_size(size: float) -> str:
    """2.1 MB; decimal units"""
    for unit, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= unit:
            return f"{size / unit:.3g} {name}"
    return f"{size:.0f} bytes"
