"""Images and ACLs: nobody reads, at a site that takes an image, what its own clients or the origin's have closed. When an ACL was set no
node tells, so what is in doubt stays closed until it is known."""

import contextlib
import os
import shutil
import subprocess
import threading

import pytest
from kazoo.exceptions import NoAuthError, NoNodeError
from kazoo.security import ACL, OPEN_ACL_UNSAFE, Id, make_digest_acl

from helpers import QUICK, eventually, wait_confirmed, wait_live, wait_seen, wait_state
from zoosites import build, wire

ALICES = [make_digest_acl("alice", "wonder", all=True)]
SASL = [ACL(31, Id("sasl", "somebody"))]


def prepare(world):
    for server in world["sh"].zk.servers:  # knows a scheme of ACLs that bj does not
        server.jvm.append("-Dzookeeper.authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider")


@pytest.fixture(scope="module")
def world(make_world):
    world = make_world(voters=0, observers=0, prepare=prepare, plugin=QUICK, applier=QUICK)
    wait_live(world)
    return world


@pytest.fixture
def excluded(world):
    """Restarts bj's applier so that it leaves out a path; None: nothing any more."""
    def exclude(pattern):
        site = world["bj"]
        site.applier.stop()
        site.applier.options.pop("exclude", None)
        if pattern:
            site.applier.options["exclude"] = pattern
        site.applier.write_config()
        site.applier.start()
        site.applier.wait_ready()
        wait_live(world)
    yield exclude
    if "exclude" in world["bj"].applier.options:
        exclude(None)


def acl_of(client, path):
    return client.get_acls(path)[0] if client.exists(path) else None


def resync(site, origin, path="/"):
    """As `zoospan resync` does it, which waits until nothing is in doubt."""
    command = [build.cli_program(), "--config", site.applier.config, "resync", origin, "--path", path]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def images_of(site, path):
    return site.applier.read_log().count(f"the image of {path} is taken")


@contextlib.contextmanager
def watched(client, paths, secret=b"secret"):
    """Nobody without rights reads a secret, not for a moment."""
    read, over = [], threading.Event()

    def watch():
        while not over.is_set():
            for path in paths:
                with contextlib.suppress(NoAuthError, NoNodeError, *wire.INTERRUPTED):
                    if client.get(path)[0] == secret:
                        read.append(path)
    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    assert not read, f"anybody could read {read[:3]} ({len(read)} times)"


@pytest.mark.parametrize("origin, destination", [("sh", "bj"), ("bj", "sh")])
def test_an_image_does_not_open_what_was_closed_here(world, clients, origin, destination):
    """The origin has not heard of it, because its applier is away. It is heard in the end, and both sites are equal."""
    away, target, path = world[origin], world[destination], f"/closed-at-{destination}"
    here, there, nobody = target.client(), away.client(), clients(target)
    there.create(path, b"public")
    wait_seen(here, path)
    away.applier.stop()
    here.set_acls(path, ALICES)
    taken = images_of(target, path)
    with watched(nobody, [path]):
        asks = resync(target, origin, path)
        eventually(lambda: f"an image of {path}" in target.applier.status()["links"][0]["detail"], what="what the link waits for")
        eventually(lambda: images_of(target, path) > taken, 90, what="an image")
        here.set(path, b"secret")
        away.applier.start()
        away.applier.wait_ready()
        assert asks.wait(180) == 0
        wait_seen(there, path, b"secret")
        eventually(lambda: acl_of(there, path) == ALICES, what="the ACL at the origin")
    assert acl_of(here, path) == ALICES
    for client in (here, there):
        client.stop()
        client.close()


def test_an_image_opens_what_the_origin_has_opened(world, sh, bj, excluded):
    """While the destination did not carry it: only an image can bring the ACL."""
    sh.create("/opened", b"x", acl=ALICES)
    wait_seen(bj, "/opened")
    excluded("/opened")
    sh.set_acls("/opened", OPEN_ACL_UNSAFE)
    sh.create("/opened-behind", b"")
    wait_seen(bj, "/opened-behind")
    excluded(None)
    assert acl_of(bj, "/opened") == ALICES
    assert resync(world["bj"], "sh", "/opened").wait(180) == 0
    assert acl_of(bj, "/opened") == OPEN_ACL_UNSAFE


