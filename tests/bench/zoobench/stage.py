"""Parts of sites, set up for one measurement."""

import json
import os
import urllib.parse
import uuid

from kazoo.client import KazooClient
from kazoo.exceptions import NodeExistsError, NoNodeError
from kazoo.handlers.threading import SequentialThreadingHandler
from zoosites import files
from zoosites.applier import Applier
from zoosites.ports import free_port
from zoosites.relay import Relay

from . import tools

APPLIED = "/zoospan/applied"


def client(bench, ensemble):
    made = KazooClient(hosts=ensemble.connect_string, timeout=20, auth_data=[("digest", ensemble.auth)],
                       handler=SequentialThreadingHandler())
    made.start(timeout=20)

    def stop():
        made.stop()
        made.close()

    bench.row.callback(stop)
    return made


def marker(zk, origin):
    """(zxid, when the server wrote it in ms) of a marker; (0, 0) without one."""
    try:
        data, stat = zk.get(f"{APPLIED}/{origin}")
    except NoNodeError:
        return 0, 0
    zxid = json.loads(data)["zxid"] if data else 0
    return (int(zxid, 16) if isinstance(zxid, str) else zxid), stat.mtime


def applier(bench, ensemble, origins, name="applier", site="bj", **extra):
    """A zoospan-applier's configuration, not started. `origins`: origin -> (AMQP URI, password file)."""
    directory = bench.directory(name)
    made = Applier(directory, site)
    auth = files.write_secret(os.path.join(directory, "secrets", "zookeeper"), f"digest:{ensemble.auth}")
    made.options = {"zookeeper": ensemble.connect_string, "zookeeper_auth_file": auth, "links": ",".join(origins)}
    for origin, (uri, password_file) in origins.items():
        made.options[f"link.{origin}.amqp_uri"] = uri
        made.options[f"link.{origin}.amqp_password_file"] = password_file
    made.options.update(extra)
    made.write_config()
    bench.row.callback(made.stop)
    return made


def applier_of_file(bench, ensemble, origin, file):
    """An applier with a file of batches in the place of the origin's broker (bench_replay.c), not started."""
    password = files.write_secret(os.path.join(bench.directory("replay"), "password"), "not looked at")
    made = applier(bench, ensemble, {origin: (f"amqp://nobody@file/{urllib.parse.quote(file, safe='')}", password)}, origin)
    made.program = tools.path("bench_replay")
    return made


class Sink:
    """bench_sink: see there."""

    def __init__(self, bench):
        self.port = free_port()
        directory = bench.directory("sink")
        self.password_file = files.write_secret(os.path.join(directory, "password"), "not looked at")
        self.program = bench.running("bench_sink", self.port)
        self.program.line()

    def uri(self, user="zoospan"):
        return f"amqp://{user}@127.0.0.1:{self.port}/%2F"

    def stop(self):
        self.program.stop()


def batches(bench, origin, nodes, txns, seed, ops=1):
    """(file, last zxid) of batches for bj that set nodes of the registry."""
    file = os.path.join(bench.directory("batches"), "batches")
    made = tools.run("bench_batches", file, origin, "bj", "registry", nodes, txns, seed, ops)
    return file, int(made["last"], 16)


def make_history(zk):
    """What a site's applier does first: without it no link sends."""
    for path, data in (("/zoospan", b""), ("/zoospan/history", str(uuid.uuid4()).encode())):
        try:
            zk.create(path, data)
        except NodeExistsError:
            pass


def link_states(server):
    return {link["destination"]: link["state"] for link in (server.plugin_status() or {}).get("links", [])}


def wait_live(server, timeout_s=60):
    """Until every link of a server's plugin sends."""
    def live():
        states = link_states(server)
        return states and set(states.values()) == {"LIVE"}
    tools.wait_until("the links in state LIVE", timeout_s, live, 0.1)


def origin(bench, name, uri, password_file, destinations=("bj",), heap="1g", start=True, **extra):
    """A standalone ZooKeeper with the plugin, publishing as site sh, and its kazoo client."""
    plugin = {"site": "sh", "links": ",".join(destinations), "amqp_uri": uri, "amqp_password_file": password_file, **extra}
    ensemble = bench.ensemble(name, heap, plugin=plugin, start=start)
    if not start:
        return ensemble, None
    zk = client(bench, ensemble)
    make_history(zk)
    return ensemble, zk


class Pair:
    """Site sh with the plugin and a RabbitMQ, site bj with an applier; sh -> bj is LIVE and both trees hold the same nodes."""

    def __init__(self, bench, nodes, kind="registry", heap="1g", relay=False, **plugin):
        """`relay`: the applier reaches the broker by `self.relay`."""
        self.bench, self.nodes = bench, nodes
        self.broker = bench.broker("sh", ["bj"])
        self.sh, self.sh_zk = origin(bench, "sh", self.broker.uri("zoospan"), self.broker.passwords["zoospan"],
                                        heap=heap, **plugin)
        self.bj = bench.ensemble("bj", heap)
        self.bj_zk = client(bench, self.bj)
        user = "zoospan-bj"
        self.relay = Relay(self.broker.port) if relay else None
        if relay:
            bench.row.callback(self.relay.stop)
        uri = (self.relay or self.broker).uri(user)
        self.applier = applier(bench, self.bj, {"sh": (uri, self.broker.passwords[user])})
        self.applier.start()
        wait_live(self.sh.servers[0])
        self.sh_zk.create("/fence", b"")
        tools.run("bench_zk", self.sh.connect_string, "create", kind, nodes)
        self.wait_equal()

    def fence(self):
        """Writes one more node at the origin and returns the zxid of that. (Its newest zxid may be a closed session's, which
        no destination has to know of.)"""
        return self.sh_zk.set("/fence", b"").mzxid

    def there(self):
        """The newest zxid of the origin in effect at the destination."""
        return marker(self.bj_zk, "sh")[0]

    def wait_equal(self, timeout_s=120):
        fence = self.fence()
        tools.wait_until("the destination's tree", timeout_s, lambda: self.there() >= fence)
