"""The functions that a step runs through, as they stand in their files: lines, docstrings, statements.

What `lines.py` reports of a run, and what a page shows beside it, is this text of the engine that is running.
"""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module
from inspect import getsource
from types import MappingProxyType

#: The functions that a step runs through, module by module, and whether one steps through their lines.
FUNCTIONS: Mapping[str, Mapping[str, bool]] = {
    "kvengine.generate": {"generate": True},
    "kvengine.model": {"__call__": True} | dict.fromkeys(("_rms_norm", "_rotate", "_hidden"), False),
    "kvengine.cache": {"__init__": False, "update": True, "advance": True},
}


@dataclass(frozen=True)
class Function:
    """A function's own lines in its file: `first` to `last`, and those of its docstring."""

    module: str
    name: str
    first: int
    last: int
    doc: range
    node: ast.FunctionDef

    @cached_property
    def statements(self) -> Mapping[int, ast.stmt]:
        """Line -> the innermost statement that it belongs to; of a compound one only its head."""
        found: dict[int, ast.stmt] = {}
        for node in ast.walk(self.node):  # outer ones come first
            if isinstance(node, ast.stmt) and node is not self.node:
                body = getattr(node, "body", None)
                last = body[0].lineno - 1 if body else node.end_lineno or node.lineno
                found.update(dict.fromkeys(range(node.lineno, max(node.lineno, last) + 1), node))
        return MappingProxyType(found)


@cache
def source_lines(module: str) -> tuple[str, ...]:
    """The source of a module of the engine that is running."""
    return tuple(getsource(import_module(module)).splitlines())


@cache
def functions(module: str) -> tuple[Function, ...]:
    """The functions of `FUNCTIONS` in a module, in the order of its text, found by their names."""
    tree = ast.parse("\n".join(source_lines(module)))
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name in FUNCTIONS[module]:
            head = node.body[0]
            told = isinstance(head, ast.Expr) and isinstance(head.value, ast.Constant)
            doc = range(head.lineno, (head.end_lineno or 0) + 1) if told else range(0)
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            found.append(Function(module, node.name, first, node.end_lineno or node.lineno, doc, node))
    return tuple(sorted(found, key=lambda function: function.first))


@cache
def tap_name(function: Function, node: ast.stmt) -> str | None:
    """The name under which a trace has what this statement makes, from its own text or the next one's."""
    block = next(
        (
            body
            for parent in ast.walk(function.node)
            for body in (getattr(parent, "body", None), getattr(parent, "orelse", None))
            if isinstance(body, list) and node in body
        ),
        [node],
    )
    here = block.index(node)
    made = {ast.unparse(target) for target in getattr(node, "targets", ())}
    for statement in block[here : here + 2]:
        if {ast.unparse(target) for target in getattr(statement, "targets", ())} != made:
            break
        for call in ast.walk(statement):
            if isinstance(call, ast.Call) and ast.unparse(call.func) in ("at", "tap") and call.args:
                (name, *_) = call.args
                if isinstance(name, ast.Constant):
                    return str(name.value)
    return None
