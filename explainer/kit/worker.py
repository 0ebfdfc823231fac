"""The process that measures: nothing else runs in it. `python -m explainer.kit.worker` is what it is.

It reads pickled messages from its standard input and writes pickled answers to its standard output: see
`process.py` for the other end. When the input ends, the one who asked has gone, and so does this process.
"""

import gc
import os
import pickle
import queue
import signal
import threading
import traceback
from typing import Any, BinaryIO, NoReturn

# What the other end may send: ("run", job), ("stop",).
# What this end answers: ("result", value) as often as there are some, then ("ended",), or ("failed", error,
# what happened). A refusal of the engine is its error; of any other error there is the text.


def main() -> NoReturn:
    # A Ctrl-C in the server's terminal is the server's: it will end this process in its own way.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asked, answers = os.fdopen(0, "rb", closefd=False), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not print into the answers

    jobs: queue.SimpleQueue[Any] = queue.SimpleQueue()
    stop = threading.Event()
    threading.Thread(target=_listen, args=(asked, jobs, stop), daemon=True).start()

    import kvengine.race  # noqa: F401 (torch takes its time: now, and not when the first job comes)

    gc.collect()
    gc.freeze()
    while True:
        _answer(jobs.get(), stop, answers)


def _listen(asked: BinaryIO, jobs: "queue.SimpleQueue[Any]", stop: threading.Event) -> None:
    """Take messages as they come, also while a job runs."""
    while True:
        try:
            kind, *rest = pickle.load(asked)
        except (EOFError, OSError):
            os._exit(0)
        except Exception as error:  # a job that cannot be unpickled
            jobs.put(error)
            continue
        if kind == "stop":
            stop.set()
        else:
            stop.clear()
            jobs.put(rest[0])


def _answer(job: Any, stop: threading.Event, answers: BinaryIO) -> None:
    from kvengine.errors import KVEngineError

    gc.disable()  # as timeit does: a collection is no part of what is measured
    try:
        if isinstance(job, Exception):
            raise job
        for result in job.run(stop.is_set):
            _send(answers, "result", result)
            if stop.is_set():
                break
        _send(answers, "ended")
    except KVEngineError as error:
        _send(answers, "failed", error, "")
    except Exception as error:
        _send(answers, "failed", f"{type(error).__name__}: {error}", traceback.format_exc())
    finally:
        gc.enable()
        gc.collect()


def _send(answers: BinaryIO, *message: object) -> None:
    try:
        answers.write(pickle.dumps(message))
        answers.flush()
    except BrokenPipeError:
        os._exit(0)


if __name__ == "__main__":
    main()
