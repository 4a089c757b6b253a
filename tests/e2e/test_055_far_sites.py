"""A far way between two sites, one that swallows new connections while those that stand are well, and a name service that hangs.
Options are the defaults, but for the bound of a single call: a thread that waits for a connection waits for longer than a write is
waited for."""

import contextlib
import os
import subprocess
import threading
import time
import urllib.parse

import pytest

from helpers import active, eventually, frozen, marker, plugin_link, wait_seen
from zoosites import build, files
from zoosites.applier import Applier
from zoosites.relay import Relay

HERE = os.path.dirname(__file__)
LATE_S = 10  # what a loaded machine may add


class Names:
    """The name service of whatever `wrap` has wrapped."""

    def __init__(self, directory):
        self.file = os.path.join(directory, "names-hang")
        self.library = os.path.join(directory, "hanging_names.so")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", self.library, os.path.join(HERE, "hanging_names.c"), "-ldl"], check=True)

    def wrap(self, program, script):
        files.write(script, f'#!/bin/sh\nLD_PRELOAD={self.library} ZOOSPAN_NAMES_HANG={self.file} exec {program} "$@"\n', 0o755)
        return script

    @contextlib.contextmanager
    def hang(self):
        files.write(self.file, "")
        try:
            yield
        finally:
            os.unlink(self.file)


@pytest.fixture(scope="module")
def near():
    """Between the origin's servers and its own broker."""
    made = []
    yield made
    for relay in made:
        relay.stop()


@pytest.fixture(scope="module")
def names(world):
    return world.names


@pytest.fixture(scope="module")
def world(make_world, near):
    def prepare(world):
        near.append(Relay(world.brokers["sh"].port))
        world.way("sh", "bj")
        world["sh"].zk.carriers = [server for server in world["sh"].zk.servers if server.observer]
        os.makedirs(world.dir, exist_ok=True)
        world.names = Names(world.dir)
        applier = world["bj"].applier
        os.makedirs(applier.dir, exist_ok=True)
        applier.program = world.names.wrap(build.applier_program(), os.path.join(applier.dir, "applier"))

    def plugin(site):
        return {"amqp_timeout": "120s", "amqp_heartbeat": None, **({"amqp_uri": near[0].uri("zoospan")} if site == "sh" else {})}

    world = make_world(voters={"sh": 1, "bj": 0}, observers={"sh": 2, "bj": 0}, start=False, prepare=prepare, plugin=plugin,
                       applier={"amqp_timeout": "120s", "amqp_heartbeat": None, "zookeeper_session": None})
    options = world["bj"].applier.options
    for option in ("zookeeper", "link.sh.amqp_uri"):
        options[option] = options[option].replace("127.0.0.1", "localhost")
    world["bj"].applier.write_config()
    world.start()
    world.wait_live()
    return world


def connections(broker, purpose):
    return [one["name"] for one in broker.api("GET", "/api/connections")
            if all(word in one.get("client_properties", {}).get("connection_name", "") for word in purpose)]


def close(broker, *purpose):
    """The broker ends all connections of that purpose."""
    for name in eventually(lambda: connections(broker, purpose), what=f"a connection for {purpose}"):
        broker.api("DELETE", f"/api/connections/{urllib.parse.quote(name, safe='')}")


def stream_goes_on(sh, bj, name, seconds=3):
    """Long enough for the first tries to connect anew."""
    until = time.monotonic() + seconds
    number = 0
    while time.monotonic() < until:
        sh.create(f"/{name}-{number}", b"x")
        wait_seen(bj, f"/{name}-{number}")
        number += 1
        time.sleep(0.2)


def wait_reported(world, sh, path):
    zxid = sh.set(path, b"y").mzxid

    def reported():
        server = active(world["sh"], "bj")
        return server and int(plugin_link(world["sh"], "bj", server).get("applied", "0"), 16) >= zxid
    eventually(reported, 60, what="a report")


def said(world, text):
    logs = [world["bj"].applier.read_log()] + [server.read_log() for server in world["sh"].zk.carriers]
    return sum(log.count(text) for log in logs)


@contextlib.contextmanager
def reports_lost(world, text, *purpose):
    """The connection for reports ends, and whoever had it has said so."""
    before = said(world, text)
    close(world.brokers["sh"], *purpose)
    eventually(lambda: said(world, text) > before, what=f"'{text}' in a log")
    yield


