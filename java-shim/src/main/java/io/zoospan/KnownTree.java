package io.zoospan;

import java.lang.ref.WeakReference;
import org.apache.zookeeper.server.DataTree;
import org.apache.zookeeper.server.ZooSpanHooks;

/**
 * A tree that the server had at some time, and what ZooKeeper itself has found out about it: from 3.6 on the leader sends the
 * digest of its tree with each txn, and a learner compares it with its own. A server that lost txns when it synchronised
 * (ZOOKEEPER-4785, -4925) is known by that alone: its zxids and its mode are like everybody else's.
 */
final class KnownTree {
    private static final long NONE = -1;

    /** Weak, because a tree is large. */
    private final WeakReference<DataTree> tree;
    private volatile long differsAt = NONE;

    KnownTree(DataTree tree) {
        this.tree = new WeakReference<>(tree);
        try {
            ZooSpanHooks.onDigestMismatch(tree, zxid -> {
                if (differsAt == NONE) {
                    differsAt = zxid;
                }
            });
        } catch (LinkageError e) {
            Log.write(Log.DEBUG, "this version of ZooKeeper compares no digests of its trees: " + e);
        }
    }

    boolean is(DataTree other) {
        return tree.get() == other;
    }

    /** Null, or how it is known that this is not the tree of the ensemble. */
    String fault() {
        long zxid = differsAt;
        return zxid == NONE ? null : "this server's tree is not its leader's: ZooKeeper found their digests different, first at zxid 0x"
            + Long.toHexString(zxid) + ". Stop the server, move version-2 out of its data directories and start it";
    }
}
