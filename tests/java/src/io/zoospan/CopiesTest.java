package io.zoospan;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.server.DataTree;
import org.apache.zookeeper.server.ZooSpanHooks;
import org.junit.Before;
import org.junit.Test;

/** Which nodes an image leaves out, because they are copies of another site's ephemerals. */
public class CopiesTest {
    private static final String SESSION = "/zoospan/sessions/bj/0000000000000011";

    private DataTree tree;

    @Before
    public void aTreeWithRecords() throws KeeperException {
        tree = new DataTree();
        for (String path : new String[] {"/zoospan", "/zoospan/sessions", "/zoospan/sessions/bj", SESSION}) {
            create(path, 1);
        }
        create("/copy", 5);
        create(SESSION + "/%2Fcopy", 5);
        create("/taken", 7); // by a client, who has deleted the copy that was made with the record
        create(SESSION + "/%2Ftaken", 6);
        create("/100%", 8);
        create(SESSION + "/%2F100%25", 8);
    }

    private void create(String path, long zxid) throws KeeperException {
        tree.createNode(path, new byte[0], ZooDefs.Ids.OPEN_ACL_UNSAFE, 0, -1, zxid, 0);
        tree.lastProcessedZxid = zxid;
    }

    @Test
    public void aRecordIsAboutTheNodeThatItsTxnMade() throws Walk.UnreadableException {
        Copies copies = new Copies(tree);
        assertTrue(copies.hold("/copy", 5));
        assertTrue(copies.hold("/100%", 8));
        assertFalse(copies.hold("/taken", 7));
        assertFalse(copies.hold("/copy", 9));
        assertFalse(copies.hold("/", 5));
    }

    @Test
    public void aPathMayHaveSeveralRecords() throws KeeperException, Walk.UnreadableException {
        create("/zoospan/sessions/bj/0000000000000022", 9);
        create("/zoospan/sessions/bj/0000000000000022/%2Ftaken", 7);
        assertTrue(new Copies(tree).hold("/taken", 7));
    }

    private static void put(Copies copies, DataTree tree, Bytes chunk, String path) {
        int from = chunk.length();
        byte[] text = path.getBytes(StandardCharsets.US_ASCII);
        chunk.write(text, 0, text.length);
        copies.doubt(path, ZooSpanHooks.see(tree, path), from, chunk.length());
    }

    @Test
    public void copiesThatComeDuringTheWalkAreTakenOut() throws KeeperException, Walk.UnreadableException {
        Copies copies = new Copies(tree);
        Bytes chunk = new Bytes(1 << 16);
        put(copies, tree, chunk, "/taken");
        create("/young1", 10);
        create(SESSION + "/%2Fyoung1", 10);
        create("/own", 11);
        create("/young2", 12);
        put(copies, tree, chunk, "/young1");
        put(copies, tree, chunk, "/own");
        put(copies, tree, chunk, "/young2");
        create(SESSION + "/%2Fyoung2", 12); // later in the same multi
        copies.cut(chunk);
        assertArrayEquals("/taken/own".getBytes(StandardCharsets.US_ASCII), Arrays.copyOf(chunk.array(), chunk.length()));
        assertTrue(copies.hold("/young1", 10));
        copies.cut(chunk); // nothing is left to be looked at
        assertEquals("/taken/own".length(), chunk.length());
    }
}
