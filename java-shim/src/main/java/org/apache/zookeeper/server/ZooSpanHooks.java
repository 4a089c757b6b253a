package org.apache.zookeeper.server;

import java.io.File;
import java.lang.reflect.Field;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.LongConsumer;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Version;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Stat;
import org.apache.zookeeper.jmx.ZKMBeanInfo;
import org.apache.zookeeper.server.persistence.FileTxnSnapLog;

/** What ZooSpan needs of a server and what only this package may touch; the same in ZooKeeper 3.5.5 to 3.9.5. */
public final class ZooSpanHooks {
    private static final Set<String> OURS = new HashSet<>(Arrays.asList("zookeeper", "zoospan"));

    private ZooSpanHooks() {
    }

    /** The server that a bean belongs to, or null. */
    public static ZooKeeperServer serverOf(ZKMBeanInfo bean) {
        return bean instanceof ZooKeeperServerBean ? ((ZooKeeperServerBean) bean).zks : null;
    }

    public static boolean isTreeBean(ZKMBeanInfo bean) {
        return bean instanceof DataTreeBean;
    }

    /** A standalone server has built its chain by the time it registers its server bean; the others have not. */
    public static boolean hasChain(ZooKeeperServer zks) {
        return zks.firstProcessor != null;
    }

    public static RequestProcessor newFinalProcessor(ZooKeeperServer zks) {
        return new FinalRequestProcessor(zks);
    }

    /**
     * Builds the chain of a standalone server anew, Prep -> Sync -> tap -> Final, because its links are final fields.
     * The server is not running yet: nothing is in the old one.
     */
    public static void rebuildStandalone(ZooKeeperServer zks, RequestProcessor tap) {
        RequestProcessor old = zks.firstProcessor;
        SyncRequestProcessor sync = new SyncRequestProcessor(zks, tap);
        PrepRequestProcessor prep = new PrepRequestProcessor(zks, sync);
        sync.start();
        prep.start();
        zks.firstProcessor = prep;
        old.shutdown();
    }

    /** The processor behind Sync of a standalone server, or null if its chain looks unlike any that is known. */
    public static RequestProcessor standaloneTap(ZooKeeperServer zks) throws ReflectiveOperationException {
        RequestProcessor prep = zks.firstProcessor;
        if (!(prep instanceof PrepRequestProcessor)) {
            return null;
        }
        RequestProcessor sync = next(PrepRequestProcessor.class, prep);
        return sync instanceof SyncRequestProcessor ? next(SyncRequestProcessor.class, sync) : null;
    }

    private static RequestProcessor next(Class<?> type, RequestProcessor processor) throws ReflectiveOperationException {
        Field field = type.getDeclaredField("nextProcessor");
        field.setAccessible(true);
        return (RequestProcessor) field.get(processor);
    }

    /** Whether nothing was ever written but beneath /zookeeper and /zoospan, or all of it has been deleted again. */
    public static boolean isEmpty(DataTree tree) {
        DataNode root = tree.getNode("/");
        synchronized (root) {
            return root.stat.getVersion() == 0 && root.stat.getAversion() == 0 && OURS.containsAll(root.getChildren());
        }
    }

    /**
     * Tells the zxid of every txn, from now on, after which the tree's digest is not the one that the leader had. Throws
     * LinkageError where ZooKeeper does not compare them: before 3.6.
     */
    public static void onDigestMismatch(DataTree tree, LongConsumer told) {
        tree.addDigestWatcher(told::accept);
    }

    /** Where the server writes its txn log: dataLogDir's version-2; null if this version does not tell. */
    public static File logDir(ZooKeeperServer zks) {
        FileTxnSnapLog log = zks.getTxnLogFactory();
        for (String name : new String[] {"getDataLogDir", "getDataDir"}) { // the older name until 3.8.3 and 3.9.1
            try {
                return log == null ? null : (File) FileTxnSnapLog.class.getMethod(name).invoke(log);
            } catch (ReflectiveOperationException e) {
                continue;
            }
        }
        return null;
    }

    /** Of the ZooKeeper that runs, "3.8.0". */
    public static String version() {
        return Version.getVersion();
    }

    /** Where the server writes its snapshots: dataDir's version-2, or null. */
    public static File snapDir(ZooKeeperServer zks) {
        FileTxnSnapLog log = zks.getTxnLogFactory();
        return log == null ? null : log.getSnapDir();
    }

    /** What a walk sees of a node at one moment. */
    public static final class Seen {
        public byte[] data;
        public List<ACL> acl;
        public long owner;
        public long mzxid;
        public long czxid;
        public long mtime;
        /** How many children it ever had; clients see another number. */
        public int created;
        public String[] children;
    }

    /**
     * Null if the node is gone. Throws what ZooKeeper throws for one that is there and cannot be read: a tree that was made of
     * a fuzzy snapshot may lack an ACL that one of its nodes names ("Failed to fetch acls for N").
     */
    public static Seen see(DataTree tree, String path) {
        for (DataNode node = tree.getNode(path); node != null; node = tree.getNode(path)) {
            synchronized (node) {
                try {
                    return copy(tree, node);
                } catch (RuntimeException e) {
                    // A node leaves the tree before its ACL is given up. Another one may stand at its path by now.
                    if (tree.getNode(path) == node) {
                        throw e;
                    }
                }
            }
        }
        return null;
    }

    private static Seen copy(DataTree tree, DataNode node) {
        Seen seen = new Seen();
        seen.data = node.data;
        seen.owner = node.stat.getEphemeralOwner();
        seen.mzxid = node.stat.getMzxid();
        seen.czxid = node.stat.getCzxid();
        seen.mtime = node.stat.getMtime();
        seen.created = node.stat.getCversion();
        seen.children = node.getChildren().toArray(new String[0]);
        seen.acl = tree.getACL(node);
        return seen;
    }

    /** The data of a znode, or null if there is no such znode (or no data in it). */
    public static byte[] data(ZooKeeperServer zks, String path) {
        ZKDatabase database = zks.getZKDatabase();
        if (database.getNode(path) == null) {
            return null;
        }
        try {
            return database.getData(path, new Stat(), null);
        } catch (KeeperException.NoNodeException e) {
            return null;
        }
    }
}
