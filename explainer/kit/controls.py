"""The row of widgets above every page: prompt, heads, and what is chosen rarely."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explainer.kit.cache import cards, chat_template, further
from explainer.kit.choice import EXAMPLES, LONGEST_PROMPT, REAL_EXAMPLES, Common, titled
from explainer.kit.session import card, choose, choose_prompt, common, current, notes
from explainer.kit.words import count, plain

# Streamlit's wide layout leaves margins that the cells of a scene need on a projector. The bar at the side is
# always there, or the page would jump when a stage is a little higher than the one before. After the first
# step the controls fold away; a button in the scene brings them back. They keep their width meanwhile.
_PAGE_STYLE = """<style>
.stAppHeader { min-height: 0; height: 2.75rem; }
.stMain { scrollbar-gutter: stable; scroll-padding-top: 3.25rem; } /* the focus is not under the header */
.stMain .stHeading * { scroll-margin-top: 0.5rem; }
.stMainBlockContainer { max-width: 2200px; padding: 2.9rem clamp(1rem, 1.8vw, 2.5rem) 1rem; }
.stMainBlockContainer > .stVerticalBlock { gap: 0.6rem; }
body.kv-asking [class*="st-key-tells_"] { visibility: hidden; }
body.kv-folded [data-testid="stLayoutWrapper"]:has(.st-key-controls) {
  position: absolute; width: 100%; height: 0; overflow: hidden; visibility: hidden;
}
@media (max-width: 640px) {
  .stMainBlockContainer { --below-scene: 0; }
  body.kv-stepped .stMainBlockContainer { padding-bottom: 4.75rem; }
  body.kv-stepped .stMain { scroll-padding-bottom: 4.25rem; }
  body.kv-stepped:not(.kv-asked) [data-testid="stLayoutWrapper"]:has(.st-key-controls) {
    position: absolute; width: 100%; height: 0; overflow: hidden; visibility: hidden;
  }
}
@media print {
  html, body, .stApp, .stMain { background: #fff !important; }
  .stApp :is(h1, h2, h3, h4, p, li, label, strong) { color: #1a1c20 !important; }
  .stMainBlockContainer { padding: 0 !important; }
  .stApp :is(.stButtonGroup, .stSelectbox, .stSlider, .stTextInput, .stTextArea, .stNumberInput, .stCheckbox,
    .stButton, .stDownloadButton, .stFileUploader) { display: none !important; }
}
@media (forced-colors: active) {
  .stSlider [data-rac]:has(> [data-testid="stSliderThumbValue"]) { border: 7px solid ButtonText; }
  .stSlider [data-rac]:has(> [data-testid="stSliderTickBar"]) { outline: 1px solid ButtonText; }
  .stApp [data-selected="true"]:not(:focus-visible) { outline: 3px solid Highlight; outline-offset: -3px; }
}
@media screen {
  body.kv-presenting :is(.stApp, .stMarkdown > div, [data-testid="stWidgetLabel"]) {
    visibility: hidden !important;
  }
}
/* A label is visible even where its widget is hidden: its help would be a stop for the keyboard. */
.st-key-controls [data-testid="stWidgetLabel"] { visibility: inherit; }
.numbers-of { margin-top: -0.75rem; font-size: 0.85rem; font-variant-numeric: tabular-nums; }
.numbers-of summary { width: fit-content; line-height: 24px; cursor: pointer; opacity: 0.8; }
.numbers-of > div { overflow-x: auto; }
.numbers-of table { border-collapse: collapse; }
.numbers-of caption { text-align: left; }
.numbers-of :is(th, td) {
  padding: 0.15rem 1rem 0.15rem 0; text-align: right; vertical-align: bottom; font-weight: 400;
  border-bottom: 1px solid rgba(128, 128, 128, 0.35);
}
.numbers-of :is(th, td):first-child { text-align: left; }
@media print { .numbers-of:not([open]) { display: none; } }
:root .stMain:focus-visible { outline: 3px solid currentcolor; outline-offset: -3px; }
.stMain:focus-visible::before { box-shadow: none !important; }
/* Where the keyboard is: Streamlit's own ring is a grey in the dark, and nothing in forced colours. */
:root body :is(a, button, summary):focus-visible, :root body [data-focus-visible="true"] {
  outline: 2px solid currentcolor; outline-offset: 2px;
}
:root body div:has(> :is(input, textarea):focus-visible) {
  outline: 2px solid currentcolor; outline-offset: -1px;
}
[data-testid="stTooltipHoverTarget"] > button { min-width: 24px; min-height: 24px; margin: -4px; }
[data-testid="stSliderThumbValue"], [data-testid="stSliderThumbValue"] * { color: inherit !important; }
[data-variant="segmented_control"][data-selected="true"] { color: inherit !important; }
.st-key-controls [data-testid="InputInstructions"] { display: none; }
.st-key-heads_control { position: relative; }
.st-key-heads_control > :has(> [data-testid="stMarkdown"]) { position: absolute; bottom: -0.35rem; }
.st-key-heads_control [data-testid="stCaptionContainer"], .st-key-heads_control p {
  color: inherit !important; font-size: 0.8rem;
}
@media print {
  .stAppHeader, [data-testid="stLayoutWrapper"]:has(.st-key-controls) { display: none !important; }
}
</style>"""


#: Said beside the heads that are not those of the model that opens.
ANOTHER = "another model"


def shown(key: str, value: Any, name: str = "value", among: Sequence[Any] = ()) -> dict[str, Any]:
    """Arguments of a widget that shows `value`: it may have been chosen elsewhere, or come from the address.

    The value is the widget's own first one as well, under the `name` that the widget has for it; a selectbox
    takes the index of one `among` its options. What the session's state says reaches the browser once: where
    a page is run again before the browser has loaded the widget's code, the widget opens with its own first
    value, and that comes back as if the learner had chosen it.
    """
    if st.session_state.get(key) != value:
        st.session_state[key] = value
    first = {"index": list(among).index(value)} if among else {name: value}
    return {"key": key, **first}


def chosen(key: str, field: str) -> Callable[[], None]:
    """For a widget's `on_change`: its value becomes the choice `field`, and stands in the address."""
    return lambda: choose(**{field: picked(key, current(field))})


def picked(key: str, otherwise: Any) -> Any:
    """The widget's value in its own callback. A run that another one has overtaken may have lost it."""
    return st.session_state.get(key, otherwise)


def part_control(what: str, parts: Mapping[str, str], asked: str, key: str) -> str:
    """Of a page in `parts`, name -> title, the one that is open; the first where `asked` is none of them."""
    part = asked if asked in parts else next(iter(parts))
    st.segmented_control(
        what,
        list(parts),
        format_func=lambda name: parts[name],
        **shown(key, part, "default"),
        required=True,
        label_visibility="collapsed",
        on_change=chosen(key, "part"),
    )
    if part != asked:
        told = f"There is no part “{plain(asked)}” on this page; the first one is shown."
        st.warning(told, icon=":material/info:")
    return part


def more_controls() -> DeltaGenerator:
    """The row, for what a page adds of its own."""
    row: DeltaGenerator = st.session_state["controls_row"]
    return row


def controls(*, waiting: bool = False) -> None:
    """Draw the row; a page adds its own with `more_controls`. While it is `waiting`, the row is empty."""
    c = common()
    st.html(_PAGE_STYLE)
    row = st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="controls")
    st.session_state["controls_row"] = row
    if not waiting:
        _draw(row, c)
    if told := notes():
        st.warning("  \n".join(plain(note) for note in told), icon=":material/info:")


def _draw(row: DeltaGenerator, c: Common) -> None:
    with row:
        st.text_input(
            "Message" if c.chat else "Prompt",
            **shown("w_prompt", c.prompt),
            max_chars=LONGEST_PROMPT,
            on_change=lambda: choose_prompt(picked("w_prompt", c.prompt)),
        )
        st.menu_button(
            "Examples",
            REAL_EXAMPLES if c.model else EXAMPLES,
            key="w_example",
            on_click=lambda: choose_prompt(picked("w_example", c.prompt)),
        )
        if further():
            _model_control(c)
        if not c.model:
            _heads_control(c)
        manner = "greedy" if c.temperature == 0 else f"temperature {c.temperature:g}"
        with st.popover(f"{count(card().config.n_kv_heads, 'KV head')}, {manner}", icon=":material/tune:"):
            _sampling_controls(c)


def _model_control(c: Common) -> None:
    sizes = {k.name: f"{titled(k.name)}, {k.parameters / 1e6:,.0f}M weights" for k in further()}
    st.selectbox(
        "Model",
        ("", *sizes),
        **shown("w_model", c.model, among=("", *sizes)),
        width=225,
        format_func=lambda name: sizes.get(name, "Stories, 1M weights"),
        on_change=chosen("w_model", "model"),
        help="The small models write children's stories, and each of their numbers fits on the page. A real "
        "language model is slower and larger; what is computed and kept is the same. 1M: a million.",
    )


def _heads_control(c: Common) -> None:
    with st.container(width=120, gap=None, key="heads_control"):
        st.select_slider(
            "Heads",
            sorted({k.config.n_heads for k in cards()}),
            **shown("w_heads", c.heads),
            on_change=lambda: choose(heads=(n := picked("w_heads", c.heads)), kv_heads=n),
            help="Each stop is another model, trained with that many heads. All have the same size.",
        )
        if (c.heads, c.kv_heads) != (Common.heads, Common.kv_heads):
            st.caption(ANOTHER)


def _sampling_controls(c: Common) -> None:
    """What is chosen rarely."""
    if not c.model:
        st.segmented_control(
            "KV heads",
            sorted({k.config.n_kv_heads for k in cards() if k.config.n_heads == c.heads}, reverse=True),
            **shown("w_kv_heads", c.kv_heads, "default"),
            required=True,
            on_change=chosen("w_kv_heads", "kv_heads"),
            help="Query heads in a group share one KV head: fewer KV heads, a smaller cache. "
            "Each choice is another trained model.",
        )
    elif chat_template(c.model):
        st.toggle(
            "As a message in a chat",
            **shown("w_chat", bool(c.chat)),
            on_change=lambda: choose(chat=int(picked("w_chat", bool(c.chat)))),
            help="Puts the prompt into the frame that this model was trained to answer in. The tokens of the "
            "frame, such as <|im_start|>, are part of the text, and so of the cache.",
        )
    st.slider(
        "Temperature",
        0.0,
        2.0,
        step=0.1,
        **shown("w_temperature", c.temperature),
        on_change=chosen("w_temperature", "temperature"),
        help="0 takes the most probable token. Above 0 the token is drawn at random. For the same "
        "tokens the cache is the same at every temperature.",
    )
    st.number_input(
        "Seed",
        0,
        9999,
        **shown("w_seed", c.seed),
        disabled=c.temperature == 0,
        on_change=chosen("w_seed", "seed"),
        help="The same seed draws the same tokens again.",
    )
