"""Two of each: two servers of a site carry the plugin and one publishes; two appliers serve a site and one works."""

import os

import pytest

from helpers import active, eventually, plugin_link, wait_seen, wait_state
from zoosites.applier import Applier


@pytest.fixture(scope="module")
def world(make_world):
    def both_observers(world):
        for site in world.sites:
            site.zk.carriers = [server for server in site.zk.servers if server.observer]
    return make_world(voters=1, observers=2, prepare=both_observers)


def states(site, destination):
    return [plugin_link(site, destination, server).get("state") for server in site.zk.carriers]


def test_one_publishes_and_the_other_stands_by(world, clients):
    for here, there in (("sh", "bj"), ("bj", "sh")):
        eventually(lambda: sorted(str(state) for state in states(world[here], there)) == ["LIVE", "STANDBY"], 40,
                   what=f"one LIVE and one STANDBY, not {states(world[here], there)}")
    clients(world["sh"]).create("/pair", b"x")
    wait_seen(clients(world["bj"]), "/pair", b"x")


def test_the_other_takes_over(world, clients, judges):
    site = world["sh"]
    first = eventually(lambda: active(site, "bj"), 40, what="an active server")
    standby = next(server for server in site.zk.carriers if server is not first)
    client = clients(site)
    client.create("/takeover", b"0")
    first.kill()
    for number in range(1, 200):
        client.set("/takeover", b"%d" % number)
    wait_state(site, "bj", "LIVE", 40, standby)
    wait_seen(clients(world["bj"]), "/takeover", b"199", 30)
    first.start()
    first.wait_serving()
    wait_state(site, "bj", "STANDBY", 40, first)
    judges(world).wait_equal(30)


@pytest.fixture
def second_applier(world):
    first = world["bj"].applier
    second = Applier(os.path.join(world["bj"].dir, "applier-2"), "bj")
    second.options = first.options
    second.write_config()
    second.start()
    second.wait_ready()
    yield second
    second.stop()


def test_two_appliers_and_the_first_dies(world, clients, judges, second_applier):
    here, there = clients(world["sh"]), clients(world["bj"])
    here.create("/appliers", b"0")
    wait_seen(there, "/appliers", b"0")
    world["bj"].applier.kill()
    for number in range(1, 100):
        here.set("/appliers", b"%d" % number)
    wait_seen(there, "/appliers", b"99", 40)
    world["bj"].applier.start()
    world["bj"].applier.wait_ready()
    second_applier.kill()
    here.set("/appliers", b"the first again")
    wait_seen(there, "/appliers", b"the first again", 40)
    judges(world).wait_equal(30)
