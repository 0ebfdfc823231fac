"""Text to token ids and back, by the `tokenizers` library."""

from pathlib import Path

import tokenizers

from kvengine.errors import CheckpointError, PromptError

#: Starts every prompt; also the token with which the model ends a story.
END_OF_TEXT = 0


class Tokenizer:
    """A byte-level BPE: any text has tokens, and the tokens give exactly that text again."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise CheckpointError(f"{path.parent.name} has no tokenizer.json; copy the model's complete directory.")
        try:
            self._bpe = tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises a bare Exception
            raise CheckpointError(f"{path.parent.name}/tokenizer.json cannot be read: {error}") from None

    @property
    def vocab_size(self) -> int:
        return int(self._bpe.get_vocab_size())

    def encode(self, text: str) -> list[int]:
        """The ids of `text`, the start token first; a text that spells `<|endoftext|>` is taken as text.

        Raises `PromptError` for a text that is no valid Unicode, such as half of a surrogate pair.
        """
        try:
            # Cut at the marker, so that typed text can never become the special token.
            parts = text.split("<|endoftext|>")
            pieces = [parts[0], *(piece for part in parts[1:] for piece in ("<|endof", "text|>" + part))]
            return [END_OF_TEXT] + [i for piece in pieces for i in self._bpe.encode(piece).ids]
        except (UnicodeError, TypeError):
            raise PromptError("The prompt is no valid Unicode text; paste it again as plain text.") from None

    def decode(self, ids: list[int]) -> str:
        """The text of `ids`; the start token is dropped, and bytes that form no character become �."""
        return str(self._bpe.decode(ids, skip_special_tokens=True))

    def token_text(self, token_id: int) -> str:
        """One token as text, its leading space kept; the start token as (start)."""
        return "(start)" if token_id == END_OF_TEXT else str(self._bpe.decode([token_id]))
