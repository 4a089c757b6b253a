"""Two whole sites, both directions at once: every kind of txn that a client can cause arrives, alone and inside a
multi, and nothing comes back."""

import pytest
from kazoo.exceptions import NoNodeError
from kazoo.security import OPEN_ACL_UNSAFE, make_acl, make_digest_acl

from helpers import check_idle, check_nothing_republished, eventually, link_of, wait_gone, wait_live, wait_seen
from zoosites import txnlog, wire


@pytest.fixture(scope="module")
def world(make_world):
    world = make_world(voters=3)
    wait_live(world)
    return world


@pytest.fixture(params=["sh", "bj"])
def pair(request, world, clients):
    """A client at the origin, one at the destination, and a fresh name."""
    here, there = (world["sh"], world["bj"]) if request.param == "sh" else (world["bj"], world["sh"])
    return clients(here), clients(there), here, there


def kind_of(site, path):
    """The kind as which a site's log says that the node was made. A server shows a node before its log has it."""
    data_dir = site.zk.carriers[0].data_dir
    return eventually(lambda: txnlog.kinds(data_dir).get(path), 20, 0.1, f"{path} in the log of {site.name}")


def test_create_set_delete(pair):
    here, there, site, _ = pair
    top = f"/{site.name}-plain"
    here.create(top, b"one")
    wait_seen(there, top, b"one")
    here.set(top, b"two")
    wait_seen(there, top, b"two")
    here.create(f"{top}/kid", b"")
    here.delete(f"{top}/kid")
    here.delete(top)
    wait_gone(there, top)


def test_create2_and_null_and_empty_data(pair):
    here, there, site, _ = pair
    top = f"/{site.name}-data"
    wire.create(here, top, b"made by create2", stat=True)
    wire.create(here, f"{top}/null", None)
    wire.create(here, f"{top}/empty", b"")
    here.create(f"{top}/to-empty", b"x")
    here.set(f"{top}/to-empty", b"")
    wire.call(here, wire.set_request(f"{top}/empty", None))
    wire.call(here, wire.create_request(f"{top}/last"))
    wait_seen(there, f"{top}/last")
    assert there.get(top)[0] == b"made by create2"
    assert there.get(f"{top}/null")[0] is None
    assert there.get(f"{top}/empty")[0] is None
    assert there.get(f"{top}/to-empty")[0] == b""


def test_sequential(pair):
    here, there, site, _ = pair
    top = f"/{site.name}-seq"
    here.create(top)
    made = [here.create(f"{top}/n-", b"%d" % n, sequence=True) for n in range(3)]
    wait_seen(there, made[-1], b"2")
    assert sorted(there.get_children(top)) == sorted(path.rsplit("/", 1)[1] for path in made)


def test_container_is_a_copy_until_the_origin_reaps_it(pair):
    here, there, site, other = pair
    path = f"/{site.name}-container"
    wire.create(here, path, b"box", flags=wire.CONTAINER)
    here.create(f"{path}/kid")
    wait_seen(there, f"{path}/kid")
    assert kind_of(other, path) == "persistent"
    here.delete(f"{path}/kid")
    wait_gone(here, path)
    wait_gone(there, path)


def test_no_site_reaps_the_container_of_another(pair):
    """A copy that the destination's own server could reap would be gone, and gone at the origin, before the next child."""
    here, there, site, _ = pair
    path = f"/{site.name}-refilled"
    wire.create(here, path, b"box", flags=wire.CONTAINER)

    def fill(kid):
        try:
            here.create(kid)
        except NoNodeError:  # the origin's own server was quick: that is its right
            wire.create(here, path, b"box", flags=wire.CONTAINER)
            here.create(kid)
        wait_seen(there, kid)
    for n in range(40):
        fill(f"{path}/kid-{n}")
        here.delete(f"{path}/kid-{n}")
    fill(f"{path}/last")
    assert there.get(path)[0] == here.get(path)[0] == b"box"


def test_ttl_node_is_a_copy_until_the_origin_expires_it(pair):
    here, there, site, other = pair
    path = f"/{site.name}-ttl"
    wire.create(here, path, b"brief", flags=wire.TTL, ttl_ms=6000)
    wait_seen(there, path, b"brief")
    assert kind_of(other, path) == "persistent"
    wait_gone(here, path)
    wait_gone(there, path)


def test_ephemeral_goes_with_its_session(pair, world, clients):
    _, there, site, other = pair
    session = clients(site)
    path = f"/{site.name}-ephemeral"
    session.create(path, b"here", ephemeral=True)
    wait_seen(there, path, b"here")
    assert there.exists(path).ephemeralOwner == 0
    session.stop()
    wait_gone(there, path)


def test_ephemeral_goes_when_its_session_dies(pair):
    _, there, site, _ = pair
    doomed = wire.DoomedSession(site.zk.servers[0].client_port, timeout_ms=8000)
    path = f"/{site.name}-doomed"
    doomed.create(path, b"here")
    wait_seen(there, path, b"here")
    doomed.die()
    wait_gone(there, path)


