#!/usr/bin/python3
"""Makes the golden batches of this directory: an encoder of format versions 1 and 2 written from FORMAT.md alone.

NAME.batch are the bytes of a message. In ok/, NAME.txt is what the decoder must make of them; in the other folders, a
part of the error that it must yield. Deterministic: running it again changes nothing.
"""
import pathlib
import shutil
import struct
import uuid

HERE = pathlib.Path(__file__).resolve().parent
KINDS = {"PERSISTENT": 0, "EPHEMERAL": 1, "CONTAINER": 2, "TTL": 3}
OPEN = ((31, "world", "anyone"),)
M64 = (1 << 64) - 1


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def zigzag(value):
    value &= M64
    return varint((value << 1 ^ (M64 if value >> 63 else 0)) & M64)


def text(value):
    value = value.encode()
    return varint(len(value)) + value


def lz4_literals(data):  # a block without a single match
    size = len(data)
    token = bytes([min(size, 15) << 4])
    size -= 15
    while size >= 0:
        token += bytes([min(size, 255)])
        size -= 255
    return token + data


def lz4_run(size):  # a block of `size` zeros: one literal, one match, the last five as literals
    match = size - 6
    more, rest = b"", match - 4 - 15
    while rest >= 0:
        more += bytes([min(rest, 255)])
        rest -= 255
    return b"\x1f\0" + b"\1\0" + more + b"\x50" + bytes(5)


DICTIONARY = bytes(range(256))  # the one that the test knows


def lz4_of_dictionary(head, begin, size):  # `head`, and what stands in the dictionary at `begin`; the last 12 bytes as literals
    assert len(head) < 15
    match = size - 12
    offset = len(head) + len(DICTIONARY) - begin
    return (bytes([len(head) << 4 | 15]) + head + struct.pack("<H", offset) + bytes([match - 4 - 15]) + b"\xc0" +
            DICTIONARY[begin + match:begin + size])


