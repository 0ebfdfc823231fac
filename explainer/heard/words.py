"""What is commonly said of the cache, what is true, and where that can be seen."""

from functools import cache
from pathlib import Path
from typing import Any

from explainer.kit.places import place
from explainer.kit.words import terms, words_of

WORDS = words_of(Path(__file__).with_name("heard.toml"))


@cache
def scene() -> dict[str, Any]:
    """What the browser gets: the claims in their order."""
    return {
        "title": WORDS["title"],
        "lead": WORDS["lead"],
        "terms": terms(WORDS["said"]),
        "said": [
            {
                "claim": said["claim"],
                "kind": said["verdict"],
                "verdict": WORDS["verdict"][said["verdict"]],
                "truth": said["truth"],
                "place": place(said["place"]),
            }
            for said in WORDS["said"]
        ],
    }
