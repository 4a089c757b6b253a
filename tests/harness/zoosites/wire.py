"""What kazoo 2.8 lacks of ZooKeeper's client protocol: container and TTL creates, null data, all of them inside a
multi, a session that dies without saying goodbye, and names as Java writes them."""

import socket
import struct

from kazoo.exceptions import EXCEPTIONS, ConnectionClosedError, ConnectionLoss, SessionExpiredError
from kazoo.handlers.threading import AsyncResult, KazooTimeoutError, SequentialThreadingHandler
from kazoo.protocol import serialization as kz
from kazoo.security import OPEN_ACL_UNSAFE

PERSISTENT, EPHEMERAL, SEQUENTIAL, EPHEMERAL_SEQUENTIAL = 0, 1, 2, 3
CONTAINER, TTL, TTL_SEQUENTIAL = 4, 5, 6

# The connection was lost, and what became of the request is not known.
INTERRUPTED = (ConnectionLoss, SessionExpiredError, ConnectionClosedError, KazooTimeoutError)

ANSWER_S = 60


class _Answer(AsyncResult):
    def get(self, block=True, timeout=ANSWER_S):
        return super().get(block, timeout)

    def wait(self, timeout=ANSWER_S):
        return super().wait(timeout)


class Handler(SequentialThreadingHandler):
    """No client of ours waits for an answer for ever: none comes while an ensemble is gone, nor, ever, from a server whose tree
    lacks a node that its leader has and that is written."""

    def async_result(self):
        return _Answer(self)


def read_string(buffer, offset):
    """Java writes a character beyond U+FFFF as two encoded surrogates, which Python's decoder refuses."""
    length = struct.unpack_from("!i", buffer, offset)[0]
    offset += 4
    if length < 0:
        return None, offset
    text = bytes(buffer[offset:offset + length]).decode("utf-8", "surrogatepass")
    if any("\ud800" <= c <= "\udfff" for c in text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    return text, offset + length


kz.read_string = read_string


class CreateContainer(kz.Create2):
    type = 19


class CreateTTL(kz.Create2):
    type = 21
    ttl_ms = 0

    def serialize(self):
        return super().serialize() + struct.pack("!q", self.ttl_ms)


def create_request(path, data=b"", acl=None, flags=PERSISTENT, ttl_ms=0, stat=False):
    """The create request that a Java client would send for this kind of node; `data` None is null data."""
    arguments = (path, data, OPEN_ACL_UNSAFE if acl is None else acl, flags)
    if flags == CONTAINER:
        return CreateContainer(*arguments)
    if flags in (TTL, TTL_SEQUENTIAL):
        request = CreateTTL(*arguments)
        request.ttl_ms = ttl_ms
        return request
    return (kz.Create2 if stat else kz.Create)(*arguments)


def set_request(path, data, version=-1):
    return kz.SetData(path, data, version)


def delete_request(path, version=-1):
    return kz.Delete(path, version)


def check_request(path, version):
    return kz.CheckVersion(path, version)


class Multi(kz.Transaction):
    """Returns one result per operation; an exception object for those that failed."""

    @classmethod
    def deserialize(cls, bytes, offset):
        results = []
        header, offset = kz.MultiHeader.deserialize(bytes, offset)
        while not header.done:
            if header.type == -1:
                error = struct.unpack_from("!i", bytes, offset)[0]
                results.append(EXCEPTIONS[error]())
                offset += 4
            elif header.type == kz.Create.type:
                path, offset = kz.read_string(bytes, offset)
                results.append(path)
            elif header.type in (kz.Create2.type, CreateContainer.type, CreateTTL.type):
                path, offset = kz.read_string(bytes, offset)
                results.append(path)
                offset += kz.stat_struct.size
            elif header.type == kz.SetData.type:
                results.append(kz.ZnodeStat._make(kz.stat_struct.unpack_from(bytes, offset)))
                offset += kz.stat_struct.size
            else:
                results.append(True)
            header, offset = kz.MultiHeader.deserialize(bytes, offset)
        return results


def call_async(client, request):
    answer = client.handler.async_result()
    client._call(request, answer)
    return answer


def call(client, request, timeout_s=30):
    return call_async(client, request).get(timeout=timeout_s)


def create(client, path, data=b"", acl=None, flags=PERSISTENT, ttl_ms=0, stat=False):
    """Creates a node of any kind and returns its path."""
    answer = call(client, create_request(path, data, acl, flags, ttl_ms, stat))
    return answer if isinstance(answer, str) else answer[0]


def multi(client, requests):
    """One multi; the list of results. A multi that failed holds exceptions."""
    return call(client, Multi(list(requests)))


class DoomedSession:
    """A session over a bare socket that only ever ends by expiring."""

    def __init__(self, port, timeout_ms=1000):
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.xid = 0
        self._send(bytes(kz.Connect(0, 0, timeout_ms, 0, b"\0" * 16, False).serialize()))
        answer = self._receive()
        self.timeout_ms, self.session = struct.unpack_from("!iq", answer, 4)

    def _send(self, body):
        self.socket.sendall(struct.pack("!i", len(body)) + body)

    def _receive(self):
        def exactly(count):
            data = b""
            while len(data) < count:
                chunk = self.socket.recv(count - len(data))
                if not chunk:
                    raise ConnectionError("the server closed the connection")
                data += chunk
            return data
        return exactly(struct.unpack("!i", exactly(4))[0])

    def call(self, request):
        self.xid += 1
        self._send(struct.pack("!ii", self.xid, request.type) + bytes(request.serialize()))
        answer = self._receive()
        error = struct.unpack_from("!iqi", answer)[2]
        if error:
            raise EXCEPTIONS[error]()
        return answer

    def create(self, path, data=b"", flags=EPHEMERAL):
        self.call(create_request(path, data, flags=flags))

    def die(self):
        """Drops the connection; the server lets the session expire."""
        self.socket.close()
