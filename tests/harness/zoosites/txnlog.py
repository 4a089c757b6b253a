"""Reads a server's txn log, as an oracle that shares no code with ZooSpan: what was committed, by which session, and
what kind of node every path is (a client is not told which nodes are containers or have a TTL).

An observer's log holds committed txns only, so it is the one to read; what the observer shows to clients may be there
a moment before it is in the log. The servers must not purge or skip their logs, and be at rest."""

import glob
import os
import struct
import zlib

CREATE, CREATE2, CREATE_CONTAINER, CREATE_TTL = 1, 15, 19, 21
DELETE, DELETE_CONTAINER, SET_DATA, SET_ACL, CHECK, RECONFIG = 2, 20, 5, 7, 13, 16
MULTI, CREATE_SESSION, CLOSE_SESSION, ERROR = 14, -10, -11, -1
CREATES = {CREATE, CREATE2, CREATE_CONTAINER, CREATE_TTL}
WRITES = CREATES | {DELETE, DELETE_CONTAINER, SET_DATA, SET_ACL}


class Op:
    __slots__ = ("type", "path", "kind")

    def __init__(self, type, path, kind=None):
        self.type, self.path, self.kind = type, path, kind


class Txn:
    """`ops`: what it does to the tree; empty for sessions, errors and failed multis."""

    __slots__ = ("zxid", "session", "type", "ops")

    def __init__(self, zxid, session, type, ops):
        self.zxid, self.session, self.type, self.ops = zxid, session, type, ops


class _Reader:
    def __init__(self, data, offset=0):
        self.data, self.offset = data, offset

    def take(self, form):
        values = struct.unpack_from(form, self.data, self.offset)
        self.offset += struct.calcsize(form)
        return values if len(values) > 1 else values[0]

    def buffer(self):
        length = self.take("!i")
        if length < 0:
            return None
        self.offset += length
        return self.data[self.offset - length:self.offset]

    def text(self):
        return self.buffer().decode("utf-8", "surrogatepass")

    def acl(self):
        for _ in range(max(0, self.take("!i"))):
            self.take("!i")
            self.buffer()
            self.buffer()


def _op(type, reader):
    path = reader.text()
    kind = None
    if type in CREATES:
        reader.buffer()
        reader.acl()
        kind = "container" if type == CREATE_CONTAINER else "ttl" if type == CREATE_TTL else "persistent"
        if type in (CREATE, CREATE2) and reader.take("!?"):
            kind = "ephemeral"
    return Op(type, path, kind)


def _ops(type, reader):
    if type in WRITES:
        return [_op(type, reader)]
    if type == MULTI:
        ops = []
        for _ in range(reader.take("!i")):
            sub, body = reader.take("!i"), reader.buffer()
            if sub == ERROR:
                return []
            if sub in WRITES:
                ops.append(_op(sub, _Reader(body)))
        return ops
    if type == CLOSE_SESSION and reader.offset < len(reader.data) - 12:
        return [Op(DELETE, reader.text()) for _ in range(reader.take("!i"))]
    return []


def _files(data_dir):
    found = glob.glob(os.path.join(data_dir, "version-2", "log.*"))
    return sorted(found, key=lambda name: int(name.rsplit(".", 1)[1], 16))


def _entries(name):
    """(offset, length of the body, body) of each entry of one file, up to the first that is not whole."""
    with open(name, "rb") as file:
        data = file.read()
    reader = _Reader(data, 16)
    while reader.offset + 12 <= len(data):
        start = reader.offset
        checksum, length = reader.take("!qi")
        body = data[reader.offset:reader.offset + max(0, length)]
        if not body or zlib.adler32(body) != checksum:
            break
        yield start, length, body
        reader.offset += length + 1


def find(data_dir, zxid):
    """Where a txn stands: (file, offset of its entry, bytes of the entry). `zxid` None: the last one."""
    last = None
    for name in _files(data_dir):
        for offset, length, body in _entries(name):
            last = name, offset, 12 + length + 1
            if _Reader(body, 12).take("!q") == zxid:
                return last
    assert zxid is None and last is not None, f"{zxid} is not in the log"
    return last


def read(data_dir):
    """All txns in order."""
    last = -1
    for name in _files(data_dir):
        for _, _, entry in _entries(name):
            body = _Reader(entry)
            session, _, zxid, _, type = body.take("!qiqqi")
            if zxid > last:
                last = zxid
                yield Txn(zxid, session, type, _ops(type, body))


def kinds(data_dir):
    """path -> the kind as which it was last created, also of nodes that are gone."""
    return {op.path: op.kind for txn in read(data_dir) for op in txn.ops if op.type in CREATES}


def beneath(path, tops):
    return any(path == top or path.startswith(top + "/") for top in tops)


def local_writes(data_dir, carried=lambda path: not beneath(path, ["/zookeeper", "/zoospan"])):
    """The txns of this site's own clients that another site must see, each end of a session among them. Foreign is what
    an applier wrote: txns that touch the marker tree, and all others of the same sessions."""
    txns = list(read(data_dir))
    appliers = {txn.session for txn in txns if any(beneath(op.path, ["/zoospan/applied"]) for op in txn.ops)}
    return [txn for txn in txns if txn.session not in appliers
            and (txn.type == CLOSE_SESSION or any(carried(op.path) for op in txn.ops))]
