"""How much of a naive step was there before: by operation, by length, and from pass to pass."""

import plotly.graph_objects as go

from explainer.figures.timing_parts import Palette, lay_out
from explainer.story.avoided_work import OPERATIONS
from kvengine.config import Config
from kvengine.cost import pass_cost

HEIGHT = 330


def _figure(palette: Palette) -> go.Figure:
    figure = go.Figure()
    lay_out(figure, palette)
    figure.update_layout(height=HEIGHT, margin={"l": 78, "r": 14, "t": 26, "b": 44})
    return figure


def _hatched(colour: str, palette: Palette) -> dict[str, object]:
    return {
        "color": colour,
        "pattern": {"shape": "/", "bgcolor": colour, "fgcolor": palette.paper, "size": 6},
    }


def by_operation(shares: dict[str, float], palette: Palette) -> go.Figure:
    """Share of cells that came out as before, by operation, all layers together."""
    named = [(op.label, op.key, shares[op.key]) for op in OPERATIONS if op.key in shares]
    places = {"norm": "norm 1", "ffn_norm": "norm 2"}
    names = [places.get(key, label) for label, key, _ in named]
    values = [100 * share for *_, share in named]
    figure = _figure(palette)
    bars = {"orientation": "h", "y": names, "hovertemplate": "%{y}: %{x:.1f} %<extra></extra>"}
    figure.add_bar(x=values, name="as before", marker_color=palette.blue, **bars)
    figure.add_bar(
        x=[100 - value for value in values],
        name="not as before",
        marker=_hatched(palette.orange, palette),
        **bars,
    )
    figure.update_layout(barmode="stack", bargap=0.25, legend_traceorder="normal")
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(title="% of the cells of a naive step", range=[0, 100])
    return figure


def by_length(shares: dict[int, dict[str, float]], t: int, palette: Palette) -> go.Figure:
    """The same share as the text grows: of every cell, and of scores and weights."""
    lengths = list(shares)
    figure = _figure(palette)
    lines = (("all", "all operations", palette.blue, "solid"), ("scores", "scores", palette.grey, "dash"))
    for key, name, colour, dash in lines:
        figure.add_scatter(
            x=lengths,
            y=[100 * shares[n][key] for n in lengths],
            name=name,
            mode="lines+markers",
            line={"color": colour, "dash": dash},
            hovertemplate=f"{name}, %{{x}} tokens before: %{{y:.1f}} %<extra></extra>",
        )
    figure.add_vline(x=t, line={"color": palette.muted, "dash": "dot", "width": 1})
    figure.update_xaxes(title="tokens in the step before", tickvals=[n for n in lengths if n not in (4, 24)])
    figure.update_yaxes(title="% as before", range=[0, 103])
    return figure


def passes(config: Config, t: int, steps: int, palette: Palette) -> go.Figure:
    """Multiplications of the prefill and of the steps behind it, with and without a cache."""
    names = ["prefill", *(f"+{i}" for i in range(1, steps + 1))]

    def counts(cached: bool) -> list[float]:
        decode = [(1, t + i) if cached else (t + i + 1, 0) for i in range(steps)]
        passes = [(t, 0), *decode]
        return [pass_cost(config, q_len=rows, start=start).multiplications / 1e6 for rows, start in passes]

    figure = _figure(palette)
    hover = "%{x}: %{y:.2f} million<extra></extra>"
    naive = _hatched(palette.blue, palette)
    figure.add_bar(x=names, y=counts(False), name="without a cache", marker=naive, hovertemplate=hover)
    figure.add_bar(x=names, y=counts(True), name="with it", marker_color=palette.orange, hovertemplate=hover)
    figure.update_layout(barmode="group", bargap=0.25, bargroupgap=0.05)
    figure.update_xaxes(title="pass", type="category")
    figure.update_yaxes(title="million multiplications")
    return figure
