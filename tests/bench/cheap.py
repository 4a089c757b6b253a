"""The cheap rows as tests: one short round each, against bounds so wide that only a mistake passes them, in a build of any kind.

cheap.py NAME BUILD   BUILD is the build's directory"""

import argparse
import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
HARNESS = HERE.parent / "harness"
sys.path[:0] = [str(HERE), str(HARNESS)]
NAME, os.environ["ZOOSPAN_BUILD_DIR"] = sys.argv[1:]  # what is imported next looks for its programs there

from zoobench import rows_origin, stage, tools  # noqa: E402
from zoobench.bench import Bench  # noqa: E402
from zoobench.cpu import process_seconds  # noqa: E402


def run(program, *arguments):
    return tools.run(program, *arguments, timeout_s=240)


def encode():
    """Optimised it is 0.5; without optimisation only our half gets slower."""
    result = run("bench_pure", "encode", "registry")
    yield "txns/s against LZ4 alone", result["ours"] / result["baseline"], 0.1, None
    yield "allocations while warm", result["allocations"], None, 0


def wire():
    for txns, most in ((1, 1.1), (10, 0.45), (256, 0.33)):
        result = run("bench_pure", "wire", "registry", txns)
        yield f"bytes of a batch of {txns} against its txns'", result["ours"] / result["baseline"], None, most


@contextlib.contextmanager
def zookeeper():
    """(host:port, process id) of a server of our own."""
    with tempfile.TemporaryDirectory(prefix="zoospan-cheap.") as top:
        directory = os.path.join(top, "zookeeper")
        script = [str(HARNESS / "zookeeper.sh")]
        try:
            subprocess.run([*script, "start", directory], check=True, timeout=60)
            words = [pathlib.Path(directory, name).read_text().strip() for name in ("port", "pid")]
            yield f"127.0.0.1:{words[0]}", int(words[1])
        finally:
            subprocess.run([*script, "stop", directory], check=True, timeout=60)


def tap_us():
    """Our tap's time per txn in a JVM of its own, with a link that sends to a sink."""
    with Bench(argparse.Namespace(quick=True, keep=False, rounds=1)) as bench:
        return rows_origin.tap(stage.Sink(bench), 0, 200000)


def capture_cost():
    with zookeeper() as (host, pid):
        run("bench_zk", host, "create", "registry", 1000)
        run("bench_zk", host, "set", "registry", 1000, 256, 0, 2)
        before = process_seconds(pid)
        done = run("bench_zk", host, "set", "registry", 1000, 256, 0, 3)["done"]
        write_us = 1e6 * (process_seconds(pid) - before) / done
    yield "CPU of the tap against a write's", tap_us() / write_us, None, 0.1


ROWS = {"encode": encode, "wire": wire, "capture-cost": capture_cost}


def main():
    failed = False
    for what, value, least, most in ROWS[NAME]():
        wrong = (least is not None and value < least) or (most is not None and value > most)
        failed |= wrong
        print(f"{what}: {value:.3f}{' (allowed: ' if wrong else ''}"
              f"{f'{least} or more)' if wrong and least is not None else f'{most} or less)' if wrong else ''}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
