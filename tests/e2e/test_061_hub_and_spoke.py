"""Each site needs a link from every other one. Where one is missing, what does not arrive is named."""

import pytest

from helpers import eventually, link_of, wait_seen, wait_state
from zoosites import build

LINKS = [("sh", "gz"), ("gz", "sh"), ("bj", "gz"), ("gz", "bj")]  # gz is the hub


@pytest.fixture(scope="module")
def world(make_world):
    world = make_world(names=("sh", "gz", "bj"), voters=0, links=LINKS)
    for origin, destination in LINKS:
        wait_state(world[origin], destination, "LIVE", 90)
    return world


def test_what_a_spoke_writes_is_not_sent_on_and_the_hub_says_so(world, sh, clients):
    gz = world["gz"]
    sh.create("/of-sh", b"")
    wait_seen(clients(gz), "/of-sh")
    clients(gz).create("/of-gz", b"")  # comes later in the hub's order
    wait_seen(clients(world["bj"]), "/of-gz")
    assert clients(world["bj"]).exists("/of-sh") is None
    for here, there in (("bj", "sh"), ("sh", "bj")):
        eventually(lambda: link_of(gz, here)["not_sent_on"] == there, what=f"a link to {here} that names {there}")
        said = [line for line in gz.zk.carriers[0].read_log().splitlines() if f"link gz->{here}: what {there} writes" in line]
        assert len(said) == 1 and "WARN" in said[0] and "is not sent on" in said[0], said


def test_the_documents_state_the_rule():
    text = " ".join(open(f"{build.ROOT}/OPERATING.md").read().split())
    assert "Each site needs a link from every other one" in text and "`not_sent_on`" in text
