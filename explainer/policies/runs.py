"""What the policies page runs for its scene: the same prompt with a full cache and with a thinned one."""

from dataclasses import dataclass

from explainer.kit.cache import MIB, computing_part, identity, model, prompt_tokens
from explainer.kit.shelf import Shelf
from explainer.kit.slow import Progress
from explainer.policies.choice import LONGEST, NEW
from explainer.policies.rules import RULES
from explainer.policies.words import TEXTS
from kvengine.policies import Policy
from kvengine.watched import Watched, watch

#: Of all visitors together; one of the default prompt takes 0.2 MiB, one of the longest 1.
_WATCHED: Shelf[str, Watched] = Shelf(48 * MIB)


@dataclass(frozen=True)
class Pair:
    """The same prompt with a full cache and under a policy."""

    full: Watched
    thin: Watched
    policy: Policy


def prompt_of(name: str, text: str, prompt: str) -> tuple[int, ...]:
    """The tokens of a text of the page, or of the learner's own prompt, as many as are read here."""
    said = TEXTS["watch"][text]["text"] if text in TEXTS["watch"] else prompt
    return prompt_tokens(name, said)[:LONGEST]


def pair(
    name: str,
    token_ids: tuple[int, ...],
    rule: str,
    budget: int,
    layer: int,
    head: int,
    progress: Progress = lambda done, wanted, told="": None,
) -> tuple[str, Pair]:
    """Both runs, and the name under which all who choose the same share them. Raises `PolicyError`."""
    policy = RULES[rule].make(budget)

    def run(of: Policy, before: int) -> Watched:
        made = model(name)

        def heard(done: int, wanted: int) -> None:
            progress(before * wanted + done, 2 * wanted)

        with computing_part(name):
            return watch(made, token_ids, of, new=NEW, layer=layer, head=head, progress=heard)

    keys = [identity("watched", name, token_ids, repr(of), layer, head) for of in (Policy(), policy)]
    full = _WATCHED.get(keys[0], lambda: run(Policy(), 0))
    thin = _WATCHED.get(keys[1], lambda: run(policy, 1))
    return keys[1], Pair(full, thin, policy)
