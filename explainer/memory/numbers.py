"""Numbers as people type them, and a sentence for those that are none."""

import re

from kvengine.memory import SizeError

_FACTORS = {"": 1, "k": 2**10, "m": 2**20}
_NUMBER = re.compile(r"([+-]?\d+(?:\.\d+)?)(?:e\+?(\d{1,3}))?\s*([km]?)", re.ASCII | re.IGNORECASE)
_LONGEST = 40


def whole(text: str, what: str) -> int:
    """ "8192", "8,192", "8k" (8 × 1,024) or "1e6" as a whole number of `what`. Raises `SizeError`."""
    said = text.strip().replace(",", "").replace(" ", "").replace("_", "")
    match = _NUMBER.fullmatch(said[: _LONGEST + 1])
    if not match:
        raise SizeError(
            f"{_begun(what)}: “{short(text)}” is no whole number; type one such as 8192, 8k or 1e6."
        )
    digits, unit = str(match[1]), _FACTORS[match[3].lower()]
    before, _, after = digits.partition(".")
    scaled = int(before + after) * unit * int(10 ** int(match[2] or 0))
    value, rest = divmod(scaled, int(10 ** len(after)))
    if rest:
        raise SizeError(f"{_begun(what)}: “{short(text)}” is no whole number; leave the fraction out.")
    return value


def real(text: str, what: str) -> float:
    """A number above 0. Raises `SizeError`."""
    try:
        value = float(text.replace(",", ""))
    except ValueError:
        value = float("nan")
    if not 0 < value < float("inf"):
        raise SizeError(f"{_begun(what)}: “{short(text)}” is no number above 0; type one such as 8.03.")
    return value


def _begun(what: str) -> str:
    """As the first word of a sentence; a name of the code stays as it is."""
    return what if "_" in what else what[:1].upper() + what[1:]


def short(text: str) -> str:
    """The beginning of something long."""
    return text if len(text) <= 24 else text[:23] + "…"
