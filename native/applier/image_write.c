#include <string.h>
#include <zookeeper/zookeeper.h>

#include "link.h"
#include "zs_failpoint.h"

// A multi on its way: a run of the steps, and the link's own.
struct group {
    struct zs_request request;
    uint32_t count;
    size_t bytes;
    int64_t sent_ms; // monotonic
};

// What is on its way, in a ring of settings.depth.
struct sending {
    struct zs_link *link;
    const struct zs_step *steps;
    uint32_t count, at, done;
    struct group *ring;
    uint32_t first, flying;
    enum zs_outcome outcome;
};

void zs_image_begin_steps(struct zs_link *link) {
    struct zs_taking *image = &link->image;
    zs_arena_reset(image->arena);
    image->steps = NULL;
    image->step_count = image->step_cap = 0;
}

bool zs_image_step(struct zs_link *link, const struct zs_step *step) {
    struct zs_taking *image = &link->image;
    if (image->step_count == image->step_cap) {
        uint32_t cap = image->step_cap ? image->step_cap * 2 : 256;
        struct zs_step *steps = zs_arena_take(image->arena, cap, sizeof *steps);
        if (!steps)
            return false;
        if (image->step_count)
            memcpy(steps, image->steps, image->step_count * sizeof *steps);
        image->steps = steps;
        image->step_cap = cap;
    }
    image->steps[image->step_count++] = *step;
    return true;
}

bool zs_image_end(struct zs_link *link, const char *path, int32_t version) {
    struct zs_step steps[ZS_GUARD_STEPS];
    const struct zs_step end = {.type = ZS_STEP_DELETE, .path = path, .version = version, .joined = true};
    bool fine = zs_settle_guard(path, link->image.arena, steps) != 0;
    for (uint32_t i = 0; fine && i < ZS_GUARD_STEPS; i++)
        fine = zs_image_step(link, &steps[i]);
    return fine && zs_image_step(link, &end);
}

bool zs_image_is_large(const struct zs_link *link, const struct zs_step *step) {
    return zs_plan_step_bytes(step) + ZS_PLAN_MARKER_ROOM > link->settings.limits.request_max;
}

// The first of the steps, and those that are joined to it.
static uint32_t joined_size(const struct zs_step *steps, uint32_t count) {
    uint32_t size = 1;
    while (size < count && steps[size].joined)
        size++;
    return size;
}

static uint32_t group_size(const struct zs_plan_limits *limits, const struct zs_step *steps, uint32_t count) {
    uint32_t size = 0;
    size_t bytes = 0;
    while (size < count && (!size || size < limits->ops_max)) {
        const uint32_t run = joined_size(steps + size, count - size);
        size_t more = 0;
        for (uint32_t i = 0; i < run; i++)
            more += zs_plan_step_bytes(&steps[size + i]);
        bool room =
            bytes + more <= limits->bytes_max && bytes + more + ZS_PLAN_MARKER_ROOM <= limits->request_max;
        if (size && !room)
            break;
        bytes += more;
        size += run;
    }
    return size;
}

// One multi of `count` steps and what every multi ends with; the marker stays at its place. False: no memory.
static bool submit(struct zs_link *link, const struct zs_step *steps, uint32_t count,
                   struct zs_request *request) {
    zs_arena_reset(link->scratch);
    struct zs_step *all = zs_arena_take(link->scratch, count + ZS_LINK_STEPS, sizeof *all);
    if (!all)
        return false;
    memcpy(all, steps, count * sizeof *all);
    *request = (struct zs_request){.type = ZS_REQUEST_STEPS, .steps = all};
    request->step_count =
        zs_link_end_multi(link, all, count, link->position, link->clock, link->marker_fence);
    if (!request->step_count)
        return false;
    ZS_FAILPOINT("applier_image_submit");
    zs_client_submit(&link->client, request);
    return true;
}

// Of each record that was made with its copy, which is the step before it.
static void note_copies(struct zs_link *link, const struct zs_step *steps, uint32_t count, int64_t zxid) {
    const size_t stem = strlen(link->records_path);
    for (uint32_t i = 1; i < count; i++) {
        if (steps[i].joined && steps[i].type == ZS_STEP_CREATE &&
            strncmp(steps[i].path, link->records_path, stem) == 0)
            zs_copies_landed(link->copies, steps[i - 1].path, zxid);
    }
}

static void land_first(struct sending *s) {
    struct group *group = &s->ring[s->first];
    s->outcome = group->request.outcome;
    if (s->outcome == ZS_REFUSED && group->request.failed_step >= group->count) {
        s->link->counters.fenced++;
        s->outcome = ZS_UNKNOWN;
    }
    if (group->request.rc == ZCONNECTIONLOSS)
        zs_doubt_lost(&s->link->doubt, ZS_DOUBT_IMAGE, group->bytes, zs_mono_ms() - group->sent_ms);
    if (s->outcome != ZS_DONE)
        return;
    // Nothing is heard while runs are sent.
    zs_recover_wrote(s->link, zs_history_theirs(s->link), group->request.changed);
    zs_journal_landed(&s->link->journal, group->request.changed);
    note_copies(s->link, s->steps + s->done, group->count, group->request.changed);
    s->done += group->count;
    s->link->counters.multis++;
    s->link->counters.ops += group->count;
    zs_request_clear(&group->request);
    s->first = (s->first + 1) % s->link->settings.depth;
    s->flying--;
    ZS_FAILPOINT("applier_image_landed");
}

