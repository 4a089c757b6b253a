// Arrival order: what comes last wins, and an op that does not fit is turned into what makes its path equal to the
// origin's. Every case has a name (enum zs_verdict), because each is a place where two sites wrote concurrently, or
// where one of them does not carry the whole subtree.
//
// The ops of one txn may build on each other (create /a, create /a/b, delete /c/d, delete /c), so each is judged
// against the view as the ops before it left it. Expected versions are counted along with the steps.
//
// A container or a TTL node of the origin is a persistent node here. The origin's server decides when it goes, and that
// delete comes as a txn like any other. Were it a container here as well, this site's server would reap it on its own,
// just when a client of the origin makes a child, and the two sites would differ for good.
//
// A set, and what lies above a create, do not say which ACL a node has at the origin. What is missing here is never made
// more open than it may be there: it stands closed until an image has brought its ACL.
#include "zs_settle.h"

#include <assert.h>
#include <string.h>

#include "zs_ephemerals.h"
#include "zs_names.h"
#include "zs_text.h"

struct settling {
    struct zs_view *view;
    struct zs_arena *arena;
    const struct zs_acls *closed;
    struct zs_step *steps;
    struct zs_finding *findings;
    struct zs_settled out;
    size_t op; // the one at hand
    bool failed;
};

const char *zs_verdict_name(enum zs_verdict verdict) {
    switch (verdict) {
    case ZS_VERDICT_CREATE_EXISTS:
        return "create_exists";
    case ZS_VERDICT_EPHEMERAL_KEPT:
        return "ephemeral_kept";
    case ZS_VERDICT_SET_MISSING:
        return "set_missing";
    case ZS_VERDICT_PARENT_MISSING:
        return "parent_missing";
    case ZS_VERDICT_DELETE_MISSING:
        return "delete_missing";
    case ZS_VERDICT_NOT_EMPTY_KEPT:
        return "not_empty_kept";
    case ZS_VERDICT_ACL_MISSING:
        return "acl_missing";
    case ZS_VERDICT_COPY_GONE:
        return "copy_gone";
    case ZS_VERDICT_COPY_REPLACED:
        return "copy_replaced";
    case ZS_VERDICT_NO_CHILDREN_FOR_EPHEMERALS:
        return "no_children_for_ephemerals";
    case ZS_VERDICT_SEQUENCE_BEHIND:
        return "sequence_behind";
    case ZS_VERDICT_COUNT:
        break;
    }
    return "unknown";
}

static void find(struct settling *s, enum zs_verdict verdict, const char *path) {
    s->findings[s->out.finding_count++] = (struct zs_finding){.verdict = verdict, .path = path, .op = s->op};
}

static void step(struct settling *s, struct zs_step what) {
    s->steps[s->out.step_count++] = what;
}

// The parent, which zs_view_of_ops has entered; NULL for the root.
static struct zs_node *parent_of(struct settling *s, const char *path) {
    const char *slash = strrchr(path, '/');
    assert(slash);
    if (!path[1])
        return NULL;
    return zs_view_find_prefix(s->view, path, slash == path ? 1 : (size_t)(slash - path));
}

static void count_child(struct settling *s, const char *path, int change) {
    struct zs_node *parent = parent_of(s, path);
    if (parent)
        parent->child_count += change;
}

static void create_node(struct settling *s, struct zs_node *node, const struct zs_step *what) {
    step(s, *what);
    *node = (struct zs_node){.path = node->path, .exists = true, .acls = what->acls};
    count_child(s, node->path, 1);
}

// The smallest subtree that holds both.
static const char *common_top(struct zs_arena *arena, const char *a, const char *b) {
    size_t len = strlen(a);
    while (len > 1 && (strncmp(a, b, len) != 0 || (b[len] && b[len] != '/'))) {
        while (a[--len] != '/')
            ;
        len += len == 0; // the root
    }
    return zs_arena_string(arena, a, len);
}

// A node whose ACL at the origin is not known: it is made closed, and everything about it fetched. False: it is not made.
static bool create_closed(struct settling *s, struct zs_node *node, struct zs_slice data) {
    s->out.unknown = s->out.unknown ? common_top(s->arena, s->out.unknown, node->path) : node->path;
    s->failed = s->failed || !s->out.unknown;
    if (!s->closed)
        return false;
    struct zs_step create = {.type = ZS_STEP_CREATE, .path = node->path, .data = data, .acls = *s->closed};
    create_node(s, node, &create);
    return true;
}

