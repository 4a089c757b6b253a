// The slow path: one unit at a time, with nothing in flight. Reads what the unit touches, settles, writes.
#include "link.h"

#include <inttypes.h>
#include <zookeeper/zookeeper.h>

#include "zs_failpoint.h"

// A client that writes the same node again and again may win every race of versions. After some tries ours do not take
// part in it any more: what can ride with the marker then expects no data version.
enum { CAREFUL_TRIES = 10, TRIES_MAX = 100 };

enum written {
    WRITTEN,
    LOST,  // the place is not known any more
    AGAIN, // a client has changed the tree since we read it
    NEVER, // the server will not take it, however often it is asked
};

struct work {
    struct zs_link *link;
    struct zs_unit *unit;
    int64_t zxid; // of the marker once it is done
    zs_clock clock;
    struct zs_view *view;
    struct zs_request *reads;
    struct zs_settled settled;
    bool fenced, marked;
    bool careful; // expects the versions that were read
    // Something of it goes without the marker: only its versions keep it from a tree that another applier has moved on.
    bool bare;
    const char *problem, *problem_path; // of AGAIN and NEVER
};

// --- reading ---------------------------------------------------------------------------------------------------------

// Stat.ephemeralOwner also marks containers and TTL nodes, by values that no session has.
static bool is_session(int64_t owner) {
    uint64_t bits = (uint64_t)owner;
    bool container = bits == 0x8000000000000000u, ttl = bits >> 40 == 0xff0000;
    return bits && !container && !ttl;
}

static bool take_answer(struct work *w, struct zs_node *node, const struct zs_request *read) {
    if (read->outcome == ZS_DONE) {
        node->exists = true;
        node->ephemeral = is_session(read->owner);
        node->version = read->version;
        node->aversion = read->aversion;
        node->child_count = read->child_count;
        node->acls = read->acls;
        return true;
    }
    if (read->outcome == ZS_UNKNOWN)
        return false;
    if (read->rc == ZNONODE)
        return true;
    // It exists and does not let us look. It may only be an ancestor, so the write itself has to tell.
    node->exists = true;
    node->version = node->aversion = -1;
    w->problem = zs_rc_text(read->rc);
    w->problem_path = node->path;
    return true;
}

// LOST would only bring the same unit again, as fast as it goes.
static enum written no_memory(struct work *w) {
    w->problem = "it needs more memory than is set aside";
    w->problem_path = NULL;
    return NEVER;
}

// Reads all nodes of the view, pipelined. WRITTEN: done.
static enum written read_view(struct work *w) {
    size_t count = zs_view_count(w->view);
    w->reads = zs_arena_take(w->link->scratch, count, sizeof *w->reads);
    if (!w->reads)
        return no_memory(w);
    for (size_t i = 0; i < count; i++) {
        w->reads[i] = (struct zs_request){.type = ZS_REQUEST_NODE, .path = zs_view_at(w->view, i)->path};
        zs_client_submit(&w->link->client, &w->reads[i]);
    }
    zs_client_drain(&w->link->client);
    bool fine = true;
    for (size_t i = 0; i < count; i++)
        fine = take_answer(w, zs_view_at(w->view, i), &w->reads[i]) && fine;
    return fine ? WRITTEN : LOST;
}

static void forget_reads(struct work *w) {
    for (size_t i = 0; w->reads && i < zs_view_count(w->view); i++)
        zs_request_clear(&w->reads[i]);
    w->reads = NULL;
}

static void forget_versions(struct work *w) {
    for (size_t i = 0; i < zs_view_count(w->view); i++)
        zs_view_at(w->view, i)->version = -1;
}

// --- writing ---------------------------------------------------------------------------------------------------------

