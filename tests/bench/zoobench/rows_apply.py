"""How fast a destination applies what it is given."""

import itertools
import os
import statistics
import time

from . import cpu, stage, tools
from .bench import in_changing_order, in_turns
from .figures import Figure

OPS, DEPTH = 128, 8  # zoospan.multi_ops_max and zoospan.depth, as they are without configuration


def reach(zk, origin, last, timeout_s=300):
    """Waits for the marker to come to `last`. Returns txns per second between its first move that was seen and the last, by the
    server's clock: whoever looks more often takes processor time that the bare loader has for itself."""
    deadline = time.monotonic() + timeout_s
    first = None
    while time.monotonic() < deadline:
        zxid, written_ms = stage.marker(zk, origin)
        if zxid and first is None:
            first = (zxid, written_ms)
        if zxid >= last:
            return 1000 * (zxid - first[0]) / (written_ms - first[1])
        time.sleep(0.05 if first is None else 0.2)
    raise RuntimeError(f"the marker of {origin} is at {zxid:x} of {last:x} after {timeout_s} s")


def loader(ensemble, file, number):
    """What the bare loader does with the same batches."""
    return tools.run("bench_multis", ensemble.connect_string, file, f"/loader-{number}", OPS, DEPTH)


def apply_rate(bench):
    """The applier replays batches of a file; a bare loader sends the same multis."""
    nodes, txns, turns, before = 10000, 200000, bench.pick(6, 1), bench.pick(8, 1)
    ensemble = bench.ensemble("destination")
    zk = stage.client(bench, ensemble)
    tools.run("bench_zk", ensemble.connect_string, "create", "registry", nodes)
    spent = {"server": [], "loader": [], "applier": []}
    numbers = itertools.count(1)
    server = ensemble.servers[0].process.pid

    def one_turn(_):
        number = next(numbers)
        name = f"o{number}"
        file, last = stage.batches(bench, name, nodes, txns, number * txns)

        def bare():
            before = cpu.process_seconds(server)
            result = loader(ensemble, file, name)
            spent["server"].append(1e6 * (cpu.process_seconds(server) - before) / txns)
            spent["loader"].append(result["cpu_us"])
            return result["per_s"]

        def ours():
            rate, cpu_us = replay(bench, ensemble, zk, name, file, last)
            spent["applier"].append(cpu_us / txns)
            return rate

        rates = in_changing_order(number, bare, ours)
        os.unlink(file)
        return rates

    bench.say(f"  warm-up: {in_turns(before, one_turn)}") # the server's compiler is at work: a third party on two processors
    for of in spent.values():
        of.clear()
    results = bench.measure(lambda _: in_turns(turns, one_turn))
    us = {who: statistics.median(of) for who, of in spent.items()}
    bound = (us["server"] + us["loader"]) / (us["server"] + us["applier"])
    yield Figure("apply-rate", results, 0.95, "higher", "txns/s",
                 f"CPU per txn: the server {us['server']:.1f} us, the loader {us['loader']:.1f} without decoding, "
                 f"the applier {us['applier']:.1f}; where they are short of processors that makes {bound:.2f}")


def fill(bench, broker, name, nodes, txns, seed, ops=1):
    """(file, last zxid) of batches that a queue of the broker holds as well."""
    file, last = stage.batches(bench, name, nodes, txns, seed, ops)
    tools.run("bench_amqp", broker.port, "admin", broker.passwords["admin"], "fill", name, "bj", file)
    return file, last


def empty(bench, broker, ensemble, zk, name, last):
    """The rate of an applier that finds all in its queue."""
    applier = stage.applier(bench, ensemble, {name: (broker.uri("admin"), broker.passwords["admin"])}, name)
    applier.start()
    rate = reach(zk, name, last)
    applier.stop()
    return rate


def drain_once(bench, broker, ensemble, zk, name, nodes, txns, seed, ops=1):
    """(bare loader's rate, rate of an applier that finds as much in its queue) for the same batches."""
    file, last = fill(bench, broker, name, nodes, txns, seed, ops)
    base = loader(ensemble, file, name)
    return base["per_s"], empty(bench, broker, ensemble, zk, name, last)


def drain(bench):
    """A filled queue of a RabbitMQ on the same machine, against the bare loader."""
    nodes, txns = 10000, bench.pick(400000, 200000)
    broker = bench.broker("o", [])
    ensemble = bench.ensemble("destination")
    zk = stage.client(bench, ensemble)
    tools.run("bench_zk", ensemble.connect_string, "create", "registry", nodes)
    warm_up = drain_once(bench, broker, ensemble, zk, "warm", nodes, 100000, 0)
    bench.say(f"  warm-up: {warm_up}")
    results = bench.measure(lambda number: drain_once(bench, broker, ensemble, zk, f"o{number}", nodes, txns, number * txns))
    yield Figure("drain", results, 0.80, "higher", "txns/s")


def tree_size(bench):
    """The same batches at a destination with a large tree and many watches, and at one with a small tree."""
    small, large = 10000, bench.pick(1000000, 100000)
    txns, turns, ensembles = 200000, bench.pick(3, 1), {}
    for nodes in (small, large):
        ensemble = ensembles[nodes] = bench.ensemble(f"tree-{nodes}", "4g")
        tools.run("bench_zk", ensemble.connect_string, "create", "registry", nodes)
        watcher = bench.running("bench_zk", ensemble.connect_string, "watch", "registry", nodes, 3600)
        bench.say(f"  {watcher.line(300)} at {nodes} nodes")
    clients = {nodes: stage.client(bench, ensemble) for nodes, ensemble in ensembles.items()}
    numbers, bare = itertools.count(1), []

    def at_both(number, measure):
        return in_changing_order(number, lambda: measure(small), lambda: measure(large))

    def one_turn(_):
        number = next(numbers)
        name = f"o{number}"
        file, last = stage.batches(bench, name, small, txns, number * txns)
        few, many = at_both(number, lambda nodes: loader(ensembles[nodes], file, name)["per_s"])
        bare.append(many / few)
        rates = at_both(number, lambda nodes: replay(bench, ensembles[nodes], clients[nodes], name, file, last)[0])
        os.unlink(file)
        return rates

    bench.say(f"  warm-up: {one_turn(0)}")
    bare.clear()
    results = bench.measure(lambda _: in_turns(turns, one_turn))
    yield Figure("tree-size", results, 0.9, "higher", "txns/s",
                 f"{large:,} nodes and watches against {small:,}; a bare loader's ratio: {statistics.median(bare):.2f}")


def replay(bench, ensemble, zk, name, file, last):
    """The rate of an applier that takes its batches from a file, and the CPU that it takes, in microseconds."""
    applier = stage.applier_of_file(bench, ensemble, name, file)
    applier.start()
    rate = reach(zk, name, last)
    seconds = cpu.process_seconds(applier.process.pid)
    applier.stop()
    return rate, 1e6 * seconds
