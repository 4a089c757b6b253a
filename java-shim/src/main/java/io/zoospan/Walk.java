package io.zoospan;

import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.server.DataTree;
import org.apache.zookeeper.server.EphemeralType;
import org.apache.zookeeper.server.ZKDatabase;
import org.apache.zookeeper.server.ZooSpanHooks;
import org.apache.zookeeper.server.quorum.ZooSpanQuorumHooks;

/**
 * Walks the live tree for links that have to send an image of it, and hands over what it sees, in chunks whose form
 * native/sender/zs_chunk.h tells. Parents before children, children in order of their names; no lock is held but a
 * node's own, for as long as it is copied, so the server goes on meanwhile. What it sees is of different moments: the
 * zxid that it reads first tells from where the txns make it whole.
 *
 * <p>Left out: what the link does not carry, of which nothing is looked at but the path; copies of other sites' ephemerals,
 * which belong to those sites. A record says that a path is one only of the node that the same txn made: a client may have
 * put its own in its place ({@link Copies}).
 *
 * <p>A node that is there and cannot be read is no node that is gone: the walk breaks off and names it, because whoever takes
 * the image deletes what is not in it. So does a walk of a tree that ZooKeeper itself has found wrong ({@link KnownTree}).
 *
 * <p>A walk waits for its link as long as that takes, and holds up no other: there are as many of these threads as links.
 */
final class Walk implements Runnable {
    private static final int CHUNK_BYTES = 256 * 1024;
    private static final int WAIT_MS = 1000;
    private static final int COMPARISON_LOOKS = 30;
    private static final int COMPARISON_LOOK_MS = 100;
    private static final int MARKER_MS = 1000;
    private static final int HEAD = 0;
    private static final int NODES = 1;
    private static final int END = 2;
    private static final int BROKEN_OFF = 3;
    private static final String APPLIED = "/zoospan/applied";
    private static final String JOURNAL = "/zoospan/journal";
    private static final String HISTORY = "/zoospan/history";
    private static final String RESTORED = "/zoospan/restored";

    /** Why a walk breaks off: it may begin anew here at once ... */
    private static final int MOVED = 0;
    /** ... or this server's tree cannot be told. */
    private static final int UNREADABLE = 1;

    private final Images images;
    private final Supplier<CaptureProcessor> serving;
    private final Bytes bytes = new Bytes(4 * CHUNK_BYTES);
    private final DataOutputStream out = new DataOutputStream(bytes);
    private long id;

    /** Children of one node that are still to be seen. */
    private static final class Level {
        final String parent;
        final String[] names;
        /** The parent, if the link does not carry it and the image has not needed it yet. */
        ZooSpanHooks.Seen bare;
        int next;

        Level(String parent, String[] names, ZooSpanHooks.Seen bare) {
            this.parent = parent;
            this.names = names;
            this.bare = bare;
            Arrays.sort(names);
        }
    }

    /** A node that is there and cannot be read, or a whole tree that is known to be wrong. */
    static final class UnreadableException extends Exception {
        private static final long serialVersionUID = 1;

        UnreadableException(String path, RuntimeException cause) {
            super("node " + path + " cannot be read: " + cause, cause);
        }

        UnreadableException(String why) {
            super(why);
        }
    }

    Walk(Images images, Supplier<CaptureProcessor> serving) {
        this.images = images;
        this.serving = serving;
    }

    @Override
    public void run() {
        byte[][] names = new byte[2][];
        for (id = 0; id != Engine.END; id = images.next(WAIT_MS, names)) {
            if (id > 0) {
                walk(names);
            }
        }
    }

    /** Whatever happens, the link that waits for the image hears of it. */
    private void walk(byte[][] names) {
        try {
            CaptureProcessor tap = serving.get();
            awaitComparison(tap);
            if (tap == null || !walk(tap, tap.zks.getZKDatabase().getDataTree(), Engine.text(names[0]), Engine.text(names[1]))) {
                breakOff(MOVED, "this server does not serve, or its tree was exchanged");
            }
        } catch (UnreadableException e) {
            breakOff(UNREADABLE, e.getMessage());
        } catch (Throwable t) {
            breakOff(MOVED, t.toString());
        }
    }

    /** The first txn of a chain tells whether its tree is the leader's. Where nobody writes there is none, so not for long. */
    private static void awaitComparison(CaptureProcessor tap) throws InterruptedException {
        for (int i = 0; tap != null && tap.applied == tap.base && ZooSpanQuorumHooks.isLearner(tap.zks) && i < COMPARISON_LOOKS; i++) {
            Thread.sleep(COMPARISON_LOOK_MS);
        }
    }

