"""Three sites, one slow way. What a third site wrote, and the origin of an image does not have yet, is not absent there: what the
origin has of the destination and what it has of others are compared for one moment."""

import subprocess

import pytest

from helpers import eventually, marker, wait_live, wait_seen
from zoosites import build

WAYS = {}


def prepare(world):
    WAYS["bj->sh"] = world.way("bj", "sh")
    WAYS["sh->gz"] = world.way("sh", "gz")
    WAYS["gz->sh"] = world.way("gz", "sh")


@pytest.fixture(scope="module")
def world(make_world):
    world = make_world(("sh", "bj", "gz"), voters=0, observers=0, prepare=prepare,
                       applier={"amqp_heartbeat": "60s", "amqp_timeout": "60s"})
    wait_live(world, 60)
    return world


def resync(site, origin, *arguments):
    done = subprocess.run([build.cli_program(), "--config", site.applier.config, "resync", origin, *arguments],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, (arguments, done)


def version(client, path):
    return client.exists(path).version


def test_what_a_third_site_wrote_since_the_wish_stays(world, clients):
    sh, bj, gz = (clients(site) for site in world.sites)
    privileged = world["gz"].client()
    bj.create("/stream", b"")
    gz.create("/clock", b"")
    for client in (sh, bj, gz):
        wait_seen(client, "/stream")
        wait_seen(client, "/clock")
    before = version(privileged, "/zoospan/applied/sh")
    WAYS["sh->gz"].hole(True)  # the wish is written down, and its report is on its way
    try:
        resync(world["gz"], "sh", "--no-wait")
        eventually(lambda: version(privileged, "/zoospan/applied/sh") > before, what="a wish that is noted")
        WAYS["bj->sh"].hole(True)
        made = [bj.create(f"/stream/{number:03}", b"x") for number in range(50)]
        bj.set("/stream", b"later")
        wait_seen(gz, "/stream", b"later")
        gz.set("/clock", b"later")
        wait_seen(sh, "/clock", b"later")
        assert not sh.get_children("/stream")
    finally:
        WAYS["sh->gz"].hole(False)
    images = lambda: next(link["images"] for link in world["gz"].applier.status()["links"] if link["origin"] == "sh")
    eventually(lambda: images() >= 1, 60, what="an image of sh at gz")
    lost = [path for path in made if gz.exists(path) is None]
    WAYS["bj->sh"].hole(False)
    assert not lost and gz.get("/stream")[0] == b"later", (len(lost), lost[:3])
    wait_seen(sh, made[-1], timeout_s=60)
    assert marker(privileged, "bj") > 0
    privileged.stop()
    privileged.close()
    assert sorted(sh.get_children("/stream")) == sorted(gz.get_children("/stream")) == sorted(bj.get_children("/stream"))


def follow(site, *origins):
    """The applier is started anew with links from these sites only. Returns what it had."""
    applier = site.applier
    before = dict(applier.options)
    applier.stop()
    applier.options["links"] = ",".join(origins)
    for name in before:
        if name.startswith("link.") and name.split(".")[1] not in origins:
            del applier.options[name]
    applier.write_config()
    applier.start()
    applier.wait_ready()
    return before


def test_what_came_from_who_is_followed_no_more_stays(world, clients):
    """Nobody knows any more when it came, so an image of a site that does not have it yet says nothing of it."""
    sh, bj, gz = (clients(site) for site in world.sites)
    WAYS["gz->sh"].hole(True)
    try:
        gz.create("/of-gz", b"x")
        wait_seen(bj, "/of-gz")
        before = follow(world["bj"], "sh")
        bj.create("/of-bj", b"x")
        wait_seen(sh, "/of-bj")
        resync(world["bj"], "sh")
        assert sh.exists("/of-gz") is None
        assert bj.exists("/of-gz") is not None
    finally:
        WAYS["gz->sh"].hole(False)
    wait_seen(sh, "/of-gz", timeout_s=60)
    applier = world["bj"].applier
    applier.stop()
    applier.options.clear()
    applier.options.update(before)
    applier.write_config()
    applier.start()
    wait_live(world, 60)
    assert bj.exists("/of-gz") is not None
