"""The demonstration behind demo.sh: whole sites on this machine's loopback interface.

    demo.py run                              two sites come up, write to each other, are compared, and go
    demo.py up [--sites N] [--servers N]     leaves them running; demo/sites.json says where everything is
    demo.py status                           what runs and how far each link has come
    demo.py down                             stops what `up` started
"""

import argparse
import json
import logging
import os
import shutil
import signal
import sys
import time
import urllib.request

from kazoo.exceptions import NoNodeError

from zoosites import build, files
from zoosites.judge import Judge
from zoosites.processes import Process, StartError, stop_all
from zoosites.site import NAMES, World
from zoosites.zk import four_letter

DEMO = os.path.join(build.ROOT, "demo")
STATE = os.path.join(DEMO, "state.json")  # what to stop
SITES = os.path.join(DEMO, "sites.json")  # for the visitor


class Refused(Exception):
    """The wish cannot be met; the text says why and what to do."""


def say(text):
    print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)


# --- what runs -------------------------------------------------------------------------------------------------------

def load_state():
    """The processes of the last `up`, in the order in which to stop them; None if there was none."""
    try:
        with open(STATE) as state:
            groups = json.load(state)
    except FileNotFoundError:
        return None
    return [[Process.from_record(record) for record in group] for group in groups]


def save_state(world):
    applier = [site.applier.process for site in world.sites]
    servers = [process for site in world.sites for process in site.zk.processes()]
    brokers = [broker.process for broker in world.brokers.values()]
    groups = [applier, servers, brokers, [world.epmd.process]]
    files.write_json(STATE, [[p.record() for p in group if p is not None] for group in groups])


def is_up():
    return any(process.alive() for group in load_state() or [] for process in group)


def describe(world):
    """demo/sites.json."""
    sites = []
    for site in world.sites:
        broker = site.broker
        sites.append({
            "name": site.name,
            "zookeeper": site.zk.connect_string,
            "zookeeper_super_auth_file": site.auth_file,
            "servers": [{
                "number": server.number,
                "role": server.role,
                "plugin": bool(server.plugin),
                "client_port": server.client_port,
                "admin_port": server.admin_port,
                "admin_url": f"http://127.0.0.1:{server.admin_port}/commands",
                "data_dir": server.data_dir,
                "config": server.config,
                "log": server.log,
                "pid": server.process.pid,
            } for server in site.zk.servers],
            "rabbitmq": {
                "node": broker.node,
                "amqp_uri": broker.uri("zoospan"),
                "amqp_password_file": broker.passwords["zoospan"],
                "management_url": broker.management_url,
                "management_user": "admin",
                "management_password_file": broker.passwords["admin"],
                "users": {user: broker.passwords[user] for user in broker.users},
                "config": os.path.join(broker.dir, "rabbitmq.conf"),
                "log": broker.log,
                "pid": broker.process.pid,
            },
            "applier": {
                "config": site.applier.config,
                "status_file": site.applier.status_file,
                "log": site.applier.log,
                "pid": site.applier.process.pid,
            },
        })
    return {"epmd_port": world.epmd.port, "sites": sites}


def bring_up(sites, servers):
    if is_up():
        raise Refused("the sites of an earlier ./demo.sh up are still running. Look at them with ./demo.sh status, or "
                      "stop them with ./demo.sh down")
    for needed in (build.plugin_jar(), build.plugin_library(), build.applier_program()):
        if not os.path.exists(needed):
            raise Refused(f"{needed} is missing: run ./demo.sh, which builds it")
    shutil.rmtree(DEMO, ignore_errors=True)
    names = NAMES[:sites]
    say(f"bringing up {sites} sites ({', '.join(names)}), each with {servers} ZooKeeper server"
        f"{'s' if servers > 1 else ''}, an observer with the plugin, RabbitMQ and an applier")
    world = World(DEMO, names, voters=servers)
    world.connect()

    def progress(text):
        save_state(world)
        say(text)

    try:
        world.start(progress)
        world.wait_live()
        progress("every link is live")
    except BaseException:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave half of it running
        world.stop()
        if os.path.exists(STATE):
            os.unlink(STATE)
        raise
    files.write_json(SITES, describe(world))
    return world


