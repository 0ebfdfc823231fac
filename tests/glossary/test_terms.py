"""Where a page's sentences first use a word of the trade, it is explained."""

import importlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import explainer
from explainer.kit.words import terms_in, words_of

FILES = {file.parent.name: file for file in Path(explainer.__file__).parent.glob("*/words.toml")}

#: Words that nobody knows from school, and the terms any of which explains them. Queries, keys and values are
#: told by each page itself, tokens and weights by the picture.
TRADE = {
    r"layers?": {"layer"},
    r"heads?|KV heads?": {"head", "kv_head"},
    r"norms?": {"norm"},
    r"MLPs?": {"mlp"},
    r"softmax": {"softmax"},
    r"logits?": {"logits"},
    r"prefill": {"prefill"},
    r"decode": {"decode"},
    r"embeddings?": {"embedding"},
    r"(?:causal )?mask": {"mask"},
    r"rotations?": {"rotation"},
    r"residual": {"residual"},
    r"projections?": {"projection"},
    r"induction heads?": {"induction"},
    r"KV cache": {"kv_cache"},
}

#: No part of what a page tells: what one is asked, what a speaker says to a class, what a cell, the map or a
#: widget says when it is pointed at, what is printed.
ASIDE = {"question", "present", "cell", "row", "options", "sheet", "map"}
ASIDE_SENTENCES = {"question", "say", "ask", "line", "said", "label"}


def sentences(table: Any) -> Iterator[str]:
    """The sentences of a page in their order, without what stands aside."""
    if isinstance(table, str):
        if re.search(r"[.?!:](\s|$)", table):
            yield table
    elif isinstance(table, Mapping):
        for key, part in table.items():
            aside = ASIDE_SENTENCES if isinstance(part, str) else ASIDE
            if key not in aside and not key.endswith("_help"):
                yield from sentences(part)
    else:
        for part in table if isinstance(table, list) else ():
            yield from sentences(part)


@pytest.mark.parametrize("page", sorted(FILES))
def test_a_word_of_the_trade_is_explained_where_it_first_stands(page: str) -> None:
    told = list(sentences(words_of(FILES[page])))
    missing = []
    for word, names in TRADE.items():
        said = re.compile(rf"(?<![\w{{/])(?:{word})(?![\w}}])", re.IGNORECASE)
        first = next((at for at, text in enumerate(told) if said.search(text)), None)
        if first is None:
            continue
        linked = any(terms_in(text) & names for text in told[: first + 1])
        bold = any(re.search(rf"\*\*(?:{word})\*\*", text, re.IGNORECASE) for text in told[: first + 1])
        if not linked and not bold:
            missing.append(f"{word}: {told[first]}")
    assert missing == []


@pytest.mark.parametrize(
    "page", ["avoided_work", "by_hand", "code", "prompt_caching", "start", "walkthrough", "why_k_and_v"]
)
def test_what_a_page_marks_as_a_term_reaches_the_browser_with_its_meaning(page: str) -> None:
    told: Mapping[str, str] = importlib.import_module(f"explainer.{page}.words").explained()
    assert terms_in(words_of(FILES[page])) <= set(told)
