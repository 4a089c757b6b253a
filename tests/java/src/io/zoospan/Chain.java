package io.zoospan;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import org.apache.jute.BinaryInputArchive;
import org.apache.jute.BinaryOutputArchive;
import org.apache.jute.Record;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.server.DataTree;
import org.apache.zookeeper.server.Request;
import org.apache.zookeeper.server.RequestProcessor;
import org.apache.zookeeper.server.ZKDatabase;
import org.apache.zookeeper.server.ZooKeeperServer;
import org.apache.zookeeper.server.persistence.FileTxnSnapLog;
import org.apache.zookeeper.server.util.SerializeUtils;
import org.apache.zookeeper.txn.TxnHeader;

/** A real server's database, a sink that remembers, and a tap between them; nothing is started. */
final class Chain implements Sink, RequestProcessor {
    final List<String> calls = new ArrayList<>();
    final List<byte[]> offered = new ArrayList<>();
    final List<Request> passed = new ArrayList<>();
    final Capture capture = new Capture(this, new Logs(null, "3.8.0"));
    long floor = -1;
    final ZooKeeperServer zks;
    Error toThrow;
    boolean lostThrowsToo;
    private long beginning = -1;

    Chain(File dir) throws IOException {
        zks = new ZooKeeperServer();
        FileTxnSnapLog log = new FileTxnSnapLog(dir, dir);
        zks.setTxnLogFactory(log);
        zks.setZKDatabase(new ZKDatabase(log));
    }

    DataTree tree() {
        return zks.getZKDatabase().getDataTree();
    }

    /** What a server writes into a snapshot. */
    byte[] snapshot() throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        SerializeUtils.serializeSnapshot(tree(), BinaryOutputArchive.getArchive(bytes), new HashMap<>());
        return bytes.toByteArray();
    }

    /** A follower's tree is exchanged for the leader's (SNAP), in the database that it has. */
    void sentByTheLeader(byte[] snapshot, long zxid) throws IOException {
        zks.getZKDatabase().deserializeSnapshot(BinaryInputArchive.getArchive(new ByteArrayInputStream(snapshot)));
        tree().lastProcessedZxid = zxid;
    }

    /** As ZooKeeperServer.restoreFromSnapshot of 3.9 does it under the running server: another database, with the snapshot's zxid. */
    void restored(byte[] snapshot, long zxid) throws IOException {
        zks.setZKDatabase(new ZKDatabase(zks.getTxnLogFactory()));
        sentByTheLeader(snapshot, zxid);
    }

    /** A write that goes around every chain and leaves no zxid. */
    void write(String path) {
        try {
            tree().createNode(path, new byte[0], ZooDefs.Ids.OPEN_ACL_UNSAFE, 0, 0, 0, 0);
        } catch (KeeperException e) {
            throw new AssertionError(e);
        }
    }

    CaptureProcessor tap() {
        capture.note(zks);
        return capture.begin(zks, this);
    }

    static Request request(TxnHeader hdr, Record txn) {
        return new Request(0, 0, hdr == null ? 0 : hdr.getType(), hdr, txn, hdr == null ? 0 : hdr.getZxid());
    }

    @Override
    public void beginning(long zxid) {
        if (zxid != beginning) {
            calls.add(zxid < 0 ? "empty no more" : "empty at " + Long.toHexString(zxid));
        }
        beginning = zxid;
    }

    @Override
    public void logs(File logDir, File snapDir, long from, boolean proposals) {
        floor = from;
    }

    @Override
    public void begin(long base, int chain) {
        calls.add("begin " + Long.toHexString(base) + (chain == CONTIGUOUS ? " contiguous" : chain == OTHER_TREE ? " other tree" : ""));
    }

    @Override
    public boolean offer(long zxid, byte[] bytes, int len) {
        calls.add("offer " + Long.toHexString(zxid));
        offered.add(Arrays.copyOf(bytes, len));
        if (toThrow != null) {
            throw toThrow;
        }
        return true;
    }

    @Override
    public void lost(long zxid) {
        calls.add("lost " + Long.toHexString(zxid));
        if (lostThrowsToo) {
            throw toThrow;
        }
    }

    @Override
    public void processRequest(Request request) {
        passed.add(request);
    }

    @Override
    public void shutdown() {
        calls.add("shutdown");
    }
}
