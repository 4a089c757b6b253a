"""A site that was wiped or restored comes back. Whatever it has got back by then, of itself or of others, is no news to the
sites that lived on: there nothing changes, not for a moment, and what only they know is not lost."""

import contextlib
import os
import shutil
import subprocess

import pytest
from kazoo.exceptions import NoNodeError

from helpers import eventually, frozen, wait_live, wait_seen
from zoosites import build, txnlog

NODES, ROUNDS = 40, 50
SLOW = {"depth": "1", "multi_ops_max": "1"}
QUICK = {"heartbeat": "1s"}
PATHS = [f"/registry/node-{number:02}" for number in range(NODES)]


@pytest.fixture(scope="module")
def world(make_world):
    world = make_world(("sh", "bj", "gz"), voters=0, observers=0, plugin=QUICK)
    wait_live(world)
    return world


def all_of(answers):
    return [one.get(timeout=60) for one in answers]


def values(client):
    """Without the nodes that are not there."""
    answers = {path: client.get_async(path) for path in PATHS}
    found = {}
    for path, one in answers.items():
        with contextlib.suppress(NoNodeError):
            found[path] = one.get(timeout=60)[0]
    return found


def fill(sites, clients):
    """Each site's clients write their share of the nodes, all of them again and again."""
    here = [clients(site) for site in sites]
    if here[0].exists("/registry") is None:
        here[0].create("/registry", b"")
        for client in here:
            wait_seen(client, "/registry")
        all_of([here[number % len(here)].create_async(path, b"") for number, path in enumerate(PATHS)])
        for client in here:
            eventually(lambda client=client: len(client.get_children("/registry")) == NODES, what="all nodes")
    for number in range(ROUNDS):
        all_of([here[at % len(here)].set_async(path, b"%06d" % number + os.urandom(4)) for at, path in enumerate(PATHS)])
    last = {path: here[at % len(here)].get(path)[0] for at, path in enumerate(PATHS)}
    for client in here:
        eventually(lambda client=client: values(client) == last, 60, what="the newest values everywhere")
    return last


def children(client, path="/registry"):
    return client.get_children(path) if client.exists(path) is not None else []


def data_dirs(site):
    return [server.data_dir for server in site.zk.servers]


def stop(site):
    site.applier.stop()
    site.zk.stop()


def wipe(site):
    stop(site)
    for directory in data_dirs(site):
        shutil.rmtree(os.path.join(directory, "version-2"))


def start(site, **options):
    site.applier.options.update(options)
    site.applier.write_config()
    site.zk.start()
    site.zk.wait_serving()
    site.applier.start()
    site.applier.wait_ready()


def changes(site, since):
    """What has been written there since, of what clients see."""
    return [(hex(txn.zxid), op.type, op.path) for txn in txnlog.read(data_dirs(site)[0]) if txn.zxid > since
            for op in txn.ops if not txnlog.beneath(op.path, ["/zoospan", "/zookeeper"])]


def settled(world):
    """All links stream, and none waits for an image or takes one."""
    wait_live(world, 90)
    eventually(lambda: all(link["state"] == "LIVE" for site in world.sites
                           for link in site.applier.status().get("links", [{"state": ""}])), 90, what="all links LIVE")


def check(world, last, healthy, since, clients):
    """Every site holds it, and nobody who lived on was touched."""
    for site in world.sites:
        client = clients(site)
        eventually(lambda client=client: values(client) == last, 90,
                   what=f"the newest values at {site.name}")
    settled(world)
    for site in healthy:
        found = changes(site, since[site.name])
        assert not found, (site.name, len(found), found[:5])


def zxids(world):
    return {site.name: site.zk.zxid() for site in world.sites}


@pytest.mark.parametrize("name", ["bj", "sh"])
def test_wiped(world, clients, name):
    """The first or the last of the names, slow, while the others are long in hearing of it."""
    last = fill(world.sites, clients)
    lost, healthy = world[name], [site for site in world.sites if site.name != name]
    wipe(lost)
    since = zxids_of(healthy)
    with frozen(*[site.applier for site in healthy]):
        start(lost, **SLOW)
        client = clients(lost)
        eventually(lambda: children(client), 40, 0.01, what="the first nodes")
    check(world, last, healthy, since, clients)