    private void breakOff(int kind, String why) {
        try {
            bytes.clear();
            out.writeByte(BROKEN_OFF);
            out.writeByte(kind);
            text(why);
            hand();
        } catch (Throwable t) {
            images.put(id, null, 0);
        }
    }

    /** False if the walk does not count; an image that is not wanted any more is no matter. */
    private boolean walk(CaptureProcessor tap, DataTree tree, String path, String destination)
        throws IOException, UnreadableException {
        if (moved(tap, tree)) {
            return false;
        }
        head(tap, tree);
        data(ZooSpanHooks.see(tree, HISTORY));
        data(ZooSpanHooks.see(tree, RESTORED));
        String[] origins = children(tree, JOURNAL);
        out.writeInt(origins.length);
        for (String origin : origins) {
            text(origin);
            journal(tree, JOURNAL + "/" + origin);
        }
        if (!hand()) {
            return true;
        }
        Copies copies = new Copies(tree);
        beginNodes(tap, tree);
        Deque<Level> levels = new ArrayDeque<>();
        String at = path;
        while (at != null) {
            byte[] name = utf8(at);
            int carried = images.carried(id, name);
            ZooSpanHooks.Seen seen = carried == 0 ? null : see(tree, at.equals("/") ? "" : at);
            if (seen != null && copies.hold(at, seen.czxid)) {
                seen = null;
            }
            if (seen != null && (carried & Images.NODE) != 0) {
                checkText(at);
                ancestors(levels);
                int from = bytes.length();
                node(at, name, seen);
                copies.doubt(at, seen, from, bytes.length());
            }
            if (seen != null && (carried & Images.BENEATH) != 0 && seen.children.length > 0) {
                boolean bare = (carried & Images.NODE) == 0 && at.length() > 1;
                levels.push(new Level(at, seen.children, bare ? seen : null));
            }
            if (bytes.length() >= CHUNK_BYTES) {
                copies.cut(bytes);
                if (!hand()) {
                    return true;
                }
                if (moved(tap, tree)) {
                    return false;
                }
                beginNodes(tap, tree);
            }
            at = next(levels);
        }
        copies.cut(bytes);
        if (!hand()) {
            return true;
        }
        if (moved(tap, tree)) {
            return false;
        }
        out.writeByte(END);
        out.writeLong(tap.treeZxid(tree));
        hand();
        return true;
    }

    private void beginNodes(CaptureProcessor tap, DataTree tree) throws IOException {
        out.writeByte(NODES);
        out.writeLong(tap.treeZxid(tree));
    }

    /**
     * What lies above a node that the link carries, without its data, which the link does not: there it may have to be
     * made, and must not stand more open than here.
     */
    private void ancestors(Deque<Level> levels) throws IOException, UnreadableException {
        for (Iterator<Level> from = levels.descendingIterator(); from.hasNext();) {
            Level level = from.next();
            if (level.bare != null) {
                checkText(level.parent);
                bare(utf8(level.parent), level.bare);
                level.bare = null;
            }
        }
    }

    private boolean moved(CaptureProcessor tap, DataTree tree) throws UnreadableException {
        String fault = tap.tree.fault();
        if (fault != null) {
            throw new UnreadableException(fault);
        }
        ZKDatabase database = tap.zks.getZKDatabase();
        return serving.get() != tap || database.getDataTree() != tree || tap.database.get() != database;
    }

    private static String next(Deque<Level> levels) {
        while (!levels.isEmpty()) {
            Level level = levels.peek();
            if (level.next == level.names.length) {
                levels.pop();
                continue;
            }
            String name = level.names[level.next++];
            return level.parent.equals("/") ? "/" + name : level.parent + "/" + name;
        }
        return null;
    }

    static ZooSpanHooks.Seen see(DataTree tree, String path) throws UnreadableException {
        try {
            return ZooSpanHooks.see(tree, path);
        } catch (RuntimeException e) {
            throw new UnreadableException(path.isEmpty() ? "/" : path, e);
        }
    }

    private void head(CaptureProcessor tap, DataTree tree) throws IOException, UnreadableException {
        bytes.clear();
        out.writeByte(HEAD);
        out.writeLong(tap.treeZxid(tree));
        out.writeLong(tree.getNodeCount());
        ZooSpanHooks.Seen folder = see(tree, APPLIED);
        String[] sites = folder == null ? new String[0] : folder.children;
        out.writeInt(sites.length);
        for (String site : sites) {
            text(site);
            data(marker(tree, APPLIED + "/" + site));
        }
    }

