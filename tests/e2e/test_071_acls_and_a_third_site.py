"""A site could not set an ACL of a second one, and closed its copy. An image of a third site, which lags behind the second, does not open
it."""

import contextlib
import subprocess

import pytest
from kazoo.exceptions import NoAuthError
from kazoo.security import ACL, Id

from helpers import QUICK, eventually, wait_live, wait_seen
from zoosites import build, wire

SASL = [ACL(31, Id("sasl", "somebody"))]


def prepare(world):
    for server in world["gz"].zk.servers:  # knows a scheme of ACLs that the others do not
        server.jvm.append("-Dzookeeper.authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider")


@pytest.fixture(scope="module")
def world(make_world):
    world = make_world(("sh", "bj", "gz"), voters=0, observers=0, prepare=prepare, plugin=QUICK, applier=QUICK)
    wait_live(world, 60)
    return world


def test_what_is_closed_here_is_not_opened_by_who_lags(world, clients):
    taker, lags, owner = (site.client() for site in world.sites)
    anybody = clients(world["sh"])
    owner.create("/scheme", b"public")
    for client in (taker, lags):
        wait_seen(client, "/scheme")
    taker.create("/of-sh", b"")
    wait_seen(lags, "/of-sh")
    world["bj"].applier.stop()
    owner.set_acls("/scheme", SASL)
    owner.set("/scheme", b"secret")
    wait_seen(taker, "/scheme", b"secret")
    images = lambda: world["sh"].applier.read_log().count("the image of /scheme is taken")
    before, read = images(), []
    asks = subprocess.Popen([build.cli_program(), "--config", world["sh"].applier.config, "resync", "bj", "--path", "/scheme"],
                            stdout=subprocess.DEVNULL)

    def seen_or_taken():
        with contextlib.suppress(NoAuthError, *wire.INTERRUPTED):
            read.append(anybody.get("/scheme"))
        return read or images() > before
    eventually(seen_or_taken, 90, 0.02, what="an image of who lags")
    world["bj"].applier.start()
    world["bj"].applier.wait_ready()
    eventually(lambda: asks.poll() is not None, 200, what="the end of the command")
    seen_or_taken()
    assert not read and taker.get_acls("/scheme")[0][0].perms == 0
    for client in (taker, lags, owner):
        client.stop()
        client.close()
