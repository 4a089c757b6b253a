#!/usr/bin/python3
"""Makes the golden txns of this directory with a real ZooKeeper server (Debian's 3.8).

A server is started twice on free ports of 127.0.0.1: as it comes, and the way 3.5 logged (no digest, no paths in
closeSession). Clients cause every kind of txn; the entries are then cut out of the server's txn log. ok/NAME.txn holds
the bytes of one entry (header, record, digest), ok/NAME.txt what must come out of them, as decoded by the few lines of
Python below, which know nothing of the C decoder. bad/NAME.txn are damaged copies, bad/NAME.txt a part of the
error that each must yield.

Run it by hand when a kind of txn is added: make.py; the files are kept in the tree. Session ids and times change.
"""
import base64
import contextlib
import glob
import hashlib
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import tempfile
import time

from kazoo.client import KazooClient
from kazoo.exceptions import NodeExistsError
from kazoo.security import ACL, Id, make_digest_acl

HERE = pathlib.Path(__file__).resolve().parent
CLASSPATH = ":".join(glob.glob("/usr/share/java/zookeeper*.jar") + glob.glob("/usr/share/java/*.jar"))
CREATE, DELETE, SET, SET_ACL, CHECK, MULTI, CREATE2, RECONFIG = 1, 2, 5, 7, 13, 14, 15, 16
CONTAINER, DELETE_CONTAINER, TTL, SESSION, CLOSE, ERROR = 19, 20, 21, -10, -11, -1


# --- the independent decoder -----------------------------------------------------------------------------------------

class Jute:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, layout):
        values = struct.unpack_from(">" + layout, self.data, self.at)
        self.at += struct.calcsize(">" + layout)
        return values[0] if len(values) == 1 else values

    def buffer(self):
        size = self.take("i")
        if size == -1:
            return None
        self.at += size
        return self.data[self.at - size:self.at]

    def text(self):  # one UTF-16 unit at a time
        return self.buffer().decode("utf-8", "surrogatepass").encode("utf-16", "surrogatepass").decode("utf-16")

    def acls(self):
        return [(self.take("i") & 0xFFFFFFFF, self.text(), self.text()) for _ in range(self.take("i"))]

    def left(self):
        return len(self.data) - self.at


def show_data(data):
    if data is None:
        return "null"
    return data.hex() if len(data) <= 64 else "%s...(%d bytes)" % (data[:16].hex(), len(data))


def show_acls(acls):
    return "[%s]" % "; ".join("%d %s:%s" % acl for acl in acls)


def show_op(kind, body, session):
    if kind in (CREATE, CREATE2, CONTAINER, TTL):
        path, data, acls = body.text(), body.buffer(), body.acls()
        how, ttl = {CONTAINER: "CONTAINER", TTL: "TTL"}.get(kind, "PERSISTENT"), 0
        if kind in (CREATE, CREATE2):
            if body.take("?"):
                how = "EPHEMERAL"
            if body.left():
                body.take("i")
        else:
            body.take("i")
            ttl = body.take("q") if kind == TTL else 0
        owner = session if how == "EPHEMERAL" else 0
        return ["CREATE %s %s data=%s acls=%s session=0x%x ttl=%d" %
                (how, path, show_data(data), show_acls(acls), owner, ttl)]
    if kind in (DELETE, DELETE_CONTAINER):
        return ["DELETE %s" % body.text()]
    if kind in (SET, RECONFIG):
        path, data = body.text(), body.buffer()
        body.take("i")
        return ["SET %s data=%s" % (path, show_data(data))]
    if kind == SET_ACL:
        path, acls = body.text(), body.acls()
        body.take("i")
        return ["SET_ACL %s acls=%s" % (path, show_acls(acls))]
    if kind == CHECK:
        return []
    raise ValueError(kind)


