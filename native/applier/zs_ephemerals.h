// Ephemeral nodes of an origin, at a destination where their sessions do not exist. By policy a path is mirrored (a
// persistent copy, removed when the origin's session closes) or skipped. Either way a record node under
// /zoospan/sessions/<origin>/<session>/ says so, written in the same multi: so the copies can be found again after a
// restart, can be told from real nodes, and can be removed when a 3.5 origin closes a session without naming paths.
//
// A client of this site may delete a copy and put a node of its own in its place, as who registers a service
// does when its name is taken; the record knows nothing of it. So a record is believed of a node only where
// one txn made both (zs_record_is_about). Wherever somebody acts on a record, the node is looked at first:
//   - the end of a session takes only what is a copy of that session, and no living ephemeral of a client of this site;
//     its origin may name what it likes;
//   - a create that meets a node which is no copy leaves that node, and makes no record;
//   - an image leaves out copies and nothing else (Walk.java at the origin, image_extra.c here).
//
// The records are held in memory too. Memory runs ahead of the tree by what is in flight, and may hold one
// that the tree does not have, because its copy could not be made; when a link goes back to its marker it
// forgets all and loads the records anew.
#ifndef ZS_EPHEMERALS_H
#define ZS_EPHEMERALS_H

#include "zs_arena.h"
#include "zs_error.h"
#include "zs_filter.h"
#include "zs_txn.h"

#define ZS_RECORD_SKIPPED "skip" // data of a record whose path has no copy; of others it is empty

struct zs_copies;

struct zs_copies_settings {
    const char *origin;
    bool skip;                        // the policy ...
    const struct zs_patterns *except; // ... and the paths for which the other one holds; may be NULL
    struct zs_acls acls;              // of the record nodes; borrowed
};
struct zs_copies *zs_copies_new(const struct zs_copies_settings *settings, struct zs_error *e);
void zs_copies_free(struct zs_copies *copies);

// Whether a record is about this node, by their czxids; 0: not known, so it is not.
static inline bool zs_record_is_about(int64_t record_created, int64_t node_created) {
    return node_created != 0 && record_created == node_created;
}

void zs_copies_clear(struct zs_copies *copies);
// Enters a record that was found in the tree. Errors: ZS_FATAL (no memory).
bool zs_copies_load(struct zs_copies *copies, int64_t session, const char *path, bool skipped,
                    int64_t created, struct zs_error *e);
// A create of that copy, and of its record, has landed with this zxid.
void zs_copies_landed(struct zs_copies *copies, const char *path, int64_t zxid);
// Whether the policy wants no copy of an ephemeral there.
bool zs_copies_skips(const struct zs_copies *copies, const char *path);
// Whether the node that stands at a path, with this czxid, is a copy of this origin's.
bool zs_copies_hold(const struct zs_copies *copies, const char *path, int64_t created);
size_t zs_copies_count(const struct zs_copies *copies);

// What is known of a path: nothing, a copy of that session, one that the policy skips, or something of another session.
enum zs_copy_known { ZS_COPY_NONE, ZS_COPY_HELD, ZS_COPY_SKIPPED, ZS_COPY_OTHER };

// For an image, which has all living ephemerals that are `expected` in it: forgets which of these were met,
// and says what is known of one that is met (and marks it if it is of that session). What is entered
// meanwhile counts as met.
typedef bool zs_copies_expected(const void *context, const char *path);
void zs_copies_begin_meeting(struct zs_copies *copies, zs_copies_expected *expected, const void *context);
enum zs_copy_known zs_copies_touch(struct zs_copies *copies, const char *path, int64_t session);
// (Records without a copy are none.)
uint64_t zs_copies_count_not_met(const struct zs_copies *copies, const char *top);
// The paths at or beneath `top` that were not met, into the arena. Errors: false (arena full).
bool zs_copies_not_met(const struct zs_copies *copies, const char *top, struct zs_arena *arena,
                       const char *const **paths, uint32_t *count);
// Whether the node that stands at a path, with this czxid, is a copy that was not met: so it goes, and does
// not hold what it lies in.
bool zs_copies_leaves(const struct zs_copies *copies, const char *path, int64_t created);

// Turns the ops of one txn (those that the filter leaves; NULL: all) into ops of ordinary nodes and of
// records, in order; no CLOSE_SESSION and no ephemeral CREATE is left. They live in the arena, or are `ops`
// if nothing had to change. Errors: ZS_FATAL (no memory, arena full).
//
// The op of a copy and the op of its record stand side by side, and each names the other as its partner: a
// CREATE whose record comes behind it, a DELETE that takes nothing but what the record is about. A SET of a
// copy has itself as partner, and so has the delete of what the origin's server has reaped (ZS_REAPED).
bool zs_copies_rewrite(struct zs_copies *copies, const struct zs_op *ops, uint32_t count,
                       const struct zs_filter *filter, struct zs_arena *arena, const struct zs_op **out,
                       uint32_t *out_count, struct zs_error *e);

// The ops by which the record of a path goes, and with it the node, if that is a copy. Errors: as above.
bool zs_copies_end(struct zs_copies *copies, const char *path, bool with_node, struct zs_arena *arena,
                   const struct zs_op **out, uint32_t *out_count, struct zs_error *e);

// Whether an op is that of a session's node, or of a record; and whether it is the end of a copy, before
// which the node has to be looked at.
bool zs_copies_is_session(const struct zs_op *op);
bool zs_copies_is_record(const struct zs_op *op);
bool zs_copies_is_end(const struct zs_op *op);
// Ops that come from somewhere else, such as a record of quarantine: finds the partners again.
void zs_copies_find_partners(struct zs_op *ops, uint32_t count);

#endif
