package io.zoospan;

import java.lang.ref.WeakReference;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.jute.Record;
import org.apache.zookeeper.ZooDefs.OpCode;
import org.apache.zookeeper.jmx.ZKMBeanInfo;
import org.apache.zookeeper.server.DataTree;
import org.apache.zookeeper.server.RequestProcessor;
import org.apache.zookeeper.server.ZKDatabase;
import org.apache.zookeeper.server.ZooKeeperServer;
import org.apache.zookeeper.server.ZooSpanHooks;
import org.apache.zookeeper.server.quorum.ZooSpanQuorumHooks;
import org.apache.zookeeper.txn.TxnHeader;

/**
 * Puts a tap into the request chain of every server that this JVM starts, and knows whether what the taps see is
 * without a gap.
 *
 * <p>A JVM starts a new ZooKeeperServer, with a new chain, for each role that it takes, over a database that lives
 * on. Not everything reaches that database through a chain: replay at start-up, synchronisation with a leader and
 * fast-forward at the end of a role go around it. So at each new chain three things are compared:
 * <ol>
 * <li>the tree: the same object as at the last chain (a snapshot, a truncation or a restore makes a new one);
 * <li>L0, the tree's last zxid when the server registered its first bean, before it synchronises: equal to the last
 *     zxid that was offered, or something went around the chain since;
 * <li>L, the tree's last zxid at the splice: still L0, or the start of a new epoch, whose counter is 0.
 * </ol>
 * If all hold, the new chain continues the old one. On any doubt it does not, and whoever reads the backlog learns
 * that it starts anew. Between the splice and the first txn a follower may still be given txns around the chain; so
 * the first txn checks once more.
 *
 * <p>A database that is exchanged holds no later state of the tree before: a snapshot was restored (ZooKeeper 3.9's
 * AdminServer). Nothing but its identity tells: the server goes on running, and its next txn follows the last one, while the
 * tree's own zxid is the snapshot's. So each txn and the watch look at it, what was captured up to there counts as reached, and
 * all links learn that the stream does not make the tree.
 *
 * <p>Whoever falls behind the backlog reads the server's txn log, and {@link Logs} knows from where on that may be
 * believed.
 *
 * <p>The lock is for taps only, and who looks on takes none: one chain calls its tap from one thread at a time, and
 * chains follow each other, so nobody ever waits for it but at a change of role.
 */
final class Capture {
    private static final long COUNTER = 0xffffffffL;

    private final Object lock = new Object();
    private final Logs logs;
    private Sink sink;
    private volatile CaptureProcessor current;
    /** The last zxid that was offered, or where the last chain began. */
    private long last = -1;
    private volatile long failures;
    private final AtomicReference<Throwable> failure = new AtomicReference<>();

    private WeakReference<ZooKeeperServer> starting = new WeakReference<>(null);
    private WeakReference<DataTree> startingTree = new WeakReference<>(null);
    private long startingZxid;
    private volatile Throwable hookFailure;

    Capture(Sink sink, Logs logs) {
        this.sink = sink;
        this.logs = logs;
    }

    // --- the splice ------------------------------------------------------------------------------------------------

    /** Called with the starting server's monitor held; must be quick and must not throw. */
    void onBean(ZKMBeanInfo bean, ZKMBeanInfo parent) {
        try {
            ZooKeeperServer zks = ZooSpanHooks.serverOf(bean);
            if (zks != null) {
                onServerBean(zks);
            } else if (ZooSpanHooks.isTreeBean(bean)) {
                ZooKeeperServer owner = ZooSpanHooks.serverOf(parent);
                onTreeBean(owner != null ? owner : starting.get());
            }
        } catch (Throwable t) {
            hookFailure = t;
        }
    }

    private void onServerBean(ZooKeeperServer zks) {
        if (ZooSpanQuorumHooks.isReadOnly(zks)) {
            return;
        }
        note(zks);
        if (!ZooSpanQuorumHooks.isQuorum(zks) && ZooSpanHooks.hasChain(zks)) {
            ZooSpanHooks.rebuildStandalone(zks, begin(zks, ZooSpanHooks.newFinalProcessor(zks)));
        }
    }

    /** Remembers where a server's tree is before the server synchronises. */
    void note(ZooKeeperServer zks) {
        DataTree tree = zks.getZKDatabase().getDataTree();
        starting = new WeakReference<>(zks);
        startingTree = new WeakReference<>(tree);
        startingZxid = tree.lastProcessedZxid;
        logs.loaded(tree, ZooSpanQuorumHooks.logsOnlyCommitted(zks));
    }

    private void onTreeBean(ZooKeeperServer zks) {
        if (zks == null || !ZooSpanQuorumHooks.isQuorum(zks)) {
            return;
        }
        RequestProcessor next = ZooSpanQuorumHooks.afterCommit(zks);
        if (next == null) {
            throw new IllegalStateException("the server has no CommitProcessor with a successor");
        }
        if (!(next instanceof CaptureProcessor)) {
            ZooSpanQuorumHooks.setAfterCommit(zks, begin(zks, next));
        }
    }

