"""What test.sh runs: the parts, in lanes that run side by side. What computes (builds, units, lint) has one lane, what mostly waits
(the chaos run, tests against live servers; the scenarios end to end, with workers of their own) has others."""

import os
import re
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

from supervise import Part
from zoosites import build, maven

LIVE = "^unit[.]applier_live"
MINUTE = 60  # seconds
CHAOS_NOT_JUDGED = 3  # exit status of tests/chaos/run


class Failed(Exception):
    """A step of a part: the rest of it makes no sense."""


def sh(*argv, **environment):
    if subprocess.run(argv, cwd=build.ROOT, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, check=False).returncode:
        raise Failed(f"failed: {' '.join(argv)}")


def make(preset, *targets):
    sh("tests/harness/build.sh", preset, *targets)


class Run:
    """One call of test.sh. Its directory holds the logs of its parts, and goes when all is well."""

    def __init__(self, arguments=()):
        self.arguments = list(arguments)
        self.dir = tempfile.mkdtemp(prefix="zoospan-test.", dir="/tmp")

    def path(self, name):
        return os.path.join(self.dir, name)

    # --- what the parts do -----------------------------------------------------------------------------------------------

    def release(self):
        make("release")
        sh("sh", "tests/lint/failpoints.sh", "build/release", "no")

    def ctest(self, preset, *arguments):
        """By what it leaves, the slowest tests are found."""
        sh("ctest", "--preset", preset, "--output-junit", self.path(f"{time.monotonic_ns()}.junit.xml"), *arguments)

    def some_of(self, preset, *arguments):
        """Of a preset that runs a few tests only what these need is built."""
        sh("cmake", "--preset", preset, "--log-level=ERROR")
        listed = subprocess.run(["ctest", "--preset", preset, "-N"], cwd=build.ROOT, capture_output=True, text=True, check=True)
        targets = [{"unit": "test", "fuzz": "fuzz"}[kind] + "_" + name
                   for kind, name in re.findall(r": (unit|fuzz)\.(\S+)", listed.stdout)]
        if not targets:
            raise Failed(f"preset {preset} selects no test")
        make(preset, *targets)
        self.ctest(preset, *arguments)

    def unit_dev(self):
        """The tests against live servers are the longest: once is enough, with sanitizers."""
        make("dev")
        self.ctest("dev", "-LE", "lint", "-E", LIVE)

    def build_asan(self):
        make("asan-ubsan")

    def unit_asan(self):
        self.ctest("asan-ubsan", "-LE", "lint", "-E", LIVE)

    def live(self):
        self.ctest("asan-ubsan", "-R", LIVE)

    def lint(self):
        make("dev")
        self.ctest("dev", "-L", "lint")
        shell = subprocess.run(["git", "ls-files", "*.sh", ".ci/run"], cwd=build.ROOT, capture_output=True, text=True, check=True)
        for script in shell.stdout.split():
            sh("bash", "-n", script)

    def tsan(self):
        self.some_of("tsan")

    def fuzz(self):
        self.some_of("fuzz", "-j", "2")

    def chaos(self):
        """A storm after which ZooKeeper's own servers differ says nothing of us: another one is tried, twice at most."""
        for seed in (1, 2, 3):
            argv = self.arguments or ["--minutes", "1.5", "--seed", str(seed), "--zookeeper", maven.SOUND_ZOOKEEPER]
            code = subprocess.run(["tests/chaos/run", *argv], cwd=build.ROOT, stdin=subprocess.DEVNULL, check=False).returncode
            if code == 0:
                return
            if code != CHAOS_NOT_JUDGED or self.arguments:
                break
        raise Failed("failed: tests/chaos/run")

    @staticmethod
    def storm(seed):
        """Half an hour of it."""
        return lambda self: sh("tests/chaos/run", "--minutes", str(STORM_MINUTES), "--seed", str(seed), "--zookeeper", maven.SOUND_ZOOKEEPER,
                               "--kinds", ",".join(STORM_KINDS), *self.arguments)

    def thousands(self):
        """Ten times what the scenario of random writers does otherwise."""
        sh("/usr/bin/python3", "-B", "-m", "pytest", "-c", "tests/e2e/pytest.ini", "tests/e2e/test_008_random_workload.py",
           ZOOSPAN_RUN_DIR=self.path("e2e"), ZOOSPAN_OPERATIONS="40000")

    def fuzz_long(self):
        sh("cmake", "--preset", "fuzz", "--log-level=ERROR", "-DZS_FUZZ_SECONDS=280")
        try:
            self.fuzz()
        finally:
            sh("cmake", "--preset", "fuzz", "--log-level=ERROR", "-UZS_FUZZ_SECONDS")

    def e2e(self):
        """Several workers, each with brokers of its own, take one module after the other, the longest first. (Without -v: for that,
        xdist asks each worker two things, and then a worker may run its tests beside its main thread, where no alarm can be set.)"""
        arguments = self.arguments or ["-n", str(workers()), "--dist", "loadfile"]
        sh("/usr/bin/python3", "-B", "-m", "pytest", "-c", "tests/e2e/pytest.ini", "tests/e2e",
           f"--junitxml={self.path('e2e.junit.xml')}", *arguments, ZOOSPAN_RUN_DIR=self.path("e2e"))

    # --- running them ----------------------------------------------------------------------------------------------------

    def start(self, step, log):
        def run():
            try:
                step.run(self)
            except Failed as failure:
                print(failure, file=sys.stderr, flush=True)
                return 1
            return 0
        return Part(run, log, step.minutes * MINUTE, step.nice)

    def all(self, lanes, last=None):
        """Runs the lanes side by side, each step after the one before it; a failure stops only what needs the failed one. What a
        step printed is shown when it is over, that of `last` at the very end."""
        lanes = [list(lane) for lane in lanes]
        running, done = {}, {}
        watch = selectors.DefaultSelector()
        try:
            while lanes or running:
                for lane in [lane for lane in lanes if lane[0].after is None or lane[0].after in done]:
                    if any(other is lane for other, _ in running.values()):
                        continue
                    if lane[0].after and done[lane[0].after]["code"]:
                        done[lane[0].name] = {"code": 1, "wall_s": 0, "cpu_s": 0, "said": f"needs: {lane[0].after}"}
                        lane.pop(0)
                    else:
                        part = self.start(lane[0], self.path(lane[0].file))
                        running[part] = lane, lane[0]
                        watch.register(part.read_end, selectors.EVENT_READ, part)
                lanes = [lane for lane in lanes if lane]
                if not running:
                    continue
                for key, _ in watch.select():
                    part = key.data
                    watch.unregister(part.read_end)
                    lane, step = running.pop(part)
                    done[step.name] = part.join()
                    lane.pop(0)
                    if step.name != last:
                        self.show(step)
                    print(line(step.name, done[step.name]), flush=True)
                lanes = [lane for lane in lanes if lane]
        except KeyboardInterrupt:
            for part in running:
                part.stop()
            for part in running:
                part.join()
            print("test.sh: interrupted; everything that was started is stopped", file=sys.stderr)
            self.end(True)
            sys.exit(130)
        return done

    def show(self, step):
        print(f"=== {step.name}", flush=True)
        with open(self.path(step.file), errors="replace") as log:
            shutil.copyfileobj(log, sys.stdout)

    def slowest(self, count=10):
        """(seconds, test) of every runner's own record."""
        found = []
        for name in os.listdir(self.dir):
            if name.endswith(".junit.xml"):
                for case in xml.etree.ElementTree.parse(self.path(name)).iter("testcase"):
                    where = case.get("classname", "")
                    found.append((float(case.get("time") or 0), case.get("name") if where == case.get("name") else
                                  f"{where}::{case.get('name')}"))
        return sorted(found, reverse=True)[:count]

    def end(self, failed):
        """What was mounted here is left only by a part that was broken off."""
        with open("/proc/mounts") as mounts:
            left = [mount.split()[1] for mount in mounts if mount.split()[1].startswith(self.dir + "/")]
        for folder in left:
            subprocess.run(["umount", "--lazy", folder], check=False, timeout=60)
        if failed:
            print(f"test.sh: something FAILED; logs, configuration and data of this run are kept in {self.dir}", file=sys.stderr)
        else:
            shutil.rmtree(self.dir, ignore_errors=True)
        return 1 if failed else 0


