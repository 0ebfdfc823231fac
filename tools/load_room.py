"""A room: how long a teacher's step takes to all who follow, and an answer until it is counted.

Each follower is a connection of its own that waits for server-sent events. They share this machine with the
server.
"""

import asyncio
import json
import random
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tools.server import serve

GOAL_STEP_MS, GOAL_VOTE_MS = 250, 500
STEPS, STEP_EVERY, VOTING = 20, 0.5, 10.0  # steps; seconds between two; seconds in which all answer
QUESTION = {"by": "stage", "text": "Which?", "options": ["a", "b", "c"], "answer": 0, "why": "Since."}


@dataclass
class Room:
    """What a class of clients has seen, in seconds of this process's clock."""

    address: Any
    code: str = ""
    secret: str = ""
    came: dict[str, list[float]] = field(default_factory=dict)  # step -> when it came, for each follower
    counted: list[tuple[float, int, int]] = field(default_factory=list)  # when, joined, answered
    lost: int = 0

    async def post(self, path: str, said: dict[str, Any]) -> bytes:
        body = json.dumps(said).encode()
        reader, writer = await asyncio.open_connection(self.address.hostname, self.address.port)
        writer.write(
            f"POST /rooms{path} HTTP/1.1\r\nHost: {self.address.netloc}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
            + body
        )
        answer = await reader.read()
        writer.close()
        if not answer.startswith((b"HTTP/1.1 201", b"HTTP/1.1 204")):
            raise RuntimeError(answer[:200])
        return answer.partition(b"\r\n\r\n")[2]

    async def events(self, who: str) -> AsyncIterator[tuple[float, dict[str, Any]]]:
        reader, writer = await asyncio.open_connection(self.address.hostname, self.address.port)
        writer.write(
            f"GET /rooms/{self.code}/events?{who} HTTP/1.1\r\nHost: {self.address.netloc}\r\n\r\n".encode()
        )
        while line := await reader.readline():
            if line.startswith(b"data: "):
                yield time.perf_counter(), json.loads(line[6:])
        self.lost += 1

    async def follow(self, number: int) -> None:
        async for when, event in self.events(f"device=follower-{number:05}"):
            self.came.setdefault(event["params"].get("stage", ""), []).append(when)

    async def lead(self) -> None:
        async for when, event in self.events(f"secret={self.secret}"):
            self.counted.append((when, event["joined"], sum(event.get("counts", ()))))

    async def show(self, stage: str, poll: dict[str, Any] | None = None) -> float:
        began = time.perf_counter()
        place = {"secret": self.secret, "page": "walkthrough", "params": {"stage": stage}, "poll": poll}
        await self.post(f"/{self.code}/place", place)
        return began


async def hold(url: str, followers: int) -> tuple[list[float], list[float], int]:
    """(ms until a step has reached all, for each step; ms until an answer is counted; followers lost)."""
    room = Room(urlsplit(url))
    made = json.loads(await room.post("", {}))
    room.code, room.secret = made["code"], made["secret"]
    tasks = [asyncio.create_task(room.lead())]
    for number in range(followers):
        tasks.append(asyncio.create_task(room.follow(number)))
        await asyncio.sleep(0.01)
    while not room.counted or room.counted[-1][1] < followers:
        await asyncio.sleep(0.1)

    began = {}
    for step in range(STEPS):
        began[f"step {step}"] = await room.show(f"step {step}")
        await asyncio.sleep(STEP_EVERY)
    await asyncio.sleep(2)
    # A step that a slow follower has missed, since the next was there already, is none that reached it.
    steps = [(max(room.came[step]) - at) * 1e3 for step, at in began.items()]
    missed = sum(followers - len(room.came[step]) for step in began)

    await room.show("asked", QUESTION | {"id": "q1", "phase": "open"})
    sent: list[float] = []

    async def answer(number: int) -> None:
        await asyncio.sleep(random.Random(number).random() * VOTING)
        sent.append(time.perf_counter())
        vote = {"device": f"follower-{number:05}", "poll": "q1", "option": number % 3}
        await room.post(f"/{room.code}/vote", vote)

    await asyncio.gather(*(answer(number) for number in range(followers)))
    await asyncio.sleep(1)
    votes = [
        (next(when for when, _, answered in room.counted if answered > number) - at) * 1e3
        for number, at in enumerate(sent)
    ]
    for task in tasks:
        task.cancel()
    return steps, votes, room.lost + missed


def p95(times: list[float]) -> float:
    return sorted(times)[int(0.95 * (len(times) - 1) + 0.5)]


def measure_room(followers: int) -> bool:
    """Print the table; is everything within the goals?"""
    print(
        f"goals: p95 {GOAL_STEP_MS} ms until all have a step, {GOAL_VOTE_MS} ms for an answer, nobody lost\n"
    )
    print("followers  steps  p95 ms  slowest  answers  p95 ms  slowest    lost")
    with tempfile.TemporaryDirectory() as folder, serve(Path(folder) / "server.log") as server:
        steps, votes, lost = asyncio.run(hold(server.url, followers))
        errors = server.log_text().count("Traceback")
    print(
        f"{followers:9}{len(steps):7}{p95(steps):8.0f}{max(steps):9.0f}"
        f"{len(votes):9}{p95(votes):8.0f}{max(votes):9.0f}{lost + errors:8}"
    )
    return p95(steps) <= GOAL_STEP_MS and p95(votes) <= GOAL_VOTE_MS and not lost and not errors
