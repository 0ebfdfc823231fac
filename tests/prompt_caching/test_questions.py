"""What is asked before a part of prompt caching is shown: answers and numbers are those of the runs."""

from string import Formatter
from typing import Any

from explainer.kit.choice import Common
from explainer.prompt_caching.ahead import DEFAULT, loaded
from explainer.prompt_caching.choice import TEXTS
from explainer.prompt_caching.machines import machines_scene
from explainer.prompt_caching.questions import documents_question, machines_question, request_question
from explainer.prompt_caching.room import Room
from explainer.prompt_caching.words import WORDS

MODEL, BLOCK = "stories-1m-h8-kv8", 16


def right(question: dict[str, Any] | None) -> str:
    """The text of the right option; every sentence of the question has all its values."""
    assert question
    words = WORDS["ask"][question["kind"]]
    for why, _, more in [*question["options"], ["", "", {}]]:
        Formatter().vformat(words["why"][why] if why else words["text"], (), question["values"] | more)
    texts = [text for _, text, _ in question["options"]]
    assert len(set(texts)) == len(texts) >= 2
    return str(texts[question["answer"]])


def test_of_the_first_request_full_blocks_are_kept_and_of_the_next_the_rest_is_computed() -> None:
    room, text = Room(MODEL, BLOCK, 256), TEXTS["prompt"]
    first = room.send([text["system"], text["documents"], text["question"]], temperature=0.0, seed=0)
    kept = len(room.store.blocks) * BLOCK
    assert right(request_question(first, BLOCK)) == f"{kept} tokens"
    again = room.send(
        [text["system"], text["documents"], TEXTS["more"]["questions"][-1]], temperature=0.0, seed=0
    )
    assert again.served.reused
    assert right(request_question(again, BLOCK)) == f"{again.served.computed} tokens"


def test_a_store_without_room_asks_nothing() -> None:
    room, text = Room(MODEL, BLOCK, 0), TEXTS["prompt"]
    entry = room.send([text["system"], text["documents"], text["question"]], temperature=0.0, seed=0)
    assert request_question(entry, BLOCK) is None


def test_what_the_loaded_document_saves_is_the_ratio_of_the_counted_work() -> None:
    found = loaded(MODEL, DEFAULT, Common())
    ours = found.multiplications + sum(one.multiplications[0] for one in found.questions)
    full = sum(one.multiplications[1] for one in found.questions)
    assert right(documents_question(found)) == f"{full / ours:.1f} times less work"


def test_the_way_that_reads_most_is_the_right_one_with_any_number_of_machines() -> None:
    for machines in range(2, 9):
        scene = machines_scene(machines, 2048)
        most = max(scene["ways"], key=lambda way: way["share"])
        assert right(scene["asked"]) == WORDS["machines"]["way"][most["key"]]["name"]
    assert machines_question(machines_scene(1, 2048)["ways"], 1) is None
