"""A third site is wiped, and its zxids begin anew. Who has not heard of that yet counts in its former life, which says nothing of what
another site has of the new one."""

import os
import shutil
import subprocess

import pytest

from helpers import QUICK, eventually, marker, wait_live, wait_seen, wait_state
from zoosites import build


@pytest.fixture(scope="module")
def world(make_world):
    world = make_world(("sh", "bj", "gz"), voters=0, observers=0, prepare=lambda world: world.way("gz", "sh"), plugin=QUICK, applier=QUICK)
    wait_live(world)
    return world


def wipe(site):
    site.applier.stop()
    site.zk.servers[0].kill()
    shutil.rmtree(os.path.join(site.zk.servers[0].data_dir, "version-2"))
    site.zk.start()
    site.zk.wait_serving()
    site.applier.start()
    site.applier.wait_ready()


def test_what_it_has_made_since_stays(world, clients, judge):
    gz, way = world["gz"], world.ways["gz", "sh"]
    former = clients(gz)
    for answer in [former.create_async(f"/former-{number}", b"") for number in range(500)]:
        answer.get(timeout=30)
    for name in ("sh", "bj"):
        wait_seen(judge.clients[name], "/former-499", timeout_s=60)
    before = marker(judge.clients["sh"], "gz")
    way.hole(True)
    try:
        wipe(gz)
        new = clients(gz)
        wait_seen(new, "/former-499", timeout_s=90)
        wait_state(gz, "bj", "LIVE", 90)
        new.create("/new", b"")
        wait_seen(judge.clients["bj"], "/new", timeout_s=60)
        assert 0 < marker(judge.clients["bj"], "gz") < before == marker(judge.clients["sh"], "gz"), "zxids of two lives"
        done = subprocess.run([build.cli_program(), "--config", world["bj"].applier.config, "resync", "sh"], capture_output=True,
                              text=True, timeout=120)
        assert done.returncode == 0, done
        assert judge.clients["bj"].exists("/new")
    finally:
        way.hole(False)
    wait_seen(judge.clients["sh"], "/new", timeout_s=90)
    judge.renew("gz")
    eventually(lambda: "/new" in judge.wait_equal(90)["bj"], 100, what="the same at all sites")
