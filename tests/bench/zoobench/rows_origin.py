"""What the plugin costs the server that carries it. The broker is a sink (bench_sink): one on the same processors would be
measured along with it."""

import json
import subprocess

from zoosites import build

from . import cpu, stage, tools
from .bench import JVM, in_turns
from .figures import Figure

NODES, WINDOW, BYTES = 10000, 256, 300


def servers(bench, destinations=("bj",)):
    """(without the plugin, with it), both with the same nodes."""
    plain = bench.ensemble("plain")
    sink = stage.Sink(bench)
    carrier, _ = stage.origin(bench, "carrier", sink.uri(), sink.password_file, destinations)
    stage.wait_live(carrier.servers[0])
    for ensemble in (plain, carrier):
        tools.run("bench_zk", ensemble.connect_string, "create", "registry", NODES)
    return plain, carrier


def write(ensemble, rate, seconds):
    return tools.run("bench_zk", ensemble.connect_string, "set", "registry", NODES, WINDOW, rate, seconds, BYTES)


def both(one, other, measure, turns):
    """(of one, of other): the median of each one's turns. Who begins changes from turn to turn, and turns are short: a disk that
    stalls for a second spoils one of them and not the round."""
    def one_turn(number):
        if number % 2 == 0:
            return measure(one), measure(other)
        of_other = measure(other)
        return measure(one), of_other

    return in_turns(turns, one_turn)


def warm_up(bench, ensembles):
    for ensemble in ensembles:
        write(ensemble, 0, bench.pick(8, 5))


def turn_seconds(bench):
    return bench.pick(3, 2)


def origin_throughput(bench):
    plain, carrier = servers(bench)
    warm_up(bench, (plain, carrier))
    turns, seconds = bench.pick(3, 2), turn_seconds(bench)
    results = bench.measure(lambda _: both(plain, carrier, lambda e: write(e, 0, seconds)["per_s"], turns))
    yield Figure("origin-throughput", results, 0.98, "higher", "writes/s")


def origin_latency(bench):
    plain, carrier = servers(bench)
    warm_up(bench, (plain, carrier))
    turns, seconds = bench.pick(5, 2), turn_seconds(bench)
    one_round = lambda _: both(plain, carrier, lambda e: write(e, 500, seconds)["p99_us"], turns)
    one_round(0)  # compilers, and the disk after the warm-up
    yield Figure("origin-latency", bench.measure(one_round), 1.05, "lower", "us (p99)")


def cpu_per_write(ensemble, rate, seconds):
    """The server process's time per write, in microseconds."""
    pid = ensemble.servers[0].process.pid
    before = cpu.process_seconds(pid)
    done = write(ensemble, rate, seconds)["done"]
    return 1e6 * (cpu.process_seconds(pid) - before) / done


def fan_out(bench):
    ensembles = []
    for name, destinations in (("one", ("bj",)), ("three", ("bj", "gz", "cd"))):
        sink = stage.Sink(bench)
        ensemble, _ = stage.origin(bench, name, sink.uri(), sink.password_file, destinations)
        stage.wait_live(ensemble.servers[0])
        tools.run("bench_zk", ensemble.connect_string, "create", "registry", NODES)
        ensembles.append(ensemble)
    warm_up(bench, ensembles)
    turns, seconds = bench.pick(3, 2), turn_seconds(bench)
    results = bench.measure(lambda _: both(*ensembles, lambda e: cpu_per_write(e, 4000, seconds), turns))
    yield Figure("fan-out", results, 1.5, "lower", "us of CPU per write")


def tap(sink, rate, count):
    """Processor time of the commit thread in our tap, in microseconds per txn (see TapBench.java)."""
    jars = [tools.path("zoospan-bench.jar"), build.plugin_jar(), *build.ZOOKEEPER_JARS]
    argv = ["java", "-XX:+UseSerialGC", *(flag.format("512m") for flag in JVM),
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", ":".join(jars), "io.zoospan.TapBench",
            build.plugin_library(), str(sink.port), sink.password_file, str(rate), str(count)]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise RuntimeError(f"TapBench: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])["tap_us"]


def capture_cost(bench):
    """At the server's limit, where txns are committed one behind the other; and at 1,000/s, where each wakes the link up."""
    plain = bench.ensemble("plain")
    sink = stage.Sink(bench)
    tools.run("bench_zk", plain.connect_string, "create", "registry", NODES)
    warm_up(bench, (plain,))
    seconds = bench.pick(4, 2)
    results = bench.measure(lambda _: (cpu_per_write(plain, 0, seconds), tap(sink, 0, 400000)))
    yield Figure("capture-cost", results, 0.01, "lower", "us of CPU per write")
    results = bench.measure(lambda _: (cpu_per_write(plain, 1000, seconds), tap(sink, 1000, 1000 * seconds)))
    yield Figure("capture-cost-1000", results, 0.01, "lower", "us of CPU per write")
