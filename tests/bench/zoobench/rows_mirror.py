"""Against etcdctl make-mirror, which is what one would use between two etcds."""

import signal
import statistics
import subprocess
import time

from . import rows_apply, rows_sites, stage, tools
from .etcd import ENVIRONMENT, Mirror
from .figures import Figure

NODES, CONNECTIONS = 10000, 64


def live(bench):
    """Single writes: the rate that comes out at the other side while the source takes what it can, or 2,000 a second, whichever is
    better for the mirror."""
    mirror = Mirror(bench, NODES)
    pair = stage.Pair(bench, NODES)
    seconds = bench.pick(5, 2)

    def mirrored(rate):
        before = mirror.copy.revision()
        tools.run("bench_etcd", mirror.source.port, "put", NODES, CONNECTIONS, rate, seconds)
        after = mirror.copy.revision()
        mirror.settle()
        return (after - before) / seconds

    def ours():
        before = pair.there()
        tools.run("bench_zk", pair.sh.connect_string, "set", "registry", NODES, rows_sites.WINDOW, 0, seconds)
        after = pair.there()
        pair.wait_equal()
        return (after - before) / seconds

    ours()
    results = bench.measure(lambda _: (max(mirrored(0), mirrored(2000)), ours()))
    yield Figure("vs-make-mirror-live", results, 7, "higher", "writes/s")


def drain(bench):
    """A backlog: the mirror is stopped while it comes about; our applier finds it in its queue."""
    mirror = Mirror(bench, NODES)
    broker = bench.broker("o", [])
    ensemble = bench.ensemble("destination")
    zk = stage.client(bench, ensemble)
    tools.run("bench_zk", ensemble.connect_string, "create", "registry", NODES)
    for keys, revisions, goal in ((1, bench.pick(8000, 4000), 70), (100, bench.pick(1200, 600), 5)):
        txns = bench.pick(400000, 200000) // keys

        def one_round(number, keys=keys, revisions=revisions, txns=txns):
            theirs = keys * mirrored_backlog(mirror, keys, revisions)
            bare, ours = rows_apply.drain_once(bench, broker, ensemble, zk, f"o{keys}-{number}", NODES, txns, 0, keys)
            return theirs, keys * ours, bare

        one_round(99)
        results = bench.measure(one_round)
        limit = statistics.median(bare for _, _, bare in results)
        yield Figure(f"vs-make-mirror-drain-{keys}", [result[:2] for result in results], goal, "higher", "keys/s",
                     f"{keys} keys in a revision or txn; what ZooKeeper takes of the same from a bare loader: {limit:,.0f} keys/s")


def mirrored_backlog(mirror, keys, revisions):
    """Revisions per second; one revision of the source is one of the copy."""
    mirror.process.signal(signal.SIGSTOP)
    before = mirror.copy.revision()
    tools.run("bench_etcd", mirror.source.port, "txn", NODES, 16, keys, revisions)
    mirror.process.signal(signal.SIGCONT)
    begin = time.monotonic()
    tools.wait_until("the mirror", 120, lambda: mirror.copy.revision() >= before + revisions, 0.005)
    return revisions / (time.monotonic() - begin)


def lag(bench):
    """100 writes a second, from a write's acknowledgement to its event at the other side."""
    mirror = Mirror(bench, NODES)
    pair = stage.Pair(bench, NODES)
    seconds = bench.pick(6, 3)

    def mirrored():
        watch = subprocess.Popen(["etcdctl", "--endpoints", mirror.copy.endpoint, "watch", "--prefix", "/registry"],
                                 env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        try:
            time.sleep(1)  # it says nothing when it is ready
            return tools.run("bench_etcd", mirror.source.port, "lag", NODES, 100, seconds, stdin=watch.stdout)["p50_us"]
        finally:
            watch.kill()
            watch.wait()
            watch.stdout.close()

    results = bench.measure(lambda _: (mirrored(), rows_sites.lag(pair, 100, 100, seconds)["p50_us"]))
    yield Figure("lag-vs-mirror", results, 1.5, "lower", "us (p50)")
