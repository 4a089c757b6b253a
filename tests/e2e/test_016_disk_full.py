"""A disk is full: that of a server's txn log, of RabbitMQ, of the applier's status. What cannot be written is not claimed; when
there is room again, all goes on."""

import json
import os
import shutil
import time

import pytest

from helpers import QUICK, bring_back, eventually, judged, wait_seen, wait_state
from zoosites.disk import SmallDisk

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounts small file systems: needs root")
MEGABYTES = {"sh-log": 64, "bj-log": 64, "broker": 96, "status": 1}


@pytest.fixture(scope="module")
def disks(run_dir):
    """Mounted before anything is started, gone after everything has stopped."""
    made = {name: SmallDisk(os.path.join(run_dir, "test_016_disks", name), size) for name, size in MEGABYTES.items()}
    yield made
    for disk in made.values():
        disk.remove()


@pytest.fixture(scope="module")
def world(disks, make_world):
    def prepare(world):
        for server in world["sh"].zk.servers:  # however long one is away: no snapshots
            server.jvm.append("-Dzookeeper.commitLogCount=50000")
        for site in world.sites:
            site.zk.carriers[0].settings["dataLogDir"] = disks[f"{site.name}-log"].dir
        world["bj"].applier.status_file = os.path.join(disks["status"].dir, "status.json")
        broker = world["sh"].broker
        os.makedirs(broker.dir, exist_ok=True)
        os.symlink(disks["broker"].dir, os.path.join(broker.dir, "mnesia"))
        broker.write_config()
        broker.start()
        broker.wait_ready()
    world = make_world(voters={"sh": 1, "bj": 0}, observers={"sh": 1, "bj": 0}, prepare=prepare, own_brokers=["sh"],
                       plugin=dict(QUICK, backlog_bytes_max="32M"), applier=dict(QUICK))
    world.wait_live()
    return world


@pytest.mark.parametrize("name", ["sh", "bj"])
def test_the_disk_of_the_txn_log(world, judge, disks, name):
    """At sh that is the server that publishes: it leaves its ensemble and comes back, again and again. At bj it is the whole
    ensemble: it ends."""
    server = world[name].zk.carriers[0]

    def log_disk_full():
        disks[f"{name}-log"].fill()
        eventually(lambda: "No space left on device" in server.read_log(), 90, what="a disk that is full")
        if name == "bj":
            assert server.process.wait(60), "a server that has the whole ensemble's log ends"
        time.sleep(3)
        disks[f"{name}-log"].free()
        if name == "bj":
            bring_back(server)
        else:
            server.wait_serving()
    # A disk that is full may tear a txn in sh's log, and what stands behind it proves nothing.
    judged(world, judge, log_disk_full, images="perhaps" if name == "sh" else False, name=f"{name}-log-disk-full")


def test_the_disk_of_rabbitmq(world, judge, disks, clients):
    site = world["sh"]

    def broker_disk_full():
        world["bj"].applier.stop()
        site.broker.ctl("set_disk_free_limit", "1000")  # or its alarm would save it
        disks["broker"].fill()
        client = site.client()
        for number in range(100):
            client.create(f"/broker-disk-full-{number}", os.urandom(20000))
        client.stop()
        client.close()
        # RabbitMQ may need more than a minute to print what it crashed with: the link tells sooner.
        eventually(lambda: "RabbitMQ confirms nothing" in site.zk.carriers[0].read_log()
                   or "enospc" in site.broker.read_log(), 120, what="a RabbitMQ that has no room")
        disks["broker"].free()
        bring_back_broker(site.broker, disks["broker"])
        world["bj"].applier.start()
    judged(world, judge, broker_disk_full)


def bring_back_broker(broker, disk):
    """As an operator does. What the full disk has torn RabbitMQ may not be able to read: then it loses all that it has."""
    broker.kill()
    broker.start()
    torn = lambda: "{rabbit_queue_index,recover_journal" in broker.read_log()
    eventually(lambda: torn() or broker.ready(), 120, what="RabbitMQ, or its word that it cannot read its files")
    if torn():
        broker.kill()
        for name in os.listdir(disk.dir):
            path = os.path.join(disk.dir, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
        broker.start()
    broker.wait_ready()


def test_the_disk_of_the_status_file(world, judge, disks, clients):
    applier = world["bj"].applier
    last = lambda: applier.status()["time_ms"]

    def status_disk_full():
        disks["status"].fill()
        eventually(lambda: "cannot write zoospan.status_file" in applier.read_log(), what="the applier's word")
        stands = last()
        clients(world["sh"]).create("/while-there-is-no-status", b"x")
        wait_seen(clients(world["bj"]), "/while-there-is-no-status")
        with open(applier.status_file) as status:
            assert json.load(status)["time_ms"] == stands, "an old status, and a whole one"
        disks["status"].free()
        eventually(lambda: last() > stands, 30, what="a new status")
    judged(world, judge, status_disk_full)
    wait_state(world["sh"], "bj", "LIVE")
