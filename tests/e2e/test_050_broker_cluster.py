"""RabbitMQ as a cluster of three nodes. A link whose queues are quorum queues goes on when a node dies; one whose queue lies on
a single node says which node it waits for; and where a queue has no majority of its nodes both ends of the link say so."""

import os

import pytest

from helpers import QUICK, eventually, plugin_link, wait_live, wait_seen
from zoosites.broker import Cluster

NO_MAJORITY = "the queue has no majority of its nodes"


@pytest.fixture(scope="module")
def cluster(run_dir, brokers):
    """One for both sites: what one of them may do, the other one may too."""
    cluster = Cluster(os.path.join(run_dir, "cluster"), "both", brokers.epmd)
    for user in ("zoospan", "zoospan-sh", "zoospan-bj"):
        cluster.nodes[0].add_user(user, (".*", ".*", ".*"))
    cluster.write_config()
    cluster.start()
    cluster.wait_ready()
    yield cluster
    cluster.stop()


@pytest.fixture(scope="module")
def world(make_world, cluster):
    """sh->bj has quorum queues, bj->sh classic ones, which lie on the second node: a queue is made where its maker is connected."""
    first, second, third = cluster.nodes
    uri = {"sh": cluster.uri("zoospan"), "bj": cluster.uri("zoospan", nodes=(second, third, first))}
    world = make_world(voters=0, given={"sh": cluster, "bj": cluster}, applier=QUICK,
                       plugin=lambda name: {**QUICK, "amqp_uri": uri[name],
                                            "queue_type": {"sh": "quorum", "bj": "classic"}[name]})
    wait_live(world, 90)
    return world


def applier_link(site):
    return (site.applier.status().get("links") or [{}])[0]


def queue(cluster, name):
    return cluster.queues()[name]


def test_the_types_are_as_asked_for(world, cluster, sh, bj):
    for client, other, path in ((sh, bj, "/begin-sh"), (bj, sh, "/begin-bj")):
        client.create(path, b"x")
        wait_seen(other, path)
    types = {name: one["type"] for name, one in cluster.queues().items()}
    for link, kind in (("sh.bj", "quorum"), ("bj.sh", "classic")):
        assert {types[f"zoospan.{link}{part}"] for part in ("", ".feedback", ".position")} == {kind}, types
    assert queue(cluster, "zoospan.bj.sh")["node"] == cluster.nodes[1].node
    assert len(queue(cluster, "zoospan.sh.bj")["members"]) == 3


def test_nodes_are_killed_one_after_the_other(world, cluster, sh, bj):
    """The quorum queue outlives the node that leads it; what does not answer any more is named at both ends."""
    leader = cluster.node_of(queue(cluster, "zoospan.sh.bj")["leader"])
    assert leader is cluster.nodes[0]
    leader.kill()
    for number in range(20):
        sh.create(f"/leader-{number}", b"x")
    wait_seen(bj, "/leader-19", timeout_s=30)
    newest = lambda: plugin_link(world["sh"], "bj")
    eventually(lambda: newest().get("applied", 1) == newest().get("cursor", 2), what="a report of it")
    # The node that has the classic queue is killed as well: so most nodes of the quorum queue are gone, too.
    home = cluster.nodes[1]
    home.kill()
    sh.create("/majority", b"x")
    bj.create("/home", b"x")
    eventually(lambda: home.node in plugin_link(world["bj"], "sh").get("detail", ""), 10, what="its name at the origin")
    eventually(lambda: home.node in applier_link(world["sh"]).get("detail", ""), 10, what="its name at the destination")
    assert plugin_link(world["bj"], "sh")["state"] != "LIVE" and applier_link(world["sh"])["state"] != "LIVE"
    eventually(lambda: NO_MAJORITY in plugin_link(world["sh"], "bj").get("detail", ""), 30, what="a word at the origin")
    eventually(lambda: NO_MAJORITY in applier_link(world["bj"]).get("detail", ""), 30, what="a word at the destination")
    assert applier_link(world["bj"])["state"] != "LIVE"
    for node in cluster.nodes[:2]:
        node.start()
    wait_seen(bj, "/majority", timeout_s=90)
    wait_seen(sh, "/home", timeout_s=90)
    wait_live(world, 60)
