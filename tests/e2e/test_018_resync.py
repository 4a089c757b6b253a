"""Where the stream cannot go on, an image of the origin's tree does: a site joins, a range of txns is lost, an ensemble is
wiped or restored. What only the destination has, and the origin has not seen, stays."""

import os
import shutil
import subprocess
import time

import pytest
from kazoo.security import make_acl

from helpers import eventually, purge, under_load, wait_live, wait_seen
from zoosites import build

QUICK = {"heartbeat": "1s", "backlog_bytes_max": str(32 << 20)}


def start_without_plugin(world):
    for site in world.sites:
        for server in site.zk.servers:
            server.kept, server.plugin = server.plugin, {}
        site.zk.write_config()
        site.zk.start()
    for site in world.sites:
        site.zk.wait_serving()


def restart_with_plugin(world):
    for site in world.sites:
        site.zk.stop()
        for server in site.zk.servers:
            server.plugin = server.kept
        site.zk.write_config()
        site.zk.start()
    for site in world.sites:
        site.zk.wait_serving()
        site.applier.start()
        site.applier.wait_ready()


@pytest.fixture(scope="module")
def world(make_world):
    """Ensembles without ZooSpan at first: they are filled before they meet."""
    world = make_world(plugin=QUICK, start=False)
    start_without_plugin(world)
    return world


def fill(client, root, count, size=100):
    client.create(root, b"")
    pending = []
    for number in range(count):
        pending.append(client.create_async(f"{root}/{number:06}", b"%d" % number * size))
        if len(pending) == 500:
            for one in pending:
                one.get(timeout=30)
            pending = []
    for one in pending:
        one.get(timeout=30)


def images(site):
    return sum(link["images"] for link in site.applier.status().get("links", []))


def test_two_filled_sites_meet(world, judge, clients):
    sh, bj = clients(world["sh"]), clients(world["bj"])
    fill(sh, "/of-sh", 3000)
    fill(bj, "/of-bj", 2000)
    sh.create("/both", b"older")
    time.sleep(0.1)
    bj.create("/both", b"later")
    sh.create("/same", b"same")
    bj.create("/same", b"same")
    restart_with_plugin(world)
    wait_live(world, 90)
    trees = judge.wait_equal(60)
    assert len(trees["sh"]) >= 5004
    assert trees["sh"]["/both"].data == b"later"
    eventually(lambda: images(world["sh"]) >= 1 and images(world["bj"]) >= 1, what="an image at each site")


def lose_the_range(world, origin, destination, disturb):
    """Whatever `disturb` writes is neither in the queue nor in a log of the origin's plugin server: that begins anew."""
    server = world[origin].zk.carriers[0]
    world[destination].applier.stop()
    disturb()
    server.kill()
    shutil.rmtree(os.path.join(server.data_dir, "version-2"))
    purge(world, origin, destination)
    server.start()
    server.wait_serving()
    world[destination].applier.start()


def test_a_range_is_lost(world, judge, clients):
    """What the origin wrote, set and deleted meanwhile comes with the image; what the destination wrote stays."""
    sh, bj = clients(world["sh"]), clients(world["bj"])
    acl = [make_acl("world", "anyone", read=True, write=True)]
    before = images(world["bj"])
    fill(bj, "/made-before", 20)
    wait_seen(sh, "/made-before/000019")

    def disturb():
        sh.create("/lost", b"new")
        sh.create("/lost/child", b"newer")
        sh.set("/of-sh/000001", b"set while nobody listened")
        sh.set_acls("/of-sh/000002", acl)
        sh.delete("/of-sh/000003")
        sh.set("/of-bj/000004", b"set at the other site")
        sh.delete("/of-bj/000005")
        bj.create("/kept", b"by bj")
        bj.set("/of-bj/000001", b"by bj")
        bj.set("/of-sh/000004", b"by bj, on a node of sh")
        bj.delete("/of-bj/000002")
        bj.delete("/of-sh/000005")
        bj.create("/of-sh/child-of-bj", b"x")
    lose_the_range(world, "sh", "bj", disturb)
    eventually(lambda: images(world["bj"]) >= 1, 60, what="an image at bj")
    wait_live(world, 60)
    trees = judge.wait_equal(60)
    tree = trees["bj"]
    assert before >= 1
    assert tree["/lost/child"].data == b"newer" and tree["/kept"].data == b"by bj"
    assert tree["/of-sh/000001"].data == b"set while nobody listened"
    assert tree["/of-sh/000002"].acl == tuple((entry.perms, entry.id.scheme, entry.id.id) for entry in acl)
    assert tree["/of-bj/000004"].data == b"set at the other site"
    assert tree["/of-bj/000001"].data == b"by bj" and tree["/of-sh/000004"].data == b"by bj, on a node of sh"
    assert tree["/of-sh/child-of-bj"].data == b"x"
    for path in ("/of-sh/000003", "/of-bj/000005", "/of-bj/000002", "/of-sh/000005"):
        assert path not in tree


