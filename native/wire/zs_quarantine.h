// The record of a txn that could not be applied: JSON, in znode /zoospan/quarantine/<origin>/<zxid> of the destination.
// FORMAT.md describes it. The applier writes it, in the multi that moves the marker past the txn, and applies it once
// more when it is asked to; `zoospan quarantine` shows it. Pure.
#ifndef ZS_QUARANTINE_H
#define ZS_QUARANTINE_H

#include "zs_batch.h"

// Why. The names stand in the record, in the log and in the manual.
enum zs_quarantine_class {
    ZS_QUARANTINE_TOO_LARGE, // larger than this site's ZooKeeper takes
    ZS_QUARANTINE_DENIED,    // an ACL of this site does not let the applier
    ZS_QUARANTINE_ACL,       // this site's servers do not take the ACL that is to be set
    ZS_QUARANTINE_QUOTA,     // a quota of this site is used up
    ZS_QUARANTINE_EPHEMERAL, // an ephemeral of this site's clients stands where a parent is needed
    ZS_QUARANTINE_CONTENDED, // clients of this site kept changing it
    ZS_QUARANTINE_REFUSED,   // anything else that ZooKeeper refuses however often it is asked
    ZS_QUARANTINE_COUNT,
};
const char *zs_quarantine_class_name(enum zs_quarantine_class class); // "too_large", ...

enum { ZS_QUARANTINE_OPS_SHOWN = 20, ZS_QUARANTINE_PATH_SHOWN = 256 };

struct zs_quarantine {
    char origin[ZS_SITE_MAX + 1];
    int64_t zxid;
    int64_t time_ms;     // when it was put there
    int64_t txn_time_ms; // when the origin committed it
    enum zs_quarantine_class class;
    int code;           // ZooKeeper's; 0: it was never asked
    const char *reason; // a sentence for the operator
    const char *path;   // where it was refused; NULL: not known
    bool multi;
    uint32_t op_count; // of the ops that have no effect here
    bool whole;        // `ops` can be had from the record (in memory, of one that is to be written: always)
    const struct zs_op *ops;
};

// Writes at most `bytes_max` bytes into `out` (emptied first). If the ops' data is not wanted, or does not fit, it is written
// without, and only says what and why: *whole says which. Errors: ZS_FATAL (no memory, or not even that fits).
bool zs_quarantine_encode(const struct zs_quarantine *record, bool with_data, size_t bytes_max,
                          struct zs_buffer *out, bool *whole, struct zs_error *e);

// Reads one; texts, and with `with_ops` the ops, live in the arena. Errors: ZS_CORRUPT, ZS_FATAL.
bool zs_quarantine_decode(const uint8_t *json, size_t len, bool with_ops, struct zs_arena *arena,
                          struct zs_quarantine *out, struct zs_error *e);

// The name of a record's znode: "0x" and 16 hexadecimal digits, so that their order is that of the zxids.
enum { ZS_QUARANTINE_NAME = 19 };
void zs_quarantine_name(int64_t zxid, char out[static ZS_QUARANTINE_NAME]);
// "0x1f" with or without the zeros; false if it is none.
bool zs_quarantine_parse_name(const char *name, int64_t *zxid);

#endif