class Batch:
    def __init__(self, prev=0x100000000, clock=0x18F000000000000, origin="sh", destination="bj", version=1):
        self.skipped = 0
        self.origin, self.destination, self.prev, self.clock_prev = origin, destination, prev, clock
        self.zxid, self.clock, self.stamp_clock, self.seen, self.session = prev, clock, clock, 0, 0
        self.path, self.acls, self.raw, self.lines = b"", [], b"", []
        self.records = self.txns = self.first = 0
        self.version, self.flags, self.last, self.clock_last, self.claimed = version, 0, None, None, {}

    # parts
    def put_path(self, path):
        path, shared = path.encode(), 0
        while shared < min(len(path), len(self.path)) and path[shared] == self.path[shared]:
            shared += 1
        self.path = path
        return varint(shared) + varint(len(path) - shared) + path[shared:]

    def put_session(self, session):
        delta, self.session = session - self.session, session
        return zigzag(delta)

    def put_acls(self, acls):
        if acls == OPEN:
            return b"\0"
        if acls in self.acls:
            return varint(2 + self.acls.index(acls))
        self.acls.append(acls)
        return b"\1" + varint(len(acls)) + b"".join(varint(p) + text(s) + text(i) for p, s, i in acls)

    def put_stamp(self, clock, site, zxid, op):
        delta, self.stamp_clock = clock - self.stamp_clock, clock
        return zigzag(delta) + text(site) + varint(zxid) + varint(op)

    @staticmethod
    def put_data(data):
        return b"\0" if data is None else varint(len(data) + 1) + data

    @staticmethod
    def put_vector(vector):
        return varint(len(vector)) + b"".join(text(site) + varint(zxid) for site, zxid in vector)

    def put_kind(self, kind, session, ttl):
        return self.put_session(session) if kind == "EPHEMERAL" else varint(ttl) if kind == "TTL" else b""

    # what the test shows
    @staticmethod
    def show_data(data):
        if data is None:
            return "null"
        return data.hex() if len(data) <= 64 else "%s...(%d bytes)" % (data[:16].hex(), len(data))

    @staticmethod
    def show_acls(acls):
        return "[%s]" % "; ".join("%d %s:%s" % acl for acl in acls)

    @staticmethod
    def show_vector(vector):
        return "[%s]" % ", ".join("%s 0x%x" % position for position in vector)

    # operations
    def create(self, path, data, acls=OPEN, kind="PERSISTENT", session=0, ttl=0):
        self.lines.append("CREATE %s %s data=%s acls=%s session=0x%x ttl=%d" %
                          (kind, path, self.show_data(data), self.show_acls(acls), session, ttl))
        return (bytes([1 | KINDS[kind] << 4]) + self.put_path(path) + self.put_data(data) + self.put_acls(acls) +
                self.put_kind(kind, session, ttl))

    def delete(self, path):
        self.lines.append("DELETE %s" % path)
        return b"\2" + self.put_path(path)

    def set(self, path, data):
        self.lines.append("SET %s data=%s" % (path, self.show_data(data)))
        return b"\3" + self.put_path(path) + self.put_data(data)

    def set_acl(self, path, acls):
        self.lines.append("SET_ACL %s acls=%s" % (path, self.show_acls(acls)))
        return b"\4" + self.put_path(path) + self.put_acls(acls)

    def close(self, session, known):
        self.lines.append("CLOSE_SESSION session=0x%x paths_known=%d" % (session, known))
        return bytes([5 | known << 4]) + self.put_session(session)

    # records
    def add(self, record):
        self.raw += record if self.version == 1 else record[:1] + varint(len(record) - 1) + record[1:]
        self.records += 1
        return self

    def put_zxid(self, zxid):
        delta, self.zxid = zxid - self.zxid, zxid
        self.first = self.first or zxid
        return varint(delta & M64)

    def txn(self, zxid, clock, at_ms, multi, *ops):
        """`ops` are (method, arguments...): they are encoded in order, after the head."""
        self.lines.append("TXN zxid=0x%x clock=0x%x time=%d multi=%d" % (zxid, clock, at_ms, multi))
        head = b"\1" + self.put_zxid(zxid) + varint(clock - self.clock & M64)
        self.clock = clock
        head += zigzag(at_ms - (clock >> 16)) + varint(len(ops) << 1 | multi)
        self.txns += 1
        return self.add(head + b"".join(op[0](self, *op[1:]) for op in ops))

    def mark(self, zxid, site, seen, clock, session):
        self.lines.append("MARK zxid=0x%x site=%s seen=0x%x clock=0x%x session=0x%x" %
                          (zxid, site, seen, clock, session))
        record = b"\2" + self.put_zxid(zxid) + text(site) + zigzag(seen - self.seen) + zigzag(clock - self.clock)
        self.seen, self.clock = seen, max(self.clock, clock)
        return self.add(record + self.put_session(session))

    def node(self, path, data, acls=OPEN, kind="PERSISTENT", session=0, ttl=0, write=None, delete=None, zxid=0,
             created=0, at_ms=0, copy=False):
        self.lines.append("NODE %s %s data=%s acls=%s session=0x%x ttl=%d zxid=0x%x created=0x%x time=%d%s%s%s" % (
            kind, path, self.show_data(data), self.show_acls(acls), session, ttl, zxid, created, at_ms,
            " copy" if copy else "", " write=0x%x/%s/0x%x/%d" % write if write else "", " delete=0x%x/%s/0x%x/%d" % delete if delete else ""))
        flags = (1 if write else 0) | (2 if delete else 0) | (4 if copy else 0) | KINDS[kind] << 4
        record = b"\3" + bytes([flags]) + self.put_path(path) + self.put_data(data) + self.put_acls(acls)
        record += self.put_kind(kind, session, ttl) + varint(zxid) + varint(zxid - created)
        record += zigzag(at_ms - (self.clock >> 16))
        record += self.put_stamp(*write) if write else b""
        return self.add(record + (self.put_stamp(*delete) if delete else b""))

    def tombstone(self, path, stamp):
        self.lines.append("TOMBSTONE %s delete=0x%x/%s/0x%x/%d" % ((path,) + stamp))
        return self.add(b"\4" + self.put_path(path) + self.put_stamp(*stamp))

    def begin(self, run, path, zxid, seen, history, vector, include="", exclude=""):
        self.lines.append("SNAPSHOT_BEGIN %s run=0x%x zxid=0x%x seen=0x%x/%s vector=%s include=%s exclude=%s" % (
            path, run, zxid, seen, history, self.show_vector(vector), include, exclude))
        record = b"\5" + struct.pack(">Q", run) + self.put_path(path) + varint(zxid) + varint(seen)
        return self.add(record + uuid.UUID(history).bytes + self.put_vector(vector) + text(include) + text(exclude))

    def end(self, path, nodes, zxid, floor):
        self.lines.append("SNAPSHOT_END %s nodes=%d zxid=0x%x floor=0x%x/%s/0x%x/%d" % ((path, nodes, zxid) + floor))
        return self.add(b"\6" + self.put_path(path) + varint(nodes) + varint(zxid) + self.put_stamp(*floor))

    def part(self, run, index):
        self.lines.append("SNAPSHOT_PART run=0x%x index=%d" % (run, index))
        return self.add(b"\x08" + struct.pack(">Q", run) + varint(index))

    def broken(self, zxid, reason):
        self.lines.append("BROKEN zxid=0x%x reason=%s" % (zxid, reason))
        return self.add(b"\x09" + varint(zxid) + text(reason))

    def seen_of(self, history, zxid):
        self.lines.append("SEEN 0x%x/%s" % (zxid, history))
        return self.add(b"\x0a" + uuid.UUID(history).bytes + varint(zxid))

    def checkpoint(self, zxid):
        self.lines.append("CHECKPOINT 0x%x" % zxid)
        return self.add(b"\x0b" + struct.pack(">Q", zxid))

    def dictionary(self, data):
        self.lines.append("DICTIONARY %s" % self.show_data(data))
        return self.add(b"\x0c" + varint(len(data)) + data)

    def sequence(self, path, created):
        self.lines.append("SEQUENCE %s created=%d" % (path, created))
        return self.add(b"\x40" + self.put_path(path) + varint(created))

    def as_of(self, zxid):
        self.lines.append("AS_OF 0x%x" % zxid)
        return self.add(b"\x41" + varint(zxid))

    def unknown(self, kind, body):
        self.skipped += 1
        return self.add(bytes([kind]) + body)

    def heartbeat(self, at_ms, vector, sessions):
        self.lines.append("HEARTBEAT time=%d vector=%s sessions=[%s]" % (
            at_ms, self.show_vector(vector), ", ".join("0x%x" % s for s in sessions)))
        record = b"\7" + zigzag(at_ms - (self.clock >> 16)) + self.put_vector(vector) + varint(len(sessions))
        return self.add(record + b"".join(self.put_session(s) for s in sessions))

    # the message
    def message(self, payload=None, **claimed):
        """`payload` replaces the records; `claimed` puts other values into the header than the true ones."""
        values = dict(version=self.version, flags=0, origin=self.origin, destination=self.destination, prev=self.prev,
                      first=self.first or self.prev, last=self.zxid, clock_prev=self.clock_prev, clock_last=self.clock,
                      records=self.records, txns=self.txns, raw=len(self.raw), dictionary=None, trailer=1)
        values.update(claimed)
        self.values = values
        payload = self.raw if payload is None else payload
        out = b"ZSPB" + bytes([values["version"], values["flags"]])
        out += text(values["origin"]) + text(values["destination"])
        out += uuid.UUID("00112233-4455-6677-8899-aabbccddeeff").bytes + struct.pack(">Q", 0xF117E5)
        prev, first, last = (values[n] for n in ("prev", "first", "last"))
        out += varint(prev & M64) + varint(first - prev & M64) + varint(last - first & M64)
        out += struct.pack(">Q", values["clock_prev"]) + varint(values["clock_last"] - values["clock_prev"] & M64)
        out += varint(values["records"]) + varint(values["txns"]) + varint(values["raw"])
        out += b"" if values["dictionary"] is None else struct.pack(">I", values["dictionary"])
        out += varint(len(payload))
        out += payload + bytes([values["trailer"]])
        return out + struct.pack(">I", crc32c(out))

    def show(self):
        v = dict(self.values, records=self.values["records"] - self.skipped)
        head = ("origin=%(origin)s destination=%(destination)s "
                "history=00112233-4455-6677-8899-aabbccddeeff filter=0xf117e5 "
                "prev=0x%(prev)x first=0x%(first)x last=0x%(last)x clock=0x%(clock_prev)x..0x%(clock_last)x "
                "records=%(records)d txns=%(txns)d raw=%(raw)d" % v)
        return "\n".join([head] + self.lines) + "\n"


