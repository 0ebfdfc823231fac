"""Whether an answer comes back: held against a pass with a mask, and against a cache that drops nothing."""

import pytest
import torch

from kvengine import PromptError, Transformer
from kvengine.forgetting import mask_of, together
from kvengine.hardware import place
from kvengine.policies import AtRandom, HeavyHitters, Policy, PromptVote, SmallKeys, Window
from kvengine.quantised import Kivi, Rounded
from kvengine.recall import recall

PROMPT = tuple(range(20, 50))
ANSWER = (60, 61)


@pytest.fixture(scope="module")
def precise(story_model: Transformer) -> Transformer:
    return place(story_model, device="cpu", dtype="float64")


@pytest.mark.parametrize("policy", [Policy(), Window(8)])
def test_the_answers_probability_is_that_of_one_masked_pass(precise: Transformer, policy: Policy) -> None:
    text = PROMPT + ANSWER
    hidden = mask_of(policy, len(text))
    with torch.inference_mode():
        rows = precise(
            torch.tensor([text]),
            None,
            lambda name, t: t.masked_fill(hidden, -torch.inf) if name.endswith("attn.masked") else t,
        )[0].softmax(dim=-1)
    expected = rows[len(PROMPT) - 1, ANSWER[0]] * rows[len(PROMPT), ANSWER[1]]
    found = recall(precise, PROMPT, ANSWER, policy, needed=[3], new=2)
    assert found.probability == pytest.approx(float(expected), rel=1e-5)
    assert found.written[0] == int(rows[len(PROMPT) - 1].argmax())


def test_heads_that_hold_the_row_are_counted(story_model: Transformer) -> None:
    heads = story_model.config.n_layers * story_model.config.n_kv_heads
    for policy, needed, holding in (
        (Policy(), [0], heads),
        (Window(8), [21], 0),
        (Window(8), [22], heads),
        (Window(8), [3, 29], heads),
    ):
        found = recall(story_model, PROMPT, ANSWER, policy, needed=needed, new=1)
        assert (found.holding, found.heads) == (holding, heads)
    assert 0 < recall(story_model, PROMPT, ANSWER, AtRandom(8), needed=[3], new=1).holding < heads


def test_it_holds_its_budget_and_counts_its_bits(story_model: Transformer) -> None:
    numbers = story_model.config.kv_floats_per_token
    found = recall(story_model, PROMPT, ANSWER, HeavyHitters(8), needed=[0], new=3)
    assert (found.rows, found.bits) == (8, 8 * numbers * 32)
    assert len(found.written) == 3
    assert recall(story_model, PROMPT, ANSWER, Rounded(8), needed=[0], new=1).bits < 30 * numbers * 11


@pytest.mark.parametrize(
    ("policy", "tokens"),
    [
        (Policy(), 30),
        (Window(8), 8),
        (HeavyHitters(None), 30),
        (SmallKeys(64), 30),
        (PromptVote(16), 30),
        (Rounded(4), 1),
        (Kivi(), 1),
    ],
)
def test_what_can_run_together_is_what_nothing_happens_to(policy: Policy, tokens: int) -> None:
    assert together(policy, 30) == tokens


@pytest.mark.parametrize(("prompt", "answer"), [((), ANSWER), (PROMPT, ())])
def test_nothing_to_run_is_refused(
    story_model: Transformer, prompt: tuple[int, ...], answer: tuple[int, ...]
) -> None:
    with pytest.raises(PromptError):
        recall(story_model, prompt, answer, Policy(), needed=[0], new=1)
