"""Other versions of ZooKeeper than Debian's, from Maven Central."""

import fcntl
import os
import shutil
import subprocess

from . import build

ARTIFACTS = ("zookeeper", "zookeeper-jute")
# A storm leaves its servers equal. Not so 3.8.0 (ZOOKEEPER-4394, -4785), 3.8.6 and 3.9.3: who has rejoined by a DIFF has a hole in
# its committed log, and, once it leads, tells others to truncate what was in it (ZOOKEEPER-4925).
SOUND_ZOOKEEPER = "3.9.5"
FORGETS_ZOOKEEPER = "3.9.3"


def zookeeper_jars(version):
    """A version's own jars, kept in the build directory once they were fetched. What they depend on is Debian's: they go before
    its jars in the classpath."""
    folder = os.path.join(build.ROOT, "build", "maven")
    jars = {artifact: os.path.join(folder, f"{artifact}-{version}.jar") for artifact in ARTIFACTS}
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # Maven's own store is not made for two at once
        for artifact, jar in jars.items():
            if not os.path.exists(jar):
                fetch(artifact, version, jar, folder)
    return list(jars.values())


def fetch(artifact, version, jar, folder):
    if not shutil.which("mvn"):
        raise SystemExit(f"{jar} has to be fetched, and mvn is missing: apt-get install maven")
    subprocess.run(["mvn", "-q", "-B", "dependency:copy", f"-DoutputDirectory={folder}",
                    f"-Dartifact=org.apache.zookeeper:{artifact}:{version}"], stdin=subprocess.DEVNULL, check=True, timeout=600)
