"""What several scenarios ask of running sites."""

import contextlib
import json
import time

from kazoo.exceptions import NoNodeError

from zoosites import markers, txnlog, verdict, wire, workload

# Options of plugin and applier, for faults that are over soon.
QUICK = {"amqp_heartbeat": "2s", "amqp_timeout": "3s", "retry_max": "1s"}


def eventually(condition, timeout_s=30, pause_s=0.1, what="the condition"):
    """Waits until condition() is true and returns its value. A client that loses its connection meanwhile asks again."""
    deadline = time.monotonic() + timeout_s
    while True:
        with contextlib.suppress(*wire.INTERRUPTED):
            value = condition()
            if value:
                return value
        assert time.monotonic() < deadline, f"{what} did not come about within {timeout_s} s"
        time.sleep(pause_s)


def plugin_link(site, destination, server=None):
    """What the plugin says of one link; {} while it says nothing."""
    status = (server or site.zk.carriers[0]).plugin_status() or {}
    return next((link for link in status.get("links", []) if link["destination"] == destination), {})


def link_of(site, destination, server=None):
    """The same, of a server that may take its time to answer."""
    return eventually(lambda: plugin_link(site, destination, server), what=f"a word about {site.name}->{destination}")


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


def wait_confirmed(site, destination, server=None):
    """Until RabbitMQ has all that the site has committed by now."""
    newest = site.zk.zxid()
    eventually(lambda: int(link_of(site, destination, server)["confirmed"], 16) >= newest,
               what=f"{site.name}->{destination} confirmed up to {newest:#x}")


def purge(world, origin="sh", destination="bj", dead=True):
    """RabbitMQ loses what it has for the destination. `dead`: nobody publishes any more; what was on its way comes first."""
    broker, queue = world.brokers[origin], f"zoospan.{origin}.{destination}"
    if dead:
        eventually(lambda: f"{queue}.lock" not in broker.queues(), 60, what=f"the end of the connection that held {queue}.lock")
    broker.api("DELETE", f"/api/queues/%2F/{queue}/contents")


def wait_seen(client, path, data=None, timeout_s=40):
    """Waits until a node is there (with this data)."""
    def seen():
        with contextlib.suppress(NoNodeError):
            return client.exists(path) is not None and (data is None or client.get(path)[0] == data)
    eventually(seen, timeout_s, 0.02, f"{path} with {data!r}")


def wait_gone(client, path, timeout_s=40):
    eventually(lambda: client.exists(path) is None, timeout_s, 0.02, f"the end of {path}")


def log_of(site):
    """The plugin server's log."""
    return site.zk.carriers[0].read_log()


def log_moves(site, move, server=None):
    """How often a link of this server's plugin has moved so."""
    log = (server or site.zk.carriers[0]).read_log()
    return sum(f"link {site.name}->" in line and move in line for line in log.splitlines())


def marker(client, origin):
    """Up to which zxid of the origin a site has applied. Waits for its first batch."""
    path = f"/zoospan/applied/{origin}"
    wait_seen(client, path)
    return int(json.loads(client.get(path)[0])["zxid"], 16)


def check_quick(client, path, seconds=2):
    """ZooKeeper does not wait for RabbitMQ. (For its disk it may: of three creates in a row one is quick.) Returns the last one."""
    took = []
    for number in range(3):
        started = time.monotonic()
        client.create(f"{path}-{number}", b"x")
        took.append(time.monotonic() - started)
    assert min(took) < seconds, f"ZooKeeper must not wait for RabbitMQ: {took}"
    return f"{path}-{number}"


def published(site, destination):
    return link_of(site, destination)["txns"]


def expected(site, **which):
    """How many txns of this site's own clients its senders have to publish, by the log of its observer."""
    return len(txnlog.local_writes(site.zk.carriers[0].data_dir, **which))


def wait_published(site, destination, timeout_s=30, **which):
    """Until the link has published each local txn once, and no other."""
    eventually(lambda: published(site, destination) == expected(site, **which), timeout_s,
               what=f"{site.name}->{destination}: as many txns published as its own clients have in the log")


def check_nothing_republished(world):
    for site in world.sites:
        for other in world.sites:
            if other is not site:
                wait_published(site, other.name)


def check_idle(world, seconds=3.0):
    """At rest nobody writes: no zxid rises."""
    found = verdict.chatter(world, seconds)
    assert not found, found


def begin_writers(sites, name, **settings):
    """Writers in the midst of it, one for each site."""
    writers = [workload.Writer(site, name, root=f"/{name}-{site.name}", **settings).start() for site in sites]
    for writer in writers:
        writer.wait_writing()
    time.sleep(0.5)
    return writers


def end_writers(writers, after_s=1):
    """They go on for a moment, after what has happened to them."""
    time.sleep(after_s)
    for writer in writers:
        writer.stop_asked.set()
    for writer in writers:
        writer.join(90)


def under_load(world, judge, disturb):
    """Writers on both sites while `disturb` runs; then both trees must be equal and hold what was acknowledged."""
    writers = begin_writers(world.sites, disturb.__name__, per_s=200)
    try:
        disturb()
    finally:
        end_writers(writers)
    trees = judge.wait_equal(90)
    for writer in writers:
        assert not workload.missing(writer, trees[writer.site.name])


def images_taken(world):
    return sum(site.applier.read_log().count("is taken: ") for site in world.sites)


def judged(world, judge, disturb, images=False, name=None, timeout_s=90, acls=True):
    """Writers on both sites until `disturb` is over, markers watched all the while; then the whole verdict. `images`: that some are
    taken is no fault here; "perhaps": by what was taken it is judged."""
    name, before = name or disturb.__name__, images_taken(world)
    watch = markers.Watch(world.sites, judge.clients).start()
    writers = begin_writers(world.sites, name, per_s=100, acls=acls)
    try:
        disturb()
    finally:
        end_writers(writers, 0)
    say = lambda text: print(time.strftime("%H:%M:%S"), text)  # shown beneath a failure
    if images == "perhaps":
        images = images_taken(world) > before
    found = verdict.complaints(world, judge, writers, watch, timeout_s, say, rest_s=1.5, images=images)
    assert not found, "\n".join(found[:20])
