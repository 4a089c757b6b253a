"""The judge can fail: a write that is missing, an ACL that differs, an effect that is doubled, a write that came back."""

from types import SimpleNamespace

from zoosites import effects, txnlog, workload
from zoosites.judge import Node, differences
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
