"""Whole sites for the scenarios: brokers are started once (they are slow), ensembles and appliers are fresh for every
module. Everything lies beneath ZOOSPAN_RUN_DIR (or a temporary directory) and is kept when something failed."""

import itertools
import logging
import os
import pathlib
import signal
import sys
import tempfile
import urllib.error
import urllib.parse

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "harness"))

from helpers import eventually  # noqa: E402
from zoosites.broker import Broker  # noqa: E402
from zoosites.judge import Judge  # noqa: E402
from zoosites.processes import stop_all  # noqa: E402
from zoosites.site import Epmd, World  # noqa: E402

logging.getLogger("kazoo").setLevel(logging.CRITICAL)
SITES = ["sh", "bj", "gz"]
TEST_S = 600  # no test takes so long: it hangs
# Workers take modules in this order, so that none begins a long one at the end. What is not named comes first.
LONGEST_FIRST = ["test_018_resync", "test_012_broker_faults", "test_015_logs", "test_014_roles", "test_003_restarts",
                 "test_022_images_after_faults", "test_016_disk_full", "test_011_catch_up", "test_001_two_sites", "test_017_limits",
                 "test_008_random_workload", "test_009_curator_and_roles", "test_024_truncation", "test_007_three_sites",
                 "test_002_filters", "test_019_dictionaries", "test_023_rollover", "test_005_bad_options", "test_004_standalone",
                 "test_013_quarantine", "test_006_pairs", "test_010_secrets", "test_000_judge"]


class Brokers:
    """Started when first asked for, shared by all modules, with the users of a full mesh of SITES."""

    def __init__(self, directory):
        self.dir, self.running = directory, {}
        self.epmd = Epmd(directory)
        self.epmd.start()

    def get(self, names):
        fresh = [name for name in names if name not in self.running]
        for name in fresh:
            self.running[name] = self.new(name, os.path.join(self.dir, f"rabbitmq-{name}"))
            self.running[name].write_config()
            self.running[name].start()
        for name in fresh:
            self.running[name].wait_ready()
        for name in names:
            if not self.running[name].process.alive():
                self.running[name].start()
                self.running[name].wait_ready()
            wipe(self.running[name])
        return {name: self.running[name] for name in names}

    def new(self, name, directory):
        """One that is not shared, and whoever asks for it starts and stops it."""
        broker = Broker(directory, name, self.epmd)
        broker.allow_sender()
        for other in SITES:
            if other != name:
                broker.allow_applier(other)
        return broker

    def stop(self):
        stop_all([broker.process for broker in self.running.values()], 30)
        self.epmd.stop()


def wipe(broker):
    """Removes what earlier scenarios declared: every ensemble is a new one, so their queues mean nothing to it."""
    for kind in ("queues", "exchanges"):
        ours = lambda: [one["name"] for one in broker.api("GET", f"/api/{kind}/%2F") if one["name"].startswith("zoospan.")]
        eventually(lambda: not [name for name in ours() if not remove(broker, kind, name)], what=f"the end of old {kind}")


def remove(broker, kind, name):
    """False: its owner's connection has not ended yet, or it went with that."""
    try:
        broker.api("DELETE", f"/api/{kind}/%2F/{urllib.parse.quote(name, safe='')}")
    except urllib.error.HTTPError:
        return False
    return True


@pytest.fixture(scope="session")
def run_dir():
    """Of this worker alone, where several run (pytest-xdist)."""
    top = os.environ.get("ZOOSPAN_RUN_DIR") or tempfile.mkdtemp(prefix="zoospan-e2e.", dir="/tmp")
    own = os.path.join(top, os.environ.get("PYTEST_XDIST_WORKER", ""))
    os.makedirs(own, exist_ok=True)
    return own


@pytest.fixture(scope="session")
def brokers(run_dir):
    shared = Brokers(run_dir)
    yield shared
    shared.stop()


@pytest.fixture(scope="module")
def make_world(request, run_dir, brokers):
    """make_world(names, voters=..., start=..., plugin=..., applier=..., links=...) -> World; stopped after the module.
    `own_brokers`: sites whose broker is nobody else's; `prepare` has to write its configuration and to start it.
    `given`: brokers by site that somebody else has made, and starts and stops."""
    module = pathlib.Path(request.module.__file__).stem
    worlds, own, numbers = [], [], itertools.count(1)

    def make(names=("sh", "bj"), voters=1, observers=1, start=True, prepare=None, own_brokers=(),
             given=None, **options):
        directory = os.path.join(run_dir, module, str(next(numbers)))
        theirs = {name: brokers.new(name, os.path.join(directory, name, "rabbitmq")) for name in own_brokers}
        own.extend(theirs.values())
        theirs.update(given or {})
        theirs.update(brokers.get([name for name in names if name not in theirs]))
        world = World(directory, list(names), theirs, voters, observers)
        worlds.append(world)
        request.module.zoospan_worlds = worlds
        if prepare is not None:
            prepare(world)
        world.connect(**options)
        if start:
            world.start()
        return world

    yield make
    for world in worlds:
        world.stop()
    stop_all([broker.process for broker in own if broker.process is not None], 30)


@pytest.fixture(autouse=True)
def mended(request):
    """What a test that failed has stopped comes back for those after it."""
    yield
    if getattr(request.node, "broke", False):
        for world in getattr(request.module, "zoospan_worlds", []):
            world.mend()


@pytest.fixture(scope="module")
def judges():
    """judges(world) -> Judge, closed after the module."""
    made = []

    def make(world):
        made.append(Judge(world.sites))
        return made[-1]

    yield make
    for judge in made:
        judge.close()


@pytest.fixture(scope="module")
def judge(world, judges):
    """Of the module's own `world`."""
    return judges(world)


@pytest.fixture
def clients():
    """clients(site, ...) -> connected kazoo client without any rights of its own, closed after the test."""
    made = []

    def make(site, **settings):
        settings.setdefault("auth", False)
        made.append(site.client(**settings))
        return made[-1]

    yield make
    for client in made:
        client.stop()
        client.close()


def pytest_collection_modifyitems(items):
    order = {name: number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: order.get(item.path.stem, -1))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    """Whatever a test or what it is built on waits for, the wait ends: as a failure of this test."""
    def end(*_):
        pytest.fail(f"{item.nodeid} is not over after {TEST_S} s")
    signal.signal(signal.SIGALRM, end)
    signal.alarm(TEST_S)
    yield
    signal.alarm(0)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Puts the last lines of the appliers' and the plugin servers' logs beneath a failure."""
    report = (yield).get_result()
    if not report.failed:
        return
    item.broke = True
    for world in getattr(item.module, "zoospan_worlds", []):
        for process in world.processes():
            if process.log.endswith(("applier.log", "zookeeper.log")):
                lines = [line for line in process.tail(400).splitlines()
                         if "applier.log" in process.log or "zoospan" in line or "ERROR" in line]
                report.sections.append((process.log, "\n".join(lines[-12:])))


def pytest_runtest_logreport(report):
    """Names a failure when it happens; the whole story comes at the end."""
    if report.failed and "PYTEST_XDIST_WORKER" not in os.environ:
        print(f"\nFAILED {report.nodeid} ({report.when})", flush=True)


def _client(site):
    client = site.client()
    yield client
    client.stop()
    client.close()


@pytest.fixture
def sh(world):
    """A superuser's client of that site of the module's world."""
    yield from _client(world["sh"])


@pytest.fixture
def bj(world):
    yield from _client(world["bj"])
