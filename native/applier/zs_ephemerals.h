// Ephemeral nodes of an origin, at a destination where their sessions do not exist. By policy a path is mirrored (a
// persistent copy, removed when the origin's session closes) or skipped. Either way a record node under
// /zoospan/sessions/<origin>/<session>/ says so, written in the same multi: so the copies can be found again after a
// restart, can be told from real nodes, and can be removed when a 3.5 origin closes a session without naming paths.
//
// The records are held in memory too. Memory runs ahead of the tree by what is in flight; when a link goes back
// to its marker it forgets all and loads the records anew.
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

void zs_copies_clear(struct zs_copies *copies);
// Enters what was found in the tree: a session's node, and a record beneath it. Errors: ZS_FATAL (no memory).
bool zs_copies_load_session(struct zs_copies *copies, int64_t session, struct zs_error *e);
bool zs_copies_load(struct zs_copies *copies, int64_t session, const char *path, bool skipped,
                    struct zs_error *e);
size_t zs_copies_count(const struct zs_copies *copies);

// What is known of a path: nothing, a copy of that session, one that the policy skips, or something of another session.
enum zs_copy_known { ZS_COPY_NONE, ZS_COPY_HELD, ZS_COPY_SKIPPED, ZS_COPY_OTHER };

// For an image, which has all living ephemerals that are `expected` in it: forgets which of these were met, says what is known of one that is met (and marks
// it if it is of that session), and yields one that was not met at or beneath `top`; NULL: none is left. What is entered
// meanwhile counts as met.
typedef bool zs_copies_expected(const void *context, const char *path);
void zs_copies_begin_meeting(struct zs_copies *copies, zs_copies_expected *expected, const void *context);
enum zs_copy_known zs_copies_touch(struct zs_copies *copies, const char *path, int64_t session);
const char *zs_copies_not_met(const struct zs_copies *copies, const char *top);
// Whether a path is a copy that was not met: so it goes, and does not hold what it lies in.
bool zs_copies_leaves(struct zs_copies *copies, const char *path);

// Turns the ops of one txn (those that the filter leaves; NULL: all) into ops of ordinary nodes and of records, in order; no
// CLOSE_SESSION and no ephemeral CREATE is left. They live in the arena, or are `ops` if nothing had to change. Errors: ZS_FATAL (no memory, arena full).
bool zs_copies_rewrite(struct zs_copies *copies, const struct zs_op *ops, uint32_t count,
                       const struct zs_filter *filter, struct zs_arena *arena, const struct zs_op **out,
                       uint32_t *out_count, struct zs_error *e);

#endif
