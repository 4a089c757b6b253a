package io.zoospan;

import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.server.DataTree;
import org.apache.zookeeper.server.EphemeralType;
import org.apache.zookeeper.server.ZooKeeperServer;
import org.apache.zookeeper.server.ZooSpanHooks;

/**
 * Walks the live tree for links that have to send an image of it, and hands over what it sees, in chunks whose form
 * native/sender/zs_chunk.h tells. Parents before children, children in order of their names; no lock is held but a
 * node's own, for as long as it is copied, so the server goes on meanwhile. What it sees is of different moments: the
 * zxid that it reads first tells from where the txns make it whole.
 *
 * <p>Left out: /zookeeper, /zoospan, and copies of other sites' ephemerals, which belong to those sites.
 */
final class Walk implements Runnable {
    private static final int CHUNK_BYTES = 256 * 1024;
    private static final int WAIT_MS = 1000;
    private static final int HEAD = 0;
    private static final int NODES = 1;
    private static final int END = 2;
    private static final int BROKEN_OFF = 3;
    private static final String APPLIED = "/zoospan/applied";
    private static final String JOURNAL = "/zoospan/journal";
    private static final String SESSIONS = "/zoospan/sessions";

    private final Engine engine;
    private final Supplier<ZooKeeperServer> serving;
    private final Bytes bytes = new Bytes(4 * CHUNK_BYTES);
    private final DataOutputStream out = new DataOutputStream(bytes);
    private long id;

    /** Children of one node that are still to be seen. */
    private static final class Level {
        final String parent;
        final String[] names;
        int next;

        Level(String parent, String[] names) {
            this.parent = parent;
            this.names = names;
            Arrays.sort(names);
        }
    }

    Walk(Engine engine, Supplier<ZooKeeperServer> serving) {
        this.engine = engine;
        this.serving = serving;
    }

    @Override
    public void run() {
        byte[][] names = new byte[2][];
        for (id = 0; id != Engine.END; id = engine.nextImage(WAIT_MS, names)) {
            if (id > 0) {
                walk(Engine.text(names[0]), Engine.text(names[1]));
            }
        }
    }

    private void walk(String path, String destination) {
        try {
            ZooKeeperServer zks = serving.get();
            if (zks == null || !walk(zks, zks.getZKDatabase().getDataTree(), path, destination)) {
                breakOff("this server does not serve, or its tree was exchanged");
            }
        } catch (Throwable t) {
            try {
                breakOff(t.toString());
            } catch (IOException e) {
                Log.write(Log.ERROR, "a walk of the tree: " + e);
            }
        }
    }

    private void breakOff(String why) throws IOException {
        bytes.clear();
        out.writeByte(BROKEN_OFF);
        text(why);
        hand();
    }

    /** False if the walk does not count; an image that is not wanted any more is no matter. */
    private boolean walk(ZooKeeperServer zks, DataTree tree, String path, String destination) throws IOException {
        head(tree);
        journal(tree, JOURNAL + "/" + destination);
        if (!hand()) {
            return true;
        }
        Set<String> copies = copies(tree);
        out.writeByte(NODES);
        Deque<Level> levels = new ArrayDeque<>();
        String at = path;
        while (at != null) {
            ZooSpanHooks.Seen seen = copies.contains(at) ? null : ZooSpanHooks.see(tree, at.equals("/") ? "" : at);
            if (seen != null) {
                node(at, seen);
                if (seen.children.length > 0) {
                    levels.push(new Level(at, seen.children));
                }
            }
            if (bytes.length() >= CHUNK_BYTES) {
                if (!hand()) {
                    return true;
                }
                if (serving.get() != zks || zks.getZKDatabase().getDataTree() != tree) {
                    return false;
                }
                out.writeByte(NODES);
            }
            at = next(levels);
        }
        if (!hand()) {
            return true;
        }
        out.writeByte(END);
        out.writeLong(tree.lastProcessedZxid);
        hand();
        return true;
    }

    private static String next(Deque<Level> levels) {
        while (!levels.isEmpty()) {
            Level level = levels.peek();
            if (level.next == level.names.length) {
                levels.pop();
                continue;
            }
            String name = level.names[level.next++];
            String path = level.parent.equals("/") ? "/" + name : level.parent + "/" + name;
            if (!path.equals("/zookeeper") && !path.equals("/zoospan")) {
                return path;
            }
        }
        return null;
    }

    private void head(DataTree tree) throws IOException {
        bytes.clear();
        out.writeByte(HEAD);
        out.writeLong(tree.lastProcessedZxid);
        out.writeLong(tree.getNodeCount());
        ZooSpanHooks.Seen folder = ZooSpanHooks.see(tree, APPLIED);
        String[] sites = folder == null ? new String[0] : folder.children;
        out.writeInt(sites.length);
        for (String site : sites) {
            text(site);
            data(ZooSpanHooks.see(tree, APPLIED + "/" + site));
        }
    }

    /**
     * Which txns of this site its applier wrote for the destination. Slots before packs: what a slot loses meanwhile is in
     * a pack that was made before.
     */
    private void journal(DataTree tree, String path) throws IOException {
        List<ZooSpanHooks.Seen> nodes = new ArrayList<>();
        data(ZooSpanHooks.see(tree, path));
        for (boolean packs : new boolean[] {false, true}) {
            for (String name : children(tree, path)) {
                ZooSpanHooks.Seen node = name.startsWith("p") == packs ? ZooSpanHooks.see(tree, path + "/" + name) : null;
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

    /** The paths that have a record in /zoospan/sessions: what stands there came from another site. */
    private static Set<String> copies(DataTree tree) {
        Set<String> copies = new HashSet<>();
        for (String origin : children(tree, SESSIONS)) {
            for (String session : children(tree, SESSIONS + "/" + origin)) {
                for (String name : children(tree, SESSIONS + "/" + origin + "/" + session)) {
                    copies.add(name.replace("%2F", "/").replace("%25", "%"));
                }
            }
        }
        return copies;
    }

    private static String[] children(DataTree tree, String path) {
        ZooSpanHooks.Seen seen = ZooSpanHooks.see(tree, path);
        return seen == null ? new String[0] : seen.children;
    }

    private void node(String path, ZooSpanHooks.Seen seen) throws IOException {
        text(path);
        if (seen.data == null) {
            out.writeInt(-1);
        } else {
            out.writeInt(seen.data.length);
            out.write(seen.data);
        }
        List<ACL> acl = seen.acl == null ? ZooDefs.Ids.OPEN_ACL_UNSAFE : seen.acl;
        out.writeInt(acl.size());
        for (ACL entry : acl) {
            out.writeInt(entry.getPerms());
            text(entry.getId().getScheme());
            text(entry.getId().getId());
        }
        kind(seen.owner);
        out.writeLong(seen.mzxid);
        out.writeLong(seen.czxid);
        out.writeLong(seen.mtime);
    }

    private void kind(long owner) throws IOException {
        switch (EphemeralType.get(owner)) {
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

    private void text(String text) throws IOException {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        out.writeInt(utf8.length);
        out.write(utf8);
    }

    /** Hands over what was written. False: it is not wanted any more. */
    private boolean hand() {
        boolean wanted = engine.image(id, bytes.array(), bytes.length());
        bytes.clear();
        return wanted;
    }
}