static bool take_off(struct sending *s) {
    struct zs_link *link = s->link;
    struct group *group = &s->ring[(s->first + s->flying) % link->settings.depth];
    group->count = group_size(&link->settings.limits, s->steps + s->at, s->count - s->at);
    if (!submit(link, s->steps + s->at, group->count, &group->request))
        return false;
    group->bytes = ZS_PLAN_MARKER_ROOM;
    for (uint32_t i = 0; i < group->count; i++)
        group->bytes += zs_plan_step_bytes(&s->steps[s->at + i]);
    group->sent_ms = zs_mono_ms();
    link->marker_version++;
    s->at += group->count;
    s->flying++;
    return true;
}

// Sends runs of steps, several on their way, until all are done or one is refused: then nothing behind it took effect either.
static void send_runs(struct sending *s) {
    struct zs_link *link = s->link;
    s->outcome = ZS_DONE;
    while (s->outcome == ZS_DONE && s->done < s->count) {
        while (s->outcome == ZS_DONE && s->at < s->count && s->flying < link->settings.depth) {
            if (!take_off(s))
                s->outcome = ZS_UNKNOWN;
        }
        zs_client_collect(&link->client);
        if (s->flying && s->ring[s->first].request.pending && s->outcome == ZS_DONE)
            link->client.wait(link->client.context, 1000);
        else if (s->flying && !s->ring[s->first].request.pending)
            land_first(s);
    }
    zs_client_drain(&link->client);
    link->marker_version -= (int32_t)s->flying; // none of them has counted
    if (s->flying)
        zs_journal_failed(&link->journal);
    for (; s->flying; s->flying--) {
        zs_request_clear(&s->ring[s->first].request);
        s->first = (s->first + 1) % link->settings.depth;
    }
}

// --- what was refused ------------------------------------------------------------------------------------------------

static struct zs_op op_of(const struct zs_step *step) {
    static const enum zs_op_type types[] = {[ZS_STEP_CREATE] = ZS_OP_CREATE,
                                            [ZS_STEP_DELETE] = ZS_OP_DELETE,
                                            [ZS_STEP_SET] = ZS_OP_SET,
                                            [ZS_STEP_SET_ACL] = ZS_OP_SET_ACL};
    return (struct zs_op){
        .type = types[step->type], .path = step->path, .data = step->data, .acls = step->acls};
}

static bool is_ours(const char *path) {
    return strncmp(path, ZS_ROOT "/", sizeof ZS_ROOT) == 0;
}

// The same by the slow path.
static bool alone(struct zs_link *link, const struct zs_step *steps, uint32_t count) {
    struct zs_op *ops = zs_arena_take(link->image.arena, count, sizeof *ops);
    uint32_t kept = 0;
    for (uint32_t i = 0; ops && i < count; i++) {
        if (!steps[i].guard)
            ops[kept++] = op_of(&steps[i]);
    }
    if (!ops)
        return false;
    zs_copies_find_partners(ops, kept);
    return zs_image_alone(link, ops, kept, NULL);
}

// The step that others are joined to, rather than a guard of it.
static const struct zs_step *main_step(const struct zs_step *steps, uint32_t count) {
    uint32_t i = 0;
    while (i + 1 < count && steps[i].guard)
        i++;
    return &steps[i];
}

// One step by itself, with those that are joined to it. What a client of this site has changed since it was
// read is in doubt; what the server will never take goes into quarantine.
static bool write_one(struct zs_link *link, const struct zs_step *steps, uint32_t count) {
    const struct zs_step *step = main_step(steps, count);
    struct zs_request request = {.type = ZS_REQUEST_STEPS};
    if (!submit(link, steps, count, &request))
        return false;
    zs_client_drain(&link->client);
    enum zs_outcome outcome = request.outcome;
    enum zs_refusal refusal = zs_refusal_of(request.rc, NULL);
    bool fenced = outcome == ZS_REFUSED && request.failed_step >= count;
    if (outcome == ZS_DONE) {
        note_copies(link, steps, count, request.changed);
        zs_recover_wrote(link, zs_history_theirs(link), request.changed);
        zs_journal_landed(&link->journal, request.changed);
    } else {
        zs_journal_failed(&link->journal);
    }
    zs_request_clear(&request);
    link->marker_version += outcome == ZS_DONE;
    link->counters.multis += outcome == ZS_DONE;
    link->counters.ops += outcome == ZS_DONE ? count : 0;
    link->counters.fenced += fenced;
    if (outcome != ZS_REFUSED)
        return outcome == ZS_DONE;
    if (fenced)
        return false;
    if (refusal == ZS_REFUSAL_QUARANTINE)
        return alone(link, steps, count);
    if (!is_ours(step->path)) {
        link->image.kept++;
        zs_image_doubt(link, step->path);
    }
    return true;
}

bool zs_image_flush(struct zs_link *link) {
    struct zs_taking *image = &link->image;
    if (!image->step_count)
        return true;
    struct sending s = {.link = link, .steps = image->steps, .count = image->step_count};
    s.ring = zs_arena_take(image->arena, link->settings.depth, sizeof *s.ring);
    bool fine = s.ring && zs_recover_register(link);
    while (fine && s.done < s.count) {
        s.at = s.done;
        send_runs(&s);
        if (s.outcome == ZS_REFUSED) {
            uint32_t run = group_size(&link->settings.limits, s.steps + s.done, s.count - s.done);
            for (uint32_t i = 0, size; fine && i < run; i += size) {
                size = joined_size(&s.steps[s.done + i], run - i);
                fine = write_one(link, &s.steps[s.done + i], size);
            }
            s.done += run;
        }
        fine = fine && s.outcome != ZS_UNKNOWN;
    }
    image->step_count = 0;
    return fine;
}

bool zs_image_alone(struct zs_link *link, const struct zs_op *ops, uint32_t count,
                    const struct zs_record_node *node) {
    const int64_t zxid = node ? node->zxid : link->image.zxid;
    return zs_recover_register(link) && zs_slow_apply(link, ops, count, zxid, node ? node->time_ms : 0);
}
