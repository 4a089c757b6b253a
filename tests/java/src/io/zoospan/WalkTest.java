package io.zoospan;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertNotSame;
import static org.junit.Assert.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.jute.BinaryOutputArchive;
import org.apache.zookeeper.ZooDefs.Perms;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.server.DataNode;
import org.apache.zookeeper.server.DataTree;
import org.junit.Before;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** The walk over a real tree, in the states that ZooKeeper's own classes bring it into. */
public class WalkTest {
    private static final int BOUND_S = 60;

    @Rule
    public final TemporaryFolder folder = new TemporaryFolder();

    private Chain chain;
    private Taker taker;

    @Before
    public void tree() throws IOException {
        chain = new Chain(folder.newFolder());
        taker = new Taker();
    }

    private static List<ACL> acl(String id) {
        return Collections.singletonList(new ACL(Perms.ALL, new Id("digest", id)));
    }

    private void create(DataTree tree, String path, List<ACL> acl) throws Exception {
        tree.createNode(path, path.getBytes(StandardCharsets.UTF_8), acl, 0, -1, 7, 1700000000000L);
        tree.lastProcessedZxid = Math.max(tree.lastProcessedZxid, 7);
    }

    /** One walk of all, by a thread of its own, as in a server. */
    private Taker walk() throws Exception {
        CaptureProcessor tap = chain.tap();
        taker.want(1, "/", "bj");
        Thread walk = new Thread(new Walk(taker, () -> tap));
        walk.start();
        assertTrue(taker.over(1).await(BOUND_S, TimeUnit.SECONDS));
        taker.end();
        walk.join();
        return taker;
    }

    // --- what is not the ensemble's tree ---------------------------------------------------------------------------

    @Test
    public void aTreeThatZooKeeperFoundWrongIsNotSent() throws Exception {
        create(chain.tree(), "/a", acl("one:x"));
        CaptureProcessor before = chain.tap();
        chain.tree().reportDigestMismatch(0x100000007L);
        chain.tree().reportDigestMismatch(0x100000008L);
        assertNotSame("a new role over the same tree", before, chain.tap());
        assertFalse(walk().ended);
        assertEquals(1, taker.brokenOff);
        assertTrue(taker.why, taker.why.contains("first at zxid 0x100000007"));
    }

    @Test
    public void itIsForgottenWithTheTree() throws Exception {
        chain.tree().reportDigestMismatch(0x100000007L);
        loadAFuzzySnapshot();
        taker.carried.put("/b", 0);
        assertTrue(walk().ended);
    }

    // --- what cannot be read ---------------------------------------------------------------------------------------

    /**
     * As a server writes a snapshot while it goes on: the ACLs first, then the nodes. One that is created in between, with an
     * ACL of its own, is in the snapshot, and its ACL is not.
     */
    private void loadAFuzzySnapshot() throws Exception {
        DataTree written = chain.tree();
        create(written, "/a", acl("one:x"));
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        BinaryOutputArchive out = BinaryOutputArchive.getArchive(bytes);
        out.writeInt(0, "count"); // of sessions
        written.serializeAcls(out);
        create(written, "/b", acl("two:x"));
        create(written, "/b/beneath", acl("one:x"));
        create(written, "/c", acl("one:x"));
        written.serializeNodes(out);
        chain.sentByTheLeader(bytes.toByteArray(), 7);
    }

    @Test
    public void aNodeWhoseAclIsLostIsNotGone() throws Exception {
        loadAFuzzySnapshot();
        assertNotNull("it is there", chain.tree().getNode("/b"));
        assertFalse(walk().ended);
        assertEquals(1, taker.brokenOff);
        assertTrue(taker.why, taker.why.contains("node /b cannot be read") && taker.why.contains("Failed to fetch acls"));
    }

    @Test
    public void whatIsNotCarriedIsNotLookedAt() throws Exception {
        loadAFuzzySnapshot();
        taker.carried.put("/b", 0);
        assertTrue(walk().ended);
        assertEquals(Arrays.asList("/", "/a", "/c"), taker.paths);
        assertEquals(Arrays.asList("/", "/a", "/b", "/c", "/zookeeper"), taker.asked);
    }

    @Test
    public void ofWhatLeadsToSomethingCarriedTheAclIsHandedOver() throws Exception {
        for (String path : new String[] {"/a", "/a/b", "/a/c", "/d", "/d/e"}) {
            create(chain.tree(), path, acl("one:" + path));
        }
        for (String path : new String[] {"/", "/a", "/d"}) {
            taker.carried.put(path, Images.BENEATH);
        }
        taker.carried.put("/d/e", 0);
        walk();
        assertEquals(Arrays.asList("/a", "/a/b", "/a/c"), taker.paths);
        assertEquals("one:/a", taker.ids.get("/a"));
        assertEquals("", taker.data.get("/a"));
        assertEquals("/a/b", taker.data.get("/a/b"));
    }

