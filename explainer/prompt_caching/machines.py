"""Many machines as data: the same requests sent out in four ways."""

from functools import lru_cache
from typing import Any

from explainer.prompt_caching.pricing import PROVIDERS
from explainer.prompt_caching.questions import machines_question
from explainer.prompt_caching.routing import (
    APPS,
    LENGTH,
    MOST_MACHINES,
    REQUESTS,
    SYSTEM,
    TURN,
    WAYS,
    Outcome,
    route,
    traffic,
)
from explainer.prompt_caching.words import percent

#: Tokens that a machine's store may hold.
STORES = (512, 1024, 2048, 4096)
MACHINES, STORE = 4, 2048


@lru_cache(maxsize=MOST_MACHINES * len(STORES) * len(WAYS))
def outcome(way: str, machines: int, store: int) -> Outcome:
    """A simulation, made once for all visitors: nothing in it is anybody's."""
    return route(traffic(), way, machines, store)


def machines_scene(machines: int, store: int) -> dict[str, Any]:
    """All four ways, request by request."""
    ways = {way: outcome(way, machines, store) for way in WAYS}
    best = max(WAYS, key=lambda way: ways[way].hit_rate)
    told = [
        {
            "key": way,
            "rate": percent(found.hit_rate),
            "share": found.hit_rate,
            "best": way == best and machines > 1,
            "busy": f"{found.busiest:.1f}×",
            "computed": list(found.computed),
            "sent": [[one.app + 1, one.machine, one.tokens, one.reused] for one in found.sent],
        }
        for way, found in ways.items()
    ]
    return {
        "machines": machines,
        "most": MOST_MACHINES,
        "store": store,
        "stores": list(STORES),
        "ways": told,
        "asked": machines_question(told, machines),
        "values": {
            "requests": f"{REQUESTS:,}",
            "apps": str(APPS),
            "turns": str(LENGTH),
            "system": str(SYSTEM),
            "turn": str(TURN),
            "hashed": str(PROVIDERS["engines"]["hashed"]),
            "rate": str(PROVIDERS["engines"]["a_minute"]),
        },
        "sources": PROVIDERS["engines"]["text"],
        "date": PROVIDERS["retrieved"],
    }
