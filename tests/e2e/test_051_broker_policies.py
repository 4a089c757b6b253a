"""RabbitMQ as others have set it up: queues that are there already, quorum queues by default, policies that drop messages, a
bound on what is not acknowledged."""

import os

import pytest

from helpers import QUICK, eventually, link_of, plugin_link, wait_live, wait_seen
from zoosites import files
from zoosites.applier import Applier

VHOST, QUEUE = "zs", "zoospan.sh.bj"
CONSUMER_TIMEOUT_MS = 2000


@pytest.fixture(scope="module")
def world(make_world):
    """One broker for both sites. Before the link sh->bj there was a quorum queue that serves all its consumers; and what an
    older version made for bj->sh, which knew of no types."""
    brokers = {}

    def prepare(world):
        broker = brokers["sh"] = world.brokers["sh"]
        for user in ("zoospan", "zoospan-sh", "zoospan-bj"):
            broker.add_user(user, (".*", ".*", ".*"))
        world["bj"].broker = broker
        broker.settings["consumer_timeout"] = CONSUMER_TIMEOUT_MS
        broker.write_config()
        files.write(os.path.join(broker.dir, "advanced.config"), "[{rabbit, [{channel_tick_interval, 500}]}].\n")
        broker.start()
        broker.wait_ready()
        broker.ctl("add_vhost", VHOST, "--default-queue-type", "quorum")
        for user in broker.users:
            broker.api("PUT", f"/api/permissions/{VHOST}/{user}", {"configure": ".*", "write": ".*", "read": ".*"})
        declare = lambda name, **arguments: broker.api("PUT", f"/api/queues/{VHOST}/{name}",
                                                       {"durable": True, "arguments": arguments})
        declare(QUEUE, **{"x-queue-type": "quorum"})
        declare("zoospan.bj.sh", **{"x-queue-type": "classic", "x-overflow": "reject-publish", "x-max-length-bytes": 1 << 29})
        declare("zoospan.bj.sh.feedback", **{"x-queue-type": "classic", "x-overflow": "drop-head", "x-max-length": 1})
    uri = lambda user: brokers["sh"].uri(user, VHOST)
    world = make_world(voters=0, own_brokers=("sh", "bj"), prepare=prepare,
                       plugin=lambda name: {**QUICK, "amqp_uri": uri("zoospan"),
                                            "amqp_password_file": brokers["sh"].passwords["zoospan"]},
                       applier=lambda name: {**QUICK, **{f"link.{other}.amqp_uri": uri(f"zoospan-{name}")
                                                         for other in ("sh", "bj") if other != name}})
    wait_live(world, 90)
    return world


def applier_link(applier):
    return (applier.status().get("links") or [{}])[0]


def queue(world, name=QUEUE):
    return world.brokers["sh"].api("GET", f"/api/queues/{VHOST}/{name}")


def test_a_queue_that_exists_is_used_as_it_is_and_that_is_said(world, sh, bj):
    for here, there, client, other in (("sh", "bj", sh, bj), ("bj", "sh", bj, sh)):
        client.create(f"/kept-{here}", b"x")
        wait_seen(other, f"/kept-{here}")
        log = world[here].zk.servers[0].read_log()
        assert f"link {here}->{there}: uses a queue that exists as it is" in log
    assert queue(world)["type"] == "quorum"
    assert {queue(world, f"{QUEUE}.{part}")["type"] for part in ("feedback", "position")} == {"classic"}


def test_a_second_applier_stands_by_on_any_queue(world, sh, bj):
    """RabbitMQ would serve both. The second one takes over within seconds when the first is killed."""
    first = world["bj"].applier
    second = Applier(os.path.join(world["bj"].dir, "second"), "bj")
    second.options = dict(first.options)
    second.write_config()
    second.start()
    try:
        eventually(lambda: applier_link(second).get("state") == "WAITING", what="a second applier that waits")
        for number in range(300):
            sh.create_async(f"/both-{number}", b"x")
        sh.create("/both-end", b"")
        wait_seen(bj, "/both-end")
        assert (applier_link(first)["state"], applier_link(second)["state"]) == ("LIVE", "WAITING")
        assert applier_link(first)["gaps"] == 0
        eventually(lambda: queue(world).get("consumers") == 1, what="one consumer")
        first.kill()
        sh.create("/taken-over", b"")
        wait_seen(bj, "/taken-over", timeout_s=30)
        eventually(lambda: applier_link(second)["state"] == "LIVE", what="a second applier that applies")
        first.start()
        eventually(lambda: applier_link(first).get("state") == "WAITING", what="the first one as the one that waits")
    finally:
        second.stop()
    eventually(lambda: applier_link(first)["state"] == "LIVE", what="the first one again")