C = 0x18F000000000000
Z = 0x100000000
DIGEST = ((31, "digest", "user:tpUq/4Pn5A64fVZyQ0gOJ8ZWqkY="), (1, "world", "anyone"))


def every_record(version=1):
    b, ms = Batch(version=version), C >> 16
    create, delete, set_, set_acl, close = Batch.create, Batch.delete, Batch.set, Batch.set_acl, Batch.close
    b.txn(Z + 1, C + 1, ms, 0, (create, "/app/config", b"data"))
    b.txn(Z + 2, C + 65536, ms + 1, 0, (set_, "/app/config", b""))
    b.txn(Z + 5, C + 65537, ms - 7, 0, (set_, "/app/config", None))
    b.txn(Z + 6, C + 65538, ms, 0, (create, "/app/conf-\u00e9\U0001F512", bytes(range(100)), DIGEST))
    b.mark(Z + 7, "hk", 0x700000009, C + 99999, 0x100002BBF8D0000)
    b.txn(Z + 8, C + 200000, ms, 1, (create, "/app/e", b"x", DIGEST, "EPHEMERAL", 0x100002BBF8D0001),
          (create, "/app/box", b"", OPEN, "CONTAINER"), (create, "/app/ttl", b"t", OPEN, "TTL", 0, 86400000),
          (delete, "/app/old"), (set_acl, "/app", DIGEST), (set_acl, "/", ((0, "ip", "10.0.0.0/8"),)))
    b.txn(Z + 9, C + 200001, ms, 0, (delete, "/app/e"), (close, 0x100002BBF8D0001, 1))
    b.txn(Z + (1 << 32) + 1, C + 200002, ms, 0, (close, -1 & M64, 0))
    b.mark(Z + (1 << 32) + 2, "hk", 0x70000000A, C + 5, 0x100002BBF8D0000)
    b.heartbeat(ms + 5, [("bj", 0x200000001), ("hk", 0)], [0x100002BBF8D0000, 0x100002BBF8D0003])
    return b


