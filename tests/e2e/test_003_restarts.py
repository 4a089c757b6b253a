"""Any process may end, politely or not, and the link goes on from where the destination stands."""

import time

import pytest

from helpers import (begin_writers, check_quick, eventually, frozen, link_of, plugin_link, purge, under_load, wait_confirmed,
                     wait_live, wait_seen, wait_state)


@pytest.fixture(scope="module")
def world(make_world):
    world = make_world()
    wait_live(world)
    return world


def test_applier_restarts(world, judge):
    def applier_stops():
        for site in world.sites:
            site.applier.stop()
            assert site.applier.process.exit_code() == 0, site.applier.process.tail()
            site.applier.start()
    under_load(world, judge, applier_stops)


def test_applier_is_killed_again_and_again(world, judge):
    def applier_dies():
        for _ in range(5):
            world["bj"].applier.kill()
            world["bj"].applier.start()
            time.sleep(0.8)
    under_load(world, judge, applier_dies)


def test_applier_is_frozen(world, judge):
    def applier_freezes():
        with frozen(world["bj"].applier):
            time.sleep(3)
    under_load(world, judge, applier_freezes)


def test_connections_are_cut(world, judge):
    def cut():
        for broker in world.brokers.values():
            broker.ctl("close_all_connections", "cut by a test")
    under_load(world, judge, cut)


def test_broker_is_killed_and_restarted(world, judge, clients):
    def broker_dies():
        broker = world.brokers["sh"]
        broker.kill()
        eventually(lambda: plugin_link(world["sh"], "bj").get("state") in ("DOWN", "CONNECTING"), 30,
                   what="the link without its broker")
        check_quick(clients(world["sh"]), "/written-without-a-broker")
        broker.start()
        broker.wait_ready()
        wait_live(world, 60)
    under_load(world, judge, broker_dies)


def test_queue_is_purged_while_idle(world, judge, clients):
    """What is lost in a queue is asked for again, out of the backlog."""
    world["bj"].applier.stop()
    client, there = clients(world["sh"]), clients(world["bj"])
    for number in range(50):
        client.create(f"/purged-{number}", b"x")
    wait_confirmed(world["sh"], "bj")
    rewinds = link_of(world["sh"], "bj")["rewinds"]
    purge(world, dead=False)
    world["bj"].applier.start()
    wait_seen(there, "/purged-49")
    judge.wait_equal(30)
    assert link_of(world["sh"], "bj")["rewinds"] > rewinds


def test_quorum_is_lost_and_comes_back(world, judge, clients):
    """A server that does not serve lets its link go, so that another could have it, and goes on when it serves again."""
    site = world["sh"]
    clients(site).create("/before-the-quorum-was-lost", b"x")
    voters = site.zk.voters()[:2]
    for server in voters:
        server.kill()
    link = wait_state(site, "bj", "DOWN", 60)
    assert "waits for this ZooKeeper server to serve" in link["detail"], link
    for server in voters:
        server.start()
    site.zk.wait_serving()
    wait_state(site, "bj", "LIVE", 60)
    client = site.client()
    client.create("/after-the-quorum-came-back", b"x")
    client.stop()
    wait_seen(clients(world["bj"]), "/after-the-quorum-came-back")


def test_destination_zookeeper_restarts(world, clients):
    [writer] = begin_writers([world["sh"]], "zookeeper-restarts", seconds=5)
    world["bj"].zk.stop()
    world["bj"].zk.start()
    world["bj"].zk.wait_serving()
    writer.join(60)
    clients(world["sh"]).create("/zookeeper-restarts-end", b"x")
    wait_seen(clients(world["bj"]), "/zookeeper-restarts-end", timeout_s=60)


def test_restarted_observer_catches_up_from_its_log(world, clients):
    """Its backlog begins anew, above what was written while it was away; its log has that."""
    site, server = world["sh"], world["sh"].zk.carriers[0]
    client = clients(site)
    server.stop()
    client.create("/written-while-the-observer-was-away", b"x")
    server.start()
    server.wait_serving()
    wait_state(site, "bj", "LIVE", 60)
    wait_seen(clients(world["bj"]), "/written-while-the-observer-was-away")
