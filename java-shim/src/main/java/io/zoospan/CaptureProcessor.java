package io.zoospan;

import java.lang.ref.WeakReference;
import org.apache.jute.Record;
import org.apache.zookeeper.server.DataTree;
import org.apache.zookeeper.server.Request;
import org.apache.zookeeper.server.RequestProcessor;
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
    /** Which tree the server had at the last txn: a restore swaps it. Weak, because a tree is large. */
    WeakReference<DataTree> tree;
    /** Whether a txn has come through already. */
    boolean begun;

    private final Capture capture;
    private final RequestProcessor next;

    CaptureProcessor(Capture capture, ZooKeeperServer zks, RequestProcessor next, DataTree tree, long base) {
        this.capture = capture;
        this.zks = zks;
        this.next = next;
        this.tree = new WeakReference<>(tree);
        this.base = base;
    }

    @Override
    public void processRequest(Request request) throws RequestProcessorException {
        try {
            TxnHeader hdr = request.getHdr();
            if (hdr != null) {
                Record txn = request.getTxn();
                capture.take(this, hdr, txn);
            }
        } catch (Throwable t) {
            capture.failed(t);
        }
        next.processRequest(request);
    }

    @Override
    public void shutdown() {
        next.shutdown();
    }
}