def image(version=1):
    b = Batch(prev=0, version=version)
    b.part(0x123456789ABCDEF0, 4294967295).broken(Z + 7, "the log begins at 0x10000000a \u00e9").broken(0, "")
    b.begin(0xFFFFFFFFFFFFFFFF, "/", Z + 9, 0x300000007, "8c5b1f6e-3c1d-4f7a-9a41-0f6f1f0f2d11", [("bj", 0x300000000)],
            "/a,/d/*", "/locks,/x\u00e9")
    b.node("/", b"", zxid=Z + 9, created=Z + 2, at_ms=(C >> 16) + 3)
    if version > 1:
        b.sequence("/", 2147483647).as_of(Z + 10)
    b.node("/a", b"1", DIGEST, write=(C + 9, "bj", 0x300000000, 2))
    b.node("/a/b", None, DIGEST, "EPHEMERAL", 0x7F, delete=(C + 8, "sh", Z + 3, 0))
    b.node("/a/c", b"c", OPEN, "TTL", 0, 5, (C + 8, "sh", Z + 3, 4294967295), (C + 7, "hk", 0x7FFFFFFFFFFFFFFF, 1))
    b.node("/d", b"", OPEN, "CONTAINER", copy=True)
    if version > 1:
        b.sequence("/d/\u00e9", 0)
    b.seen_of("8c5b1f6e-3c1d-4f7a-9a41-0f6f1f0f2d11", Z + 3)
    b.checkpoint(Z + 3)
    b.tombstone("/gone", (C + 8, "sh", Z + 3, 0))
    return b.end("/", 5, Z + 12, (C + 1, "bj", 3, 0)).end("/", 0, 0, (0, "", 0, 0))