static bool create_ancestor(struct settling *s, const struct zs_op *op, struct zs_node *node) {
    static const struct zs_slice empty = {.at = (const uint8_t *)"", .len = 0};
    find(s, ZS_VERDICT_PARENT_MISSING, node->path);
    if (!zs_path_covers(ZS_ROOT, node->path))
        return create_closed(s, node, empty);
    struct zs_step create = {// of our own records, and no image has it
                             .type = ZS_STEP_CREATE,
                             .path = node->path,
                             .data = empty,
                             .acls = op->acls};
    create_node(s, node, &create);
    return true;
}

enum above { ABOVE_THERE, ABOVE_MISSING, ABOVE_EPHEMERAL };

// Creates what is missing above an op's path, from the top. ABOVE_MISSING: it may not; ABOVE_EPHEMERAL: one of a local
// client stands in the way.
static enum above create_ancestors(struct settling *s, const struct zs_op *op) {
    const char *path = op->path;
    const struct zs_node *above = zs_view_find(s->view, "/");
    for (size_t len = 1; path[len]; len++) {
        if (path[len] != '/')
            continue;
        struct zs_node *node = zs_view_find_prefix(s->view, path, len);
        assert(node);
        if (above->ephemeral)
            return ABOVE_EPHEMERAL;
        if (!node->exists && !create_ancestor(s, op, node))
            return ABOVE_MISSING;
        above = node;
    }
    return above->ephemeral ? ABOVE_EPHEMERAL : ABOVE_THERE;
}

static void set_data(struct settling *s, struct zs_node *node, struct zs_slice data) {
    step(s,
         (struct zs_step){.type = ZS_STEP_SET, .path = node->path, .data = data, .version = node->version});
    if (node->version >= 0)
        node->version++; // -1: not known, any
}

static void set_acl(struct settling *s, struct zs_node *node, struct zs_acls acls) {
    step(s, (struct zs_step){
                .type = ZS_STEP_SET_ACL, .path = node->path, .acls = acls, .version = node->aversion});
    if (node->aversion >= 0)
        node->aversion++;
    node->acls = acls;
}

// True: the node was missing, and is made.
static bool create_missing(struct settling *s, const struct zs_op *op, struct zs_node *node) {
    struct zs_step create = {.type = ZS_STEP_CREATE, .path = node->path, .data = op->data, .acls = op->acls};
    enum above above = create_ancestors(s, op);
    if (above == ABOVE_THERE)
        create_node(s, node, &create);
    else if (above == ABOVE_EPHEMERAL)
        find(s, ZS_VERDICT_NO_CHILDREN_FOR_EPHEMERALS, node->path);
    return above == ABOVE_THERE;
}

static void delete_node(struct settling *s, struct zs_node *node) {
    step(s, (struct zs_step){.type = ZS_STEP_DELETE, .path = node->path, .version = node->version});
    *node = (struct zs_node){.path = node->path};
    count_child(s, node->path, -1);
}

// A record is made in the txn that makes its copy, or it says nothing: one that is there already is of an
// earlier copy.
static void settle_record(struct settling *s, const struct zs_op *op, struct zs_node *node) {
    if (node->copy_failed)
        return;
    if (node->exists)
        delete_node(s, node);
    create_missing(s, op, node);
}

static void settle_create(struct settling *s, const struct zs_op *op, struct zs_node *node) {
    struct zs_node *record = op->partner ? zs_view_find(s->view, op->partner) : NULL;
    if (!node->exists) {
        bool made = create_missing(s, op, node);
        if (record)
            record->copy_failed = !made;
        return;
    }
    find(s, node->ephemeral ? ZS_VERDICT_EPHEMERAL_KEPT : ZS_VERDICT_CREATE_EXISTS, node->path);
    if (record)
        record->copy_failed = true;
    if (record && node->ephemeral)
        return; // two sessions have registered themselves, each at its own site
    // The ACL first: it goes by itself, and the data then with the marker.
    if (!zs_acls_equal(&node->acls, &op->acls))
        set_acl(s, node, op->acls);
    set_data(s, node, op->data);
}

static void settle_set(struct settling *s, const struct zs_op *op, struct zs_node *node) {
    if (node->exists) {
        set_data(s, node, op->data);
        return;
    }
    if (op->partner) { // who deleted the copy tells the origin so; a new one would have no record
        find(s, ZS_VERDICT_COPY_GONE, node->path);
        return;
    }
    find(s, ZS_VERDICT_SET_MISSING, node->path);
    enum above above = create_ancestors(s, op);
    if (above == ABOVE_THERE)
        create_closed(s, node, op->data);
    else if (above == ABOVE_EPHEMERAL)
        find(s, ZS_VERDICT_NO_CHILDREN_FOR_EPHEMERALS, node->path);
}

