"""RabbitMQ takes no message above a size (max_message_size): images are cut to it, and what cannot be sent at all is said and
passed over, so that what follows it arrives."""

import os
import subprocess

import pytest

from helpers import QUICK, eventually, wait_gone, wait_live, wait_seen
from zoosites import build

LIMIT = 65536


@pytest.fixture(scope="module")
def world(make_world):
    def limited(world):
        broker = world.brokers["sh"]
        broker.settings["max_message_size"] = LIMIT
        broker.write_config()
        broker.start()
        broker.wait_ready()
    world = make_world(voters=0, own_brokers=("sh",), prepare=limited, plugin=QUICK, applier=QUICK)
    wait_live(world, 90)
    return world


def resync(world, path, site="bj", origin="sh"):
    return subprocess.run([build.cli_program(), "--config", world[site].applier.config, "resync", origin, "--path", path],
                          capture_output=True, text=True, timeout=90)


def test_an_image_is_cut_to_what_is_taken(world, sh, bj):
    sh.create("/many", b"")
    for number in range(40):
        sh.create(f"/many/{number}", os.urandom(20_000))
    wait_seen(bj, "/many/39", timeout_s=90)
    done = resync(world, "/many")
    assert done.returncode == 0, done
    sh.create("/after-the-image", b"")
    wait_seen(bj, "/after-the-image")


def test_txns_that_fit_only_one_by_one(world, sh, bj):
    """A batch gathers more than is taken; what compresses well is taken, however large it is."""
    small = [sh.create_async(f"/one-by-one-{number}", os.urandom(40_000)) for number in range(12)]
    sh.create("/compresses", b"x" * 500_000)
    for one in small:
        one.get(timeout=30)
    for number in range(12):
        wait_seen(bj, f"/one-by-one-{number}", sh.get(f"/one-by-one-{number}")[0], timeout_s=60)
    wait_seen(bj, "/compresses", b"x" * 500_000, timeout_s=60)


def test_what_cannot_be_sent_is_said_and_holds_up_nothing(world, sh, bj):
    site = world["sh"]
    log = lambda: site.zk.servers[0].read_log()
    sh.create("/grows", b"small")
    sh.create("/grows/beneath", b"x")
    sh.create("/goes", b"x")
    wait_seen(bj, "/goes")
    sh.set("/grows", os.urandom(200_000))
    sh.delete("/goes")
    sh.create("/behind", b"x")
    wait_seen(bj, "/behind", timeout_s=90)
    wait_gone(bj, "/goes")
    assert "cannot be sent: a message of" in log() and "image: /grows is left out" in log()
    # What is left out stays as it was there, with all beneath it.
    assert bj.get("/grows")[0] == b"small" and bj.exists("/grows/beneath")
    # And as it is here: who has not got it is not taken for one who has.
    sh.create("/large", os.urandom(200_000))
    sh.create("/behind-that", b"x")
    wait_seen(bj, "/behind-that", timeout_s=90)
    bj.create("/from-bj", b"x")
    wait_seen(sh, "/from-bj")
    done = resync(world, "/", "sh", "bj")
    assert done.returncode == 0, done
    assert sh.exists("/large") and len(sh.get("/grows")[0]) == 200_000
    eventually(lambda: site.live_links() == {"bj"}, 60, what="a link that streams")
    sh.set("/grows", b"small again")
    wait_seen(bj, "/grows", b"small again", timeout_s=60)
    eventually(lambda: site.live_links() == {"bj"}, 60, what="a link that streams")
