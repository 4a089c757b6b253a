"""The judge: at rest, all sites hold the same tree: path, data and ACL of every node. What kind a node is differs by
rule (an ephemeral, a container or a node with a TTL is a persistent copy elsewhere), so that is the scenarios' to say."""

import time

from . import wire
from .tree import read
from .txnlog import beneath


def differences(trees, limit=20):
    """What is not equal, as lines for a person. `trees`: site -> tree."""
    names, found = list(trees), []
    for path in sorted(set().union(*trees.values())):
        nodes = {name: trees[name].get(path) for name in names}
        if len({None if node is None else node.essence for node in nodes.values()}) > 1:
            found.append(f"{path}: " + "; ".join(f"{name}: {node if node else 'absent'}"
                                                 for name, node in nodes.items()))
            if len(found) >= limit:
                found.append("... and perhaps more")
                break
    return found


class Unread(Exception):
    """A site does not answer; the text names it."""


class Judge:
    """Holds one superuser client per site, so that it can read everything."""

    LAST_READ_S = 30  # for a read that begins just before the time is over

    def __init__(self, sites):
        self.sites, self.left_out = sites, []  # tops that are not compared
        self.clients = {site.name: site.client() for site in sites}

    def close(self):
        for client in self.clients.values():
            client.stop()
            client.close()

    def renew(self, *names):
        """New clients: a server that lost its past refuses those that have seen it."""
        for site in self.sites:
            if not names or site.name in names:
                old, self.clients[site.name] = self.clients[site.name], site.client()
                old.stop()
                old.close()

    def compared(self, tree):
        return {path: node for path, node in tree.items() if not beneath(path, self.left_out)} if self.left_out else tree

    def trees(self, root="/", timeout_s=120):
        """Raises Unread for a site whose tree cannot be had."""
        deadline, found = time.monotonic() + timeout_s, {}
        for site in self.sites:
            try:
                found[site.name] = read(site, root, deadline - time.monotonic())
            except wire.INTERRUPTED as error:
                raise Unread(f"{site.name} cannot be read: {error!r}") from error
        return found

    def wait_equal(self, timeout_s=60, root="/"):
        """Waits until the trees are equal and returns them. Raises AssertionError with what differs, or with the site that cannot be
        read; at once, if a server or an applier has ended by itself."""
        begun = time.monotonic()
        deadline, pause = begun + timeout_s, 0.2
        while True:
            try:
                trees = self.trees(root, max(self.LAST_READ_S, deadline - time.monotonic()))
                found = differences({name: self.compared(tree) for name, tree in trees.items()})
            except Unread as error:
                found = [str(error)]
            if not found:
                return trees
            fallen = [line for site in self.sites for line in site.fallen()]
            if fallen or time.monotonic() > deadline:
                raise AssertionError(f"the trees are not equal after {time.monotonic() - begun:.0f} s:\n" + "\n".join(found + fallen))
            time.sleep(pause)
            pause = min(2.0, pause * 1.5)
