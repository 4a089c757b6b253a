"""Kinds of trouble that a chaos run finds beside its single faults, if it is asked to: each with faults or a load of its own, an
act between two parts of the storm, or a verdict. What is chosen is chosen by the seed."""

import contextlib
import os
import random
import shutil
import subprocess
import threading
import time

from kazoo.exceptions import KazooException, NodeExistsError, NoNodeError
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.protocol.states import KazooState
from kazoo.security import ACL, Id

from . import build, wire, workload
from .clocks import Clock
from .faults import Fault
from .processes import wait_for

HURT = (KazooException, KazooTimeoutError, OSError)


class Kind:
    """All methods but the constructor may be left as they are."""

    sites = 2
    left_out = []  # tops that the judge does not compare
    acts = False
    heap_mb = 0  # that each server needs more

    def __init__(self, world, seed, say):
        self.world, self.random, self.say = world, random.Random(f"{type(self).__name__}/{seed}"), say
        self.of_all = random.Random(seed)  # the same for every kind

    def prepare(self):
        """Before anything is started."""

    def faults(self):
        return []

    def begin(self, seconds):
        """Its load, when all links are live."""

    def act(self, run):
        """Between two parts of the storm, when all is cured."""

    def end(self):
        """Its load, before the judge."""

    def complaints(self, judge):
        """At rest."""
        return []


class Slow(Kind):
    """Of three sites the way between two is long, breaks off and has holes."""

    sites = 3

    def prepare(self):
        self.way = self.world.way("sh", "gz", 300)

    def faults(self):
        yield Fault("a hole", "the way sh->gz", lambda: self.way.hole(True), lambda: self.way.hole(False), (1, 20))
        yield Fault("connections reset", "the way sh->gz", self.way.cut)
        yield Fault("a longer way", "the way sh->gz", lambda: self.way.far(2000), lambda: self.way.far(300), (1, 20))

    def complaints(self, judge):
        self.way.stop()
        return []


class Resync(Kind):
    """Somebody types `zoospan resync`, of all or of a part, at any moment."""

    def prepare(self):
        self.under_way = {}

    def faults(self):
        for site in self.world.sites:
            for other in self.world.sites:
                if other is not site:
                    for path in ("/", f"/{other.name}-0", f"/{site.name}-1"):
                        yield Fault(f"resync {path}", f"{site.name}/resync {other.name}",
                                    lambda site=site, other=other, path=path: self.type(site, other.name, path), self.finish, (2, 15))

    def type(self, site, origin, path):
        command = [build.cli_program(), "--config", site.applier.config, "resync", origin, "--no-wait", "--path", path]
        self.under_way[site.name, origin] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                                             stderr=subprocess.DEVNULL)

    def finish(self):
        for typed in self.under_way.values():
            if typed.poll() is None:
                typed.terminate()
            typed.wait(30)
        self.under_way.clear()


class Quarantine(Kind):
    """Clients of sh write what no other site can take. It stays where it was written, whatever images come and go."""

    TOP = "/quarantined"
    left_out = [TOP]

    def prepare(self):
        self.written = []
        for server in self.world["sh"].zk.servers:
            server.jvm.append("-Dzookeeper.authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider")

    def begin(self, seconds):
        self.client = self.world["sh"].client()
        self.client.ensure_path(self.TOP)

    def faults(self):
        yield Fault("a txn that bj cannot take", "sh/quarantined", self.write)

    def write(self):
        path = f"{self.TOP}/{len(self.written)}"
        with contextlib.suppress(*HURT):
            self.client.create_async(path, b"mine", acl=[ACL(31, Id("sasl", "somebody"))]).get(timeout=5)
            self.written.append(path)

    def end(self):
        self.client.stop()
        self.client.close()

    def complaints(self, judge):
        tree = judge.trees(self.TOP)["sh"]
        return [f"sh: {path}: was written here and is gone, as no other site could take it" for path in self.written if path not in tree]


class Sizes(Kind):
    """A mass of small nodes and a few as large as a server takes."""

    heap_mb = 320

    def begin(self, seconds):
        self.writers = [workload.Writer(site, f"mass-{self.random.random()}", root=f"/mass-{site.name}", only=workload.MASS, per_s=5,
                                        operations=int(seconds * 5)).start() for site in self.world.sites]

    def end(self):
        for writer in self.writers:
            writer.join(120)

    def complaints(self, judge):
        trees = judge.trees()
        return [f"{name}: {line}" for writer in self.writers for name in trees for line in workload.missing(writer, trees[name])]


