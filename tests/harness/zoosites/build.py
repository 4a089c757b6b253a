"""Where the build leaves what is run, and where Debian has what ZooKeeper needs."""

import os

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
BUILD_DIR = os.environ.get("ZOOSPAN_BUILD_DIR") or os.path.join(ROOT, "build", "release")

JAVA_DIR = "/usr/share/java"
# Debian's server classpath names neither an SLF4J binding nor the servlet API, without which there is no log and no
# AdminServer; both are a line in /etc/zookeeper/conf/environment for a real server.
ZOOKEEPER_JARS = [f"{JAVA_DIR}/{name}.jar" for name in
                  ("zookeeper", "slf4j-simple", "servlet-api", "jetty9-util-ajax")]


def path(*parts):
    return os.path.join(BUILD_DIR, *parts)


def plugin_jar():
    return path("java-shim", "zoospan.jar")


def plugin_library():
    return path("native", "plugin", "libzoospan.so")


def cli_program():
    return path("native", "cli", "zoospan")


def applier_program():
    return path("native", "daemon", "zoospan-applier")
