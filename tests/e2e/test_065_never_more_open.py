"""A node whose ACL at its origin is not known stands closed until it is: nothing is ever more open than where it comes from."""

import contextlib
import os

import pytest
from kazoo.exceptions import NoAuthError, NoNodeError
from kazoo.security import ACL, OPEN_ACL_UNSAFE, Id, make_acl, make_digest_acl

from helpers import QUICK, eventually, wait_live, wait_seen
from zoosites import files

ALICE = ("digest", "alice:wonder")
ALICES = [make_digest_acl("alice", "wonder", all=True)]
SASL = [ACL(31, Id("sasl", "somebody"))]


def prepare(world):
    for server in world["sh"].zk.servers:  # knows a scheme of ACLs that bj does not
        server.jvm.append("-Dzookeeper.authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider")
    # sh's applier is the super user, bj's is not.
    bj = world["bj"]
    bj.auth_file = files.write_secret(os.path.join(bj.dir, "secrets", "plain"), "digest:applier:plain")


@pytest.fixture(scope="module")
def world(make_world):
    world = make_world(voters=0, observers=0, prepare=prepare, plugin=QUICK, applier=dict(QUICK, exclude="/vault/*"))
    wait_live(world)
    return world


@pytest.fixture
def alice(world, clients):
    def make(name):
        client = clients(world[name])
        client.add_auth(*ALICE)
        return client
    return make


def restart_applier(site, **options):
    site.applier.stop()
    site.applier.options.update(options)
    for name in [name for name, value in options.items() if value is None]:
        del site.applier.options[name]
    site.applier.write_config()
    site.applier.start()
    site.applier.wait_ready()


def is_closed(client, path):
    """Whether whoever has no rights sees neither data nor children, or nothing is there."""
    for look in (client.get, client.get_children):
        with contextlib.suppress(NoNodeError):
            try:
                look(path)
                return False
            except NoAuthError:
                pass
    return True


def acl_of(client, path):
    return client.get_acls(path)[0] if client.exists(path) else None


@pytest.mark.parametrize("origin, destination", [("bj", "sh"), ("sh", "bj")])
def test_what_was_not_carried_until_now(world, clients, alice, origin, destination):
    target, here, top = world[destination], world[destination].client(), f"/vault/{origin}"
    writer = alice(origin)
    theirs = {top: OPEN_ACL_UNSAFE if origin == "bj" else ALICES, f"{top}/key": ALICES, f"{top}/dir": ALICES,
              f"{top}/dir/x": ALICES}
    writer.ensure_path("/vault")
    for path in list(theirs)[:3]:
        writer.create(path, b"one", acl=theirs[path])
    writer.create(f"/end-{origin}", b"")
    wait_seen(here, f"/end-{origin}")
    assert here.exists(top) is None
    restart_applier(target, exclude=None)
    wait_live(world)
    nobody, seen = clients(target), set()
    writer.set(f"{top}/key", b"two")
    writer.create(f"{top}/dir/x", b"three", acl=ALICES)

    def all_known():
        for path, acl in theirs.items():
            now = acl_of(here, path)
            seen.add("missing" if now is None else "known" if now == acl else "closed")
            assert acl == OPEN_ACL_UNSAFE or is_closed(nobody, path), f"{path} is open to anybody at {destination}"
        return all(acl_of(here, path) == acl for path, acl in theirs.items())

    eventually(all_known, 60, 0.02, "the ACLs of the origin")
    assert {"closed", "known"} <= seen
    assert [here.get(f"{top}/{name}")[0] for name in ("key", "dir", "dir/x")] == [b"two", b"one", b"three"]
    eventually(lambda: here.exists(f"/zoospan/resync/{origin}") is None, what="the end of the request")
    here.stop()
    here.close()


def test_an_acl_that_cannot_be_set(world, sh, bj, clients):
    nobody = clients(world["bj"])
    sh.create("/set", b"open")
    wait_seen(bj, "/set")
    sh.set_acls("/set", SASL)
    sh.set("/set", b"secret")
    sh.create("/behind", b"")
    wait_seen(bj, "/behind")
    assert bj.get("/set")[0] == b"secret" and is_closed(nobody, "/set")
    # The node is opened again as soon as its ACL is one that can be set.
    sh.set_acls("/set", OPEN_ACL_UNSAFE)
    eventually(lambda: acl_of(bj, "/set") == OPEN_ACL_UNSAFE, what="the ACL")


def test_a_multi_puts_a_closed_node_in_its_place(world, sh, bj, clients):
    nobody = clients(world["bj"])
    sh.create("/replaced", b"open")
    wait_seen(bj, "/replaced")
    multi = sh.transaction()
    multi.delete("/replaced")
    multi.create("/replaced", b"secret", acl=SASL)
    multi.commit()
    sh.set("/replaced", b"secret too")
    sh.create("/behind-that", b"")
    wait_seen(bj, "/behind-that")
    assert is_closed(nobody, "/replaced")


def test_the_applier_may_not_change_the_acl(world, sh, bj, alice, clients):
    nobody, writer = clients(world["bj"]), alice("sh")
    writer.create("/denied", b"open", acl=[make_acl("world", "anyone", read=True, write=True, create=True, delete=True), *ALICES])
    wait_seen(bj, "/denied")
    writer.set_acls("/denied", ALICES)
    sh.create("/behind-the-acl", b"")
    wait_seen(bj, "/behind-the-acl")
    assert bj.get("/denied")[0] == b"open" and is_closed(nobody, "/denied")
    writer.set("/denied", b"secret")
    sh.create("/behind-the-set", b"")
    wait_seen(bj, "/behind-the-set")
    assert is_closed(nobody, "/denied")


def test_it_was_created_with_one_that_cannot_be_set(world, sh, bj, clients):
    nobody = clients(world["bj"])
    sh.create("/sasl", b"secret", acl=SASL)
    sh.set("/sasl", b"secret too")
    sh.create("/sasl/child", b"", acl=OPEN_ACL_UNSAFE)
    wait_seen(bj, "/sasl/child")
    assert is_closed(nobody, "/sasl")
