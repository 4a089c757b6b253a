package io.zoospan;

import static org.junit.Assert.assertEquals;

import java.io.IOException;
import java.util.Arrays;
import java.util.Collections;
import org.apache.zookeeper.ZooDefs.OpCode;
import org.apache.zookeeper.server.ZKDatabase;
import org.apache.zookeeper.txn.SetDataTxn;
import org.apache.zookeeper.txn.TxnHeader;
import org.junit.Before;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** Whether a new chain continues the one before it: only when nothing can have gone around it. */
public class ContinuityTest {
    private static final long EPOCH1 = 1L << 32;
    private static final long EPOCH2 = 2L << 32;

    @Rule
    public final TemporaryFolder folder = new TemporaryFolder();

    private Chain chain;

    @Before
    public void chain() throws IOException {
        chain = new Chain(folder.newFolder());
        chain.write("/something");
    }

    /** One role: a chain over the tree as it is, and these txns, each applied after it has passed the tap. */
    private void role(long... zxids) throws Exception {
        txns(chain.tap(), zxids);
    }

    private void txns(CaptureProcessor tap, long... zxids) throws Exception {
        for (long zxid : zxids) {
            tap.processRequest(Chain.request(new TxnHeader(1, 1, zxid, 1, OpCode.setData), new SetDataTxn("/", null, 1)));
            chain.tree().lastProcessedZxid = zxid;
        }
    }

    private void expect(String... calls) {
        assertEquals(Arrays.asList(calls), chain.calls);
    }

    @Test
    public void theFirstChainContinuesNothing() throws Exception {
        chain.tree().lastProcessedZxid = EPOCH1 + 9;
        role();
        expect("begin 100000009");
    }

    @Test
    public void aQuietChangeOfRoleContinues() throws Exception {
        role(EPOCH1 + 1, EPOCH1 + 2);
        role(EPOCH1 + 3);
        expect("begin 0", "offer 100000001", "offer 100000002", "begin 100000002 contiguous", "offer 100000003");
    }

    @Test
    public void aChainThatSawNothingIsContinuedToo() throws Exception {
        role(EPOCH1 + 1);
        role();
        role(EPOCH1 + 2);
        expect("begin 0", "offer 100000001", "begin 100000001 contiguous", "begin 100000001 contiguous", "offer 100000002");
    }

    @Test
    public void aNewEpochContinues() throws Exception {
        role(EPOCH1 + 1);
        CaptureProcessor tap = chain.tap();
        chain.tree().lastProcessedZxid = EPOCH2; // as a leader does when it begins to serve
        txns(tap, EPOCH2 + 1);
        expect("begin 0", "offer 100000001", "begin 100000001 contiguous", "offer 200000001");
    }

    @Test
    public void anEpochThatBeganBeforeTheSpliceContinues() throws Exception {
        role(EPOCH1 + 1);
        chain.capture.note(chain.zks);
        chain.tree().lastProcessedZxid = EPOCH2;
        chain.capture.begin(chain.zks, chain);
        expect("begin 0", "offer 100000001", "begin 200000000 contiguous");
    }

    @Test
    public void fastForwardAtTheEndOfARoleBreaks() throws Exception {
        role(EPOCH1 + 1);
        chain.tree().lastProcessedZxid = EPOCH1 + 2;
        role();
        expect("begin 0", "offer 100000001", "begin 100000002");
    }

    @Test
    public void fastForwardBreaksThoughAnEpochBeginsAfterIt() throws Exception {
        role(EPOCH1 + 1);
        chain.tree().lastProcessedZxid = EPOCH1 + 2;
        chain.capture.note(chain.zks);
        chain.tree().lastProcessedZxid = EPOCH2;
        chain.capture.begin(chain.zks, chain);
        expect("begin 0", "offer 100000001", "begin 200000000");
    }

    @Test
    public void synchronisationBeforeTheSpliceBreaks() throws Exception {
        role(EPOCH1 + 1);
        chain.capture.note(chain.zks);
        chain.tree().lastProcessedZxid = EPOCH1 + 5;
        chain.capture.begin(chain.zks, chain);
        expect("begin 0", "offer 100000001", "begin 100000005");
    }

    @Test
    public void synchronisationAfterTheSpliceBreaksAtTheFirstTxn() throws Exception {
        CaptureProcessor tap = chain.tap();
        chain.tree().lastProcessedZxid = EPOCH1 + 5;
        txns(tap, EPOCH1 + 6, EPOCH1 + 7);
        expect("begin 0", "begin 100000005", "offer 100000006", "offer 100000007");
    }

