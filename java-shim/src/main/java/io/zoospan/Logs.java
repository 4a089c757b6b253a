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
 *
 * <p>And before 3.9.3 a leader or follower goes on to log proposals when its role has ended (ZOOKEEPER-4712). What came to nothing
 * then stays in the log, below the next epoch, and in a tree that is later loaded from it. Only where an epoch was seen to end can
 * the two be told apart; so its log says nothing of epochs before this process. (Its tree is sent where an image is needed and no
 * other server has it: it is what the server's clients see, and nothing tells which part of it was never committed.)
 */
final class Logs {
    private final boolean logsOn;
    private boolean voted;
    private final long snapshotAtStart;
    private WeakReference<DataTree> tree = new WeakReference<>(null);
    private boolean loaded;
    private long floor;

    /** To be made before the server loads its tree. {@code snapDir} null: not known. */
    Logs(File snapDir, String version) {
        logsOn = isBefore(version, 3, 9, 3);
        snapshotAtStart = snapDir == null ? Long.MAX_VALUE : newestSnapshot(snapDir);
    }

    /** What is no version counts as an early one. */
    static boolean isBefore(String version, int... other) {
        String[] parts = version.split("[.-]");
        for (int i = 0; i < other.length; i++) {
            int part = i < parts.length && parts[i].matches("[0-9]{1,6}") ? Integer.parseInt(parts[i]) : 0;
            if (part != other[i]) {
                return part < other[i];
            }
        }
        return false;
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
        voted |= !committedOnly;
        if (loaded) {
            return;
        }
        loaded = true;
        tree = new WeakReference<>(begins);
        floor = committedOnly ? 0 : Math.min(snapshotAtStart, begins.lastProcessedZxid);
    }

    synchronized boolean keepsProposals() {
        return voted && logsOn;
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
