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
#include "zs_settle.h"

#include <assert.h>
#include <string.h>

struct settling {
    struct zs_view *view;
    struct zs_step *steps;
    struct zs_finding *findings;
    struct zs_settled out;
    size_t op; // the one at hand
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
    case ZS_VERDICT_NO_CHILDREN_FOR_EPHEMERALS:
        return "no_children_for_ephemerals";
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

// Creates what is missing above `path`, from the top. False: a local client's ephemeral stands in the way.
static bool create_ancestors(struct settling *s, const char *path) {
    struct zs_node *above = zs_view_find(s->view, "/");
    for (size_t len = 1; path[len]; len++) {
        if (path[len] != '/')
            continue;
        struct zs_node *node = zs_view_find_prefix(s->view, path, len);
        assert(node);
        if (above->ephemeral)
            return false;
        if (!node->exists) {
            find(s, ZS_VERDICT_PARENT_MISSING, node->path);
            struct zs_step create = {.type = ZS_STEP_CREATE,
                                     .path = node->path,
                                     .data = {.at = (const uint8_t *)"", .len = 0},
                                     .acls = above->acls};
            create_node(s, node, &create);
        }
        above = node;
    }
    return !above->ephemeral;
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

static void settle_create(struct settling *s, const struct zs_op *op, struct zs_node *node) {
    if (!node->exists) {
        struct zs_step create = {
            .type = ZS_STEP_CREATE, .path = node->path, .data = op->data, .acls = op->acls};
        if (create_ancestors(s, op->path))
            create_node(s, node, &create);
        else
            find(s, ZS_VERDICT_NO_CHILDREN_FOR_EPHEMERALS, node->path);
        return;
    }
    find(s, node->ephemeral ? ZS_VERDICT_EPHEMERAL_KEPT : ZS_VERDICT_CREATE_EXISTS, node->path);
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
    find(s, ZS_VERDICT_SET_MISSING, node->path);
    if (!create_ancestors(s, op->path)) {
        find(s, ZS_VERDICT_NO_CHILDREN_FOR_EPHEMERALS, node->path);
        return;
    }
    struct zs_node *parent = parent_of(s, node->path);
    assert(parent); // the root always exists
    struct zs_step create = {
        .type = ZS_STEP_CREATE, .path = node->path, .data = op->data, .acls = parent->acls};
    create_node(s, node, &create);
}

static void settle_delete(struct settling *s, struct zs_node *node) {
    if (!node->exists) {
        find(s, ZS_VERDICT_DELETE_MISSING, node->path);
    } else if (node->child_count > 0) {
        find(s, ZS_VERDICT_NOT_EMPTY_KEPT, node->path);
    } else {
        step(s, (struct zs_step){.type = ZS_STEP_DELETE, .path = node->path, .version = node->version});
        *node = (struct zs_node){.path = node->path};
        count_child(s, node->path, -1);
    }
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
        settle_create(s, op, node);
        break;
    case ZS_OP_SET:
        settle_set(s, op, node);
        break;
    case ZS_OP_DELETE:
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

bool zs_settle(const struct zs_op *ops, size_t count, struct zs_view *view, struct zs_arena *arena,
               struct zs_settled *out, struct zs_error *e) {
    // At most, per op: every ancestor and the node created, and one step and two findings more.
    size_t most = 0;
    for (size_t i = 0; i < count; i++) {
        most += 3;
        for (const char *c = ops[i].path; c && *c; c++)
            most += *c == '/';
    }
    struct settling s = {.view = view};
    s.steps = zs_arena_take(arena, most, sizeof *s.steps);
    s.findings = zs_arena_take(arena, most, sizeof *s.findings);
    bool fine = s.steps && s.findings;
    for (s.op = 0; fine && s.op < count; s.op++)
        fine = settle_op(&s, &ops[s.op]);
    if (!fine)
        return zs_fail(e, ZS_FATAL, "a txn of %zu ops does not fit into the memory set aside", count);
    s.out.steps = s.steps;
    s.out.findings = s.findings;
    *out = s.out;
    return true;
}
