"""Two sites far from each other, against the same two side by side: a relay (tests/harness/relay.c) carries the applier's
connections to the origin's broker, with and without a delay."""

import os
import threading
import time

from zoosites.applier import Applier
from zoosites.site import World

from . import rows_apply, rows_sites, stage, tools
from .figures import Figure

NODES, WINDOW = rows_sites.NODES, rows_sites.WINDOW


def far(rtt_ms):
    """The row for that round trip."""
    return lambda bench: rows(bench, rtt_ms)


def rows(bench, rtt_ms):
    pair = stage.Pair(bench, NODES, relay=True, backlog_bytes_max="32M")

    def at(rtt, measured):
        pair.relay.far(rtt)
        pair.wait_equal()
        return measured()

    def both(measured):
        """(near, far), by turns the one or the other first."""
        def one_round(number):
            trips = (0, rtt_ms) if number % 2 else (rtt_ms, 0)
            results = {rtt: at(rtt, lambda rtt=rtt: measured(rtt)) for rtt in trips}
            return results[0], results[rtt_ms]
        return one_round

    both(lambda _: rows_sites.lag(pair, 1000, 100, 3)["p50_us"])(0)  # two servers' compilers
    for rate in (100, 1000, 4000, 0):
        name = f"wan-{rtt_ms}-rate" + (f"-{rate}" if rate else "-limit")
        yield Figure(name, bench.measure(both(lambda rtt, rate=rate: arrived(bench, pair, rate, rtt))), 0.9, "higher",
                     "of what was written")
    yield Figure(f"wan-{rtt_ms}-drain", bench.measure(both(lambda _: drain(bench, pair))), 0.9, "higher", "txns/s")
    yield Figure(f"wan-{rtt_ms}-catch-up", bench.measure(both(lambda _: catch_up(bench, pair))), 0.9, "higher", "txns/s")
    results = bench.measure(both(lambda _: rows_sites.lag(pair, 100, 100, bench.pick(6, 3))["p50_us"]))
    allowed = [(1000 * rtt_ms / 2 + 1.5 * near, away) for near, away in results]
    yield Figure(f"wan-{rtt_ms}-lag", allowed, 1.0, "lower", "us (p50)", "baseline: half the round trip + 1.5 x the lag without it")


def arrived(bench, pair, rate, rtt_ms):
    """The share of what the origin wrote that is in effect half a round trip after it has stopped."""
    before = pair.fence()
    tools.run("bench_zk", pair.sh.connect_string, "set", "registry", NODES, WINDOW, rate, bench.pick(8, 4))
    time.sleep(rtt_ms / 2000)
    there, end = pair.there(), pair.fence()
    pair.wait_equal()
    return (there - before) / (end - 1 - before)


def drain(bench, pair):
    """What 1,000 writes a second have left in the queue while there was no applier."""
    pair.applier.stop()
    begin = pair.there()
    tools.run("bench_zk", pair.sh.connect_string, "set", "registry", NODES, WINDOW, 1000, bench.pick(60, 15))
    end = pair.fence()
    pair.applier.start()
    tools.wait_until("the first txn after the applier's start", 120, lambda: pair.there() > begin, 0.003)
    return reached(pair, begin, end)


def catch_up(bench, pair):
    """From the txn log, after the broker was away for longer than the backlog holds."""
    pair.broker.stop()
    begin = pair.there()
    tools.run("bench_zk", pair.sh.connect_string, "sets", "registry", NODES, WINDOW, bench.pick(300000, 100000))
    end = pair.fence()
    pair.broker.start()
    pair.broker.wait_ready()
    tools.wait_until("the first txn after the outage", 120, lambda: pair.there() > begin, 0.003)
    return reached(pair, begin, end)


def reached(pair, begin, end):
    """Txns per second from the first one that was seen. What came before it was seen counts, too."""
    since = time.monotonic()
    tools.wait_until("the destination's tree", 300, lambda: pair.there() >= end, 0.01)
    return (end - begin) / max(0.001, time.monotonic() - since)