def test_acls_arrive_as_they_were(pair, world):
    here, _, site, other = pair
    path = f"/{site.name}-acl"
    secret = make_digest_acl("ann", "pass", all=True)
    several = [secret, make_acl("world", "anyone", read=True), make_acl("ip", "127.0.0.1", read=True, admin=True),
               make_digest_acl("bob-名", "pass", read=True)]
    here.create(path, b"x", acl=[secret, make_acl("world", "anyone", read=True, admin=True)])
    here.set_acls(path, several)
    here.create(f"{path}-open", b"x")
    here.set_acls(f"{path}-open", OPEN_ACL_UNSAFE)
    # No character beyond U+FFFF in an id: ZooKeeper's own followers and observers garble it.
    here.create(f"{path}-end")
    reader = other.client()
    try:
        wait_seen(reader, f"{path}-end")
        assert reader.get_acls(path)[0] == several
        assert reader.get_acls(f"{path}-open")[0] == OPEN_ACL_UNSAFE
    finally:
        reader.stop()
        reader.close()


def test_multi_with_check(pair):
    here, there, site, _ = pair
    top = f"/{site.name}-multi"
    results = wire.multi(here, [
        wire.create_request(top, b"1"), wire.create_request(f"{top}/a", b"a"), wire.set_request(top, b"2"),
        wire.check_request(top, 1), wire.create_request(f"{top}/gone"), wire.delete_request(f"{top}/gone"),
        wire.create_request(f"{top}/box", b"", flags=wire.CONTAINER),
        wire.create_request(f"{top}/brief", b"", flags=wire.TTL, ttl_ms=600_000),
        wire.create_request(f"{top}/seq-", b"", flags=wire.SEQUENTIAL),
        wire.create_request(f"{top}/eph", b"e", flags=wire.EPHEMERAL)])
    assert not [result for result in results if isinstance(result, Exception)]
    wait_seen(there, f"{top}/eph", b"e")
    assert there.get(top)[0] == b"2"
    assert sorted(there.get_children(top)) == sorted(here.get_children(top))


def test_failed_multi_and_check_alone_leave_nothing(pair):
    here, there, site, _ = pair
    top = f"/{site.name}-failed"
    here.create(top)
    results = wire.multi(here, [wire.create_request(f"{top}/never"), wire.check_request(top, 77)])
    assert isinstance(results[1], Exception)
    wire.multi(here, [wire.check_request(top, 0)])
    here.create(f"{top}/after")
    wait_seen(there, f"{top}/after")
    assert there.get_children(top) == ["after"]


def test_names_beyond_ascii_and_deep_paths(pair):
    here, there, site, _ = pair
    top = f"/{site.name}-ä名前 mit Leerzeichen%2F"
    here.create(top, "größe 𝄞".encode())
    path = top
    for depth in range(60):
        path += f"/d{depth}-ü"
        here.create(path, b"%d" % depth)
    wait_seen(there, path, b"59")
    assert there.get(top)[0].decode() == "größe 𝄞"


def test_thousand_children_and_large_data(pair):
    here, there, site, _ = pair
    top = f"/{site.name}-many"
    here.create(top)
    for answer in [here.create_async(f"{top}/child-{n:04d}", b"%d" % n) for n in range(1000)]:
        answer.get(timeout=30)
    large = (bytes(range(256)) * 4096)[:1_048_400]  # jute.maxbuffer allows requests of 1,048,575
    here.create(f"{top}-large", large)
    here.set(f"{top}-large", large[::-1])
    here.create(f"{top}-end")
    wait_seen(there, f"{top}-end", timeout_s=40)
    assert len(there.get_children(top)) == 1000
    assert there.get(f"{top}-large")[0] == large[::-1]


def test_zookeeper_and_zoospan_stay_at_home(world, clients):
    first = world["sh"].client()
    try:
        first.create("/zookeeper/quota/sh-only", b"")
        first.create("/zoospan/sh-only", b"")
        first.create("/sh-after-private", b"")
        second = world["bj"].client()
        wait_seen(second, "/sh-after-private")
        assert second.exists("/zookeeper/quota/sh-only") is None
        assert second.exists("/zoospan/sh-only") is None
        second.stop()
        second.close()
    finally:
        first.stop()
        first.close()


def test_data_and_acl_of_the_root(pair):
    here, there, site, _ = pair
    here.set("/", f"root by {site.name}".encode())
    wait_seen(there, "/", f"root by {site.name}".encode())


def test_trees_are_equal_nothing_came_back_and_nobody_chatters(world, judges):
    judges(world).wait_equal(30)
    for site in world.sites:
        status = eventually(site.zk.carriers[0].plugin_status, what="the plugin's status")
        assert status["backlog"]["breaks"] == 0 and status["backlog"]["refused"] == 0, status["backlog"]
    check_nothing_republished(world)
    check_idle(world)


def test_status_is_readable(world):
    for site in world.sites:
        status = site.applier.status()
        assert status["site"] == site.name
        eventually(lambda: all(0 <= link["lag_ms"] < 2000 for link in site.applier.status()["links"]), 30,
                   what="a small lag at rest")
        for other in world.sites:
            if other is not site:
                eventually(lambda: link_of(site, other.name)["lag_ms"] == 0, 30, what="a lag of 0 at rest")
