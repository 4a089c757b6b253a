// The batch: one AMQP message of consecutive txns of one origin for one destination. FORMAT.md describes format
// versions 1 and 2 byte by byte; this is the same in C. Pure: bytes in, values out, and back.
#ifndef ZS_BATCH_H
#define ZS_BATCH_H

#include "zs_arena.h"
#include "zs_bytes.h"
#include "zs_dictionary.h"
#include "zs_error.h"
#include "zs_stamp.h"
#include "zs_text.h"
#include "zs_txn.h"

enum {
    ZS_BATCH_VERSION = 2, // the highest; all below are read and written, too
    ZS_VECTOR_MAX = 64,   // sites in a vector
    ZS_SESSIONS_MAX = 32, // sessions in a heartbeat, a report or a marker
    ZS_REASON_MAX = 400,  // bytes of a reason's text
    ZS_RULES_MAX = 65536, // bytes of a list of patterns
};

// "At this point of the origin's order it had applied this much of that site."
struct zs_position {
    char site[ZS_SITE_MAX + 1];
    int64_t zxid;
};

enum zs_record_type { // the values stand in the format; an unknown one is an error, but for those from ZS_RECORD_SKIPPABLE on
    ZS_RECORD_TXN = 1,
    ZS_RECORD_MARK = 2,
    ZS_RECORD_NODE = 3,
    ZS_RECORD_TOMBSTONE = 4,
    ZS_RECORD_SNAPSHOT_BEGIN = 5,
    ZS_RECORD_SNAPSHOT_END = 6,
    ZS_RECORD_HEARTBEAT = 7,
    ZS_RECORD_SNAPSHOT_PART = 8,
    ZS_RECORD_BROKEN = 9,
    ZS_RECORD_SEEN = 10,
    ZS_RECORD_CHECKPOINT = 11,
    ZS_RECORD_DICTIONARY = 12,

    ZS_RECORD_SKIPPABLE =
        64, // from here on only in version 2, and a reader that does not know a type leaves it out
    ZS_RECORD_SEQUENCE = 64,
    ZS_RECORD_AS_OF = 65,
};

struct zs_record_txn { // a local txn of the origin, what the link's filter left of it; never without ops
    int64_t zxid;
    zs_clock
        clock; // its stamp's clock, above that of every record before; op i has the stamp (clock, origin, zxid, i)
    int64_t time_ms;
    bool multi;
    uint32_t op_count;
    const struct zs_op *ops;
};

struct zs_record_mark {      // a foreign txn of the origin
    int64_t zxid;            // in the origin's order
    struct zs_position seen; // what its marker says: that site, its zxid ...
    zs_clock clock;          // ... and its stamp's clock
    int64_t session;         // the origin's ZooKeeper session that wrote it: an applier's
};

struct zs_record_node { // a full image
    const char *path;
    struct zs_slice data;
    struct zs_acls acls;
    enum zs_kind kind;
    int64_t session; // ZS_EPHEMERAL
    int64_t ttl_ms;  // ZS_TTL
    int64_t zxid;    // of the origin's txn that set the data last (mzxid) ...
    int64_t created; // ... and of the one that created the node (czxid); never above zxid
    int64_t time_ms; // when the data was set (mtime)
    bool copy;       // the origin's applier wrote it, for the destination
    bool has_write, has_delete;
    struct zs_stamp write, delete;
};

struct zs_record_tombstone {
    const char *path;
    struct zs_stamp delete;
};

struct zs_record_snapshot_begin {
    int64_t run;      // names this walk, never 0: what belongs to another one is not part of this image
    const char *path; // of the subtree
    int64_t zxid;     // the stream from here on makes the (fuzzy) image whole
    // The marker that the origin's tree held for this destination before the walk: how far the image contains the
    // destination's own writes, and of which history. All zero: none.
    int64_t seen;
    struct zs_history seen_history;
    uint32_t vector_count;
    const struct zs_position *vector;
    // The origin's rules for this link, as lists of patterns (zs_filter.h): what they do not carry is not in the image,
    // though it may be in the origin's tree.
    const char *include, *exclude;
};

// The first record of each batch of an image but the first: batches of one run come without a hole.
struct zs_record_snapshot_part {
    int64_t run;
    uint32_t index; // 1, 2, ...: the batch with SNAPSHOT_BEGIN is number 0
};

struct zs_record_snapshot_end {
    const char *path;
    uint64_t nodes; // how many NODE records there were
    int64_t
        zxid; // the origin's newest when the walk ended: up to here the stream repeats what the image says
    struct zs_stamp floor; // all zero (no site): none
};

struct zs_record_heartbeat {
    int64_t time_ms; // up to then, by the origin's clocks, the stream is whole here; 0: not known
    uint32_t vector_count;
    const struct zs_position *vector;
    uint32_t session_count; // the origin's live applier sessions
    const int64_t *sessions;
};

// "The stream cannot go on behind this zxid: ask for an image."
struct zs_record_broken {
    int64_t zxid;       // where the destination stood
    const char *reason; // for the destination's operator; at most ZS_REASON_MAX bytes
};

// What the origin's marker for the destination says: so much of the destination's order is in effect at the origin.
struct zs_record_seen {
    struct zs_history history; // of the destination
    int64_t zxid;
};

// "The origin waits until the destination's own tree says that it has come so far": the marker is to be written there,
// although nothing else is.
struct zs_record_checkpoint {
    int64_t zxid; // the txn before or behind which it stands
};

