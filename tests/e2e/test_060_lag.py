"""What is called lag is lag, in every state and at both ends, and a site that says nothing is not called LIVE."""

import time

import pytest

from helpers import QUICK, eventually, frozen, link_of, plugin_link, wait_seen, wait_state


@pytest.fixture(scope="module")
def world(make_world):
    """sh has two servers that carry the plugin: one stands by."""
    def prepare(world):
        world["sh"].zk.carriers = world["sh"].zk.servers[-2:]
    world = make_world(voters={"sh": 1, "bj": 0}, observers={"sh": 2, "bj": 0}, prepare=prepare,
                       plugin=QUICK, applier={"silence": "2s", **QUICK})
    wait_state(world["bj"], "sh", "LIVE", 60)
    eventually(lambda: states(world) == ["LIVE", "STANDBY"], 60, what="one server that publishes and one that stands by")
    return world


def links(world):
    return [link_of(world["sh"], "bj", server) for server in world["sh"].zk.carriers]


def states(world):
    return sorted(link["state"] for link in links(world))


def at_bj(world):
    return next(link for link in world["bj"].applier.status()["links"] if link["origin"] == "sh")


def write(client, path):
    """When it was written: not before, and not after."""
    before = time.time()
    client.create(path, b"x")
    return before, time.time()


def tells(world, written, server, what):
    """The link's lag is the age of that write."""
    def seen():
        before = time.time()
        link = link_of(world["sh"], "bj", server)
        after = time.time()
        lag = link["lag_ms"] / 1000
        assert lag <= after - written[0] + 0.01, (what, link, "more than the age of the oldest that bj lacks")
        return lag >= before - written[1] - 0.01 and lag > 0
    eventually(seen, 20, what=f"the lag of {server.dir} {what}")


def check_at_both(world, written, what):
    for server in world["sh"].zk.carriers:
        tells(world, written, server, what)


def rest(world):
    """Until bj has reported all that was committed before: the end of an earlier client's session too, which is a txn that a link
    carries, so that what is written next is the oldest that bj lacks."""
    newest = eventually(world["sh"].zk.servers[0].zxid, what="a word of the leader about its newest zxid")
    eventually(lambda: all(int(link["applied"], 16) >= newest and link["lag_ms"] == 0 for link in links(world)), 60,
               what=f"no lag at rest, behind a report of {newest:#x}")


def test_destination_is_away(world, sh, bj):
    rest(world)
    with frozen(world["bj"].applier):
        eventually(lambda: all(link["report_ms"] > 3000 for link in links(world)), 30, what="reports that are old")
        assert [link["lag_ms"] for link in links(world)] == [0, 0], "nothing was written"
        first = write(sh, "/away-1")
        write(sh, "/away-2")
        check_at_both(world, first, "while bj is away")
    wait_seen(bj, "/away-2")
    rest(world)
    eventually(lambda: all(link["report_ms"] < 3000 and link["skew_ms"] is not None and abs(link["skew_ms"]) < 5000
                           for link in links(world)), 30, what="fresh reports, by clocks that agree")


def test_broker_takes_nothing(world, sh, bj):
    broker = world.brokers["sh"]
    rest(world)
    broker.ctl("set_disk_free_limit", "100000GB")
    try:
        blocked = eventually(lambda: next((server for server in world["sh"].zk.carriers
                                           if link_of(world["sh"], "bj", server)["blocked"]), None), 30, what="a link that is blocked")
        tells(world, write(sh, "/blocked"), blocked, "while RabbitMQ takes nothing")
    finally:
        broker.ctl("set_disk_free_limit", "50MB")
    wait_seen(bj, "/blocked", timeout_s=60)
    rest(world)


def test_broker_is_cut_off(world, sh, bj):
    """DOWN at the origin; the destination hears nothing, and counts it."""
    rest(world)
    with frozen(world.brokers["sh"]):
        first = write(sh, "/cut")
        eventually(lambda: not {"LIVE", "STANDBY"} & set(states(world)), 40, what="links that are DOWN")
        check_at_both(world, first, "while RabbitMQ hangs")
        eventually(lambda: at_bj(world)["state"] != "LIVE" and at_bj(world)["lag_ms"] > 3000, 30,
                   what="a destination that does not say LIVE")
    wait_seen(bj, "/cut", timeout_s=60)
    eventually(lambda: states(world) == ["LIVE", "STANDBY"] and at_bj(world)["lag_ms"] < 3000, 60, what="links that are well")
    rest(world)


def test_origin_says_nothing(world):
    """Its RabbitMQ is well, and nobody publishes."""
    def is_live():
        link = at_bj(world)
        return link["state"] == "LIVE" and link["lag_ms"] < 3000

    def is_silent():
        link = at_bj(world)
        return link["state"] == "SILENT" and "sh" in link["detail"] and link["lag_ms"] > 3000
    eventually(is_live, 60, what="LIVE, whatever was before")
    with frozen(*world["sh"].zk.carriers):
        eventually(is_silent, 30, what="SILENT, with a lag that grows")
    eventually(is_live, 60, what="LIVE")


def test_server_was_restarted(world, sh, bj):
    """What the destination lacks lies in the txn log only."""
    rest(world)
    with frozen(world["bj"].applier):
        first = write(sh, "/before-the-restart")
        for server in world["sh"].zk.carriers:
            server.stop()
            server.start()
        for server in world["sh"].zk.carriers:
            server.wait_serving()
        active = eventually(lambda: next((server for server in world["sh"].zk.carriers
                                          if plugin_link(world["sh"], "bj", server).get("lag_ms", -1) >= 0), None), 60,
                            what="a server that was told where bj stands")
        tells(world, first, active, "behind a restart")
    wait_seen(bj, "/before-the-restart", timeout_s=60)
