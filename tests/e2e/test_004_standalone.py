"""One standalone server per site, under -Xcheck:jni: the JVM watches every call that crosses the JNI border."""

import re

import pytest

from helpers import check_nothing_republished, log_of, wait_live
from zoosites import workload


@pytest.fixture(scope="module")
def world(make_world):
    def check_jni(world):
        for site in world.sites:
            site.zk.servers[0].jvm.append("-Xcheck:jni")
    world = make_world(voters=0, prepare=check_jni)
    wait_live(world)
    return world


def test_random_workload_between_standalone_servers(world, judges):
    writers = workload.run(world.sites, seed=4, operations=700)
    trees = judges(world).wait_equal(60)
    for writer in writers:
        assert not workload.missing(writer, trees[writer.site.name])
    check_nothing_republished(world)


def test_stop_and_the_jvm_had_nothing_to_complain_about(world):
    assert "role standalone" in log_of(world["sh"])
    for site in world.sites:
        server = site.zk.servers[0]
        server.stop()
        log = log_of(site)
        assert "WARNING in native method" not in log and "FATAL ERROR in native method" not in log, \
            re.findall(r".*in native method.*(?:\n.*){3}", log)[:3]
        assert "hs_err" not in log
