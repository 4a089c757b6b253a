"""What the servers' own txn logs say of each foreign write: it took effect at most once, and none came back to its origin.
Equal trees cannot tell: a set that was applied twice leaves the same data.

Holds for load of which every path has one writer, and as long as no image of a tree was sent (an image writes again).
ACLs are not counted: one may be set twice, beside the marker, if the applier dies between the two."""

import collections

from . import txnlog

COUNTED = {txnlog.SET_DATA: "set", txnlog.DELETE: "delete", txnlog.DELETE_CONTAINER: "delete",
           **{type: "create" for type in txnlog.CREATES}}


def union(data_dirs):
    """All txns of an ensemble: each server's log may have holes where it was away."""
    txns = {}
    for data_dir in data_dirs:
        for txn in txnlog.read(data_dir):
            txns[txn.zxid] = txn
    return [txns[zxid] for zxid in sorted(txns)]


def count(txns, roots):
    """(own, foreign): (what, path) -> how often, beneath `roots`, by clients and by the applier."""
    appliers = {txn.session for txn in txns if any(txnlog.beneath(op.path, ["/zoospan/applied"]) for op in txn.ops)}
    own, foreign = collections.Counter(), collections.Counter()
    for txn in txns:
        for op in txn.ops:
            if op.type in COUNTED and txnlog.beneath(op.path, roots):
                (foreign if txn.session in appliers else own)[COUNTED[op.type], op.path] += 1
    return own, foreign


def complaints(name, own_txns, others, roots):
    """`name`: the site whose clients alone wrote beneath `roots`. `others`: site -> its txns."""
    found = []
    own, back = count(own_txns, roots)
    for (what, path), times in sorted(back.items()):
        found.append(f"{path}: {name}'s own {what} came back to it {times} times")
    for other, txns in others.items():
        _, applied = count(txns, roots)
        for key, times in sorted(applied.items()):
            if key[0] != "delete" and times > own[key]:
                found.append(f"{key[1]}: {own[key]} times {key[0]} at {name}, {times} times at {other}")
    return found


def judge(world, roots_of):
    """`roots_of`: site -> the tops beneath which only its clients wrote. Lines for a person; none: all is well."""
    txns = {site.name: union([server.data_dir for server in site.zk.servers]) for site in world.sites}
    found = []
    for name, roots in roots_of.items():
        found += complaints(name, txns[name], {other: txns[other] for other in txns if other != name}, roots)
    return found
