"""Any text goes in and comes out again, and no typed text becomes the start token."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kvengine import END_OF_TEXT, PromptError, available_models, load_tokenizer

TOKENIZER = load_tokenizer("stories-1m-h8-kv8")

any_text = st.text(st.characters(exclude_categories=["Cs"]))
#: Text about the marker: pieces of it, whole ones, and other things between them.
near_marker = st.lists(
    st.sampled_from(["<|endoftext|>", "<|endof", "text|>", "<|", "|>", "<", "endoftext", " ", "é"])
).map("".join)


@given(any_text | near_marker)
@example("")
@example("\x00\r\n\t \u2028\ufeff\ufffd")
@example("👩\u200d👩\u200d👧 देवनागरी עִבְרִית 漢字 \U0010ffff")
@example("a" * 10_000)
def test_any_text_comes_out_as_it_went_in(text: str) -> None:
    ids = TOKENIZER.encode(text)
    assert TOKENIZER.decode(ids) == text
    assert ids[0] == END_OF_TEXT
    assert END_OF_TEXT not in ids[1:]
    assert all(0 < i < TOKENIZER.vocab_size for i in ids[1:])


@pytest.mark.parametrize(
    "text", ["<|endoftext|>", "a<|endoftext|>b", "<|endoftext|>" * 3, "<|endof<|endoftext|>text|>"]
)
def test_a_typed_end_marker_is_text(text: str) -> None:
    ids = TOKENIZER.encode(text)
    assert ids.count(END_OF_TEXT) == 1
    assert TOKENIZER.decode(ids) == text


@given(any_text, st.characters(categories=["Cs"]), any_text)
def test_half_of_a_surrogate_pair_is_refused(before: str, half: str, after: str) -> None:
    with pytest.raises(PromptError, match=r"no valid Unicode.*paste it again"):
        TOKENIZER.encode(before + half + after)


def test_every_model_that_ships_has_this_tokenizer_and_room_for_its_tokens() -> None:
    for card in available_models():
        tokenizer = load_tokenizer(card.name)
        assert tokenizer.vocab_size == card.config.vocab_size
        assert tokenizer.encode("Once upon a time") == TOKENIZER.encode("Once upon a time")


def test_every_token_has_a_text_to_show() -> None:
    for token_id in range(TOKENIZER.vocab_size):
        text = TOKENIZER.token_text(token_id)
        assert text
        assert "\ufffd" not in text
        assert all(c.isprintable() or c in "\n\t\N{NO-BREAK SPACE}" for c in text)
    assert TOKENIZER.token_text(END_OF_TEXT) == "(end)"
    assert TOKENIZER.token_text(10**6) == ""


def test_the_token_that_starts_a_text_ends_it_too_and_is_told_apart() -> None:
    ids = [*TOKENIZER.encode("A dog."), END_OF_TEXT, *TOKENIZER.encode("A cat.")]
    assert TOKENIZER.texts(ids) == ["(start)", "A", " dog", ".", "(end)", "(end)", "A", " cat", "."]
    assert TOKENIZER.texts(ids[1:3]) == ["A", " dog"]
    assert TOKENIZER.texts([]) == []


@given(any_text)
def test_the_texts_of_plain_tokens_join_to_the_text(text: str) -> None:
    shown = [TOKENIZER.token_text(i) for i in TOKENIZER.encode(text)[1:]]
    # A token that is part of a character is shown as its bytes; the others are the text itself.
    data = b"".join(
        bytes.fromhex(s.replace("<0x", "").replace(">", "")) if TOKENIZER.decode([i]) != s else s.encode()
        for s, i in zip(shown, TOKENIZER.encode(text)[1:], strict=True)
    )
    assert data.decode() == text
