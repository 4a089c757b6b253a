// What the batch's reader and writer share. FORMAT.md is the description; these are its numbers.
#ifndef ZS_WIRE_FORMAT_H
#define ZS_WIRE_FORMAT_H

#include "zs_batch.h"

#define WIRE_MAGIC "ZSPB"

enum {
    WIRE_MAGIC_BYTES = 4,
    WIRE_FLAG_LZ4 = 1,        // the payload is an LZ4 block; otherwise the records themselves
    WIRE_FLAG_DICTIONARY = 2, // ... which refers to a dictionary
    WIRE_TRAILER_CRC32C = 1,
    WIRE_TRAILER_CRC32C_BYTES = 5, // kind, value
    WIRE_RECORD_BYTES_MIN_1 = 4,   // an empty heartbeat
    WIRE_RECORD_BYTES_MIN = 2,     // of version 2: type and length
    WIRE_LENGTHS_VERSION = 2,      // from this version on each record has its length
    WIRE_OP_BYTES_MIN = 2,         // CLOSE_SESSION
    WIRE_ACL_BYTES_MIN = 3,
    WIRE_LZ4_RATIO_MAX = 255, // no LZ4 block expands further
};

// An ACL is one varint: the ACL that nearly every node has, or one that follows inline, or 2 + the index of one that
// stood inline earlier in the batch (the first WIRE_ACLS_MAX of them can be named).
enum { WIRE_ACL_OPEN = 0, WIRE_ACL_INLINE = 1, WIRE_ACL_SEEN = 2, WIRE_ACLS_MAX = 64 };
enum { WIRE_OPEN_PERMS = 31 };
#define WIRE_OPEN_SCHEME "world"
#define WIRE_OPEN_ID "anyone"

// An operation's first byte: the type and, above it, a CREATE's kind or whether CLOSE_SESSION's paths are known. A
// NODE's first byte has the kind in the same place and these flags below it.
enum { WIRE_AUX_SHIFT = 4, WIRE_NODE_WRITE = 1, WIRE_NODE_DELETE = 2, WIRE_NODE_COPY = 4 };

// What differences count from: the values of the record before, on both sides.
struct wire_state {
    uint64_t zxid;        // of the last TXN or MARK; the header's prev at the start
    zs_clock clock;       // of the origin, there; the header's clock_prev at the start
    zs_clock stamp_clock; // of the last stamp in a NODE, TOMBSTONE or SNAPSHOT_END; clock_prev at the start
    uint64_t seen_zxid;   // of the last MARK
    uint64_t session;     // the last one that was named
};

static inline struct wire_state wire_state_at(const struct zs_batch_head *head) {
    return (struct wire_state){
        .zxid = (uint64_t)head->prev, .clock = head->clock_prev, .stamp_clock = head->clock_prev};
}

// Reads all records (batch_records.c) into `out`, whose head is there already, and checks that they agree with it.
// `shared_max`: how many bytes of paths may be repeated.
bool wire_read_records(const uint8_t *raw, size_t len, size_t shared_max, struct zs_arena *arena,
                       struct zs_batch *out, struct zs_error *e);
// The name of a site; ZS_CORRUPT if it is none.
bool wire_read_site(struct zs_reader *in, struct zs_error *e, char out[static ZS_SITE_MAX + 1]);

#endif
