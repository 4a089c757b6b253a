"""Small batches refer to a dictionary that the destination keeps, and nothing is lost with it."""

import json
import time

import pytest

from helpers import QUICK, active, bring_back, eventually, judged, plugin_link, wait_seen

FOLDER = "/zoospan/dictionaries/sh"


@pytest.fixture(scope="module")
def world(make_world):
    def two_carriers(world):
        world["sh"].zk.carriers = world["sh"].zk.servers[1:]

    world = make_world(voters={"sh": 1, "bj": 0}, observers={"sh": 2, "bj": 0}, prepare=two_carriers, plugin=QUICK,
                       applier=QUICK)
    world.wait_live()
    return world


def provider(number):
    return json.dumps({"name": "com.example.OrderQueryService", "address": f"10.1.{number % 9}.{number % 251}",
                       "port": 20880 + number % 7, "payload": {"version": f"2.4.{number % 5}", "zone": "cn-east-a"},
                       "serviceType": "DYNAMIC", "id": f"{number:032x}"}).encode()


def trickle(client, root, count, first=0):
    """Writes one by one, so that each is a batch of its own."""
    client.ensure_path(root)
    for number in range(first, first + count):
        client.create(f"{root}/10.1.{number % 9}.{number % 251}:{20880 + number}", provider(number))
        time.sleep(0.004)


def cost(world, write):
    """Bytes on the wire for a byte of records."""
    server = active(world["sh"], "bj")
    before = plugin_link(world["sh"], "bj", server)
    write()
    after = plugin_link(world["sh"], "bj", server)
    return (after["wire_bytes"] - before["wire_bytes"]) / (after["raw_bytes"] - before["raw_bytes"])


def kept(client):
    return sorted(client.get_children(FOLDER))


def wait_used(world, client, root):
    """Trickles until batches refer to a dictionary."""
    rounds = iter(range(100))
    eventually(lambda: cost(world, lambda: trickle(client, root, 20, 100 * next(rounds))) < 0.7, timeout_s=60,
               what="a dictionary in use")


def test_a_trickle_is_packed(world, sh, bj):
    assert not kept(bj)
    plain = cost(world, lambda: trickle(sh, "/plain", 10))
    wait_used(world, sh, "/registry/providers")
    packed = cost(world, lambda: trickle(sh, "/registry/more", 100))
    assert packed < 0.7 * plain, (packed, plain)
    assert len(kept(bj)) >= 1
    assert not sh.exists(FOLDER) or not kept(sh)  # it is the destination's, and does not travel
    wait_seen(bj, "/registry/more/10.1.0.99:20979")


def test_what_waits_in_the_queue_is_read_by_the_next_applier(world, judge, sh):
    applier = world["bj"].applier

    def disturb():
        applier.kill()
        trickle(sh, "/registry/queued", 100)
        applier.start()

    judged(world, judge, disturb)
    assert applier.status()["links"][0]["rejected"] == 0


def test_lost_dictionaries_lose_nothing(world, judge, sh, bj):
    applier = world["bj"].applier

    def disturb():
        trickle(sh, "/registry/before", 50)
        applier.kill()
        trickle(sh, "/registry/meanwhile", 50)
        for name in kept(bj):
            bj.delete(f"{FOLDER}/{name}")
        applier.start()
        trickle(sh, "/registry/after", 50)

    judged(world, judge, disturb)
    wait_used(world, sh, "/registry/again")
    assert applier.status()["links"][0]["rejected"] > 0  # it was put to the test


def test_another_server_of_the_origin_makes_its_own(world, judge, sh):
    def disturb():
        server = active(world["sh"], "bj")
        server.kill()
        eventually(lambda: active(world["sh"], "bj") not in (None, server), timeout_s=60, what="another active server")
        trickle(sh, "/registry/other", 50)
        bring_back(server)

    judged(world, judge, disturb)
    wait_used(world, sh, "/registry/afterwards")
