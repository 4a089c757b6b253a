"""Whose a node is. A provider registers itself by an ephemeral node; its copy stands at the other site. There a client may take the
path over, as Dubbo and Curator do when their name is taken: it deletes the copy and puts a node of its own in its place.
What is known of the copy is not true of that node: no image leaves it out or deletes it, no end of the old session takes
it, and its own end leaves nothing behind anywhere."""

import subprocess
import sys

import pytest

from helpers import frozen, wait_gone, wait_live, wait_seen
from zoosites import build, wire

PROVIDER = """
import sys, time
from kazoo.client import KazooClient
client = KazooClient(hosts=sys.argv[1], timeout=4)
client.start(30)
client.create(sys.argv[2], b"old", ephemeral=True, makepath=True)
print("registered", flush=True)
time.sleep(3600)
"""


@pytest.fixture(scope="module")
def world(make_world):
    world = make_world(voters=0)
    wait_live(world)
    return world


def crossed(sh, bj, name):
    """Until each site has all that the other wrote before now, and what came back from that."""
    for turn in range(2):
        sh.create(f"/{name}-{turn}-sh", b"")
        bj.create(f"/{name}-{turn}-bj", b"")
        wait_seen(bj, f"/{name}-{turn}-sh", timeout_s=90)
        wait_seen(sh, f"/{name}-{turn}-bj", timeout_s=90)


def owner(client, path):
    """The session that a node is of: 0 of a copy, None where there is none."""
    client.sync(path)
    stat = client.exists(path)
    return None if stat is None else stat.ephemeralOwner


def records(client, origin):
    base = f"/zoospan/sessions/{origin}"
    client.sync(base)
    return {(name, record) for name in client.get_children(base) for record in client.get_children(f"{base}/{name}")}


def take_over(client, path, data=b"mine", **kind):
    client.delete(path)
    client.create(path, data, **kind)


