"""Behind an image the numbers of sequential names go on where they stand at the origin."""

import pytest

from helpers import eventually, wait_live, wait_seen
from test_018_resync import restart_with_plugin, start_without_plugin

BOUND = 2000


@pytest.fixture(scope="module")
def world(make_world):
    """Ensembles that are filled before they meet: the one takes an image of the other."""
    world = make_world(voters=0, start=False, applier={"sequence_lift_max": str(BOUND)})
    start_without_plugin(world)
    client = world["sh"].client()
    for top in ("/q", "/far", "/plain", "/q/inner"):
        client.create(top, b"")
    for top, count in (("/q", 900), ("/q/inner", 40), ("/far", BOUND + 200)):
        for at in range(0, count, 100):
            multi = client.transaction()
            for _ in range(min(100, count - at)):
                multi.create(f"{top}/n-", b"", sequence=True)
            made = multi.commit()
            multi = client.transaction()
            for path in made[1:]:
                multi.delete(path)
            multi.commit()
    for number in range(30):  # no sequential names: nothing to lift
        client.create(f"/plain/x{number}", b"")
    for number in range(20):
        client.delete(f"/plain/x{number}")
    client.create("/end-of-the-first-life", b"")
    client.stop()
    client.close()
    restart_with_plugin(world)
    wait_live(world, 120)
    return world


def test_they_go_on_behind_an_image(world, sh, bj):
    wait_seen(bj, "/end-of-the-first-life", timeout_s=90)
    link = lambda: world["bj"].applier.status()["links"][0]
    eventually(lambda: link()["images"] >= 1 and link()["state"] == "LIVE", 90, what="the end of the image")
    for top in ("/q", "/q/inner"):
        newest = max(int(name[-10:]) for name in bj.get_children(top) if name.startswith("n-"))
        made = [bj.create(f"{top}/n-", b"", sequence=True) for _ in range(4)]  # NodeExists if it did not
        assert min(int(path[-10:]) for path in made) > newest
        assert not [name for name in bj.get_children(top) if "zoospan" in name]
    created = lambda client, path: (lambda stat: (stat.cversion + stat.numChildren) // 2)(client.exists(path))
    assert created(bj, "/plain") < created(sh, "/plain")
    # What lags by more than may be lifted is told.
    assert link()["conflicts"]["sequence_behind"] == 1
    assert created(bj, "/far") < BOUND
