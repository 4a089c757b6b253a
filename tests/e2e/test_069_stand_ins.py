"""A leaf is deleted at one site while the other one creates a child beneath it. The node that is made in its place until the true one
has come is no news to anybody, whichever way an image goes."""

import pytest

from helpers import QUICK, eventually, frozen, wait_live, wait_seen

FOLDERS = 2  # several, so that the requests for images of them become one for the whole tree


@pytest.fixture(scope="module")
def world(make_world):
    world = make_world(voters=0, observers=0, plugin=QUICK, applier=QUICK)
    wait_live(world, 90)
    return world


def test_both_sites_at_once(world, sh, bj, judge):
    own = {"sh": [f"/deleted-at-sh-{number}" for number in range(FOLDERS)],
           "bj": [f"/deleted-at-bj-{number}" for number in range(FOLDERS)]}
    leaves = [f"{top}/leaf" for tops in own.values() for top in tops]
    for leaf in leaves:
        sh.ensure_path(leaf)
        sh.set(leaf, b"true")
    sh.create("/there", b"")
    wait_seen(bj, "/there")
    bj.create("/back", b"")
    wait_seen(sh, "/back")
    with frozen(world["sh"].applier, world["bj"].applier):
        for here, there, tops in ((sh, bj, own["sh"]), (bj, sh, own["bj"])):
            for top in tops:
                here.delete(f"{top}/leaf")
                there.create(f"{top}/leaf/child", b"too")
    for client in (sh, bj):
        for leaf in leaves:
            wait_seen(client, f"{leaf}/child", b"too")
            wait_seen(client, leaf, b"true", timeout_s=60)
    requests = lambda: [name for site in world.sites for name in judge.clients[site.name].get_children("/zoospan/resync")]
    eventually(lambda: not requests(), 60, what="the end of all requests for images")
    trees = judge.wait_equal(60)
    assert all(trees["bj"][leaf].data == b"true" and trees["bj"][leaf].acl == ((31, "world", "anyone"),) for leaf in leaves)
