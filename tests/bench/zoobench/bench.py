"""One run: its directory, its rounds, and whatever a row has started, which ends with the row."""

import contextlib
import itertools
import os
import shutil
import statistics
import sys
import tempfile
import traceback

from zoosites.broker import Broker, Epmd
from zoosites.processes import stop_all
from zoosites.zk import Ensemble

from . import tools
from .cpu import Stolen

STOLEN_MAX = 0.05
# As a server would be run: with the optimising compiler and a heap that does not grow while it is measured.
JVM = ["-XX:TieredStopAtLevel=4", "-Xms{0}", "-Xmx{0}"]


class Bench:
    def __init__(self, arguments):
        self.quick, self.keep = arguments.quick, arguments.keep
        self.rounds = arguments.rounds or (2 if self.quick else 5)
        self.broken = False
        self.row = contextlib.ExitStack()
        self.numbers = itertools.count(1)

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="zoospan-bench.", dir="/tmp")
        return self

    def __exit__(self, *_):
        self.end_row()
        if self.keep or self.broken:
            self.say(f"configuration, data and logs are kept in {self.dir}")
        else:
            shutil.rmtree(self.dir, ignore_errors=True)

    def say(self, text):
        print(text, file=sys.stderr, flush=True)

    def failed(self, failure):
        self.broken = True
        traceback.print_exception(failure, file=sys.stderr)

    def end_row(self):
        self.row.close()
        self.row = contextlib.ExitStack()

    def pick(self, full, quick):
        return quick if self.quick else full

    # --- rounds -------------------------------------------------------------------------------------------------------

    def measure(self, one_round, rounds=None):
        """Calls one_round(number), which returns what it measured, until enough rounds count. One in which the host took more
        than 5 % of the processors away does not; if too many are like that, fewer rounds count."""
        wanted = rounds or self.rounds
        results = []
        for number in range(3 * wanted):
            stolen = Stolen()
            result = one_round(number)
            if stolen.share() > STOLEN_MAX:
                self.say(f"  a round does not count: {100 * stolen.share():.0f} % of the processors were stolen")
                continue
            self.say(f"  round {len(results) + 1}: {result}")
            results.append(result)
            if len(results) == wanted:
                break
        if not results:
            raise RuntimeError("no quiet round: the host takes too much of the processors away")
        return results

    # --- what is started ------------------------------------------------------------------------------------------------

    def directory(self, name):
        directory = os.path.join(self.dir, f"{next(self.numbers)}-{name}")
        os.makedirs(directory)
        return directory

    def ensemble(self, name, heap="1g", plugin=None, start=True):
        """One standalone ZooKeeper; `plugin`: its zoospan.* lines, without the prefix."""
        ensemble = Ensemble(self.directory(name), voters=0)
        server = ensemble.servers[0]
        tune(server, heap)
        if plugin:
            server.plugin = {f"zoospan.{key}": value for key, value in plugin.items()}
        ensemble.write_config()
        self.row.callback(ensemble.stop)
        if start:
            ensemble.start()
            ensemble.wait_serving()
        return ensemble

    def epmd(self):
        epmd = Epmd(self.directory("epmd"))
        epmd.start()
        self.row.callback(epmd.stop)
        return epmd

    def broker(self, site, destinations):
        """One RabbitMQ with the users of its plugin and of its destinations' appliers."""
        broker = Broker(self.directory(f"rabbitmq-{site}"), site, self.epmd())
        broker.allow_sender()
        for destination in destinations:
            broker.allow_applier(destination)
        broker.write_config()
        broker.start()
        self.row.callback(lambda: stop_all([broker.process], 30))
        broker.wait_ready()
        return broker

    def running(self, name, *arguments):
        program = tools.Running(name, *arguments)
        self.row.callback(program.stop)
        return program


def in_turns(turns, one_turn):
    """What one_turn(number) measures, a tuple, many times: the median of each. What spoils a turn does not spoil the round."""
    return tuple(statistics.median(values) for values in zip(*map(one_turn, range(turns))))


def in_changing_order(number, baseline, ours):
    """(baseline(), ours()), the one or the other first, by the turn's number, and each with what was written before on the disk."""
    parts = (baseline, ours) if number % 2 else (ours, baseline)
    results = []
    for part in parts:
        os.sync()
        results.append(part())
    return tuple(results if number % 2 else reversed(results))


def tune(server, heap="1g"):
    server.jvm = [flag.format(heap) for flag in JVM]
    server.settings["preAllocSize"] = 65536  # ZooKeeper's own default