def test_a_range_is_lost_under_load(world, judge):
    def a_range_lost_under_load():
        lose_the_range(world, "sh", "bj", lambda: time.sleep(2))
    under_load(world, judge, a_range_lost_under_load)
    wait_live(world, 60)


def test_both_ranges_are_lost(world, judge, clients):
    """A long cut between the sites, and neither log reaches back: the usual case."""
    sh, bj = clients(world["sh"]), clients(world["bj"])

    def disturb():
        sh.create("/cut-sh", b"sh")
        bj.create("/cut-bj", b"bj")
        sh.delete("/of-sh/000010")
        sh.delete("/of-bj/000010")
        bj.delete("/of-bj/000011")
        bj.delete("/of-sh/000011")
        sh.set("/of-sh/000012", b"by sh")
        bj.set("/of-bj/000012", b"by bj")
        bj.set("/of-sh/000013", b"by bj")
        for number in range(20, 30):
            sh.set_acls(f"/of-sh/{number:06}", acls["sh"])
            bj.set_acls(f"/of-bj/{number:06}", acls["bj"])
            sh.set_acls(f"/of-sh/{number + 10:06}", acls["sh"])
            bj.set_acls(f"/of-sh/{number + 10:06}", acls["bj"])
    acls = {site: [make_acl("world", "anyone", read=True, write=True, create=site == "sh")] for site in ("sh", "bj")}
    lose_the_range(world, "sh", "bj", lambda: lose_the_range(world, "bj", "sh", disturb))
    eventually(lambda: images(world["bj"]) and images(world["sh"]), 60, what="images at both sites")
    wait_live(world, 60)
    tree = judge.wait_equal(120)["sh"]
    assert tree["/cut-sh"].data == b"sh" and tree["/cut-bj"].data == b"bj"
    assert tree["/of-sh/000012"].data == b"by sh" and tree["/of-bj/000012"].data == b"by bj"
    assert tree["/of-sh/000013"].data == b"by bj"
    for number in (10, 11):
        assert f"/of-sh/0000{number}" not in tree and f"/of-bj/0000{number}" not in tree


@pytest.mark.parametrize("here, there", [("sh", "bj"), ("bj", "sh")])
def test_what_is_deleted_in_a_double_loss_stays_deleted(world, judge, clients, here, there):
    """A site knows nothing of what the other took from it last; that takes images, and holds what was deleted since."""
    client, folder = clients(world[here]), f"/echo-{here}"

    def only_one_is_heard():
        fill(client, folder, 20)
        wait_seen(clients(world[there]), f"{folder}/000019")
        clients(world[there]).create(f"{folder}/theirs", b"")
        lose_the_range(world, here, there, lambda: [client.delete(f"{folder}/{number:06}") for number in range(10)])
    lose_the_range(world, there, here, only_one_is_heard)
    eventually(lambda: images(world["bj"]) and images(world["sh"]), 60, what="images at both sites")
    wait_live(world, 60)
    tree = judge.wait_equal(60)[here]
    assert sorted(path for path in tree if path.startswith(folder + "/")) == \
        [f"{folder}/{number:06}" for number in range(10, 20)] + [f"{folder}/theirs"]


def zoospan(site, *arguments, expect=0, timeout_s=90):
    done = subprocess.run([build.cli_program(), "--config", site.applier.config, *arguments], capture_output=True, text=True,
                          timeout=timeout_s)
    assert done.returncode == expect, (arguments, done)
    return done.stdout if expect == 0 else done.stderr


def test_the_brake_holds_until_an_operator_lets_go(world, judge, clients):
    """Most of a subtree was deleted while the link was cut: perhaps rightly, perhaps a mistake. Nobody knows but a person."""
    sh, bj = clients(world["sh"]), clients(world["bj"])

    def disturb():
        for number in range(200, 2900):
            sh.delete_async(f"/of-sh/{number:06}")
        sh.create("/behind-the-deletes", b"")
    lose_the_range(world, "sh", "bj", disturb)
    link = eventually(lambda: next((link for link in world["bj"].applier.status().get("links", [])
                                    if link["state"] == "BRAKE"), None), 60, what="a brake that holds")
    assert "zoospan resync sh --allow-deletes" in link["detail"]
    assert bj.exists("/of-sh/002000") is not None
    refused = zoospan(world["bj"], "resync", "sh", expect=1)
    assert "--allow-deletes" in refused
    assert "done" in zoospan(world["bj"], "resync", "sh", "--allow-deletes")
    wait_seen(bj, "/behind-the-deletes")
    assert bj.exists("/of-sh/002000") is None
    judge.wait_equal(60)