static enum written judge(struct work *w, const struct zs_request *request, const char *path) {
    if (request->outcome == ZS_DONE)
        return WRITTEN;
    if (request->outcome == ZS_UNKNOWN)
        return LOST;
    w->problem = zs_rc_text(request->rc);
    w->problem_path = path;
    switch (request->rc) {
    case ZNODEEXISTS:
    case ZNONODE:
    case ZBADVERSION:
    case ZNOTEMPTY:
    case ZNOCHILDRENFOREPHEMERALS:
        return AGAIN;
    default:
        return NEVER;
    }
}

static struct zs_step marker_step(struct zs_link *link, struct zs_slice json) {
    return (struct zs_step){
        .type = ZS_STEP_SET, .path = link->marker_path, .data = json, .version = link->marker_version};
}

// A multi of `count` steps and the marker.
static enum written write_with_marker(struct work *w, const struct zs_step *steps, uint32_t count,
                                      int64_t zxid, zs_clock clock) {
    struct zs_link *link = w->link;
    struct zs_slice json;
    struct zs_step *all = zs_arena_take(link->scratch, count + 1, sizeof *all);
    if (!all)
        return no_memory(w);
    if (!zs_link_encode_marker(link, zxid, clock, &json))
        return LOST;
    for (uint32_t i = 0; i < count; i++)
        all[i] = steps[i];
    all[count] = marker_step(link, json);
    struct zs_request request = {.type = ZS_REQUEST_STEPS, .steps = all, .step_count = count + 1};
    ZS_FAILPOINT("applier_slow_write");
    zs_client_ask(&link->client, &request);
    ZS_FAILPOINT("applier_slow_written");
    uint32_t failed = request.failed_step;
    enum written result = judge(w, &request, failed < count ? steps[failed].path : link->marker_path);
    zs_request_clear(&request);
    if (result == WRITTEN) {
        link->marker_version++;
        link->durable = zxid;
        link->counters.multis++;
        link->counters.ops += count;
    } else if (result != LOST && failed == count) {
        link->counters.fenced++;
        result = LOST;
    }
    return result;
}

static enum written write_bare(struct work *w, const struct zs_step *steps, uint32_t count) {
    struct zs_request request = {
        .type = count == 1 ? ZS_REQUEST_BARE : ZS_REQUEST_STEPS, .steps = steps, .step_count = count};
    ZS_FAILPOINT("applier_bare_write"); // fenced, and not written yet
    zs_client_ask(&w->link->client, &request);
    ZS_FAILPOINT("applier_bare_written");
    enum written result = judge(w, &request, steps[request.failed_step].path);
    zs_request_clear(&request);
    w->link->counters.ops += result == WRITTEN ? count : 0;
    return result;
}

// Before a write that does not carry the marker: only who still owns the marker gets past this.
static enum written fence(struct work *w) {
    if (w->fenced)
        return WRITTEN;
    w->fenced = true;
    return write_with_marker(w, NULL, 0, w->link->position, w->link->clock);
}

// A run of steps that may share a multi; the last run of all takes the marker on.
static enum written write_run(struct work *w, const struct zs_step *steps, uint32_t count, bool last) {
    size_t request_max = w->link->settings.limits.request_max;
    size_t bytes = zs_plan_request_bytes(steps, count);
    if (bytes + ZS_PLAN_MARKER_ROOM <= request_max) {
        w->fenced = true;
        w->marked = last;
        return last ? write_with_marker(w, steps, count, w->zxid, w->clock)
                    : write_with_marker(w, steps, count, w->link->position, w->link->clock);
    }
    if (bytes > request_max) {
        w->problem = "larger than a request may be (see zoospan.jute_maxbuffer)";
        w->problem_path = steps->path;
        return NEVER;
    }
    w->bare = true;
    if (!w->careful) {
        w->problem = "clients of this site keep changing it";
        w->problem_path = steps->path;
        return AGAIN;
    }
    enum written result = fence(w);
    return result == WRITTEN ? write_bare(w, steps, count) : result;
}

