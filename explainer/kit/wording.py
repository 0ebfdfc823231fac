"""What a scene says whatever run it shows: fetched once, by an address that changes with it."""

from collections.abc import Callable, Mapping
from functools import cache
from hashlib import blake2b
from typing import Any

from explainer.kit.encode import pack

Wording = Callable[[], Mapping[str, Any]]


@cache
def packed(wording: Wording) -> bytes:
    """A wording as it is served."""
    return pack(wording())


@cache
def address(page: str, wording: Wording) -> str:
    """Where the page's wording is served: what `scene.mount` takes as `wording`."""
    return f"operands/wording/{page}?{blake2b(packed(wording), digest_size=6).hexdigest()}"
