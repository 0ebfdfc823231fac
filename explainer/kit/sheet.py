"""A table as a file for a spreadsheet. No streamlit here."""

import csv
import io
from collections.abc import Mapping, Sequence

#: What a spreadsheet takes for the beginning of a formula; the last four are as wide as an ideogram.
_COMPUTED = ("=", "+", "-", "@", "＝", "＋", "－", "＠")  # noqa: RUF001


def to_csv(rows: Sequence[Mapping[str, object]]) -> str:
    """The rows, at least one, under the names of the first one's columns.

    A number is written as it is. A text that a spreadsheet would compute begins with an apostrophe, which
    makes it a text there.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_cell(name) for name in rows[0])
    writer.writerows([_cell(row[name]) for name in rows[0]] for row in rows)
    return out.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, str) and value.lstrip().startswith(_COMPUTED):
        return f"'{value}"
    return value
