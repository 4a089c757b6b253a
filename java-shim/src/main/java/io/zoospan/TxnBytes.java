package io.zoospan;

import java.io.IOException;
import java.io.OutputStream;
import java.util.Arrays;
import java.util.Collection;
import org.apache.jute.BinaryOutputArchive;
import org.apache.jute.Record;
import org.apache.zookeeper.txn.TxnHeader;

/**
 * Serialises one txn after the other, header and record as in the txn log, into an array that is used again. An array
 * that a large txn made grow is given back when the next one comes.
 */
final class TxnBytes {
    static final int KEPT_MAX = 1 << 20;
    private static final int START = 4096;

    private final Bytes bytes = new Bytes();
    private final BinaryOutputArchive archive = BinaryOutputArchive.getArchive(bytes);

    void write(TxnHeader hdr, Record txn) throws IOException {
        bytes.clear();
        hdr.serialize(archive, "hdr");
        if (txn != null) {
            txn.serialize(archive, "txn");
        }
    }

    /**
     * A closeSession whose record the server left out (3.5, or 3.6 and later with closeSessionTxn.enabled=false), with
     * the paths that the record would have held.
     */
    void writeCloseSession(TxnHeader hdr, Collection<String> paths) throws IOException {
        bytes.clear();
        hdr.serialize(archive, "hdr");
        archive.writeInt(paths.size(), "paths2Delete");
        for (String path : paths) {
            archive.writeString(path, "path");
        }
    }

    byte[] array() {
        return bytes.array;
    }

    int length() {
        return bytes.length;
    }

    /** ByteArrayOutputStream without its locks and with its array in reach. */
    private static final class Bytes extends OutputStream {
        private byte[] array = new byte[START];
        private int length;

        void clear() {
            length = 0;
            if (array.length > KEPT_MAX) {
                array = new byte[START];
            }
        }

        @Override
        public void write(int b) {
            reserve(1);
            array[length++] = (byte) b;
        }

        @Override
        public void write(byte[] from, int offset, int count) {
            reserve(count);
            System.arraycopy(from, offset, array, length, count);
            length += count;
        }

        private void reserve(int more) {
            int needed = Math.addExact(length, more);
            if (needed > array.length) {
                array = Arrays.copyOf(array, (int) Math.min(Integer.MAX_VALUE - 8L, Math.max(needed, 2L * array.length)));
            }
        }
    }
}
