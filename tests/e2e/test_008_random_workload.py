"""Thousands of everything on both sites at once, by a fixed seed, and the judge."""

import os

import pytest

from helpers import check_idle, check_nothing_republished, wait_live
from zoosites import workload

SEED = os.environ.get("ZOOSPAN_SEED", "20261122")
OPERATIONS = int(os.environ.get("ZOOSPAN_OPERATIONS", "4000"))


@pytest.fixture(scope="module")
def world(make_world):
    world = make_world(voters=3)
    wait_live(world)
    return world


def test_trees_are_equal_after_thousands_of_everything(world, judges):
    writers = workload.run(world.sites, seed=SEED, operations=OPERATIONS)
    for writer in writers:
        print(f"{writer.site.name}: done {writer.counts}, refused {writer.errors}")
        assert sum(writer.counts.values()) > OPERATIONS / 2, "the writer hardly wrote"
    trees = judges(world).wait_equal(120)
    for writer in writers:
        assert not workload.missing(writer, trees[writer.site.name])
    for site in world.sites:
        for link in site.applier.status()["links"]:
            assert link["quarantined"] == 0, link
    check_nothing_republished(world)
    check_idle(world)
