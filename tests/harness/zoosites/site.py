"""Whole sites, and the full mesh of links between them."""

import os

from kazoo.client import KazooClient

from . import files
from .applier import Applier
from .broker import Broker, Epmd
from .processes import stop_all, wait_for
from .relay import Relay
from .wire import Handler
from .zk import Ensemble

# A machine that runs all sites at once may stand still for seconds, which is nobody's death. None: the default.
PATIENT = {"amqp_heartbeat": "10s"}

NAMES = ["sh", "bj", "gz", "cd", "wh", "xa", "hz", "nj"]


class Site:
    """One data center: ensemble + broker + applier, all beneath one directory."""

    def __init__(self, directory, name, broker, voters=3, observers=1):
        self.dir, self.name, self.broker = directory, name, broker
        self.super_password = files.new_password()
        self.auth_file = files.write_secret(os.path.join(directory, "secrets", "zookeeper"),
                                            f"digest:super:{self.super_password}")
        self.zk = Ensemble(directory, voters, observers, self.super_password)
        self.applier = Applier(os.path.join(directory, "applier"), name)
        self.destinations = set()

    def live_links(self):
        """The destinations that one of this site's servers publishes to at the moment."""
        links = [link for server in self.zk.carriers for link in (server.plugin_status() or {}).get("links", [])]
        return {link["destination"] for link in links if link["state"] == "LIVE"}

    def client(self, auth=True, **settings):
        """A connected kazoo client; `auth` makes it the superuser."""
        settings.setdefault("timeout", 20)
        client = KazooClient(hosts=settings.pop("hosts", self.zk.connect_string),
                             auth_data=[("digest", self.zk.auth)] if auth else None,
                             handler=Handler(), **settings)
        client.start(timeout=60)
        return client

    def fallen(self):
        """A line for each server or applier of this site that ended without having been told to."""
        return [f"{self.name}: {os.path.relpath(process.log, self.dir)}: {process.last_words()}"
                for process in self.processes() if process.fell()]

    def processes(self):
        applier = [self.applier.process] if self.applier.process is not None else []
        return applier + self.zk.processes()


def connect_mesh(sites, plugin=None, applier=None, links=None, ways=None):
    """Writes the configuration of a full mesh (or of `links`, pairs of names). `plugin` and `applier` are options for
    every site, without the prefix; a callable is asked per site name. `ways`: (origin, destination) -> Relay, where the
    destination's applier goes through one to the origin's broker."""
    names = [site.name for site in sites]
    links = links if links is not None else [(a, b) for a in names for b in names if a != b]
    for site in sites:
        destinations = [b for a, b in links if a == site.name]
        site.destinations = set(destinations)
        origins = [a for a, b in links if b == site.name]
        broker = site.broker
        extra = plugin(site.name) if callable(plugin) else (plugin or {})
        lines = {"site": site.name, "links": ",".join(destinations), "amqp_uri": broker.uri("zoospan"),
                 "amqp_password_file": broker.passwords["zoospan"],
                 # Room for a visitor's megabyte-sized txns on a machine that runs all sites at once.
                 "backlog_bytes_max": "256M", **PATIENT, **extra}
        for server in site.zk.carriers:
            server.plugin = {f"zoospan.{key}": value for key, value in lines.items() if value is not None}
        options = {**PATIENT, "zookeeper_session": "30s", "zookeeper": site.zk.connect_string, "zookeeper_auth_file": site.auth_file,
                   "links": ",".join(origins)}
        for origin in origins:
            theirs = next(other.broker for other in sites if other.name == origin)
            user = f"zoospan-{site.name}"
            options[f"link.{origin}.amqp_uri"] = (ways or {}).get((origin, site.name), theirs).uri(user)
            options[f"link.{origin}.amqp_password_file"] = theirs.passwords[user]
        options.update(applier(site.name) if callable(applier) else (applier or {}))
        site.applier.options = options
        site.zk.write_config()
        site.applier.write_config()


class World:
    """Some sites in a run directory. Brokers may be given (they are slow to start, and scenarios share them). `voters` and
    `observers`: how many, for all sites or by name."""

    def __init__(self, directory, names, brokers=None, voters=3, observers=1):
        self.dir = directory
        self.epmd = None
        self.own_brokers = brokers is None
        if brokers is None:
            self.epmd = Epmd(directory)
            brokers = make_brokers(directory, names, self.epmd)
        self.brokers = brokers
        self.ways = {}
        of = lambda value, name: value[name] if isinstance(value, dict) else value
        self.sites = [Site(os.path.join(directory, name), name, brokers[name], of(voters, name), of(observers, name))
                      for name in names]

    def __getitem__(self, name):
        return next(site for site in self.sites if site.name == name)

    def way(self, origin, destination, rtt_ms=0):
        """A Relay for that link, to be asked for before connect()."""
        self.ways[origin, destination] = Relay(self.brokers[origin].port, rtt_ms)
        return self.ways[origin, destination]

    def connect(self, **options):
        connect_mesh(self.sites, ways=self.ways, **options)

    def start(self, say=lambda text: None):
        """Brokers, then servers and observers, then appliers: an applier is a client, and nothing may be written
        before the plugin watches."""
        if self.own_brokers:
            self.epmd.start()
            for broker in self.brokers.values():
                broker.write_config()
                broker.start()
            say("RabbitMQ is starting")
            for broker in self.brokers.values():
                broker.wait_ready()
                say(f"site {broker.site}: RabbitMQ is up")
        for site in self.sites:
            site.zk.start()
        say("ZooKeeper is starting")
        for site in self.sites:
            site.zk.wait_serving()
            say(f"site {site.name}: {len(site.zk.servers)} ZooKeeper servers serve")
        for site in self.sites:
            site.applier.start()
        for site in self.sites:
            site.applier.wait_ready()
            say(f"site {site.name}: the applier is up")

    def wait_live(self, timeout_s=60):
        """Until every applier consumes and every link of every site is published by one of its servers."""
        for site in self.sites:
            wait_for(f"the links to {site.name}", timeout_s, lambda: all(
                link["state"] == "LIVE" for link in site.applier.status().get("links", [{"state": ""}])),
                site.applier.process)
            wait_for(f"the links from {site.name}", timeout_s, lambda: site.live_links() == site.destinations)

    def processes(self):
        return [process for site in self.sites for process in site.processes()]

    def mend(self):
        """Whatever was started once runs again, and whatever stands still goes on."""
        brokers, servers = list(self.brokers.values()), [server for site in self.sites for server in site.zk.servers]
        for group in (brokers, servers, [site.applier for site in self.sites]):
            started = [owner for owner in group if owner.process is not None]
            for owner in started:
                owner.process.thaw()
                if not owner.process.alive():
                    owner.start()
            for owner in started:
                owner.wait_ready()

    def stop(self):
        stop_all(self.processes())
        for way in self.ways.values():
            way.stop()
        if self.own_brokers:
            stop_all([broker.process for broker in self.brokers.values() if broker.process is not None], 30)
            if self.epmd is not None:
                self.epmd.stop()


def make_brokers(directory, names, epmd):
    """One broker per site, with the users of a full mesh."""
    brokers = {}
    for name in names:
        broker = brokers[name] = Broker(os.path.join(directory, name, "rabbitmq"), name, epmd)
        broker.allow_sender()
        for other in names:
            if other != name:
                broker.allow_applier(other)
    return brokers
