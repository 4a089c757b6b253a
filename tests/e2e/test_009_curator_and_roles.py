"""A Java client that we did not write, and the plugin on voting servers: leader and followers."""

import pathlib
import subprocess

import pytest

from helpers import active, eventually, plugin_link, wait_seen
from zoosites import build, workload

SOURCE = pathlib.Path(__file__).parent / "java" / "CuratorClient.java"
JARS = [f"{build.JAVA_DIR}/{name}.jar" for name in
        ("curator-client", "curator-framework", "curator-recipes", "zookeeper", "guava", "slf4j-simple")]


@pytest.fixture(scope="module")
def curator(run_dir):
    """Runs the Curator client against two sites."""
    classes = pathlib.Path(run_dir) / "curator"
    classes.mkdir(exist_ok=True)
    subprocess.run(["javac", "-Xlint:-options", "-d", str(classes), "-cp", ":".join(JARS), str(SOURCE)], check=True,
                   timeout=120)

    def run(here, there):
        return subprocess.run(
            ["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp",
             ":".join([*JARS, str(classes)]), "CuratorClient", here.zk.connect_string, there.zk.connect_string],
            capture_output=True, text=True, timeout=180)
    return run


@pytest.fixture(scope="module")
def world(make_world):
    def on_every_voter_of_sh(world):
        world["sh"].zk.carriers = list(world["sh"].zk.servers)
    world = make_world(voters=3, observers=0, prepare=on_every_voter_of_sh)
    return world


def test_leader_and_followers_carry_the_plugin(world):
    site = world["sh"]
    states = lambda: sorted(plugin_link(site, "bj", server).get("state", "") for server in site.zk.carriers)
    eventually(lambda: states() == ["LIVE", "STANDBY", "STANDBY"], 40, what="one that publishes and two that stand by")
    for server in site.zk.carriers:
        eventually(lambda: server.read_log().count(f"role {server.mode()}") == 1, 30, what="the role, said once")


@pytest.mark.parametrize("names", [("sh", "bj"), ("bj", "sh")])
def test_curator(world, curator, judges, names):
    done = curator(world[names[0]], world[names[1]])
    assert done.returncode == 0 and done.stdout.endswith("OK\n"), done.stdout + done.stderr
    judges(world).wait_equal(30)
    client = world[names[0]].client()
    client.delete("/curator", recursive=True)
    client.delete("/curator-count")
    client.delete("/curator-group", recursive=True)
    client.stop()
    client.close()
    judges(world).wait_equal(30)


def test_workload_through_leader_and_followers(world, judges):
    writers = workload.run(world.sites, seed=9, operations=400)
    trees = judges(world).wait_equal(60)
    for writer in writers:
        assert not workload.missing(writer, trees[writer.site.name])


def test_leader_leaves_at_rest(world, clients):
    """An election without writes: the new roles are announced, and what is written afterwards arrives."""
    site = world["sh"]
    old = site.zk.leader()
    old.stop()
    leader = site.zk.leader()
    eventually(lambda: active(site, "bj"), 40, what="an active server after the election")
    clients(site).create("/after-the-election", b"x")
    wait_seen(clients(world["bj"]), "/after-the-election", b"x", 30)
    eventually(lambda: "role leader" in leader.read_log(), 30, what="the new leader's word")
