"""A seeded random client: every kind of txn that ZooKeeper 3.8 knows, alone and inside multis, sessions that close and
sessions that die, and requests that fail. Each site's writer keeps to its own subtree, so the end does not depend on
which site's write came first; what it got acknowledged is remembered and can be asked for.

What it makes is bounded in number and bytes, however quick the machine is: servers hold all of it in their memory."""

import random
import threading
import time

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.security import OPEN_ACL_UNSAFE, make_acl, make_digest_acl

from . import wire

CREDENTIALS = "load:zoo"
NAMES = ["a", "b", "config", "servis-ä", "名前", "x y", "deep", "UPPER", "p%2Fq", "éé", "-", "0000000001"]
OWNER = make_digest_acl("load", "zoo", all=True)
ACLS = [
    OPEN_ACL_UNSAFE,
    [OWNER],
    [OWNER, make_acl("world", "anyone", read=True)],
    [OWNER, make_digest_acl("other-名", "x", read=True, write=True), make_acl("ip", "127.0.0.1", all=True)],
    [make_acl("world", "anyone", read=True, write=True, create=True, delete=True, admin=True), OWNER],
]


ALL = {"set": 30, "create": 26, "delete": 12, "acl": 6, "multi": 10, "failing_multi": 4, "failing": 4, "burst": 2, "session": 2,
       "dying_session": 1, "large": 1, "family": 1}
MASS = {"set": 20, "mass": 20, "huge": 1}
OPERATIONS = 20_000
NODES_MAX = 20_000  # made by one writer, of which most live on
BYTES_MAX = 24 << 20  # sent by one writer; beyond that its data is short


