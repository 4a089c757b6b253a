// What an origin's operation becomes when it does not simply fit: op + what the tree looks like -> the steps that make
// the path equal, with a named verdict. The ONE place that knows how sites are reconciled; today by order of arrival.
// Pure: what the tree looks like comes in as a view, steps and findings come out.
#ifndef ZS_SETTLE_H
#define ZS_SETTLE_H

#include "zs_arena.h"
#include "zs_error.h"
#include "zs_target.h"
#include "zs_txn.h"

// What was found in the way of an op. The names stand in the log, in the status and in the manual alike.
enum zs_verdict {
    ZS_VERDICT_CREATE_EXISTS, // create met a node: its data and ACL were set
    // create met a live ephemeral of a client of this site: its data and ACL were set, unless it was the
    // create of one
    ZS_VERDICT_EPHEMERAL_KEPT,
    ZS_VERDICT_SET_MISSING,    // set met nothing: the node was created, closed
    ZS_VERDICT_PARENT_MISSING, // an ancestor was missing: created, empty and closed
    ZS_VERDICT_DELETE_MISSING, // delete met nothing
    ZS_VERDICT_NOT_EMPTY_KEPT, // delete met a node with children: it stays
    ZS_VERDICT_ACL_MISSING,    // setACL met nothing
    ZS_VERDICT_COPY_GONE,      // set met nothing where the copy of an ephemeral had been: left out
    // the end of a session, or what a server removed by itself, met another node where its copy had been: it
    // stays
    ZS_VERDICT_COPY_REPLACED,
    ZS_VERDICT_NO_CHILDREN_FOR_EPHEMERALS, // create below a local client's ephemeral: impossible, left out
    ZS_VERDICT_SEQUENCE_BEHIND, // the numbers of sequential names lag behind the origin's, and are not lifted (lift.c)
    ZS_VERDICT_COUNT,
};
const char *zs_verdict_name(enum zs_verdict verdict); // "create_exists", ...

// --- the view --------------------------------------------------------------------------------------------------------

struct zs_node {
    const char *path;
    bool exists;
    bool ephemeral;  // of a live session of this site
    int64_t created; // czxid; 0: not known
    int32_t version, aversion, child_count;
    struct zs_acls acls;
    bool copy_failed; // a record: of a copy that could not be made
};

// A small map of the part of the tree that a txn touches. Lives in an arena.
struct zs_view;
struct zs_view *zs_view_new(struct zs_arena *arena, size_t nodes_max);
// The node of this path, entered as missing if it is new; NULL when the arena or nodes_max is at its end.
struct zs_node *zs_view_enter(struct zs_view *view, const char *path);
struct zs_node *zs_view_find(const struct zs_view *view, const char *path); // NULL: not entered
// The node of the first `len` bytes of a path: an ancestor.
struct zs_node *zs_view_find_prefix(const struct zs_view *view, const char *path, size_t len);
size_t zs_view_count(const struct zs_view *view);
struct zs_node *zs_view_at(const struct zs_view *view, size_t index);
// Enters every path of the ops and all their ancestors: what has to be read before zs_settle. NULL: arena full.
struct zs_view *zs_view_of_ops(const struct zs_op *ops, size_t count, struct zs_arena *arena);

// --- settling --------------------------------------------------------------------------------------------------------

struct zs_finding {
    enum zs_verdict verdict;
    const char *path;
    size_t op; // index in the txn
};

struct zs_settled {
    // In this order; one multi, but for those that zs_step_bare says must go by themselves.
    const struct zs_step *steps;
    uint32_t step_count;
    const struct zs_finding *findings;
    uint32_t finding_count;
    // The smallest subtree that holds all nodes whose ACL at the origin is not known, and which an image has to bring; NULL:
    // there is none.
    const char *unknown;
};

// Works through the ops of one txn in order; each sees what those before it did (the view is changed). All steps
// carry the versions of the view, so that a client's write in between makes them fail instead of being lost; a version
// of -1 there stands for any. `closed`: what a node is made with whose ACL is not known; NULL: it is not made.
// Errors: ZS_FATAL (arena full).
bool zs_settle(const struct zs_op *ops, size_t count, const struct zs_acls *closed, struct zs_view *view,
               struct zs_arena *arena, struct zs_settled *out, struct zs_error *e);

// Steps that go before the delete of `path`, in the same multi, and make it fail if the node is a living
// ephemeral: nothing can be created beneath one. Between a look at a node and its delete a client may take
// the path for itself, and the new node has the version of the old one. Yields ZS_GUARD_STEPS; 0: arena full.
enum { ZS_GUARD_STEPS = 2 };
uint32_t zs_settle_guard(const char *path, struct zs_arena *arena,
                         struct zs_step steps[static ZS_GUARD_STEPS]);

#endif
