"""Sentences with named values: everything filled in, and nothing a learner types becomes markup."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

import explainer
from explainer.kit.words import count, names, plain, say, terms, terms_in, words_of

TERMS = words_of(Path(explainer.__file__).parent / "kit" / "terms.toml")


@given(st.text())
def test_any_text_as_markdown_shows_just_this_text(text: str) -> None:
    shown = plain(text)
    for punctuation in re.finditer(r"[!-/:-@\[-`{-~]", shown.replace("\\\\", "")):
        before = shown.replace("\\\\", "")[: punctuation.start()]
        assert punctuation[0] == "\\" or before.endswith("\\")


@pytest.mark.parametrize(
    "text",
    ["![x](//host/a)", "$x^2$", "[a](b)", "# head", ":red[x]", "<b>x</b>", "https://a.example", "*x* `y`"],
)
def test_markup_stays_text(text: str) -> None:
    html = MarkdownIt("commonmark").render(plain(text))
    assert re.sub(r"&lt;|&gt;", "", html).count("<") == 2, html  # the paragraph alone


def test_a_value_that_is_text_cannot_become_markup_and_a_missing_one_is_an_error() -> None:
    assert say("**{n}** of {name}", n=3, name="a*b") == "**3** of a\\*b"
    with pytest.raises(KeyError):
        say("{nobody}")


def test_a_term_in_markdown_is_a_link_whose_title_explains_it_and_a_value_cannot_be_one() -> None:
    html = MarkdownIt("commonmark").render(say("A [**mask**](?mask) of {name}.", name="[x](?mask)"))
    assert html.count("<a ") == 1
    assert f'<a href="#term" title="{TERMS["mask"]}"><strong>mask</strong></a>' in html
    assert not any('"' in meaning for meaning in TERMS.values())  # it would end the title


def test_names_and_terms_are_found_at_any_depth() -> None:
    table = {"a": "{x} [y](?mask)", "b": [{"c": "{z}"}, "plain"]}
    assert names(table) == {"x", "z"}
    assert terms_in(table) == {"mask"}
    assert terms(table) == {"mask": TERMS["mask"]}


def test_counts_are_told_in_the_right_number() -> None:
    assert [count(n, "row") for n in (0, 1, 2, 1024)] == ["0 rows", "1 row", "2 rows", "1,024 rows"]
    assert count(2, "query", "queries") == "2 queries"


def test_every_word_file_explains_only_terms_that_exist() -> None:
    files = sorted(Path(explainer.__file__).parent.rglob("words.toml"))
    assert files
    for file in files:
        assert terms_in(words_of(file)) <= set(TERMS), file
