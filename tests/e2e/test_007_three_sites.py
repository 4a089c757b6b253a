"""A full mesh of three sites: every write reaches both others, once, and does not go round."""

import pytest

from helpers import check_idle, check_nothing_republished, wait_live, wait_seen
from zoosites import workload

NAMES = ("sh", "bj", "gz")


@pytest.fixture(scope="module")
def world(make_world):
    world = make_world(NAMES)
    wait_live(world, 60)
    return world


def test_a_write_reaches_both_others(world, clients):
    for name in NAMES:
        clients(world[name]).create(f"/from-{name}", name.encode())
    for name in NAMES:
        client = clients(world[name])
        for other in NAMES:
            wait_seen(client, f"/from-{other}", other.encode())


def test_random_workload_on_all_three(world, judges):
    writers = workload.run(world.sites, seed=7, operations=500)
    trees = judges(world).wait_equal(90)
    for writer in writers:
        assert not workload.missing(writer, trees[writer.site.name])
    check_nothing_republished(world)
    check_idle(world)
