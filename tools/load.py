"""A class on one server: `python -m tools.load [learners ...]` measures what each of them waits.

Each learner is a websocket of its own that speaks Streamlit's protocol. Every other second on average it asks
for another head, layer, stage, and for a token a little further on, with a prompt of its own or the one that
all share; on the start page (`--prompts`) for the two writers of a new prompt, every twenty seconds. Measured
is the time from its message to the end of the script run that answers it, on a server of its own on this
machine; learners and server share the processor. Nothing but this machine is asked.

`--room 300` measures a room instead: a step until all who follow have it, an answer until it is counted.
"""

import argparse
import asyncio
import os
import random
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from explainer.kit.cache import walks_budget
from tools.load_room import measure_room
from tools.server import Server, serve

PERIOD, PROMPT_PERIOD = 2.0, 20.0  # seconds between two changes of a learner, or two prompts, on average
GOAL_MS, GOAL_CPU_MS, GOAL_KB, GOAL_MB = 250, 15, 60, 1500
CLASSES = ((1, "own"), (10, "own"), (30, "shared"), (30, "own"), (100, "own"))
NAMES = ["Tom", "Sara", "Ben", "Lily", "Max", "Mia", "Sam", "Anna", "Tim", "Lucy"]
PLACES = ["park", "sea", "forest", "market"]


@dataclass
class Measured:
    """What a class has seen, in ms and bytes."""

    opened: list[float] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    received: int = 0
    errors: list[str] = field(default_factory=list)


async def learn(
    url: str, seconds: float, prompt: str | None, length: int, seed: int, found: Measured, *, prompts: bool
) -> None:
    """Open the app, and change something every PERIOD seconds or so, or the prompt every PROMPT_PERIOD."""
    chance = random.Random(seed)
    token = max(14, length)
    period = PROMPT_PERIOD if prompts else PERIOD

    def address() -> str:
        nonlocal token
        if prompts:
            return urlencode({"prompt": f"{prompt} {chance.choice(NAMES)} {chance.randrange(1000)}"})
        token = min(token + chance.randrange(1, 4), max(200, min(length + 40, 511)))
        place = {"layer": chance.randrange(4), "head": chance.randrange(8)}
        return urlencode(
            ({"prompt": prompt} if prompt else {})
            | ({"length": length} if length else {})
            | place
            | {"token": token, "stage": chance.randrange(1, 6)}
        )

    async def run(socket: websockets.ClientConnection) -> float:
        message = BackMsg()
        message.rerun_script.page_name = "" if prompts else "walkthrough"
        message.rerun_script.query_string = address()
        began = time.perf_counter()
        await socket.send(message.SerializeToString())
        while True:
            received = await asyncio.wait_for(socket.recv(decode=False), 60)
            found.received += len(received)
            answer = ForwardMsg.FromString(received)
            if answer.delta.new_element.WhichOneof("type") == "exception":
                shown = answer.delta.new_element.exception
                found.errors.append(f"{shown.type}: {shown.message[:80]}")
            if answer.WhichOneof("type") == "script_finished":
                return (time.perf_counter() - began) * 1e3

    try:
        stream = f"{url.replace('http', 'ws')}/_stcore/stream"
        async with websockets.connect(
            stream, subprotocols=[websockets.Subprotocol("streamlit")], max_size=None, compression=None
        ) as socket:
            found.opened.append(await run(socket))
            await asyncio.sleep(chance.random() * period)
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                found.waited.append(await run(socket))
                await asyncio.sleep(chance.uniform(0.75, 1.25) * period)
    except Exception as error:
        found.errors.append(repr(error)[:120])


async def hold_class(
    urls: Sequence[str], learners: int, seconds: float, mode: str, length: int, *, prompts: bool = False
) -> Measured:
    """They come in one after the other, ten a second, as a class does that opens a link.

    Each stays with one of the servers, as behind a balancer that is sticky.
    """
    found = Measured()
    tasks = []
    for i in range(learners):
        who = f"{NAMES[i % 10]} and {NAMES[i // 10 % 10]} went to the {PLACES[i % 4]} number {i}. They saw a"
        prompt = who if mode == "own" else None
        url = urls[i % len(urls)]
        tasks.append(asyncio.create_task(learn(url, seconds, prompt, length, i, found, prompts=prompts)))
        await asyncio.sleep(0.1)
    await asyncio.gather(*tasks)
    return found


