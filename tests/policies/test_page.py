"""The policies page, run without a browser."""

import time
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from explainer.kit.lab import Run
from explainer.kit.runs import Measured
from explainer.policies import show_first, show_loss
from explainer.policies.choice import PARTS, PoliciesChoice
from explainer.policies.measure import WIDE, FirstPoint, FirstToken, Tried
from explainer.policies.rules import RULES
from kvengine.forgetting import FirstRow

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


@pytest.mark.parametrize(("other", "told"), [(0.7, "it is the place"), (0.1, "it is the token")])
def test_what_the_first_row_is_to_a_model_is_told_by_the_runs(
    open_page: Opened, monkeypatch: pytest.MonkeyPatch, other: float, told: str
) -> None:
    ours, theirs = "stories-1m-h8-kv8", "stories-1m-h1-kv1"  # the second one stands for a real model
    monkeypatch.setattr(show_first, "real", lambda: theirs)
    app = open_page("policies", part="first")
    found: dict[object, FirstPoint] = {}
    for name, gain in ((ours, 0.004), (theirs, 0.77)):
        for window, firsts, silent, swapped in Tried(
            name, (), 0, 0, windows=(WIDE,) if name == theirs else ()
        ).plan():
            worse = (other if swapped and name == theirs else gain) if window and not firsts else 0.0
            look = None if window else FirstRow(weight=0.3, length=0.2, taken=0.1)
            point = FirstPoint(name, window, firsts, silent, 3.0 + worse, look, swapped)
            found[show_first._mark(point)] = point
    run: Run[FirstPoint] = Run(FirstToken(show_loss.setting(ours), ()), time.monotonic)
    run.state = "done"
    app.session_state[f"kept_policies_first_{ours}"] = found
    app.session_state["run_policies_first"] = Measured(run, show_loss.setting(ours), 24, "", "today")
    app.run()
    assert not app.exception
    words = "\n".join(str(node.value) for node in app.markdown).replace("\\", "")
    assert told in words
    assert "loses 0.770 nats more, the small one 0.004" in words
    assert "A window of 256 rows: 3.770 without the first row, 3.000 with it and 3.000 with four" in words
