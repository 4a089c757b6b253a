"""Two sites with everything between them on one machine."""

import os
import signal
import time

from . import cpu, rows_apply, stage, tools
from .bench import in_turns
from .figures import Figure

NODES, WINDOW = 10000, 256
BATCH_OF_ONE = 480  # bytes of a batch with one set of a node of the registry


def end_to_end(bench):
    """What the destination shows when the origin stops writing at its limit, against what the origin wrote."""
    pair = stage.Pair(bench, NODES)
    seconds = bench.pick(8, 3)
    late = []

    def one_round(_, seconds=seconds):
        before = pair.fence()
        tools.run("bench_zk", pair.sh.connect_string, "set", "registry", NODES, WINDOW, 0, seconds)
        there = pair.there()
        end = pair.fence()
        time.sleep(2)
        late.append(max(0, end - pair.there()))
        pair.wait_equal()
        return (end - before) / seconds, (there - before) / seconds

    one_round(0, 4)
    late.clear()
    results = bench.measure(one_round)
    yield Figure("end-to-end", results, 0.99, "higher", "txns/s",
                 f"2 s after the end {max(late)} txns were still on their way")


def way_arguments(pair, seconds, batch_bytes, messages):
    """bench_amqp's, for what a message takes from publish to consume: `messages` a second."""
    broker = pair.broker
    return (broker.port, "zoospan", broker.passwords["zoospan"], "latency", messages, seconds, batch_bytes)


def lag_low(bench):
    """100 writes a second: each is a batch of its own."""
    pair = stage.Pair(bench, NODES)
    seconds = bench.pick(6, 3)

    def one_round(_):
        way = tools.run("bench_amqp", *way_arguments(pair, seconds, BATCH_OF_ONE, 100))
        write = tools.run("bench_zk", pair.bj.connect_string, "set", "registry", NODES, WINDOW, 100, seconds)
        return way["p50_us"] + write["p50_us"], lag(pair, 100, 100, seconds)["p50_us"]

    one_round(0)
    yield Figure("lag-low", bench.measure(one_round), 1.3, "lower", "us (p50)")


