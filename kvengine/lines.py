"""One step of generation as Python ran it: line by line, with every value that a line made, and what it cost.

Nothing of it can drift from the engine: the text is the source of the functions that run (`source.py`), the
lines are those that the interpreter reported while they ran (`sys.settrace`), the values are the locals that
a line changed, and the multiplications are those that torch's own counter saw in between.
"""

import ast
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from types import FrameType
from typing import Any

from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from kvengine.cache import KVCache
from kvengine.generate import Sampler, Step, generate, greedy
from kvengine.model import Tap, Transformer
from kvengine.source import FUNCTIONS, Function, functions, tap_name

Value = Tensor | int | tuple[int, ...]


@dataclass
class Ran:
    """A statement that changed something: the values it made, by their names in the code, and its cost.

    `flops` are those of this one run of it and of what it called, as torch counted them, two to a
    multiplication; `times` is how often it ran in the step, mostly once in each layer or once in all.
    """

    function: Function
    node: ast.stmt
    values: dict[str, Value]
    flops: int
    times: int = 1

    @property
    def key(self) -> str:
        """A name for the statement that outlives a change of its line number."""
        name = tap_name(self.function, self.node) or next(iter(self.values))
        call = self.node.value if isinstance(self.node, ast.Expr) else None
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            name += f".{call.func.attr}"
        return f"{self.function.name}.{name}"


@dataclass(frozen=True)
class Lines:
    """One step: what ran, in order, with one of the layers for all; and which lines ran at all."""

    ran: list[Ran]
    executed: set[tuple[str, int]]  # module and line
    step: Step


def decode_step(
    model: Transformer,
    token_ids: Sequence[int],
    *,
    layer: int,
    use_cache: bool,
    sampler: Sampler = greedy,
    count: bool = True,
) -> Lines:
    """Run the step that reads the last of `token_ids` and chooses the next token, and report its lines.

    With the cache the tokens before it are in it already, from a prefill; without it the pass takes them all.
    The generation is `generate` itself. To `count` multiplications takes most of the time; else they are 0.
    Errors are those of `Transformer.__call__`.
    """
    last = len(token_ids) - 1

    def choose(logits: Tensor, position: int) -> int:
        # The prefill's answer is known: it is the last of the tokens.
        return token_ids[position] if position <= last else sampler(logits, position)

    given = token_ids[:last] if use_cache and last else token_ids
    steps = generate(_Listening(model), given, max_new_tokens=2, use_cache=use_cache, sampler=choose)
    recorder = _Recorder(layer)
    with recorder.listening():
        if len(given) < len(token_ids):
            next(steps)  # the prefill
            recorder.begin()
        with recorder.counter if count else nullcontext():
            step = next(steps)
    return Lines(list(recorder.ran.values()), recorder.executed, step)


class _Listening(Transformer):
    """The same model with a tap that changes nothing, so that attention is written out line by line."""

    def __init__(self, model: Transformer) -> None:
        vars(self).update(vars(model))

    def __call__(
        self,
        token_ids: Tensor,
        cache: KVCache | None = None,
        tap: Tap | None = None,
        *,
        last_only: bool = False,
    ) -> Tensor:
        return super().__call__(token_ids, cache, tap or _listen, last_only=last_only)


def _listen(name: str, tensor: Tensor) -> Tensor:
    return tensor


class _Recorder:
    """What `sys.settrace` calls: once before each line of the functions that are listened to."""

    def __init__(self, layer: int) -> None:
        self.layer = layer
        self.counter = FlopCounterMode(display=False)
        self.executed: set[tuple[str, int]] = set()
        self.ran: dict[tuple[str, int], Ran] = {}
        self._times: dict[tuple[str, int], int] = {}
        self._open: dict[FrameType, _Open] = {}
        self._files = {import_module(module).__file__: module for module in FUNCTIONS}
        self._by_code: dict[tuple[str, str], Function] = {
            (module, function.name): function for module in FUNCTIONS for function in functions(module)
        }

    def begin(self) -> None:
        """Forget what ran so far; the lines that were executed stay known."""
        self.ran.clear()
        self._times.clear()

    @contextmanager
    def listening(self) -> Iterator[None]:
        before = sys.gettrace()
        sys.settrace(self._on_call)
        try:
            yield
        finally:
            sys.settrace(before)
            self._open.clear()

    def _on_call(self, frame: FrameType, event: str, arg: object) -> Callable[..., Any] | None:
        module = self._files.get(frame.f_code.co_filename)
        function = self._by_code.get((module, frame.f_code.co_name)) if module else None
        if function is None:
            return None

        def on_line(frame: FrameType, event: str, arg: object) -> Any:
            statement = function.statements.get(frame.f_lineno) if event == "line" else None
            now = self._open.get(frame)
            if now and (event == "return" or statement is not now.node):
                self._finish(function, now, frame)
            if event == "return":
                self._open.pop(frame, None)
            elif statement is not None and (now is None or statement is not now.node):
                self.executed.update((function.module, line) for line in _lines_of(statement, function))
                flops = self.counter.get_total_flops()
                self._open[frame] = _Open(statement, dict(frame.f_locals), flops, _state(statement, frame))
            return on_line

        return on_line

    def _finish(self, function: Function, now: "_Open", frame: FrameType) -> None:
        node = now.node
        if not FUNCTIONS[function.module][function.name] or hasattr(node, "body"):
            return
        values = {
            name: value
            for name, local in frame.f_locals.items()
            if now.before.get(name) is not local and (value := _value(local)) is not None
        } | {
            name: value
            for name, value in _state(node, frame).items()
            if isinstance(value, Tensor) or value != now.state.get(name)
        }
        if not values:
            return
        place = (function.module, node.lineno)
        self._times[place] = self._times.get(place, 0) + 1
        if self._times[place] <= self.layer + 1:
            self.ran.pop(place, None)  # in the order of the last that counts
            flops = self.counter.get_total_flops() - now.flops
            self.ran[place] = Ran(function, node, values, flops)
        self.ran[place].times = self._times[place]


@dataclass
class _Open:
    """A statement that has begun, and what there was before it."""

    node: ast.stmt
    before: dict[str, Any]
    flops: int
    state: dict[str, Value]


def _lines_of(node: ast.stmt, function: Function) -> list[int]:
    return [line for line, statement in function.statements.items() if statement is node]


def _value(local: object) -> Value | None:
    if isinstance(local, Tensor):
        return local.clone()  # what the cache's memory holds now
    if isinstance(local, bool):
        return None
    if isinstance(local, list) and all(isinstance(item, int) for item in local):
        return tuple(local)
    return local if isinstance(local, int) else None


def _state(node: ast.stmt, frame: FrameType) -> dict[str, Value]:
    """What a statement changes in place: the attribute it adds to, or whatever its expression begins with."""
    if isinstance(node, ast.AugAssign):
        at: ast.expr = node.target
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        at = node.value.func
        while isinstance(at, ast.Attribute | ast.Call):
            at = at.value if isinstance(at, ast.Attribute) else at.func
    else:
        return {}
    name = ast.unparse(at)
    found: Any = frame.f_locals.get(name.split(".")[0])
    for attribute in name.split(".")[1:]:
        found = getattr(found, attribute)
    value = _value(found)
    return {} if value is None else {name: value}
