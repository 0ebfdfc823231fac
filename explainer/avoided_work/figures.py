"""How much of a naive step was there before: by operation, by length, and from pass to pass.

Plotly takes longer over a figure than the page over all else: each is made once for all visitors, and no one
changes it.
"""

from functools import lru_cache
from typing import Any

import plotly.graph_objects as go

from explainer.avoided_work.findings import Share
from explainer.avoided_work.words import WORDS
from explainer.kit.palette import Palette, again, lay_out
from kvengine.config import Config
from kvengine.cost import pass_cost

#: Two operations have the same name on the rail.
_NAMES = {"norm": "norm, first", "ffn_norm": "norm, second"}


def _figure(palette: Palette, **layout: Any) -> go.Figure:
    figure = go.Figure()
    lay_out(figure, palette)
    figure.update_layout(barmode="stack", bargap=0.25, legend_traceorder="normal", **layout)
    return figure


def _different(palette: Palette) -> dict[str, Any]:
    """A bar's fill for what came out differently, with a mark of its own."""
    return {
        "color": palette.violet,
        "pattern": {
            "shape": "x",
            "bgcolor": palette.violet,
            "fgcolor": palette.paper,
            "size": 5,
            "solidity": 0.2,
        },
    }


def _stacked(
    figure: go.Figure, shares: list[Share], palette: Palette, *, flat: bool, names: list[str]
) -> None:
    """As before, differently, new: bars that add up to 100 percent, each kind only where there is any."""
    legend = WORDS["tally"]
    kinds = (
        (legend["again"], [share.equal for share in shares], again(palette)),
        (legend["different"], [share.different for share in shares], _different(palette)),
        (legend["new"], [share.new for share in shares], {"color": palette.orange}),
    )
    along, across = ("x", "y") if flat else ("y", "x")
    for name, parts, marker in kinds:
        if any(parts):
            figure.add_bar(
                **{along: [100 * part for part in parts], across: names},
                orientation="h" if flat else "v",
                name=name,
                marker=marker,
                hovertemplate=f"%{{{across}}}: %{{{along}:.1f}}% {name}<extra></extra>",
            )


@lru_cache(maxsize=64)
def by_operation(found: tuple[tuple[str, Share], ...], palette: Palette) -> go.Figure:
    """Shares of the cells by operation, all layers together."""
    shares = dict(found)
    keys = [key for key in shares if key != "all"]
    names = [_NAMES.get(key, WORDS["operation"][key]["rail"]) for key in keys]
    figure = _figure(palette)
    _stacked(figure, [shares[key] for key in keys], palette, flat=True, names=names)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(title="% of a naive step's numbers", range=[0, 100], tickvals=[0, 25, 50, 75, 100])
    figure.update_layout(margin={"r": 24})
    return figure


@lru_cache(maxsize=64)
def by_length(found: tuple[tuple[int, Share], ...], t: int, palette: Palette) -> go.Figure:
    """The same of all operations together, as the text grows; the length of the scene stands out."""
    shares = dict(found)
    names = [f"<b>{length}</b>" if length == t else str(length) for length in shares]
    figure = _figure(palette)
    _stacked(figure, list(shares.values()), palette, flat=False, names=names)
    figure.update_xaxes(title="tokens in the step before", type="category")
    figure.update_yaxes(title="% of the numbers", range=[0, 100])
    return figure


@lru_cache(maxsize=64)
def passes(config: Config, t: int, steps: int, palette: Palette) -> go.Figure:
    """Multiplications of the prefill and of the steps behind it: those a cache leaves, and those it saves."""
    names = ["first", *(f"+{i}" for i in range(1, steps + 1))]

    def count(rows: int, start: int) -> float:
        return pass_cost(config, q_len=rows, start=start).multiplications / 1e6

    cached = [count(t, 0), *(count(1, t + i) for i in range(steps))]
    naive = [count(t, 0), *(count(t + i + 1, 0) for i in range(steps))]
    saved = [whole - part for whole, part in zip(naive, cached, strict=True)]
    figure = _figure(palette)
    hover = "%{x}: %{y:.2f} million, "
    figure.add_bar(
        x=names,
        y=cached,
        name="needed",
        marker={"color": palette.orange},
        hovertemplate=f"{hover}needed<extra></extra>",
    )
    figure.add_bar(
        x=names,
        y=saved,
        name="repeated without a cache",
        marker=again(palette),
        hovertemplate=f"{hover}repeated without a cache<extra></extra>",
    )
    figure.update_xaxes(title="pass", type="category")
    figure.update_yaxes(title="million multiplications", rangemode="tozero")
    return figure
