"""A wiped site takes images of two sites at the same time, and one of them lags behind the other. What the one that lags has brought first
gives way to what the other's own clients wrote."""

import shutil

import pytest

from helpers import QUICK, eventually, frozen, wait_live, wait_seen

PATHS = [f"/data/{number:02}" for number in range(30)]


def prepare(world):
    world.way("gz", "bj")
    world.way("gz", "sh", 500)


@pytest.fixture(scope="module")
def world(make_world):
    patient = dict(QUICK, amqp_heartbeat="60s", amqp_timeout="60s")
    world = make_world(("sh", "bj", "gz"), voters=0, observers=0, prepare=prepare, plugin=QUICK, applier=patient)
    wait_live(world, 60)
    return world


def test_a_wiped_site_is_as_new_as_the_newest(world, judge):
    lost, lags, newest = world["sh"], world["bj"], world["gz"]
    writer, reader = newest.client(auth=False), lags.client(auth=False)
    writer.create("/data", b"")
    for path in PATHS:
        writer.create(path, b"old")
    wait_seen(reader, PATHS[-1], b"old", 60)
    judge.wait_equal(60)
    lost.applier.kill()
    lost.zk.stop()
    for server in lost.zk.servers:
        shutil.rmtree(f"{server.data_dir}/version-2")
    lost.zk.start()
    lost.zk.wait_serving()
    world.ways["gz", "bj"].hole(True)
    for path in PATHS:
        writer.set(path, b"new")
    sent = lambda: newest.zk.servers[0].read_log().count("link gz->sh: sends the image of / as of")
    before, known = sent(), len(lost.applier.read_log())
    logged = lambda text: text in lost.applier.read_log()[known:]
    lost.applier.start()
    try:
        eventually(lambda: logged("bj->sh: asks for an image of /"), 60, 0.02, what="a wish for the image of who lags")
        with frozen(lags.zk.servers[0]):  # the newest one's is on its way before it is written
            eventually(lambda: sent() > before, 60, 0.02, what="the image of the newest")
            world.ways["gz", "sh"].hole(True)
        eventually(lambda: logged("bj->sh: the image of / is taken"), 60, what="the image of who lags")
        world.ways["gz", "sh"].hole(False)
        eventually(lambda: logged("gz->sh: the image of / is taken"), 60, what="the image of the newest")
    finally:
        world.ways["gz", "sh"].hole(False)
        world.ways["gz", "bj"].hole(False)
    judge.renew()
    tree = judge.wait_equal(120)["sh"]
    assert {tree[path].data for path in PATHS} == {b"new"}
    for client in (writer, reader):
        client.stop()
        client.close()
