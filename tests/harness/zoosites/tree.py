"""A site's whole tree, read by ZooKeeper's client protocol as org.apache.zookeeper.proto tells it (zookeeper.jute). kazoo takes a
third of a millisecond of Python for each node, and trees are compared after every storm: that was a third of what all scenarios
took."""

import socket
import struct
import time

from kazoo.exceptions import EXCEPTIONS, ConnectionLoss

from . import wire

LEFT_OUT = ("/zookeeper", "/zoospan")
WINDOW = 200  # nodes that are asked for at once
SESSION_MS = 40_000
GET_DATA, GET_ACL, GET_CHILDREN, SYNC, CLOSE, AUTH = 4, 6, 8, 9, -11, 100
AUTH_XID = -4
NO_NODE = -101
STAT = struct.Struct("!qqqqiiiqiiq")
INT, REPLY = struct.Struct("!i"), struct.Struct("!iqi")


class Node:
    __slots__ = ("data", "acl", "kind")

    def __init__(self, data, acl, kind):
        self.data, self.acl, self.kind = data, acl, kind

    @property
    def essence(self):
        return (self.data, self.acl)

    def __repr__(self):
        data = self.data if self.data is None or len(self.data) <= 40 else self.data[:40] + b"..."
        return f"{self.kind} {data!r} ({len(self.data or b'')} bytes) acl {self.acl}"


def text(value):
    """A jute string. Names come from Java and may hold half a character."""
    return data(value.encode("utf-8", "surrogatepass"))


def data(value):
    return INT.pack(len(value)) + value


class Session:
    """One connection to one server. Raises OSError, or ConnectionLoss when the server ends it, and never waits beyond the
    deadline (of the monotonic clock)."""

    def __init__(self, host, port, auth, deadline):
        self.deadline, self.buffer, self.at = deadline, b"", 0
        self.socket = socket.create_connection((host, port), self.left())
        self.send(struct.pack("!iqiq", 0, 0, SESSION_MS, 0) + data(bytes(16)) + b"\0")
        self.frame()
        self.send(struct.pack("!iii", AUTH_XID, AUTH, 0) + text("digest") + data(auth.encode()))
        self.answer()

    def left(self):
        return max(0.001, self.deadline - time.monotonic())

    def send(self, *frames):
        self.socket.settimeout(self.left())
        self.socket.sendall(b"".join(data(frame) for frame in frames))

    def frame(self):
        """The next answer, whole."""
        length = INT.unpack(self.take(4))[0]
        return self.take(length)

    def take(self, length):
        while len(self.buffer) - self.at < length:
            self.socket.settimeout(self.left())
            more = self.socket.recv(1 << 20)
            if not more:
                raise ConnectionLoss()
            self.buffer, self.at = self.buffer[self.at:] + more, 0
        self.at += length
        return self.buffer[self.at - length:self.at]

    def answer(self):
        """What follows an answer's header, or None for a node that is not there."""
        frame = self.frame()
        error = REPLY.unpack_from(frame)[2]
        if error == NO_NODE:
            return None
        if error:
            raise EXCEPTIONS[error]()
        return frame[REPLY.size:]

    def ask(self, *requests):
        """Each is a type and what follows it."""
        self.send(*[struct.pack("!ii", 1, kind) + body for kind, body in requests])

    def close(self):
        try:
            self.ask((CLOSE, b""))
            self.answer()
        finally:
            self.socket.close()


def node_of(answer, acls):
    length = INT.unpack_from(answer)[0]
    value = None if length < 0 else answer[4:4 + length]
    *_, owner, _, children, _ = STAT.unpack_from(answer, 4 + max(length, 0))
    acl, offset = [], 4
    for _ in range(INT.unpack_from(acls)[0]):
        permissions = INT.unpack_from(acls, offset)[0]
        scheme, offset = wire.read_string(acls, offset + 4)
        name, offset = wire.read_string(acls, offset)
        acl.append((permissions, scheme, name))
    return Node(value, tuple(acl), "ephemeral" if owner else "persistent"), children


def names_of(answer):
    names, offset = [], 4
    for _ in range(INT.unpack_from(answer)[0]):
        name, offset = wire.read_string(answer, offset)
        names.append(name)
    return names


def left_out(path):
    return any(path == top or path.startswith(top + "/") for top in LEFT_OUT)


def read_of(server, auth, root, deadline):
    """path -> Node for everything beneath root. Nodes that vanish meanwhile are left out."""
    session = Session("127.0.0.1", server.client_port, auth, deadline)
    try:
        session.ask((SYNC, text(root)))
        session.answer()
        tree, todo = {}, [root]
        while todo:
            batch, todo = todo[:WINDOW], todo[WINDOW:]
            session.ask(*[request for path in batch for request in ((GET_DATA, text(path) + b"\0"), (GET_ACL, text(path)))])
            parents = []
            for path in batch:
                value, acls = session.answer(), session.answer()
                if value is not None and acls is not None:
                    tree[path], children = node_of(value, acls)
                    if children:
                        parents.append(path)
            session.ask(*[(GET_CHILDREN, text(path) + b"\0") for path in parents])
            for path in parents:
                below = path.rstrip("/") + "/"
                todo += [below + name for name in names_of(session.answer() or INT.pack(0)) if not left_out(below + name)]
        return tree
    finally:
        session.close()


def read(site, root="/", timeout_s=120):
    """A site's tree, from a server that votes and serves. Raises what is in wire.INTERRUPTED."""
    deadline, error = time.monotonic() + timeout_s, None
    for server in site.zk.voters():
        try:
            return read_of(server, site.zk.auth, root, deadline)
        except OSError as failure:
            error = failure
    raise ConnectionLoss(str(error))
