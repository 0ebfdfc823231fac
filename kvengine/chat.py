"""A conversation as the token ids that a model trained on chats expects."""

import re
from collections.abc import Sequence

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from kvengine.errors import CheckpointError
from kvengine.tokenizer import Tokenizer

#: Stands for what message i says while the template is filled in, so that no template sees what was typed.
_PLACE = "\ue000{}\ue001"
_PLACES = re.compile("\ue000(\\d+)\ue001")


def chat_ids(tokenizer: Tokenizer, template: str, messages: Sequence[tuple[str, str]]) -> list[int]:
    """The ids of a conversation, (role, what was said) each, up to where the answer begins.

    `template` is the model's own, in Jinja. Its special tokens become their ids; what was said is text,
    whatever it spells. Raises `CheckpointError` where the template cannot be filled in, `PromptError` for
    text that is no valid Unicode.
    """
    places = [{"role": role, "content": _PLACE.format(i)} for i, (role, _) in enumerate(messages)]
    try:
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        filled = environment.from_string(template).render(messages=places, add_generation_prompt=True)
    except TemplateError as error:
        raise CheckpointError(f"The model's chat template cannot be filled in ({error}).") from None
    ids: list[int] = []
    for piece in re.split(r"(<\|[^|<>]+\|>)", filled):
        special = tokenizer.special_id(piece)
        if special is not None:
            ids.append(special)
        elif piece:
            ids += tokenizer.encode_part(_PLACES.sub(lambda place: messages[int(place[1])][1], piece))
    return ids
