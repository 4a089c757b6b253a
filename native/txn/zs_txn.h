// A committed ZooKeeper txn, decoded from the jute bytes that a server writes to its txn log: TxnHeader, the txn's
// record, and optionally (log entries, 3.6 and later) a TxnDigest behind it. One decoder serves the live stream and
// the log. Source of the layouts: zookeeper-jute/src/main/resources/zookeeper.jute (module
// org.apache.zookeeper.txn) and SerializeUtils.deserializeTxn, ZooKeeper 3.5.5 to 3.9.5.
//
// Values in, values out: no I/O, no clock, no global. Everything a decoded txn points to lives in the arena or in
// the input bytes, and is valid until either goes.
#ifndef ZS_TXN_H
#define ZS_TXN_H

#include "zs_arena.h"
#include "zs_bytes.h"
#include "zs_error.h"

struct zs_acl {
    uint32_t perms; // ZooKeeper's bits: READ 1, WRITE 2, CREATE 4, DELETE 8, ADMIN 16
    const char *scheme;
    const char *id;
};

struct zs_acls {
    uint32_t count;
    const struct zs_acl *entries;
};
enum { ZS_PERMS_ALL = 31 };
extern const struct zs_acls zs_acls_open; // world:anyone, all permissions
// Entry by entry, in order. `here`: as a server here shows it, which of a digest may be the user alone, `user:x`: that is equal to any
// digest of the user. `there`: as it really is.
bool zs_acls_equal(const struct zs_acls *here, const struct zs_acls *there);
// Whether nobody is let by `inner` who is not let by `outer`. What an id of a scheme matches is not known, so the same id or anyone.
bool zs_acls_within(const struct zs_acls *inner, const struct zs_acls *outer);

// How a znode lives; the values stand in the batch format.
enum zs_kind { ZS_PERSISTENT = 0, ZS_EPHEMERAL = 1, ZS_CONTAINER = 2, ZS_TTL = 3 };

// The session that a CLOSE_SESSION names, if the deletes before it are the server's own (`reaped`): no
// session has it.
enum { ZS_REAPED = 0 };

// What one operation does; the values stand in the batch format.
enum zs_op_type {
    ZS_OP_CREATE = 1,
    ZS_OP_DELETE = 2,
    ZS_OP_SET = 3,
    ZS_OP_SET_ACL = 4,
    ZS_OP_CLOSE_SESSION =
        5, // `session` is gone; the deletes of its ephemerals stand before it if `paths_known`. ZS_REAPED: see there
};

struct zs_op {
    enum zs_op_type type;
    enum zs_kind kind; // CREATE
    const char *path;  // UTF-8, NUL-terminated, absolute, well-formed; NULL for CLOSE_SESSION
    const char
        *partner; // at a destination: the copy's record, or the record's copy (zs_ephemerals.h); else NULL
    struct zs_slice data; // CREATE, SET
    struct zs_acls acls;  // CREATE, SET_ACL
    int64_t ttl_ms;       // CREATE of ZS_TTL
    int64_t session;      // CREATE of ZS_EPHEMERAL: the owner; CLOSE_SESSION: the one that closed
    bool paths_known;     // CLOSE_SESSION: false when the origin (3.5) did not say what it deleted
};

// Why a txn has no ops, or that it has some.
enum zs_txn_class {
    ZS_TXN_WRITE,    // changes the tree; `ops` says how (a multi of nothing but checks: op_count 0)
    ZS_TXN_SESSION,  // createSession: nothing to replicate
    ZS_TXN_FAILED,   // an error txn, or a multi that failed and is void
    ZS_TXN_RECONFIG, // the ensemble's own membership: never replicated
};

struct zs_txn {
    int64_t session; // TxnHeader.clientId
    int32_t cxid;
    int64_t zxid;
    int64_t time_ms; // the leader's wall clock
    enum zs_txn_class class;
    bool multi;
    bool reaped; // the server's own delete, of an empty container or of a TTL node
    uint32_t op_count;
    const struct zs_op *ops;
};

// Only the header: 32 bytes, for a reader that skips.
bool zs_txn_zxid(const uint8_t *bytes, size_t len, int64_t *zxid, int64_t *time_ms);

// Decodes one txn. `len` must cover header and record; bytes behind the record are only accepted where they are a
// TxnDigest (12 bytes). Jute strings hold one UTF-16 unit per encoded character (so a character beyond U+FFFF takes
// six bytes): they come out as true UTF-8; a lone surrogate or a malformed path is ZS_CORRUPT. A NUL in an ACL's scheme
// or id, which a server accepts from any client, comes out as SUB (0x1a).
// Errors: ZS_CORRUPT (says the txn type and what is wrong; an unknown type is an error), ZS_FATAL (arena is full).
bool zs_txn_decode(const uint8_t *bytes, size_t len, struct zs_arena *arena, struct zs_txn *out,
                   struct zs_error *e);

// Puts SUB in the place of each NUL in an ACL's scheme or id. A server takes a NUL there from any client, C strings and the C client
// do not, and refusing it would let any client stop a link.
void zs_acl_text_mend(char *text, size_t len);

// The path rules of ZooKeeper that a decoder must insist on: starts with '/', no empty, '.' or '..' segment, no
// trailing '/' (but "/" itself), no NUL.
bool zs_path_valid(const char *path);

#endif