def bring_down(quiet=False):
    state = load_state()
    if state is None:
        if not quiet:
            say("nothing to stop: no sites are up")
        return
    try:
        for group, name in zip(state, ("appliers", "ZooKeeper servers", "RabbitMQ", "Erlang's port mapper")):
            if group:
                say(f"stopping {len(group)} × {name}" if len(group) > 1 else f"stopping {name}")
                stop_all(group, 30)
    except PermissionError:
        raise Refused("the sites belong to another user (root, if they were started with sudo): run sudo ./demo.sh "
                      "down") from None
    for path in (STATE, SITES):
        if os.path.exists(path):
            os.unlink(path)
    say("everything is stopped; logs stay in demo/ until the next start")


# --- showing it ------------------------------------------------------------------------------------------------------

def wait_seen(client, path, data, timeout_s=30):
    """Waits until a site has this node with this data."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            if client.get(path)[0] == data:
                return
        except NoNodeError:
            pass
        if time.monotonic() > deadline:
            raise StartError(f"{path} did not arrive within {timeout_s} s")
        time.sleep(0.0005)


def measure_lag(here, there, path, count=20):
    """Milliseconds from `acknowledged here` to `readable there`, sorted."""
    lags = []
    for number in range(count):
        data = f"{number}".encode()
        if number == 0:
            here.create(path, data, makepath=True)
        else:
            here.set(path, data)
        acknowledged = time.monotonic()
        wait_seen(there, path, data)
        lags.append((time.monotonic() - acknowledged) * 1000)
        time.sleep(0.02)
    return sorted(lags)


def write_much(client, top, count=1000):
    """A little service registry, pipelined."""
    client.ensure_path(top)
    answers = []
    for number in range(count):
        data = b'{"host":"10.0.%d.%d","port":8443,"weight":100}' % (number // 250, number % 250)
        answers.append(client.create_async(f"{top}/instance-{number:04d}", data))
    for answer in answers:
        answer.get(timeout=30)
    with client.transaction() as multi:
        multi.set_data(f"{top}/instance-0000", b'{"host":"10.9.9.9","port":8443,"weight":0}')
        multi.delete(f"{top}/instance-0001")
    return count + 1


def show_tree(tree, depth=3):
    """The upper part of a tree, with the number of nodes beneath."""
    for path in sorted(path for path in tree if path != "/" and path.count("/") < depth):
        beneath = sum(1 for other in tree if other.startswith(path + "/"))
        data = tree[path].data or b""
        about = f"{beneath} nodes beneath" if beneath else data.decode(errors="replace")[:48]
        print(f"      {path:<28} {about}")


def show(world):
    first, second = world.sites[0], world.sites[1]
    clients = {site.name: site.client(auth=False) for site in (first, second)}
    try:
        for here, there in ((first, second), (second, first)):
            lags = measure_lag(clients[here.name], clients[there.name], f"/demo/ping-{here.name}")
            say(f"{here.name} -> {there.name}: {len(lags)} single writes, each readable there after a median of "
                f"{lags[len(lags) // 2]:.1f} ms (worst {lags[-1]:.1f} ms)")
        started = time.monotonic()
        for site in (first, second):
            count = write_much(clients[site.name], f"/services/{site.name}")
            say(f"{count} writes acknowledged by {site.name}")
    finally:
        for client in clients.values():
            client.stop()
            client.close()
    judge = Judge(world.sites)
    try:
        trees = judge.wait_equal(60)
    finally:
        judge.close()
    say(f"all trees are equal, {len(next(iter(trees.values())))} nodes, {time.monotonic() - started:.1f} s after the "
        "first of those writes")
    for name, tree in trees.items():
        print(f"    {name}:")
        show_tree(tree)


# --- commands --------------------------------------------------------------------------------------------------------

def run(_):
    started = time.monotonic()
    world = bring_up(2, 3)
    try:
        show(world)
    finally:
        bring_down()
    say(f"that was ZooSpan, in {time.monotonic() - started:.0f} s. To try it yourself: ./demo.sh up")


def up(options):
    world = bring_up(options.sites, options.servers)
    print()
    for site in world.sites:
        print(f"  {site.name}  ZooKeeper {site.zk.connect_string}")
        print(f"      RabbitMQ  {site.broker.management_url} (user admin, password in "
              f"{os.path.relpath(site.broker.passwords['admin'], build.ROOT)})")
        print(f"      plugin    http://127.0.0.1:{site.zk.servers[-1].admin_port}/commands/zoospan")
    print("\n  Everything else is in demo/sites.json. Write to any site; see ./demo.sh status; stop with ./demo.sh down")


def link_lines(site):
    """What the applier and the plugin of a site say of their links."""
    lines = []
    try:
        with open(site["applier"]["status_file"]) as status:
            links = json.load(status).get("links", [])
    except (FileNotFoundError, ValueError):
        return ["      applier   no status yet"]
    for link in links:
        said = "  ".join(f"{key} {link[key]}" for key in ("state", "applied", "heard_ms", "lag_ms", "txns", "quarantined"))
        lines.append(f"      applies {link['origin']}->{site['name']:<8} {said}")
    for server in site["servers"]:
        for link in plugin_links(server) if server["plugin"] else []:
            said = "  ".join(f"{key} {link[key]}" for key in ("state", "cursor", "lag_ms", "txns"))
            reason = f"  ({link['detail']})" if link["state"] != "LIVE" else ""
            lines.append(f"      sends   {site['name']}->{link['destination']:<8} {said}{reason}")
    return lines


def plugin_links(server):
    """What the plugin says at the AdminServer of its server; nothing if that does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server['admin_port']}/commands/zoospan", timeout=3) as answer:
            return json.load(answer)["links"]
    except (OSError, ValueError, KeyError):
        return []