def test_an_operator_repairs_what_has_diverged(world, judge, clients):
    """Both sites wrote the same node at the same moment, and each now has what the other wrote."""
    sh, bj = clients(world["sh"]), clients(world["bj"])
    sh.create("/diverged", b"")
    sh.create("/diverged/node", b"")
    wait_seen(bj, "/diverged/node")
    for site in world.sites:
        site.applier.stop()
    sh.set("/diverged/node", b"by sh")
    bj.set("/diverged/node", b"by bj")
    for site in world.sites:
        site.applier.start()
    wait_seen(sh, "/diverged/node", b"by bj")
    wait_seen(bj, "/diverged/node", b"by sh")
    assert "2 nodes at sh; here 0 created, 1 set, 0 deleted" in zoospan(world["bj"], "resync", "sh", "--path", "/diverged")
    assert bj.get("/diverged/node")[0] == b"by bj"
    sh.create("/behind-the-repair", b"")
    wait_seen(bj, "/behind-the-repair")
    judge.wait_equal(60)


def test_a_path_of_which_there_is_no_image(world):
    assert "sh has no node /absent" in zoospan(world["bj"], "resync", "sh", "--path", "/absent")
    for path in ("/zoospan", "/zoospan/applied", "/zookeeper/config"):
        assert f"{path} belongs to this site alone" in zoospan(world["bj"], "resync", "sh", "--path", path, expect=2)


def wipe(site):
    site.zk.stop()
    for server in site.zk.servers:
        shutil.rmtree(os.path.join(server.data_dir, "version-2"))


def start_again(site):
    site.zk.start()
    site.zk.wait_serving()


def test_an_ensemble_is_wiped(world, judge, clients):
    """It comes back empty, gets everything from the other site, and takes nothing away there."""
    before = judge.trees()["bj"]
    wipe(world["sh"])
    start_again(world["sh"])
    wait_live(world, 120)
    sh = clients(world["sh"])
    sh.create("/after-the-wipe", b"new life")
    wait_seen(clients(world["bj"]), "/after-the-wipe", timeout_s=60)
    judge.renew()
    trees = judge.wait_equal(90)
    lost = [path for path, node in before.items() if node.kind == "persistent" and path not in trees["sh"]]
    assert not lost, lost[:10]


def test_an_ensemble_is_restored_from_an_older_snapshot(world, judge, clients):
    """Its zxids are given out a second time: nobody may take the new writes for old ones. What it had lost comes back."""
    site = world["sh"]
    sh = clients(site)
    site.applier.stop()  # which writes its markers: what comes now is behind all of them
    sh.create("/in-the-snapshot", b"1")
    wait_seen(clients(world["bj"]), "/in-the-snapshot")
    site.zk.stop()
    for server in site.zk.servers:
        shutil.copytree(server.data_dir, server.data_dir + ".old")
    start_again(site)
    site.applier.start()
    wait_live(world, 90)
    sh = clients(site)
    sh.create("/behind-the-snapshot", b"2")
    sh.set("/in-the-snapshot", b"3")
    for number in range(3000):
        sh.create_async(f"/of-sh/later-{number}", b"x")
    wait_seen(clients(world["bj"]), "/of-sh/later-2999", timeout_s=60)
    site.zk.stop()
    world["bj"].applier.stop()  # so that sh takes an image first: of a site that knows its former life alone
    for server in site.zk.servers:
        shutil.rmtree(server.data_dir)
        os.rename(server.data_dir + ".old", server.data_dir)
    taken = lambda: site.applier.read_log().count("the image of / is taken")
    before = taken()
    start_again(site)
    eventually(lambda: taken() > before, 120, what="an image of bj")
    world["bj"].applier.start()
    sh = clients(site)
    sh.create("/in-the-second-life", b"4")
    wait_seen(clients(world["bj"]), "/in-the-second-life", timeout_s=120)
    wait_live(world, 90)
    judge.renew()
    tree = judge.wait_equal(90)["sh"]
    assert tree["/behind-the-snapshot"].data == b"2" and tree["/in-the-snapshot"].data == b"3"
    assert "/of-sh/later-2999" in tree
    assert "was restored from an older snapshot" in site.applier.read_log()
