"""What the destination cannot take is put aside with a record, the stream goes on, and the operator can try again."""

import json
import os
import subprocess

import pytest
from kazoo.exceptions import KazooException
from kazoo.security import ACL, OPEN_ACL_UNSAFE, Id, make_digest_acl

from helpers import eventually, link_of, wait_confirmed, wait_live, wait_seen
from zoosites import build, files

SMALL = 300 * 1000  # jute.maxbuffer of the destination's servers; the applier is not told


def prepare(world):
    sh, bj = world["sh"], world["bj"]
    for server in bj.zk.servers:
        server.jvm.append(f"-Djute.maxbuffer={SMALL}")
    for server in sh.zk.servers:  # knows a scheme of ACLs that the destination does not
        server.jvm.append("-Dzookeeper.authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider")
    # An applier without the super user's rights: what a local client protects is closed to it.
    bj.auth_file = files.write_secret(os.path.join(bj.dir, "secrets", "plain"), "digest:applier:plain")


@pytest.fixture(scope="module")
def world(make_world):
    world = make_world(voters=0, observers=0, prepare=prepare)
    wait_live(world)
    return world


def zoospan(world, *arguments, expect=0):
    command = [build.cli_program(), "--config", world["bj"].applier.config, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90)
    assert done.returncode == expect, (arguments, done)
    return done.stdout if expect == 0 else done.stderr


def quarantined(world):
    return world["bj"].applier.status()["links"][0]["quarantined"]


def listed(world):
    return json.loads(zoospan(world, "quarantine", "list", "--origin", "sh", "--json"))


def put_aside(world, sh, bj, write, path):
    """Has `write` done at the origin; yields its record once the stream has gone on behind it."""
    before, known = quarantined(world), {record["zxid"] for record in listed(world)}
    write()
    sh.ensure_path(path)
    wait_seen(bj, path, timeout_s=60)
    eventually(lambda: quarantined(world) == before + 1, what="the counter")
    fresh = [record for record in listed(world) if record["zxid"] not in known]
    assert len(fresh) == 1, fresh
    return fresh[0]


def test_nothing_yet(world):
    assert zoospan(world, "quarantine", "list") == "nothing is in quarantine\n"
    assert listed(world) == []


def test_data_larger_than_the_servers_take(world, sh, bj):
    sh.create("/large", b"small")
    record = put_aside(world, sh, bj, lambda: sh.set("/large", os.urandom(1040000)), "/after-large")
    assert (record["class"], record["whole"]) == ("too_large", False)
    assert "jute.maxbuffer" in record["reason"]
    assert record["ops"] == [{"op": "set", "path": "/large", "bytes": 1040000}]
    assert bj.get("/large")[0] == b"small"
    assert "cannot be retried" in zoospan(world, "quarantine", "list")
    assert "does not hold the txn's data" in zoospan(world, "quarantine", "retry", "sh", record["zxid"], expect=1)


def test_a_multi_larger_than_the_servers_take(world, sh, bj):
    def write():
        multi = sh.transaction()
        for n in range(10):
            multi.create(f"/multi-{n}", os.urandom(100000))
        assert not [result for result in multi.commit() if isinstance(result, Exception)]

    record = put_aside(world, sh, bj, write, "/after-multi")
    assert (record["class"], record["op_count"], record["multi"]) == ("too_large", 10, True)
    assert bj.exists("/multi-0") is None


def test_an_acl_that_the_destination_does_not_know(world, sh, bj):
    acl = [ACL(31, Id("sasl", "somebody"))]
    record = put_aside(world, sh, bj, lambda: sh.create("/acl", b"x", acl=acl), "/after-acl")
    assert (record["class"], record["code"], record["path"]) == ("invalid_acl", -114, "/acl")
    assert record["whole"]
    assert "refused again" in zoospan(world, "quarantine", "retry", "sh", record["zxid"], expect=1)
    assert record["zxid"] in {known["zxid"] for known in listed(world)}


