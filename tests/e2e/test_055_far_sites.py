"""A far way between two sites, and one that swallows new connections while those that stand are well."""

import threading
import time
import urllib.parse

import pytest

from helpers import eventually, marker, plugin_link, wait_live, wait_seen
from zoosites.relay import Relay


@pytest.fixture(scope="module")
def near():
    """Between the origin's servers and its own broker."""
    made = []
    yield made
    for relay in made:
        relay.stop()


@pytest.fixture(scope="module")
def world(make_world, near):
    def prepare(world):
        near.append(Relay(world.brokers["sh"].port))
        world.way("sh", "bj")

    # A thread that waits for a connection waits for longer than a write is waited for.
    world = make_world(start=False, prepare=prepare, applier={"amqp_timeout": "120s"},
                       plugin=lambda site: {"amqp_timeout": "120s",
                                            **({"amqp_uri": near[0].uri("zoospan")} if site == "sh" else {})})
    world.start()
    world.wait_live()
    return world


def connections(broker, purpose):
    return [one["name"] for one in broker.api("GET", "/api/connections")
            if purpose in one.get("client_properties", {}).get("connection_name", "")]


def close(broker, purpose):
    """The broker ends all connections of that purpose."""
    for name in eventually(lambda: connections(broker, purpose), what=f"a connection for {purpose}"):
        broker.api("DELETE", f"/api/connections/{urllib.parse.quote(name, safe='')}")


def stream_goes_on(sh, bj, name, writes=10):
    for number in range(writes):
        sh.create(f"/{name}-{number}", b"x")
        wait_seen(bj, f"/{name}-{number}")
        time.sleep(0.3)  # so that some of them come after the first tries to connect anew


def reported(world, zxid):
    return int(plugin_link(world["sh"], "bj").get("applied", "0"), 16) >= zxid


def stays_live_while_swallowed(world, relay, purpose, said, sh, bj, name):
    """The connection for reports is lost, and no other can be had: the stream knows nothing of it."""
    logs = lambda: sum(log.count(said) for log in (world["bj"].applier.read_log(), world["sh"].zk.carriers[0].read_log()))
    before = logs()
    relay.swallow(True)
    close(world.brokers["sh"], purpose)
    eventually(lambda: logs() > before, what=f"'{said}' in a log")
    stream_goes_on(sh, bj, name)
    relay.swallow(False)
    zxid = sh.set(f"/{name}-0", b"y").mzxid
    eventually(lambda: reported(world, zxid), 60, what="a report")


def test_the_destination_cannot_connect_anew(world, sh, bj):
    stays_live_while_swallowed(world, world.ways["sh", "bj"], "applier bj sh->bj feedback", "no report to the origin", sh, bj,
                               "applier")


def test_the_origin_cannot_connect_anew(world, near, sh, bj):
    stays_live_while_swallowed(world, near[0], "zoospan sh->bj feedback", "no reports from bj", sh, bj, "sender")
