"""RabbitMQ may stop, hang, lose what it had, or refuse to take more: the link heals by itself, and ZooKeeper never waits."""

import random
import itertools
import time

import pytest

from helpers import (check_quick, eventually, frozen, link_of, log_of, plugin_link, purge, under_load, wait_live, wait_seen,
                     wait_state)

QUEUE = "zoospan.sh.bj"


@pytest.fixture(scope="module")
def world(make_world):
    world = make_world(plugin={"heartbeat": "1s", "amqp_heartbeat": "5s", "amqp_timeout": "5s", "retry_max": "2s",
                               "queue_bytes_max": str(4 << 20)},
                       applier={"amqp_heartbeat": "5s", "amqp_timeout": "5s", "retry_max": "2s"})
    wait_live(world)
    return world


def crosses(world, clients, path):
    """Both ways, from now on."""
    for here, there in (("sh", "bj"), ("bj", "sh")):
        clients(world[here]).create(f"{path}-{here}", b"x")
        wait_seen(clients(world[there]), f"{path}-{here}", timeout_s=90)


def test_broker_hangs(world, judge, clients):
    client = clients(world["sh"])

    def broker_hangs():
        with frozen(world.brokers["sh"]):
            numbers = itertools.count()

            def cut():
                check_quick(client, f"/while-the-broker-hangs-{next(numbers)}")
                return plugin_link(world["sh"], "bj").get("state") in ("DOWN", "CONNECTING")
            eventually(cut, 60, 1, "a link whose watchdog has cut the connection")
            cut()
    under_load(world, judge, broker_hangs)
    wait_live(world, 60)


@pytest.mark.parametrize("limit, back", [(("set_vm_memory_high_watermark", "absolute", "1MB"),
                                          ("set_vm_memory_high_watermark", "absolute", "512MiB")),
                                         (("set_disk_free_limit", "100000GB"), ("set_disk_free_limit", "50MB"))],
                         ids=["memory", "disk"])
def test_alarm(world, judge, clients, limit, back):
    broker, site = world.brokers["sh"], world["sh"]

    def alarm():
        broker.ctl(*limit)
        try:
            eventually(lambda: link_of(site, "bj")["blocked"], 30, what="a link that knows it is blocked")
            check_quick(clients(site), f"/blocked-{limit[0]}")
        finally:
            broker.ctl(*back)
        eventually(lambda: not link_of(site, "bj")["blocked"], 30, what="a link that is not blocked any more")
    under_load(world, judge, alarm)


def test_queue_is_deleted_while_idle(world, clients):
    """The broker cancels the consumer and returns the next batch; the sender declares the queue anew."""
    world.brokers["sh"].api("DELETE", f"/api/queues/%2F/{QUEUE}")
    eventually(lambda: QUEUE in world.brokers["sh"].queues(), 30, what="a new queue, though nothing is written")
    wait_live(world, 60)
    crosses(world, clients, "/after-the-queue-was-deleted")


def test_queue_is_deleted_under_load(world, judge, clients):
    def queue_deleted():
        world.brokers["sh"].api("DELETE", f"/api/queues/%2F/{QUEUE}")
    under_load(world, judge, queue_deleted)
    wait_live(world, 60)


def test_feedback_queue_is_deleted_while_idle(world, clients):
    """A sender that has lost its reports finds out, and reconnects."""
    world.brokers["sh"].api("DELETE", f"/api/queues/%2F/{QUEUE}.feedback")
    eventually(lambda: f"{QUEUE}.feedback" in world.brokers["sh"].queues(), 30, what="a new queue for reports")
    wait_live(world, 60)
    crosses(world, clients, "/after-the-reports-were-deleted")


def test_purged_under_load(world, judge, clients):
    def purged():
        for _ in range(10):
            purge(world, dead=False)
            time.sleep(0.3)
    under_load(world, judge, purged)


def test_broker_is_reset(world, judge, clients):
    """Everything it knew is gone: queues, exchanges, users; the users come back from its definitions."""
    broker = world.brokers["sh"]

    def broker_reset():
        for command in ("stop_app", "reset", "start_app"):
            broker.ctl(command, timeout_s=90)
        broker.ctl("import_definitions", f"{broker.dir}/definitions.json")
    under_load(world, judge, broker_reset)
    wait_live(world, 90)
    crosses(world, clients, "/after-the-reset")


def test_queue_is_full(world, judge, clients):
    """The destination is away: the queue fills, the broker's disk stays bounded, ZooKeeper does not notice."""
    site, client = world["sh"], clients(world["sh"])
    world["bj"].applier.stop()
    for number in range(20):
        client.create(f"/full-{number}", b"")
    for round_number in range(40):
        for one in [client.set_async(f"/full-{number}", bytes([round_number]) * 20000) for number in range(20)]:
            one.get(timeout=30)
    # What compresses well needs many: count what the broker refused instead of guessing.
    filler = random.Random(7)
    while link_of(site, "bj")["nacked"] == 0:
        client.set("/full-0", filler.randbytes(200000))
    eventually(lambda: "is full (queue_bytes_max)" in log_of(site), 30, what="the log of it")
    assert world.brokers["sh"].queues()[QUEUE].get("message_bytes", 0) < 8 << 20
    last = check_quick(client, "/written-when-full")
    world["bj"].applier.start()
    wait_seen(clients(world["bj"]), last, timeout_s=90)
    judge.wait_equal(60)


def test_destination_never_declared(world, clients):
    """Without its binding a batch is returned: nothing counts as delivered, the link says so, and heals itself."""
    broker, site = world.brokers["sh"], world["sh"]
    before = link_of(site, "bj")["returned"]
    broker.api("DELETE", f"/api/bindings/%2F/e/zoospan.sh/q/{QUEUE}/bj")
    eventually(lambda: link_of(site, "bj")["returned"] > before, 30, what="a returned batch")
    wait_live(world, 60)
    crosses(world, clients, "/after-the-binding-was-deleted")
    wait_state(site, "bj", "LIVE")
