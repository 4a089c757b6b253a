"""One site's ZooKeeper: N voting servers and an observer, stock Debian, with the plugin on the servers that are told
to carry it (by default the observer, which is where it belongs)."""

import base64
import hashlib
import json
import os
import socket
import urllib.request

from . import build, files
from .ports import free_port
from .processes import Process, StartError, stop_all, wait_for

TICK_MS = 500
JVM_FLAGS = ["-Xmx320m", "-Xss512k", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
             "-XX:-UsePerfData", "-XX:+ExitOnOutOfMemoryError",
             # Containers and TTL nodes expire within a second or so, not within a minute: so it can be watched.
             "-Dznode.container.checkIntervalMs=1000"]
LOG_FLAGS = ["-Dorg.slf4j.simpleLogger.showDateTime=true", "-Dorg.slf4j.simpleLogger.levelInBrackets=true",
             "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
             "-Dorg.slf4j.simpleLogger.defaultLogLevel=info"]


def digest(user, password):
    """The id of ZooKeeper's digest scheme: user:base64(sha1(user:password))."""
    hashed = hashlib.sha1(f"{user}:{password}".encode()).digest()
    return f"{user}:{base64.b64encode(hashed).decode()}"


def four_letter(port, word, timeout_s=5):
    """Asks a server without opening a client session; "" if it does not answer."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout_s) as connection:
            connection.settimeout(timeout_s)
            connection.sendall(word.encode())
            answer = b""
            while chunk := connection.recv(4096):
                answer += chunk
            return answer.decode(errors="replace")
    except OSError:
        return ""


class Server:
    """One ZooKeeper process and its files."""

    def __init__(self, directory, number, observer):
        self.dir, self.number, self.observer = directory, number, observer
        self.client_port, self.admin_port = free_port(), free_port()
        self.quorum_port, self.election_port = free_port(), free_port()
        self.data_dir = os.path.join(directory, "data")
        self.config = os.path.join(directory, "zoo.cfg")
        self.log = os.path.join(directory, "zookeeper.log")
        self.plugin = {}  # zoospan.* lines; empty: without the plugin
        self.settings = {}  # further zoo.cfg lines
        self.jvm = []  # further JVM flags
        self.jars = []  # before Debian's
        self.java = "java"
        self.environment = {}  # beside our own
        self.process = None

    @property
    def role(self):
        return "observer" if self.observer else "participant"

    @property
    def log_dir(self):
        """Where the txn log is."""
        return self.settings.get("dataLogDir", self.data_dir)

    def write_config(self, peers, super_digest):
        lines = {
            "tickTime": TICK_MS, "initLimit": 40, "syncLimit": 20,
            "dataDir": self.data_dir,
            "clientPort": self.client_port, "clientPortAddress": "127.0.0.1",
            "admin.serverPort": self.admin_port, "admin.serverAddress": "127.0.0.1",
            "maxSessionTimeout": 40000, "maxClientCnxns": 0, "preAllocSize": 4096,
            "4lw.commands.whitelist": "*",
            "extendedTypesEnabled": "true",
            "DigestAuthenticationProvider.superDigest": super_digest,
        }
        if len(peers) > 1:
            lines["standaloneEnabled"] = "false"
            if self.observer:
                lines["peerType"] = "observer"
            for peer in peers:
                lines[f"server.{peer.number}"] = \
                    f"127.0.0.1:{peer.quorum_port}:{peer.election_port}:{peer.role}"
        if self.plugin:
            lines["serverCnxnFactory"] = "io.zoospan.NIOFactory"
            lines["zoospan.library"] = build.plugin_library()
        lines.update(self.settings)
        lines.update(self.plugin)
        files.write(self.config, "".join(f"{key}={value}\n" for key, value in lines.items() if value is not None))
        files.write(os.path.join(self.data_dir, "myid"), f"{self.number}\n")

    def argv(self):
        jars = self.jars + build.ZOOKEEPER_JARS + ([build.plugin_jar()] if self.plugin else [])
        return [self.java, *JVM_FLAGS, *LOG_FLAGS, *self.jvm, "-cp", ":".join(jars),
                "org.apache.zookeeper.server.quorum.QuorumPeerMain", self.config]

    def drop_empty_logs(self):
        """ZooKeeper before 3.9 does not start with a log that has no header yet, which a kill may leave (ZOOKEEPER-1621): an
        operator removes it. There is nothing in it."""
        folder = os.path.join(self.log_dir, "version-2")
        for name in os.listdir(folder) if os.path.isdir(folder) else []:
            path = os.path.join(folder, name)
            if name.startswith("log.") and os.path.getsize(path) == 0:
                os.remove(path)

    def start(self):
        self.drop_empty_logs()
        if self.plugin and not os.path.exists(build.plugin_jar()):
            raise StartError(f"{build.plugin_jar()} is missing: run tests/harness/build.sh release")
        self.process = Process.spawn(self.argv(), self.log, env={**os.environ, **self.environment}, cwd=self.dir)

    def serving(self):
        return "Mode: " in four_letter(self.client_port, "srvr")

    def mode(self):
        """leader, follower, observer, standalone; "" while it does not serve."""
        for line in four_letter(self.client_port, "srvr").splitlines():
            if line.startswith("Mode: "):
                return line[6:].strip()
        return ""

    def wait_serving(self, timeout_s=120):
        wait_for(f"ZooKeeper server {self.number} in {self.dir}", timeout_s, self.serving, self.process)

    wait_ready = wait_serving

    def zxid(self):
        """The newest zxid in this server's tree."""
        for line in four_letter(self.client_port, "srvr").splitlines():
            if line.startswith("Zxid: "):
                return int(line[6:], 16)
        return None

    def nodes(self):
        """How many nodes this server's tree has; None while it does not serve."""
        for line in four_letter(self.client_port, "mntr").splitlines():
            if line.startswith("zk_znode_count"):
                return int(line.split()[1])
        return None

    def admin(self, command, timeout_s=15):
        """An AdminServer command's answer. Raises OSError when there is none."""
        url = f"http://127.0.0.1:{self.admin_port}/commands/{command}"
        with urllib.request.urlopen(url, timeout=timeout_s) as answer:
            return json.load(answer)

    def plugin_status(self):
        """What the plugin says of itself; None if it does not answer."""
        try:
            answer = self.admin("zoospan")
        except (OSError, ValueError):
            return None
        status = answer.get("zoospan", answer.get("status", answer))
        return json.loads(status) if isinstance(status, str) else status

    def stop(self):
        if self.process is not None:
            self.process.terminate()

    def kill(self):
        self.process.kill()

    def read_log(self):
        return files.read_log(self.log)


