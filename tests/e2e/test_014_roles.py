"""Leaders, followers and an observer carry the plugin, and any of them is killed, frozen or cut off under load: another one
goes on without a gap. What was committed around a server's chain is published all the same, and what was never committed
is not."""

import time

import pytest

from helpers import QUICK, active, bring_back, check_idle, eventually, frozen, judged, log_moves, plugin_link, wait_seen
from spoil import write_tail
from zoosites import faults, txnlog

STREAMS = ("LIVE", "LOG")


@pytest.fixture(scope="module")
def world(make_world):
    def on_every_server_of_sh(world):
        world["sh"].zk.carriers = list(world["sh"].zk.servers)
    world = make_world(voters={"sh": 3, "bj": 0}, observers={"sh": 1, "bj": 0}, prepare=on_every_server_of_sh,
                       plugin=dict(QUICK, backlog_bytes_max="32M"), applier=dict(QUICK))
    world.wait_live()
    return world


@pytest.fixture
def settled(world):
    """Call it before a voter is killed."""
    return lambda: eventually(faults.Voters(world["sh"]).settled, 60, what="voters that have served for a while")


@pytest.fixture
def without_gap(world):
    """The destination must not find a hole, whoever publishes."""
    gaps = lambda: world["bj"].applier.status()["links"][0]["gaps"]
    before = gaps()
    yield
    assert gaps() == before


def another_leads(site, old):
    return eventually(lambda: next((server for server in site.zk.voters() if server is not old and
                                    server.mode() == "leader"), None), 40, what="another leader")


def another_publishes(site, old):
    return eventually(lambda: next((server for server in site.zk.carriers if server is not old and
                                    plugin_link(site, "bj", server).get("state") in STREAMS), None), 40,
                      what="another server that publishes")


@pytest.mark.usefixtures("without_gap")
def test_leader_is_killed(world, judge, settled):
    site = world["sh"]

    def leader_killed():
        for _ in range(2):
            settled()
            old = site.zk.leader()
            old.kill()
            another_leads(site, old)
            another_publishes(site, None)
            time.sleep(1)
            bring_back(old)
    judged(world, judge, leader_killed)


@pytest.mark.usefixtures("without_gap")
def test_who_publishes_is_killed(world, judge, settled):
    site = world["sh"]

    def publisher_killed():
        for _ in range(2):
            settled()
            old = eventually(lambda: active(site, "bj", STREAMS), 40, what="a server that publishes")
            old.kill()
            another_publishes(site, old)
            bring_back(old)
    judged(world, judge, publisher_killed)


@pytest.mark.usefixtures("without_gap")
def test_who_publishes_is_frozen_and_wakes(world, judge):
    """It still believes that it publishes; RabbitMQ has closed its connection, and what it sends goes nowhere."""
    site = world["sh"]

    def publisher_frozen():
        old = eventually(lambda: active(site, "bj", STREAMS), 40, what="a server that publishes")
        downs = log_moves(site, "-> DOWN", old)
        with frozen(old):
            another_publishes(site, old)
            time.sleep(3)
        eventually(lambda: log_moves(site, "-> DOWN", old) > downs, 40, what="the end of its own link")
        # (Another election may give it the link again.)
        publishing = lambda: [server for server in site.zk.carriers
                              if plugin_link(site, "bj", server).get("state") in STREAMS]
        eventually(lambda: len(publishing()) == 1, 40, what="one server that publishes")
    judged(world, judge, publisher_frozen)


def test_a_tail_that_became_committed(world, judge, clients):
    """The leader alone had logged it, and leads again: its chain did not see it when it was committed, and no other server is
    there to publish it."""
    site, root = world["sh"], "/adopted"
    observer = site.zk.servers[3]

    def tail_adopted():
        leader = site.zk.leader()
        with frozen(observer):
            followers = write_tail(site, leader, root)
            kept = [server.plugin for server in followers]
            for server in followers:
                server.plugin = {}
            site.zk.write_config()
            bring_back(followers[0])  # not both: without the old leader they would choose one of themselves
            assert site.zk.leader() is leader
            bring_back(followers[1])
            wait_seen(clients(world["bj"]), f"{root}-19", timeout_s=60)
            eventually(lambda: active(site, "bj", STREAMS) is leader, 40, what="the leader's link")
        for server, plugin in zip(followers, kept):
            server.plugin = plugin
        site.zk.write_config()  # for their next start
        observer.wait_serving()
    judged(world, judge, tail_adopted)
    there = clients(world["bj"])
    assert all(there.exists(f"{root}-{number}") for number in range(20))


def test_a_tail_that_was_never_committed(world, judge, clients):
    """The leader alone had logged it, and was away when the others chose one: it is truncated there, and never seen elsewhere."""
    site, root = world["sh"], "/phantom"

    def tail_truncated():
        leader = site.zk.leader()
        world["bj"].applier.stop()  # what follows has to be read again, behind the tail's place
        followers = write_tail(site, leader, root)
        leader.kill()
        for server in followers:
            server.start()
        another_leads(site, leader)
        clients(site).create("/new-epoch", b"x")
        bring_back(leader)
        # Whoever publishes does not for a while: each of the others is asked where it would go on.
        with frozen(eventually(lambda: active(site, "bj", STREAMS), 40, what="a server that publishes")):
            world["bj"].applier.start()
            wait_seen(clients(world["bj"]), "/new-epoch", timeout_s=60)
    judged(world, judge, tail_truncated)
    for site in world.sites:
        assert not [name for name in clients(site).get_children("/") if name.startswith(root[1:])]
    assert not any(op.path.startswith(root) for txn in txnlog.read(world["bj"].zk.servers[0].log_dir) for op in txn.ops)


def test_at_last_nobody_speaks(world, clients):
    eventually(lambda: active(world["sh"], "bj"), 40, what="a link that is LIVE")
    clients(world["sh"]).create("/at-last", b"x")
    wait_seen(clients(world["bj"]), "/at-last")
    check_idle(world)
