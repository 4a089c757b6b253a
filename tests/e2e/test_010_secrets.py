"""Passwords stay in their files: not in logs, not on command lines, not in what servers tell of themselves."""

import json
import os

import pytest

from helpers import eventually, wait_live, wait_seen
from zoosites import files


@pytest.fixture(scope="module")
def world(make_world):
    world = make_world(plugin={"log_level": "debug"}, applier={"log_level": "debug"})
    wait_live(world)
    return world


@pytest.fixture(scope="module")
def secrets(world):
    found = {site.super_password for site in world.sites}
    for broker in world.brokers.values():
        found |= {files.read_secret(path) for path in broker.passwords.values()}
    assert len(found) >= 8
    return found


def told(secrets, text):
    return [secret[:4] + "..." for secret in secrets if secret in text]


def test_not_in_logs(world, secrets):
    for site in world.sites:
        for process in site.processes() + [site.broker.process]:
            with open(process.log, errors="replace") as log:
                assert not told(secrets, log.read()), process.log


def test_not_on_command_lines_nor_in_environments(world, secrets):
    for site in world.sites:
        for process in site.processes() + [site.broker.process]:
            for what in ("cmdline", "environ"):
                with open(f"/proc/{process.pid}/{what}", errors="replace") as said:
                    assert not told(secrets, said.read()), f"{what} of {process.log}"


def test_not_in_configuration_nor_status(world, secrets):
    for site in world.sites:
        for path in [site.applier.config, site.applier.status_file] + [server.config for server in site.zk.servers]:
            with open(path) as text:
                assert not told(secrets, text.read()), path
        server = site.zk.carriers[0]
        for command in ("zoospan", "system_properties", "environment", "configuration", "initial_configuration"):
            assert not told(secrets, json.dumps(server.admin(command))), command


def test_not_in_the_trees(world, secrets):
    client = world["sh"].client()
    for path in ("/zoospan/history", "/zoospan/applied/bj"):
        wait_seen(client, path)
        assert not told(secrets, client.get(path)[0].decode())
    client.stop()
    client.close()


def test_a_wrong_password_is_reported_without_repeating_it(world, secrets):
    site = world["bj"]
    wrong = os.path.join(site.dir, "secrets", "wrong")
    files.write_secret(wrong, "not-the-password-9731")
    site.applier.stop()
    good = dict(site.applier.options)
    site.applier.options["link.sh.amqp_password_file"] = wrong
    site.applier.write_config()
    site.applier.start()
    site.applier.wait_ready()
    try:
        eventually(lambda: "ACCESS_REFUSED" in site.applier.read_log() or "refused" in site.applier.read_log(), 20,
                   what="a word about the refused login")
        assert "9731" not in site.applier.read_log()
    finally:
        site.applier.stop()
        site.applier.options = good
        site.applier.write_config()
        site.applier.start()
