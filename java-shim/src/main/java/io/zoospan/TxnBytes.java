package io.zoospan;

import java.io.IOException;
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

    private final Bytes bytes = new Bytes(KEPT_MAX);
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
        return bytes.array();
    }

    int length() {
        return bytes.length();
    }
}