    // --- what is deleted meanwhile ---------------------------------------------------------------------------------

    /** What is done to a node when the walk has found it and has not copied it yet. */
    private void whileItIsLookedAt(String path, Disturbance disturbance) throws Exception {
        DataNode node = chain.tree().getNode(path);
        CaptureProcessor tap = chain.tap();
        taker.want(1, "/", "bj");
        Thread walk = new Thread(new Walk(taker, () -> tap));
        synchronized (node) {
            walk.start();
            for (long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(BOUND_S); walk.getState() != Thread.State.BLOCKED;) {
                assertTrue("the walk comes to it", System.nanoTime() < until);
                Thread.sleep(1);
            }
            disturbance.happen();
        }
        assertTrue(taker.over(1).await(BOUND_S, TimeUnit.SECONDS));
        taker.end();
        walk.join();
    }

    private interface Disturbance {
        void happen() throws Exception;
    }

    @Test
    public void aNodeThatIsDeletedMeanwhileIsGone() throws Exception {
        create(chain.tree(), "/a", acl("one:x"));
        create(chain.tree(), "/b", acl("two:x"));
        whileItIsLookedAt("/a", () -> chain.tree().deleteNode("/a", 8));
        assertTrue(taker.why, taker.ended);
        assertEquals(Arrays.asList("/", "/b"), taker.paths);
    }

    @Test
    public void oneThatTakesItsPlaceIsThere() throws Exception {
        create(chain.tree(), "/a", acl("one:x"));
        whileItIsLookedAt("/a", () -> {
            chain.tree().deleteNode("/a", 8);
            create(chain.tree(), "/a", acl("two:x"));
        });
        assertTrue(taker.why, taker.ended);
        assertEquals(Arrays.asList("/", "/a"), taker.paths);
        assertEquals("two:x", taker.ids.get("/a"));
    }

    // --- text ------------------------------------------------------------------------------------------------------

    @Test
    public void anAclMayHoldWhatAnyClientPutsThere() throws Exception {
        create(chain.tree(), "/a", acl("x\0y:\u4e0a\ud83d\ude00"));
        assertTrue(walk().ended);
        assertEquals("x\0y:\u4e0a\ud83d\ude00", taker.ids.get("/a"));
    }

    @Test
    public void aPathThatIsNoTextIsNamed() throws Exception {
        create(chain.tree(), "/a\ud800", acl("one:x"));
        assertFalse(walk().ended);
        assertTrue(taker.why, taker.why.contains("half a character"));
    }

    // --- links -----------------------------------------------------------------------------------------------------

    @Test
    public void aLinkThatTakesNothingHoldsUpNoOther() throws Exception {
        create(chain.tree(), "/a", acl("one:x"));
        CaptureProcessor tap = chain.tap();
        taker.dead = 1;
        taker.want(1, "/", "gz");
        taker.want(2, "/", "bj");
        List<Thread> walks = Plugin.walks(new String[] {"gz", "bj"}, taker, () -> tap);
        walks.forEach(Thread::start);
        boolean came = taker.over(2).await(BOUND_S, TimeUnit.SECONDS);
        taker.end();
        for (Thread walk : walks) {
            walk.join();
        }
        assertTrue(came && taker.ended);
    }

    @Test
    public void aWalkThatRunsOutOfMemoryIsHeardOf() throws Exception {
        create(chain.tree(), "/a", acl("one:x"));
        taker.outOfMemory = true;
        walk();
        assertTrue(taker.failed && !taker.ended);
    }

    /** A server applies a multi node by node, and one that registers an applier sets its marker to nothing in between. */
    @Test
    public void aMarkerCountsWhenItsMultiIsOver() throws Exception {
        DataTree tree = chain.tree();
        String marker = "/zoospan/applied/bj";
        for (String path : new String[] {"/zoospan", "/zoospan/applied", marker}) {
            create(tree, path, acl("one:x"));
        }
        for (byte[] half : new byte[][] {new byte[0], "old".getBytes(StandardCharsets.UTF_8)}) {
            tree.setData(marker, half, 1, tree.lastProcessedZxid + 1, 1700000000000L);
            Thread rest = new Thread(() -> {
                try {
                    Thread.sleep(100);
                    tree.setData(marker, "whole".getBytes(StandardCharsets.UTF_8), 2, tree.lastProcessedZxid + 1, 1700000000000L);
                    tree.lastProcessedZxid++;
                } catch (Exception e) {
                    throw new IllegalStateException(e);
                }
            });
            rest.start();
            assertTrue(walk().head.contains("whole"));
            rest.join();
            taker = new Taker();
        }
    }

