"""A device of a class and its teacher's page, as the server knows them: posts, and events that come."""

import json
from collections.abc import Callable
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

POLL = {
    "id": "p1",
    "by": "stage",
    "text": "Which?",
    "options": ["a", "b"],
    "answer": 1,
    "why": "Since.",
    "phase": "open",
}


def ask(url: str, path: str, said: Any = None, **headers: str) -> tuple[int, str]:
    """Post `said` as JSON, or get the path."""
    address = urlsplit(url)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=90)
    try:
        if said is None:
            connection.request("GET", path, headers=headers)
        else:
            body = said if isinstance(said, bytes) else json.dumps(said)
            connection.request("POST", path, body, {"Content-Type": "application/json"} | headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


OPENED: list["Events"] = []


class Events:
    """What a room sends to one connection."""

    def __init__(self, url: str, code: str, **who: str) -> None:
        OPENED.append(self)
        address = urlsplit(url)
        self._connection = HTTPConnection(address.hostname or "", address.port, timeout=90)
        self._connection.request("GET", f"/rooms/{code}/events?{urlencode(who)}")
        self._answer = self._connection.getresponse()
        self.status = self._answer.status
        self.headers = {name.lower(): value for name, value in self._answer.getheaders()}

    def until(self, holds: Callable[[str, dict[str, Any]], Any]) -> dict[str, Any]:
        """The first event, a kind and its data, for which this holds."""
        kind = ""
        while line := self._answer.readline().decode():
            if line.startswith("event: "):
                kind = line[7:].strip()
            elif line.startswith("data: "):
                data: dict[str, Any] = json.loads(line[6:])
                if holds(kind, data):
                    return data
        raise EOFError("The server has ended the connection.")

    def close(self) -> None:
        self._answer.close()
        self._connection.close()


class Teacher:
    def __init__(self, url: str) -> None:
        self.url = url
        status, made = ask(url, "/rooms", {})
        assert status == 201, made
        found = json.loads(made)
        self.code, self.secret = found["code"], found["secret"]

    def show(self, page: str, poll: Any = None, **params: str) -> tuple[int, str]:
        place = {"secret": self.secret, "page": page, "params": params, "poll": poll}
        return ask(self.url, f"/rooms/{self.code}/place", place)

    def listen(self) -> Events:
        return Events(self.url, self.code, secret=self.secret)

    def close(self) -> tuple[int, str]:
        return ask(self.url, f"/rooms/{self.code}/close", {"secret": self.secret})


def vote(url: str, code: str, device: str, option: Any, poll: str = "p1") -> tuple[int, str]:
    return ask(url, f"/rooms/{code}/vote", {"device": device, "poll": poll, "option": option})
