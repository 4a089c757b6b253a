"""Makes tests/golden/txnlog/<version>: the txn log that this ZooKeeper writes for a few clients' work, and what it holds
by a reader that shares no code with ZooSpan (tests/harness/zoosites/txnlog.py): zxid and number of ops a line. Versions
other than Debian's 3.8.0 come from Maven Central.

  /usr/bin/python3 tests/golden/txnlog/make.py 3.5.10 3.6.4 3.8.0 3.9.3
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
TESTS = HERE.parents[1]
sys.path.insert(0, str(TESTS / "harness"))

from kazoo.client import KazooClient  # noqa: E402
from zoosites import build, maven, txnlog  # noqa: E402

SERVER = TESTS / "harness" / "zookeeper.sh"

INSTALLED = "3.8.0"


def environment(version):
    if version == INSTALLED:
        return os.environ
    jars = maven.zookeeper_jars(version) + build.ZOOKEEPER_JARS
    return dict(os.environ, ZOOKEEPER_CLASSPATH=":".join(jars))


def work(port):
    client = KazooClient(f"127.0.0.1:{port}")
    client.start()
    client.create("/a", b"1")
    client.create("/ünïcode", b"")
    client.create("/e", b"gone with its session", ephemeral=True)
    for i in range(20):
        client.set("/a", b"%d" % i * i)
    multi = client.transaction()
    multi.create("/m", b"x")
    multi.set_data("/m", b"y")
    multi.delete("/m")
    multi.commit()
    multi = client.transaction()
    multi.create("/m", b"x")
    multi.check("/a", 12345)
    multi.commit()
    for i in range(5):
        client.create("/s-", b"", sequence=True)
    client.delete("/a")
    client.stop()
    client.close()


def later(port):
    client = KazooClient(f"127.0.0.1:{port}")
    client.start()
    client.create("/later", b"z")
    client.stop()
    client.close()


def make(version, folder):
    server = folder / "server"
    data = server / "data"
    env = environment(version)
    for job in (work, later):  # the second start begins a second file
        subprocess.run([SERVER, "start", server], check=True, env=env)
        try:
            job((server / "port").read_text().strip())
        finally:
            subprocess.run([SERVER, "crash", server], check=True)
    target = HERE / version
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    for file in sorted((data / "version-2").iterdir()):
        content = file.read_bytes()
        if file.name.startswith("log."):  # 64 MiB of zeros tell nothing that 100 of them do not
            content = content.rstrip(b"\0") + bytes(100)
        (target / file.name).write_bytes(content)
    lines = [f"{txn.zxid:x} {count(txn)}\n" for txn in txnlog.read(str(data))]
    (HERE / f"{version}.expected").write_text("".join(lines))


def count(txn):
    """closeSession is an op of its own, behind the deletes of its ephemerals."""
    return len(txn.ops) + (txn.type == txnlog.CLOSE_SESSION)


if __name__ == "__main__":
    for wanted in sys.argv[1:]:
        with tempfile.TemporaryDirectory(prefix="zoospan-golden-") as made:
            make(wanted, pathlib.Path(made))
