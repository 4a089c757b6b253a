"""Wall clocks that are wrong, and that are set back while everything runs: at the server that carries the plugin, at the leader, at the
applier. The sites converge, nothing is taken for a restored ensemble, no clock jumps further than the wrong one, and all of it is told."""

import json
import os
import subprocess
import time

import pytest

from helpers import QUICK, eventually, frozen, link_of, plugin_link, wait_live, wait_seen
from zoosites import build
from zoosites.clocks import Clock

HOUR_S = 3600


CLOCKS = {}  # by whose they are


@pytest.fixture(scope="module")
def world(make_world):
    def prepare(world):
        leader, observer = world["sh"].zk.servers
        for name, owner in {"observer": observer, "leader": leader, "applier": world["bj"].applier}.items():
            CLOCKS[name] = Clock(os.path.join(world.dir, f"{name}.clock"))
            owner.environment = CLOCKS[name].environment()
    world = make_world(voters={"sh": 1, "bj": 0}, prepare=prepare, plugin=QUICK, applier=QUICK)
    wait_live(world, 90)
    return world


def at_bj(world):
    return next(link for link in world["bj"].applier.status()["links"] if link["origin"] == "sh")


def stamp_s(client):
    """How far sh's stream is ahead of the true time, as bj has it."""
    return (int(json.loads(client.get("/zoospan/applied/sh")[0])["stamp"], 16) >> 16) / 1000 - time.time()


def reconnects(world):
    before = link_of(world["sh"], "bj")["reconnects"]
    world.brokers["sh"].ctl("close_all_connections", "by a test")
    eventually(lambda: plugin_link(world["sh"], "bj").get("reconnects", 0) > before
               and plugin_link(world["sh"], "bj")["state"] == "LIVE" and at_bj(world)["state"] == "LIVE", 60,
               what="both ends back behind a reconnect")


def nobody_was_restored(world):
    for site in world.sites:
        assert "restored from an older" not in site.zk.carriers[0].read_log(), site.name
        assert "restored from an older" not in site.applier.read_log(), site.name


@pytest.mark.parametrize("who", ["observer", "leader", "applier"])
def test_an_hour_ahead_then_behind_then_right(world, sh, bj, judge, who):
    clock = CLOCKS[who]
    for ahead_s in (HOUR_S, -HOUR_S, 0):
        clock.set(ahead_s)
        def is_told():
            sh.create("/of-the-clock", b"", sequence=True)
            return abs((at_bj(world)["skew_ms"] or 0) / 1000 - HOUR_S) < 60
        # bj tells the best of the last minute, so a step of sh to the past, or of its own to the future, shows when that is over.
        if ahead_s == (-HOUR_S if who == "applier" else HOUR_S):
            eventually(is_told, 30, what=f"{who} {ahead_s} s off: told at bj")
        if who == "applier":
            eventually(lambda: abs(link_of(world["sh"], "bj")["skew_ms"] / 1000 - ahead_s) < 60, 30,
                       what=f"{who} {ahead_s} s off: told at sh")
        path = sh.create(f"/{who}", str(ahead_s).encode(), sequence=True)
        wait_seen(bj, path)
        reconnects(world)
        path = sh.create(f"/{who}", b"behind a reconnect", sequence=True)
        wait_seen(bj, path)
        assert stamp_s(bj) < HOUR_S + 60
    judge.wait_equal(60)
    nobody_was_restored(world)


def test_an_image_by_a_server_whose_clock_is_late(world, sh, bj, judge):
    """It has no backlog to speak of, and the destination asks for everything."""
    observer = world["sh"].zk.carriers[0]
    CLOCKS["observer"].set(-HOUR_S)
    observer.stop()
    observer.start()
    observer.wait_serving()
    images = at_bj(world)["images"]
    subprocess.run([build.cli_program(), "--config", world["bj"].applier.config, "resync", "sh"], check=True, timeout=120,
                   capture_output=True)
    eventually(lambda: at_bj(world)["images"] > images, 60, what="an image")
    path = sh.create("/behind-an-image", b"", sequence=True)
    wait_seen(bj, path)
    reconnects(world)
    path = sh.create("/behind-an-image", b"", sequence=True)
    wait_seen(bj, path)
    CLOCKS["observer"].set(0)
    judge.wait_equal(60)
    nobody_was_restored(world)


def test_a_site_that_only_reads_is_not_taken_for_a_restored_one(world, sh, bj, clients):
    """What its clients do without writing (they connect) moves its clock, between what its applier writes."""
    with frozen(world["sh"].applier):
        bj.create("/while-sh-lags", b"")
        eventually(lambda: (link_of(world["bj"], "sh")["lag_ms"]) > 3000, 30, what="a lag")
        late = clients(world["sh"])
    wait_seen(late, "/while-sh-lags")
    newest = world["sh"].zk.zxid()
    eventually(lambda: int(at_bj(world)["applied"], 16) >= newest, 30, what="bj past the txns of sh's applier")
    reconnects(world)
    nobody_was_restored(world)