def show_body(kind, body, session):
    if kind in (SESSION, ERROR, RECONFIG):
        return {SESSION: "SESSION", ERROR: "FAILED", RECONFIG: "RECONFIG"}[kind], []
    if kind == CLOSE:
        known = body.left() > 12
        paths = [body.text() for _ in range(body.take("i"))] if known else []
        lines = ["DELETE %s" % path for path in paths]
        return "WRITE", lines + ["CLOSE_SESSION session=0x%x paths_known=%d" % (session, known)]
    if kind == MULTI:
        subs = [(body.take("i"), body.buffer()) for _ in range(body.take("i"))]
        if any(sub == ERROR for sub, _ in subs):
            return "FAILED", []
        return "WRITE", [line for sub, data in subs for line in show_op(sub, Jute(data), session)]
    return "WRITE", show_op(kind, body, session)


def show(entry):
    body = Jute(entry)
    session, cxid, zxid, at_ms, kind = body.take("Qiqqi")
    what, ops = show_body(kind, body, session)
    head = "zxid=0x%x session=0x%x cxid=%d time=%d class=%s multi=%d" % (
        zxid, session, cxid, at_ms, what, kind == MULTI)
    return "\n".join([head] + ops) + "\n"


# --- the server ------------------------------------------------------------------------------------------------------

def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def server(*properties):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="zoospan-golden-"))
    port, ports = free_port(), (free_port(), free_port())
    (folder / "myid").write_text("1\n")
    (folder / "zoo.cfg").write_text(
        f"dataDir={folder}\ntickTime=200\ninitLimit=10\nsyncLimit=5\nstandaloneEnabled=false\nreconfigEnabled=true\n"
        f"admin.enableServer=false\nserver.1=127.0.0.1:{ports[0]}:{ports[1]}:participant;127.0.0.1:{port}\n")
    secret = base64.b64encode(hashlib.sha1(b"super:golden").digest()).decode()
    options = ["-Dzookeeper.extendedTypesEnabled=true", "-Dznode.container.checkIntervalMs=200",
               f"-Dzookeeper.DigestAuthenticationProvider.superDigest=super:{secret}"]
    with open(folder / "out", "wb") as out:
        process = subprocess.Popen(["java", "-cp", CLASSPATH, *options, *properties,
                                    "org.apache.zookeeper.server.quorum.QuorumPeerMain", str(folder / "zoo.cfg")],
                                   stdout=out, stderr=out)
    client = KazooClient(f"127.0.0.1:{port}", auth_data=[("digest", "super:golden")])
    try:
        client.start(60)
        yield folder, client, port, ports
    finally:
        client.stop()
        client.close()
        process.kill()
        process.wait()
        shutil.rmtree(folder)


