"""Faults that a random run may cause, each with its cure. Only processes of the sites at hand are touched, and the network
only inside a namespace of the run's own."""

import contextlib
import os
import shutil
import subprocess
import time

from .processes import StartError

LINK_QUEUES = ("zoospan.{0}.{1}", "zoospan.{0}.{1}.feedback", "zoospan.{0}.{1}.position")


class Fault:
    """`strike` causes it, `cure` ends it; a fault without a duration is over at once. It strikes only while `fair()`."""

    def __init__(self, name, target, strike, cure=None, seconds=(0, 0)):
        self.name, self.target, self.strike, self.cure, self.seconds = name, target, strike, cure, seconds
        self.fair = lambda: True


def _restart(process_owner, wait):
    def cure():
        if not process_owner.process.alive():  # another fault's cure may have come first
            process_owner.start()
        with contextlib.suppress(StartError):  # something else may hinder it; the end of the run waits for all
            wait()
    return cure


def _kill(owner, label, wait, seconds):
    return Fault("kill -9", label, owner.kill, _restart(owner, wait), seconds)


def _freeze(owner, label, seconds):
    return Fault("SIGSTOP", label, lambda: owner.process is not None and owner.process.freeze(),
                 lambda: owner.process is not None and owner.process.thaw(), seconds)


class Voters:
    """When a voting server may be killed: ZooKeeper 3.8.0 itself loses committed txns where servers synchronise under load
    (ZOOKEEPER-4394, -4785: a follower's log gets a hole, its tree differs from the others' from then on), and then nothing can
    be judged. So not before all have served for a while again, which is longer where the tree is larger."""

    NODES_PER_S = 10_000

    def __init__(self, site):
        self.servers = [server for server in site.zk.servers if not server.observer]
        self.disturbed = time.monotonic()

    def settled(self):
        counts = [server.nodes() for server in self.servers]
        return None not in counts and time.monotonic() - self.disturbed > 5 + max(counts) / self.NODES_PER_S

    def watched(self, fault):
        """The same fault, and when it began and ended is known."""
        def told(action):
            def act():
                self.disturbed = time.monotonic()
                action()
            return act
        fault.strike, fault.cure = told(fault.strike), told(fault.cure)
        return fault


def _server_faults(site):
    voters = Voters(site)
    for server in site.zk.servers:
        label = f"{site.name}/zk{server.number} ({server.role})"
        kill, freeze = _kill(server, label, lambda: None, (0.5, 8)), _freeze(server, label, (1, 12))
        if not server.observer:
            kill.fair = voters.settled
            kill, freeze = voters.watched(kill), voters.watched(freeze)
        yield kill
        yield freeze


def _lose_logs(site, others):
    """What the servers with the plugin knew, in memory and in their logs, and what lay in the queues: only an image helps."""
    for server in site.zk.carriers:
        if server.process is not None and server.process.alive():
            server.kill()
        shutil.rmtree(os.path.join(server.data_dir, "version-2"), ignore_errors=True)
    for other in others:
        with contextlib.suppress(OSError, ValueError):
            site.broker.api("DELETE", f"/api/queues/%2F/zoospan.{site.name}.{other.name}/contents")


def _log_faults(site, others):
    def cure():
        for server in site.zk.carriers:
            if not server.process.alive():
                server.start()
    # Not while anything else happens to these servers: their target is every one of them.
    yield Fault("logs lost", f"{site.name}/carriers", lambda: _lose_logs(site, others), cure, (0.5, 6))


def _broker_faults(site, others, cut):
    broker, label = site.broker, f"{site.name}/rabbitmq"
    yield _kill(broker, label, broker.wait_ready, (0.5, 6))
    yield _freeze(broker, label, (1, 20))
    yield Fault("connections closed", label, lambda: broker.ctl("close_all_connections", "by a test"))
    yield Fault("memory alarm", label, lambda: broker.ctl("set_vm_memory_high_watermark", "absolute", "1MB"),
                lambda: broker.ctl("set_vm_memory_high_watermark", "absolute", "512MiB"), (1, 8))
    if cut:
        yield Fault("packets dropped", label, lambda: drop(broker.port, True), lambda: drop(broker.port, False), (1, 25))
    for other in others:
        for form in LINK_QUEUES:
            name = form.format(site.name, other.name)
            yield Fault("queue purged", name, lambda name=name: broker.api("DELETE", f"/api/queues/%2F/{name}/contents"))
            yield Fault("queue deleted", name, lambda name=name: broker.api("DELETE", f"/api/queues/%2F/{name}"))


def _applier_faults(site):
    yield _kill(site.applier, f"{site.name}/applier", lambda: None, (0.2, 6))
    yield _freeze(site.applier, f"{site.name}/applier", (1, 15))


def drop(port, on):
    """Every packet to or from a port vanishes, as behind a dead router: nothing is refused, nothing is closed."""
    for chain, side in (("INPUT", "--dport"), ("INPUT", "--sport")):
        subprocess.run(["iptables", "-A" if on else "-D", chain, "-i", "lo", "-p", "tcp", side, str(port), "-j", "DROP"],
                       check=True, capture_output=True, timeout=60)


def all_of(world, cut=False, lose_logs=False):
    """Every fault that can strike this world, the same order in each run. `cut`: we are in a network namespace. `lose_logs`:
    also those that only an image heals."""
    faults = []
    for site in world.sites:
        others = [other for other in world.sites if other is not site]
        faults += [*_server_faults(site), *_broker_faults(site, others, cut), *_applier_faults(site)]
        faults += _log_faults(site, others) if lose_logs else []
    return faults