static void settle_delete(struct settling *s, struct zs_node *node) {
    if (!node->exists) {
        find(s, ZS_VERDICT_DELETE_MISSING, node->path);
    } else if (node->child_count > 0) {
        find(s, ZS_VERDICT_NOT_EMPTY_KEPT, node->path);
    } else {
        delete_node(s, node);
    }
}

uint32_t zs_settle_guard(const char *path, struct zs_arena *arena,
                         struct zs_step steps[static ZS_GUARD_STEPS]) {
    static const char name[] = "/zoospan";
    const size_t len = strlen(path);
    char *child = zs_arena_take(arena, len + sizeof name, 1);
    if (!child)
        return 0;
    memcpy(child, path, len);
    memcpy(child + len, name, sizeof name);
    steps[0] = (struct zs_step){.type = ZS_STEP_CREATE,
                                .path = child,
                                .data = {.at = (const uint8_t *)"", .len = 0},
                                .acls = zs_acls_open,
                                .guard = true};
    steps[1] =
        (struct zs_step){.type = ZS_STEP_DELETE, .path = child, .version = -1, .guard = true, .joined = true};
    return ZS_GUARD_STEPS;
}

// The end of a copy. What stands there may be a copy no more: then it stays.
static void settle_end(struct settling *s, const struct zs_op *op, struct zs_node *node) {
    const struct zs_node *record = zs_view_find(s->view, op->partner);
    if (!node->exists || !record || !record->exists)
        return;
    if (node->ephemeral || !zs_record_is_about(record->created, node->created)) {
        find(s, ZS_VERDICT_COPY_REPLACED, node->path);
        return;
    }
    if (node->child_count > 0) {
        find(s, ZS_VERDICT_NOT_EMPTY_KEPT, node->path);
        return;
    }
    uint32_t guards = zs_settle_guard(node->path, s->arena, s->steps + s->out.step_count);
    s->failed = s->failed || !guards;
    s->out.step_count += guards;
    delete_node(s, node);
    s->steps[s->out.step_count - 1].joined = true;
}

static void settle_set_acl(struct settling *s, const struct zs_op *op, struct zs_node *node) {
    if (node->exists)
        set_acl(s, node, op->acls);
    else
        find(s, ZS_VERDICT_ACL_MISSING, node->path);
}

static bool settle_op(struct settling *s, const struct zs_op *op) {
    assert(op->path || op->type == ZS_OP_CLOSE_SESSION);
    if (op->type == ZS_OP_CLOSE_SESSION)
        return true;
    struct zs_node *node = zs_view_find(s->view, op->path);
    if (!node)
        return false;
    switch (op->type) {
    case ZS_OP_CREATE:
        if (zs_copies_is_record(op))
            settle_record(s, op, node);
        else
            settle_create(s, op, node);
        break;
    case ZS_OP_SET:
        settle_set(s, op, node);
        break;
    case ZS_OP_DELETE:
        if (zs_copies_is_end(op))
            settle_end(s, op, node);
        else
            settle_delete(s, node);
        break;
    case ZS_OP_SET_ACL:
        settle_set_acl(s, op, node);
        break;
    case ZS_OP_CLOSE_SESSION:
        break;
    }
    return true;
}

bool zs_settle(const struct zs_op *ops, size_t count, const struct zs_acls *closed, struct zs_view *view,
               struct zs_arena *arena, struct zs_settled *out, struct zs_error *e) {
    // At most, per op: every ancestor and the node created, and two steps or findings more.
    size_t most = 0;
    for (size_t i = 0; i < count; i++) {
        most += 3;
        for (const char *c = ops[i].path; c && *c; c++)
            most += *c == '/';
    }
    struct settling s = {.view = view, .arena = arena, .closed = closed};
    s.steps = zs_arena_take(arena, most, sizeof *s.steps);
    s.findings = zs_arena_take(arena, most, sizeof *s.findings);
    bool fine = s.steps && s.findings;
    for (s.op = 0; fine && s.op < count; s.op++)
        fine = settle_op(&s, &ops[s.op]) && !s.failed;
    if (!fine)
        return zs_fail(e, ZS_FATAL, "a txn of %zu ops does not fit into the memory set aside", count);
    s.out.steps = s.steps;
    s.out.findings = s.findings;
    *out = s.out;
    return true;
}
