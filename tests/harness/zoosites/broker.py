"""One unprivileged RabbitMQ with its management plugin: own node name, ports, directories, cookie and epmd, everything
through RABBITMQ_* variables, nothing of the machine's own RabbitMQ is read or touched.

Users come from a definitions file with salted hashes, so that no password stands on a command line, and no command is
run per user."""

import base64
import glob
import hashlib
import json
import os
import re
import secrets
import subprocess
import urllib.error
import urllib.parse
import urllib.request

from . import files
from .ports import free_port
from .processes import Process, StartError, stop_all, wait_for

ADMIN = "admin"


def installation():
    found = sorted(glob.glob("/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin"))
    if not found:
        raise StartError("RabbitMQ is not installed (package rabbitmq-server)")
    return found[-1]


def _password_hash(password):
    salt = secrets.token_bytes(4)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


class Epmd:
    """Erlang's port mapper, one per run directory, on a port of its own."""

    def __init__(self, directory):
        self.port = free_port()
        self.log = os.path.join(directory, "epmd.log")
        self.process = None

    def start(self):
        self.process = Process.spawn(["epmd", "-port", str(self.port), "-address", "127.0.0.1"], self.log)

    def stop(self):
        if self.process is not None:
            self.process.terminate()


class Broker:
    def __init__(self, directory, site, epmd):
        self.dir, self.site, self.epmd = directory, site, epmd
        self.settings = {}  # more lines of rabbitmq.conf, by name
        self.port, self.management_port, self.dist_port = free_port(), free_port(), free_port()
        self.node = f"zoospan-{site}-{self.port}@localhost"
        self.log = os.path.join(directory, "rabbitmq.log")
        self.passwords = {}  # user -> file
        self.users = {}  # user -> (configure, write, read) or None for the administrator
        self.process = None
        self.add_user(ADMIN, None)

    def add_user(self, name, permissions):
        self.users[name] = permissions
        self.passwords[name] = files.write_secret(os.path.join(self.dir, "secrets", name), files.new_password())

    def allow_sender(self, name="zoospan"):
        """The plugin of this site: everything that is named for this site's links, and nothing else."""
        own = f"^zoospan\\.{re.escape(self.site)}(\\..*)?$"
        self.add_user(name, (own, own, own))
        return name

    def allow_applier(self, destination):
        """Another site's applier: reads its queue, and writes its reports to one exchange."""
        name = f"zoospan-{destination}"
        link = f"zoospan\\.{re.escape(self.site)}\\.{re.escape(destination)}"
        self.add_user(name, ("^$", f"^{link}\\.feedback$", f"^{link}$"))
        return name

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def uri(self, user, vhost="/"):
        return f"amqp://{user}@{self.address}/{urllib.parse.quote(vhost, safe='')}"

    @property
    def management_url(self):
        return f"http://127.0.0.1:{self.management_port}/"

    def environment(self):
        keep = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TZ") if name in os.environ}
        inside = {name: os.path.join(self.dir, file) for name, file in {
            "HOME": "home", "RABBITMQ_CONF_ENV_FILE": "rabbitmq-env.conf", "RABBITMQ_CONFIG_FILE": "rabbitmq.conf",
            "RABBITMQ_ADVANCED_CONFIG_FILE": "advanced.config", "RABBITMQ_MNESIA_BASE": "mnesia",
            "RABBITMQ_LOG_BASE": "log", "RABBITMQ_ENABLED_PLUGINS_FILE": "enabled_plugins",
            "RABBITMQ_PID_FILE": "rabbitmq.pid", "RABBITMQ_GENERATED_CONFIG_DIR": "generated",
            "RABBITMQ_SCHEMA_DIR": "schema"}.items()}
        loopback = "-kernel inet_dist_use_interface {127,0,0,1}"
        return {**keep, **inside, "RABBITMQ_NODENAME": self.node, "RABBITMQ_DIST_PORT": str(self.dist_port),
                "RABBITMQ_LOGS": "-", "ERL_EPMD_PORT": str(self.epmd.port), "ERL_EPMD_ADDRESS": "127.0.0.1",
                "RABBITMQ_CTL_ERL_ARGS": f"{loopback} +S 1:1",
                # The start script stays in the way as a parent unless it believes that somebody wants to type.
                "RABBITMQ_ALLOW_INPUT": "1",
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"-noinput {loopback} +S 1:1 +sbwt none +A 8 +MBas ageffcbf"}

    def write_config(self):
        for name in ("home", "mnesia", "log", "generated", "schema"):
            os.makedirs(os.path.join(self.dir, name), exist_ok=True)
        write = lambda name, text, mode=0o644: files.write(os.path.join(self.dir, name), text, mode)
        write("rabbitmq-env.conf", "")
        write("enabled_plugins", "[rabbitmq_management].\n")
        write("rabbitmq.conf", "\n".join([
            f"listeners.tcp.1 = 127.0.0.1:{self.port}",
            "management.tcp.ip = 127.0.0.1", f"management.tcp.port = {self.management_port}",
            "load_definitions = " + os.path.join(self.dir, "definitions.json"),
            "vm_memory_high_watermark.absolute = 512MiB", "disk_free_limit.absolute = 50MB",
            "log.console = true", "log.console.level = info", "log.file = false",
            "collect_statistics_interval = 2000", *(f"{name} = {value}" for name, value in self.settings.items()), ""]))
        write("definitions.json", json.dumps(self.definitions(), indent=1), 0o600)

    def definitions(self):
        users, permissions = [], []
        for name, allowed in self.users.items():
            users.append({"name": name, "hashing_algorithm": "rabbit_password_hashing_sha256",
                          "password_hash": _password_hash(files.read_secret(self.passwords[name])),
                          "tags": "administrator" if allowed is None else ""})
            configure, write, read = allowed or (".*", ".*", ".*")
            permissions.append({"user": name, "vhost": "/", "configure": configure, "write": write, "read": read})
        return {"rabbit_version": "3.10.8", "vhosts": [{"name": "/"}], "users": users, "permissions": permissions}

    def start(self):
        self.process = Process.spawn([os.path.join(installation(), "rabbitmq-server")], self.log,
                                     env=self.environment(), cwd=self.dir)

    def ready(self):
        """The management API answers and knows of an AMQP listener."""
        try:
            listeners = self.api("GET", "/api/overview", timeout_s=5).get("listeners", [])
        except (OSError, ValueError):
            return False
        return any(listener.get("protocol") == "amqp" for listener in listeners)

    def wait_ready(self, timeout_s=240):
        wait_for(f"RabbitMQ of site {self.site}", timeout_s, self.ready, self.process, pause_s=0.25)

    def api(self, method, path, body=None, timeout_s=30):
        """One call of the management API as the administrator; None for an empty answer."""
        credentials = f"{ADMIN}:{files.read_secret(self.passwords[ADMIN])}".encode()
        request = urllib.request.Request(
            self.management_url.rstrip("/") + path, method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": "Basic " + base64.b64encode(credentials).decode(),
                     "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def queues(self):
        return {queue["name"]: queue for queue in self.api("GET", "/api/queues")}

    def ctl(self, *arguments, timeout_s=120):
        """Runs rabbitmqctl against this node."""
        return subprocess.run([os.path.join(installation(), "rabbitmqctl"), "-n", self.node, *arguments],
                              env=self.environment(), cwd=self.dir, timeout=timeout_s, check=True,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout

    def stop(self, timeout_s=30):
        if self.process is not None:
            self.process.terminate(timeout_s)

    def kill(self):
        self.process.kill()

    def read_log(self):
        return files.read_log(self.log)


class Cluster:
    """Several nodes that are one RabbitMQ, on loopback; takes the place of a Broker. What is asked of it is asked of the first node
    that runs."""

    def __init__(self, directory, site, epmd, size=3):
        self.dir, self.site = directory, site
        self.nodes = [Broker(os.path.join(directory, str(number)), site, epmd) for number in range(1, size + 1)]
        for node in self.nodes[1:]:
            node.users, node.passwords = self.users, self.passwords

    users = property(lambda self: self.nodes[0].users)
    process = property(lambda self: (self.running() or self.nodes)[0].process)
    passwords = property(lambda self: self.nodes[0].passwords)

    def allow_sender(self, name="zoospan"):
        return self.nodes[0].allow_sender(name)

    def allow_applier(self, destination):
        return self.nodes[0].allow_applier(destination)

    def uri(self, user, vhost="/", nodes=None):
        hosts = ",".join(node.address for node in nodes or self.nodes)
        return f"amqp://{user}@{hosts}/{urllib.parse.quote(vhost, safe='')}"

    def write_config(self):
        cookie = files.new_password()
        for node in self.nodes:
            node.settings["cluster_formation.peer_discovery_backend"] = "classic_config"
            for number, other in enumerate(self.nodes, 1):
                node.settings[f"cluster_formation.classic_config.nodes.{number}"] = other.node
            node.write_config()
            files.write(os.path.join(node.dir, "home", ".erlang.cookie"), cookie, 0o400)

    def start(self):
        """The first node makes the cluster, the others join it."""
        self.nodes[0].start()
        self.nodes[0].wait_ready()
        for node in self.nodes[1:]:
            node.start()

    def wait_ready(self, timeout_s=90):
        for node in self.nodes:
            node.wait_ready(timeout_s)
        whole = lambda: len([node for node in self.api("GET", "/api/nodes") if node["running"]]) == len(self.nodes)
        wait_for(f"the cluster of site {self.site}", timeout_s, whole, pause_s=0.25)

    def running(self):
        return [node for node in self.nodes if node.process is not None and node.process.alive()]

    def node_of(self, name):
        """The Broker that bears this node name."""
        return next(node for node in self.nodes if node.node == name)

    def api(self, *arguments, **options):
        return self.running()[0].api(*arguments, **options)

    def queues(self):
        return self.running()[0].queues()

    def ctl(self, *arguments, **options):
        return self.running()[0].ctl(*arguments, **options)

    def stop(self, timeout_s=30):
        stop_all([node.process for node in self.running()], timeout_s)
