"""Past the context: four caches on a text longer than the training, and a stream in constant memory."""

import streamlit as st

from explainer.kit import cache, sheet
from explainer.kit.charts import chart, palette, prose
from explainer.kit.lab import LAB
from explainer.kit.runs import begin, polling, watched
from explainer.policies import figures
from explainer.policies.controls import save
from explainer.policies.measure import PAST, PAST_BUDGET, PIECE, Along, PastContext, Stream, Streamed
from explainer.policies.show_loss import setting, small
from explainer.policies.words import TEXTS, label, nats, percent, tell

PAST_RUN, STREAM_RUN = "policies_past", "policies_stream"
#: Tokens of the text that is longer than the training, and of the stream.
TOKENS, STREAMED = 1152, 5000


def endless() -> None:
    """The part of the page."""
    LAB.warm_up()
    name = small()
    context = setting(name).config.max_seq_len
    st.title(label("endless.title"), anchor=False)
    prose(tell("endless.text", context=context))
    on = polling(PAST_RUN)
    st.fragment(_past, run_every=on)(name, on is not None)
    st.header(label("endless.stream_title"), anchor=False)
    prose(tell("endless.stream_text", budget=PAST_BUDGET, prompt=TEXTS["stream"]["prompt"]))
    on = polling(STREAM_RUN)
    st.fragment(_stream, run_every=on)(name, on is not None)


def _past(name: str, was_polling: bool) -> None:
    of = setting(name)
    with st.container(horizontal=True, vertical_alignment="center"):
        if polling(PAST_RUN) is None and st.button(
            label("endless.start_past", tokens=f"{TOKENS - of.config.max_seq_len}"),
            type="primary",
            icon=":material/play_arrow:",
            key="start_policies_past",
        ):
            ids = cache.tokenizer(name).encode("\n".join(TEXTS["stories"]))[:TOKENS]
            begin(PAST_RUN, PastContext(of, tuple(ids)), of, "")
        found = watched(PAST_RUN, was_polling)
    lines: list[Along] = found.run.results if found and found.setting.name == name else []
    if found and found.run.active:
        st.progress(len(lines) / len(PAST), label("loss.progress", done=len(lines), all=len(PAST)))
    if not lines:
        prose(tell("endless.past_before"))
        return
    context = of.config.max_seq_len
    st.markdown(f"**{label('endless.past_title')}**")
    alt = label("endless.past_alt", tokens=TOKENS, piece=PIECE, context=context)
    names = {rule: label(f"endless.names.{rule}", budget=PAST_BUDGET) for rule in PAST}
    chart(figures.along(lines, names, context, palette()), "loss-past-the-context", alt)
    if lines[0].refused:
        prose(tell("endless.refused", error=lines[0].refused))
    if found and not found.run.active:
        save(sheet.to_csv(_pieces(lines)), f"loss-past-the-context-{name}")
    if len(lines) == len(PAST):
        cut = context // PIECE
        behind = {line.rule: nats(_mean(line.means[cut:])) for line in lines}
        within = nats(_mean(lines[0].means[:cut]))
        prose(tell("endless.past_told", context=context, budget=PAST_BUDGET, within=within, **behind))
        prose(tell("endless.past_why"))


def _pieces(lines: list[Along]) -> list[dict[str, object]]:
    """The curves as rows of a file: a row for each piece of the text."""
    return [
        {"from_position": PIECE * i + 1, "to_position": min(PIECE * (i + 1), TOKENS - 1)}
        | {f"nats_per_token_{line.rule}": line.means[i] for line in lines}
        for i in range(len(lines[0].means))
    ]


def _mean(values: tuple[float, ...]) -> float:
    return sum(values) / len(values)


def _stream(name: str, was_polling: bool) -> None:
    words, tokenizer = TEXTS["stream"], cache.tokenizer(name)
    of = setting(name, words["prompt"])
    with st.container(horizontal=True, vertical_alignment="center"):
        if polling(STREAM_RUN) is None and st.button(
            label("endless.start_stream", tokens=f"{STREAMED:,}"),
            type="primary",
            icon=":material/play_arrow:",
            key="start_policies_stream",
        ):
            whole = tokenizer.encode(words["prompt"] + words["ask"])
            asked = tuple(whole[len(of.prompt_ids) :])
            begin(
                STREAM_RUN,
                Stream(of, asked, tokenizer.encode(words["name"])[1], PAST_BUDGET, STREAMED),
                of,
                "",
            )
        found = watched(STREAM_RUN, was_polling)
    pieces: list[Streamed] = found.run.results if found and found.setting.name == name else []
    if found and found.run.active:
        done = pieces[-1].tokens if pieces else 0
        st.progress(
            min(1.0, done / STREAMED), label("endless.progress", done=f"{done:,}", all=f"{STREAMED:,}")
        )
    if not pieces:
        prose(tell("endless.past_before"))
        return
    last = pieces[-1]
    prose(
        tell(
            "endless.stream_told",
            tokens=f"{last.tokens:,}",
            rate=f"{last.tokens / last.seconds:,.0f}",
            rows=last.rows,
            bytes=f"{last.bytes:,}",
        )
    )
    st.text("… " + tokenizer.decode(list(last.tail)))
    if found and not found.run.active:
        save(sheet.to_csv([_row(piece) for piece in pieces]), f"stream-{name}")
    prose(
        tell(
            "endless.stream_name",
            ask=words["ask"].strip(),
            name=words["name"].strip(),
            before=percent(last.before),
            after=percent(last.after),
            control=percent(last.control),
            tokens=f"{last.tokens:,}",
        )
    )


def _row(piece: Streamed) -> dict[str, object]:
    """Where a stream was, as a row of a file."""
    return {
        "tokens": piece.tokens,
        "seconds": piece.seconds,
        "rows": piece.rows,
        "bytes": piece.bytes,
        "probability_of_the_name_after_the_prompt": piece.before,
        "probability_of_the_name_here": piece.after,
        "probability_of_the_name_without_text": piece.control,
    }