struct zs_record_dictionary { // for batches to come: see zs_dictionary.h
    struct zs_slice bytes;    // ZS_DICTIONARY_BYTES_MIN to _MAX
};

// Of an image, for a node that has had children which are gone.
struct zs_record_sequence {
    const char *path;
    uint32_t created; // children, ever: ZooKeeper's own cversion, of which the next sequential name is made
};

// Of an image, for the nodes that follow: they were read when the tree was at this zxid, or behind it.
struct zs_record_as_of {
    int64_t zxid;
};

struct zs_record {
    enum zs_record_type type;
    union {
        struct zs_record_txn txn;
        struct zs_record_mark mark;
        struct zs_record_node node;
        struct zs_record_tombstone tombstone;
        struct zs_record_snapshot_begin begin;
        struct zs_record_snapshot_end end;
        struct zs_record_heartbeat heartbeat;
        struct zs_record_snapshot_part part;
        struct zs_record_broken broken;
        struct zs_record_seen seen;
        struct zs_record_checkpoint checkpoint;
        struct zs_record_dictionary dictionary;
        struct zs_record_sequence sequence;
        struct zs_record_as_of as_of;
    };
};

struct zs_batch_head {
    unsigned version; // of the format; 0 for a writer: 1
    char origin[ZS_SITE_MAX + 1];
    char destination[ZS_SITE_MAX + 1];
    struct zs_history history; // of the origin
    uint64_t filter_hash;
    int64_t prev;           // the last zxid that the batch before this one covered
    int64_t first;          // zxid of the first TXN or MARK record; prev if there is none
    int64_t last;           // the last zxid this batch covers; prev <= first <= last
    zs_clock clock_prev;    // the origin's clock at prev ...
    zs_clock clock_last;    // ... and at last
    uint32_t records, txns; // without those that the reader left out
    uint32_t raw_bytes;     // of the records before compression
    uint32_t dictionary;    // id of the one that the payload refers to; 0: none
};

struct zs_batch {
    struct zs_batch_head head;
    const struct zs_record *records;
};

// What a reader is willing to take, checked before any memory is taken; and what it can.
struct zs_batch_limits {
    size_t message_bytes_max;
    size_t raw_bytes_max;
    uint32_t records_max;
    const struct zs_dictionaries *dictionaries; // NULL: it has none
};

// Decodes a message. Everything in `out` lives in the arena. Errors: ZS_CORRUPT (truncated, wrong checksum, a limit
// passed, unknown version, flag or record type, bytes left over, zxids or clocks out of order, ...: the text says
// which and where), ZS_FATAL (arena full).
bool zs_batch_decode(const uint8_t *message, size_t len, const struct zs_batch_limits *limits,
                     struct zs_arena *arena, struct zs_batch *out, struct zs_error *e);

// The most that decoding a message within these limits can take from an arena, whatever the message says: an arena with
// this ceiling cannot be filled by a hostile message. (A usual message takes a tenth of it.)
size_t zs_batch_arena_bytes(const struct zs_batch_limits *limits);

// --- writing ---------------------------------------------------------------------------------------------------------

struct zs_batch_writer;

// A writer whose batches hold at most `raw_bytes_max` bytes of records (a single record may take up to
// `record_bytes_max` if it is alone, or stands behind nothing but SNAPSHOT_BEGIN or SNAPSHOT_PART). Paths count in full here, although a batch holds only what is new in each: so a
// reader whose limit is no lower takes every batch. Memory is taken here and reused. NULL: no memory.
struct zs_batch_writer *zs_batch_writer_new(size_t raw_bytes_max, size_t record_bytes_max);
void zs_batch_writer_free(struct zs_batch_writer *writer);

// Begins a batch that continues after `prev`; copies version, origin, destination, history, filter_hash, prev and clock_prev
// of `head` and ignores the rest.
void zs_batch_writer_begin(struct zs_batch_writer *writer, const struct zs_batch_head *head);

// From now on small batches may refer to this dictionary, which is borrowed; NULL: to none.
void zs_batch_writer_use(struct zs_batch_writer *writer, const struct zs_dictionary *dictionary);

enum zs_added {
    ZS_ADDED,
    ZS_BATCH_FULL, // finish this batch and offer the record to the next one; nothing was added, nor will be
    ZS_RECORD_TOO_LARGE, // above record_bytes_max even alone; nothing was added
};
// Adds one record. Records with zxids must come in rising order, above prev, and so must the clocks of TXNs, above
// clock_prev and above the clocks of MARKs before them. What a batch of this version cannot hold and a reader may skip is
// left out: ZS_ADDED.
enum zs_added zs_batch_writer_add(struct zs_batch_writer *writer, const struct zs_record *record);
uint32_t zs_batch_writer_records(const struct zs_batch_writer *writer);
uint32_t zs_batch_writer_txns(const struct zs_batch_writer *writer);
size_t zs_batch_writer_raw_bytes(const struct zs_batch_writer *writer);
// The records of the batch as they are before compression; borrowed until the next add or begin.
struct zs_slice zs_batch_writer_raw(const struct zs_batch_writer *writer);

// Ends the batch: it covers up to `last`, where the origin's clock is `clock_last`. `message` borrows the writer's
// memory until the next begin; `head` (may be NULL) receives the complete header. Errors: ZS_FATAL.
bool zs_batch_writer_finish(struct zs_batch_writer *writer, int64_t last, zs_clock clock_last,
                            struct zs_slice *message, struct zs_batch_head *head, struct zs_error *e);

#endif
