"""etcd of Debian, and its etcdctl make-mirror: what others use to the same end."""

import base64
import json
import os
import shutil
import subprocess
import urllib.request

from zoosites.ports import free_port
from zoosites.processes import Process, stop_all

from . import tools

ENVIRONMENT = {**os.environ, "ETCDCTL_API": "3"}


class Etcd:
    def __init__(self, bench, name):
        if not shutil.which("etcd") or not shutil.which("etcdctl"):
            raise tools.Unavailable("needs etcd (sudo tests/bench/install.sh)")
        self.port, peer = free_port(), free_port()
        client, peers = f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{peer}"
        directory = bench.directory(f"etcd-{name}")
        self.process = Process.spawn(
            ["etcd", "--name", name, "--data-dir", os.path.join(directory, "data"), "--listen-client-urls", client,
             "--advertise-client-urls", client, "--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers,
             "--initial-cluster", f"{name}={peers}", "--quota-backend-bytes", str(8 << 30)],
            os.path.join(directory, "etcd.log"))
        bench.row.callback(lambda: stop_all([self.process]))
        tools.wait_until(f"etcd {name}", 30, self.revision)

    @property
    def endpoint(self):
        return f"127.0.0.1:{self.port}"

    def revision(self):
        """The newest revision; 0 while it does not answer."""
        body = json.dumps({"key": base64.b64encode(b"/").decode(), "count_only": True}).encode()
        request = urllib.request.Request(f"http://{self.endpoint}/v3/kv/range", data=body)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return int(json.load(answer)["header"]["revision"])
        except OSError:
            return 0


class Mirror:
    """etcdctl make-mirror from one etcd to another, with the nodes of a registry in both."""

    def __init__(self, bench, nodes):
        self.source, self.copy = Etcd(bench, "source"), Etcd(bench, "copy")
        tools.run("bench_etcd", self.source.port, "txn", nodes, 16, 100, nodes // 50)
        self.process = Process.spawn(["etcdctl", "make-mirror", "--endpoints", self.source.endpoint, self.copy.endpoint],
                                     os.path.join(bench.directory("mirror"), "mirror.log"), env=ENVIRONMENT)
        bench.row.callback(lambda: stop_all([self.process]))
        self.settle()

    def put_one(self, key="/mirror-fence"):
        subprocess.run(["etcdctl", "--endpoints", self.source.endpoint, "put", key, "x"], env=ENVIRONMENT, check=True,
                       stdout=subprocess.DEVNULL, timeout=30)

    def settle(self, timeout_s=300):
        """Until a key that is written now is in the copy."""
        key = f"/mirror-fence-{self.source.revision()}"
        self.put_one(key)

        def there():
            done = subprocess.run(["etcdctl", "--endpoints", self.copy.endpoint, "get", "--keys-only", key], env=ENVIRONMENT,
                                  capture_output=True, text=True, timeout=30)
            return key in done.stdout

        tools.wait_until("the mirror", timeout_s, there, 0.1)
