package io.zoospan;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import java.io.File;
import java.io.IOException;
import org.apache.zookeeper.server.DataTree;
import org.junit.Before;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** From where on a server's log may be believed. */
public class LogsTest {
    private static final long LOADED = (1L << 32) + 50;

    @Rule
    public final TemporaryFolder folder = new TemporaryFolder();

    private File snapDir;
    private DataTree tree;

    @Before
    public void aLoadedTree() throws IOException {
        snapDir = folder.newFolder();
        tree = new DataTree();
        tree.lastProcessedZxid = LOADED;
    }

    private void snapshot(String name) throws IOException {
        assertTrue(new File(snapDir, name).createNewFile());
    }

    private long floorAtStart(boolean committedOnly) {
        Logs logs = new Logs(snapDir, "3.8.0");
        logs.loaded(tree, committedOnly);
        return logs.floor(tree, LOADED);
    }

    @Test
    public void theNewestSnapshotCounts() throws IOException {
        assertEquals(0, Logs.newestSnapshot(snapDir));
        snapshot("snapshot.100000009");
        snapshot("snapshot.10000000a.gz");
        snapshot("snapshot.9");
        snapshot("log.1000000ff");
        snapshot("snapshot.what");
        assertEquals(0x10000000aL, Logs.newestSnapshot(snapDir));
        assertEquals(0, Logs.newestSnapshot(new File(snapDir, "nothing")));
    }

    @Test
    public void whoLogsOnlyWhatIsCommittedIsBelieved() throws IOException {
        snapshot("snapshot.100000009");
        assertEquals(0, floorAtStart(true));
    }

    @Test
    public void aFollowerIsBelievedBehindTheSnapshotItLoaded() throws IOException {
        snapshot("snapshot.100000009");
        assertEquals(0x100000009L, floorAtStart(false));
    }

    @Test
    public void aFollowerWhoseSnapshotsAreNotKnownIsNotBelieved() throws IOException {
        Logs logs = new Logs(null, "3.8.0");
        logs.loaded(tree, false);
        assertEquals(LOADED, logs.floor(tree, LOADED));
    }

    @Test
    public void aTreeFromElsewhereIsBelievedFromThereOn() {
        Logs logs = new Logs(snapDir, "3.8.0");
        logs.loaded(tree, true);
        assertEquals(0, logs.floor(tree, LOADED + 1));
        DataTree sent = new DataTree();
        assertEquals(LOADED + 9, logs.floor(sent, LOADED + 9));
        assertEquals("it stays", LOADED + 9, logs.floor(sent, LOADED + 20));
        logs.loaded(tree, true); // only the first of the process was loaded
        assertEquals(LOADED + 30, logs.floor(tree, LOADED + 30));
    }

    @Test
    public void whoVotedKeepsProposals() {
        Logs logs = new Logs(snapDir, "3.9.2");
        logs.loaded(tree, true);
        assertFalse(logs.keepsProposals());
        logs.loaded(tree, false);
        logs.loaded(tree, true);
        assertTrue("once is enough", logs.keepsProposals());
        logs = new Logs(snapDir, "3.9.3");
        logs.loaded(tree, false);
        assertFalse(logs.keepsProposals());
    }

    @Test
    public void versions() {
        assertTrue(Logs.isBefore("3.8.6", 3, 9, 3) && Logs.isBefore("3.9.2", 3, 9, 3) && Logs.isBefore("unknown", 3, 9, 3));
        assertFalse(Logs.isBefore("3.9.3", 3, 9, 3) || Logs.isBefore("3.10.0-SNAPSHOT", 3, 9, 3) || Logs.isBefore("4", 3, 9, 3));
    }
}
