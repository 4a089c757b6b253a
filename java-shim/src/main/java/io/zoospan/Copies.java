package io.zoospan;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.apache.zookeeper.server.DataTree;
import org.apache.zookeeper.server.ZooSpanHooks;

/**
 * The paths that have a record in /zoospan/sessions, and the zxids of the txns that made these. What they are
 * read from goes on meanwhile: of a node that is younger, the records tell only when they are read once more,
 * before it is handed over.
 */
final class Copies {
    private static final String SESSIONS = "/zoospan/sessions";
    private static final int WHOLE_MS = 1000;

    private final DataTree tree;
    private final Map<String, Set<Long>> records = new HashMap<>();
    private final Deque<Young> young = new ArrayDeque<>();
    private long known;

    /** Of the chunk at hand. */
    private static final class Young {
        final String path;
        final long czxid;
        final int from;
        final int to;

        Young(String path, long czxid, int from, int to) {
            this.path = path;
            this.czxid = czxid;
            this.from = from;
            this.to = to;
        }
    }

    Copies(DataTree tree) throws Walk.UnreadableException {
        this.tree = tree;
        read();
    }

    private void read() throws Walk.UnreadableException {
        known = tree.lastProcessedZxid;
        records.clear();
        for (String origin : Walk.children(tree, SESSIONS)) {
            for (String session : Walk.children(tree, SESSIONS + "/" + origin)) {
                String folder = SESSIONS + "/" + origin + "/" + session;
                for (String name : Walk.children(tree, folder)) {
                    ZooSpanHooks.Seen record = Walk.see(tree, folder + "/" + name);
                    if (record != null) {
                        records.computeIfAbsent(name.replace("%2F", "/").replace("%25", "%"), path -> new HashSet<>(2))
                                .add(record.czxid);
                    }
                }
            }
        }
    }

    boolean hold(String path, long czxid) {
        Set<Long> zxids = records.get(path);
        return zxids != null && zxids.contains(czxid);
    }

    void doubt(String path, ZooSpanHooks.Seen seen, int from, int to) {
        if (seen.czxid > known && seen.owner == 0) {
            young.push(new Young(path, seen.czxid, from, to));
        }
    }

    /** Takes what turns out to be a copy out of the chunk. */
    void cut(Bytes chunk) throws Walk.UnreadableException {
        long newest = young.stream().mapToLong(node -> node.czxid).max().orElse(0);
        if (newest == 0) {
            return;
        }
        awaitWhole(newest);
        read();
        for (Young node : young) { // from the end
            if (hold(node.path, node.czxid)) {
                chunk.cut(node.from, node.to);
            }
        }
        young.clear();
    }

    /** A multi is seen half done, but its last step moves the tree's zxid. None takes as long as this waits. */
    private void awaitWhole(long zxid) {
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(WHOLE_MS);
        while (tree.lastProcessedZxid < zxid && System.nanoTime() < deadline) {
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(1));
        }
    }
}
