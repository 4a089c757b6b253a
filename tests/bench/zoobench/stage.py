"""Parts of sites, set up for one measurement."""

import json
import os

from kazoo.client import KazooClient
from kazoo.exceptions import NoNodeError
from kazoo.handlers.threading import SequentialThreadingHandler
from zoosites import files
from zoosites.applier import Applier
from zoosites.ports import free_port

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


def applier(bench, ensemble, origins, name="applier", **extra):
    """A zoospan-applier's configuration, not started. `origins`: origin -> (AMQP URI, password file)."""
    directory = bench.directory(name)
    made = Applier(directory, "bj")
    auth = files.write_secret(os.path.join(directory, "secrets", "zookeeper"), f"digest:{ensemble.auth}")
    made.options = {"zookeeper": ensemble.connect_string, "zookeeper_auth_file": auth, "links": ",".join(origins)}
    for origin, (uri, password_file) in origins.items():
        made.options[f"link.{origin}.amqp_uri"] = uri
        made.options[f"link.{origin}.amqp_password_file"] = password_file
    made.options.update(extra)
    made.write_config()
    bench.row.callback(made.stop)
    return made


class Sink:
    """bench_sink: see there."""

    def __init__(self, bench, file=None):
        self.port = free_port()
        directory = bench.directory("sink")
        self.password_file = files.write_secret(os.path.join(directory, "password"), "not looked at")
        self.program = bench.running("bench_sink", self.port, *([file] if file else []))
        self.program.line()

    def uri(self, user="zoospan"):
        return f"amqp://{user}@127.0.0.1:{self.port}/%2F"

    def stop(self):
        self.program.stop()


def batches(bench, origin, nodes, txns, seed):
    """(file, last zxid) of batches for bj that set nodes of the registry."""
    file = os.path.join(bench.directory("batches"), "batches")
    made = tools.run("bench_batches", file, origin, "bj", "registry", nodes, txns, seed)
    return file, int(made["last"], 16)
