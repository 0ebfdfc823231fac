"""Requests routed to several machines."""

import pytest

from explainer.prompt_caching.machines import STORES, machines_scene, outcome
from explainer.prompt_caching.routing import MOST_MACHINES, REQUESTS, WAYS, route, traffic


@pytest.mark.parametrize("way", WAYS)
def test_every_request_is_served_once_and_no_more_is_read_than_it_has(way: str) -> None:
    found = outcome(way, 4, 2048)
    assert len(found.sent) == REQUESTS
    assert all(0 <= one.reused < one.tokens for one in found.sent)
    assert all(0 <= one.machine < 4 for one in found.sent)
    assert sum(found.computed) == sum(one.tokens - one.reused for one in found.sent)


def test_with_one_machine_it_does_not_matter_how() -> None:
    assert len({outcome(way, 1, 1024).hit_rate for way in WAYS}) == 1


def test_by_prefix_more_is_read_than_in_turns_and_the_hash_is_unfair() -> None:
    found = {way: outcome(way, 4, 2048) for way in WAYS}
    assert found["longest"].hit_rate > found["hash"].hit_rate > found["turns"].hit_rate
    assert found["hash"].busiest > 2 > found["longest"].busiest


def test_a_store_without_room_reads_nothing() -> None:
    assert route(traffic()[:20], "turns", 2, 0).hit_rate == 0


def test_the_same_traffic_every_time() -> None:
    assert traffic() == traffic()
    assert len(traffic(1)) == REQUESTS


@pytest.mark.parametrize("machines", [1, 4, MOST_MACHINES])
def test_the_scene_holds_what_was_simulated(machines: int) -> None:
    scene = machines_scene(machines, STORES[1])
    assert [way["key"] for way in scene["ways"]] == list(WAYS)
    assert sum(way["best"] for way in scene["ways"]) == (machines > 1)
    for way in scene["ways"]:
        assert len(way["computed"]) == machines
        assert len(way["sent"]) == REQUESTS
