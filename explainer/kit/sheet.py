"""A table as a file for a spreadsheet. No streamlit here."""

import csv
import io
from collections.abc import Mapping, Sequence

#: What a spreadsheet takes for the beginning of a formula; the last four are as wide as an ideogram.
_COMPUTED = ("=", "+", "-", "@", "＝", "＋", "－", "＠")  # noqa: RUF001


#: Rows of a file at most: the largest table of a page has some hundreds.
MOST_ROWS = 10_000


def to_csv(rows: Sequence[Mapping[str, object]]) -> str:
    """The rows, at least one, under the names of the first one's columns. Of too many the last line says so.

    A number is written as it is. A text that a spreadsheet would compute begins with an apostrophe, which
    makes it a text there.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_cell(name) for name in rows[0])
    writer.writerows([_cell(row[name]) for name in rows[0]] for row in rows[:MOST_ROWS])
    if len(rows) > MOST_ROWS:
        writer.writerow(
            [f"A file has at most {MOST_ROWS:,} rows: the other {len(rows) - MOST_ROWS:,} are left out."]
        )
    return out.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, str) and value.lstrip().startswith(_COMPUTED):
        return f"'{value}"
    return value