def resync(site, *arguments):
    command = [build.cli_program(), "--config", site.applier.config, "resync", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done


def close(client):
    client.stop()
    client.close()


def test_a_session_that_ends_late_takes_nothing_of_a_new_one(world, sh, bj):
    path = "/late/providers/dubbo%3A%2F%2F10.0.0.7%3A20880"
    old = subprocess.Popen([sys.executable, "-c", PROVIDER, world["sh"].zk.connect_string, path], stdout=subprocess.PIPE)
    assert old.stdout.readline()
    wait_seen(bj, path)
    new = world["bj"].client(auth=False)
    try:
        with frozen(world["sh"].applier, world["bj"].applier):  # the sites are cut from each other
            old.kill()
            old.wait()
            wait_gone(sh, path, 90)
            take_over(new, path, ephemeral=True)
        crossed(sh, bj, "late")
        assert owner(bj, path) == new.client_id[0], "bj has lost the registration of a client that is connected to it"
        assert owner(sh, path) == 0, "sh lacks the registration of a provider that lives"
    finally:
        close(new)
    crossed(sh, bj, "late-after")
    assert (owner(sh, path), owner(bj, path)) == (None, None), "a ghost is left"
    assert not records(sh, "bj") and not records(bj, "sh")


def test_a_provider_in_both_registries_leaves_no_ghost(world, sh, bj):
    path = "/both/providers/dubbo%3A%2F%2F10.0.0.8%3A20880"
    first, second = world["sh"].client(auth=False), world["bj"].client(auth=False)
    try:
        first.create(path, b"first", ephemeral=True, makepath=True)
        wait_seen(bj, path)
        take_over(second, path, b"second", ephemeral=True)
        wait_seen(sh, path, b"second")
        assert owner(bj, path) == second.client_id[0]
        close(second)
        crossed(sh, bj, "both")
    finally:
        close(first)
    crossed(sh, bj, "both-after")
    assert (owner(sh, path), owner(bj, path)) == (None, None), "a ghost is left"
    assert not records(sh, "bj") and not records(bj, "sh")


def test_two_that_register_at_once_end_at_both_sites(world, sh, bj):
    """Each create meets the other's living node, which stays. Neither has a copy there, so neither's end takes anything there."""
    path = "/at-once"
    first, second = world["sh"].client(auth=False), world["bj"].client(auth=False)
    try:
        with frozen(world["sh"].applier, world["bj"].applier):
            first.create(path, b"first", ephemeral=True)
            second.create(path, b"second", ephemeral=True)
        crossed(sh, bj, "at-once")
        assert (owner(sh, path), owner(bj, path)) == (first.client_id[0], second.client_id[0])
        assert (sh.get(path)[0], bj.get(path)[0]) == (b"first", b"second")
        close(second)
        crossed(sh, bj, "at-once-one")
        assert owner(sh, path) == first.client_id[0], "the end of another session has taken the node of one that lives"
    finally:
        close(first)
    crossed(sh, bj, "at-once-none")
    assert (owner(sh, path), owner(bj, path)) == (None, None), "a ghost is left"
    assert not records(sh, "bj") and not records(bj, "sh")


def test_what_was_deleted_at_one_site_while_it_was_made_at_the_other(world, sh, bj):
    """The delete of an older node kills, at the other site, a registration that comes here only afterwards: its session's end
    names nothing, and has to take the copy all the same."""
    path = "/crossing"
    sh.create(path, b"older")
    wait_seen(bj, path)
    session = world["bj"].client(auth=False)
    try:
        with frozen(world["sh"].applier, world["bj"].applier):
            session.delete(path)
            session.create(path, b"", ephemeral=True)
            sh.delete(path)
        crossed(sh, bj, "crossing")
    finally:
        close(session)
    crossed(sh, bj, "crossing-after")
    assert (owner(sh, path), owner(bj, path)) == (None, None), "a ghost is left"
    assert not records(sh, "bj") and not records(bj, "sh")


@pytest.mark.parametrize("ephemeral", [False, True], ids=["node", "ephemeral"])
def test_an_image_takes_a_path_that_was_taken_over_for_what_it_is(world, sh, bj, ephemeral):
    """The origin of the image has the record, its receiver has the client; and the other way round."""
    top = f"/taken-{ephemeral}"
    owners = {"sh": world["sh"].client(auth=False), "bj": world["bj"].client(auth=False)}
    takers = {"sh": world["sh"].client(auth=False), "bj": world["bj"].client(auth=False)}
    readers = {"sh": sh, "bj": bj}
    try:
        for mine, other in (("sh", "bj"), ("bj", "sh")):
            path = f"{top}/{mine}"
            owners[mine].create(path, b"old", ephemeral=True, makepath=True)
            wait_seen(readers[other], path, b"old")
            take_over(takers[other], path, ephemeral=ephemeral)
            if not ephemeral:
                for number in range(20):
                    takers[other].create(f"{path}/{number}", b"1")
        crossed(sh, bj, top[1:])
        assert len(records(bj, "sh")) >= 1 and len(records(sh, "bj")) >= 1  # of sessions that live
        for site, origin in (("sh", "bj"), ("bj", "sh")):
            resync(world[site], origin, "--path", top)
            crossed(sh, bj, f"{top[1:]}-{site}")
            for path in (f"{top}/sh", f"{top}/bj"):
                for name, client in readers.items():
                    assert client.get(path)[0] == b"mine", f"an image of {origin} has cost {name} {path}"
                    assert len(client.get_children(path)) == (0 if ephemeral else 20)
        for name, client in takers.items():
            path = f"{top}/{'bj' if name == 'sh' else 'sh'}"
            assert owner(readers[name], path) == (client.client_id[0] if ephemeral else 0)
    finally:
        for client in [*owners.values(), *takers.values()]:
            close(client)
    crossed(sh, bj, top[1:] + "-after")
    gone = owner(sh, f"{top}/sh"), owner(sh, f"{top}/bj"), owner(bj, f"{top}/sh"), owner(bj, f"{top}/bj")
    assert gone == ((None,) * 4 if ephemeral else (0,) * 4)
    assert not records(sh, "bj") and not records(bj, "sh"), "records of sessions that have ended"


def test_what_a_server_reaps_is_not_what_a_client_has_put_there(world, sh, bj):
    path = "/box"
    wire.create(sh, path, b"box", flags=wire.CONTAINER)
    sh.create(f"{path}/kid")
    wait_seen(bj, f"{path}/kid")
    taker = world["bj"].client(auth=False)
    try:
        with frozen(world["sh"].applier, world["bj"].applier):
            taker.delete(f"{path}/kid")
            take_over(taker, path, ephemeral=True)
            sh.delete(f"{path}/kid")
            wait_gone(sh, path)  # the server has done that by itself
        crossed(sh, bj, "reaped")
        assert owner(bj, path) == taker.client_id[0], "a server's own delete has taken a living node of another site"
        assert owner(sh, path) == 0
    finally:
        close(taker)
    crossed(sh, bj, "reaped-after")
    assert (owner(sh, path), owner(bj, path)) == (None, None)


def test_who_writes_a_marker_back_is_no_applier(world, sh, bj):
    """A dump is written back in one session, the marker among the rest, as the manual tells: the rest is sent all the same."""
    sh.create("/config", b"old")
    bj.create("/of-bj", b"")
    wait_seen(bj, "/config", b"old")
    wait_seen(sh, "/of-bj")  # so there is a marker that has moved
    operator = world["sh"].client()
    try:
        data, _ = operator.get("/zoospan/applied/bj")
        operator.set("/zoospan/applied/bj", data)
        operator.create("/restored", b"1")
        operator.set("/config", b"new")
    finally:
        close(operator)
    wait_seen(bj, "/restored", b"1", timeout_s=90)
    wait_seen(bj, "/config", b"new", timeout_s=90)
    crossed(sh, bj, "written-back")


def test_the_servers_find_no_fault_with_our_acls(world, sh, bj):
    """Each record's ACL names its owner. (`auth` does not: of the super user's two ids a server knows no provider for one.)"""
    for site, client in ((world["sh"], sh), (world["bj"], bj)):
        acls, _ = client.get_acls("/zoospan/sessions")
        assert [acl.id.scheme for acl in acls if acl.perms == 31] == ["digest"], acls
        for server in site.zk.servers:
            assert "Missing AuthenticationProvider" not in server.read_log()
