"""The glossary: what each term means, from where the pages explain it, and where one can see it."""

from functools import cache
from pathlib import Path
from typing import Any

from explainer.kit.places import place
from explainer.kit.words import explained, words_of

WORDS = words_of(Path(__file__).with_name("glossary.toml"))


@cache
def scene() -> dict[str, Any]:
    """What the browser gets: the terms in their groups."""
    meaning = explained()
    return {
        "title": WORDS["title"],
        "lead": WORDS["lead"],
        "groups": [
            {
                "name": group["name"],
                "terms": [
                    {
                        "name": term["name"],
                        "text": meaning[term["explained"]],
                        "place": place(term["place"]),
                    }
                    for term in group["term"]
                ],
            }
            for group in WORDS["group"]
        ],
    }
