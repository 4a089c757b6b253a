"""What stands in a server's txn log may be torn, damaged, purged, or not the whole story. A link never passes over it: it goes on
from another server's log, or stops and says which proof failed."""

import functools
import glob
import os
import shutil
import subprocess

import pytest

import helpers
from helpers import QUICK, bring_back, eventually, frozen, marker, purge, wait_seen, wait_state
from spoil import (COMMIT_LOG_COUNT, SENDS_TXNS, Refusals, damaged, fall_behind, fill, flip_a_bit, holes, overwrite,
                   sends_snapshots, zero_a_page)
from zoosites import build, txnlog

SNAP_COUNT = 100  # a new file every 50 to 100 txns

# With a snapshot that often, ZooKeeper 3.8.0 sooner or later takes one from which it cannot start: "Failed to fetch acls for N".
judged = functools.partial(helpers.judged, acls=False)


def prepare(world):
    site = world["sh"]
    site.zk.carriers = [server for server in site.zk.servers if server.observer]
    for server in site.zk.servers:
        if server.observer:
            server.settings["snapCount"] = SNAP_COUNT
        else:  # what is said of an observer's log holds as long as its tree was not replaced by a snapshot
            server.jvm += SENDS_TXNS


@pytest.fixture(scope="module")
def world(make_world):
    world = make_world(voters={"sh": 1, "bj": 0}, observers={"sh": 2, "bj": 0}, prepare=prepare,
                       plugin=dict(QUICK, backlog_bytes_max="32M"), applier=dict(QUICK))
    world.wait_live()
    return world


@pytest.fixture
def ours(world, judge):
    """The two servers of sh that carry the plugin."""
    return world["sh"].zk.carriers


def nothing_skipped(judge, refusals, before):
    """As long as no image of the tree was sent, bj stands before what cannot be had."""
    if marker(judge.clients["bj"], "sh") >= before:
        eventually(lambda: "-> SNAPSHOT" in refusals.log(), what="an image, by which bj passed what cannot be had")


def test_the_log_ends_in_half_a_txn(world, judge, ours):
    """Its server died while it wrote. The next life of the server began a new file, and the one after it has nothing in memory. (What
    it got by its sync the server need not have logged. Then the log has a hole, and an image is right.)"""
    def torn():
        fall_behind(world, judge, ours, "/torn", 150, snapshots=False)
        name, offset, length = txnlog.find(ours[0].log_dir, None)
        overwrite(name, offset + length // 2, bytes(length - length // 2))
        bring_back(ours[0])
        ours[0].kill()
        purge(world)
        refused.append(Refusals(ours[0]))
        bring_back(ours[0])
        world["bj"].applier.start()
        wait_seen(judge.clients["bj"], "/torn/149", timeout_s=60)
        wait_state(world["sh"], "bj", "LIVE", 60, ours[0])
        eventually(lambda: "-> LOG" in refused[0].log(), what="the word that it goes on from its log")
        bring_back(ours[1])
    refused = []
    judged(world, judge, torn, images="perhaps")
    lines = refused[0].lines()
    assert len(holes(lines, ours[0])) == len(lines), lines


@pytest.mark.parametrize("damage", [flip_a_bit, zero_a_page])
def test_a_damaged_log(world, judge, ours, damage):
    root = f"/{damage.__name__}"

    def log_damaged():
        place = fall_behind(world, judge, ours, root, 400)
        damaged_zxid = place + 60
        with damaged(damage, txnlog.find(ours[0].log_dir, damaged_zxid)):
            refusals = Refusals(ours[0])
            world["bj"].applier.start()
            bring_back(ours[0])
            assert f"txn log {ours[0].log_dir}" in refusals.first()
            nothing_skipped(judge, refusals, damaged_zxid)
        wait_seen(judge.clients["bj"], f"{root}/399", timeout_s=40)
        bring_back(ours[1])
    judged(world, judge, log_damaged, images=True, name=damage.__name__)


def test_another_servers_log_is_whole(world, judge, ours):
    def one_is_damaged():
        place = fall_behind(world, judge, ours, "/one-is-damaged", 400)
        with damaged(flip_a_bit, txnlog.find(ours[0].log_dir, place + 60)):
            refusals, other = Refusals(ours[0]), Refusals(ours[1])
            bring_back(ours[1])
            eventually(lambda: "-> LOG" in other.log(), what="the word that the other one goes on from its log")
            with frozen(ours[1]):
                bring_back(ours[0])
                assert f"txn log {ours[0].log_dir}" in refusals.first()
                purge(world, dead=False)  # what the other one has published already
            world["bj"].applier.start()
            wait_seen(judge.clients["bj"], "/one-is-damaged/399", timeout_s=40)
    judged(world, judge, one_is_damaged, images=True)  # none, if the other one is quick enough


def test_purged(world, judge, ours):
    def purged():
        place = fall_behind(world, judge, ours, "/purged", 400)
        data = os.path.join(ours[0].log_dir, "version-2")
        shutil.copytree(data, data + ".kept")
        refusals = Refusals(ours[0])
        try:
            subprocess.run(["java", "-cp", ":".join(build.ZOOKEEPER_JARS), "org.apache.zookeeper.server.PurgeTxnLog",
                            ours[0].log_dir, ours[0].data_dir, "-n", "3"], check=True, capture_output=True, timeout=120)
            assert len(glob.glob(f"{data}/log.*")) < len(glob.glob(f"{data}.kept/log.*"))
            world["bj"].applier.start()
            bring_back(ours[0])
            assert f"{place:#x} is followed by" in refusals.first()
            nothing_skipped(judge, refusals, place + 1)
        finally:
            for name in glob.glob(f"{data}.kept/log.*"):
                if not os.path.exists(os.path.join(data, os.path.basename(name))):
                    shutil.copy(name, data)
        wait_seen(judge.clients["bj"], "/purged/399", timeout_s=40)
        bring_back(ours[1])
    judged(world, judge, purged, images=True)


def test_rejoins_by_a_snapshot_of_the_leader(world, judge, ours):
    """What it missed is in its tree and not in its log; the other server's log has it."""
    count, (leader,) = 2 * COMMIT_LOG_COUNT, world["sh"].zk.voters()

    def sent_a_snapshot():
        world["bj"].applier.stop()
        ours[0].kill()
        fill(judge, "/missed", count)
        refusals = Refusals(ours[0])
        with frozen(ours[1]), sends_snapshots(leader):
            purge(world, dead=False)
            bring_back(ours[0])
            assert "Getting a snapshot from leader" in refusals.log()
            assert "where its tree came from a snapshot" in refusals.first()
        world["bj"].applier.start()
        wait_seen(judge.clients["bj"], f"/missed/{count - 1}", timeout_s=60)
    judged(world, judge, sent_a_snapshot, images=True)  # none, if the other one is quick enough