def lag_load(bench):
    """Half of what the origin can take. Its parts are measured while as much is written to as many disks: the same load goes to a
    server that replicates nowhere, batches of our size at our rate through the broker, and multis of as many txns to the
    destination, all at once. One or the other alone waits less for the disk that they share."""
    pair = stage.Pair(bench, NODES)
    plain = bench.ensemble("plain")
    tools.run("bench_zk", plain.connect_string, "create", "registry", NODES)
    seconds = 3
    limit = tools.run("bench_zk", pair.sh.connect_string, "set", "registry", NODES, WINDOW, 0, seconds)["per_s"]
    pair.wait_equal()
    rate = int(limit / 2)
    bench.say(f"  half of the limit: {rate}/s")
    link = lambda: pair.sh.servers[0].plugin_status()["links"][0]

    def one_turn(_):
        before = link()
        ours = lag(pair, rate, max(1, rate // 20), seconds)
        after = link()
        batches = max(1, round((after["batches"] - before["batches"]) / seconds))
        size = max(100, (after["wire_bytes"] - before["wire_bytes"]) // (batches * seconds))
        txns = max(1, round((after["txns"] - before["txns"]) / (batches * seconds)))
        return loaded_parts(bench, pair, plain, rate, seconds, size, batches, txns), ours["p99_us"]

    in_turns(bench.pick(5, 1), one_turn)  # two servers' compilers
    results = bench.measure(lambda _: in_turns(bench.pick(4, 1), one_turn))
    yield Figure("lag-load", results, 1.5, "lower", "us (p99)", f"at {rate} writes/s")


def loaded_parts(bench, pair, plain, rate, seconds, batch_bytes, batches, batch_txns):
    """The sum of the parts' p99, in microseconds, both measured at once beside the same load on a server that replicates nowhere."""
    load = bench.running("bench_zk", plain.connect_string, "set", "registry", NODES, WINDOW, rate, seconds + 2)
    time.sleep(1)
    parts = [bench.running("bench_amqp", *way_arguments(pair, seconds, batch_bytes, batches)),
             bench.running("bench_zk", pair.bj.connect_string, "multis", "registry", NODES, WINDOW, batches, seconds,
                           min(100, batch_txns))]  # more, bench_zk does not put into one
    p99 = sum(part.line(120)["p99_us"] for part in parts)
    load.line(120)
    for program in (*parts, load):
        program.stop()
    return p99


def lag(pair, rate, sampled, seconds):
    result = tools.run("bench_lag", pair.sh.connect_string, pair.bj.connect_string, "registry", NODES, rate, sampled, seconds)
    if result["lost"]:
        raise RuntimeError(f"{result['lost']} writes were not seen at the destination")
    pair.wait_equal()
    return result


def catch_up(bench):
    """From the txn log, after the broker was away for longer than the backlog holds, between two drains of as many txns. Those
    have a broker of their own, so that all three are measured right behind each other."""
    txns = bench.pick(500000, 100000)
    pair = stage.Pair(bench, NODES, backlog_bytes_max="32M", retry_max="1s")
    other = bench.broker("o", [])

    def one_round(number, txns=txns):
        names = [f"o{number}-{part}" for part in ("before", "after")]
        pair.broker.stop()
        tools.run("bench_zk", pair.sh.connect_string, "sets", "registry", NODES, WINDOW, txns)
        begin, end = pair.there(), pair.fence()
        filled = [(name, *rows_apply.fill(bench, other, name, NODES, txns, 2 * number + part))
                  for part, name in enumerate(names)]
        drains = iter(filled)

        def drain():
            name, file, last = next(drains)
            os.unlink(file)
            return rows_apply.empty(bench, other, pair.bj, pair.bj_zk, name, last)

        before = drain()
        pair.broker.start()
        pair.broker.wait_ready()
        tools.wait_until("the first txn after the outage", 120, lambda: pair.there() > begin, 0.003)
        ours = rows_apply.reach(pair.bj_zk, "sh", end)
        return (before + drain()) / 2, ours

    bench.say(f"  warm-up: {one_round(0, bench.pick(100000, 20000))}")
    results = bench.measure(lambda number: one_round(number + 1))
    yield Figure("catch-up", results, 0.9, "higher", "txns/s")


def wire(bench):
    """Published bytes against the bytes of the txns, of a registry whose nodes change."""
    pair = stage.Pair(bench, NODES)
    for rate, goal, seconds in ((1000, 0.33, bench.pick(5, 3)), (10, 0.45, bench.pick(8, 4))):
        def one_round(_, rate=rate, seconds=seconds):
            link = lambda: pair.sh.servers[0].plugin_status()["links"][0]
            pair.wait_equal()
            before = link()
            txns = tools.run("bench_zk", pair.sh.connect_string, "set", "registry", NODES, WINDOW, rate, seconds)
            pair.wait_equal()
            after = link()
            note.append((after["txns"] - before["txns"]) / (after["batches"] - before["batches"]))
            return txns["txn_bytes"], after["wire_bytes"] - before["wire_bytes"]

        note = []
        results = bench.measure(one_round)
        yield Figure(f"wire-{rate}", results, goal, "lower", "bytes",
                     f"{sum(note) / len(note):.1f} txns in a batch, heartbeats counted")


def idle(bench):
    """What a link costs while nobody writes: the applier, and the plugin's own threads in the server; a processor is 1."""
    pair = stage.Pair(bench, NODES)
    seconds = bench.pick(8, 3)

    def spent():
        threads = cpu.thread_seconds(pair.sh.servers[0].process.pid)
        ours = {name: time for name, time in threads.items() if name.startswith(("zs-", "zoospan"))}
        applier = cpu.thread_seconds(pair.applier.process.pid)
        return sum(applier.values()) + sum(ours.values()), ours

    def one_round(_):
        time.sleep(1)
        before, _ = spent()
        time.sleep(seconds)
        after, ours = spent()
        names.update(ours)
        return float(seconds), after - before

    names = {}
    results = bench.measure(one_round)
    yield Figure("idle-cpu", results, 0.01, "lower", "s of CPU", f"applier and {', '.join(sorted(names))}")


MIB = 1 << 20


def memory_plugin(bench):
    """What a server with the plugin holds more than one without, beyond the backlog, after a long outage of the broker."""
    txns, backlog = bench.pick(500000, 120000), 64 * MIB
    nobody = stage.Sink(bench)
    nobody.stop()

    def one_round(number):
        grown = []
        for name in ("plain", "carrier"):
            if name == "plain":
                ensemble = bench.ensemble(f"{name}-{number}", start=False)
            else:
                ensemble, _ = stage.origin(bench, f"{name}-{number}", nobody.uri(), nobody.password_file,
                                           backlog_bytes_max=str(backlog), start=False)
            server = ensemble.servers[0]
            server.jvm.append("-XX:+AlwaysPreTouch")
            ensemble.write_config()
            ensemble.start()
            ensemble.wait_serving()
            tools.run("bench_zk", ensemble.connect_string, "create", "registry", NODES)
            tools.run("bench_zk", ensemble.connect_string, "sets", "registry", NODES, WINDOW, txns)
            grown.append(cpu.rss_bytes(server.process.pid))
            ensemble.stop()
        return 64.0, max(0, grown[1] - grown[0] - backlog) / MIB

    yield Figure("memory-plugin", bench.measure(one_round, bench.pick(3, 1)), 1.0, "lower", "MiB", "baseline: what is allowed")


def flood(pair, txns):
    """The applier finds more in its queue than it is handed at once."""
    pair.applier.process.signal(signal.SIGSTOP)
    tools.run("bench_zk", pair.sh.connect_string, "sets", "registry", NODES, WINDOW, txns)
    pair.applier.process.signal(signal.SIGCONT)
    pair.wait_equal(300)


def memory_applier(bench):
    """An applier's memory at a destination of 100,000 znodes, and when there are 1,000,000; both times behind a flood."""
    few, many = bench.pick((100000, 1000000), (20000, 100000))
    pair = stage.Pair(bench, few, heap="4g")
    sizes = []
    for step in (few, many):
        if step > few:
            tools.run("bench_zk", pair.sh.connect_string, "create", "registry", many, few)
            pair.wait_equal(600)
        flood(pair, 60000)
        sizes.append(cpu.rss_bytes(pair.applier.process.pid) / MIB)
    yield Figure("memory-applier", [(256.0, sizes[1])], 1.0, "lower", "MiB", "baseline: what is allowed")
    yield Figure("memory-applier-flat", [tuple(sizes)], 1.1, "lower", "MiB", f"at {few:,} and at {many:,} znodes")


def bootstrap(bench):
    """An empty site gets the tree of a site that is there already, against a bare loader that creates it."""
    nodes = bench.pick(1000000, 200000)
    broker = bench.broker("sh", [])
    origin = bench.ensemble("sh", "4g")
    tools.run("bench_zk", origin.connect_string, "create", "registry", nodes)
    sites = [f"b{number}" for number in range(3 * bench.rounds + 1)]
    origin.stop()
    origin.servers[0].plugin = {"zoospan.site": "sh", "zoospan.links": ",".join(sites[:15]),
                                "zoospan.amqp_uri": broker.uri("admin"),
                                "zoospan.amqp_password_file": broker.passwords["admin"]}
    origin.write_config()
    origin.start()
    origin.wait_serving()
    stage.make_history(stage.client(bench, origin))

    def one_round(number):
        bare = bench.ensemble(f"bare-{number}", "4g")
        base = tools.run("bench_zk", bare.connect_string, "create", "registry", nodes)["seconds"]
        bare.stop()
        return base, populate(bench, broker, origin, sites[number])

    yield Figure("bootstrap", bench.measure(one_round), 1.3, "lower", "s", f"{nodes:,} znodes")


def populate(bench, broker, origin, site):
    """Seconds from the start of an applier at an empty site until its tree is that of the origin and the link streams."""
    ensemble = bench.ensemble(site, "4g")
    zk = stage.client(bench, ensemble)
    applier = stage.applier(bench, ensemble, {"sh": (broker.uri("admin"), broker.passwords["admin"])}, site, site=site)
    begin = time.monotonic()
    applier.start()

    def link():
        return next((link for link in origin.servers[0].plugin_status()["links"] if link["destination"] == site), {})

    def arrived():  # asks the origin's admin server only when it must: that has the origin's processor
        if stage.marker(zk, "sh")[0] > 0:
            return link().get("state") == "LIVE"
        if time.monotonic() > begin + 30 and link().get("state") == "GAP":
            raise tools.Unavailable(f"the link is in state GAP: {link().get('detail')}")
        return False

    tools.wait_until(f"the image at {site}", 600, arrived, 0.05)
    seconds = time.monotonic() - begin
    applier.stop()
    ensemble.stop()
    return seconds