def test_an_image_brings_no_data_before_its_acl(world, sh, bj, clients, excluded):
    sh.create("/vaults", b"")
    paths = [f"/vaults/{number}" for number in range(200)]
    for path in paths:
        sh.create(path, b"public")
    wait_seen(bj, paths[-1])
    excluded("/vaults/*")
    for path in paths:
        sh.set_acls(path, ALICES)
        sh.set(path, b"secret")
    sh.create("/vaults-behind", b"")
    wait_seen(bj, "/vaults-behind")
    excluded(None)
    with watched(clients(world["bj"]), paths[::-1]):
        assert resync(world["bj"], "sh", "/vaults").wait(180) == 0
    assert all(bj.get(path)[0] == b"secret" and acl_of(bj, path) == ALICES for path in paths)


def test_the_stream_does_not_open_what_an_image_has_closed(world, sh, bj, clients):
    """The image shows the node in its newest state, and behind it the stream repeats how it was opened once."""
    sh.create("/again", b"")
    sh.create("/again/s", b"x", acl=ALICES)
    wait_seen(bj, "/again/s")
    world["sh"].applier.stop()  # so that the walk waits, and what follows is before it
    bj.create("/again-before", b"")
    asks = resync(world["bj"], "sh", "/again")
    wait_state(world["sh"], "bj", "SNAPSHOT")
    sh.set("/again/s", b"public")
    sh.set_acls("/again/s", OPEN_ACL_UNSAFE)
    for number in range(30):
        sh.create(f"/again-{number}", os.urandom(500_000))
    sh.set_acls("/again/s", ALICES)
    sh.set("/again/s", b"secret")
    with watched(clients(world["bj"]), ["/again/s"]):
        world["sh"].applier.start()
        world["sh"].applier.wait_ready()
        assert asks.wait(180) == 0
        sh.create("/again-behind", b"")
        wait_seen(bj, "/again-behind")
    assert bj.get("/again/s")[0] == b"secret" and acl_of(bj, "/again/s") == ALICES


def test_what_was_closed_in_quarantine_stays_open_where_it_comes_from(world, sh, bj):
    """bj cannot set the ACL and closes its copy. An image of bj does not bring that to sh."""
    bj.create("/scheme", b"x")
    wait_seen(sh, "/scheme")
    sh.set("/scheme", b"y")
    wait_seen(bj, "/scheme", b"y")
    sh.set_acls("/scheme", SASL)
    sh.create("/scheme-behind", b"")
    wait_seen(bj, "/scheme-behind")
    assert acl_of(bj, "/scheme")[0].perms == 0
    assert resync(world["sh"], "bj").wait(180) == 0
    assert acl_of(sh, "/scheme") == SASL and sh.get("/scheme")[0] == b"y"


def test_a_wiped_site_gets_a_secret_of_its_former_life_with_its_acl(world, clients):
    """The other site hears late of what was written in that life, later than of anything else of it, and not of the new life at all: so
    its copy counts as the later one. Data and ACL are of one write."""
    lost, other = world["bj"], world["sh"]
    before, owner = other.client(), lost.client()
    owner.create("/former", b"public")
    wait_seen(before, "/former")
    other.applier.stop()
    owner.set_acls("/former", ALICES)
    owner.set("/former", b"secret")
    wait_confirmed(lost, other.name)
    owner.stop()
    owner.close()
    lost.applier.stop()
    lost.zk.stop()
    for directory in (server.data_dir for server in lost.zk.servers):
        shutil.rmtree(os.path.join(directory, "version-2"))
    lost.zk.start()
    lost.zk.wait_serving()
    anybody = clients(lost)
    anybody.create("/former", b"new life")
    newer = other.zk.zxid()
    other.applier.start()
    wait_seen(before, "/former", b"secret", 60)
    other.applier.stop()
    assert other.zk.zxid() > newer
    with watched(anybody, ["/former"]):
        lost.applier.start()
        eventually(lambda: images_of(lost, "/") > 0, 60, what="an image")
        other.applier.start()
        wait_live(world, 90)
        eventually(lambda: lost.applier.status()["links"][0]["state"] == other.applier.status()["links"][0]["state"] == "LIVE", 60,
                   what="both links LIVE")
    now = [site.client() for site in (lost, other)]
    eventually(lambda: acl_of(now[0], "/former") == acl_of(now[1], "/former") and now[0].get("/former")[0] == now[1].get("/former")[0],
               60, what="the same at both sites")
    assert acl_of(now[0], "/former") == ALICES or now[0].get("/former")[0] == b"new life"
    for client in (*now, before):
        client.stop()
        client.close()
