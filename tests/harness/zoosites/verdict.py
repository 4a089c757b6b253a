"""The judge of every fault: when all has healed and nobody writes, the sites are equal, everything acknowledged is there,
no marker ever fell, no effect came twice and none came back to its origin, and idle sites do not chatter."""

import time

from . import effects, workload


class Diverged(Exception):
    """The servers of one ensemble hold different trees: what a site holds depends on whom one asks."""


class Fallen(Exception):
    """A server or an applier ended though nobody told it to: nothing that is waited for has to come about."""


def check_processes(world):
    """Raises Fallen with a line for each."""
    fallen = [line for site in world.sites for line in site.fallen()]
    if fallen:
        raise Fallen("\n".join(fallen))


def check_ensembles(world, timeout_s):
    """Raises Diverged for an ensemble whose servers differ among themselves by the number of nodes, though all is at rest; one that
    does not answer differs."""
    deadline = time.monotonic() + timeout_s
    for site in world.sites:
        while len(set(counts := [server.nodes() for server in site.zk.servers])) > 1 or counts[0] is None:
            check_processes(world)
            if time.monotonic() > deadline:
                raise Diverged(f"ZooKeeper's own servers of {site.name} differ: {counts} nodes")
            time.sleep(1)


def complaints(world, judge, writers, watch, timeout_s, say=lambda text: None, rest_s=4, images=False):
    """Waits for health and rest, ends `watch` (markers.Watch), and returns lines for a person. `rest_s`: some heartbeats.
    `images`: one may have been sent, and what it wrote again is no fault."""
    say("waits until every link is live")
    check_processes(world)
    world.wait_live(timeout_s)
    say("compares the trees")
    check_ensembles(world, timeout_s)
    trees = judge.wait_equal(timeout_s)
    found = [f"{site.name}: {line}" for writer in writers for site in world.sites
             for line in workload.missing(writer, trees[site.name])]
    say("reads the txn logs, and waits for a rest")
    watch.stop()
    found += watch.falls
    if not images:
        found += effects.judge(world, {site.name: [writer.root for writer in writers if writer.site is site]
                                       for site in world.sites})
    found += chatter(world, rest_s)
    acked = sum(len(writer.acked) for writer in writers)
    say(f"{len(trees[world.sites[0].name])} nodes at each site; {acked} acknowledged paths checked at both, "
        f"{sum(len(writer.lost) for writer in writers)} of unknown outcome; {watch.looks} looks at markers")
    return found


def chatter(world, seconds, periods=8):
    """At rest nobody writes: a period comes in which no zxid rises. (Not at once: sessions of clients that were cut off expire.)"""
    for _ in range(periods):
        before = {site.name: site.zk.zxid() for site in world.sites}
        time.sleep(seconds)
        after = {site.name: site.zk.zxid() for site in world.sites}
        if after == before:
            return []
    return [f"idle sites wrote: {before} -> {after}"]