def zxids_of(sites):
    return {site.name: site.zk.zxid() for site in sites}


def test_wiped_while_it_takes_an_image(world, clients):
    """... and while what it had got back is half of it: nobody takes that for a site's own."""
    last = fill(world.sites, clients)
    lost, healthy = world["bj"], [world["sh"], world["gz"]]
    wipe(lost)
    since = zxids_of(healthy)
    start(lost, **SLOW)
    client = clients(lost)
    eventually(lambda: len(children(client)) > NODES // 4, 40, 0.01, what="a part of the nodes")
    wipe(lost)
    start(lost, **SLOW)
    check(world, last, healthy, since, clients)


def test_what_its_clients_write_at_once_is_news(world, clients):
    """They find an empty site, and write before anything has come back."""
    last = fill(world.sites, clients)
    lost, healthy = world["bj"], [world["sh"], world["gz"]]
    wipe(lost)
    lost.zk.start()
    lost.zk.wait_serving()
    client = clients(lost)
    client.create("/registry", b"")
    client.create(PATHS[1], b"new life")
    client.create("/new-life", b"new life")
    lost.applier.start()
    for site in healthy:
        wait_seen(clients(site), PATHS[1], b"new life")
        wait_seen(clients(site), "/new-life", b"new life")
    last[PATHS[1]] = b"new life"
    check(world, last, [], {}, clients)
    for site in world.sites:
        eventually(lambda site=site: clients(site).exists("/new-life") is not None, what=f"it at {site.name}")


def test_restored_from_an_older_snapshot(world, clients):
    """What was set or deleted since then is neither set back nor made again where it was not restored."""
    fill(world.sites, clients)
    lost, healthy = world["bj"], [world["sh"], world["gz"]]
    sh = clients(world["sh"])
    sh.create("/of-then", b"")
    all_of([sh.create_async(f"/of-then/{number}", b"") for number in range(20)])
    wait_seen(clients(lost), "/of-then/19")
    lost.zk.stop()
    for directory in data_dirs(lost):
        shutil.copytree(directory, directory + ".old")
    lost.zk.start()
    lost.zk.wait_serving()
    all_of([sh.delete_async(f"/of-then/{number}") for number in range(10)])
    last = fill(world.sites, clients)
    eventually(lambda: clients(lost).exists("/of-then/9") is None, what="the deletes")
    settled(world)
    lost.zk.stop()
    for directory in data_dirs(lost):
        shutil.rmtree(directory)
        os.rename(directory + ".old", directory)
    since = zxids_of(healthy)
    lost.zk.start()
    lost.zk.wait_serving()
    # it is noticed when what it writes is at odds with what the others have
    sh.set("/of-then", b"since")
    eventually(lambda: "was restored from an older snapshot" in lost.applier.read_log(), 60, what="that it is noticed")
    for site in world.sites:
        wait_seen(clients(site), "/of-then", b"since", timeout_s=60)
    for site in world.sites:
        client = clients(site)
        eventually(lambda client=client: values(client) == last, 90, what=f"the newest values at {site.name}")
    settled(world)
    for site in healthy:
        found = [change for change in changes(site, since[site.name]) if change[2] != "/of-then"]
        assert not found, (site.name, len(found), found[:5])


def zoospan(site, *arguments, timeout_s=60):
    done = subprocess.run([build.cli_program(), "--config", site.applier.config, *arguments], capture_output=True, text=True,
                          timeout=timeout_s)
    assert done.returncode == 0, (arguments, done)


def test_what_a_wiped_site_deletes_later_is_deleted(world, clients):
    """Once it has come back it is a site like any other."""
    bj = clients(world["bj"])
    bj.delete("/new-life")
    zoospan(world["sh"], "resync", "bj")
    for site in world.sites:
        eventually(lambda site=site: clients(site).exists("/new-life") is None, what=f"the delete at {site.name}")
    settled(world)