def workers():
    """As many as the memory carries, and two cores: each has three brokers and the servers of one world."""
    with open("/proc/meminfo") as lines:
        available_mb = int(re.search(r"MemAvailable:\s+(\d+)", lines.read()).group(1)) // 1024
    return max(1, min(3, (available_mb - 3000) // 1500))


def line(name, result):
    verdict = "passed" if result["code"] == 0 else "FAILED"
    return f"{name:<28} {verdict}  {result['wall_s']:6.0f} s  {result['cpu_s']:6.0f} s CPU  {result.get('said', '')}".rstrip()


class Step:
    """One part. `after`: the one whose work it needs. `nice`: what computes lets those go first that wait for something."""

    def __init__(self, name, run, after=None, minutes=20, nice=0):
        self.name, self.run, self.after, self.minutes, self.nice = name, run, after, minutes, nice
        self.file = re.sub(r"\W+", "-", name).strip("-") + ".log"


RELEASE = Step("release build", Run.release)
ASAN = Step("ASan + UBSan build", Run.build_asan)
DEV = Step("unit, Java, golden (dev)", Run.unit_dev, nice=5)
UNIT_ASAN = Step("unit (ASan + UBSan)", Run.unit_asan, after=ASAN.name, nice=5)
LINT = Step("lint", Run.lint, minutes=30, nice=5)
TSAN = Step("unit, threads (TSan)", Run.tsan, nice=5)
FUZZ = Step("fuzz (bounded)", Run.fuzz, nice=5)
LIVE_STEP = Step("applier, live (ASan + UBSan)", Run.live, after=ASAN.name, minutes=25)
CHAOS = Step("chaos (random faults)", Run.chaos, after=RELEASE.name, minutes=30)
E2E = Step("end to end", Run.e2e, after=RELEASE.name, minutes=35)

# What takes long, one after the other. tests/chaos/RUNS.md keeps what came of it.
STORM_MINUTES, SEEDS = 30, (1, 2, 3)
STORM_KINDS = ["slow", "resync", "sizes", "contended"]
LONG = [RELEASE, *(Step(f"chaos, seed {seed}", Run.storm(seed), minutes=120) for seed in SEEDS),
        Step("random writers, long", Run.thousands, minutes=60), Step("fuzz, long", Run.fuzz_long, minutes=90)]

ALONE = {"long": LONG, "unit": [DEV, ASAN, UNIT_ASAN, LIVE_STEP, TSAN], "lint": [LINT], "fuzz": [FUZZ], "chaos": [RELEASE, CHAOS],
         "e2e": [RELEASE, E2E]}


def everything():
    """Returns the exit code."""
    run, started = Run(), time.monotonic()
    # What one build directory has of servers, one ctest at a time may have: those of a preset stand in one lane.
    done = run.all([[RELEASE, ASAN, DEV, LINT, TSAN, FUZZ], [CHAOS, LIVE_STEP, UNIT_ASAN], [E2E]], last=E2E.name)
    print("--- wall time and CPU time of each part, which ran side by side")
    for name, result in done.items():
        print(line(name, result))
    print(f"all: {time.monotonic() - started:.0f} s, {sum(result['cpu_s'] for result in done.values()):.0f} s CPU")
    print("--- the ten slowest tests")
    for seconds, name in run.slowest():
        print(f"{seconds:7.1f} s  {name}")
    if os.path.exists(run.path(E2E.file)):
        run.show(E2E)
    sys.stdout.flush()
    return run.end(any(result["code"] for result in done.values()))


def some(name, arguments):
    """One part, whose output is seen as it comes. Arguments are the test runner's own."""
    run, failed = Run(arguments), False
    for step in ALONE[name]:
        print(f"=== {step.name}", flush=True)
        part = run.start(step, None)
        try:
            result = part.join()
        except KeyboardInterrupt:
            part.stop()
            part.join()
            run.end(True)
            sys.exit(130)
        failed = failed or result["code"] != 0
        if name != "e2e":
            print(line(step.name, result), flush=True)
        if failed and step in (RELEASE, ASAN):
            break
    return run.end(failed)


if __name__ == "__main__":
    sys.exit(everything() if sys.argv[1:] == ["all"] else some(sys.argv[1], sys.argv[2:]))
