"""Proofs that take longer than their step: one at a time, behind the pages, for walks that somebody looks at.

No Streamlit here. A page's scene asks for what is proved, again and again while something is not: each time
says that somebody is still there. A walk that nobody has asked about for a while leaves the line.
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

#: Seconds without a look after which a page counts as closed.
PATIENCE = 6.0
#: Walks in line; who finds it full asks again.
MOST = 64


class Provable(Protocol):
    """A `Walk`, or what a test puts in its place."""

    @property
    def proved(self) -> bool: ...
    def prove(self) -> None: ...


class Proofs:
    """The line of walks whose steps are to be proved, and the one thread that does it while there are any."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._line: OrderedDict[str, tuple[Provable, float]] = (
            OrderedDict()
        )  # with when it was looked at last
        self._given_up: OrderedDict[str, None] = OrderedDict()
        self._thread: threading.Thread | None = None

    def look(self, key: str, walk: Provable) -> int | None:
        """Somebody sees this walk: what of it is not proved gets its turn.

        How many walks are before it, 0 when it is proved or being proved; None where its proof was given up.
        """
        with self._lock:
            if key in self._given_up:
                del self._given_up[key]  # told now; who asks once more has it tried again
                return None
            if walk.proved:
                return 0
            if key in self._line or len(self._line) < MOST:
                self._line[key] = walk, self._clock()
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="proofs", daemon=True)
                self._thread.start()
            return list(self._line).index(key) if key in self._line else len(self._line)

    def _next(self) -> tuple[str, Provable] | None:
        with self._lock:
            for key, (walk, looked) in list(self._line.items()):
                if self._clock() - looked <= PATIENCE:
                    return key, walk
                del self._line[key]
            self._thread = None
            return None

    def _work(self) -> None:
        while found := self._next():
            key, walk = found
            try:
                walk.prove()
            except Exception:  # the line must move on
                logging.getLogger(__name__).exception("a proof failed")
                with self._lock:
                    self._given_up[key] = None
                    if len(self._given_up) > MOST:
                        self._given_up.popitem(last=False)
            with self._lock:
                self._line.pop(key, None)


#: The one line of this server.
PROOFS = Proofs()
