"""Below the scene: the share that is repeated, by operation, by length and from pass to pass."""

import plotly.graph_objects as go
import streamlit as st

from explainer.avoided_work import figures
from explainer.avoided_work.findings import Share
from explainer.avoided_work.lengths import shares_by_length
from explainer.avoided_work.words import WORDS, chart_values, chart_words
from explainer.kit import session
from explainer.kit.charts import numbers, palette
from explainer.kit.palette import HEIGHT
from explainer.kit.seen import seen
from explainer.kit.slow import working
from explainer.kit.words import say

STEPS = 8  # steps drawn behind the prefill
CHARTS = ("operations", "lengths", "passes")
_PLACE = f'<div style="height: {HEIGHT}px"></div>'


@st.fragment
def charts(by_operation: dict[str, Share], token_ids: tuple[int, ...], *, t: int, premise: int) -> None:
    """What they say, and the charts themselves once the learner scrolls to them.

    `by_operation`: the shares of the comparison in the scene; `token_ids`: the text as far as the longest
    comparison needs it.
    """
    # They tell what is asked about, so they are not seen while a question is open.
    with st.container(key="tells_charts"):
        st.header(WORDS["charts"]["heading"], anchor=False)
    with st.container(key="tells_avoided_charts"):
        config, drawn = session.card().config, None
        for column, name in zip(st.columns(len(CHARTS), gap="medium"), CHARTS, strict=True):
            with column:
                title, text = chart_words(name, premise)
                st.markdown(f"**{title}**  \n{say(text, **chart_values(config, t))}")
                if drawn is None:
                    in_sight = seen("avoided_charts")
                    drawn = _figures(by_operation, token_ids, t, premise) if in_sight else {}
                if not drawn:
                    st.html(_PLACE)
                    continue
                st.plotly_chart(
                    drawn[name],
                    config={"displayModeBar": False},
                    theme=None,
                    alt=title,
                    key=f"avoided_{name}",
                )
                numbers(drawn[name])


def _figures(
    by_operation: dict[str, Share], token_ids: tuple[int, ...], t: int, premise: int
) -> dict[str, go.Figure]:
    """A figure for each of CHARTS, in the colours of the learner's theme."""
    card, common = session.card(), session.common()
    with working(card.name, say(WORDS["charts"]["comparing"])) as progress:
        by_length = shares_by_length(
            card.name,
            token_ids,
            t=t,
            premise=premise,
            temperature=common.temperature,
            seed=common.seed,
            progress=progress,
        )
    colours = palette()
    return {
        "operations": figures.by_operation(tuple(by_operation.items()), colours),
        "lengths": figures.by_length(tuple(by_length.items()), t, colours),
        "passes": figures.passes(card.config, t, STEPS, colours),
    }
