"""An applier is told the address of the origin's own ensemble: nothing is done there, and the status says so."""

import pytest

from helpers import QUICK, eventually, wait_live, wait_seen


@pytest.fixture(scope="module")
def world(make_world):
    world = make_world(voters=0, observers=0, plugin=QUICK, applier=QUICK)
    wait_live(world)
    return world


def restart(applier, **options):
    applier.stop()
    applier.options.update(options)
    applier.write_config()
    applier.start()


def test_it_writes_nothing(world, sh, bj, clients):
    applier = world["bj"].applier
    right, wrong = ({name: site.applier.options[name] for name in ("zookeeper", "zookeeper_auth_file")} for site in (world["bj"], world["sh"]))
    lives = clients(world["sh"])
    applier.stop()
    lives.create("/lives", b"", ephemeral=True)
    sh.create("/once", b"")
    before = sh.exists("/lives")
    restart(applier, **wrong)
    detail = lambda: [(link["state"], "has the history of sh itself" in link["detail"]) for link in applier.status().get("links", [])]
    eventually(lambda: detail() == [("TARGET", True)], what="why nothing is taken")
    sh.set("/once", b"twice")
    assert sh.exists("/lives") == before and sh.exists("/once").version == 1
    restart(applier, **right)
    wait_seen(bj, "/once", b"twice")
    wait_seen(bj, "/lives")
    eventually(lambda: [link["state"] for link in applier.status()["links"]] == ["LIVE"], what="LIVE")
