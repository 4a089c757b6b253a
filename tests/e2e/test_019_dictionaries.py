"""Small batches refer to a dictionary that the destination keeps, and nothing is lost with it."""

import itertools
import json
import time

import pytest

from helpers import QUICK, active, bring_back, eventually, judged, link_of, wait_confirmed, wait_seen

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


def trickle(client, root, count):
    """Writes one by one, so that each is a batch of its own."""
    client.ensure_path(root)
    for number in range(count):
        client.create(f"{root}/10.1.{number % 9}.{number % 251}:{20880 + number}", provider(number))
        time.sleep(0.004)


def publisher(world):
    return eventually(lambda: active(world["sh"], "bj"), what="an active server")


def cost(world, write, batches=0):
    """Bytes on the wire for a byte of records; None if it went in fewer batches than that."""
    server, counted = publisher(world), ("wire_bytes", "raw_bytes", "batches")
    before = link_of(world["sh"], "bj", server)
    write()
    wait_confirmed(world["sh"], "bj", server)
    after = link_of(world["sh"], "bj", server)
    wire, raw, made = (after[name] - before[name] for name in counted)
    return wire / raw if made >= batches else None


def cost_one_by_one(world, client, root, count):
    """Again and again on fresh nodes, until each was a batch of its own: where something stalls, some share one."""
    rounds = itertools.count()
    return eventually(lambda: cost(world, lambda: trickle(client, f"{root}/{next(rounds)}", count), count),
                      what="batches of one txn each")


def kept(client):
    return sorted(client.get_children(FOLDER))


def wait_used(world, client, root):
    """Trickles until batches refer to a dictionary."""
    rounds = itertools.count()
    eventually(lambda: cost_one_by_one(world, client, f"{root}/{next(rounds)}", 20) < 0.7, 60, what="a dictionary in use")


def test_a_trickle_is_packed(world, sh, bj):
    assert not kept(bj)
    plain = cost_one_by_one(world, sh, "/plain", 10)
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
        wait_confirmed(world["sh"], "bj", publisher(world))
        for name in kept(bj):
            bj.delete(f"{FOLDER}/{name}")
        applier.start()
        trickle(sh, "/registry/after", 50)

    judged(world, judge, disturb)
    wait_used(world, sh, "/registry/again")
    assert applier.status()["links"][0]["rejected"] > 0  # it was put to the test


def test_another_server_of_the_origin_makes_its_own(world, judge, sh):
    def disturb():
        server = publisher(world)
        server.kill()
        eventually(lambda: active(world["sh"], "bj") not in (None, server), timeout_s=60, what="another active server")
        trickle(sh, "/registry/other", 50)
        bring_back(server)

    judged(world, judge, disturb)
    wait_used(world, sh, "/registry/afterwards")
