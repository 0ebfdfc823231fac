"""What a screen reader is told of a chart."""

import plotly.graph_objects as go

from explainer.kit.charts import MOST_SAID, in_numbers


def test_a_chart_is_told_in_the_numbers_it_draws() -> None:
    figure = go.Figure()
    figure.add_scatter(x=[1, 2, 3], y=[0.5, None, 12345.6], name="<b>with</b> the cache")
    figure.add_bar(x=[10, 20], y=["K", "V"], orientation="h", name="bytes")
    figure.add_scatter(x=[1, 2], y=[3, 4])  # a band has no name of its own
    figure.update_layout(xaxis_title="tokens", yaxis_title="ms<br>a step")
    assert (
        in_numbers(figure) == "ms a step, by tokens. with the cache: 1: 0.5; 3: 12,346. bytes: K: 10; V: 20."
    )


def test_of_many_points_some_are_told_and_the_last() -> None:
    figure = go.Figure(go.Scatter(x=list(range(100)), y=list(range(100)), name="steps"))
    told = in_numbers(figure).removeprefix("steps: ").removesuffix(".").split("; ")
    assert len(told) <= MOST_SAID
    assert told[-1] == "99: 99"
