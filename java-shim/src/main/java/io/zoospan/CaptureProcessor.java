package io.zoospan;

import java.lang.ref.WeakReference;
import org.apache.jute.Record;
import org.apache.zookeeper.server.DataTree;
import org.apache.zookeeper.server.Request;
import org.apache.zookeeper.server.RequestProcessor;
import org.apache.zookeeper.server.ZKDatabase;
import org.apache.zookeeper.server.ZooKeeperServer;
import org.apache.zookeeper.txn.TxnHeader;

/**
 * The tap in a server's request chain, behind CommitProcessor: sees every committed txn in order, before it is
 * applied, and hands the untouched request on whatever happens. A throw here would stop the server.
 */
final class CaptureProcessor implements RequestProcessor {
    final ZooKeeperServer zks;
    final TxnBytes bytes = new TxnBytes();
    /** The zxid of the tree when the chain began; everything above it comes through here. */
    final long base;
    /** Which tree the server had at the last txn. */
    volatile KnownTree tree;
    /** Where the server keeps it, when somebody looked last: only a restore takes another one. */
    volatile WeakReference<ZKDatabase> database;
    /** Whether a txn has come through already. */
    boolean begun;
    /** The last txn that the server has applied: what an exchanged tree says of itself comes from another life. */
    volatile long applied;
    /** The database was exchanged while this chain ran. */
    volatile boolean exchanged;

    private final Capture capture;
    private final RequestProcessor next;

    CaptureProcessor(Capture capture, ZooKeeperServer zks, RequestProcessor next, KnownTree tree, long base) {
        this.capture = capture;
        this.zks = zks;
        this.next = next;
        this.tree = tree;
        this.database = new WeakReference<>(zks.getZKDatabase());
        this.base = base;
        this.applied = base;
    }

    @Override
    public void processRequest(Request request) throws RequestProcessorException {
        TxnHeader hdr = request.getHdr();
        try {
            if (hdr != null) {
                Record txn = request.getTxn();
                capture.take(this, hdr, txn);
            }
        } catch (Throwable t) {
            capture.failed(t);
        }
        next.processRequest(request);
        if (hdr != null) {
            applied = hdr.getZxid();
        }
    }

    /** Every txn up to this zxid is in the server's tree. */
    long treeZxid(DataTree now) {
        return exchanged ? applied : now.lastProcessedZxid;
    }

    @Override
    public void shutdown() {
        next.shutdown();
    }
}