    /** However large the tree is: chunk by chunk, what the tree held before the first node of it was read. */
    @Test
    public void eachChunkTellsHowFarTheTreeWas() throws Exception {
        DataTree tree = chain.tree();
        for (int i = 0; i < 20; i++) {
            tree.createNode("/n" + i, new byte[100_000], acl("one:x"), 0, -1, 7, 1700000000000L);
        }
        tree.lastProcessedZxid = 7;
        taker.behindChunk = () -> tree.lastProcessedZxid++;
        walk();
        assertTrue(taker.asOf.size() > 2);
        for (int i = 0; i < taker.asOf.size(); i++) {
            assertEquals(7 + 1 + i, (long) taker.asOf.get(i)); // behind the HEAD's chunk
        }
    }

    /** Links that take what walks hand over. */
    private static final class Taker implements Images {
        final List<String> asked = new ArrayList<>();
        final List<String> paths = new ArrayList<>();
        final List<Long> asOf = new ArrayList<>();
        final Map<String, String> data = new HashMap<>();
        final Map<String, String> ids = new HashMap<>();
        final Map<String, Integer> carried = new HashMap<>();
        String head = "";
        Runnable behindChunk = () -> { };
        boolean ended;
        boolean failed;
        boolean outOfMemory;
        int brokenOff = -1;
        String why = "";
        long dead;
        private final List<String[]> wanted = new ArrayList<>();
        private final CountDownLatch end = new CountDownLatch(1);
        private final Map<Long, CountDownLatch> over = new HashMap<>();

        synchronized void want(long id, String path, String destination) {
            wanted.add(new String[] {String.valueOf(id), path, destination});
            over.put(id, new CountDownLatch(1));
        }

        CountDownLatch over(long id) {
            return over.get(id);
        }

        void end() {
            end.countDown();
        }

        @Override
        public long next(int timeoutMs, byte[][] names) {
            synchronized (this) {
                if (!wanted.isEmpty()) {
                    String[] wish = wanted.remove(0);
                    names[0] = Engine.bytes(wish[1]);
                    names[1] = Engine.bytes(wish[2]);
                    return Long.parseLong(wish[0]);
                }
            }
            return ends() ? Engine.END : 0;
        }

        private boolean ends() {
            try {
                return end.await(10, TimeUnit.MILLISECONDS);
            } catch (InterruptedException e) {
                return true;
            }
        }

        @Override
        public synchronized int carried(long id, byte[] path) {
            String name = Engine.text(path);
            asked.add(name);
            return carried.getOrDefault(name, name.equals("/zookeeper") ? 0 : NODE | BENEATH);
        }

        @Override
        public boolean put(long id, byte[] bytes, int len) {
            if (id == dead) {
                while (!ends()) {
                    continue; // as while the link's queue is full
                }
                return false;
            }
            synchronized (this) {
                if (bytes == null) {
                    failed = true;
                    over.get(id).countDown();
                    return false;
                }
                if (outOfMemory) {
                    throw new OutOfMemoryError("on purpose");
                }
                take(id, ByteBuffer.wrap(bytes, 0, len));
                behindChunk.run();
                return true;
            }
        }

        private void take(long id, ByteBuffer chunk) {
            switch (chunk.get()) {
                case 0:
                    head = Engine.text(Arrays.copyOfRange(chunk.array(), chunk.position(), chunk.limit()));
                    break;
                case 1:
                    asOf.add(chunk.getLong());
                    while (chunk.hasRemaining()) {
                        node(chunk);
                    }
                    break;
                case 2:
                    ended = true;
                    over.get(id).countDown();
                    break;
                case 3:
                    brokenOff = chunk.get();
                    why = text(chunk);
                    over.get(id).countDown();
                    break;
                default:
                    break;
            }
        }

        private void node(ByteBuffer chunk) {
            String path = text(chunk);
            paths.add(path);
            data.put(path, text(chunk));
            for (int count = chunk.getInt(); count > 0; count--) {
                chunk.getInt();
                text(chunk);
                ids.put(path, text(chunk));
            }
            chunk.position(chunk.position() + 1 + 4 * Long.BYTES + Integer.BYTES);
        }

        private static String text(ByteBuffer chunk) {
            byte[] bytes = new byte[Math.max(0, chunk.getInt())];
            chunk.get(bytes);
            return Engine.text(bytes);
        }
    }
}