static enum written write_settled(struct work *w) {
    const struct zs_step *steps = w->settled.steps;
    uint32_t count = w->settled.step_count;
    enum written result = WRITTEN;
    w->fenced = w->marked = false;
    for (uint32_t i = 0; i < count && result == WRITTEN;) {
        uint32_t end = i;
        while (end < count && !zs_step_bare(&steps[end]))
            end++;
        if (end > i) {
            result = write_run(w, &steps[i], end - i, end == count);
            i = end;
            continue;
        }
        result = fence(w);
        if (result == WRITTEN)
            result = write_bare(w, &steps[i], 1);
        i++;
    }
    if (result == WRITTEN && !w->marked)
        result = write_with_marker(w, NULL, 0, w->zxid, w->clock);
    return result;
}

enum zs_outcome zs_slow_write_marker(struct zs_link *link, int64_t zxid, zs_clock clock) {
    struct work w = {.link = link};
    zs_arena_reset(link->scratch);
    return write_with_marker(&w, NULL, 0, zxid, clock) == WRITTEN ? ZS_DONE : ZS_UNKNOWN;
}

// --- one unit --------------------------------------------------------------------------------------------------------

static enum written try_unit(struct work *w) {
    struct zs_error e;
    zs_arena_reset(w->link->scratch);
    w->problem = w->problem_path = NULL;
    w->view = zs_view_of_ops(w->unit->ops, w->unit->op_count, w->link->scratch);
    if (!w->view)
        return no_memory(w);
    enum written result = read_view(w);
    if (result != WRITTEN)
        return result;
    if (!w->careful)
        forget_versions(w);
    if (!zs_settle(w->unit->ops, w->unit->op_count, w->view, w->link->scratch, &w->settled, &e))
        return no_memory(w);
    return write_settled(w);
}

static void log_quarantined(const struct work *w, const char *path, const char *problem) {
    w->link->counters.quarantined++;
    zs_logf(w->link->log, ZS_LEVEL_ERROR, "%s: quarantined: zxid 0x%" PRIx64 " (%u ops) path %s: %s",
            w->link->names.link, (uint64_t)w->unit->zxid, w->unit->op_count,
            path ? path : w->unit->ops[0].path, problem);
}

static void log_findings(const struct work *w) {
    for (uint32_t i = 0; i < w->settled.finding_count; i++) {
        const struct zs_finding *finding = &w->settled.findings[i];
        zs_link_log_finding(w->link, w->unit, finding);
        if (finding->verdict == ZS_VERDICT_NO_CHILDREN_FOR_EPHEMERALS)
            log_quarantined(w, finding->path, "an ancestor is an ephemeral node of a client of this site");
    }
}

static enum written write_unit(struct work *w) {
    enum written result = AGAIN;
    for (int i = 0; i < TRIES_MAX && result == AGAIN; i++) {
        w->careful = i < CAREFUL_TRIES || w->bare;
        result = try_unit(w);
        if (result == WRITTEN)
            log_findings(w);
        forget_reads(w);
    }
    if (result == WRITTEN || result == LOST)
        return result;
    // It never wedges the stream: the marker moves past it, and the log says what is missing here.
    log_quarantined(w, w->problem_path, w->problem);
    zs_arena_reset(w->link->scratch); // there may be no room left in it for the marker
    return write_with_marker(w, NULL, 0, w->zxid, w->clock);
}

void zs_slow_step(struct zs_link *link) {
    struct zs_unit *unit = link->planned;
    if (!link->positioned || !unit || link->flight_count || (!link->slow_until && !unit->alone))
        return;
    if (unit->op_count && !zs_recover_register(link))
        return;
    struct work w = {.link = link, .unit = unit, .zxid = link->position, .clock = link->clock};
    if (unit->zxid > w.zxid) {
        w.zxid = unit->zxid;
        w.clock = unit->clock;
    }
    if (unit->op_count && write_unit(&w) != WRITTEN) {
        zs_link_set_state(link, ZS_APPLY_RECOVER,
                          w.problem ? w.problem : "the outcome of a write is not known");
        zs_link_lose_place(link);
        return;
    }
    zs_intake_finish(link, unit);
}