def test_a_node_that_the_applier_may_not_write(world, sh, bj):
    bj.create("/theirs", b"0", acl=[make_digest_acl("owner", "secret", all=True)])
    wait_seen(sh, "/theirs", b"0")
    record = put_aside(world, sh, bj, lambda: sh.set("/theirs", b"1"), "/after-theirs")
    assert (record["class"], record["code"], record["path"]) == ("denied", -102, "/theirs")
    assert "refused again" in zoospan(world, "quarantine", "retry", "sh", record["zxid"], expect=1)
    assert bj.get("/theirs")[0] == b"0"

    bj.set_acls("/theirs", OPEN_ACL_UNSAFE)
    eventually(lambda: sh.get_acls("/theirs")[0] == OPEN_ACL_UNSAFE, what="the ACL at the origin")
    wait_confirmed(world["bj"], "sh")
    sent, marker = link_of(world["bj"], "sh")["txns"], bj.get("/zoospan/applied/sh")[0]
    assert zoospan(world, "quarantine", "retry", "sh", record["zxid"]) == "applied\n"
    data, stat = bj.get("/theirs")
    assert data == b"1" and bj.exists("/zoospan/applied/sh").mzxid >= stat.mzxid
    assert bj.exists(f"/zoospan/quarantine/sh/0x{int(record['zxid'], 16):016x}") is None
    assert record["zxid"] not in {known["zxid"] for known in listed(world)}  # two commands since `sent`
    # It was the origin's write and is not sent back; what a client writes next is.
    bj.create("/after-retry")
    wait_seen(sh, "/after-retry")
    eventually(lambda: link_of(world["bj"], "sh")["txns"] == sent + 3, what="the client's txn, and the ends of the commands' sessions")
    assert sh.exists("/theirs").version == 1 and json.loads(marker)["zxid"] != "0x0"


def test_dropping(world, sh):
    records = listed(world)
    assert len(records) == 3
    assert zoospan(world, "quarantine", "drop", "sh", records[0]["zxid"]) == "dropped\n"
    assert "no such record" in zoospan(world, "quarantine", "drop", "sh", records[0]["zxid"], expect=1)
    assert "no such record" in zoospan(world, "quarantine", "retry", "sh", records[0]["zxid"], expect=1)
    assert len(listed(world)) == 2
    assert zoospan(world, "quarantine", "drop", "sh", "all") == "2 dropped\n"
    assert listed(world) == []


def test_wrong_use_and_what_it_says(world):
    for arguments in ((), ("quarantine",), ("quarantine", "retry", "sh"), ("quarantine", "drop", "sh", "x"),
                      ("quarantine", "drop", "SH", "all"), ("quarantine", "list", "--nonsense"), ("burn",)):
        assert "usage:" in zoospan(world, *arguments, expect=2)
    assert "quarantine needs one more word: expected list or retry or drop" in zoospan(world, "quarantine", expect=2)
    assert "history has no command show: expected renew" in zoospan(world, "history", "show", expect=2)
    assert "there is no command burn" in zoospan(world, "burn", expect=2)
    for arguments in (("list", "--origin", "gz"), ("drop", "gz", "all"), ("retry", "gz", "0x1")):
        assert "zoospan.links" in zoospan(world, "quarantine", *arguments, expect=1)
    assert "--json" in zoospan(world, "quarantine", "list", "--help")
    secret = files.read_secret(world["bj"].auth_file)
    assert secret.split(":")[-1] not in zoospan(world, "--help") + zoospan(world, "quarantine", "list")


def test_a_client_without_rights_cannot_touch_the_records(world, clients):
    client = clients(world["bj"])
    assert client.get("/zoospan")[0] == b"" and "quarantine" in client.get_children("/zoospan")
    for path in ("/zoospan/quarantine/sh", "/zoospan/retry/sh"):
        with pytest.raises(KazooException):
            client.create(f"{path}/0x1", b"forged")
