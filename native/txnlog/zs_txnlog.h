// A server's txn log, read while the server writes it: the txns behind a cursor up to a committed bound, each one, in
// order, or the reason why this log cannot prove that.
//
// Source of the layout: FileTxnLog, FileHeader and SnapStream of ZooKeeper 3.5.5 to 3.9.5. <dataLogDir>/version-2 holds
// files log.<hex zxid of the first txn>: 16 bytes of header ("ZKLG", int 2, long dbid), then entries (long Adler-32
// of the body, int length, body, 0x42), then zeros: the writer allocates ahead. The body is what zs_txn_decode takes.
//
// What is proven: checksums are right; the counter rises by one within an epoch; a new epoch begins at 1, and only
// behind a txn that is itself in the log (behind the mere start of an epoch: if the log holds something older); every snapshot that lay in `snap_dir` at the start with a zxid in the
// range names a txn of the log (a learner that was sent a snapshot skips what came before it). What a log cannot
// show is the caller's to know: whether entries of a server that led or followed were ever committed (hence the
// bound), and whether the server's tree was exchanged under it.
//
// A server that votes logs proposals, and before ZooKeeper 3.9.3 it goes on to do so when its role has ended (ZOOKEEPER-4712): what
// came to nothing then stays in its log, below an epoch that was committed, and looks whole. So of such a log an epoch is believed
// only if somebody saw where it ended; what follows that in its epoch is left out.
//
// What is no damage: entries that stand in the log twice, byte for byte, which has the same cause; the last file may end in half an entry that is being written, or was when the server died.
//
// An error with ZS_GAP or ZS_CORRUPT says that the log cannot prove it; any other, that it could not be read at the moment.
//
// Threads: one at a time. The files are only ever read; they may grow, be rolled over, be cut or vanish meanwhile.
#ifndef ZS_TXNLOG_H
#define ZS_TXNLOG_H

#include "zs_bytes.h"
#include "zs_error.h"

struct zs_txnlog;

enum zs_txnlog_found {
    ZS_TXNLOG_TXN,     // `*txn` is the next one
    ZS_TXNLOG_BOUND,   // every txn up to the bound has been given out
    ZS_TXNLOG_WAIT,    // the log ends before the bound: its writer may be behind; ask again in a while
    ZS_TXNLOG_REFUSED, // ZS_GAP (txns are missing), ZS_CORRUPT, ZS_RETRY (reading failed), ZS_FATAL: close it
};

struct zs_txnlog_txn {
    int64_t zxid;
    int64_t time_ms;
    struct zs_slice bytes; // valid until the next call
};

// `log_dir`: <dataLogDir>/version-2; `snap_dir`: <dataDir>/version-2, or NULL where the caller knows that the tree is
// older than `behind`. `behind`: the last zxid that the caller has, or the start of an epoch (counter 0) up to which it has all; 0: nothing
// was ever written before the log's first txn, which is then 1 or 0x100000001. Memory: at most `entry_bytes_max` and
// a quarter of a MiB. Returns NULL on ZS_INVALID (a directory cannot be read: the text names it) and ZS_FATAL.
// The log is taken for one that holds nothing but what was committed until zs_txnlog_distrust is called.
struct zs_txnlog *zs_txnlog_open(const char *log_dir, const char *snap_dir, int64_t behind,
                                 size_t entry_bytes_max, struct zs_error *e);
void zs_txnlog_close(struct zs_txnlog *log);

// The last zxids of epochs that were seen to end (counter 0: an epoch without a txn); copied. May be called again as more is known.
void zs_txnlog_tell_ends(struct zs_txnlog *log, const int64_t *ends, size_t count);
// The log may hold proposals that came to nothing: no epoch before the bound's is believed beyond an end that was told.
void zs_txnlog_distrust(struct zs_txnlog *log);

// The next txn above the last and not above `bound`, the newest zxid that is known to be committed; it may rise from
// call to call. A bound of counter 0 (epoch << 32: a leader that has not written yet) is reached where the log ends.
// Blocks: for the disk.
enum zs_txnlog_found zs_txnlog_next(struct zs_txnlog *log, int64_t bound, struct zs_txnlog_txn *txn,
                                    struct zs_error *e);

#endif
