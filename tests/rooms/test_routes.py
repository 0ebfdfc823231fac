"""The rooms of the served app: what comes, to whom, and what is refused with which sentence."""

import json
from typing import Any

import pytest

from explainer.rooms.room import MOST_BYTES
from tests.rooms.clients import POLL, Events, Teacher, ask, vote
from tools.server import Server

STUDENT = "student-0001"


@pytest.fixture
def teacher(app_server: Server) -> Teacher:
    return Teacher(app_server.url)


def test_a_step_reaches_the_class_and_its_answers_reach_the_teacher(teacher: Teacher) -> None:
    url, code = teacher.url, teacher.code
    told, student = teacher.listen(), Events(url, code, device=STUDENT)
    assert student.headers["content-type"].startswith("text/event-stream")
    assert student.headers["x-accel-buffering"] == "no"
    told.until(lambda kind, data: kind == "class" and data["joined"] == 1)

    assert teacher.show("walkthrough", POLL, stage="2", prompt="Tom \ud800 <b>")[0] == 204
    asked = student.until(lambda kind, data: data["page"] == "walkthrough")
    assert asked["params"] == {"stage": "2", "prompt": "Tom \ud800 <b>"}
    assert not {"answer", "why", "counts"} & asked["poll"].keys()

    assert [vote(url, code, STUDENT, option)[0] for option in (0, 1)] == [204, 204]  # it has changed its mind
    told.until(lambda kind, data: data.get("counts") == [0, 1])
    teacher.show("walkthrough", POLL | {"phase": "bars"}, stage="2")
    assert student.until(lambda kind, data: data["poll"]["phase"] == "bars")["poll"]["counts"] == [0, 1]
    assert vote(url, code, STUDENT, 0) == (409, "This question is no longer open.")
    teacher.show("walkthrough", POLL | {"phase": "truth"}, stage="3")
    shown = student.until(lambda kind, data: data["poll"]["phase"] == "truth")["poll"]
    assert (shown["answer"], shown["why"], shown["counts"]) == (1, "Since.", [0, 1])

    assert ask(url, f"/rooms/{code}/here", {"device": STUDENT, "page": "memory"})[0] == 204
    told.until(lambda kind, data: data["pages"] == {"memory": 1})
    student.close()
    told.until(lambda kind, data: data["joined"] == 0)


def test_a_device_in_two_tabs_is_one(teacher: Teacher) -> None:
    tabs = [Events(teacher.url, teacher.code, device=STUDENT) for _ in range(2)]
    told = teacher.listen()
    told.until(lambda kind, data: data["joined"] == 1)
    tabs[0].close()
    assert teacher.show("", POLL)[0] == 204
    told.until(lambda kind, data: data.get("poll") == "p1" and data["joined"] == 1)


def test_when_the_teacher_closes_the_room_all_are_told_and_nothing_is_left(teacher: Teacher) -> None:
    student = Events(teacher.url, teacher.code, device=STUDENT)
    student.until(lambda kind, data: kind == "place")
    assert teacher.close()[0] == 204
    student.until(lambda kind, data: kind == "end")
    with pytest.raises(EOFError):
        student.until(lambda kind, data: True)
    assert Events(teacher.url, teacher.code, device=STUDENT).status == 404
    assert vote(teacher.url, teacher.code, STUDENT, 0)[0] == 404


def test_a_room_that_the_server_has_lost_is_given_back_to_the_one_who_opened_it(teacher: Teacher) -> None:
    teacher.close()  # as a server that was restarted: it knows nothing of the room
    wrong = {"secret": "x" * 24, "page": "", "params": {}}
    assert ask(teacher.url, f"/rooms/{teacher.code}/place", wrong)[0] == 403
    assert Events(teacher.url, teacher.code, device=STUDENT).status == 404
    assert teacher.show("memory")[0] == 204
    student = Events(teacher.url, teacher.code, device=STUDENT)
    assert student.until(lambda kind, data: kind == "place")["page"] == "memory"


@pytest.mark.parametrize(
    ("path", "said", "status", "sentence"),
    [
        ("CODE/place", {"page": ""}, 403, "Only the teacher"),
        ("CODE/close", {"secret": "x" * 24}, 403, "Only the teacher"),
        ("CODE/vote", {"device": "not in the room", "poll": "p1", "option": 0}, 400, "A device has"),
        ("CODE/vote", {"device": "another-device", "poll": "p1", "option": 0}, 409, "in the room"),
        ("CODE/here", {"device": "another-device", "page": ""}, 409, "in the room"),
        ("CODE/vote", [], 400, "no JSON object"),
        ("CODE/vote", b"{", 400, "no JSON object"),
        ("CODE/vote", b" " * (MOST_BYTES + 2), 413, "shorten the prompt"),
        ("nothing/vote", {}, 404, "A room's code"),
    ],
)
def test_what_is_wrong_is_refused_with_a_sentence(
    teacher: Teacher, path: str, said: Any, status: int, sentence: str
) -> None:
    found, told = ask(teacher.url, f"/rooms/{path.replace('CODE', teacher.code)}", said)
    assert found == status
    assert sentence in told


def test_a_page_of_another_site_can_neither_open_a_room_nor_answer(teacher: Teacher) -> None:
    origin = {"Origin": "https://elsewhere.example"}
    assert ask(teacher.url, "/rooms", {}, **origin)[0] == 403
    assert ask(teacher.url, "/rooms", b"{}", **{"Content-Type": "text/plain"})[0] == 415
    assert ask(teacher.url, "/rooms", {}, Origin=teacher.url)[0] == 201


def test_the_picture_of_the_link_leads_to_this_server_alone(teacher: Teacher) -> None:
    qr = f"/rooms/{teacher.code}/qr.svg?at="
    status, drawn = ask(teacher.url, f"{qr}{teacher.url}/")
    assert status == 200
    assert drawn.startswith("<svg")
    for at in ("https://elsewhere.example/", "javascript:x", "", f"{teacher.url}/{'x' * 300}", "http://["):
        assert ask(teacher.url, qr + at)[0] == 400


def test_who_asks_too_often_is_told_to_wait(teacher: Teacher) -> None:
    student = Events(teacher.url, teacher.code, device=STUDENT)
    student.until(lambda kind, data: kind == "place")
    teacher.show("", POLL)
    assert vote(teacher.url, teacher.code, STUDENT, 0)[0] == 204
    # Two a second may come in the long run: a machine that is slow for a moment sends fewer.
    answers = (vote(teacher.url, teacher.code, STUDENT, 0) for _ in range(1000))
    assert next(answer for answer in answers if answer[0] != 204) == (429, "Too often; wait a moment.")


def test_the_page_for_a_code_and_the_words_are_served(app_server: Server) -> None:
    status, page = ask(app_server.url, "/join")
    assert status == 200
    assert 'name="room"' in page
    assert "Open a room" in json.loads(ask(app_server.url, "/rooms/words")[1]).values()