    @Test
    public void aTreeOfTheLeaderBreaksThoughItsZxidIsTheSame() throws Exception {
        role(EPOCH1 + 1);
        chain.sentByTheLeader(chain.snapshot(), EPOCH1 + 1);
        role();
        expect("begin 0", "offer 100000001", "begin 100000001");
    }

    @Test
    public void aRestoreUnderARunningServerIsSeenByTheNextTxn() throws Exception {
        byte[] snapshot = chain.snapshot();
        CaptureProcessor tap = chain.tap();
        txns(tap, EPOCH1 + 1, EPOCH1 + 2);
        chain.restored(snapshot, EPOCH1);
        txns(tap, EPOCH1 + 3, EPOCH1 + 4); // zxids go on where they were
        expect("begin 0", "offer 100000001", "offer 100000002", "begin 100000002 other tree", "offer 100000003",
            "offer 100000004");
    }

    @Test
    public void itIsSeenByTheWatchThoughNothingIsWritten() throws Exception {
        byte[] snapshot = chain.snapshot();
        CaptureProcessor tap = chain.tap();
        txns(tap, EPOCH1 + 1, EPOCH1 + 2);
        chain.capture.look();
        chain.restored(snapshot, EPOCH1);
        chain.capture.look();
        chain.capture.look();
        assertEquals(EPOCH1 + 2, tap.treeZxid(chain.tree()));
        txns(tap, EPOCH1 + 3);
        assertEquals(EPOCH1 + 3, tap.treeZxid(chain.tree()));
        expect("begin 0", "offer 100000001", "offer 100000002", "begin 100000002 other tree", "offer 100000003");
    }

    @Test
    public void aSnapshotOfALaterLifeDoesNotHideWhatFollows() throws Exception {
        byte[] snapshot = chain.snapshot();
        CaptureProcessor tap = chain.tap();
        txns(tap, EPOCH1 + 1);
        chain.restored(snapshot, EPOCH2 + 7);
        tap.processRequest(Chain.request(new TxnHeader(1, 1, EPOCH1 + 2, 1, OpCode.setData), new SetDataTxn("/", null, 1)));
        assertEquals(EPOCH1 + 2, tap.treeZxid(chain.tree()));
        expect("begin 0", "offer 100000001", "begin 100000001 other tree", "offer 100000002");
    }

    @Test
    public void aRestoreBeforeTheNextRoleIsSeenThere() throws Exception {
        byte[] snapshot = chain.snapshot();
        role(EPOCH1 + 1);
        chain.restored(snapshot, EPOCH1 + 1);
        role();
        expect("begin 0", "offer 100000001", "begin 100000001 other tree");
    }

    /** QuorumPeer keeps the database of before, and the next role begins with it. */
    @Test
    public void theNextRoleMayHaveTheTreeOfBeforeAgain() throws Exception {
        ZKDatabase before = chain.zks.getZKDatabase();
        byte[] snapshot = chain.snapshot();
        role(EPOCH1 + 1);
        chain.restored(snapshot, EPOCH1);
        chain.capture.look();
        chain.zks.setZKDatabase(before);
        role();
        expect("begin 0", "offer 100000001", "begin 100000001 other tree", "begin 100000001 other tree");
    }

    @Test
    public void aLostTxnIsNotBehindTheNextChain() throws Exception {
        chain.toThrow = new StackOverflowError("on purpose");
        role(EPOCH1 + 1);
        chain.toThrow = null;
        role();
        assertEquals(Collections.singletonList("lost 100000001"), chain.calls.subList(2, 3));
        assertEquals("begin 100000001 contiguous", chain.calls.get(3));
    }

    @Test
    public void aTreeWithNothingToReplicateIsSaid() throws Exception {
        chain = new Chain(folder.newFolder());
        role(EPOCH1 + 1);
        chain.write("/zoospan");
        role();
        chain.write("/a");
        role();
        expect("empty at 0", "begin 0", "offer 100000001", "empty at 100000001", "begin 100000001 contiguous",
            "begin 100000001 contiguous");
    }

    @Test
    public void aTreeOfTheLeaderTakesThatBack() throws Exception {
        byte[] snapshot = chain.snapshot(); // with something in it
        chain = new Chain(folder.newFolder());
        role();
        chain.sentByTheLeader(snapshot, EPOCH1 + 1);
        role();
        expect("empty at 0", "begin 0", "empty no more", "begin 100000001");
    }

    @Test
    public void soDoesARestore() throws Exception {
        byte[] snapshot = chain.snapshot();
        chain = new Chain(folder.newFolder());
        CaptureProcessor tap = chain.tap();
        chain.restored(snapshot, EPOCH1 + 8);
        txns(tap, 1);
        expect("empty at 0", "begin 0", "empty no more", "begin 0 other tree", "offer 1");
    }
}
