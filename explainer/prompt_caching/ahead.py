"""Documents computed ahead: the page's own texts once for all, a learner's for them alone."""

from explainer.kit.cache import MIB, computing, identity, model
from explainer.kit.choice import Common
from explainer.kit.shelf import Shelf
from explainer.prompt_caching.choice import ANSWER, LONGEST, TEXTS
from explainer.prompt_caching.room import prompt_of
from kvengine import PromptError, sampler
from kvengine.ahead import Loaded, ask_behind

#: The document, and the questions behind it.
DEFAULT: tuple[str, ...] = (TEXTS["ahead"]["document"], *TEXTS["ahead"]["questions"])

_LOADED: Shelf[str, Loaded] = Shelf(16 * MIB)


def loaded(name: str, texts: tuple[str, ...], common: Common) -> Loaded:
    """Load a document and ask. Raises `PromptError` and `ContextLengthError` for what no model can run."""
    if texts != DEFAULT:
        return _load(name, texts, common)
    key = identity("ahead", name, common.temperature, common.seed)
    return _LOADED.get(key, lambda: _load(name, texts, common))


def _load(name: str, texts: tuple[str, ...], common: Common) -> Loaded:
    if any(len(text) > LONGEST for text in texts):
        raise PromptError(f"A text has more than {LONGEST:,} characters; shorten it.")
    document, *questions = texts
    ids = prompt_of(name, [document])[0]
    asked = [prompt_of(name, [document, question])[0][len(ids) :] for question in questions if question]
    if not asked:
        raise PromptError("There is no question; write at least one.")
    draw = sampler(common.temperature, seed=common.seed)
    with computing(name):
        return ask_behind(model(name), ids, asked, new_tokens=ANSWER, sampler=draw)
