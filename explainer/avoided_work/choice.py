"""The avoided work's own parameters in the address."""

from dataclasses import dataclass

from explainer.kit.address import whole

#: Stops of the length slider; every cell of a length is drawn. All results of all layers are kept: of a real
#: model, which has many and large ones, fewer tokens are compared.
LENGTHS: tuple[int, ...] = tuple(range(2, 65))
LENGTHS_LARGE: tuple[int, ...] = tuple(range(2, 33))


@dataclass(frozen=True)
class AvoidedChoice:
    """`t`: tokens of the step before, 0 for as many as the prompt has but one. `premise`: what is broken, -1
    the mask, n > 0 the token at position n, 0 nothing. `op`: the operation or reduction shown.
    """

    t: int = whole(
        "tokens", 0, 0, LENGTHS[-1], f"Two steps are compared over {LENGTHS[0]} to {{high}} tokens"
    )
    premise: int = whole(
        "premise", 0, -1, LENGTHS[-1] - 1, "What can be changed is the mask ({low}) or an earlier token"
    )
    op: int = whole("op", 1, 1, 20, "The operations are {low} to {high}", browser=True)


def length_of(choice: AvoidedChoice, prompt_tokens: int, lengths: tuple[int, ...] = LENGTHS) -> int:
    """Tokens of the step that the naive one is compared with: as chosen, or all of the prompt but one."""
    return min(lengths[-1], max(LENGTHS[0], choice.t or prompt_tokens - 1))


def premise_of(choice: AvoidedChoice, t: int) -> int:
    """What is broken: a token that lies behind the `t` compared ones is taken back to the last of them."""
    return min(choice.premise, t - 1)
