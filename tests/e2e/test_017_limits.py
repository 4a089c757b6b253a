"""What is as large as may be, what is malformed, forged or sent again, and who is not let in: nothing is dropped in silence, memory
stays bounded, the stream goes on."""

import base64
import contextlib
import importlib.util
import json
import os
import pathlib
import struct
import time
import urllib.error
import urllib.parse
import uuid

import pytest

from helpers import QUICK, eventually, frozen, judged, link_of, marker, plugin_link, wait_gone, wait_live, wait_seen
from zoosites import build, files, wire

GOLDEN = pathlib.Path(build.ROOT) / "tests" / "golden" / "batch"
BAD = sorted(batch for folder in GOLDEN.iterdir() if folder.name not in ("ok", "__pycache__")
             for batch in folder.glob("*.batch"))
JUTE_MAXBUFFER = 0xfffff  # the default of servers and applier
MESSAGE_MAX = 2 << 20


@pytest.fixture(scope="module")
def world(make_world):
    def prepare(world):
        for server in world["bj"].zk.servers:
            server.settings["enforceQuota"] = "true"
    world = make_world(voters=0, prepare=prepare, plugin=dict(QUICK, heartbeat="1s"),
                       applier=dict(QUICK, message_bytes_max=str(MESSAGE_MAX), zookeeper_session="3s"))
    wait_live(world)
    return world


