"""Clients of two sites that write the same nodes at the same time."""

import pytest

from helpers import check_idle, eventually, wait_live
from zoosites import workload


@pytest.fixture(scope="module")
def world(make_world):
    world = make_world(voters=0)
    wait_live(world)
    return world


def settled(world, judge):
    """Both trees, when each has come to a rest. (Whether they are equal then is not said.)"""
    check_idle(world, 1.5)
    return judge.trees()


def test_nothing_is_invented_and_the_last_word_holds(world, judge):
    contended = workload.Contended(world.sites, seed=25, operations=250).start()
    contended.join()
    assert not contended.invented(settled(world, judge))
    contended.last_words(world["bj"])
    trees = judge.wait_equal(60)
    assert {trees["sh"][path].data for path in contended.paths} == {b"the last word"}
    for site in world.sites:
        assert not any(link["quarantined"] for link in site.applier.status()["links"])
    eventually(lambda: all(site.live_links() == site.destinations for site in world.sites), what="links that are live")
