"""What several scenarios ask of running sites."""

import contextlib
import json
import time

from zoosites import markers, txnlog, verdict, workload

# Options of plugin and applier, for faults that are over soon.
QUICK = {"amqp_heartbeat": "2s", "amqp_timeout": "3s", "retry_max": "1s"}


def eventually(condition, timeout_s=30, pause_s=0.1, what="the condition"):
    """Waits until condition() is true and returns its value."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what} did not come about within {timeout_s} s"
        time.sleep(pause_s)


def plugin_link(site, destination, server=None):
    """What the plugin says of one link; {} while it says nothing."""
    status = (server or site.zk.carriers[0]).plugin_status() or {}
    return next((link for link in status.get("links", []) if link["destination"] == destination), {})


def wait_state(site, destination, state, timeout_s=30, server=None):
    """Waits until a link is in a state; returns its status."""
    link = {}

    def reached():
        link.clear()
        link.update(plugin_link(site, destination, server))
        return link.get("state") == state

    eventually(reached, timeout_s, what=f"{site.name}->{destination} in state {state}")
    return link


def active(site, destination, states=("LIVE",)):
    """The server that publishes a link at the moment, or None."""
    return next((server for server in site.zk.carriers
                 if plugin_link(site, destination, server).get("state") in states), None)


@contextlib.contextmanager
def frozen(*owners):
    """Servers, brokers or appliers that do nothing for a while, and do not know it."""
    for owner in owners:
        owner.process.freeze()
    try:
        yield
    finally:
        for owner in owners:
            owner.process.thaw()


def bring_back(*servers):
    for server in servers:
        server.start()
    for server in servers:
        server.wait_serving()


def wait_live(world, timeout_s=40):
    """Until every link publishes."""
    for site in world.sites:
        for other in world.sites:
            if other is not site:
                wait_state(site, other.name, "LIVE", timeout_s)


def wait_seen(client, path, data=None, timeout_s=20):
    """Waits until a node is there (with this data)."""
    def seen():
        if client.exists(path) is None:
            return False
        return data is None or client.get(path)[0] == data
    eventually(seen, timeout_s, 0.02, f"{path} with {data!r}")


def wait_gone(client, path, timeout_s=20):
    eventually(lambda: client.exists(path) is None, timeout_s, 0.02, f"the end of {path}")


def log_of(site):
    """The plugin server's log."""
    return site.zk.carriers[0].read_log()


def log_moves(site, move, server=None):
    """How often a link of this server's plugin has moved so."""
    log = (server or site.zk.carriers[0]).read_log()
    return sum(f"link {site.name}->" in line and move in line for line in log.splitlines())


def marker(client, origin):
    """Up to which zxid of the origin a site has applied."""
    return int(json.loads(client.get(f"/zoospan/applied/{origin}")[0])["zxid"], 16)


def published(site, destination):
    return plugin_link(site, destination)["txns"]


def expected(site, **which):
    """How many txns of this site's own clients its senders have to publish, by the log of its observer."""
    return len(txnlog.local_writes(site.zk.carriers[0].data_dir, **which))


def check_nothing_republished(world, timeout_s=10):
    """Every link has published each local txn once, and no other."""
    for site in world.sites:
        for other in world.sites:
            if other is not site:
                eventually(lambda: published(site, other.name) == expected(site), timeout_s,
                           what=f"{site.name}->{other.name}: {published(site, other.name)} txns published, "
                                f"{expected(site)} of its own clients in the log")


def check_idle(world, seconds=3.0):
    """At rest nobody writes: no zxid rises."""
    found = verdict.chatter(world, seconds)
    assert not found, found


def under_load(world, judge, disturb, seconds=6, seed=3):
    """Writers on both sites while `disturb` runs; then both trees must be equal and hold what was acknowledged."""
    writers = [workload.Writer(site, f"{seed}/{disturb.__name__}", seconds=seconds,
                               root=f"/{disturb.__name__}-{site.name}").start() for site in world.sites]
    time.sleep(0.7)
    disturb()
    for writer in writers:
        writer.join(90)
    trees = judge.wait_equal(90)
    for writer in writers:
        assert not workload.missing(writer, trees[writer.site.name])


def judged(world, judge, disturb, images=False, name=None, timeout_s=90, acls=True):
    """Writers on both sites until `disturb` is over, markers watched all the while; then the whole verdict."""
    name = name or disturb.__name__
    watch = markers.Watch(world.sites, judge.clients).start()
    writers = [workload.Writer(site, name, seconds=1e9, root=f"/{name}-{site.name}",
                               pause_s=0.01, acls=acls).start() for site in world.sites]
    try:
        time.sleep(0.7)
        disturb()
    finally:
        for writer in writers:
            writer.stop_asked.set()
    for writer in writers:
        writer.join(90)
    say = lambda text: print(time.strftime("%H:%M:%S"), text)  # shown beneath a failure
    found = verdict.complaints(world, judge, writers, watch, timeout_s, say, rest_s=1.5, images=images)
    assert not found, "\n".join(found[:20])
