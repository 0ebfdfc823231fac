"""Text to token ids and back, by the `tokenizers` library."""

from collections.abc import Sequence
from pathlib import Path

import tokenizers

from kvengine.errors import CheckpointError, PromptError

#: Starts every prompt; also the token with which the model ends a story.
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


class Tokenizer:
    """A byte-level BPE: any text has tokens, and the tokens give exactly that text again."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise CheckpointError(
                f"{path.parent.name} has no tokenizer.json; copy the model's complete directory."
            )
        self._token_texts: dict[int, str] = {}
        try:
            self._bpe = tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises a bare Exception
            raise CheckpointError(
                f"{path.parent.name}/tokenizer.json cannot be read ({error}); copy it again."
            ) from None
        if not isinstance(self._bpe.decoder, tokenizers.decoders.ByteLevel):
            raise CheckpointError(
                f"{path.parent.name}/tokenizer.json does not decode by bytes, as this engine expects; "
                "choose a model with a byte-level BPE."
            )
        if self._bpe.id_to_token(END_OF_TEXT) != _MARKER:
            raise CheckpointError(
                f"{path.parent.name}/tokenizer.json does not have {_MARKER} as token {END_OF_TEXT}, and this "
                "engine starts every text with it; choose a model that has."
            )
        # The file may ask for a prompt to be cut, or filled up, to some length.
        self._bpe.no_truncation()
        self._bpe.no_padding()
        #: One more than the largest id.
        self.vocab_size = 1 + max(self._bpe.get_vocab().values())

    def encode(self, text: str) -> list[int]:
        """The ids of `text`, the start token first; a text that spells `<|endoftext|>` is taken as text.

        Raises `PromptError` for a text that is no valid Unicode, such as half of a surrogate pair.
        """
        try:
            # Cut at the marker, so that typed text can never become the special token.
            parts = text.split(_MARKER)
            pieces = [parts[0], *(piece for part in parts[1:] for piece in ("<|endof", "text|>" + part))]
            return [END_OF_TEXT] + [
                i for piece in pieces for i in self._bpe.encode(piece, add_special_tokens=False).ids
            ]
        except (UnicodeError, TypeError):
            raise PromptError("The prompt is no valid Unicode text; paste it again as plain text.") from None

    def decode(self, ids: list[int]) -> str:
        """The text of `ids`; the start token is dropped, and bytes that form no character become �."""
        return str(self._bpe.decode(ids, skip_special_tokens=True))

    def texts(self, ids: Sequence[int]) -> list[str]:
        """The tokens of a whole text, each as `token_text` gives it, but for (start) at its beginning."""
        return [
            "(start)" if position == 0 and token_id == END_OF_TEXT else self.token_text(token_id)
            for position, token_id in enumerate(ids)
        ]

    def token_text(self, token_id: int) -> str:
        """One token as text, its leading space kept; the end of a story as (end), a lone byte as <0xF0>.

        The token that ends a story also starts every text: `texts` tells the two apart.
        """
        # Asked for hundreds of times a page: each is decoded once. A vocabulary is small beside a model.
        if token_id not in self._token_texts:
            self._token_texts[token_id] = self._decode_one(token_id)
        return self._token_texts[token_id]

    def _decode_one(self, token_id: int) -> str:
        if token_id == END_OF_TEXT:
            return "(end)"
        text = str(self._bpe.decode([token_id]))
        if "\ufffd" not in text:
            return text
        # Part of a character: the vocabulary writes each byte as one letter of an alphabet of its own.
        return "".join(f"<0x{_BYTES[letter]:02X}>" for letter in self._bpe.id_to_token(token_id) or "")
