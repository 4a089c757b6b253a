"""What a client could ask for in one request is applied, although the applier keeps records beside it."""

import json
import os
import subprocess

import pytest
from kazoo.exceptions import NoNodeError

from helpers import QUICK, eventually, wait_gone, wait_live, wait_seen
from zoosites import build, wire

JUTE_MAXBUFFER = 0xfffff  # the default of servers and applier
EPHEMERAL = 1


@pytest.fixture(scope="module")
def world(make_world):
    world = make_world(voters=0, observers=0, plugin=QUICK, applier=QUICK)
    wait_live(world)
    return world


def fitted(make, less=0):
    """The request that make(data) gives, with data so long that it is of the largest size that a server takes."""
    room = JUTE_MAXBUFFER - 8 - len(make(b"").serialize())  # 8: its header
    return make(os.urandom(room - less))


def data_at(client, path):
    try:
        return client.get(path)[0]
    except NoNodeError:
        return None


def quarantine(world):
    done = subprocess.run([build.cli_program(), "--config", world["bj"].applier.config, "quarantine", "list", "--json"],
                          capture_output=True, text=True, timeout=90, check=True)
    return json.loads(done.stdout)


def test_copies_of_ephemerals(world, sh, bj):
    owner = world["sh"].client(auth=False)
    one = lambda path: lambda data: wire.create_request(path, data, flags=EPHEMERAL)
    many = [one(f"/many-{number}")(b"") for number in range(9000)]
    large = {less: fitted(one(f"/one-{less}"), less) for less in (0, 1, 200, 6000, 6500)}
    multi = fitted(lambda data: wire.Multi([*many, one("/many-last")(data)]))
    pair = fitted(lambda data: wire.Multi([one("/pair-a")(data[:1000]), one("/pair-b")(data[1000:])]))
    for request in (*large.values(), multi, pair):
        wire.call(owner, request)
    sh.create("/behind-copies", b"")
    wait_seen(bj, "/behind-copies", timeout_s=90)
    for less, request in large.items():
        assert data_at(bj, f"/one-{less}") == request.data
    assert data_at(bj, "/many-last") == sh.get("/many-last")[0] and data_at(bj, "/pair-b") == sh.get("/pair-b")[0]
    assert len([name for name in bj.get_children("/") if name.startswith("many-")]) == 9001
    assert quarantine(world) == []
    owner.stop()  # its session names all of them at its end
    owner.close()
    wait_gone(bj, "/many-last", 90)
    ours = ("many-", "one-", "pair-")
    eventually(lambda: not [name for name in bj.get_children("/") if name.startswith(ours)], 90, what="the end of the copies")
    eventually(lambda: not bj.get_children("/zoospan/sessions/sh"), 90, what="the end of the records")


def test_a_node_that_is_missing(world, sh, bj):
    """A set becomes a create, which is larger."""
    sh.create("/set", b"")
    wait_seen(bj, "/set")
    world["sh"].applier.stop()
    bj.delete("/set")
    request = fitted(lambda data: wire.set_request("/set", data))
    wire.call(sh, request)
    eventually(lambda: data_at(bj, "/set") == request.data, 90, what="the data at bj")
    world["sh"].applier.start()
    assert quarantine(world) == []
