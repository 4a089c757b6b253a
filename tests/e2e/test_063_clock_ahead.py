"""A site whose leader's clock is far ahead is not listened to, so that it does not lift the clocks of all; the other links go on. Once
the clock is mended the site gets a new history, and is one of them again."""

import os
import subprocess

import pytest

from helpers import QUICK, eventually, wait_live, wait_seen
from zoosites import build
from zoosites.clocks import Clock


CLOCKS = {}


@pytest.fixture(scope="module")
def world(make_world):
    def prepare(world):
        CLOCKS["sh"] = Clock(os.path.join(world.dir, "sh.clock"))
        world["sh"].zk.servers[0].environment = CLOCKS["sh"].environment()
    world = make_world(names=("sh", "bj", "gz"), voters=0, prepare=prepare, plugin=QUICK,
                       applier={"clock_ahead_max": "30m", **QUICK})
    wait_live(world, 90)
    return world


def link_at(world, site, origin):
    return next(link for link in world[site].applier.status()["links"] if link["origin"] == origin)


def test_a_year_ahead(world, sh, bj, clients, judge):
    gz = clients(world["gz"])
    for path in ("/before", "/deleted-meanwhile"):
        sh.create(path, b"")
        for client in (bj, gz):
            wait_seen(client, path)
    CLOCKS["sh"].set(365 * 24 * 3600)
    number = iter(range(10 ** 6))
    def ahead():
        sh.create(f"/ahead-{next(number)}", b"")
        return all(link_at(world, site, "sh")["state"] == "AHEAD" for site in ("bj", "gz"))
    eventually(ahead, 40, what="links that say AHEAD")
    sh.create("/of-the-future", b"")
    sh.set("/before", b"changed meanwhile")
    sh.delete("/deleted-meanwhile")
    gz.create("/of-gz", b"")
    for client in (bj, sh):
        wait_seen(client, "/of-gz")  # the other links go on
    assert link_at(world, "bj", "gz")["state"] == "LIVE"
    assert bj.exists("/of-the-future") is None
    assert "clock" in link_at(world, "bj", "sh")["detail"] and "sh" in link_at(world, "bj", "sh")["detail"]
    CLOCKS["sh"].set(0)
    eventually(lambda: abs((link_at(world, "bj", "sh")["skew_ms"] or 0)) < 60000, 90, what="a clock that is right again")
    sh.create("/mended", b"")
    assert link_at(world, "bj", "sh")["state"] == "AHEAD"  # its stream remembers
    subprocess.run([build.cli_program(), "--config", world["sh"].applier.config, "history", "renew", "--clock"], check=True,
                   timeout=120, capture_output=True)
    for client in (bj, gz):
        wait_seen(client, "/of-the-future", timeout_s=120)
        wait_seen(client, "/mended", timeout_s=60)
        wait_seen(client, "/before", b"changed meanwhile", timeout_s=60)
    wait_seen(sh, "/deleted-meanwhile", timeout_s=60)  # of which nobody could know
    judge.wait_equal(90)
    wait_live(world, 60)
    assert all(link_at(world, site, "sh")["state"] == "LIVE" for site in ("bj", "gz"))
