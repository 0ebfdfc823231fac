"""What the scene of the policies page gets, without a browser."""

import numpy as np
import pytest

from explainer.kit.measure import Setting
from explainer.policies.choice import NEW
from explainer.policies.measure import Stream
from explainer.policies.rules import RULES
from explainer.policies.runs import Pair, pair, prompt_of
from explainer.policies.scene import lost, parting, questions, scene
from explainer.policies.words import TEXTS, WORDS
from kvengine import load_model, load_tokenizer
from kvengine.policies import PolicyError

MODEL = "stories-1m-h8-kv8"
TOKENIZER = load_tokenizer(MODEL)


def run(rule: str = "window", budget: int = 16, text: str = "cat", model: str = MODEL) -> Pair:
    return pair(model, prompt_of(model, text, ""), rule, budget, 3, 0)[1]


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_gives_a_scene_and_keeps_the_newest_row(rule: str) -> None:
    found = run(rule)
    drawn = scene(found, rule, TOKENIZER.texts)
    assert drawn["steps"] == found.thin.prompt + NEW
    assert (np.diagonal(found.thin.kept) == 1).all()
    assert np.triu(found.thin.kept, 1).sum() == 0
    assert set(WORDS["rules"]) == set(RULES)


def test_a_run_tells_how_far_it_is() -> None:
    heard: list[tuple[int, int]] = []
    ids = prompt_of(MODEL, "cat", "")
    pair(MODEL, ids, "knorm", 13, 3, 0, lambda done, wanted, told="": heard.append((done, wanted)))
    steps = len(ids) + NEW
    assert heard[-steps:] == [(steps + i + 1, 2 * steps) for i in range(steps)]


def test_a_stream_is_asked_for_the_name_wherever_it_ends() -> None:
    setting = Setting(
        MODEL, load_model(MODEL).config, tuple(TOKENIZER.encode("A bear named Bob.")), "cpu", "float32", 1
    )
    name = TOKENIZER.encode(" Bob")[1]
    pieces = list(Stream(setting, tuple(TOKENIZER.encode(" I am")[1:]), name, 16, 251).run(lambda: False))
    assert [piece.tokens for piece in pieces] == [250, 251]
    assert all(0 < piece.after < 1 for piece in pieces)
    assert len({piece.after for piece in pieces}) == 2  # asked anew at each place


def test_a_row_that_is_gone_never_comes_back_and_gets_no_weight() -> None:
    thin = run("h2o").thin
    for j in range(len(thin.token_ids)):
        column = thin.kept[j:, j].astype(int)
        assert (np.diff(column) <= 0).all()
        gone = np.flatnonzero(column == 0)
        if len(gone):
            assert thin.weights[j + gone[0] + 1 :, j].sum() == 0


def test_the_cache_holds_its_budget_and_no_more() -> None:
    thin = run("tova", 16).thin
    held = thin.kept.sum(axis=1)
    assert (held == np.minimum(np.arange(1, len(held) + 1), 16)).all()
    assert thin.bits[-1] == 16 * 1024 * 32


def test_a_budget_that_is_never_reached_changes_nothing() -> None:
    found = run("h2o", 400)
    assert parting(found) is None
    assert lost(found.thin).max() == 0
    assert (found.thin.kept == found.full.kept).all()


def test_weights_of_what_is_missed_are_those_of_the_full_cache_where_nothing_is_gone() -> None:
    full = run().full
    assert np.abs(full.weights - full.missed).max() < 1e-5
    assert np.abs(full.weights.sum(axis=1) - 1).max() < 1e-5


@pytest.mark.parametrize("text", TEXTS["watch"])
def test_the_window_forgets_what_the_full_cache_knows(text: str) -> None:
    found = run(text=text)
    assert parting(found) is not None
    assert lost(found.thin)[found.thin.prompt - 1] > 0.05


def test_the_row_asked_about_is_the_one_that_goes() -> None:
    found = run("h2o")
    asked = questions(found, TOKENIZER.texts)
    step, question = next((int(s), q) for s, q in asked.items() if q["kind"] == "row")
    thin = found.thin
    going = np.flatnonzero(thin.kept[step - 2].astype(int) - thin.kept[step - 1] == 1)
    assert question["options"][question["answer"]][1].endswith(f"row {going[0]}")
    assert thin.kept[step - 2].sum() == 16  # the first one to go, when the cache is full


def test_the_word_asked_about_is_the_one_that_the_thinned_cache_chose() -> None:
    found = run(text="bear")
    question = questions(found, TOKENIZER.texts)[str(found.full.prompt)]
    assert question["options"][question["answer"]][0] == "other"
    assert question["values"]["full"] == "Bob"


@pytest.mark.parametrize(("rule", "budget"), [("window", 0), ("window", 1), ("sinks", 5), ("snapkv", 8)])
def test_a_budget_too_small_for_its_policy_is_refused_with_a_sentence(rule: str, budget: int) -> None:
    with pytest.raises(PolicyError, match=r"too small .* needs \d+ at least"):
        run(rule, budget)


def test_grouped_heads_share_one_set_of_rows() -> None:
    model = "stories-1m-h8-kv2"
    ids = prompt_of(model, "cat", "")
    kept = [pair(model, ids, "h2o", 16, 2, head)[1].thin.kept for head in (0, 3, 4)]
    assert (kept[0] == kept[1]).all()
    assert (kept[0] != kept[2]).any()
