"""The table behind a chart."""

import re
from html.parser import HTMLParser

import plotly.graph_objects as go

from explainer.kit.charts import MOST_ROWS, as_table


class Cells(HTMLParser):
    """The rows of a table, and the text of each of its cells."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, _attributes: object) -> None:
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.rows:
            self.rows[-1][-1] += data


def test_the_table_of_a_chart_has_the_numbers_it_draws() -> None:
    figure = go.Figure()
    figure.add_scatter(x=[1, 2, 3], y=[0.5, None, 12345.6], name="<b>with</b> the cache")
    figure.add_scatter(x=[2, 5], y=[7, float("nan")], name="without")
    figure.add_scatter(x=[1, 2], y=[3, 4])  # a band has no name of its own
    figure.update_layout(xaxis_title="tokens", yaxis_title="ms<br>a step")
    table = as_table(figure)
    assert "<caption>ms a step</caption>" in table
    assert Cells(table).rows == [
        ["tokens", "with the cache", "without"],
        ["1", "0.5", "–"],
        ["2", "–", "7"],
        ["3", "12,346", "–"],
    ]


def test_bars_that_lie_are_told_by_their_names() -> None:
    figure = go.Figure(go.Bar(x=[10, 20], y=["K & V", "Q"], orientation="h", name="share"))
    figure.update_layout(xaxis_title="% of all")
    table = as_table(figure)
    assert Cells(table).rows == [["", "share"], ["K & V", "10"], ["Q", "20"]]
    assert "K &amp; V" in table
    assert "<caption>% of all</caption>" in table


def test_of_many_points_some_are_in_the_table_and_the_last() -> None:
    figure = go.Figure(go.Scatter(x=list(range(1000)), y=list(range(1000)), name="steps"))
    rows = Cells(as_table(figure)).rows[1:]
    assert len(rows) <= MOST_ROWS
    assert rows[-1] == ["999", "999"]


def test_a_picture_of_shapes_has_no_table() -> None:
    assert as_table(go.Figure(go.Scatter(x=[0, 1], y=[0, 1]))) == ""


def test_what_a_learner_has_named_is_text_in_the_table() -> None:
    table = as_table(go.Figure(go.Bar(x=["a&lt;b", "1 < 2"], y=[1, 2], name='x" onclick="y')))
    assert set(re.findall(r"<(\w+)", table)) <= {
        *("details", "summary", "div", "table", "caption", "thead", "tbody", "tr", "th", "td")
    }
    assert "1 &lt; 2" in table
    assert "a&amp;lt;b" in table
