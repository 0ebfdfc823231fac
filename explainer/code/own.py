"""A cache of one's own: the text that is shown, its usual bugs as changes to it, and what each does.

The changes are fixed texts of this package; nothing that a visitor writes is ever run. What is run is the
text that is shown, in the trained model too: its attention takes the place of the model's own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from kvengine import Transformer, generate
from kvengine.config import Config
from kvengine.plugged import logits_with

TEXT = Path(__file__).with_name("own_cache.py").read_text(encoding="utf-8")

#: The base of the rotation that stands in the text; that of a model can be another.
BASE = 10_000.0

#: Words that the model writes with each cache; with a real model, which takes its time, fewer.
WORDS_WRITTEN, WORDS_LARGE = 10, 4

#: Rows that are appended one by one to time it, and how many of them at each end.
APPENDED, ENDS = 1024, 64
TIMES = 3

#: A change: text of ours, and what stands in its place.
Change = tuple[tuple[str, str], ...]

CHANGES: Mapping[str, Change] = {
    "none": (),
    "grow": (
        (
            """\
        self.k = np.zeros((n_layers, n_kv_heads, max_len, head_dim), np.float32)
        self.v = np.zeros_like(self.k)
""",
            """\
        self.k = [np.zeros((n_kv_heads, 0, head_dim), np.float32) for _ in range(n_layers)]
        self.v = list(self.k)
""",
        ),
        (
            """\
        end = self.length + k.shape[1]
        self.k[layer, :, self.length : end] = k
        self.v[layer, :, self.length : end] = v
        return self.k[layer, :, :end], self.v[layer, :, :end]
""",
            """\
        self.k[layer] = np.concatenate([self.k[layer], k], axis=1)
        self.v[layer] = np.concatenate([self.v[layer], v], axis=1)
        return self.k[layer], self.v[layer]
