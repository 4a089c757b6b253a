#include "zs_plan.h"

#include <string.h>

#include "zs_ephemerals.h"
#include "zs_names.h"
#include "zs_text.h"

static size_t acls_bytes(const struct zs_acls *acls) {
    size_t bytes = 4;
    for (uint32_t i = 0; i < acls->count; i++) {
        const struct zs_acl *entry = &acls->entries[i];
        const bool ours = strcmp(entry->scheme, "auth") == 0; // no txn has it: servers put ids in its place
        bytes += 12 + (ours ? strlen("digest") + ZS_OWNER_BYTES : strlen(entry->scheme) + strlen(entry->id));
    }
    return bytes;
}

// Never less than it is. Exact for what clients have asked for, which may be as large as a request may be: CreateRequest, DeleteRequest,
// SetDataRequest, SetACLRequest of zookeeper.jute.
static size_t record_bytes(const struct zs_step *step) {
    size_t bytes = 4 + strlen(step->path);
    switch (step->type) {
    case ZS_STEP_CREATE:
        return bytes + 4 + step->data.len + acls_bytes(&step->acls) + 4;
    case ZS_STEP_SET:
        return bytes + 4 + step->data.len + 4;
    case ZS_STEP_DELETE:
        return bytes + 4;
    case ZS_STEP_SET_ACL:
        return bytes + acls_bytes(&step->acls) + 4;
    }
    return bytes;
}

enum { REQUEST_HEADER_BYTES = 8, MULTI_HEADER_BYTES = 9 };

size_t zs_plan_step_bytes(const struct zs_step *step) {
    return MULTI_HEADER_BYTES + record_bytes(step);
}

size_t zs_plan_request_bytes(const struct zs_step *steps, uint32_t count) {
    if (count == 1)
        return REQUEST_HEADER_BYTES + record_bytes(steps);
    size_t bytes = REQUEST_HEADER_BYTES + MULTI_HEADER_BYTES;
    for (uint32_t i = 0; i < count; i++)
        bytes += zs_plan_step_bytes(&steps[i]);
    return bytes;
}

size_t zs_plan_asked_bytes(const struct zs_op *ops, uint32_t count) {
    size_t bytes = REQUEST_HEADER_BYTES, first = 0;
    uint32_t asked = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct zs_step step = zs_plan_step(&ops[i]);
        if (!step.path || zs_path_covers(ZS_ROOT, step.path) || zs_step_bare(&step))
            continue;
        first = asked++ ? first : record_bytes(&step);
        bytes += zs_plan_step_bytes(&step);
    }
    return asked == 1 ? REQUEST_HEADER_BYTES + first : bytes + MULTI_HEADER_BYTES;
}

struct zs_step zs_plan_step(const struct zs_op *op) {
    struct zs_step step = {.path = op->path, .data = op->data, .acls = op->acls, .version = -1};
    switch (op->type) {
    case ZS_OP_CREATE:
        step.type = ZS_STEP_CREATE;
        break;
    case ZS_OP_DELETE:
        step.type = ZS_STEP_DELETE;
        break;
    case ZS_OP_SET:
        step.type = ZS_STEP_SET;
        break;
    case ZS_OP_SET_ACL:
    case ZS_OP_CLOSE_SESSION: // never left in a unit's ops, see ephemerals.c
        step.type = ZS_STEP_SET_ACL;
        break;
    }
    return step;
}

void zs_unit_moves(const struct zs_unit *unit, int64_t *zxid, zs_clock *clock) {
    if (!unit->zxid || unit->zxid < *zxid)
        return;
    *zxid = unit->zxid;
    *clock = zs_clock_foreign(*clock, unit->clock);
}

static bool ends_copies(const struct zs_unit *unit) {
    bool ends = false;
    for (uint32_t i = 0; i < unit->op_count; i++) {
        const struct zs_op *op = &unit->ops[i];
        if (op->type != ZS_OP_DELETE || (!op->partner && !zs_copies_is_session(op)))
            return false;
        ends = ends || zs_copies_is_end(op);
    }
    return ends;
}

void zs_plan_measure(struct zs_unit *unit, const struct zs_plan_limits *limits) {
    unit->bytes = 0;
    unit->alone = unit->makes_copies = false;
    for (uint32_t i = 0; i < unit->op_count; i++) {
        const struct zs_op *op = &unit->ops[i];
        struct zs_step step = zs_plan_step(op);
        unit->bytes += zs_plan_step_bytes(&step);
        unit->alone = unit->alone || zs_copies_is_end(op) || zs_step_bare(&step);
        unit->makes_copies = unit->makes_copies || (op->partner && op->type == ZS_OP_CREATE);
    }
    unit->ends_copies = unit->alone && ends_copies(unit);
    if (unit->bytes + ZS_PLAN_MARKER_ROOM > limits->request_max)
        unit->alone = true;
}

struct zs_plan zs_plan_next(struct zs_unit *first, const struct zs_plan_limits *limits) {
    struct zs_plan plan = {.last = NULL};
    size_t bytes = 0;
    for (struct zs_unit *unit = first; unit && !unit->alone; unit = unit->next) {
        if (unit->op_count && plan.ops) {
            bool room = unit->op_count <= limits->ops_max && plan.ops <= limits->ops_max - unit->op_count &&
                        bytes + unit->bytes <= limits->bytes_max &&
                        bytes + unit->bytes + ZS_PLAN_MARKER_ROOM <= limits->request_max;
            if (!room)
                break;
        }
        plan.last = unit;
        plan.ops += unit->op_count;
        bytes += unit->bytes;
    }
    return plan;
}