def test_the_destination_cannot_connect_anew(world, sh, bj):
    with (world.ways["sh", "bj"].swallowing(),
          reports_lost(world, "no report to the origin", "zoospan-applier sh.bj", "feedback")):
        stream_goes_on(sh, bj, "applier")
    wait_reported(world, sh, "/applier-0")


def test_the_origin_cannot_connect_anew(world, near, sh, bj):
    with near[0].swallowing(), reports_lost(world, "no reports from bj", "feedback ("):
        stream_goes_on(sh, bj, "sender")
    wait_reported(world, sh, "/sender-0")


def test_a_name_service_hangs(world, names, sh, bj):
    """What is connected stays, whatever else is looked for meanwhile. The client library would look again after 10 s."""
    losses = lambda: said(world, "no connection to ZooKeeper")
    before = losses()
    with names.hang(), reports_lost(world, "no report to the origin", "zoospan-applier sh.bj", "feedback"):
        stream_goes_on(sh, bj, "names", 12)
    wait_reported(world, sh, "/names-0")
    assert losses() == before


class Load(threading.Thread):
    """Sets a node so often a second, as far as the server can."""

    def __init__(self, client, path, rate):
        super().__init__(daemon=True)
        self.client, self.path, self.rate = client, path, rate
        self.stop_asked, self.written = threading.Event(), 0
        client.create(path, b"")

    def run(self):
        begin, answers = time.monotonic(), []
        while not self.stop_asked.is_set():
            due = int((time.monotonic() - begin) * self.rate)
            for _ in range(min(due - self.written, 200)):
                answers.append(self.client.set_async(self.path, b"x" * 100))
                self.written += 1
            if len(answers) > 1000:
                answers.pop(0).get(timeout=30)
                del answers[:-500]
            time.sleep(0.005)


def test_a_far_site_does_not_fall_behind(world, sh, bj, clients):
    """1,000 writes a second, so far away that what a bound in messages costs is more than a loaded machine does. A link that brings
    less falls further and further behind; one that only met a machine that stood still has several chances."""
    way = world.ways["sh", "bj"]
    way.far(1000)
    sh.create("/far", b"")
    load = Load(clients(world["sh"]), "/load", 1000)
    load.start()
    behind = []
    try:
        time.sleep(5)
        for _ in range(5):
            zxid, begin = sh.set("/far", b"x").mzxid, time.monotonic()
            eventually(lambda: marker(bj, "sh") >= zxid, 60, 0.02, "the write at the far site")
            behind.append(time.monotonic() - begin)
            if behind[-1] < 4 and load.written > 3000:
                break
        assert behind[-1] < 4, f"seconds behind after 5 s of writes and later: {behind}; {load.written} writes"
    finally:
        load.stop_asked.set()
        load.join(60)
        way.far(0)


def taken_over(client, sh, name):
    """Seconds until a write is at the destination."""
    begin = time.monotonic()
    sh.create(name, b"x")
    wait_seen(client, name, timeout_s=60)
    return time.monotonic() - begin


def test_a_publisher_that_stops_without_a_word_is_replaced(world, sh, bj):
    site = world["sh"]
    publishes = eventually(lambda: active(site, "bj"), what="a server that publishes")
    eventually(lambda: [plugin_link(site, "bj", server).get("state") for server in site.zk.carriers if server is not publishes]
               == ["STANDBY"], what="a server that stands by")
    with frozen(publishes):
        assert taken_over(bj, sh, "/publisher-frozen") < 10 + LATE_S


def states(applier):
    return [link["state"] for link in applier.status().get("links", [])]


@contextlib.contextmanager
def pair(world):
    """Two appliers of one site: the one that consumes. (Which it is is nobody's choice, if both have just begun.)"""
    first = world["bj"].applier
    second = Applier(os.path.join(first.dir, "second"), "bj")
    second.options = dict(first.options)
    second.write_config()
    second.start()

    def consumer():
        both = {state: applier for applier in (first, second) for state in states(applier)}
        return both["LIVE"] if set(both) == {"LIVE", "WAITING"} else None
    try:
        yield eventually(consumer, what="one applier that consumes and one that stands by")
    finally:
        second.stop()


def test_an_applier_that_stops_without_a_word_is_replaced(world, sh, bj):
    with pair(world) as consumer, frozen(consumer):
        assert taken_over(bj, sh, "/applier-frozen") < 10 + LATE_S


def test_an_applier_that_is_killed_is_replaced(world, sh, bj):
    with pair(world) as consumer:
        consumer.kill()
        assert taken_over(bj, sh, "/applier-killed") < 2 + LATE_S
    if consumer is world["bj"].applier:
        consumer.start()
    world.wait_live()