class Contended(Kind):
    """Clients of all sites write the same nodes."""

    left_out = ["/contended"]

    def begin(self, seconds):
        self.load = workload.Contended(self.world.sites, self.random.random(), operations=int(seconds * 5), per_s=5).start()

    def end(self):
        self.load.join(120)

    def complaints(self, judge):
        found = self.load.invented(judge.trees())
        self.load.last_words(self.world.sites[-1])
        judge.left_out.remove("/contended")
        judge.wait_equal(120)
        return found


class Skew(Kind):
    """Clocks that are wrong by an hour and by seconds, and jump back (libfaketime): of an observer with the plugin at one site, of a
    voter, the other plugin's server and the applier at the other."""

    AHEAD_S = (3600, -3600, 30, -5)

    def prepare(self):
        here, there = self.world.sites[:2]
        self.clocks = {}
        for name, owner in (("carrier", here.zk.carriers[0]), ("carrier", there.zk.carriers[0]), ("voter", there.zk.servers[0]),
                            ("applier", there.applier)):
            clock = Clock(os.path.join(owner.dir, "clock"))
            owner.environment.update(clock.environment())
            self.clocks[f"{os.path.relpath(owner.dir, self.world.dir)} ({name})"] = clock

    def faults(self):
        for name, clock in self.clocks.items():
            for ahead_s in self.AHEAD_S:
                yield Fault(f"clock {ahead_s:+d} s", f"the clock of {name}", lambda clock=clock, ahead_s=ahead_s: clock.set(ahead_s),
                            lambda clock=clock: clock.set(0), (3, 30))


class Takeovers(Kind):
    """A service moves from one site to another, as Dubbo's and Curator's clients do it: the new one sees the registration of the old
    one as a copy, deletes it and registers. The old session ends before or after, and its end is none of the new one's."""

    TOP, PATHS, ROUNDS, PAUSE_S = "/takeover", 8, 400, 1.0
    left_out = [TOP]

    def prepare(self):
        self.holders = {}  # path -> (site, client, session); a session None: a persistent node
        self.stop_asked = threading.Event()
        self.taken = self.left = 0
        self.unsure = set()  # nodes that are no ephemerals and may or may not have been made

    def begin(self, seconds):
        client = self.world.sites[0].client()
        client.ensure_path(self.TOP)
        client.stop()
        client.close()
        self.thread = threading.Thread(target=self._run, args=(min(self.ROUNDS, int(seconds / self.PAUSE_S)),), daemon=True,
                                       name="takeovers")
        self.thread.start()

    def _run(self, rounds):
        for number in range(rounds):
            if self.stop_asked.wait(self.PAUSE_S):
                return
            path = f"{self.TOP}/{number % self.PATHS}-{number // (self.PATHS * 6)}"
            site = self.random.choice(self.world.sites)
            early, stays = self.random.random() < 0.5, self.random.random() < 0.2
            try:
                self._take(path, site, early, stays)
                self.taken += 1
            except HURT:
                self._abandon(path)
                if stays:
                    self.unsure.add(path)

    def _client(self, site):
        client = site.client(auth=False, timeout=15)
        return client, client.client_id[0]

    def _take(self, path, site, early, stays):
        """`early`: the old session ends before the new one has registered. `stays`: what is made anew is no ephemeral."""
        before = self.holders.get(path)
        if before is not None and (before[0] is site or before[2] is None):
            return
        client, session = self._client(site)
        try:
            if before is not None:
                self._wait_copy(client, path)
                if early:
                    self._close(before[1])
                with contextlib.suppress(NoNodeError):
                    client.delete(path)
            with contextlib.suppress(NodeExistsError):  # the copy of somebody's, once more: as those clients do
                wire.create(client, path, site.name.encode(), flags=wire.PERSISTENT if stays else wire.EPHEMERAL)
                self.holders[path] = site, client, None if stays else session
                client = None
                if before is not None and not early:
                    self._close(before[1])
                return
            self._abandon(path)
        finally:
            if client is not None:
                self._close(client)

    def _wait_copy(self, client, path):
        deadline = time.monotonic() + 20
        while client.exists(path) is None:
            if time.monotonic() > deadline:
                raise KazooTimeoutError("no copy")
            time.sleep(0.05)

    def _abandon(self, path):
        """What became of it is not known."""
        self.left += 1
        for holder in [self.holders.pop(path, None)]:
            if holder is not None:
                self._close(holder[1])

    @staticmethod
    def _close(client):
        with contextlib.suppress(*HURT):
            client.stop()
            client.close()

    def end(self):
        self.stop_asked.set()
        self.thread.join(180)
        assert not self.thread.is_alive(), "takeovers do not end"

    def complaints(self, judge):
        found, living = [], {}
        for path, (site, client, session) in self.holders.items():
            if session is None or (client.state == KazooState.CONNECTED and client.client_id[0] == session):
                living[path] = site, session
        for path, (site, session) in living.items():
            stat = judge.clients[site.name].exists(path)
            if stat is None:
                found.append(f"{site.name}: {path}: lives here and is gone" if session else
                             f"{site.name}: {path}: is no ephemeral, and is gone")
            elif stat.ephemeralOwner != (session or 0):
                found.append(f"{site.name}: {path}: is not what was registered here last: owner {stat.ephemeralOwner:#x}")
        self.say(f"{self.taken} takeovers, {self.left} of unknown outcome, {len(living)} registrations live")
        for _, client, _ in self.holders.values():
            self._close(client)
        stay = self.unsure | {path for path, (_, _, session) in self.holders.items() if session is None}
        return found + self._ghosts(judge, stay)

    def _ghosts(self, judge, stay, timeout_s=60):
        """Copies of registrations whose sessions have ended everywhere."""
        deadline = time.monotonic() + timeout_s
        while True:
            found = [f"{name}: {path}: its session has ended" for name, tree in judge.trees(self.TOP).items() for path in tree
                     if path != self.TOP and path not in stay]
            if not found or time.monotonic() > deadline:
                return found
            time.sleep(1)


