"""The counter half of the zxid is used up: the leader steps down, a new epoch begins at 1, and the link goes on without a gap."""

import json
import time

import pytest

from helpers import QUICK, active, eventually, judged, link_of, log_moves, wait_seen
from zoosites import maven, txnlog

LAST = 0xffffffff
LEFT = 600  # txns that the first epoch has left when clients begin


@pytest.fixture(scope="module")
def world(make_world):
    def prepare(world):
        for server in world["sh"].zk.servers:  # of one before 3.9.4 the servers may differ among themselves after an election
            server.jars += maven.zookeeper_jars(maven.SOUND_ZOOKEEPER)
        # Of server 2 only, which leads the first epoch: whoever has this begins each of its epochs so.
        world["sh"].zk.servers[1].jvm.append(f"-Dzookeeper.testingonly.initialZxid={LAST - LEFT}")
    world = make_world(voters={"sh": 3, "bj": 0}, observers={"sh": 1, "bj": 0}, prepare=prepare, start=False,
                       plugin=dict(QUICK, heartbeat="1s"), applier=dict(QUICK))
    world["bj"].zk.start()
    first, second, third, observer = world["sh"].zk.servers
    for server in (first, second):
        server.start()
    second.wait_serving()
    assert world["sh"].zk.leader() is second
    for server in (third, observer):
        server.start()
    for site in world.sites:
        site.zk.wait_serving()
    past_the_hole(world)
    for site in world.sites:
        site.applier.start()
    world.wait_live()
    return world


def past_the_hole(world):
    """The ensemble's first zxids were never given out, which no real one's are: what bj would need before is nothing, and its
    marker says that it has that."""
    sh, bj = world["sh"].client(), world["bj"].client()
    history = "8c5b1f6e-3c1d-4f7a-9a41-0f6f1f0f2d11"
    sh.create("/zoospan", b"")
    sh.create("/zoospan/history", history.encode())
    stands = sh.exists("/zoospan/history").czxid
    marker = {"history": history, "zxid": f"{stands:#x}", "stamp": f"{int(time.time() * 1000) << 16:#x}", "session": "0x0",
              "time": int(time.time() * 1000), "sessions": []}
    bj.create("/zoospan/applied/sh", json.dumps(marker).encode(), makepath=True)
    for client in (sh, bj):
        client.stop()
        client.close()


def new_epoch(site):
    """The first epoch that begins at 1 behind another one. (Server 2 may lead once more: then that one begins near its end.)"""
    zxids = [txn.zxid for txn in txnlog.read(site.zk.carriers[0].log_dir)]
    return next((zxid >> 32 for zxid in zxids if zxid & LAST == 1 and zxid >> 32 > 1), None)


def last_of(site, epoch):
    return max(txn.zxid & LAST for txn in txnlog.read(site.zk.carriers[0].log_dir) if txn.zxid >> 32 == epoch)


def test_a_new_epoch_begins_when_the_counter_is_used_up(world, judges):
    site, gaps = world["sh"], lambda: world["bj"].applier.status()["links"][0]["gaps"]
    before, judge = gaps(), judges(world)

    def rolls_over():
        client = judge.clients["sh"]
        assert client.exists("/zoospan/history").czxid > LAST - LEFT
        eventually(lambda: new_epoch(site), 120, 0.5, what="a new epoch that begins at 1")
        eventually(lambda: active(site, "bj"), 40, what="a link that is LIVE")
        client.create("/in-the-new-epoch", b"x")
        wait_seen(judge.clients["bj"], "/in-the-new-epoch")
    judged(world, judge, rolls_over)
    assert last_of(site, new_epoch(site) - 1) > LAST - 100  # what no other server had yet was truncated
    assert gaps() == before and not log_moves(site, "-> GAP")
    assert link_of(site, "bj")["rewinds"] == 0
