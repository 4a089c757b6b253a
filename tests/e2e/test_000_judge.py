"""The judge can fail: a write that is missing, an ACL that differs, an effect that is doubled, a write that came back, a site that
is gone. What it judges is the same for the same seed."""

import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import supervise
from kazoo.exceptions import KazooException
from kazoo.handlers.threading import KazooTimeoutError

from helpers import eventually, frozen
from zoosites import effects, faults, storm, txnlog, workload
from zoosites.judge import Judge, differences
from zoosites.tree import Node
from zoosites.site import Site
from zoosites.txnlog import Op, Txn

CLIENT, APPLIER = 1, 2
OPEN, CLOSED = (("world", "anyone"),), (("digest", "x"),)


def own(zxid, type=txnlog.SET_DATA):
    return Txn(zxid, CLIENT, type, [Op(type, "/load/a")])


def foreign(zxid, type=txnlog.SET_DATA):
    return Txn(zxid, APPLIER, txnlog.MULTI, [Op(type, "/load/a"), Op(txnlog.SET_DATA, "/zoospan/applied/sh")])


def test_what_differs_is_found():
    here = {"/a": Node(b"1", OPEN, "persistent")}
    assert not differences({"sh": here, "bj": {"/a": Node(b"1", OPEN, "persistent")}})
    assert differences({"sh": here, "bj": {}})
    assert differences({"sh": here, "bj": {"/a": Node(b"2", OPEN, "persistent")}})
    assert differences({"sh": here, "bj": {"/a": Node(b"1", CLOSED, "persistent")}})


def test_a_lost_write_is_found():
    tree = {"/a": Node(b"1", OPEN, "persistent")}
    writer = SimpleNamespace(acked={"/a": b"1"}, lost=set())
    assert not workload.missing(writer, tree)
    for acked in ({"/a": b"2"}, {"/b": b""}, {"/a": None}):
        assert workload.missing(SimpleNamespace(acked=acked, lost=set()), tree)


def test_a_doubled_effect_is_found():
    origin = [own(1, txnlog.CREATE), own(2), own(3)]
    once = [foreign(11, txnlog.CREATE), foreign(12), foreign(13)]
    assert not effects.doubled("sh", origin, {"bj": once}, ["/load"])
    assert effects.doubled("sh", origin, {"bj": [*once, foreign(14)]}, ["/load"])
    assert effects.doubled("sh", origin, {"bj": [*once, foreign(14, txnlog.CREATE)]}, ["/load"])


def test_what_no_quorum_logged_is_no_effect(monkeypatch):
    logs = {"leader": [foreign(1), foreign(2), foreign(3)], "follower": [foreign(1)], "other": [], "observer": [foreign(2)]}
    monkeypatch.setattr(txnlog, "read", lambda log_dir: logs[log_dir])
    servers = [SimpleNamespace(log_dir=name, observer=name == "observer") for name in logs]
    assert [txn.zxid for txn in effects.committed(servers)] == [1, 2]


def test_a_write_that_came_back_is_found():
    assert effects.returned("sh", [own(1), foreign(2)], ["/load"])


@pytest.fixture
def site(run_dir, request):
    """One ZooKeeper server, and nothing of ZooSpan."""
    alone = Site(os.path.join(run_dir, request.node.name), "sh", None, voters=0)
    yield alone
    alone.zk.stop()


def serving(site):
    site.zk.write_config()
    site.zk.start()
    site.zk.wait_serving()
    return Judge([site])


def not_equal(judge):
    """What the judge says at last, within a bound."""
    started = time.monotonic()
    with pytest.raises(AssertionError) as failure:
        judge.wait_equal(1)
    assert time.monotonic() - started < 1 + 2 * Judge.LAST_READ_S
    return str(failure.value)


def test_a_site_that_is_gone_is_named(site, monkeypatch):
    """Its server stands still, and then ends without having been told to."""
    monkeypatch.setattr(Judge, "LAST_READ_S", 3)
    judge = serving(site)
    with frozen(site.zk.servers[0]):
        assert "sh cannot be read" in not_equal(judge)
    os.kill(site.zk.servers[0].process.pid, signal.SIGKILL)
    eventually(site.fallen, what="the end of the server")
    said = not_equal(judge)
    assert "sh cannot be read" in said and "zookeeper.log: ended by itself (exit code -9)" in said


def test_a_server_without_memory_is_named(site):
    site.zk.servers[0].jvm.append("-Xmx24m")
    client, size = serving(site).clients["sh"], 500_000
    for number in range(100):
        try:
            client.create_async(f"/{number}", bytes(size)).get(timeout=3)
        except (KazooException, KazooTimeoutError):
            break
    eventually(site.fallen, what="the end of the server")
    assert "java.lang.OutOfMemoryError" in site.fallen()[0]


def test_a_storm_is_its_seeds():
    possible = [faults.Fault(str(number), str(number // 3), None, number % 2 or None, (1, 9)) for number in range(12)]
    told = lambda seed: [(gust.at_s, gust.fault, gust.lasts_s) for gust in storm.forecast(possible, seed, 300)]
    assert told(1) == told(1) != told(2)
    assert len(told(1)) > 50
    for at_s, fault, lasts_s in told(1):
        others = [other for at, other, lasts in told(1) if at < at_s < at + lasts]
        assert len(others) < storm.AT_ONCE and fault.target not in [other.target for other in others]


def test_what_a_writer_makes_is_bounded(site, monkeypatch):
    """However quick it is, and the number of its operations is what it was told."""
    monkeypatch.setattr(workload, "NODES_MAX", 100)
    monkeypatch.setattr(workload, "BYTES_MAX", 100_000)
    serving(site)
    [writer] = workload.run([site], seed=1, operations=600)
    assert writer.done == 600 and writer.made < 200 and writer.sent < 110_000


@pytest.mark.parametrize("shell, timeout_s, code, said", [
    ("true", 60, 0, ""), ("false", 60, 1, ""),
    ("setsid sleep 1001.MINE & true", 60, 1, "processes were left behind"),
    ("setsid sleep 1002.MINE & sleep 1003.MINE", 1, 124, "not over in time"),
    ("timeout 2 sh -c 'while :; do :; done' & wait", 60, 0, "")])
def test_a_part_of_the_tests_leaves_nothing_and_ends(shell, timeout_s, code, said):
    """And the CPU time of all that it started is known."""
    shell = shell.replace("MINE", str(os.getpid()))
    program = f"import subprocess, supervise\nsupervise.GRACE_S = 1\npart = supervise.Part(" \
              f"lambda: subprocess.run(['sh', '-c', {shell!r}]).returncode, timeout_s={timeout_s})\nprint(part.join())"
    done = subprocess.run([sys.executable, "-B", "-c", program], cwd=os.path.dirname(supervise.__file__), capture_output=True, text=True,
                          timeout=60)
    assert f"'code': {code}," in done.stdout and said in done.stdout, done
    named = [line for line in done.stdout.splitlines() if "sleep 100" in line]
    assert bool(named) == bool(said)
    assert not any(line.startswith("sleep 100") and line.endswith(f".{os.getpid()}") for line in supervise.descendants(1).values())
    if "while" in shell:
        assert float(done.stdout.split("'cpu_s': ")[1].split(",")[0]) > 0.1