class Ensemble:
    """servers[:-1] vote and servers[-1] is the observer; `voters` 0 makes one standalone server instead."""

    def __init__(self, directory, voters=3, observers=1, super_password="super"):
        self.dir = directory
        self.super_password = super_password
        if voters == 0:
            self.servers = [Server(os.path.join(directory, "zk1"), 1, observer=False)]
        else:
            self.servers = [Server(os.path.join(directory, f"zk{n}"), n, observer=n > voters)
                            for n in range(1, voters + observers + 1)]
        self.carriers = [self.servers[-1]]

    @property
    def auth(self):
        return f"super:{self.super_password}"

    @property
    def connect_string(self):
        """For clients: the voting servers, so that the observer's work is the plugin's alone."""
        return ",".join(f"127.0.0.1:{server.client_port}" for server in self.voters())

    def voters(self):
        """A standalone server is one."""
        return [server for server in self.servers if not server.observer]

    def write_config(self):
        super_digest = digest("super", self.super_password)
        for server in self.servers:
            server.write_config(self.servers, super_digest)

    def start(self):
        for server in self.servers:
            server.start()

    def wait_serving(self, timeout_s=120):
        """Until every server serves, the observer too: what is written before it does would pass its plugin by."""
        for server in self.servers:
            server.wait_serving(timeout_s)

    def leader(self, timeout_s=40):
        """Who leads at the moment, or does as soon as somebody does."""
        leads = lambda server: server.mode() in ("leader", "standalone")
        return wait_for(f"a leader in {self.dir}", timeout_s, lambda: next(filter(leads, self.servers), None))

    def zxid(self):
        return max((server.zxid() or 0) for server in self.servers)

    def processes(self):
        return [server.process for server in self.servers if server.process is not None]

    def stop(self):
        stop_all(self.processes())
