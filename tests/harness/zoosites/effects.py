"""What the servers' own txn logs say of each foreign write: it took effect at most once, and none came back to its origin.
Equal trees cannot tell: a set that was applied twice leaves the same data.

Holds for load of which every path has one writer, and as long as no image of a tree was sent (an image writes again).
ACLs are not counted: one may be set twice, beside the marker, if the applier dies between the two.

A voter's log keeps proposals that came to nothing. They would look like doubled effects, so what an applier wrote counts
only where an observer logged it (it logs what is committed) or two voters did."""

import collections

from . import txnlog

COUNTED = {txnlog.SET_DATA: "set", txnlog.DELETE: "delete", txnlog.DELETE_CONTAINER: "delete",
           **{type: "create" for type in txnlog.CREATES}}


def union(servers):
    """All txns of an ensemble: each server's log may have holes where it was away."""
    txns = {}
    for server in servers:
        for txn in txnlog.read(server.log_dir):
            txns[txn.zxid] = txn
    return [txns[zxid] for zxid in sorted(txns)]


def committed(servers):
    """Those that an observer, two voters or the only voter there is logged."""
    found = {}
    for server in servers:
        for txn in txnlog.read(server.log_dir):
            found.setdefault(txn.zxid, [txn, 0])[1] += 2 if server.observer else 1
    enough = min(2, sum(not server.observer for server in servers))
    return [txn for _, (txn, logged) in sorted(found.items()) if logged >= enough]


def count(txns, roots):
    """(own, foreign): (what, path) -> how often, beneath `roots`, by clients and by the applier."""
    appliers = {txn.session for txn in txns if any(txnlog.beneath(op.path, ["/zoospan/applied"]) for op in txn.ops)}
    own, foreign = collections.Counter(), collections.Counter()
    for txn in txns:
        for op in txn.ops:
            if txn.session in appliers and op.path.endswith("/zoospan"):
                continue  # a child that an applier's multi makes and removes, which no ephemeral node can have
            if op.type in COUNTED and txnlog.beneath(op.path, roots):
                (foreign if txn.session in appliers else own)[COUNTED[op.type], op.path] += 1
    return own, foreign


def returned(name, own_txns, roots):
    """`name`: the site whose clients alone wrote beneath `roots`."""
    _, back = count(own_txns, roots)
    return [f"{path}: {name}'s own {what} came back to it {times} times" for (what, path), times in sorted(back.items())]


def doubled(name, own_txns, others, roots):
    """`others`: site -> its txns."""
    found = []
    own, _ = count(own_txns, roots)
    for other, txns in others.items():
        _, applied = count(txns, roots)
        for key, times in sorted(applied.items()):
            if key[0] != "delete" and times > own[key]:
                found.append(f"{key[1]}: {own[key]} times {key[0]} at {name}, {times} times at {other}")
    return found


def judge(world, roots_of):
    """`roots_of`: site -> the tops beneath which only its clients wrote. Lines for a person; none: all is well."""
    logged = {site.name: union(site.zk.servers) for site in world.sites}
    sure = {site.name: committed(site.zk.servers) for site in world.sites}
    found = []
    for name, roots in roots_of.items():
        found += doubled(name, logged[name], {other: sure[other] for other in sure if other != name}, roots)
        found += returned(name, sure[name], roots)
    return found