def command(port, line):
    subprocess.run(["java", "-cp", CLASSPATH, "org.apache.zookeeper.ZooKeeperMain", "-server", f"127.0.0.1:{port}"] +
                   line.split(), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def entries(folder):
    for name in sorted(glob.glob(f"{folder}/version-2/log.*"), key=lambda n: int(n.rsplit(".", 1)[1], 16)):
        data, at = pathlib.Path(name).read_bytes(), 16
        while at + 12 <= len(data):
            size = struct.unpack_from(">i", data, at + 8)[0]
            if size == 0:
                break
            yield data[at + 12:at + 12 + size]
            at += 13 + size


class Recorder:
    """Runs steps one by one and finds in the log the one entry of the wanted type that each step made."""

    def __init__(self, folder, client):
        self.folder, self.client, self.seen, self.found = folder, client, 0, {}

    def step(self, name, kind, act):
        before = len(list(entries(self.folder)))
        act()
        deadline = time.time() + 20
        while name not in self.found and time.time() < deadline:
            for entry in list(entries(self.folder))[before:]:
                if struct.unpack_from(">i", entry, 28)[0] == kind:
                    self.found[name] = entry
            time.sleep(0.02)
        print(name, len(self.found[name]))


def swallow(error, act):
    try:
        act()
    except error:
        return
    raise AssertionError("expected a failure")


def multi(client, fill, fails=False):
    transaction = client.transaction()
    fill(transaction)
    failed = any(isinstance(result, Exception) for result in transaction.commit())
    assert failed == fails


def session_with_ephemerals(port, paths):
    other = KazooClient(f"127.0.0.1:{port}")
    other.start(30)
    for path in paths:
        other.create(path, b"mine", ephemeral=True)
    other.stop()
    other.close()


def fill_everything(t):
    t.create("/multi", b"m")
    t.create("/multi/e", b"", ephemeral=True)
    t.set_data("/multi", b"changed")
    t.check("/multi", 1)
    t.create("/multi/s-", b"s", sequence=True)
    t.delete("/plain/empty")


def fill_in_vain(t):
    t.create("/never")
    t.delete("/nowhere")
    t.create("/no")


def fill_two(t):
    t.set_data("/old", b"1")
    t.create("/old/a", b"2")


def record_modern(folder, client, port, ports):
    r = Recorder(folder, client)
    closed = make_digest_acl("user", "password", read=True)
    several = [closed, ACL(1, Id("world", "anyone")), ACL(31, Id("ip", "127.0.0.1/8")),
               ACL(7, Id("digest", "b:\u00fc\U0001F512"))]
    r.step("create", CREATE, lambda: client.create("/plain", b"data"))
    r.step("create-empty", CREATE, lambda: client.create("/plain/empty", b""))
    r.step("create-null", CREATE, lambda: command(port, "create /plain/null"))
    r.step("create2", CREATE2, lambda: client.create("/plain/two", b"2", include_data=True))
    r.step("create-ephemeral", CREATE, lambda: client.create("/plain/e", b"x", ephemeral=True))
    r.step("create-sequential", CREATE, lambda: client.create("/plain/s-", b"x", sequence=True))
    r.step("create-acl", CREATE, lambda: client.create("/plain/acl", b"x", acl=several))
    r.step("create-unicode", CREATE, lambda: client.create("/plain/\u4e0a\u6d77-\u00e9", "\U0001F512".encode()))
    r.step("create-container", CONTAINER, lambda: command(port, "create -c /box in"))
    r.step("create-ttl", TTL, lambda: command(port, "create -t 500 /short in"))
    r.step("delete-ttl", DELETE_CONTAINER, lambda: None)
    client.create("/box/child")
    r.step("delete", DELETE, lambda: client.delete("/box/child"))
    r.step("delete-container", DELETE_CONTAINER, lambda: None)
    r.step("set", SET, lambda: client.set("/plain", bytes(range(256)) * 4))
    r.step("set-empty", SET, lambda: client.set("/plain", b""))
    r.step("set-null", SET, lambda: client.set("/plain", None))
    r.step("set-root", SET, lambda: client.set("/", b"root"))
    r.step("set-acl", SET_ACL, lambda: client.set_acls("/plain", several))
    r.step("multi", MULTI, lambda: multi(client, fill_everything))
    r.step("multi-checks", MULTI, lambda: multi(client, lambda t: t.check("/plain", 3)))
    r.step("multi-failed", MULTI, lambda: multi(client, fill_in_vain, fails=True))
    r.step("error", ERROR, lambda: swallow(NodeExistsError, lambda: client.create("/plain")))
    r.step("session", SESSION, lambda: session_with_ephemerals(port, []))
    r.step("close-session", CLOSE, lambda: session_with_ephemerals(port, ["/plain/e1", "/plain/e2"]))
    r.step("close-session-empty", CLOSE, lambda: session_with_ephemerals(port, []))
    joining = f"server.1=127.0.0.1:{ports[0]}:{ports[1]}:participant;127.0.0.1:{port}"
    r.step("reconfig", RECONFIG, lambda: client.reconfig(joining=joining, leaving=None, new_members=None))
    return r.found


def record_plain(folder, client, port):
    r = Recorder(folder, client)
    r.step("nodigest-create", CREATE, lambda: client.create("/old", b"data"))
    r.step("nodigest-multi", MULTI, lambda: multi(client, fill_two))
    r.step("nopaths-close-session", CLOSE, lambda: session_with_ephemerals(port, ["/old/e"]))
    return r.found


# --- what no 3.8 server writes ---------------------------------------------------------------------------------------

def jute(value):
    value = value.encode() if isinstance(value, str) else value
    return struct.pack(">i", len(value)) + value


def made(found):
    plain, create = found["nodigest-create"], found["create"]
    head = lambda kind: create[:28] + struct.pack(">i", kind)
    v0 = plain[:-4]
    sub = struct.pack(">ii", 1, len(v0) - 32) + v0[32:]
    acl = struct.pack(">ii", 1, 31) + jute("world") + jute("anyone")
    pair = "/\U0001F512".encode("utf-16-be")
    cesu = b"".join(chr(unit).encode("utf-8", "surrogatepass") for unit in struct.unpack(">3H", pair))
    ok = {
        "v0-create": v0,
        "v0-create-in-multi": head(MULTI) + struct.pack(">i", 2) + sub + sub,
        "nopaths-close-session-digest": found["nopaths-close-session"][:32] + struct.pack(">iq", 2, 1 << 40),
        "surrogate-pair": head(DELETE) + jute(cesu),
        "four-byte-utf8": head(DELETE) + jute("/\U0001F512"),
    }
    bad = {
        "empty": (b"", "no whole header"),
        "header-cut": (create[:31], "no whole header"),
        "body-cut": (create[:50], "the bytes"),
        "left-over": (create + b"x", "13 bytes are left over"),
        "unknown-type": (head(99) + create[32:], "type is not known"),
        "zxid-zero": (create[:12] + bytes(8) + create[20:], "zxid is not positive"),
        "negative-path": (head(DELETE) + struct.pack(">i", -2), "length of the path is -2"),
        "null-path": (head(DELETE) + struct.pack(">i", -1), "length of the path is -1"),
        "long-path": (head(DELETE) + struct.pack(">i", 0x7fffffff) + b"/a", "claims a length"),
        "relative-path": (head(DELETE) + jute("a/b"), "is not a path"),
        "dot-dot-path": (head(DELETE) + jute("/a/../b"), "is not a path"),
        "nul-in-path": (head(DELETE) + jute("/a\0b"), "is not a path"),
        "lone-surrogate": (head(DELETE) + jute(cesu[:4]), "not UTF-8"),
        "overlong": (head(DELETE) + jute(b"/\xc0\xaf"), "not UTF-8"),
        "negative-data": (head(SET) + jute("/a") + struct.pack(">i", -2), "length of the data is -2"),
        "acl-bomb": (head(SET_ACL) + jute("/a") + struct.pack(">i", 0x10000000), "claims a length"),
        "multi-bomb": (head(MULTI) + struct.pack(">i", 0x10000000), "claims a length"),
        "multi-of-multi": (head(MULTI) + struct.pack(">iii", 1, MULTI, 4) + bytes(4), "cannot stand in a multi"),
        "multi-left-over": (head(MULTI) + struct.pack(">iii", 1, DELETE, 7) + jute("/a") + b"x", "1 bytes are left"),
        "ephemeral-two": (head(CREATE) + jute("/a") + jute("") + acl + b"\x02" + bytes(4), "ephemeral flag is 2"),
        "ttl-negative": (head(TTL) + jute("/a") + jute("") + acl + struct.pack(">iq", 0, -1), "TTL is -1"),
        "close-session-garbage": (head(CLOSE) + b"\0\0\0\1\0\0\0\1x", "is not a path"),
    }
    return ok, bad


def main():
    with server() as (folder, client, port, ports):
        found = record_modern(folder, client, port, ports)
    old = ("-Dzookeeper.digest.enabled=false", "-Dzookeeper.closeSessionTxn.enabled=false")
    with server(*old) as (folder, client, port, _):
        found.update(record_plain(folder, client, port))
    ok, bad = made(found)
    for kind in ("ok", "bad"):
        shutil.rmtree(HERE / kind, ignore_errors=True)
        (HERE / kind).mkdir()
    for name, entry in {**found, **ok}.items():
        (HERE / "ok" / f"{name}.txn").write_bytes(entry)
        (HERE / "ok" / f"{name}.txt").write_text(show(entry))
    for name, (entry, error) in bad.items():
        (HERE / "bad" / f"{name}.txn").write_bytes(entry)
        (HERE / "bad" / f"{name}.txt").write_text(error + "\n")


if __name__ == "__main__":
    main()
