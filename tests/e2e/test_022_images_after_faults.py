"""The only server of a site that carries the plugin cannot prove what follows: its log was purged or damaged, its tree came from its
leader. Under writes at both sites an image makes the destination whole."""

import subprocess

import pytest

from helpers import QUICK, purge
from spoil import fall_behind, fill, flip_a_bit, resynced, zero_a_page
from zoosites import build, txnlog

COMMIT_LOG_COUNT = 2000


@pytest.fixture(scope="module")
def world(make_world):
    def prepare(world):
        voter, observer = world["sh"].zk.servers
        observer.settings["snapCount"] = 100
        voter.jvm += [f"-Dzookeeper.commitLogCount={COMMIT_LOG_COUNT}", "-Dzookeeper.snapshotSizeFactor=-1"]
    world = make_world(voters={"sh": 1, "bj": 0}, observers={"sh": 1, "bj": 0}, prepare=prepare,
                       plugin=dict(QUICK, backlog_bytes_max="32M"), applier=dict(QUICK))
    world.wait_live()
    return world


def test_purged(world, judge):
    server = world["sh"].zk.carriers[0]

    def purged():
        fall_behind(world, judge, [server], "/purged", 400)
        subprocess.run(["java", "-cp", ":".join(build.ZOOKEEPER_JARS), "org.apache.zookeeper.server.PurgeTxnLog",
                        server.log_dir, server.data_dir, "-n", "3"], check=True, capture_output=True, timeout=120)
    resynced(world, judge, server, purged, "/purged/399")


@pytest.mark.parametrize("damage", [flip_a_bit, zero_a_page])
def test_damaged(world, judge, damage):
    server = world["sh"].zk.carriers[0]

    def damaged():
        place = fall_behind(world, judge, [server], f"/{damage.__name__}", 400)
        damage(*txnlog.find(server.log_dir, place + 60))
    resynced(world, judge, server, damaged, f"/{damage.__name__}/399")


def test_rejoins_by_a_snapshot_of_the_leader(world, judge):
    server = world["sh"].zk.carriers[0]

    def sent_a_snapshot():
        world["bj"].applier.stop()
        server.kill()
        fill(judge, "/missed", COMMIT_LOG_COUNT + 500)
        purge(world)
    resynced(world, judge, server, sent_a_snapshot, f"/missed/{COMMIT_LOG_COUNT + 499}")
    assert "Getting a snapshot from leader" in server.read_log()