def test_both_begin_at_once(world, sh, bj):
    """Neither sees the other at first, and RabbitMQ serves both: who registers in the marker applies."""
    first = world["bj"].applier
    second = Applier(os.path.join(world["bj"].dir, "second"), "bj")
    second.options = dict(first.options)
    second.write_config()
    for round_number in range(3):
        first.stop()
        first.start()
        second.start()
        try:
            for number in range(100):
                sh.create_async(f"/at-once-{round_number}-{number}", b"x")
            sh.create(f"/at-once-{round_number}", b"")
            wait_seen(bj, f"/at-once-{round_number}")
            states = lambda: sorted(applier_link(one).get("state", "") for one in (first, second))
            eventually(lambda: states() == ["LIVE", "WAITING"], what="one that applies and one that waits")
        finally:
            second.stop()
    eventually(lambda: applier_link(first)["state"] == "LIVE", what="the first one alone")


@pytest.mark.parametrize("definition", [{"delivery-limit": 2}, {"message-ttl": 100}, {"max-length": 1, "overflow": "drop-head"}],
                         ids=["delivery-limit", "ttl", "max-length"])
def test_what_a_policy_drops_is_sent_again(world, sh, bj, definition):
    broker, name = world.brokers["sh"], next(iter(definition))
    applier = world["bj"].applier
    applier.stop()
    broker.api("PUT", f"/api/policies/{VHOST}/drop", {"pattern": "^zoospan", "definition": definition, "apply-to": "queues"})
    try:
        before = plugin_link(world["sh"], "bj")["batches"]
        for number in range(20):
            sh.create(f"/{name}-{number}", b"x")
        last = lambda: int(link_of(world["sh"], "bj")["confirmed"], 16) >= world["sh"].zk.zxid()
        if name == "delivery-limit":
            eventually(last, what="all of it with RabbitMQ")
            get = {"count": 100, "ackmode": "ack_requeue_true", "encoding": "base64"}
            eventually(lambda: not broker.api("POST", f"/api/queues/{VHOST}/{QUEUE}/get", get), what="an empty queue")
        else:
            eventually(lambda: plugin_link(world["sh"], "bj")["batches"] > before + 3, what="more batches than are kept")
        applier.start()
        wait_seen(bj, f"/{name}-19", timeout_s=60)
        for number in range(20):
            assert bj.exists(f"/{name}-{number}"), number
    finally:
        broker.api("DELETE", f"/api/policies/{VHOST}/drop")
        if not applier.process.alive():
            applier.start()


def test_nothing_is_kept_unacknowledged(world, sh, bj):
    """RabbitMQ closes a channel that owes it an acknowledgement for too long. Without an applier nothing new is reported."""
    site, applier = world["sh"], world["bj"].applier
    applier.stop()
    before = link_of(site, "bj")["reconnects"]
    unacked = lambda: sum(one.get("messages_unacknowledged", 0)
                          for one in world.brokers["sh"].api("GET", f"/api/queues/{VHOST}") if one["name"].startswith(QUEUE))
    sh.create("/timeout", b"")
    eventually(lambda: plugin_link(site, "bj")["confirmed"] == plugin_link(site, "bj")["cursor"], what="all of it with RabbitMQ")
    eventually(lambda: queue(world, f"{QUEUE}.position").get("messages_ready") == 1 and unacked() == 0, 20,
               what="a report that nobody holds")
    # A sender that begins finds it all the same, and goes on although the applier is away.
    server = site.zk.servers[0]
    server.stop()
    server.start()
    server.wait_serving()
    wait_live_one = lambda: plugin_link(site, "bj").get("state") in ("LIVE", "LOG")
    eventually(wait_live_one, 60, what="a link that knows where the destination stands")
    assert before and unacked() == 0
    applier.start()
    sh.create("/timeout-over", b"")
    wait_seen(bj, "/timeout-over", timeout_s=60)
