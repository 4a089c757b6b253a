package org.apache.zookeeper.server.quorum;

import java.io.File;
import org.apache.zookeeper.server.RequestProcessor;
import org.apache.zookeeper.server.ZooKeeperServer;
import org.apache.zookeeper.server.ZooSpanHooks;

/** What ZooSpan needs of the servers of an ensemble and what only this package may touch. */
public final class ZooSpanQuorumHooks {
    private ZooSpanQuorumHooks() {
    }

    /** "leader", "follower", "observer", "read-only" or "standalone". */
    public static String role(ZooKeeperServer zks) {
        if (zks instanceof LeaderZooKeeperServer) {
            return "leader";
        }
        if (zks instanceof FollowerZooKeeperServer) {
            return "follower";
        }
        if (zks instanceof ObserverZooKeeperServer) {
            return "observer";
        }
        return isReadOnly(zks) ? "read-only" : "standalone";
    }

    /** Cut off from its ensemble it serves reads: it commits nothing. */
    public static boolean isReadOnly(ZooKeeperServer zks) {
        return zks instanceof ReadOnlyZooKeeperServer;
    }

    public static boolean isQuorum(ZooKeeperServer zks) {
        return zks instanceof LeaderZooKeeperServer || zks instanceof LearnerZooKeeperServer;
    }

    /** Its tree is made of what its leader sends. */
    public static boolean isLearner(ZooKeeperServer zks) {
        return zks instanceof LearnerZooKeeperServer;
    }

    /**
     * Leaders and followers log proposals, which may come to nothing; the others log what is committed. A standalone server
     * that was one of an ensemble once, as its files tell, has that one's log.
     */
    public static boolean logsOnlyCommitted(ZooKeeperServer zks) {
        if (zks instanceof ObserverZooKeeperServer) {
            return true;
        }
        File snapDir = ZooSpanHooks.snapDir(zks);
        return !isQuorum(zks) && (snapDir == null || !new File(snapDir, QuorumPeer.CURRENT_EPOCH_FILENAME).exists());
    }

    /** What follows CommitProcessor, or null if there is no CommitProcessor. */
    public static RequestProcessor afterCommit(ZooKeeperServer zks) {
        CommitProcessor commit = commitProcessor(zks);
        return commit == null ? null : commit.nextProcessor;
    }

    public static void setAfterCommit(ZooKeeperServer zks, RequestProcessor tap) {
        commitProcessor(zks).nextProcessor = tap;
    }

    private static CommitProcessor commitProcessor(ZooKeeperServer zks) {
        if (zks instanceof LeaderZooKeeperServer) {
            return ((LeaderZooKeeperServer) zks).commitProcessor;
        }
        return zks instanceof LearnerZooKeeperServer ? ((LearnerZooKeeperServer) zks).commitProcessor : null;
    }
}
