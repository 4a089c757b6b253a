package io.zoospan;

import java.io.File;

/** Where committed txns go; called by one thread at a time. */
interface Sink {
    long NO_BEGINNING = -1;

    /** After the plugin has been closed, while the server still runs. */
    Sink NONE = new Sink() {
        @Override
        public void beginning(long zxid) {
        }

        @Override
        public void logs(File logDir, File snapDir, long floor, boolean proposals) {
        }

        @Override
        public void begin(long base, int chain) {
        }

        @Override
        public boolean offer(long zxid, byte[] bytes, int len) {
            return false;
        }

        @Override
        public void lost(long zxid) {
        }
    };

    /**
     * At this zxid the tree held nothing that could be replicated: a link to a new destination may start there.
     * {@link #NO_BEGINNING}: no such zxid is known any more.
     */
    void beginning(long zxid);

    /**
     * Where the txn log of the tree lies that begins next, and from which zxid on it may be believed (-1: from nowhere);
     * the directories are null if they are not known. {@code proposals}: below an epoch that was committed it may hold some of an
     * earlier one that came to nothing.
     */
    void logs(File logDir, File snapDir, long floor, boolean proposals);

    /** Something may lie between what was offered last and the base: it came to the tree around the chain. */
    int ANEW = 0;
    /** Nothing does. */
    int CONTIGUOUS = 1;
    /** The tree is another one, and not what the txns up to the base have made: a snapshot was restored. */
    int OTHER_TREE = 2;

    /** Everything above {@code base} will be offered from here on. {@code chain}: one of the above. */
    void begin(long base, int chain);

    /** One txn, as it stands in the txn log. Never blocks; false if it was not stored. */
    boolean offer(long zxid, byte[] bytes, int len);

    /** This txn was committed but could not be offered. */
    void lost(long zxid);
}