# --- holes -----------------------------------------------------------------------------------------------------------


class Doubled:
    """Two servers of site sh carry the plugin, two appliers serve bj; sh writes 200 times a second."""

    RATE = 200

    def __init__(self, bench):
        self.world = world = World(bench.directory("holes"), ["sh", "bj"], voters={"sh": 1, "bj": 0},
                                   observers={"sh": 2, "bj": 0})
        bench.row.callback(world.stop)
        world["sh"].zk.carriers = [server for server in world["sh"].zk.servers if server.observer]
        defaults = {"amqp_heartbeat": None, "zookeeper_session": None}
        world.connect(plugin=defaults, applier=defaults)
        world.start()
        first = world["bj"].applier
        self.appliers = [first, Applier(os.path.join(first.dir, "second"), "bj")]
        self.appliers[1].options = dict(first.options)
        self.appliers[1].write_config()
        self.appliers[1].start()
        bench.row.callback(self.appliers[1].stop)
        self.there = stage.client(bench, world["bj"].zk)
        self.load = threading.Thread(target=self.write, args=(stage.client(bench, world["sh"].zk),), daemon=True)
        self.ended = threading.Event()
        bench.row.callback(self.ended.set)
        self.load.start()

    def write(self, client):
        client.create("/holes", b"")
        while not self.ended.wait(1 / self.RATE):
            client.set_async("/holes", b"x" * 100)

    def whole(self):
        publishers = sorted(stage.link_states(server).get("bj", "") for server in self.world["sh"].zk.carriers)
        appliers = sorted(link["state"] for applier in self.appliers for link in applier.status().get("links", []))
        return publishers == ["LIVE", "STANDBY"] and appliers == ["LIVE", "WAITING"]

    def publisher(self):
        return next(server for server in self.world["sh"].zk.carriers if stage.link_states(server).get("bj") == "LIVE")

    def applier(self):
        return next(one for one in self.appliers if one.status()["links"][0]["state"] == "LIVE")

    def hole(self, find, strike, cure):
        """Somebody is struck: the longest time that nothing new came. Of a broker, which has no other, from its return on."""
        tools.wait_until("two of each", 120, self.whole, 0.5)
        owner = find()
        strike(owner)
        alone = owner is self.broker()
        if alone:
            time.sleep(AWAY_S)
            cure(owner)
            owner.wait_ready()
        longest = self.watch()
        if not alone:
            cure(owner)
        return longest

    def watch(self):
        longest, moved, at = 0, time.monotonic(), stage.marker(self.there, "sh")[0]
        until = moved + OBSERVED_S
        while (now := time.monotonic()) < until or moved + 1 < now < moved + 60:
            place = stage.marker(self.there, "sh")[0]
            if place > at:
                longest, moved, at = max(longest, now - moved), now, place
            time.sleep(0.005)
        return max(longest, now - moved)

    def broker(self):
        return self.world.brokers["sh"]


AWAY_S = 15  # a broker
OBSERVED_S = 15


def holes(bench):
    """What is allowed, and the longest time without anything new at the destination. A broker's begins when it is back."""
    pair = Doubled(bench)
    kill, freeze = lambda owner: owner.kill(), lambda owner: owner.process.freeze()
    start, thaw = lambda owner: owner.start(), lambda owner: owner.process.thaw()
    for what, find, strike, cure, allowed_s in (
            ("applier-killed", pair.applier, kill, start, 2), ("applier-stopped", pair.applier, freeze, thaw, 10),
            ("publisher-killed", pair.publisher, kill, start, 2), ("publisher-stopped", pair.publisher, freeze, thaw, 10),
            ("broker-killed", pair.broker, kill, start, 2), ("broker-stopped", pair.broker, freeze, thaw, 2)):
        results = bench.measure(lambda _, find=find, strike=strike, cure=cure, allowed_s=allowed_s:
                                (allowed_s, pair.hole(find, strike, cure)))
        yield Figure(f"holes-{what}", results, 1.0, "lower", "s", "baseline: what is allowed")