class Writer:
    """Writes to one site until `operations` are done, or until `seconds` are over; at most `per_s` of them a second, on average
    from its beginning, if it is told so. `acls`: some nodes get others than the open one.
    `only`: of what it does, by weight, instead of all kinds of it."""

    def __init__(self, site, seed, operations=OPERATIONS, seconds=None, root=None, per_s=None, acls=True, only=None):
        self.thread = threading.Thread(target=self._run, name=f"writer-{site.name}", daemon=True)
        self.site, self.random = site, random.Random(f"{seed}/{site.name}")
        self.operations, self.seconds, self.per_s = operations, seconds, per_s
        self.done = self.made = self.sent = 0  # operations; nodes; bytes of data
        self.acls = ACLS if acls else [OPEN_ACL_UNSAFE]
        self.actions = [(getattr(self, f"do_{name}"), weight) for name, weight in (only or ALL).items()]
        self.root = root or f"/load-{site.name}"
        self.paths = []  # nodes that may have children, newest last
        self.acked = {}  # path -> data, or None once it was deleted; only nodes that live until somebody deletes them
        self.lost = set()  # paths whose last request has no known outcome
        self.counts, self.errors, self.failure = {}, {}, None
        self.writing, self.stop_asked = threading.Event(), threading.Event()
        self.client = None

    # --- running ------------------------------------------------------------------------------------------------

    def start(self):
        self.thread.start()
        return self

    def wait_writing(self, timeout_s=60):
        """Until it is in the midst of it, so that what happens then happens to its writes."""
        assert self.writing.wait(timeout_s) or self.failure, f"writer of {self.site.name} has not begun"

    def join(self, timeout_s=300):
        """Waits for its end and raises what made it fail, if anything did."""
        self.thread.join(timeout_s)
        if self.failure is not None:
            raise self.failure
        assert not self.thread.is_alive(), f"writer of {self.site.name} still runs after {timeout_s} s"

    def stop(self, timeout_s=60):
        self.stop_asked.set()
        self.join(timeout_s)

    def _run(self):
        try:
            self.client = self._connect()
            if self.client.exists(self.root) is None:
                self._create(self.root, b"", None, wire.PERSISTENT)
            self.paths.append(self.root)
            self.writing.set()
            self._loop()
        except Exception as failure:  # told to the caller by join()
            self.failure = failure
        finally:
            if self.client is not None:
                self.client.stop()
                self.client.close()

    def _connect(self):
        client = KazooClient(hosts=self.site.zk.connect_string, timeout=10, handler=wire.Handler(),
                             auth_data=[("digest", CREDENTIALS)])
        client.start(timeout=60)
        return client

    def _loop(self):
        names, weights = [a for a, _ in self.actions], [w for _, w in self.actions]
        started = time.monotonic()
        while not self.stop_asked.is_set() and self.done < self.operations:
            if self.seconds is not None and time.monotonic() - started >= self.seconds:
                break
            early_s = started + self.done / self.per_s - time.monotonic() if self.per_s else 0
            if early_s > 0 and self.stop_asked.wait(early_s):
                break
            action = self.random.choices(names, weights)[0]
            if self.made >= NODES_MAX and action in (self.do_create, self.do_multi, self.do_family, self.do_mass):
                action = self.do_set
            self.done += 1
            try:
                action()
                self.counts[action.__name__[3:]] = self.counts.get(action.__name__[3:], 0) + 1
            except (KazooException, KazooTimeoutError) as error:
                name = type(error).__name__
                self.errors[name] = self.errors.get(name, 0) + 1
                if isinstance(error, wire.INTERRUPTED):
                    time.sleep(0.1)

    # --- one request, and what we may believe after it ---------------------------------------------------------------

    def _send(self, path, send):
        """Runs `send`; a lost connection leaves the path's state unknown."""
        try:
            return send()
        except wire.INTERRUPTED:
            self.lost.add(path)
            raise

    def _create(self, path, data, acl, flags, ttl_ms=0, stat=False):
        self.made += 1
        made = self._send(path, lambda: wire.create(self.client, path, data, acl, flags, ttl_ms, stat))
        if flags in (wire.PERSISTENT, wire.SEQUENTIAL):
            self.acked[made] = data or b""
        else:
            self.acked.pop(made, None)
        return made

    def _set(self, path, data):
        self._send(path, lambda: self.client.set(path, data))
        if path in self.acked:
            self.acked[path] = data

    def _delete(self, path):
        self._send(path, lambda: self.client.delete(path))
        if path in self.acked:
            self.acked[path] = None
        if path in self.paths:
            self.paths.remove(path)

    # --- choosing ----------------------------------------------------------------------------------------------------

    def _bytes(self, least, most):
        data = self.random.randbytes(self.random.randint(least, most))
        if self.sent + len(data) > BYTES_MAX:
            data = data[:8]
        self.sent += len(data)
        return data

    def _data(self):
        shape = self.random.random()
        if shape < 0.05:
            return b""
        if shape < 0.9:
            return self._bytes(1, 400)
        return b'{"host":"10.0.0.%d"}' % self.random.randint(0, 255) * self.random.randint(1, 60)

    def _parent(self):
        return self.random.choice(self.paths[-30:] + self.paths[:1])

    def _name(self):
        return f"{self.random.choice(NAMES)}{self.random.randint(0, 60)}"

    def _any(self):
        if self.random.random() < 0.75:
            return self.random.choice(self.paths)
        return f"{self._parent()}/{self._name()}"

    def _own(self):
        """A path below the root that probably exists."""
        return self.random.choice(self.paths[1:] or self.paths)

    # --- actions -----------------------------------------------------------------------------------------------------

    def do_create(self):
        flags = self.random.choice([wire.PERSISTENT] * 6 + [wire.EPHEMERAL, wire.SEQUENTIAL,
                                                           wire.EPHEMERAL_SEQUENTIAL, wire.CONTAINER, wire.TTL,
                                                           wire.TTL_SEQUENTIAL])
        data = None if self.random.random() < 0.05 else self._data()
        acl = self.random.choice(self.acls) if self.random.random() < 0.2 else None
        made = self._create(f"{self._parent()}/{self._name()}", data, acl, flags,
                            ttl_ms=self.random.randint(1, 4000), stat=self.random.random() < 0.3)
        if flags == wire.PERSISTENT and made.count("/") < 12:
            self.paths.append(made)

    def do_set(self):
        self._set(self._any(), self._data())

    def do_delete(self):
        """Mostly of young nodes, which have no children yet."""
        path = self.random.choice(self.paths[-6:]) if self.random.random() < 0.8 else self._any()
        if path != self.root:
            self._delete(path)

    def do_acl(self):
        path = self._any()
        self._send(path, lambda: self.client.set_acls(path, self.random.choice(self.acls)))

    def do_multi(self):
        """Related operations on a few new nodes, with a check that holds."""
        base = f"{self._parent()}/m{self.random.randint(0, 10 ** 6)}"
        first, second = self._data(), self._data()
        self.made += 3
        requests = [wire.create_request(base, first), wire.create_request(f"{base}/kid", second),
                    wire.set_request(base, second), wire.check_request(base, 1),
                    wire.create_request(f"{base}/gone", b"x"), wire.delete_request(f"{base}/gone")]
        if self.random.random() < 0.3:
            requests.append(wire.create_request(f"{base}/box", b"", flags=wire.CONTAINER))
        if self.random.random() < 0.3:
            requests.append(wire.create_request(f"{base}/brief", b"t", flags=wire.TTL, ttl_ms=1000))
        if self.random.random() < 0.3:
            requests.append(wire.create_request(f"{base}/eph", b"e", flags=wire.EPHEMERAL))
        results = self._send(base, lambda: wire.multi(self.client, requests))
        if not any(isinstance(result, Exception) for result in results):
            self.acked[base] = self.acked[f"{base}/kid"] = second

    def do_failing_multi(self):
        base = f"{self._parent()}/f{self.random.randint(0, 10 ** 6)}"
        wire.multi(self.client, [wire.create_request(base, b"never"), wire.check_request(self.root, 1 << 30)])

    def do_failing(self):
        """Requests that the server refuses: they too may leave a txn behind."""
        choice = self.random.randrange(4)
        if choice == 0:
            self.client.create(self.root, b"")
        elif choice == 1:
            self.client.delete(f"{self.root}/absent")
        elif choice == 2:
            self.client.set(self.root, b"", version=1 << 30)
        else:
            self.client.create(f"{self.root}/absent/child", b"")

    def do_burst(self):
        """Pipelined sets of one node: order is everything."""
        path = self._own()
        values = [b"%d" % n for n in range(self.random.randint(2, 60))]
        answers = [self.client.set_async(path, value) for value in values]
        self._send(path, lambda: [answer.get(timeout=30) for answer in answers])
        if path in self.acked:
            self.acked[path] = values[-1]

    def do_session(self):
        """A session of its own that leaves properly; its ephemerals go with it."""
        other = self._connect()
        try:
            for _ in range(self.random.randint(0, 4)):
                wire.create(other, f"{self._parent()}/s{self.random.randint(0, 10 ** 6)}", b"here",
                            flags=wire.EPHEMERAL)
        finally:
            other.stop()
            other.close()

    def do_dying_session(self):
        server = self.random.choice([s for s in self.site.zk.servers if not s.observer] or self.site.zk.servers)
        try:
            doomed = wire.DoomedSession(server.client_port)
            for _ in range(self.random.randint(1, 4)):
                doomed.create(f"{self._parent()}/d{self.random.randint(0, 10 ** 6)}", b"soon gone")
            doomed.die()
        except OSError:
            pass  # that server is down at the moment

    def do_large(self):
        self._set(self._own(), self._bytes(50_000, 400_000))

    def do_family(self):
        """A node with many children, made and sometimes deleted in one go."""
        base = self._create(f"{self._parent()}/fam{self.random.randint(0, 10 ** 6)}", b"", None, wire.PERSISTENT)
        count = self.random.randint(5, 80)
        self.made += count
        wire.multi(self.client, [wire.create_request(f"{base}/{n}", b"%d" % n) for n in range(count)])
        if self.random.random() < 0.5:
            requests = [wire.delete_request(f"{base}/{n}") for n in range(count)] + [wire.delete_request(base)]
            results = self._send(base, lambda: wire.multi(self.client, requests))
            if not any(isinstance(result, Exception) for result in results):
                self.acked[base] = None

    def do_mass(self):
        """A hundred small nodes in one go."""
        base = self._create(f"{self.root}/mass{self.random.randint(0, 10 ** 6)}", b"", None, wire.PERSISTENT)
        small = {f"{base}/{n}": b"%d" % n for n in range(100)}
        self.made += len(small)
        results = self._send(base, lambda: wire.multi(self.client, [wire.create_request(*node) for node in small.items()]))
        if not any(isinstance(result, Exception) for result in results):
            self.acked.update(small)

    def do_huge(self):
        """As large as a server takes, nearly."""
        path = f"{self.root}/huge{self.random.randint(0, 2)}"
        if path not in self.acked:
            self._create(path, b"", None, wire.PERSISTENT)
        self._set(path, self._bytes(600_000, 950_000))


