"""Out of memory is not out of reach: what has left the backlog comes from the txn log, without a gap."""

import pytest

from helpers import begin_writers, end_writers, eventually, log_moves, plugin_link, purge, wait_live, wait_published, wait_seen
from zoosites import workload

SMALLEST = 32 << 20  # backlog_bytes_max


@pytest.fixture(scope="module")
def world(make_world):
    world = make_world(plugin={"backlog_bytes_max": str(SMALLEST)})
    wait_live(world)
    return world


def overrun(client, root, rounds=60, nodes=100, size=8000):
    """More than the backlog holds, in a small tree."""
    client.create(root, b"")
    for number in range(nodes):
        client.create(f"{root}/{number}", b"")
    for _ in range(rounds):
        pending = [client.set_async(f"{root}/{number}", b"x" * size) for number in range(nodes)]
        for one in pending:
            one.get(timeout=30)


def test_broker_is_away_for_longer_than_the_backlog(world, judge, clients):
    broker = world.brokers["sh"]
    broker.kill()
    client = clients(world["sh"])
    overrun(client, "/while-the-broker-was-away")
    broker.start()
    broker.wait_ready()
    wait_live(world, 90)
    client.create("/after-the-broker-came-back", b"x")
    wait_seen(clients(world["bj"]), "/after-the-broker-came-back", timeout_s=60)
    judge.wait_equal(60)
    eventually(lambda: log_moves(world["sh"], "LOG -> LIVE") > 0, what="the log's word that it was left")
    assert log_moves(world["sh"], "-> GAP") == 0
    # The counters of sh count what was published twice; what bj was sent must not have gone back.
    wait_published(world["bj"], "sh")


def test_writers_run_while_the_link_catches_up(world, judge, clients):
    """The log is left for the backlog while both move."""
    writers = begin_writers(world.sites, "catching", per_s=200)
    broker, moves = world.brokers["sh"], log_moves(world["sh"], "LOG -> LIVE")
    broker.kill()
    overrun(clients(world["sh"]), "/among-writers")
    broker.start()
    broker.wait_ready()
    eventually(lambda: log_moves(world["sh"], "LOG -> LIVE") > moves, 60, what="the log's word that it was left")
    end_writers(writers)
    wait_live(world, 90)
    trees = judge.wait_equal(90)
    for writer in writers:
        assert not workload.missing(writer, trees[writer.site.name])
    assert log_moves(world["sh"], "-> GAP") == 0


def test_publishing_server_restarts_with_the_destination_behind(world, judge, clients):
    """What was in the queue is gone, and so is the server's memory: only its log knows."""
    client = clients(world["sh"])
    world["bj"].applier.stop()
    overrun(client, "/before-the-purge", rounds=5)
    eventually(lambda: plugin_link(world["sh"], "bj").get("state") in ("LIVE", "LOG"), 30, what="a link that streams")
    server = world["sh"].zk.carriers[0]
    server.kill()
    overrun(client, "/while-the-server-was-away", rounds=5)
    purge(world)
    server.start()
    server.wait_serving()
    world["bj"].applier.start()
    wait_live(world, 90)
    wait_seen(clients(world["bj"]), "/while-the-server-was-away/99", b"x" * 8000, timeout_s=60)
    judge.wait_equal(60)
    assert log_moves(world["sh"], "-> GAP") == 0