    /** The chain begins before its tap is in place, so no txn can come between. */
    CaptureProcessor begin(ZooKeeperServer zks, RequestProcessor next) {
        DataTree tree = zks.getZKDatabase().getDataTree();
        long base = tree.lastProcessedZxid;
        KnownTree known = current != null && current.tree.is(tree) ? current.tree : new KnownTree(tree);
        CaptureProcessor tap = new CaptureProcessor(this, zks, next, known, base);
        synchronized (lock) {
            begin(zks, tree, base, wasRestored(tap) ? Sink.OTHER_TREE
                : continues(zks, tree, base) ? Sink.CONTIGUOUS : Sink.ANEW);
            last = base;
            current = tap;
        }
        hookFailure = null;
        return tap;
    }

    private boolean wasRestored(CaptureProcessor tap) {
        return current != null && current.database.get() != tap.database.get();
    }

    /** A tree that was empty before may hold anything once something has gone around the chain. */
    private void begin(ZooKeeperServer zks, DataTree tree, long base, int chain) {
        if (ZooSpanHooks.isEmpty(tree)) {
            sink.beginning(base);
        } else if (chain != Sink.CONTIGUOUS) {
            sink.beginning(Sink.NO_BEGINNING);
        }
        sink.logs(ZooSpanHooks.logDir(zks), ZooSpanHooks.snapDir(zks), logs.floor(tree, base),
            logs.keepsProposals());
        sink.begin(base, chain);
    }

    private boolean continues(ZooKeeperServer zks, DataTree tree, long base) {
        return current != null && current.tree.is(tree) && starting.get() == zks && startingTree.get() == tree
            && startingZxid == last && (base == last || beginsEpochAfter(base, last));
    }

    private static boolean beginsEpochAfter(long base, long before) {
        return (base & COUNTER) == 0 && base >>> 32 > before >>> 32;
    }

    // --- txns ------------------------------------------------------------------------------------------------------

    void take(CaptureProcessor tap, TxnHeader hdr, Record txn) {
        synchronized (lock) {
            if (tap != current) {
                return; // a chain that has been succeeded; what it still applies, its successor finds in the tree
            }
            long zxid = hdr.getZxid();
            try {
                DataTree tree = tap.zks.getZKDatabase().getDataTree();
                checkTree(tap, tree, zxid);
                serialise(tap, tree, hdr, txn);
                sink.offer(zxid, tap.bytes.array(), tap.bytes.length());
            } catch (Throwable t) {
                count(t);
                sink.lost(zxid);
            }
            last = zxid;
        }
    }

    private void checkTree(CaptureProcessor tap, DataTree tree, long zxid) {
        boolean first = !tap.begun;
        tap.begun = true;
        long at = tree.lastProcessedZxid;
        if (isExchanged(tap)) {
            exchange(tap);
        } else if (!tap.tree.is(tree) || (first && !tap.exchanged && at != tap.base && at != (zxid & ~COUNTER))) {
            know(tap, tree);
            begin(tap.zks, tree, at, Sink.ANEW);
        }
    }

    private static void know(CaptureProcessor tap, DataTree tree) {
        if (!tap.tree.is(tree)) {
            tap.tree = new KnownTree(tree);
        }
    }

    private static boolean isExchanged(CaptureProcessor tap) {
        return tap.database.get() != tap.zks.getZKDatabase();
    }

    private void exchange(CaptureProcessor tap) {
        ZKDatabase database = tap.zks.getZKDatabase();
        DataTree tree = database.getDataTree();
        tap.exchanged = true;
        tap.database = new WeakReference<>(database);
        know(tap, tree);
        begin(tap.zks, tree, last, Sink.OTHER_TREE);
    }

    /** For the watch: a snapshot may be restored while nothing is written. The lock is taken only if it was. */
    void look() {
        CaptureProcessor tap = current;
        if (tap == null || !isExchanged(tap)) {
            return;
        }
        synchronized (lock) {
            if (tap == current && isExchanged(tap)) {
                exchange(tap);
            }
        }
    }

    private static void serialise(CaptureProcessor tap, DataTree tree, TxnHeader hdr, Record txn) throws Exception {
        if (txn == null && hdr.getType() == OpCode.closeSession) {
            Set<String> paths = tree.getEphemerals(hdr.getClientId());
            tap.bytes.writeCloseSession(hdr, new TreeSet<>(paths));
        } else {
            tap.bytes.write(hdr, txn);
        }
    }

    private void count(Throwable t) {
        failures = failures + 1; // under the lock; others only read it
        failure.set(t);
    }

    void failed(Throwable t) {
        synchronized (lock) {
            count(t);
        }
    }

    /** No more txns are handed on. Afterwards no call of the sink is under way. */
    void close() {
        synchronized (lock) {
            sink = Sink.NONE;
        }
    }

    // --- being seen ------------------------------------------------------------------------------------------------

    /** The tap of a running server if it really is in that server's chain, else null. */
    CaptureProcessor tapOf(ZooKeeperServer zks) throws ReflectiveOperationException {
        RequestProcessor tap = ZooSpanQuorumHooks.isQuorum(zks) ? ZooSpanQuorumHooks.afterCommit(zks)
            : ZooSpanHooks.standaloneTap(zks);
        CaptureProcessor now = current;
        return tap != null && tap == now ? now : null;
    }

    /** The tap of the newest chain, or null. */
    CaptureProcessor newest() {
        return current;
    }

    Throwable hookFailure() {
        return hookFailure;
    }

    long failures() {
        return failures;
    }

    /** The newest failure since the last call, or null. */
    Throwable takeFailure() {
        return failure.getAndSet(null);
    }
}
