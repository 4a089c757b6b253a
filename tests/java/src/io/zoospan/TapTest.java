package io.zoospan;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertNotSame;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertSame;
import static org.junit.Assert.assertTrue;

import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.apache.jute.Record;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooDefs.OpCode;
import org.apache.zookeeper.server.Request;
import org.apache.zookeeper.server.persistence.FileTxnLog;
import org.apache.zookeeper.txn.CloseSessionTxn;
import org.apache.zookeeper.txn.CreateTxn;
import org.apache.zookeeper.txn.ErrorTxn;
import org.apache.zookeeper.txn.MultiTxn;
import org.apache.zookeeper.txn.SetDataTxn;
import org.apache.zookeeper.txn.Txn;
import org.apache.zookeeper.txn.TxnHeader;
import org.junit.Before;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** The tap: every request goes on, every txn is offered as the txn log holds it. */
public class TapTest {
    @Rule
    public final TemporaryFolder folder = new TemporaryFolder();

    private Chain chain;
    private CaptureProcessor tap;

    @Before
    public void tap() throws IOException {
        chain = new Chain(folder.newFolder());
        tap = chain.tap();
        chain.calls.clear();
    }

    private static TxnHeader header(long zxid, int type) {
        return new TxnHeader(0x1000123L, 7, zxid, 1700000000000L + zxid, type);
    }

    private void pass(TxnHeader hdr, Record txn) throws Exception {
        Request request = Chain.request(hdr, txn);
        tap.processRequest(request);
        assertSame(request, chain.passed.get(chain.passed.size() - 1));
    }

    @Test
    public void aRequestWithoutTxnOnlyPasses() throws Exception {
        pass(null, null);
        assertEquals(1, chain.passed.size());
        assertEquals(Collections.emptyList(), chain.calls);
    }

    @Test
    public void aFailureLosesTheTxnButNotTheRequest() throws Exception {
        chain.toThrow = new OutOfMemoryError("on purpose");
        pass(header(1, OpCode.setData), new SetDataTxn("/a", new byte[3], 1));
        assertEquals(Arrays.asList("offer 1", "lost 1"), chain.calls);
        assertEquals(1, chain.capture.failures());
        assertSame(chain.toThrow, chain.capture.takeFailure());
        assertNull(chain.capture.takeFailure());
    }

    @Test
    public void evenAFailureToSaySoDoesNotStopTheRequest() throws Exception {
        chain.toThrow = new UnsatisfiedLinkError("on purpose");
        chain.lostThrowsToo = true;
        pass(header(1, OpCode.setData), new SetDataTxn("/a", new byte[3], 1));
        assertEquals(2, chain.capture.failures());
    }

    @Test
    public void aRecordThatCannotBeSerialisedIsLost() throws Exception {
        pass(header(1, OpCode.create), new CreateTxn()); // its ACL's elements: none; its path: null
        pass(header(2, OpCode.create), new CreateTxn("/a", null, Collections.singletonList(null), false, 0));
        assertEquals(Arrays.asList("offer 1", "lost 2"), chain.calls);
    }

    @Test
    public void theBytesAreThoseOfTheTxnLog() throws Exception {
        List<TxnHeader> headers = new ArrayList<>();
        List<Record> records = new ArrayList<>();
        records.add(new CreateTxn("/\u4e0a\u6d77\ud83d\ude00", "x".getBytes(), Ids.OPEN_ACL_UNSAFE, true, 1));
        headers.add(header(1, OpCode.create));
        records.add(new SetDataTxn("/a", null, 4));
        headers.add(header(2, OpCode.setData));
        records.add(new MultiTxn(Arrays.asList(new Txn(OpCode.setData, new byte[9]), new Txn(OpCode.check, new byte[0]))));
        headers.add(header(3, OpCode.multi));
        records.add(new ErrorTxn(-101));
        headers.add(header(4, OpCode.error));
        records.add(new CloseSessionTxn(Arrays.asList("/a", "/b/c")));
        headers.add(header(5, OpCode.closeSession));
        records.add(new SetDataTxn("/large", new byte[3 << 20], 1));
        headers.add(header(6, OpCode.setData));
        for (int i = 0; i < headers.size(); i++) {
            pass(headers.get(i), records.get(i));
        }
        assertArrayEquals(logged(headers, records).toArray(), chain.offered.toArray());
    }

    /** What ZooKeeper's own log writes, read by hand: file header 16, then checksum 8, length 4, bytes, 'B'. */
    private List<byte[]> logged(List<TxnHeader> headers, List<Record> records) throws IOException {
        File dir = folder.newFolder();
        FileTxnLog log = new FileTxnLog(dir);
        for (int i = 0; i < headers.size(); i++) {
            assertTrue(log.append(headers.get(i), records.get(i)));
        }
        log.commit();
        log.close();
        ByteBuffer file = ByteBuffer.wrap(Files.readAllBytes(new File(dir, "log.1").toPath()));
        file.position(16);
        List<byte[]> entries = new ArrayList<>();
        for (int i = 0; i < headers.size(); i++) {
            file.getLong();
            byte[] entry = new byte[file.getInt()];
            file.get(entry);
            assertEquals('B', file.get());
            entries.add(entry);
        }
        return entries;
    }

    @Test
    public void aCloseWithoutRecordNamesTheEphemerals() throws Exception {
        long session = header(0, 0).getClientId();
        chain.tree().createNode("/b", new byte[0], Ids.OPEN_ACL_UNSAFE, session, 1, 0, 0);
        chain.tree().createNode("/a", new byte[0], Ids.OPEN_ACL_UNSAFE, session, 2, 0, 0);
        chain.tree().createNode("/other", new byte[0], Ids.OPEN_ACL_UNSAFE, session + 1, 3, 0, 0);
        pass(header(1, OpCode.closeSession), null);
        pass(header(2, OpCode.closeSession), new CloseSessionTxn(Arrays.asList("/a", "/b")));
        byte[] without = chain.offered.get(0);
        byte[] with = chain.offered.get(1);
        assertArrayEquals(Arrays.copyOfRange(with, 32, with.length), Arrays.copyOfRange(without, 32, without.length));
    }

    @Test
    public void theArrayIsUsedAgainUnlessItIsLarge() throws Exception {
        pass(header(1, OpCode.setData), new SetDataTxn("/a", new byte[100_000], 1));
        byte[] first = tap.bytes.array();
        pass(header(2, OpCode.setData), new SetDataTxn("/a", new byte[100], 1));
        assertSame(first, tap.bytes.array());
        pass(header(3, OpCode.setData), new SetDataTxn("/a", new byte[TxnBytes.KEPT_MAX], 1));
        assertTrue(tap.bytes.array().length > TxnBytes.KEPT_MAX);
        pass(header(4, OpCode.setData), new SetDataTxn("/a", new byte[100], 1));
        assertTrue(tap.bytes.array().length < TxnBytes.KEPT_MAX);
        assertNotSame(first, tap.bytes.array());
    }

    @Test
    public void theTapOfAChainThatHasASuccessorIsDeaf() throws Exception {
        chain.tap();
        chain.calls.clear();
        pass(header(1, OpCode.setData), new SetDataTxn("/a", null, 1));
        assertEquals(Collections.emptyList(), chain.calls);
    }

    @Test
    public void afterCloseNothingIsOffered() throws Exception {
        chain.capture.close();
        pass(header(1, OpCode.setData), new SetDataTxn("/a", null, 1));
        assertEquals(Collections.emptyList(), chain.calls);
        assertEquals(0, chain.capture.failures());
    }
}
