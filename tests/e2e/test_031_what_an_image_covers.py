"""An image is compared with what it covers. What its origin's rules do not carry is not absent there, and what the origin has passed
over (quarantine) it has not seen: neither is deleted or set back."""

import os
import subprocess

import pytest
from kazoo.security import make_acl, make_digest_acl

from helpers import eventually, wait_live, wait_seen
from zoosites import build, files

SMALL = 300 * 1000
RULES = {"include": "/dubbo/*/providers,/dubbo/org.deep/a/b,/held/**,/held"}


def prepare(world):
    """bj's servers take less than sh's, and its applier may not write what is not open."""
    for server in world["bj"].zk.servers:
        server.jvm.append(f"-Djute.maxbuffer={SMALL}")
    world["bj"].auth_file = files.write_secret(os.path.join(world["bj"].dir, "secrets", "plain"), "digest:applier:plain")


@pytest.fixture(scope="module")
def world(make_world):
    world = make_world(voters=0, observers=0, prepare=prepare, plugin=RULES, applier=RULES)
    wait_live(world)
    return world


def resync(site, origin, *arguments):
    done = subprocess.run([build.cli_program(), "--config", site.applier.config, "resync", origin, *arguments],
                          capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, (arguments, done)


@pytest.mark.parametrize("top", ["/dubbo", "/dubbo/com.foo", "/dubbo/org.deep/a", "/"])
def test_a_root_that_is_not_carried(world, sh, bj, top):
    paths = ["/dubbo/com.foo/providers/1", "/dubbo/com.bar/providers/1", "/dubbo/org.deep/a/b/c"]
    for path in paths:
        sh.ensure_path(path)
        wait_seen(bj, path)
    bj.ensure_path("/dubbo/com.foo/of-bj")
    resync(world["bj"], "sh", "--path", top)
    for path in [*paths, "/dubbo/com.foo/of-bj"]:
        assert bj.exists(path) is not None, path


def test_what_is_gone_at_the_origin_is_gone(world, sh, bj):
    """The same comparison finds what is really absent: the link was not there to tell."""
    sh.ensure_path("/dubbo/com.gone/providers/1")
    wait_seen(bj, "/dubbo/com.gone/providers/1")
    sh.delete("/dubbo/com.gone/providers/1")
    eventually(lambda: bj.exists("/dubbo/com.gone/providers/1") is None, what="the delete")
    sh.delete("/dubbo/com.gone", recursive=True)
    eventually(lambda: bj.exists("/dubbo/com.gone/providers") is None, what="the delete")
    resync(world["bj"], "sh", "--path", "/dubbo/com.gone")


def test_what_was_put_into_quarantine_there_stays_here(world, sh, bj):
    sh.create("/held", b"")
    wait_seen(bj, "/held")
    bj.create("/held/theirs", b"0", acl=[make_digest_acl("owner", "secret", all=True)])
    wait_seen(sh, "/held/theirs", b"0")
    sh.create("/held/seen", b"")
    wait_seen(bj, "/held/seen")
    sh.create("/held/big", os.urandom(900000))
    sh.set("/held/theirs", b"1")
    sh.create("/held/behind", b"")
    wait_seen(bj, "/held/behind", timeout_s=60)
    assert bj.exists("/held/big") is None and bj.get("/held/theirs")[0] == b"0"
    resync(world["sh"], "bj")
    assert sh.exists("/held/big") is not None, "the only copy of a committed write was deleted at its own origin"
    assert sh.get("/held/theirs")[0] == b"1"


def test_nor_when_its_record_is_dropped(world, sh, bj):
    """An operator who clears the records has not applied them."""
    subprocess.run([build.cli_program(), "--config", world["bj"].applier.config, "quarantine", "drop", "sh", "all"],
                   capture_output=True, timeout=60, check=True)
    world["bj"].applier.stop()
    world["bj"].applier.start()
    world["bj"].applier.wait_ready()
    resync(world["sh"], "bj")
    assert sh.exists("/held/big") is not None and sh.get("/held/theirs")[0] == b"1"


def test_equal_sites_are_left_alone_by_who_has_no_rights(world, sh, bj, clients):
    """To who may not change an ACL ZooKeeper shows no hash of a digest: that is no other ACL."""
    anybody, owners = clients(world["bj"]), make_digest_acl("bob", "secret", all=True)
    sh.ensure_path("/held")
    paths = {"/held/read": make_acl("world", "anyone", read=True),
             "/held/write": make_acl("world", "anyone", read=True, write=True, create=True, delete=True)}
    for path, everybody in paths.items():
        sh.create(path, b"1", acl=[everybody, owners])
        wait_seen(bj, path, b"1")
    before = {path: (bj.exists(path), bj.get_acls(path)) for path in paths}
    read = []

    def look():
        read.append({path: anybody.get(path)[0] for path in paths})
        return asks.poll() is not None
    asks = subprocess.Popen([build.cli_program(), "--config", world["bj"].applier.config, "resync", "sh", "--path", "/held"],
                            stdout=subprocess.DEVNULL)
    eventually(look, 120, 0.02, what="the end of the command")
    assert {path: (bj.exists(path), bj.get_acls(path)) for path in paths} == before
