"""Connections that are lost condemn nothing, however many: only what the server says of a size does."""

import contextlib
import json
import os
import socket
import subprocess
import threading

import pytest

from helpers import QUICK, eventually, wait_live, wait_seen
from zoosites import build
from zoosites.ports import free_port

LARGE = 16384
LOSSES = 14  # more than are believed to be anything


class Way:
    """Between an applier and its ZooKeeper: ends the connection of each large request, as a server does that dies of it."""

    def __init__(self, port):
        self.to, self.lost, self.left = port, 0, 0
        self.listener = socket.create_server(("127.0.0.1", free_port()))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            client, _ = self.listener.accept()
            with contextlib.suppress(OSError):
                server = socket.create_connection(("127.0.0.1", self.to))
                threading.Thread(target=self.requests, args=(client, server), daemon=True).start()
                threading.Thread(target=self.answers, args=(server, client), daemon=True).start()
                continue
            client.close()

    def requests(self, client, server):
        with contextlib.suppress(OSError):
            while head := read(client, 4):
                body = read(client, int.from_bytes(head, "big"))
                if len(body) > LARGE and self.left:
                    self.left -= 1
                    self.lost += 1
                    break
                server.sendall(head + body)
        shut(client, server)

    def answers(self, server, client):
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                client.sendall(data)
        shut(client, server)


def read(source, count):
    data = b""
    while len(data) < count:
        more = source.recv(count - len(data))
        if not more:
            raise OSError
        data += more
    return data


def shut(*connections):
    for connection in connections:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def world(make_world):
    world = make_world(voters=0, observers=0, start=False, plugin=QUICK, applier=dict(QUICK, retry_max="100ms"))
    bj = world["bj"]
    world.way = Way(bj.zk.servers[0].client_port)
    bj.applier.options["zookeeper"] = f"127.0.0.1:{world.way.port}"
    bj.applier.write_config()
    world.start()
    wait_live(world)
    return world


def listed(world):
    done = subprocess.run([build.cli_program(), "--config", world["bj"].applier.config, "quarantine", "list", "--json"],
                          capture_output=True, text=True, timeout=90, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("size", [LARGE + 200, 900000])
def test_it_is_sent_until_it_arrives(world, sh, bj, size):
    sh.create(f"/n{size}", b"")
    wait_seen(bj, f"/n{size}")
    world.way.lost, world.way.left = 0, LOSSES
    data = os.urandom(size)
    sh.set(f"/n{size}", data)
    sh.create(f"/behind{size}", b"")
    wait_seen(bj, f"/behind{size}", timeout_s=90)
    assert bj.get(f"/n{size}")[0] == data
    assert world.way.lost == LOSSES
    assert listed(world) == []
    eventually(lambda: world["bj"].applier.status()["links"][0]["quarantined"] == 0, what="the counter")
