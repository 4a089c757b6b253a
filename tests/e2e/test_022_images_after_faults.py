"""The only server of a site that carries the plugin cannot prove what follows: its log was purged or damaged, its tree came from its
leader. Under writes at both sites an image makes the destination whole."""

import functools
import subprocess

import pytest

import spoil
from helpers import QUICK, purge
from spoil import COMMIT_LOG_COUNT, SENDS_TXNS, fall_behind, fill, flip_a_bit, sends_snapshots, zero_a_page
from zoosites import build, txnlog

# With a snapshot that often, ZooKeeper 3.8.0 sooner or later takes one from which it cannot start: "Failed to fetch acls for N".
resynced = functools.partial(spoil.resynced, acls=False)


@pytest.fixture(scope="module")
def world(make_world):
    def prepare(world):
        voter, observer = world["sh"].zk.servers
        observer.settings["snapCount"] = 100
        voter.jvm += SENDS_TXNS
    world = make_world(voters={"sh": 1, "bj": 0}, observers={"sh": 1, "bj": 0}, prepare=prepare,
                       plugin=dict(QUICK, backlog_bytes_max="32M"), applier=dict(QUICK))
    world.wait_live()
    return world


def test_purged(world, judge):
    server = world["sh"].zk.carriers[0]

    def purged():
        place = fall_behind(world, judge, [server], "/purged", 400)
        subprocess.run(["java", "-cp", ":".join(build.ZOOKEEPER_JARS), "org.apache.zookeeper.server.PurgeTxnLog",
                        server.log_dir, server.data_dir, "-n", "3"], check=True, capture_output=True, timeout=120)
        return f"{place:#x} is followed by"
    resynced(world, judge, server, purged, "/purged/399")


@pytest.mark.parametrize("damage", [flip_a_bit, zero_a_page])
def test_damaged(world, judge, damage):
    server = world["sh"].zk.carriers[0]

    def damaged():
        place = fall_behind(world, judge, [server], f"/{damage.__name__}", 400)
        damage(*txnlog.find(server.log_dir, place + 60))
        return f"txn log {server.log_dir}"
    resynced(world, judge, server, damaged, f"/{damage.__name__}/399")


def test_rejoins_by_a_snapshot_of_the_leader(world, judge):
    leader, server = world["sh"].zk.servers
    count = 2 * COMMIT_LOG_COUNT

    def sent_a_snapshot():
        world["bj"].applier.stop()
        server.kill()
        fill(judge, "/missed", count)
        purge(world)
        return "where its tree came from a snapshot"
    with sends_snapshots(leader):
        resynced(world, judge, server, sent_a_snapshot, f"/missed/{count - 1}")
