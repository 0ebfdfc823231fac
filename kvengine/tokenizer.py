"""Text to token ids and back, by the `tokenizers` library."""

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import tokenizers
from tokenizers import decoders

from kvengine.errors import CheckpointError, PromptError

#: The shipped models' token that starts every text, and ends a story.
END_OF_TEXT = 0
_MARKER = "<|endoftext|>"


def _byte_alphabet() -> dict[str, int]:
    """Letter -> byte, as GPT-2's byte-level BPE pairs them: printable bytes as such, the rest from 256 on."""
    printable = [
        *range(ord("!"), ord("~") + 1),
        *range(ord("¡"), ord("¬") + 1),
        *range(ord("®"), ord("ÿ") + 1),
    ]
    rest = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(rest)}


_BYTES = _byte_alphabet()
_BYTE_TOKEN = re.compile(r"<0x[0-9A-F]{2}>")
#: Kinds of character that leave no mark, or change how those around them are shown: control and format
#: characters, and what ends a line but for the usual one.
_UNSEEN = {"Cc", "Cf", "Zl", "Zp"}


def _seen(text: str) -> str:
    """The text with each character that cannot be seen written as its bytes."""
    return "".join(
        "".join(f"<0x{byte:02X}>" for byte in c.encode())
        if unicodedata.category(c) in _UNSEEN and c not in "\n\t"
        else c
        for c in text
    )


class Tokenizer:
    """A BPE that falls back on bytes: any text has tokens, and the tokens give exactly that text again.

    `name` stands in messages. Raises `CheckpointError` where the vocabulary is of another kind, or does not
    say with which token a text starts.
    """

    def __init__(self, bpe: tokenizers.Tokenizer, name: str) -> None:
        self._bpe = bpe
        self._token_texts: dict[int, str] = {}
        # The file may ask for a prompt to be cut, or filled up, to some length.
        bpe.no_truncation()
        bpe.no_padding()
        bpe.encode_special_tokens = True  # what is typed never becomes a special token
        self._by_bytes = isinstance(bpe.decoder, decoders.ByteLevel)
        if not self._by_bytes and bpe.token_to_id("<0x0A>") is None:
            raise CheckpointError(
                f"{name} neither decodes by bytes nor has a token for each byte, as this engine expects; "
                "choose a model with a byte-level BPE."
            )
        #: One more than the largest id.
        self.vocab_size = 1 + max(bpe.get_vocab().values())
        self._special = {
            i: token.content for i, token in bpe.get_added_tokens_decoder().items() if token.special
        }
        template = bpe.encode("").ids  # what the file itself puts before a text
        start = template[0] if len(template) == 1 else bpe.token_to_id(_MARKER) if not template else None
        if start is None or start not in self._special:
            raise CheckpointError(
                f"{name} does not say with which token a text starts, and has no {_MARKER} either; "
                "choose a model that has."
            )
        #: The token that every text starts with.
        self.start = start

    @classmethod
    def from_file(cls, path: Path) -> "Tokenizer":
        """Read a `tokenizer.json`. Raises `CheckpointError` where that cannot be done."""
        name = f"{path.parent.name}/{path.name}"
        if not path.is_file():
            raise CheckpointError(
                f"{path.parent.name} has no {path.name}; copy the model's complete directory."
            )
        try:
            bpe = tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises a bare Exception
            raise CheckpointError(f"{name} cannot be read ({error}); copy it again.") from None
        return cls(bpe, name)

    def encode(self, text: str) -> list[int]:
        """The ids of `text`, the start token first; a text that spells a special token is taken as text.

        Raises `PromptError` for a text that is no valid Unicode, such as half of a surrogate pair.
        """
        return [self.start, *self.encode_part(text)]

    def encode_part(self, text: str) -> list[int]:
        """The ids of a piece of text from within. Raises as `encode`."""
        try:
            return list(self._bpe.encode(text, add_special_tokens=False).ids)
        except (UnicodeError, TypeError):
            raise PromptError("The prompt is no valid Unicode text; paste it again as plain text.") from None

    def decode(self, ids: list[int]) -> str:
        """The text of `ids`; special tokens are dropped, and bytes that form no character become �."""
        return str(self._bpe.decode(ids, skip_special_tokens=True))

    def texts(self, ids: Sequence[int]) -> list[str]:
        """The tokens of a whole text, each as `token_text` gives it, but for (start) at its beginning."""
        return [
            "(start)" if position == 0 and token_id == self.start else self.token_text(token_id)
            for position, token_id in enumerate(ids)
        ]

    def special_id(self, content: str) -> int | None:
        """The id of a special token by what it is written as, such as `<|im_end|>`, or None."""
        return next((i for i, written in self._special.items() if written == content), None)

    def token_text(self, token_id: int) -> str:
        """One token as text to show, its leading space kept; the end of a story is (end).

        A lone byte is <0xF0>, and so are those of a character that cannot be seen.

        The token that ends a story can also start a text: `texts` tells the two apart.
        """
        # Asked for hundreds of times a page: each is decoded once. A vocabulary is small beside a model.
        if token_id not in self._token_texts:
            self._token_texts[token_id] = self._decode_one(token_id)
        return self._token_texts[token_id]

    def _decode_one(self, token_id: int) -> str:
        if token_id in self._special:
            written = self._special[token_id]
            return "(end)" if written == _MARKER else written
        piece = self._bpe.id_to_token(token_id) or ""
        if not self._by_bytes:  # a space is written as ▁, and a byte as it is shown
            return piece if _BYTE_TOKEN.fullmatch(piece) else _seen(piece.replace("▁", " "))
        text = str(self._bpe.decode([token_id]))
        if "\ufffd" not in text:
            return _seen(text)
        # Part of a character: the vocabulary writes each byte as one letter of an alphabet of its own.
        return "".join(f"<0x{_BYTES[letter]:02X}>" for letter in piece)
