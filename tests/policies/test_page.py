"""The policies page, run without a browser."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from explainer.policies.choice import PARTS, PoliciesChoice
from explainer.policies.rules import RULES

Opened = Callable[..., AppTest]


def own(app: AppTest) -> PoliciesChoice:
    found: PoliciesChoice = app.session_state["choice"].own[PoliciesChoice]
    return found


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(
    "params", [{}, {"heads": "8", "kv": "1"}, {"heads": "1", "prompt": "", "text": "own"}]
)
def test_every_part_runs_without_an_error(open_page: Opened, part: str, params: dict[str, str]) -> None:
    app = open_page("policies", part=part, **params)
    assert not app.exception
    assert not app.error
    assert not app.warning


@pytest.mark.parametrize(
    ("budget", "policy"), [("0", "window"), ("1", "h2o"), ("5", "sinks"), ("8", "snapkv")]
)
def test_a_budget_that_is_too_small_gets_a_sentence(open_page: Opened, budget: str, policy: str) -> None:
    app = open_page("policies", budget=budget, policy=policy)
    assert not app.exception
    assert len(app.error) == 1
    assert f"budget of {budget} row" in app.error[0].value


@pytest.mark.parametrize("budget", ["0", "1"])
def test_a_budget_without_a_row_to_look_back_at_gets_a_sentence_where_losses_are_measured(
    open_page: Opened, budget: str
) -> None:
    app = open_page("policies", part="loss", budget=budget)
    assert not app.exception
    assert len(app.error) == 1
    assert app.slider(key="p_loss_budget").value == int(budget)


@pytest.mark.parametrize(
    "params",
    [
        {"part": "elsewhere"},
        {"policy": "[x](y)"},
        {"text": "<b>"},
        {"budget": "many"},
        {"budget": "-3"},
        {"budget": "99999"},
        {"step": "nonsense"},
    ],
)
def test_nonsense_in_the_address_gets_a_sentence(open_page: Opened, params: dict[str, str]) -> None:
    app = open_page("policies", **params)
    assert not app.exception
    assert app.warning


def test_the_address_reopens_policy_budget_and_text(open_page: Opened) -> None:
    app = open_page("policies", policy="h2o", budget="24", text="bear")
    assert own(app) == PoliciesChoice(policy="h2o", budget=24, text="bear")
    assert app.selectbox(key="p_policy").value == "h2o"
    assert app.slider(key="p_budget").value == 24


def test_a_policy_without_a_budget_offers_none(open_page: Opened) -> None:
    app = open_page("policies", policy="int4")
    assert not [slider for slider in app.slider if slider.key == "p_budget"]


def test_choosing_a_policy_stands_in_the_address(open_page: Opened) -> None:
    app = open_page("policies")
    app.selectbox(key="p_policy").set_value("tova").run()
    assert not app.exception
    assert own(app).policy == "tova"
    app.slider(key="p_budget").set_value(20).run()
    assert own(app).budget == 20


def test_a_long_prompt_of_ones_own_is_cut_with_a_sentence(open_page: Opened) -> None:
    app = open_page("policies", text="own", prompt="a story " * 300)
    assert not app.exception
    assert app.info


def test_every_policy_names_its_paper_or_is_a_plain_one() -> None:
    plain = {"random", "int8", "int4", "int2", "full"}
    assert {name for name, rule in RULES.items() if not rule.paper} == plain