class Rising:
    """One client writes rising numbers at its site and reads them there: what it reads is never older than what it wrote."""

    NODES, PER_S = 40, 20

    def __init__(self, site, root):
        self.site, self.root = site, root
        self.complaints, self.stop_asked = [], threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True, name=self.root)

    def start(self):
        self.client = self.site.client()
        self.client.ensure_path(self.root)
        for number in range(self.NODES):
            self.client.create(f"{self.root}/{number}", b"0")
        self.thread.start()
        return self

    def _run(self):
        number, least = 0, [0] * self.NODES
        while not self.stop_asked.wait(1 / self.PER_S):
            number += 1
            place = number % self.NODES
            with contextlib.suppress(*HURT):
                path = f"{self.root}/{place}"
                self.client.sync_async(path).get(timeout=5)
                read = int(self.client.get_async(path).get(timeout=5)[0])
                if read < least[place]:
                    self.complaints.append(f"{self.site.name}: {path}: was set back from {least[place]} to {read}")
                self.client.set_async(path, b"%d" % number).get(timeout=5)
                least[place] = number

    def end(self):
        self.stop_asked.set()
        self.thread.join(60)
        self.client.stop()
        self.client.close()
        return self.complaints


class Loss(Kind):
    """A site loses its past, between two parts of the storm, after all that it had has reached the others. At those nothing goes
    back, not for a moment, and the site has everything again at the end. Of several such kinds in one storm it is the same site."""

    acts = True

    def begin(self, seconds):
        self.site = self.of_all.choice(self.world.sites)
        self.rising = [Rising(site, f"/rising-{type(self).__name__}-{site.name}").start() for site in self.world.sites
                       if site is not self.site]

    def end(self):
        self.found = [line for one in self.rising for line in one.end()]

    def complaints(self, judge):
        return self.found

    def stop(self, run):
        """Nobody writes there any more, and the others have all of it."""
        run.stop_writers(self.site)
        path = f"/arrived-{self.random.randint(0, 10 ** 9)}"
        client = self.site.client()
        client.create(path, b"")
        client.stop()
        client.close()
        for other in self.world.sites:
            if other is not self.site:
                seen = lambda: run.judge.clients[other.name].exists(path)
                wait_for(f"{self.site.name}'s writes at {other.name}", run.settle_s, seen)
        run.watch.left_out.add(self.site.name)
        self.site.zk.stop()

    def start(self, run):
        self.site.zk.start()
        self.site.zk.wait_serving()
        run.judge.renew(self.site.name)
        run.watch.forget(self.site.name)
        run.start_writers(self.site)


class Wipe(Loss):
    """All of it."""

    def act(self, run):
        self.say(f"{self.site.name} is wiped")
        self.stop(run)
        for server in self.site.zk.servers:
            shutil.rmtree(os.path.join(server.data_dir, "version-2"))
        self.start(run)


class Restore(Loss):
    """What it wrote for some seconds: an older snapshot takes its place."""

    def act(self, run):
        self.say(f"{self.site.name} is put back by some seconds")
        self.stop(run)
        for server in self.site.zk.servers:
            shutil.copytree(server.data_dir, server.data_dir + ".old")
        self.start(run)
        time.sleep(8)
        self.stop(run)
        for server in self.site.zk.servers:
            shutil.rmtree(server.data_dir)
            os.rename(server.data_dir + ".old", server.data_dir)
        self.start(run)


ALL = {kind.__name__.lower(): kind for kind in (Takeovers, Slow, Wipe, Restore, Resync, Quarantine, Skew, Sizes, Contended)}
