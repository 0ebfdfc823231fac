"""What a room is: its code, what its teacher may say, and how much of everything."""

import hashlib
import json
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

#: Rooms at a time, on this server or on all that share a Redis.
MOST_ROOMS = 200
#: Devices in one room, and connections that wait for events on one server.
MOST_FOLLOWERS, MOST_CONNECTIONS = 1000, 3000
#: Bytes of what the teacher shows: an address, a question and its answers.
MOST_BYTES = 24_000
#: Seconds that a room lasts after the last sign of its teacher.
LIFETIME = 30 * 60
#: Seconds after which a device that gave no sign has left.
ABSENCE = 45

#: Letters and digits that are not taken for each other, and no vowels: no code is a word.
ALPHABET = "CDFHJKMNPRTWXY34679"
CODE_LENGTH = 6
_CODE = re.compile(f"[{ALPHABET}]{{{CODE_LENGTH}}}")
_SECRET = re.compile(r"[\w-]{16,64}", re.ASCII)
_DEVICE = re.compile(r"[\w-]{8,40}", re.ASCII)
_PAGE = re.compile(r"[a-z_]{0,40}")
_NAME = re.compile(r"\w{1,40}", re.ASCII)
#: Makes trying out secrets slow.
_ROUNDS = 5000

PHASES = ("open", "bars", "truth")


class RefusedError(Exception):
    """What was asked for is not done: a status and a sentence."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status = status


# ---- codes -----------------------------------------------------------------------------------------------


def new_secret() -> str:
    return secrets.token_urlsafe(18)


@lru_cache(maxsize=4 * MOST_ROOMS)
def code_of(secret: str) -> str:
    """The code that belongs to a teacher's secret.

    It follows from the secret, so a server that has lost everything can give the room back to the one who
    opened it, and to nobody else.
    """
    number = int.from_bytes(hashlib.pbkdf2_hmac("sha256", secret.encode(), b"room", _ROUNDS))
    return "".join(ALPHABET[number // len(ALPHABET) ** i % len(ALPHABET)] for i in range(CODE_LENGTH))


def read_code(given: str) -> str:
    code = given.strip().upper()
    if not _CODE.fullmatch(code):
        raise RefusedError(
            404, f"A room's code has {CODE_LENGTH} letters and digits, such as {ALPHABET[:6]}."
        )
    return code


def check_secret(code: str, secret: object) -> None:
    if not (isinstance(secret, str) and _SECRET.fullmatch(secret) and code_of(secret) == code):
        raise RefusedError(403, "Only the teacher who opened this room can do that.")


def read_device(given: object) -> str:
    if not (isinstance(given, str) and _DEVICE.fullmatch(given)):
        raise RefusedError(400, "A device has a random name of 8 to 40 letters and digits.")
    return given


def read_page(given: object) -> str:
    if not (isinstance(given, str) and _PAGE.fullmatch(given)):
        raise RefusedError(400, "A page is named by its address.")
    return given


# ---- what the teacher shows ------------------------------------------------------------------------------


def read_body(body: bytes) -> dict[str, Any]:
    if len(body) > MOST_BYTES:
        raise RefusedError(413, f"A room takes at most {MOST_BYTES:,} bytes at a time: shorten the prompt.")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise RefusedError(400, "What was sent is no JSON object.")
    return found


def read_place(given: Mapping[str, Any]) -> dict[str, Any]:
    """A page with the parameters of its address, and the question put to the class, if there is one."""
    params = given.get("params", {})
    if not (isinstance(params, dict) and len(params) <= 40):
        raise RefusedError(400, "The parameters of a place are names with texts.")
    for name, text in params.items():
        if not (_NAME.fullmatch(name) and isinstance(text, str)):
            raise RefusedError(400, "The parameters of a place are names with texts.")
    return {"page": read_page(given.get("page")), "params": params, "poll": read_poll(given.get("poll"))}


def read_poll(given: object) -> dict[str, Any] | None:
    if given is None:
        return None
    poll = given if isinstance(given, dict) else {}
    options, answer, phase = poll.get("options"), poll.get("answer"), poll.get("phase")
    texts = [poll.get(name) for name in ("id", "by", "text", "why")]
    texts += options if isinstance(options, list) and 2 <= len(options) <= 9 else [None]
    if (
        not all(isinstance(text, str) and len(text) <= 2000 for text in texts)
        or not (_NAME.fullmatch(poll["id"]) and _NAME.fullmatch(poll["by"]))
        or phase not in PHASES
        or not (type(answer) is int and 0 <= answer < len(poll["options"]))
    ):
        raise RefusedError(400, "A question has a text, two to nine answers, and the right one of them.")
    kept = {name: poll[name] for name in ("id", "by", "text", "options", "phase")}
    kept["veil"] = bool(poll.get("veil"))
    # Before it is shown, no device is told the answer.
    return kept | ({"answer": answer, "why": poll["why"]} if phase == "truth" else {})


# ---- how often -------------------------------------------------------------------------------------------


@dataclass
class Bucket:
    """At most `burst` at once, and `rate` a second from then on."""

    rate: float
    burst: float
    clock: Callable[[], float] = time.monotonic
    left: float = field(init=False)
    at: float = field(init=False)

    def __post_init__(self) -> None:
        self.left, self.at = self.burst, self.clock()

    def take(self) -> None:
        now = self.clock()
        self.left, self.at = min(self.burst, self.left + (now - self.at) * self.rate), now
        if self.left < 1:
            raise RefusedError(429, "Too often; wait a moment.")
        self.left -= 1
