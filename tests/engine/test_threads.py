"""One model, shared by every browser session."""

import threading
from concurrent.futures import ThreadPoolExecutor

from kvengine import Trace, generate, load_model, sampler, trace
from tests.engine.reference import random_ids

SESSIONS = 4


def test_four_threads_with_a_cache_each_write_what_each_writes_alone() -> None:
    model = load_model("stories-1m-h8-kv4")
    together = threading.Barrier(SESSIONS)

    def write(session: int, wait: bool) -> list[int]:
        prompt = random_ids(model.config.vocab_size, 5 + 3 * session, seed=session)[0].tolist()
        draw = sampler(0.9, seed=session)
        written = []
        for step in generate(model, prompt, max_new_tokens=40, use_cache=True, sampler=draw):
            written.append(step.token_id)
            if wait:
                together.wait(60)  # every token of one is written between tokens of the others
        return written

    alone = [write(session, False) for session in range(SESSIONS)]
    assert len({tuple(text) for text in alone}) == SESSIONS
    with ThreadPoolExecutor(SESSIONS) as threads:
        shared = list(threads.map(lambda session: write(session, True), range(SESSIONS)))
    assert shared == alone


def test_a_recording_hears_its_own_pass_only() -> None:
    model = load_model("stories-1m-h8-kv4")
    texts = [random_ids(model.config.vocab_size, 4 + session, seed=session) for session in range(SESSIONS)]
    together = threading.Barrier(SESSIONS)

    def record(session: int) -> Trace:
        together.wait(60)
        return trace(model, texts[session])

    with ThreadPoolExecutor(SESSIONS) as threads:
        for _ in range(5):
            for text, recorded in zip(texts, threads.map(record, range(SESSIONS)), strict=True):
                alone = trace(model, text)
                assert list(recorded) == list(alone)
                assert all((recorded[name] == alone[name]).all() for name in alone)
