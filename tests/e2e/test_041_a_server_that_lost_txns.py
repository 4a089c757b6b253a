"""ZooKeeper itself loses txns at one server of an ensemble, the one that carries the plugin. What the others have is not gone, and
no site that asks for an image deletes it."""

import os
import shutil

import pytest

from helpers import QUICK, bring_back, eventually, frozen, plugin_link, wait_confirmed, wait_live, wait_seen
from zoosites import maven
from zoosites.zk import four_letter

ROOT = "/kept"
SEEN, MISSED = 20, 20  # txns that the server with the plugin has seen before it is killed, and those after that


@pytest.fixture(scope="module")
def world(make_world):
    def prepare(world):
        jars = maven.zookeeper_jars(maven.FORGETS_ZOOKEEPER)
        for server in world["sh"].zk.servers:
            server.jars = jars
            server.settings.update({"snapshotSizeFactor": "-1", "syncLimit": 4})
    world = make_world(voters={"sh": 3, "bj": 0}, observers={"sh": 1, "bj": 0}, prepare=prepare, plugin=dict(QUICK),
                       applier=dict(QUICK))
    wait_live(world)
    return world


def make(client, numbers):
    for number in numbers:
        client.create(f"{ROOT}/{number}", b"x")


def followers(leader):
    """How many a leader has, itself not counted."""
    counts = [line.split()[1] for line in four_letter(leader.client_port, "mntr").splitlines()
              if line.startswith("zk_synced_followers")]
    return int(float(counts[0])) if counts else None


def level(*servers):
    return len({server.zxid() for server in servers}) == 1


def lose(site, clients):
    """A follower that rejoins is sent what it missed, and does not keep that among the txns which it can send itself. Once it leads,
    it takes what is in this hole for something that never was (ZOOKEEPER-4925), and has the observer, which stands in it, truncate
    its log. Returns that leader; the observer is stopped."""
    observer, leader = site.zk.servers[-1], site.zk.leader()
    other, follower = [server for server in site.zk.servers if server not in (leader, observer)]
    client = clients(site, hosts=f"127.0.0.1:{leader.client_port}")
    client.create(ROOT, b"")
    eventually(lambda: level(leader, follower, other), what="both followers at the leader's zxid")
    with frozen(follower):
        eventually(lambda: followers(leader) == 1, 60, what="a leader that has given up one of its followers")
        make(client, range(SEEN))
        eventually(lambda: level(leader, observer), what="the observer at the leader's zxid")
        wait_confirmed(site, "bj")
        observer.kill()
        make(client, range(SEEN, SEEN + MISSED))
    eventually(lambda: follower.mode() == "follower" and level(leader, follower), 60, what="the follower again")
    client.create(f"{ROOT}/after", b"")
    eventually(lambda: level(leader, follower, other), what="both followers at the leader's zxid")
    leader.kill()
    eventually(lambda: follower.mode() == "leader", 60, what="its lead")
    return follower


def test_its_tree_is_no_image(world, clients, judge):
    site, names = world["sh"], {str(number) for number in range(SEEN)}
    observer = site.zk.servers[-1]
    bj = clients(world["bj"])
    leader = lose(site, clients)
    sh = clients(site, hosts=f"127.0.0.1:{leader.client_port}")
    wait_seen(bj, f"{ROOT}/{SEEN - 1}")
    bring_back(observer)
    sh.create(f"{ROOT}/later", b"")
    eventually(lambda: level(leader, observer), 60, what="the observer at the leader's zxid")
    assert "Sending TRUNC" in leader.read_log() and observer.nodes() < leader.nodes(), "what this ZooKeeper is known for"
    eventually(lambda: "is not its leader's" in plugin_link(site, "bj", observer).get("detail", ""), 60,
               what="why the link does not go on")
    eventually(lambda: "is not its leader's" in ((observer.plugin_status() or {}).get("tree_fault") or ""), what="the same of the server")
    eventually(lambda: "Until then it sends no image" in observer.read_log(), what="a word in its log")
    assert not names - set(bj.get_children(ROOT)), "both sites had them before, and sh has them"
    observer.kill()
    shutil.rmtree(os.path.join(observer.data_dir, "version-2"))
    bring_back(*[server for server in site.zk.servers if not server.process.alive()])
    wait_live(world, 60)
    judge.wait_equal(60)
    assert len(bj.get_children(ROOT)) > SEEN + MISSED
