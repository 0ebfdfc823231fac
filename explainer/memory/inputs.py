"""Widgets that show the page's choice and change it: what they hold stands in the address."""

from collections.abc import Callable

from explainer.kit import controls, session
from explainer.memory.choice import MemoryChoice


def followed(key: str, value: object) -> str:
    """The key of a widget that shows `value`, which the address may have changed."""
    controls.follow(key, value)
    return key


def chosen(key: str, field: str) -> Callable[[], None]:
    """For a widget's `on_change`: its value becomes the page's choice, and stands in the address."""
    return lambda: session.choose(**{field: controls.picked(key, getattr(session.own(MemoryChoice), field))})