class Contended:
    """Clients of several sites that write the same nodes at the same time. What the end is depends on who came first, so it is
    judged by what holds in any order: a site shows what somebody wrote there, or nothing; and of what one client writes after all the
    others, having seen their end, every site has the last."""

    def __init__(self, sites, seed, operations, root="/contended", names=12, per_s=50):
        self.sites, self.root, self.operations, self.per_s = sites, root, operations, per_s
        self.paths = [f"{root}/{number}" for number in range(names)]
        self.written = {path: {b""} for path in self.paths}
        self.seed, self.stop_asked, self.failures = seed, threading.Event(), []
        self.threads = [threading.Thread(target=self._run, args=(site,), name=f"contended-{site.name}", daemon=True)
                        for site in sites]

    def start(self):
        client = self.sites[0].client(auth=False)
        client.ensure_path(self.root)
        client.stop()
        client.close()
        for thread in self.threads:
            thread.start()
        return self

    def join(self, timeout_s=300):
        for thread in self.threads:
            thread.join(timeout_s)
            assert not thread.is_alive(), f"{thread.name} still runs after {timeout_s} s"
        if self.failures:
            raise self.failures[0]

    def stop(self):
        self.stop_asked.set()
        self.join()

    def _run(self, site):
        chance, client = random.Random(f"{self.seed}/{site.name}"), None
        try:
            client = site.client(auth=False)
            for number in range(self.operations):
                path, data = chance.choice(self.paths), f"{site.name} {number}".encode()
                self.written[path].add(data)
                action = chance.choice(["set", "set", "set", "create", "delete"])
                try:
                    if action == "set":
                        client.set(path, data)
                    elif action == "create":
                        client.create(path, data)
                    else:
                        client.delete(path)
                except (KazooException, KazooTimeoutError):
                    pass  # somebody was quicker, or a server is hurt
                if self.stop_asked.wait(1 / self.per_s):
                    break
        except Exception as failure:  # told to the caller by join()
            self.failures.append(failure)
        finally:
            if client is not None:
                client.stop()
                client.close()

    def invented(self, trees):
        """Lines about what nobody wrote. At rest."""
        return [f"{name}: {path}: {tree[path].data!r} was written by nobody" for name, tree in trees.items()
                for path in self.paths if path in tree and (tree[path].data or b"") not in self.written[path]]

    def last_words(self, site):
        """One client's, on every node. All sites have to have them."""
        client = site.client(auth=False)
        client.ensure_path(self.root)
        for path in self.paths:
            self.written[path].add(b"the last word")
            if client.exists(path) is None:
                client.create(path, b"the last word")
            else:
                client.set(path, b"the last word")
        client.stop()
        client.close()


def missing(writer, tree):
    """Acknowledged writes that a tree does not show, as lines for a person."""
    found = []
    for path, data in writer.acked.items():
        if path in writer.lost:
            continue
        node = tree.get(path)
        if data is None and node is not None:
            found.append(f"{path}: was deleted, is there")
        elif data is not None and node is None:
            found.append(f"{path}: was written, is absent")
        elif data is not None and (node.data or b"") != data:
            found.append(f"{path}: {len(data)} bytes were written, {len(node.data or b'')} others are there")
    return found


def run(sites, seed, operations):
    """Writers on all sites at once, to their end. Returns them."""
    writers = [Writer(site, seed, operations).start() for site in sites]
    for writer in writers:
        writer.join()
    return writers
