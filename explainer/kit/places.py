"""Places in the app where one can see something, by name: `places.toml`, where each stands once."""

from pathlib import Path
from typing import Any

from explainer.kit.words import words_of

PLACES = words_of(Path(__file__).with_name("places.toml"))


def place(name: str) -> dict[str, Any]:
    """The page, its parameters, and what the link says, for a scene to make a door of (`web/way.js`)."""
    found = PLACES[name]
    return {
        "page": found["page"],
        "params": found.get("params", {}),
        "anchor": found.get("anchor", ""),
        "at": found["at"],
    }
