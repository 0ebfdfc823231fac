"""What is asked about rows and blocks: right answers and numbers are those of the simulation."""

from string import Formatter
from typing import Any

from explainer.memory.blocks_scene import DEFAULT, read, scene
from explainer.memory.words import WORDS
from kvengine.paging import BLOCK, simulate

PLACES, ROW = 512, 128


def asked(said: str = DEFAULT) -> dict[str, Any]:
    questions: dict[str, Any] = scene(read(said), places=PLACES, row=ROW, proof=None)["questions"]
    for question in questions.values():
        words = WORDS["blocks"]["question"][question["kind"]]
        for template in (words["text"], *(words["why"][why] for why, _, _ in question["options"])):
            Formatter().vformat(template, (), question["values"])  # nothing is missing
    return questions


def right(question: dict[str, Any]) -> str:
    return str(question["options"][question["answer"]][1])


def test_each_question_stands_before_the_step_that_answers_it() -> None:
    questions = {question["kind"]: (int(stage) - 1, question) for stage, question in asked().items()}
    rows = simulate(read(DEFAULT), places=PLACES, longest=ROW)
    paged = simulate(read(DEFAULT), places=PLACES, longest=ROW, block=BLOCK)
    step, question = questions["share"]
    assert right(question) == f"{round(100 * rows[step].used / rows[step].reserved)}%"
    step, question = questions["another"]
    request = ord(question["values"]["letter"]) - ord("A")
    before, after = (
        next(held for held in moment.held if held.request == request) for moment in paged[step - 1 : step + 1]
    )
    assert (after.tokens, after.reserved) == (before.tokens + 1, before.reserved + BLOCK)
    assert right(question) == f"{BLOCK} places"
    step, question = questions["waits"]
    request = ord(question["values"]["letter"]) - ord("A")
    assert request in rows[step].waiting
    assert request in {held.request for held in paged[step].held}
    assert right(question) == "only in blocks"


def test_where_nobody_waits_nobody_is_asked_who_does() -> None:
    assert {question["kind"] for question in asked("0-12-20").values()} == {"share", "another"}
