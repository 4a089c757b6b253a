// The backlog: one bounded ring of recent committed txns in memory, one writer, many readers, like Redis's
// replication backlog.
//
// Why it is safe. The ring is made of segments that are allocated at the start. The writer appends to the newest
// segment and publishes its length with a release store; what is published never changes while the segment lives. A
// reader pins (compare-and-swap on the segment's pin count) the one segment it reads, so entries are read in place,
// without a copy. When the writer needs a segment it takes the oldest one that nobody pins; it never waits, because
// there are more segments than readers, and a reader pins at most one. No lock is shared between the writer and a
// reader. A sleeping reader is woken by an eventfd, written only when that reader said that it sleeps. backlog.c has
// the details.
//
// The backlog knows how far it reaches back: `floor`, such that every txn of the chain above floor, up to `last`, is
// in the ring. Within an epoch (the upper half of a zxid) the lower half rises by one, and a new epoch starts at 1: an
// offer that breaks this makes the ring forget what it has and start anew from just below the offered zxid, and
// readers are told that they are behind. Nothing is skipped silently.
//
// A reader's position is a zxid, its cursor, and says "I have everything up to here". It may lie above `last` (another
// server of the site was ahead): reading then goes on with the first txn above it. It is good as long as it is not
// below the floor; an emptied ring whose floor is the cursor is therefore no break for that reader. If the ring restarts
// below what it held (a chain that begins below the last txn, a zxid offered twice), a cursor above the new
// floor speaks of txns that this chain has not seen: the reader is told that it is behind, and may seek again.
#ifndef ZS_BACKLOG_H
#define ZS_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zs_error.h"

struct zs_backlog;
struct zs_backlog_reader;

// So many readers may be between a seek and a rest: those of 16 links, and one visitor. Fewer than there are segments, or the
// commit thread would find none to write to.
enum { ZS_BACKLOG_SEGMENTS = 32, ZS_BACKLOG_READERS_MAX = 32, ZS_BACKLOG_PINS_MAX = 17 };

// Takes `bytes_max` bytes of ring in `ZS_BACKLOG_SEGMENTS` parts at once (the kernel gives the pages when they are
// first used), rounded down to whole cache lines per part. Errors: ZS_INVALID (less than 128 KiB), ZS_FATAL (no memory).
struct zs_backlog *zs_backlog_new(size_t bytes_max, struct zs_error *e);
// The largest txn that a backlog of `bytes_max` bytes can hold; 0: too small for a backlog.
size_t zs_backlog_txn_bytes_max(size_t bytes_max);
// All readers must be gone.
void zs_backlog_free(struct zs_backlog *backlog);

enum zs_chain {          // as io.zoospan.Sink has them
    ZS_CHAIN_ANEW,       // txns may lie between what was offered last and `base`
    ZS_CHAIN_CONTIGUOUS, // none does
    ZS_CHAIN_OTHER_TREE, // the server's tree is another one, which the txns up to `base` have not made
};
// A server's request processor chain begins (or begins again, after a role change): everything above `base` will be
// offered. If it is contiguous the ring stays valid if indeed `base` is `last`, or the start of a later epoch (lower half 0; it then
// becomes `last`, and readers at the old last txn or at `base` go on). Otherwise the ring is emptied and its floor is `base`; and
// if the tree is another one no reader's position is good, whatever it is: all are told that they are behind.
// Thread: any, but never at the same time as an offer of the new chain. Blocks: no longer than an earlier chain's offer
// that is under way copies its txn.
void zs_backlog_begin(struct zs_backlog *backlog, int64_t base, enum zs_chain chain);

// Appends one txn (the bytes are copied). Thread: capture; one at a time, but any thread identity: a second call while
// one runs is refused, counted, and empties the ring rather than corrupting it. Blocks: never. Allocates: never.
// A txn that does not fit a segment is not stored: the ring then starts anew behind it. Before the first begin, and for
// a zxid below 1, nothing is stored and nothing changes.
// Returns false if the txn was not stored.
bool zs_backlog_offer(struct zs_backlog *backlog, int64_t zxid, const void *bytes, size_t len);

struct zs_backlog_bounds {
    bool begun;    // a chain has begun at least once
    int64_t floor; // every txn above it ...
    int64_t last;  // ... up to here is in the ring (last == floor: none)
    uint64_t offered, refused,
        breaks;     // since the start: txns stored, not stored; times an offer emptied the ring
    uint64_t trees; // so often the tree became another one
    size_t bytes_max, bytes_used;
};
// Thread: any. A consistent picture.
struct zs_backlog_bounds zs_backlog_bounds(const struct zs_backlog *backlog);

enum { ZS_EPOCH_ENDS_MAX = 64 };
// The last txns of epochs that this server has lived to the end, the newest ones (counter 0: an epoch without a txn): what
// follows one of these in its epoch came to nothing. Returns how many. Thread: any.
size_t zs_backlog_epoch_ends(const struct zs_backlog *backlog, int64_t out[static ZS_EPOCH_ENDS_MAX]);

// Readers. A reader belongs to one thread at a time. NULL: too many readers, or no eventfd.
struct zs_backlog_reader *zs_backlog_reader_new(struct zs_backlog *backlog, struct zs_error *e);
void zs_backlog_reader_free(struct zs_backlog_reader *reader);
// An eventfd that becomes readable when there may be something to read after ZS_READ_EMPTY (of read or seek; also when
// the ring was emptied). The next zs_backlog_read or _seek drains it. It may be readable without reason: read decides.
int zs_backlog_reader_fd(const struct zs_backlog_reader *reader);

enum zs_read {
    ZS_READ_ENTRY,  // `entry` is the next txn
    ZS_READ_EMPTY,  // nothing above the cursor yet; the eventfd will tell
    ZS_READ_BEHIND, // the ring no longer holds the txn after the cursor: read the txn log, or seek
};

struct zs_entry {
    int64_t zxid;
    const uint8_t *bytes; // in the ring; valid until the next call on this reader
    size_t len;
};

// The next zs_backlog_read yields the first txn above `after`. ZS_READ_ENTRY: it is there. ZS_READ_EMPTY: `after` is at
// or above the newest txn. ZS_READ_BEHIND: below the floor (or no chain has begun): the position is unusable, and read
// says ZS_READ_BEHIND, until the next seek. A new reader has no position either.
enum zs_read zs_backlog_seek(struct zs_backlog_reader *reader, int64_t after);
enum zs_read zs_backlog_read(struct zs_backlog_reader *reader, struct zs_entry *entry);
// Gives the pinned segment back, for a reader that will not read for a while.
void zs_backlog_rest(struct zs_backlog_reader *reader);
// Around the short use of a reader beside a link's own. Visits wait for one another, so only one of them pins a segment;
// leaving gives it back. Thread: any but the commit thread.
void zs_backlog_visit(struct zs_backlog_reader *reader);
void zs_backlog_leave(struct zs_backlog_reader *reader);

#endif
