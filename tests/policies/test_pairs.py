"""Models that differ in one thing alone: what trained them, what is measured, what is said about it."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from statistics import fmean

import pytest
import torch
from streamlit.testing.v1 import AppTest

from explainer.kit.lab import Run
from explainer.kit.runs import Measured
from explainer.policies import pairs, show_first, show_loss
from explainer.policies.measure import FIRSTS, LATE, SHOWN, FirstPoint, FirstToken, Tried
from explainer.policies.pairs import BASE, LARGE, LONG, SHIPPED
from explainer.policies.words import label, nats, tell
from kvengine import available_models, load_model, load_tokenizer
from kvengine.cost import weight_floats
from kvengine.forgetting import FirstRow, losses
from kvengine.policies import Policy, Sinks, Window
from kvengine.weights import CHECKPOINTS

MODELS = (BASE, LONG, LARGE, SHIPPED)


def training(name: str) -> dict[str, object]:
    told: dict[str, object] = json.loads((CHECKPOINTS / name / "card.json").read_text())["training"]
    return told


def points(costs: dict[str, Sequence[float]]) -> list[FirstPoint]:
    """As if each model had lost so much on each text when its first row went."""
    found = []
    for name, each in costs.items():
        for window, firsts in ((None, 0), *((SHOWN, n) for n in FIRSTS)):
            texts = tuple(3.0 + (x if window and not firsts else 0.0) for x in each)
            look = None if window else FirstRow(weight=0.3, length=0.2, taken=0.1)
            found.append(FirstPoint(name, window, firsts, False, fmean(texts), look, texts=texts))
    return found


def test_each_model_of_a_pair_runs_and_its_card_says_what_trained_it() -> None:
    cards = pairs.models()
    assert tuple(cards) == MODELS
    for name, card in cards.items():
        assert load_model(name).config == card.config
        told = training(name)
        assert "TinyStories" in str(told["data"])
        assert told["tokens_seen"] == card.tokens_seen
        assert card.tokens_seen == int(str(told["steps"])) * int(str(told["batch_tokens"]))
        assert card.parameters == weight_floats(card.config)
        assert card.config.vocab_size == load_tokenizer(SHIPPED).vocab_size


def test_a_pair_differs_in_one_thing_alone() -> None:
    cards, recipes = pairs.models(), {name: training(name) for name in (BASE, LONG, LARGE)}
    assert cards[BASE].config == cards[LONG].config
    assert recipes[BASE] == recipes[LARGE]
    short, long = ({**recipes[name]} for name in (BASE, LONG))
    for told in (short, long):
        recipe = told["recipe"]
        assert isinstance(recipe, dict)
        # What scales with the length of a training.
        told["recipe"] = {k: v for k, v in recipe.items() if k not in ("steps", "warm_up")}
        del told["steps"], told["tokens_seen"]
    assert short == long
    width = ("d_model", "n_heads", "n_kv_heads", "d_ffn")
    shapes = [
        {field: value for field, value in asdict(cards[name].config).items() if field not in width}
        for name in (BASE, LARGE)
    ]
    assert shapes[0] == shapes[1]
    assert cards[LARGE].config == cards[SHIPPED].config
    # What the words say of the last pair, beside its length.
    ours, theirs = recipes[LARGE], training(SHIPPED)
    recipe = ours["recipe"]
    assert isinstance(recipe, dict)
    assert (ours["batch_tokens"], theirs["batch_tokens"]) == (2_048, 65_536)
    assert (recipe["dropout"], recipe["learning_rate"]) == (0, 3e-3)
    assert "lr 6e-3" in str(theirs["optimizer"])
    assert "dropout 0.1" in str(theirs["optimizer"])


def test_they_are_small_and_no_choice_on_the_pages() -> None:
    folder = CHECKPOINTS / pairs.FOLDER
    assert sum(file.stat().st_size for file in folder.rglob("*")) < 4_000_000
    assert not any(pairs.FOLDER in card.name for card in available_models())
    assert len(available_models(folder)) == 3


def test_what_is_measured_of_them_is_what_the_engine_loses_step_by_step() -> None:
    texts = tuple(ids[: LATE + 16] for ids in show_loss.stories(SHIPPED)[:2])
    tried = tuple(Tried(name, texts, LATE, 0, briefly=True) for name in MODELS)
    found = list(FirstToken(show_loss.setting(SHIPPED), tried).run(lambda: False))
    model = load_model(LARGE)
    policies: dict[int | None, Policy] = {None: Policy(), 0: Window(SHOWN)}
    policies |= {n: Sinks(SHOWN + n, sinks=n) for n in FIRSTS if n}
    for point in (p for p in found if p.model == LARGE):
        policy = policies[point.firsts if point.window else None]
        expected = losses(model, torch.tensor(texts), policy).nats[:, LATE:].mean(axis=1)
        assert point.texts == pytest.approx(expected, abs=1e-3)
        assert point.loss == pytest.approx(float(expected.mean()), abs=1e-3)
    assert pairs.measured(found, MODELS)
    full = next(p.look for p in found if p.look and p.model == SHIPPED)
    weights: list[torch.Tensor] = []

    def tap(name: str, tensor: torch.Tensor) -> torch.Tensor:
        if name.endswith("attn.weights"):
            weights.append(tensor[:, :, 1:, 0])
        return tensor

    load_model(SHIPPED)(torch.tensor(texts), None, tap)
    assert full.weight == pytest.approx(float(torch.stack(weights).mean()), abs=1e-5)
    table = pairs.rows(found, pairs.models())
    for name, row in zip(MODELS, table, strict=True):
        none = next(p for p in found if (p.model, p.window, p.firsts) == (name, SHOWN, 0))
        assert row[label("pairs.columns.n0")] == nats(none.loss)
        assert row[label("pairs.columns.cost")] == nats(pairs.cost(found, name))


@pytest.mark.parametrize(
    ("long", "verdict"),
    [
        ((0.05, 0.07, 0.06), "more"),
        ((-0.03, -0.02, -0.01), "less"),
        ((0.30, 0.40, 0.00), "hardly"),  # more in the mean, but not on every text
        ((0.015, 0.014, 0.016), "hardly"),  # on every text, but next to nothing
    ],
)
def test_a_difference_is_told_where_every_text_shows_it(long: Sequence[float], verdict: str) -> None:
    found = points({BASE: (0.01, 0.01, 0.01), LONG: long})
    assert pairs.compared(found, BASE, LONG).verdict == verdict


@pytest.mark.parametrize(
    ("larger", "longer", "right"),
    [(0.2, 0.2, "both"), (0.2, 0.0, "weights"), (0.0, 0.2, "training"), (-0.2, 0.0, "neither")],
)
def test_what_is_said_of_size_and_length_follows_from_the_runs(
    open_page: Callable[..., AppTest], larger: float, longer: float, right: str
) -> None:
    costs = {BASE: 0.01, LARGE: 0.01 + larger, LONG: 0.01 + longer, SHIPPED: 0.02 + larger}
    found = points({name: (cost, cost) for name, cost in costs.items()})
    assert pairs.answer(found) == right
    app = open_page("policies", part="first")
    app.session_state["p_first_pairs"] = label("pairs.guess_both")
    app.session_state[f"kept_{show_first.RUN}_{SHIPPED}"] = {show_first._mark(p): p for p in found}
    run: Run[FirstPoint] = Run(FirstToken(show_loss.setting(SHIPPED), ()), time.monotonic)
    run.state = "done"
    app.session_state[f"run_{show_first.RUN}"] = Measured(run, show_loss.setting(SHIPPED), 16, "", "today")
    app.run()
    assert not app.exception
    words = "\n".join(str(node.value) for node in app.markdown).replace("\\", "")
    assert f"You guessed: Both. **{tell(f'pairs.sum_{right}')}**" in words
    assert f"loses 0.010 nats after 1.0 million tokens, and {nats(costs[LONG])} after 8.4" in words
    assert "gets 30.0\u00a0% in the first model" in words
    assert len(app.table) == 1
    assert not pairs.measured(found[:-1], MODELS)


def test_a_server_without_these_models_shows_the_part_without_them(
    open_page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs, "models", dict)
    app = open_page("policies", part="first")
    assert not app.exception
    assert not [1 for group in app.button_group if group.key == "p_first_pairs"]
    assert not pairs.measured([], ())