""",
        ),
    ),
    "offset": (
        (
            "    q = rotate(q, cache.length)\n    k = rotate(k, cache.length)\n",
            "    q = rotate(q, 0)\n    k = rotate(k, 0)\n",
        ),
    ),
    "twice": (("    return attention(q, k, v)\n", "    return attention(q, rotate(k, 0), v)\n"),),
    "mask": (("    first = keys - rows\n", "    first = 0\n"),),
    "expanded": (
        ("np.zeros((n_layers, n_kv_heads, max_len", "np.zeros((n_layers, n_heads, max_len"),
        (
            "    k, v = cache.update(layer, k, v)\n",
            "    group = len(q) // len(k)\n"
            "    k, v = np.repeat(k, group, axis=0), np.repeat(v, group, axis=0)\n"
            "    k, v = cache.update(layer, k, v)\n",
        ),
    ),
    "layers": (
        (
            "        self.k[layer, :, self.length : end] = k\n",
            "        self.k[layer - 1, :, self.length : end] = k\n",
        ),
        (
            "        self.v[layer, :, self.length : end] = v\n",
            "        self.v[layer - 1, :, self.length : end] = v\n",
        ),
    ),
}


@cache
def text_of(change: str, base: float = BASE) -> str:
    """The text with a change made to it, for a model whose rotation has this base."""
    text = TEXT.replace(f"{BASE:_}", f"{base:_}")
    for old, new in CHANGES[change]:
        text = text.replace(old, new)
    return text


def marked_lines(change: str, base: float = BASE) -> list[tuple[str, str]]:
    """The lines of the changed text, with those that it replaced: ("", "-" or "+", line)."""
    old, new = (text_of(key, base).splitlines() for key in ("none", change))
    lines: list[tuple[str, str]] = []
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            lines += [("", line) for line in old[a:b]]
        else:
            lines += [("-", line) for line in old[a:b]] + [("+", line) for line in new[c:d]]
    return lines


@cache
def _compiled(change: str, base: float = BASE) -> Any:
    return compile(text_of(change, base), f"own_cache ({change})", "exec")


def module(change: str, base: float = BASE) -> dict[str, Any]:
    """What the text defines, as if it had been imported."""
    names: dict[str, Any] = {"__name__": "own_cache"}
    exec(_compiled(change, base), names)
    return names


@cache
def printed(change: str, base: float = BASE) -> str:
    """What the text prints when it is run by itself."""
    return run_text(_compiled(change, base))


def run_text(code: Any) -> str:
    """Run a text of ours as a program; what it prints."""
    lines: list[str] = []
    exec(code, {"__name__": "__main__", "print": lambda *parts: lines.append(" ".join(map(str, parts)))})
    return "\n".join(lines)


@dataclass(frozen=True)
class Outcome:
    """What a cache did in the trained model.

    `token_ids` is what the model wrote with it and `right_ids` what it writes with its own. `differences` are
    the largest in the logits, word by word, when each is given the right words before it; `used` and `right`
    are the bytes of this cache and of the unchanged one.
    """

    token_ids: tuple[int, ...]
    right_ids: tuple[int, ...]
    differences: tuple[float, ...]
    used: int
    right: int


def try_out(model: Transformer, token_ids: Sequence[int], change: str, words: int = WORDS_WRITTEN) -> Outcome:
    """Let the model go on with the text, its attention replaced by that of the changed text."""
    right_ids, right = _right(model, token_ids, words)
    forced, _ = _write(model, token_ids, change, words, lambda i, logits: right_ids[i])
    free, used = _write(model, token_ids, change, words, lambda i, logits: int(logits.argmax()))
    return Outcome(
        token_ids=tuple(int(logits.argmax()) for logits in free),
        right_ids=right_ids,
        differences=tuple(float(np.abs(a - b).max()) for a, b in zip(forced, right, strict=True)),
        used=used,
        right=_new_cache("none", model.config, len(token_ids) + words)[1],
    )


def _right(
    model: Transformer, token_ids: Sequence[int], words: int
) -> tuple[tuple[int, ...], list[np.ndarray]]:
    """What the engine writes with its own cache, and from which logits."""
    steps = list(generate(model, token_ids, max_new_tokens=words, use_cache=True))
    return tuple(step.token_id for step in steps), [step.logits.float().numpy(force=True) for step in steps]


def _write(
    model: Transformer,
    token_ids: Sequence[int],
    change: str,
    words: int,
    choose: Callable[[int, np.ndarray], int],
) -> tuple[list[np.ndarray], int]:
    names = module(change, model.config.rope_theta)
    kept, used = _new_cache(change, model.config, len(token_ids) + words)
    fresh, found = list(token_ids), []
    for i in range(words):
        logits = logits_with(model, fresh, lambda layer, q, k, v: names["step"](kept, layer, q, k, v))
        kept.advance(len(fresh))
        found.append(logits)
        fresh = [choose(i, logits)]
    return found, max(used, _bytes(kept))


def _new_cache(change: str, c: Config, rows: int) -> tuple[Any, int]:
    kept = module(change)["Cache"](c.n_layers, c.n_heads, c.n_kv_heads, c.head_dim, rows)
    return kept, _bytes(kept)


def _bytes(kept: Any) -> int:
    return sum(part.nbytes for part in (*kept.k, *kept.v))


@dataclass(frozen=True)
class Appending:
    """Seconds for one append, while the cache is short and when it is long: the median of `ENDS` each.

    Of `TIMES` such medians the smallest: what else the machine does only makes them longer.
    """

    short: float
    long: float


def time_appending(config: Config, change: str) -> Appending:
    """Append rows one by one in one layer of a model of this shape, and time it."""
    row = np.ones((config.n_kv_heads, 1, config.head_dim), np.float32)
    medians = []
    for _ in range(TIMES):
        kept = module(change)["Cache"](1, config.n_heads, config.n_kv_heads, config.head_dim, APPENDED)
        seconds = []
        for _ in range(APPENDED):
            start = perf_counter()
            kept.update(0, row, row)
            seconds.append(perf_counter() - start)
            kept.advance(1)
        medians.append((np.median(seconds[:ENDS]), np.median(seconds[-ENDS:])))
    short, long = np.min(medians, axis=0)
    return Appending(short=float(short), long=float(long))