def status(_):
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # ./demo.sh status | head
    if not is_up():
        say("no sites are up. Start some with ./demo.sh up")
        return 3
    try:
        with open(SITES) as described:
            sites = json.load(described)["sites"]
    except FileNotFoundError:
        say("the sites are just coming up")
        return 3
    running = {process.pid for group in load_state() for process in group if process.alive()}
    word = lambda pid: "" if pid in running else "  NOT RUNNING"
    for site in sites:
        print(f"  {site['name']}")
        for server in site["servers"]:
            answer = four_letter(server["client_port"], "srvr")
            mode = next((line[6:] for line in answer.splitlines() if line.startswith("Mode: ")), "not serving")
            print(f"      zookeeper {server['number']}  {mode:<10} 127.0.0.1:{server['client_port']}"
                  f"{'  with the plugin' if server['plugin'] else ''}{word(server['pid'])}")
        print(f"      rabbitmq     {site['rabbitmq']['management_url']}{word(site['rabbitmq']['pid'])}")
        print(f"      applier      pid {site['applier']['pid']}{word(site['applier']['pid'])}")
        print("\n".join(link_lines(site)))
    return 0


def main():
    parser = argparse.ArgumentParser(prog="demo.sh", description=__doc__.split("\n", 1)[0])
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("run", help="bring up two sites, show them at work, stop them (the default)")
    ups = commands.add_parser("up", help="bring sites up and leave them running")
    ups.add_argument("--sites", type=int, default=2, choices=range(2, len(NAMES) + 1), metavar="N")
    ups.add_argument("--servers", type=int, default=3, choices=range(1, 8), metavar="N",
                     help="voting ZooKeeper servers per site")
    commands.add_parser("status", help="what runs and how far each link has come")
    commands.add_parser("down", help="stop what `up` started")
    options = parser.parse_args()
    logging.basicConfig(level=logging.CRITICAL)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_IGN:  # nohup
            continue
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    handler = {"run": run, "up": up, "status": status, "down": lambda _: bring_down(), None: run}[options.command]
    try:
        return handler(options) or 0
    except Refused as refusal:
        print(f"demo.sh: {refusal}", file=sys.stderr)
    except (StartError, AssertionError) as failure:
        print(f"demo.sh: {failure}\ndemo.sh: all logs are beneath {DEMO}", file=sys.stderr)
    except KeyboardInterrupt:
        print("demo.sh: interrupted; everything that was started is stopped", file=sys.stderr)
        return 130
    return 1


if __name__ == "__main__":
    sys.exit(main())
