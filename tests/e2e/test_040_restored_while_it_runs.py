"""ZooKeeper 3.9 takes a snapshot and restores it while the server runs (AdminServer): the tree becomes another one, the zxids go
on. It is noticed at once, on every link, and the other sites take an image of the tree as it is now."""

import os
import urllib.request

import pytest
from kazoo.client import KazooClient

from helpers import QUICK, eventually, plugin_link, wait_live, wait_seen
from zoosites import maven
from zoosites.zk import Ensemble

VERSION = maven.SOUND_ZOOKEEPER


def be_newer(ensemble):
    for server in ensemble.servers:
        server.jars += maven.zookeeper_jars(VERSION)
        server.jvm += ["-Dzookeeper.admin.rateLimiterIntervalInMS=1",
                       "-Dzookeeper.serializeLastProcessedZxid.enabled=true"]


@pytest.fixture(scope="module")
def world(make_world):
    def newer(world):
        be_newer(world["sh"].zk)
    world = make_world(names=("sh", "bj", "gz"), voters=0, prepare=newer, plugin=dict(QUICK, heartbeat="1s"),
                       applier=dict(QUICK))
    world.wait_live()
    return world


def admin(ensemble, command, body=None):
    url = f"http://127.0.0.1:{ensemble.servers[0].admin_port}/commands/{command}"
    headers = {"Authorization": "digest " + ensemble.auth, "Content-Type": "application/octet-stream"}
    request = urllib.request.Request(url, data=body, method="GET" if body is None else "POST", headers=headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()


def rest(world):
    """No image is under way, and none is asked for: links that stream can say what stops them."""
    def at_rest():
        links = [link["state"] for site in world.sites for link in site.applier.status().get("links", [])]
        sent = [plugin_link(site, other.name).get("state") for site in world.sites for other in world.sites if other is not site]
        return set(links) == set(sent) == {"LIVE"} and not any(wished(site) for site in world.sites)
    eventually(at_rest, 120, what="links that stream, and no wish for an image")


def wished(site):
    client = site.client()
    try:
        return client.get_children("/zoospan/resync")
    finally:
        client.stop()
        client.close()


def exchanges(site, other):
    """How often a link has said so. (What was restored may lack /zoospan/history: then it says that first.)"""
    return sum(f"link {site.name}->{other}:" in line and "-> GAP: this server's tree was exchanged" in line
               for line in site.zk.servers[0].read_log().splitlines())


def restore(world, site, snapshot):
    """Until every link has said so, though nothing is written."""
    rest(world)
    before = {other: exchanges(site, other) for other in ("bj", "gz")}
    admin(site.zk, "restore", snapshot)
    for other, count in before.items():
        eventually(lambda: exchanges(site, other) > count, 60, what=f"the word of {site.name}->{other} that the tree was exchanged")


def test_an_older_state(world, judge, sh, bj):
    site = world["sh"]
    assert VERSION in site.zk.servers[0].read_log()
    sh.create("/before", b"1")
    sh.create("/deleted", b"1")
    wait_seen(bj, "/deleted")
    snapshot = admin(site.zk, "snapshot?streaming=true")
    sh.create("/lost", b"1")
    sh.set("/before", b"2")
    sh.delete("/deleted")
    wait_seen(bj, "/lost")
    wait_seen(bj, "/before", b"2")
    bj.create("/of-bj", b"1")  # what the other site had written comes back
    wait_seen(sh, "/of-bj")
    restore(world, site, snapshot)
    judge.renew()
    client = site.client()
    assert client.exists("/lost") is None and client.get("/before")[0] == b"1", "nothing was restored"
    tree = judge.wait_equal(120)["sh"]
    assert tree["/before"].data == b"1" and "/deleted" in tree and "/lost" not in tree and "/of-bj" in tree
    client.create("/next", b"1")
    wait_seen(judge.clients["bj"], "/next", timeout_s=60)
    wait_seen(judge.clients["gz"], "/next", timeout_s=60)
    wait_live(world, 60)
    client.stop()
    client.close()


@pytest.fixture
def seed(world):
    """The snapshot of an ensemble that never heard of ZooSpan."""
    other = Ensemble(os.path.join(world.dir, "seed"), voters=0, super_password=world["sh"].super_password)
    be_newer(other)
    other.write_config()
    other.start()
    other.wait_serving()
    client = KazooClient(hosts=other.connect_string)
    client.start(timeout=20)
    for number in range(20):
        client.create(f"/seed/{number}", b"%d" % number, makepath=True)
    client.stop()
    client.close()
    yield admin(other, "snapshot?streaming=true")
    other.stop()


def test_seeded_by_the_snapshot_of_another_ensemble(world, judge, seed):
    """With it went ZooSpan's own nodes, and came none: the appliers make them anew."""
    restore(world, world["sh"], seed)
    judge.renew()
    wait_seen(judge.clients["bj"], "/seed/19", timeout_s=120)
    tree = judge.wait_equal(120)["sh"]
    assert all(tree[f"/seed/{number}"].data == b"%d" % number for number in range(20))
    wait_live(world, 60)
