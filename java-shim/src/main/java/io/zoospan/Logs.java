package io.zoospan;

import java.io.File;
import java.lang.ref.WeakReference;
import org.apache.zookeeper.server.DataTree;

/**
 * From which zxid on this server's txn log tells what its tree has been through.
 *
 * <p>The tree that the process has loaded was made of a snapshot and the log behind it. What is older than the snapshot
 * may be believed on a server that logs nothing but committed txns: a standalone one, an observer. The log of a leader
 * or follower keeps proposals that came to nothing, and only behind the loaded snapshot is the tree the proof that they
 * did not. A tree that took the place of another came from elsewhere (a snapshot of the leader, a truncation, a restore),
 * and the log says nothing about how.
 */
final class Logs {
    private final long snapshotAtStart;
    private WeakReference<DataTree> tree = new WeakReference<>(null);
    private boolean loaded;
    private long floor;

    /** To be made before the server loads its tree. {@code snapDir} null: not known. */
    Logs(File snapDir) {
        snapshotAtStart = snapDir == null ? Long.MAX_VALUE : newestSnapshot(snapDir);
    }

    /** The zxid in the name of the newest snapshot; 0 if there is none. */
    static long newestSnapshot(File snapDir) {
        long newest = 0;
        String[] names = snapDir.list();
        for (String name : names == null ? new String[0] : names) {
            String[] parts = name.split("\\."); // snapshot.<zxid>, perhaps with the suffix of a compression
            if (parts.length >= 2 && parts[0].equals("snapshot")) {
                newest = Math.max(newest, zxid(parts[1]));
            }
        }
        return newest;
    }

    private static long zxid(String hex) {
        try {
            return Long.parseLong(hex, 16);
        } catch (NumberFormatException e) {
            return 0;
        }
    }

    /**
     * A server begins with this tree; the first of the process has just been loaded.
     *
     * @param committedOnly the server logs nothing but what is committed
     */
    synchronized void loaded(DataTree begins, boolean committedOnly) {
        if (loaded) {
            return;
        }
        loaded = true;
        tree = new WeakReference<>(begins);
        floor = committedOnly ? 0 : Math.min(snapshotAtStart, begins.lastProcessedZxid);
    }

    /** @param at the zxid of a tree that is not the one of before */
    synchronized long floor(DataTree now, long at) {
        if (tree.get() != now) {
            tree = new WeakReference<>(now);
            floor = at;
        }
        return floor;
    }
}
