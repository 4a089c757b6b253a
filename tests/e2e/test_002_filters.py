"""Filters: by prefix and by glob segments, on the sending and again on the receiving side."""

import pytest
from kazoo.exceptions import NoAuthError
from kazoo.security import OPEN_ACL_UNSAFE, make_acl, make_digest_acl

from helpers import check_idle, eventually, link_of, wait_gone, wait_live, wait_published, wait_seen
from zoosites import wire
from zoosites.txnlog import beneath


# As they are and encoded, in both files: a pattern means what was typed.
NAMES = "/app/内部,/app/caf%C3%A9,/app/caf\u00e9s,/app/k%2Cb,/app/c%5Cd,/app/e%20,/app/%2A%2A"
MEANT = ["内部", "café", "cafés", "k,b", "c\\d", "e ", "**"]
NEIGHBOURS = ["内", "cafe", "k", "b", "c", "e", "**x"]


def plugin(name):
    return {"link.bj.include": "/app, /svc/*/public", "link.bj.exclude": "/app/local, /app/**/tmp*, " + NAMES} \
        if name == "sh" else {}


def applier(name):
    return {"link.sh.exclude": "/app/not-here," + NAMES.replace("/app", "/app/there")} if name == "bj" else {}


@pytest.fixture(scope="module")
def world(make_world):
    world = make_world(plugin=plugin, applier=applier)
    wait_live(world)
    return world


def test_only_what_is_included_arrives(world, clients):
    sh, bj = clients(world["sh"]), clients(world["bj"])
    for path in ("/app", "/app/a", "/app/local", "/app/local/x", "/app/localhost", "/app/deep", "/app/deep/tmp7",
                 "/app/deep/tmp7/below", "/apple", "/APP", "/svc", "/svc/one", "/svc/one/public", "/svc/one/public/x",
                 "/svc/one/private", "/app/not-here", "/app/not-here/x", "/app/not-here-but-there", "/app/end"):
        sh.create(path, path.encode())
    wait_seen(bj, "/app/end")
    assert sorted(bj.get_children("/app")) == ["a", "deep", "end", "localhost", "not-here-but-there"]
    assert bj.get_children("/app/deep") == []
    assert bj.exists("/apple") is None and bj.exists("/APP") is None
    assert bj.get("/svc/one/public/x")[0] == b"/svc/one/public/x"
    # The ancestors of what is included were needed there, and only they: with the ACL, and without the data, which is not carried.
    operator = clients(world["bj"], auth=True)
    eventually(lambda: operator.get_acls("/svc/one")[0] == OPEN_ACL_UNSAFE, 60, what="the ACL of the origin")
    assert bj.get_children("/svc/one") == ["public"]
    assert bj.get("/svc/one")[0] != b"/svc/one"


def test_what_lies_above_is_no_more_open(world, clients):
    """Nobody's rules carry it. Yet where it is needed it stands as it does at the origin, or closed."""
    sh, bj = clients(world["sh"]), clients(world["bj"])
    theirs = make_digest_acl("owner", "secret", all=True)
    for path, acl in (("/svc/two", [make_acl("world", "anyone", read=True), theirs]), ("/svc/three", [theirs])):
        sh.add_auth("digest", "owner:secret")
        sh.create(path, b"not carried", acl=acl)
        sh.create(f"{path}/public", b"")
        wait_seen(bj, f"{path}/public")
    operator = clients(world["bj"], auth=True)
    for path in ("/svc/two", "/svc/three"):
        eventually(lambda path=path: operator.get_acls(path)[0] == sh.get_acls(path)[0], 60, what="the ACL of the origin")
        assert operator.get(path)[0] == b""
    assert bj.get_children("/svc/two") == ["public"]
    for forbidden in (lambda: bj.delete("/svc/two/public"), lambda: bj.create("/svc/two/more"), lambda: bj.get_children("/svc/three")):
        with pytest.raises(NoAuthError):
            forbidden()


def test_a_pattern_means_what_was_typed(world, clients):
    sh, bj = clients(world["sh"]), clients(world["bj"])
    sh.create("/app/there", b"")
    for folder in ("/app", "/app/there"):
        for name in MEANT + NEIGHBOURS:
            sh.create(f"{folder}/{name}", b"")
    sh.create("/app/there/end", b"")
    wait_seen(bj, "/app/there/end")
    for folder in ("/app", "/app/there"):
        assert not set(bj.get_children(folder)) & set(MEANT)
        assert set(NEIGHBOURS) <= set(bj.get_children(folder))


def test_deletes_and_multis_are_filtered_op_by_op(world, clients):
    sh, bj = clients(world["sh"]), clients(world["bj"])
    bj.create("/apple", b"bj's own")
    wait_seen(sh, "/apple", b"bj's own")  # bj -> sh has no filter: a conflict that bj's write won
    wire.multi(sh, [wire.create_request("/app/m"), wire.create_request("/app/m/tmp"),
                    wire.create_request("/app/m/kept"), wire.set_request("/apple", b"sh's")])
    wait_seen(bj, "/app/m/kept")
    assert bj.get_children("/app/m") == ["kept"]
    assert bj.get("/apple")[0] == b"bj's own"
    sh.delete("/apple")
    sh.delete("/app/m/tmp")
    sh.delete("/app/m/kept")
    wait_gone(bj, "/app/m/kept")
    assert bj.exists("/apple") is not None


def test_ephemerals_of_a_session_are_filtered_too(world, clients):
    sh, bj = clients(world["sh"]), clients(world["bj"])
    session = clients(world["sh"])
    session.create("/app/eph", b"", ephemeral=True)
    session.create("/elsewhere", b"", ephemeral=True)
    wait_seen(bj, "/app/eph")
    session.stop()
    wait_gone(bj, "/app/eph")
    assert bj.exists("/elsewhere") is None
    sh.create("/app/after-eph")
    wait_seen(bj, "/app/after-eph")


def test_what_is_filtered_is_not_published_and_does_not_stop_the_link(world):
    tops = ["/app", *(f"/svc/{name}/public" for name in ("one", "two", "three"))]
    carried = lambda path: beneath(path, tops) and not beneath(
        path, ["/app/local", "/app/deep/tmp7", "/app/m/tmp", *(f"/app/{name}" for name in MEANT)])
    wait_published(world["sh"], "bj", carried=carried)
    assert link_of(world["sh"], "bj")["filtered"] > 0
    check_idle(world)
