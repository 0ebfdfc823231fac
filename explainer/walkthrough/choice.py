"""The walkthrough's own parameters in the address."""

from dataclasses import dataclass

from explainer.kit.address import whole
from kvengine import Config

#: A long prompt fills the cache only so far by itself: the rest of the positions is room to generate.
AUTO_HISTORY = 256

#: Stops of the length slider: every length while they are short, then coarser.
LENGTHS = (*range(1, 33), 40, 48, 64, 96, 128, 192, 256, 384, 511)

#: How many stages a token has.
STAGES = 5


#: No walk is longer: at this length a step's proof takes a large model seconds, and its walk 100 MB.
MOST = 1024


def end_of(config: Config) -> int:
    """The positions that the walkthrough goes through: all that the model has, or the first of them."""
    return min(config.max_seq_len, MOST)


def _last(config: Config) -> int:
    return end_of(config) - 1


@dataclass(frozen=True)
class WalkthroughChoice:
    """`history` 0 means as long as the prompt; `token` -1 is the first one behind the history."""

    history: int = whole("length", 0, 0, _last, "The cache can hold up to {high} tokens before the next one")
    token: int = whole("token", -1, -1, _last, "The tokens are 0 to {high}", browser=True)
    stage: int = whole("stage", 1, 1, STAGES, "The stages are {low} to {high}", browser=True)


def history_of(choice: WalkthroughChoice, prompt_tokens: int) -> int:
    """Tokens in the cache when the walkthrough starts: as chosen, or all of the prompt but its last."""
    return choice.history or max(1, min(prompt_tokens - 1, AUTO_HISTORY))
