"""Ways to spoil what a server's plugin would go on from: a txn log that is damaged, a destination that is behind it, a tail that
was never committed."""

import contextlib
import glob
import os
import re

from helpers import bring_back, eventually, judged, log_moves, marker, purge, wait_seen
from zoosites import txnlog

PAGE = 4096

# A server that leads and is started so sends who comes back the txns that he misses, however many those are: the newest out of its
# memory, all others out of its log, of which it reads as much as it has to. By default that is not much: more is sent as a snapshot.
COMMIT_LOG_COUNT = 500
SENDS_TXNS = [f"-Dzookeeper.commitLogCount={COMMIT_LOG_COUNT}", "-Dzookeeper.snapshotSizeFactor=0"]


def fill(judge, root, count):
    client = judge.clients["sh"]
    client.create(root, b"")
    for answer in [client.create_async(f"{root}/{number}", b"x" * 100) for number in range(count)]:
        answer.get(timeout=30)


def snapshots_beyond(servers, client, path, zxid):
    """Writes until each of them has three snapshots above `zxid`: it then starts whatever its log holds before, and a purge
    takes what was logged before."""
    def count(server):
        names = glob.glob(f"{server.data_dir}/version-2/snapshot.*")
        return sum(int(name.rsplit(".", 1)[1], 16) > zxid for name in names)

    def there():
        for answer in [client.set_async(path, b"more") for _ in range(25)]:
            answer.get(timeout=30)
        return all(count(server) >= 3 for server in servers)
    eventually(there, 60, 0.05, f"snapshots above {zxid:#x}")


def fall_behind(world, judge, servers, root, count, snapshots=True):
    """bj has nothing of what is then written, and neither RabbitMQ nor the memory of `servers` has it any more. Returns the
    place where bj stands."""
    world["bj"].applier.stop()
    place = marker(judge.clients["bj"], "sh")
    fill(judge, root, count)
    if snapshots:
        snapshots_beyond(servers, judge.clients["sh"], root, place + 200)
    newest = world["sh"].zk.zxid()
    logged_last = lambda server: max((txn.zxid for txn in txnlog.read(server.log_dir)), default=0)
    eventually(lambda: all(logged_last(server) >= newest for server in servers), 60, what="all in the logs")
    for server in servers:
        server.kill()
    purge(world)
    return place


class Refusals:
    """What a server's link says from now on when it cannot go on."""

    def __init__(self, server):
        self.server, self.since = server, len(server.read_log())

    def log(self):
        return self.server.read_log()[self.since:]

    def lines(self):
        return [line for line in self.log().splitlines() if "-> GAP" in line]

    def first(self):
        """It stays the first, however late it is looked at."""
        return eventually(self.lines, 30, what="GAP")[0]


def holes(lines, server):
    """Of refusals for "a is followed by b" those that are right: the server's log has nothing between the two."""
    logged = {txn.zxid for txn in txnlog.read(server.log_dir)}
    found = [re.search(r"(0x[0-9a-f]+) is followed by (0x[0-9a-f]+)", line) for line in lines]
    return [pair.group(0) for pair in found if pair and not any(int(pair.group(1), 16) < zxid < int(pair.group(2), 16)
                                                                for zxid in logged)]


def overwrite(name, offset, data):
    """Returns what stood there."""
    with open(name, "r+b") as file:
        file.seek(offset)
        old = file.read(len(data))
        file.seek(offset)
        file.write(data)
    return old


def flip_a_bit(name, offset, length):
    at = offset + 12 + length // 2
    with open(name, "rb") as file:
        file.seek(at)
        byte = file.read(1)[0]
    return name, at, overwrite(name, at, bytes([byte ^ 4]))


@contextlib.contextmanager
def damaged(damage, place):
    """A log is so for a while. `place`: as txnlog.find tells it."""
    name, at, whole = damage(*place)
    try:
        yield
    finally:
        overwrite(name, at, whole)


def zero_a_page(name, offset, _):
    start = offset // PAGE * PAGE
    return name, start, overwrite(name, start, bytes(PAGE))


@contextlib.contextmanager
def sends_snapshots(leader):
    """Who misses more than COMMIT_LOG_COUNT txns is sent a snapshot by a server that leads and has no log to read: it is as if what
    that has was purged."""
    data = os.path.join(leader.log_dir, "version-2")
    names = [os.path.basename(name) for name in glob.glob(f"{data}/log.*")]
    for name in names:
        os.rename(f"{data}/{name}", f"{data}/kept.{name}")
    try:
        yield
    finally:
        for name in names:
            os.rename(f"{data}/kept.{name}", f"{data}/{name}")


def logged(server, root):
    """How many txns beneath `root` a server has logged."""
    return sum(any(txnlog.beneath(op.path, [root]) for op in txn.ops) for txn in txnlog.read(server.log_dir))


def write_tail(site, leader, root, count=20):
    """Has the leader log txns that no other server has seen: its followers stand still, and are killed with all they have
    not read. Nothing of this was acknowledged. Returns the followers."""
    followers = [server for server in site.zk.voters() if server is not leader]
    client = site.client(hosts=f"127.0.0.1:{leader.client_port}")
    for server in followers:
        server.process.freeze()
    answers = [client.create_async(f"{root}-{number}", b"") for number in range(count)]
    eventually(lambda: logged(leader, f"{root}-{count - 1}") == 1, 30, what="the tail in the leader's log")
    for server in followers:
        server.kill()
    assert not any(answer.successful() for answer in answers)
    client.stop()
    client.close()
    return followers


def resynced(world, judge, server, disturb, path, **settings):
    """Runs `disturb`, which leaves `server` stopped and bj's applier too, and returns what the refusal has to say, if it knows that;
    then an image has to come, with `path` in it or behind it."""
    def until_the_image_has_come():
        reason = disturb() or "-> GAP"
        refusals, images = Refusals(server), log_moves(world["sh"], "-> SNAPSHOT", server)
        bring_back(server)
        world["bj"].applier.start()
        assert reason in refusals.first()
        eventually(lambda: log_moves(world["sh"], "-> SNAPSHOT", server) > images, 40, what="an image")
        wait_seen(judge.clients["bj"], path, timeout_s=60)
    judged(world, judge, until_the_image_has_come, images=True, name=disturb.__name__, **settings)