    /**
     * An applier that registers sets its marker many times in one multi, and most of these hold nothing. A server applies a multi node by
     * node: the marker counts once the multi that it is of is over, which moves the tree's zxid (in 3.5 each of its steps does).
     */
    private static ZooSpanHooks.Seen marker(DataTree tree, String path) throws UnreadableException {
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(MARKER_MS);
        while (true) {
            long known = tree.lastProcessedZxid;
            ZooSpanHooks.Seen seen = see(tree, path);
            boolean whole = seen == null || seen.mzxid <= known && seen.data != null && seen.data.length > 0;
            if (whole || System.nanoTime() >= deadline) {
                return seen;
            }
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(1));
        }
    }

    /**
     * Which txns of this site its applier wrote for one origin. Slots before packs: what a slot loses meanwhile is in a
     * pack that was made before.
     */
    private void journal(DataTree tree, String path) throws IOException, UnreadableException {
        List<ZooSpanHooks.Seen> nodes = new ArrayList<>();
        data(see(tree, path));
        for (boolean packs : new boolean[] {false, true}) {
            for (String name : children(tree, path)) {
                ZooSpanHooks.Seen node = name.startsWith("p") == packs ? see(tree, path + "/" + name) : null;
                if (node != null) {
                    nodes.add(node);
                }
            }
        }
        out.writeInt(nodes.size());
        for (ZooSpanHooks.Seen node : nodes) {
            out.writeLong(node.mzxid);
            data(node);
        }
    }

    private void data(ZooSpanHooks.Seen seen) throws IOException {
        byte[] data = seen == null || seen.data == null ? new byte[0] : seen.data;
        out.writeInt(data.length);
        out.write(data);
    }

    static String[] children(DataTree tree, String path) throws UnreadableException {
        ZooSpanHooks.Seen seen = see(tree, path);
        return seen == null ? new String[0] : seen.children;
    }

    /** What is no text in UTF-8 would be another node's path there. */
    private static void checkText(String path) throws UnreadableException {
        for (int i = 0; i < path.length(); i++) {
            if (Character.isSurrogate(path.charAt(i)) && !Character.isSurrogatePair(path.charAt(i++), charAt(path, i))) {
                throw new UnreadableException(path, new IllegalArgumentException("its path holds half a character"));
            }
        }
    }

    private static char charAt(String text, int index) {
        return index < text.length() ? text.charAt(index) : 0;
    }

    private void node(String path, byte[] name, ZooSpanHooks.Seen seen) throws IOException, UnreadableException {
        out.writeInt(name.length);
        out.write(name);
        if (seen.data == null) {
            out.writeInt(-1);
        } else {
            out.writeInt(seen.data.length);
            out.write(seen.data);
        }
        acl(seen);
        kind(path, seen.owner);
        times(seen);
        // What was created is there, as a rule: then a copy of the node counts the same.
        out.writeInt(seen.created > seen.children.length ? seen.created : 0);
    }

    private void bare(byte[] name, ZooSpanHooks.Seen seen) throws IOException {
        out.writeInt(name.length);
        out.write(name);
        out.writeInt(0);
        acl(seen);
        out.writeByte(0);
        out.writeLong(0);
        times(seen);
        out.writeInt(0);
    }

    private void times(ZooSpanHooks.Seen seen) throws IOException {
        out.writeLong(seen.mzxid);
        out.writeLong(seen.czxid);
        out.writeLong(seen.mtime);
    }

    private void acl(ZooSpanHooks.Seen seen) throws IOException {
        List<ACL> acl = seen.acl == null ? ZooDefs.Ids.OPEN_ACL_UNSAFE : seen.acl;
        out.writeInt(acl.size());
        for (ACL entry : acl) {
            out.writeInt(entry.getPerms());
            text(entry.getId().getScheme());
            text(entry.getId().getId());
        }
    }

    private void kind(String path, long owner) throws IOException, UnreadableException {
        switch (type(path, owner)) {
            case NORMAL:
                out.writeByte(1);
                out.writeLong(owner);
                break;
            case CONTAINER:
                out.writeByte(2);
                out.writeLong(0);
                break;
            case TTL:
                out.writeByte(3);
                out.writeLong(EphemeralType.TTL.getValue(owner));
                break;
            default:
                out.writeByte(0);
                out.writeLong(0);
        }
    }

    /** Throws for session ids that a server with these settings does not know how to take. */
    private static EphemeralType type(String path, long owner) throws UnreadableException {
        try {
            return EphemeralType.get(owner);
        } catch (RuntimeException e) {
            throw new UnreadableException(path, e);
        }
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private void text(String text) throws IOException {
        byte[] utf8 = utf8(text);
        out.writeInt(utf8.length);
        out.write(utf8);
    }

    /** Hands over what was written. False: it is not wanted any more. */
    private boolean hand() {
        boolean wanted = images.put(id, bytes.array(), bytes.length());
        bytes.clear();
        return wanted;
    }
}
