"""The only server of a site that carries the plugin led, and logged what was never committed. When it comes back its tree is exchanged
for one without that, and what its log says proves nothing: an image makes the destination whole."""

from helpers import QUICK, bring_back, purge
from spoil import resynced, write_tail


def test_rejoins_by_a_truncation(make_world, judges):
    def prepare(world):
        world["sh"].zk.carriers = [world["sh"].zk.servers[2]]
    world = make_world(voters={"sh": 3, "bj": 0}, observers=0, prepare=prepare, start=False,
                       plugin=dict(QUICK, backlog_bytes_max="32M"), applier=dict(QUICK))
    site = world["sh"]
    first, second, leader = site.zk.servers
    world["bj"].zk.start()
    bring_back(second, leader)
    assert site.zk.leader() is leader
    first.start()
    for one in world.sites:
        one.zk.wait_serving()
        one.applier.start()
    world.wait_live()
    judge = judges(world)

    def truncated():
        world["bj"].applier.stop()
        followers = write_tail(site, leader, "/phantom")
        leader.kill()
        bring_back(*followers)
        judge.clients["sh"].create("/new-epoch", b"x")
        purge(world)
    resynced(world, judge, leader, truncated, "/new-epoch")
    for client in judge.clients.values():
        assert not [name for name in client.get_children("/") if name.startswith("phantom")]
