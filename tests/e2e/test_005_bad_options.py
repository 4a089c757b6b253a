"""Wrong options: the server says what is wrong and how to mend it, and refuses to start, or starts without ZooSpan when
it is told to. The applier says the same of its own file."""

import glob
import os
import subprocess

import pytest

from helpers import eventually
from zoosites import build, files


@pytest.fixture(scope="module")
def server(make_world):
    """A standalone server of a site whose configuration each test spoils in its own way."""
    world = make_world(voters=0, start=False)
    server = world["sh"].zk.servers[0]
    server.good = dict(server.plugin)
    server.site = world["sh"]
    return server


def start_with(server, **changes):
    """Starts it with changed options (None: without the option) and an empty log."""
    server.plugin = {**server.good, **{f"zoospan.{key}": value for key, value in changes.items()}}
    server.site.zk.write_config()
    if os.path.exists(server.log):
        os.unlink(server.log)
    server.start()


def line_of(server, key):
    with open(server.config) as config:
        return next(number for number, line in enumerate(config, 1) if line.startswith(f"{key}="))


def refused(server, timeout_s=30):
    """Waits for the server to end by itself; its log."""
    assert server.process.wait(timeout_s), "the server runs although it should have refused"
    assert server.process.exit_code() != 0
    return server.read_log()


def bad_secret(server):
    path = os.path.join(server.dir, "readable")
    files.write(path, "hunter2-in-the-open\n", 0o644)
    return path


CASES = {
    "unknown option": (lambda s: {"wimdow_batches": "4"}, ["wimdow_batches", "window_batches"]),
    "bad number": (lambda s: {"window_batches": "many"}, ["zoospan.window_batches", "many"]),
    "out of range": (lambda s: {"backlog_bytes_max": "1M"}, ["zoospan.backlog_bytes_max", "32M"]),
    "site missing": (lambda s: {"site": None}, ["zoospan.site"]),
    "bad site": (lambda s: {"site": "Shanghai"}, ["zoospan.site", "Shanghai"]),
    "password file missing": (lambda s: {"amqp_password_file": "/nonexistent/pw"}, ["/nonexistent/pw"]),
    "password file readable by all": (lambda s: {"amqp_password_file": bad_secret(s)}, ["readable", "0600"]),
    "password in the URI": (lambda s: {"amqp_uri": "amqp://zoospan:hunter2@127.0.0.1/"}, ["zoospan.amqp_uri"]),
    "library missing": (lambda s: {"library": "/nonexistent/libzoospan.so"}, ["/nonexistent/libzoospan.so"]),
    "bad pattern": (lambda s: {"include": "app"}, ["zoospan.include", "app"]),
    "bad encoding": (lambda s: {"include": "/100%"}, ["include", "%25"]),
    "backslash": (lambda s: {"include": "/a\\\\,b"}, ["zoospan.include", "%2C"]),
}


@pytest.mark.parametrize("case", CASES)
def test_refuses_and_says_why(server, case):
    changes, words = CASES[case]
    start_with(server, **changes(server))
    log = refused(server)
    for word in words:
        assert word in log
    assert "hunter2" not in log


@pytest.fixture
def reconfigurable(make_world):
    """A voter whose zoo.cfg ZooKeeper writes anew at its first start."""
    world = make_world(names=("sh", "bj"), voters=1, observers=1, start=False)
    voter = world["sh"].zk.servers[0]
    world["sh"].zk.servers[1:] = []
    voter.good, voter.plugin, voter.site = world["sh"].zk.carriers[0].plugin, {}, world["sh"]
    voter.settings.update({"reconfigEnabled": "true", "standaloneEnabled": "false",
                           "server.1": f"127.0.0.1:{voter.quorum_port}:{voter.election_port}:participant"})
    return voter


JAVAS = sorted({os.path.realpath(java) for java in glob.glob("/usr/lib/jvm/*/bin/java")})


@pytest.mark.parametrize("java,locale", [*((java, "C") for java in JAVAS), (JAVAS[0], "C.UTF-8")])
def test_a_file_that_zookeeper_writes_anew_keeps_its_meaning(reconfigurable, java, locale):
    reconfigurable.java, reconfigurable.environment = java, {"LC_ALL": locale}
    raw, plain = "/内部,/café,/a", "/%E5%86%85%E9%83%A8,/caf%C3%A9,/a"
    start_with(reconfigurable, exclude=raw)
    assert f"expected {plain}" in refused(reconfigurable)
    start_with(reconfigurable, exclude=plain + ",/b%2Cc%5C")
    for start in ("first", "second"):
        if start == "second":
            reconfigurable.start()
        reconfigurable.wait_serving()
        eventually(reconfigurable.plugin_status, 20, what="the plugin's status")
        reconfigurable.stop()
        assert files.read_log(reconfigurable.config).count("dynamicConfigFile") == 1, "ZooKeeper has not written it anew"
        assert f"zoospan.exclude={plain},/b%2Cc%5C\n" in files.read_log(reconfigurable.config)


def test_message_names_file_and_line(server):
    start_with(server, window_batches="0")
    log = refused(server)
    assert f"zoo.cfg:{line_of(server, 'zoospan.window_batches')}" in log


def test_disable_starts_the_server_without_zoospan(server):
    start_with(server, window_batches="0", on_error="disable")
    server.wait_serving()
    log = server.read_log()
    assert "zoospan.window_batches" in log and "ERROR" in log
    assert not (server.plugin_status() or {}).get("links")
    server.stop()


def test_good_options_start(server):
    start_with(server)
    server.wait_serving()
    eventually(server.plugin_status, 20, what="the plugin's status")
    server.stop()


APPLIER_CASES = {
    "unknown option": ("zoospan.depht = 8\n", ["depht", "zoospan.depth"]),
    "without the prefix": ("depth = 8\n", ["depth"]),
    "bad unit": ("zoospan.feedback = 5 parsecs\n", ["zoospan.feedback", "parsecs"]),
    "twice": ("zoospan.site = sh\nzoospan.site = sh\n", ["zoospan.site"]),
}


@pytest.mark.parametrize("case", APPLIER_CASES)
def test_applier_refuses_and_says_why(run_dir, case):
    text, words = APPLIER_CASES[case]
    path = files.write(os.path.join(run_dir, "test_005_bad_options", "applier.conf"),
                       "zoospan.zookeeper = 127.0.0.1:1\nzoospan.links =\n" + text)
    done = subprocess.run([build.applier_program(), "--config", path], capture_output=True, text=True, timeout=10)
    assert done.returncode != 0
    for word in words:
        assert word in done.stderr
    assert "applier.conf:3" in done.stderr or "applier.conf:4" in done.stderr


def test_applier_help_and_version():
    for option, word in (("--help", "zoospan.zookeeper"), ("--version", "0.1.0")):
        done = subprocess.run([build.applier_program(), option], capture_output=True, text=True, timeout=10)
        assert done.returncode == 0 and word in done.stdout