def processor_ms(server: Server) -> float:
    """Time that the server has had on the processor, all threads together."""
    used = Path(f"/proc/{server.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(used[11]) + int(used[12])) * 1e3 / os.sysconf("SC_CLK_TCK")


def resident_mb(server: Server) -> int:
    pages = int(Path(f"/proc/{server.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


def p95(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=20, method="inclusive")[18] if len(times) > 1 else sum(times)


def measure(learners: int, mode: str, seconds: float, length: int, *, prompts: bool, replicas: int) -> bool:
    """Print one line of the table; is everything within the goals?"""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        # Together they have the memory of one, as in deploy/compose.yaml.
        shared = {"EXPLAINER_WALKS": str(walks_budget(os.environ) // replicas)}
        servers = [stack.enter_context(serve(folder / f"server{i}.log", env=shared)) for i in range(replicas)]
        before = sum(map(processor_ms, servers))
        urls = [server.url for server in servers]
        found = asyncio.run(hold_class(urls, learners, seconds, mode, length, prompts=prompts))
        runs = len(found.opened) + len(found.waited)
        cpu = (sum(map(processor_ms, servers)) - before) / max(runs, 1)
        kilobytes = found.received / max(runs, 1) / 1e3
        memory = sum(map(resident_mb, servers))
        logged = sum(server.log_text().count("Traceback") for server in servers)
    late = p95(found.waited)
    print(
        f"{learners:8}  {mode:7}{len(found.waited):6}{statistics.median(found.waited or [0]):9.0f}{late:8.0f}"
        f"{p95(found.opened):9.0f}{cpu:9.1f}{kilobytes:8.1f}{memory:8}{len(found.errors) + logged:8}",
        flush=True,
    )
    for error, times in Counter(found.errors).most_common(3):
        print(f"          {times} × {error}")
    return late <= GOAL_MS and not found.errors and not logged and memory <= GOAL_MB


def main() -> None:
    parser = argparse.ArgumentParser(prog="make load", description="Measure a class on this machine.")
    parser.add_argument("learners", nargs="*", type=int, help="how many; without it, one to a hundred")
    parser.add_argument("--seconds", type=float, default=30, help="how long each class learns (30)")
    parser.add_argument("--shared", action="store_true", help="all with the same prompt")
    parser.add_argument("--length", type=int, default=0, help="tokens in the cache (those of the prompt)")
    parser.add_argument("--prompts", action="store_true", help="the start page, a new prompt every 20 s")
    parser.add_argument("--replicas", type=int, default=1, help="servers that share the class (1)")
    parser.add_argument("--room", type=int, metavar="N", help="N who follow one room, and nothing else")
    asked = parser.parse_args()
    if asked.room:
        raise SystemExit(0 if measure_room(asked.room) else "\nA goal was missed.")
    classes = [(n, "shared" if asked.shared else "own") for n in asked.learners] or CLASSES
    change = f"a new prompt every {PROMPT_PERIOD:g} s" if asked.prompts else f"a change every {PERIOD:g} s"
    servers = "server" if asked.replicas == 1 else f"{asked.replicas} servers"
    print(f"{os.cpu_count()} cores, shared by {servers} and learners; {change}")
    print(
        f"goals: p95 {GOAL_MS} ms, {GOAL_CPU_MS} ms of CPU and {GOAL_KB} kB a run, {GOAL_MB} MB, no error\n"
    )
    print("learners  prompt   runs   p50 ms  p95 ms  open p95  cpu/run  kB/run  MB RSS  errors")
    met = [
        measure(n, mode, asked.seconds, asked.length, prompts=asked.prompts, replicas=asked.replicas)
        for n, mode in classes
    ]
    raise SystemExit(0 if all(met) else "\nA goal was missed.")


if __name__ == "__main__":
    main()
