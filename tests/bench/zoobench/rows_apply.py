"""How fast a destination applies what it is given."""

import time

from . import cpu, stage, tools
from .figures import Figure

OPS, DEPTH = 128, 8  # zoospan.multi_ops_max and zoospan.depth, as they are without configuration


def reach(zk, origin, last, timeout_s=300):
    """Waits for the marker to come to `last`. Returns txns per second between its first move that was seen and the last."""
    deadline = time.monotonic() + timeout_s
    first = None
    while time.monotonic() < deadline:
        zxid, _ = stage.marker(zk, origin)
        now = time.monotonic()
        if zxid and first is None:
            first = (zxid, now)
        if zxid >= last:
            return (zxid - first[0]) / (now - first[1])
        time.sleep(0.003)
    raise RuntimeError(f"the marker of {origin} is at {zxid:x} of {last:x} after {timeout_s} s")


def loader(ensemble, file, number):
    """The bare loader's rate for the same batches."""
    return tools.run("bench_multis", ensemble.connect_string, file, f"/loader-{number}", OPS, DEPTH)


def apply_rate(bench):
    """The applier replays batches of a file, handed to it by a sink; a bare loader sends the same multis."""
    nodes, txns = 10000, bench.pick(400000, 200000)
    ensemble = bench.ensemble("destination")
    zk = stage.client(bench, ensemble)
    tools.run("bench_zk", ensemble.connect_string, "create", "registry", nodes)

    def one_round(number):
        origin = f"o{number}"
        file, last = stage.batches(bench, origin, nodes, txns, number * txns)
        base = loader(ensemble, file, number)
        sink = stage.Sink(bench, file)
        applier = stage.applier(bench, ensemble, {origin: (sink.uri(), sink.password_file)})
        applier.start()
        ours = reach(zk, origin, last)
        seconds = cpu.process_seconds(applier.process.pid)
        status = applier.status()["links"][0]
        applier.stop()
        sink.stop()
        return base["per_s"], ours, {"applier_cpu_us": 1e6 * seconds / txns, "loader_cpu_us": base["cpu_us"],
                                     "multis": status.get("multis")}

    results = bench.measure(one_round)
    yield Figure("apply-rate", [result[:2] for result in results], 0.95, "higher", "txns/s")