def skipped():
    b = Batch(version=2).unknown(66, b"").unknown(255, bytes(200))
    b.txn(Z + 1, C + 1, C >> 16, 0, (Batch.create, "/a", b"x", DIGEST)).unknown(200, b"\1\2")
    b.node("/a", b"", DIGEST).unknown(70, b"?").sequence("/a", 7)
    return b.heartbeat(C >> 16, [], []).unknown(66, b"\xff" * 127).unknown(66, b"\xff" * 128)


def small():
    return Batch().txn(Z + 1, C + 1, C >> 16, 0, (Batch.set, "/a", b"x"))


def of_dictionary():
    return Batch().txn(Z + 1, C + 1, C >> 16, 0, (Batch.set, "/a", DICTIONARY[100:200]))


def two():
    return small().txn(Z + 2, C + 2, 0, 0, (Batch.set, "/a", b""))


def record_2(raw, txns=0, **claimed):
    return record(raw, **dict(dict(version=2, txns=txns, first=Z), **claimed))


def record(raw, **claimed):
    b = Batch()
    b.raw, b.records, b.txns = raw, 1, 1
    return b.message(**dict(dict(first=Z + 1, last=Z + 1, clock_last=C + 1), **claimed))


def damaged():
    good = small().message()
    txn = b"\1\1\1\0\2"  # zxid +1, clock +1, time 0, one op
    packed = lz4_run(100000)
    empty = Batch()
    return {
        "truncated": {
            "nothing": (b"", "not a batch"),
            "magic": (good[:3], "not a batch"),
            "header": (good[:60], "truncated"),
            "payload": (good[:-8], "truncated"),
            "trailer": (good[:-1], "truncated"),
        },
        "bad-checksum": {
            "flipped-record": (good[:-7] + bytes([good[-7] ^ 1]) + good[-6:], "checksum"),
            "flipped-sum": (good[:-1] + bytes([good[-1] ^ 0x80]), "checksum"),
        },
        "bad-version": {
            "three": (small().message(version=3), "format version 3"),
            "none": (small().message(version=0), "format version 0"),
            "one-as-two": (small().message(version=2), "inside the clock"),
            "flag": (small().message(flags=4), "unknown flags"),
            "dictionary-alone": (small().message(flags=2, dictionary=7), "unknown flags"),
            "dictionary": (of_dictionary().message(payload=lz4_run(100), flags=3, dictionary=7), "needs dictionary 0x00000007"),
            "hmac": (small().message(trailer=2), "unknown kind 2"),
        },
        "bad-header": {
            "not-ours": (b"GIF89a" + good[6:], "not a batch"),
            "origin": (small().message(origin="Shanghai"), "site's name"),
            "long-origin": (small().message(origin="s" * 16), "site's name"),
            "no-destination": (small().message(destination=""), "site's name"),
            "order": (small().message(last=Z), "more than 63 bits"),
            "too-far": (small().message(last=(1 << 63)), "more than 63 bits"),
            "many-records": (small().message(records=1 << 32), "number in its header malformed"),
            "negative": (small().message(prev=-1), "more than 63 bits"),
            "first": (small().message(first=Z), "first zxid"),
            "beyond": (two().message(last=Z + 1), "last zxid"),
            "clock": (small().message(clock_last=C - 1), "more than 64 bits"),
            "clock-beyond": (small().message(clock_last=C), "last clock"),
            "txns": (small().message(txns=2), "number of txns"),
            "records": (small().message(records=100), "bytes can hold"),
            "fewer-records": (two().message(records=1, txns=1), "left over"),
            "raw": (small().message(raw=5), "cannot come from"),
            "left-over": (good + b"x", "left over behind the trailer"),
        },
        "bad-record": {
            "type": (record(b"\x0d\1\1\0\2\2\0\2/a"), "type is not known"),
            "zxid-stands": (record(b"\1\0" + txn[2:] + b"\2\0\2/a"), "zxid does not rise"),
            "zxid-overflows": (record(b"\1" + varint(M64) + txn[2:] + b"\2\0\2/a"), "zxid does not rise"),
            "clock-stands": (record(b"\1\1\0\0\2\2\0\2/a"), "clock does not rise"),
            "no-ops": (record(b"\1\1\1\0\0"), "no operations"),
            "op-bomb": (record(b"\1\1\1\0" + varint(1 << 32) + b"\2\0\2/a"), "more operations"),
            "op-type": (record(txn + b"\6\0\2/a"), "operation type 6"),
            "op-flags": (record(txn + b"\x12\0\2/a"), "unknown flags"),
            "kind": (record(txn + b"\x41\0\2/a\0\0"), "kind of a node"),
            "varint": (record(b"\1" + b"\xff" * 11), "malformed"),
            "path-shares": (record(txn + b"\2\1\1/"), "shares more"),
            "path-cut": (record(txn + b"\2\0\x09/a"), "inside a path"),
            "path-malformed": (record(txn + b"\2\0\3/a/"), "path is malformed"),
            "path-nul": (record(txn + b"\2\0\3/a\0"), "path is malformed"),
            "path-not-utf8": (record(txn + b"\2\0\2/\xff"), "path is malformed"),
            "data-cut": (record(txn + b"\3\0\2/a\x09x"), "inside the data"),
            "acl-unknown": (record(txn + b"\4\0\2/a\2"), "refers to one"),
            "acl-bomb": (record(txn + b"\4\0\2/a\1" + varint(1 << 40)), "more than can be"),
            "ttl": (record(txn + b"\x31\0\2/a\0\0\0"), "TTL is not positive"),
            "mark-site": (record(b"\2\1\2Bj\0\0\0", txns=0), "site's name"),
            "vector-bomb": (record(b"\7\0" + varint(65) + bytes(300), txns=0, first=Z), "more than can be"),
            "vector-twice": (record(b"\7\0\2\2bj\0\2bj\0\0", txns=0, first=Z), "a site twice"),
            "sessions-bomb": (record(b"\7\0\0" + varint(33) + bytes(33), txns=0, first=Z), "more than can be"),
            "floor-without-site": (record(b"\6\0\1/\0\0\2\0\0\0", txns=0, first=Z), "floor has no site"),
            "run-zero": (record(b"\5" + bytes(8) + b"\0\1/\0\0" + bytes(17), txns=0, first=Z), "run is 0"),
            "part-zero": (record(b"\x08" + b"\1" * 8 + b"\0", txns=0, first=Z), "part's number is 0"),
            "seen-cut": (record(b"\5" + b"\1" * 8 + b"\0\1/\0\0" + bytes(9), txns=0, first=Z), "inside a history"),
            "seen-history-cut": (record(b"\x0a" + bytes(15), txns=0, first=Z), "inside a history"),
            "node-before-zero": (record(b"\3\0\0\1/\0\0\1\2\0", txns=0, first=Z), "older than zxid 0"),
            "checkpoint-negative": (record(b"\x0b" + b"\xff" * 8, txns=0, first=Z), "checkpoint's zxid is negative"),
            "dictionary-short": (record(b"\x0c\7" + bytes(7), txns=0, first=Z), "too short"),
            "dictionary-long": (record(b"\x0c" + varint(8193) + bytes(8193), txns=0, first=Z), "too long"),
            "dictionary-cut": (record(b"\x0c\x09" + bytes(8), txns=0, first=Z), "cut off"),
            "rules-long": (record(b"\5" + b"\1" * 8 + b"\0\1/\0\0" + bytes(17) + varint(65537) + b"/" * 65537, txns=0,
                                  first=Z), "list of patterns is cut off"),
            "reason-long": (record(b"\x09\0" + varint(401) + b"x" * 401, txns=0, first=Z), "reason is cut off"),
            "stamp-without-site": (record(b"\4\0\1/\0\0\0\0", txns=0, first=Z), "no valid site"),
            "skippable-in-one": (record(b"\x41\0\0\0", txns=0, first=Z), "type is not known"),
            "sequence-in-one": (record(b"\x40\0\1/\0", txns=0, first=Z), "type is not known"),
            "unknown-in-two": (record_2(b"\x0d\1\0"), "type is not known"),
            "length-cut": (record_2(b"\x41\3\0\0"), "inside the record"),
            "length-huge": (record_2(b"\x41" + varint(M64)), "inside the record"),
            "length-malformed": (record_2(b"\x41" + b"\xff" * 11), "inside the record"),
            "length-long": (record_2(b"\x0b\x09" + bytes(9)), "left over in the record"),
            "length-short": (record_2(b"\x0b\7" + bytes(8)), "inside the checkpoint"),
            "sequence-path": (record_2(b"\x40\4\0\2a/\1"), "path is malformed"),
            "sequence-large": (record_2(Batch(version=2).sequence("/", 1 << 31).raw), "more than 31 bits"),
            "node-flags": (record(b"\3\10\0\1/\0\0", txns=0, first=Z), "unknown flags"),
        },
        "bomb": {
            "raw-bytes": (empty.message(payload=packed, flags=1, raw=1 << 31), "more than the limit"),
            "ratio": (empty.message(payload=packed[:10], flags=1, raw=100000), "cannot come from"),
            "not-lz4": (empty.message(payload=b"\xff" * 400, flags=1, raw=100000), "not an LZ4 block"),
            "short-lz4": (empty.message(payload=packed, flags=1, raw=99999), "not an LZ4 block"),
            "zeros": (empty.message(payload=packed, flags=1, raw=100000), "left over"),
            "paths": (paths_bomb(), "paths are larger than the limit"),
        },
    }


