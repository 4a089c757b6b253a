"""Passwords stay in their files: not in logs, not on command lines, not in what servers tell of themselves."""

import json
import os

import pytest
from kazoo.security import make_digest_acl

from helpers import bring_back, eventually, wait_live, wait_seen
from zoosites import files


@pytest.fixture(scope="module")
def world(make_world):
    loud = {"log_level": "debug", "retry_max": "1s"}
    world = make_world(plugin=loud, applier=loud)
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
        site.applier.wait_ready()


def set_password(broker, user, password):
    """At the broker, then in the file; then every connection is closed."""
    broker.api("PUT", f"/api/users/{user}", {"password": password, "tags": ""})
    files.write_secret(broker.passwords[user], password)
    broker.ctl("close_all_connections", "a new password")


@pytest.mark.parametrize("user", ["zoospan-bj", "zoospan"])
def test_a_new_password_is_read_at_the_next_login(world, sh, bj, user):
    broker = world.brokers["sh"]
    before = files.read_secret(broker.passwords[user])
    try:
        set_password(broker, user, files.new_password())
        sh.create(f"/new-password-of-{user}", b"")
        wait_seen(bj, f"/new-password-of-{user}", timeout_s=60)
    finally:
        set_password(broker, user, before)


def test_a_new_password_of_the_super_user_is_read_at_the_next_connect(world, clients):
    site = world["bj"]
    files.write_secret(site.auth_file, f"digest:super:{files.new_password()}")
    site.super_password = site.zk.super_password = files.read_secret(site.auth_file).split(":")[2]
    site.zk.write_config()
    for server in site.zk.servers:
        server.stop()
    bring_back(*site.zk.servers)
    clients(world["sh"]).create("/new-super", b"")
    owner = make_digest_acl("somebody", "else", all=True)
    clients(world["sh"]).create("/new-super/closed", b"1", acl=[owner])
    client = clients(site, auth=True)
    wait_seen(client, "/new-super/closed", b"1", timeout_s=60)