@pytest.fixture(scope="module")
def encoder():
    """The encoder of golden batches, which was written from FORMAT.md alone."""
    spec = importlib.util.spec_from_file_location("golden_batches", GOLDEN / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def counter(world, name):
    return world["bj"].applier.status()["links"][0][name]


def publish(world, payload, exchange="zoospan.sh"):
    """As a client of sh's broker who may write to its exchange."""
    answer = world.brokers["sh"].api("POST", f"/api/exchanges/%2F/{exchange}/publish",
                                     {"properties": {}, "routing_key": "bj", "payload_encoding": "base64",
                                      "payload": base64.b64encode(payload).decode()})
    assert answer["routed"]


def resident_mb(world):
    with open(f"/proc/{world['bj'].applier.process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024


def goes_on(world, judge, path):
    judge.clients["sh"].create(path, b"x")
    wait_seen(judge.clients["bj"], path, timeout_s=40)
    judge.wait_equal(40)


# --- as large as may be ------------------------------------------------------------------------------------------------

def fitted(make):
    """The request that make(data) gives, with data so long that it is of the largest size that a server takes."""
    room = JUTE_MAXBUFFER - 8 - len(make(b"").serialize())  # 8: its header
    return make(os.urandom(room))


def test_requests_as_large_as_a_server_takes(world, judge):
    client = judge.clients["sh"]
    for name in ("/large-set", "/large-multi-set"):
        client.create(name, b"")
    create = lambda path: lambda data: wire.create_request(path, data)
    requests = [fitted(create("/large-create")), fitted(lambda data: wire.set_request("/large-set", data)),
                fitted(lambda data: wire.Multi([create("/large-multi-create")(data[:500000]),
                                                wire.set_request("/large-multi-set", data[500000:])])),
                fitted(lambda data: wire.Multi([create(f"/large-many-{number}")(b"") for number in range(8000)] +
                                               [create("/large-many-last")(data)]))]
    for request in requests:
        wire.call(client, request)
        client.create(f"/after-large-{requests.index(request)}", b"x")
    wait_seen(judge.clients["bj"], "/after-large-3", timeout_s=60)
    judge.wait_equal(60)
    assert counter(world, "quarantined") == 0
    wire.call(client, wire.Multi([wire.delete_request(f"/large-many-{number}") for number in range(8000)]))
    judge.wait_equal(60)
    with pytest.raises(Exception):  # one byte more, and the server closes the connection
        wire.call(client, wire.set_request("/large-set", requests[1].data + b"x"))


# --- what is no batch, or none of ours -------------------------------------------------------------------------------------

def test_batches_that_are_none(world, judge):
    """Damaged, cut off, of another version, with sizes that lie, or larger than may be."""
    def none_of_them():
        before, last, memory = counter(world, "rejected"), marker(judge.clients["bj"], "sh"), resident_mb(world)
        bombs = [batch for batch in BAD if batch.parent.name == "bomb"]
        junk = [b"", b"ZSPB", os.urandom(200), os.urandom(MESSAGE_MAX + 1), bytes(MESSAGE_MAX * 2)]
        for payload in [batch.read_bytes() for batch in BAD + bombs * 10] + junk:
            publish(world, payload)
        sent = len(BAD) + 10 * len(bombs) + len(junk)
        # (What is not acked yet when a connection ends comes again.)
        eventually(lambda: counter(world, "rejected") >= before + sent, 60, what=f"{sent} refusals")
        assert world["bj"].applier.read_log().count("batch rejected: ") >= 10
        assert resident_mb(world) < memory + 32
        assert marker(judge.clients["bj"], "sh") >= last
    judged(world, judge, none_of_them)
    goes_on(world, judge, "/after-what-was-none")


def forged(world, judge, encoder, path, prev, **claimed):
    """A batch that is right in all its parts, and says what sh never said: that behind `prev` it made `path`."""
    batch = encoder.Batch(prev=prev)
    batch.txn(prev + 1, encoder.C + 1, encoder.C >> 16, False, (encoder.Batch.create, path, b"forged"))
    history = json.loads(judge.clients["bj"].get("/zoospan/applied/sh")[0])["history"]
    body = batch.message(**claimed)[:-4].replace(uuid.UUID("00112233-4455-6677-8899-aabbccddeeff").bytes, uuid.UUID(history).bytes)
    return body + struct.pack(">I", encoder.crc32c(body))


def test_batches_that_are_forged(world, judge, encoder):
    """Of the past, of the future, of another ensemble or another link: nothing of it takes effect. (Who may write to the exchange
    and knows the next zxid cannot be told from the origin: keep RabbitMQ's permissions.)"""
    def forgeries():
        stands, gaps, rejected = marker(judge.clients["bj"], "sh"), counter(world, "gaps"), counter(world, "rejected")
        publish(world, forged(world, judge, encoder, "/forged-past", stands - 3))
        publish(world, forged(world, judge, encoder, "/forged-link", stands, origin="gz"))
        publish(world, forged(world, judge, encoder, "/forged-site", stands, destination="gz"))
        publish(world, forged(world, judge, encoder, "/forged-future", stands + (7 << 32)))
        eventually(lambda: counter(world, "gaps") > gaps, 20, what="a gap before what is of the future")
        eventually(lambda: counter(world, "rejected") >= rejected + 2, 20, what="refusals")
        publish(world, (GOLDEN / "ok" / "every-record.batch").read_bytes())
    judged(world, judge, forgeries, images=True)  # of another ensemble: bj makes sure with an image
    goes_on(world, judge, "/after-forgeries")
    for client in judge.clients.values():
        assert not [name for name in client.get_children("/") if name.startswith("forged")]


def test_batches_that_are_sent_again(world, judge):
    """Each of them many times, in any order: once in effect."""
    there, broker = judge.clients["bj"], world.brokers["sh"]
    judge.clients["sh"].create("/counted", b"")
    wait_seen(there, "/counted")
    world["bj"].applier.stop()
    for number in range(30):
        judge.clients["sh"].set("/counted", b"%d" % number)
        if number % 10 == 9:
            time.sleep(0.5)
    queue = "/api/queues/%2F/zoospan.sh.bj"
    eventually(lambda: broker.api("GET", queue).get("messages_ready", 0) >= 3, 20, what="a filled queue")
    messages = broker.api("POST", f"{queue}/get", {"count": 100, "ackmode": "ack_requeue_true", "encoding": "base64"})
    for message in [*messages, *reversed(messages), *messages]:
        publish(world, base64.b64decode(message["payload"]))
    world["bj"].applier.start()
    goes_on(world, judge, "/after-replays")
    for message in messages:
        publish(world, base64.b64decode(message["payload"]))
    goes_on(world, judge, "/after-late-replays")
    assert there.exists("/counted").version == 30


def test_reports_that_are_none_or_forged(world, judge):
    """The plugin ignores what is no report; one that asks for everything again costs doubles, which are trimmed."""
    exchange, client = "zoospan.sh.bj.feedback", judge.clients["sh"]
    client.create("/reported", b"")
    client.set("/reported", b"x")
    wait_seen(judge.clients["bj"], "/reported", b"x")
    known = json.loads(judge.clients["bj"].get("/zoospan/applied/sh")[0])
    begin = {"origin": "sh", "destination": "bj", "history": known["history"], "applied": known["zxid"], "clock": "0x0",
             "time": 0, "vector": {}, "sessions": [], "need": {"kind": "none"}}
    junk = (b"", b"{", os.urandom(300), b"[" * 100000, json.dumps(dict(begin, origin="gz")).encode(),
            json.dumps(dict(begin, need={"kind": "everything"})).encode(), b" " * (1 << 20))
    old = json.dumps(dict(begin, applied=f"{int(known['zxid'], 16) - 1:#x}", need={"kind": "from"})).encode()
    rewinds = link_of(world["sh"], "bj")["rewinds"]

    def ignored():  # the queue keeps the newest report only: the applier's own may come before it is read
        for payload in junk:
            publish(world, payload, exchange)
        return "ignores a report" in world["sh"].zk.servers[0].read_log()

    def obeyed():
        publish(world, old, exchange)
        return link_of(world["sh"], "bj")["rewinds"] > rewinds
    eventually(ignored, 40, 1, what="a report that is ignored")
    eventually(obeyed, 40, 1, what="a rewind")
    goes_on(world, judge, "/after-forged-reports")
    assert judge.clients["bj"].exists("/reported").version == 1


# --- who is not let in --------------------------------------------------------------------------------------------------

def test_the_appliers_session_expires(world, judge):
    def expired():
        server = world["bj"].zk.servers[0]
        expiries = lambda: server.read_log().count("timeout of 3000ms exceeded")  # the applier's
        before = expiries()
        with frozen(world["bj"].applier):
            eventually(lambda: expiries() > before, what="the end of the applier's session")
        eventually(lambda: "the session has expired" in world["bj"].applier.read_log(), 20, what="the applier's word")
    judged(world, judge, expired)


@contextlib.contextmanager
def another_password(broker, user):
    """For a while the broker has another one than the user's file, and who is connected has to log in again."""
    tell = lambda password: broker.api("PUT", f"/api/users/{user}", {"password": password, "tags": ""})
    tell(files.new_password())
    for connection in broker.api("GET", "/api/connections"):
        if connection["user"] == user:
            with contextlib.suppress(urllib.error.HTTPError):  # it is gone already
                broker.api("DELETE", f"/api/connections/{urllib.parse.quote(connection['name'], safe='')}")
    yield
    tell(files.read_secret(broker.passwords[user]))


def says(link, state, *words):
    return link.get("state") == state and any(word in link["detail"] for word in words)


def test_rabbitmq_knows_another_password(world, judge):
    sh, applier = world["sh"], world["bj"].applier

    def strangers():
        with another_password(sh.broker, "zoospan"), another_password(sh.broker, "zoospan-bj"):
            eventually(lambda: says(plugin_link(sh, "bj"), "DOWN", "403"), what="a link with RabbitMQ's refusal")
            eventually(lambda: says(applier.status()["links"][0], "BROKER", "403"), what="the same at the applier")
            judge.clients["sh"].create("/written-by-a-stranger", b"x")
    judged(world, judge, strangers)


def test_the_applier_is_not_the_superuser(world, judge):
    """The wrong password in its file: ZooKeeper lets it in as somebody else, who may not touch the marker."""
    bj = world["bj"]

    def restart(secret):
        bj.applier.stop()
        files.write_secret(bj.auth_file, secret)
        bj.applier.start()
        bj.applier.wait_ready()

    def somebody_else():
        secret = files.read_secret(bj.auth_file)
        restart("digest:super:wrong")
        try:
            eventually(lambda: says(bj.applier.status()["links"][0], "RECOVER", "denied", "not authenticated"),
                       what="no right to go on")
            stands = marker(judge.clients["bj"], "sh")
            time.sleep(2)
            assert marker(judge.clients["bj"], "sh") == stands
        finally:
            restart(secret)
    judged(world, judge, somebody_else)


def quarantined(world, judge):
    """path -> class of what bj could not apply."""
    client, top = judge.clients["bj"], "/zoospan/quarantine/sh"
    records = [json.loads(client.get(f"{top}/{name}")[0]) for name in client.get_children(top)]
    return {record["path"]: record["class"] for record in records}


def test_a_quota_is_used_up(world, judge):
    here, there = judge.clients["sh"], judge.clients["bj"]
    here.create("/bounded", b"")
    wait_seen(there, "/bounded")
    there.create("/zookeeper/quota/bounded", b"")
    there.create("/zookeeper/quota/bounded/zookeeper_limits", b"count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=2")
    there.create("/zookeeper/quota/bounded/zookeeper_stats", b"count=1,bytes=0")
    here.create("/bounded/1", b"x")
    wait_seen(there, "/bounded/1")  # ZooKeeper compares with what is committed, not with what comes in the same multi
    here.create("/bounded/2", b"x")
    here.create("/after-the-quota", b"x")
    wait_seen(there, "/after-the-quota", timeout_s=40)
    assert there.exists("/bounded/1") and not there.exists("/bounded/2")
    assert quarantined(world, judge) == {"/bounded/2": "quota"}
    here.delete("/bounded/2")  # whoever reads the record decides; here: it is taken back
    judge.wait_equal(40)


def test_a_parent_that_is_a_clients_ephemeral(world, judge, clients):
    """The copy at sh can have children, the ephemeral node itself cannot."""
    here, owner = judge.clients["sh"], clients(world["bj"])
    owner.create("/short-lived", b"", ephemeral=True)
    wait_seen(here, "/short-lived")
    here.create("/short-lived/child", b"x")
    here.create("/after-the-child", b"x")
    wait_seen(judge.clients["bj"], "/after-the-child", timeout_s=40)
    assert quarantined(world, judge).get("/short-lived/child") == "ephemeral"
    here.delete("/short-lived/child")
    owner.stop()
    wait_gone(here, "/short-lived")
    judge.wait_equal(40)