def paths_bomb():
    b = Batch().txn(Z + 1, C + 1, 0, 0, (Batch.delete, "/" + "a" * 60000))
    for i in range(200):
        b.txn(Z + 2 + i, C + 2 + i, 0, 0, (Batch.delete, "/" + "a" * 59999 + "bc"[i % 2]))
    return b.message()


def main():
    every, every2, left_out = every_record(), every_record(2), skipped()
    zeros = Batch().txn(Z + 1, C + 1, C >> 16, 0, (Batch.set, "/a", bytes(400)))
    head = zeros.raw[:-399]  # then 399 more zeros, as one match
    block = bytes([len(head) << 4 | 15]) + head + b"\1\0" + bytes([255, 399 - 5 - 4 - 15 - 255]) + b"\x50" + bytes(5)
    assert len(head) < 15
    known = of_dictionary()
    known_block = lz4_of_dictionary(known.raw[:-100], 100, 100)
    beat = Batch().heartbeat(C >> 16, [], [])
    goods = {
        "every-record": (every, every.message(last=Z + (1 << 32) + 9, clock_last=C + 300000)),
        "image": (image(), None),
        "stored-in-lz4": (zeros, zeros.message(payload=block, flags=1)),
        "heartbeat": (beat, None),
        "every-record-2": (every2, every2.message(last=Z + (1 << 32) + 9, clock_last=C + 300000)),
        "image-2": (image(2), None),
        "heartbeat-2": (Batch(version=2).heartbeat(C >> 16, [], []), None),
        "dictionary": (known, known.message(payload=known_block, flags=3, dictionary=crc32c(DICTIONARY))),
        "dictionary-comes": (Batch().dictionary(bytes(8)).dictionary(bytes(8192)), None),
        "empty": (Batch(), None),
        "filtered-only": (Batch(), "last"),
    }
    for folder in HERE.iterdir():
        if folder.is_dir():
            shutil.rmtree(folder)
    (HERE / "ok").mkdir()
    for name, (batch, message) in goods.items():
        if message is None:
            message = batch.message()
        elif message == "last":
            message = batch.message(last=Z + 50, clock_last=C + 9)
        (HERE / "ok" / f"{name}.batch").write_bytes(message)
        (HERE / "ok" / f"{name}.txt").write_text(batch.show())
    (HERE / "skipped").mkdir()
    (HERE / "skipped" / "records.batch").write_bytes(left_out.message())
    (HERE / "skipped" / "records.txt").write_text(left_out.show())
    for folder, messages in damaged().items():
        (HERE / folder).mkdir()
        for name, (message, error) in messages.items():
            (HERE / folder / f"{name}.batch").write_bytes(message)
            (HERE / folder / f"{name}.txt").write_text(error + "\n")


if __name__ == "__main__":
    main()
