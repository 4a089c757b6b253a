// The slow path: one unit at a time, with nothing in flight. Reads what the unit touches, settles, writes.
#include "link.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zookeeper/zookeeper.h>

#include "zs_failpoint.h"
#include "zs_utf8.h"

// A client that writes the same node again and again may win every race of versions. After some tries ours do not take
// part in it any more: what can ride with the marker then expects no data version.
enum { CAREFUL_TRIES = 10, TRIES_MAX = 100 };

enum written {
    WRITTEN,
    LOST,  // the place is not known any more
    AGAIN, // a client has changed the tree since we read it
    NEVER, // the server will not take it, however often it is asked
};

// Why a unit is not applied. The path is copied: what it stood in is reset before it is told.
struct problem {
    enum zs_quarantine_class class;
    int code; // ZooKeeper's; 0: it was not asked
    const char *text;
    char path[ZS_QUARANTINE_PATH_SHOWN + 1];
};

struct work {
    struct zs_link *link;
    struct zs_unit *unit;
    int64_t zxid; // of the marker once it is done
    zs_clock clock;
    struct zs_view *view;
    struct zs_request *reads;
    struct zs_settled settled;
    struct zs_bare stands; // the node of a write that may have to go bare
    bool fenced, marked;
    bool careful;   // expects the versions that were read
    bool unguarded; // no guards, see zs_settle_guard: this server refuses them
    bool joined;    // it is several units, which are tried one by one rather than put into quarantine
    // Something of it goes without the marker: only its versions keep it from a tree that another applier has moved on.
    bool bare;
    struct problem problem;             // of AGAIN and NEVER; no text: none
    struct zs_quarantine_plan left_out; // of ops that cannot be applied while the others are
    struct zs_step wish;                // of an image of what settling knows too little about
    bool has_wish;
    const char *record_path, *request_path; // of a retry: they go in the same multi; NULL: none
};

// As much as is shown of it.
static void put_path(char out[static ZS_QUARANTINE_PATH_SHOWN + 1], const char *path) {
    size_t len = zs_utf8_cut(path, ZS_QUARANTINE_PATH_SHOWN);
    memcpy(out, path, len);
    out[len] = '\0';
}

static void set_problem(struct work *w, enum zs_quarantine_class class, int code, const char *text,
                        const char *path) {
    w->problem.class = class;
    w->problem.code = code;
    w->problem.text = text;
    put_path(w->problem.path, path ? path : "");
}

// --- reading ---------------------------------------------------------------------------------------------------------

bool zs_owner_is_session(int64_t owner) {
    uint64_t bits = (uint64_t)owner;
    bool container = bits == 0x8000000000000000u, ttl = bits >> 40 == 0xff0000;
    return bits && !container && !ttl;
}

static bool take_answer(struct work *w, struct zs_node *node, const struct zs_request *read) {
    if (read->outcome == ZS_DONE) {
        node->exists = true;
        node->ephemeral = zs_owner_is_session(read->owner);
        node->created = read->created;
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
    enum zs_quarantine_class class = ZS_QUARANTINE_REFUSED;
    zs_refusal_of(read->rc, &class);
    set_problem(w, class, read->rc, zs_rc_text(read->rc), node->path);
    return true;
}

// LOST would only bring the same unit again, as fast as it goes.
static enum written no_memory(struct work *w) {
    set_problem(w, ZS_QUARANTINE_REFUSED, 0, "it needs more memory than is set aside", NULL);
    return NEVER;
}

// What does not let us look is a copy or is not, and may have an owner, all the same.
static bool look_from_outside(struct work *w) {
    const size_t count = zs_view_count(w->view);
    for (size_t i = 0; i < count; i++) {
        struct zs_request *read = &w->reads[i];
        if (read->rc != ZNOAUTH)
            continue;
        *read = (struct zs_request){.type = ZS_REQUEST_STAT, .path = read->path};
        zs_client_submit(&w->link->client, read);
    }
    zs_client_drain(&w->link->client);
    bool fine = true;
    for (size_t i = 0; i < count; i++) {
        const struct zs_request *read = &w->reads[i];
        struct zs_node *node = zs_view_at(w->view, i);
        if (read->type != ZS_REQUEST_STAT)
            continue;
        fine = fine && read->outcome != ZS_UNKNOWN;
        node->exists = read->rc != ZNONODE;
        node->ephemeral = zs_owner_is_session(read->owner);
        node->created = read->created;
        node->child_count = read->child_count;
    }
    return fine;
}

static bool ends_copies(const struct zs_unit *unit) {
    for (uint32_t i = 0; i < unit->op_count; i++) {
        if (zs_copies_is_end(&unit->ops[i]))
            return true;
    }
    return false;
}

// Reads all nodes of the view, pipelined. WRITTEN: done.
static enum written read_view(struct work *w) {
    size_t count = zs_view_count(w->view);
    w->reads = zs_arena_take(w->link->scratch, count, sizeof *w->reads);
    if (!w->reads)
        return no_memory(w);
    // The server that we read from may be behind: where it is asked what a node is, as of now.
    struct zs_request sync = {.type = ZS_REQUEST_SYNC, .path = "/"};
    const bool ends = ends_copies(w->unit);
    if (ends)
        zs_client_submit(&w->link->client, &sync);
    for (size_t i = 0; i < count; i++) {
        w->reads[i] = (struct zs_request){.type = ZS_REQUEST_NODE, .path = zs_view_at(w->view, i)->path};
        zs_client_submit(&w->link->client, &w->reads[i]);
    }
    zs_client_drain(&w->link->client);
    bool fine = !ends || sync.outcome == ZS_DONE;
    zs_request_clear(&sync);
    for (size_t i = 0; i < count; i++)
        fine = take_answer(w, zs_view_at(w->view, i), &w->reads[i]) && fine;
    return fine && look_from_outside(w) ? WRITTEN : LOST;
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
    enum zs_quarantine_class class = ZS_QUARANTINE_CONTENDED;
    enum zs_refusal refusal = zs_refusal_of(request->rc, &class);
    if (refusal == ZS_REFUSAL_NONE)
        return WRITTEN;
    if (refusal == ZS_REFUSAL_TRANSIENT || request->outcome == ZS_UNKNOWN)
        return LOST;
    set_problem(w, class, request->rc, zs_rc_text(request->rc), path);
    return refusal == ZS_REFUSAL_TREE ? AGAIN : NEVER;
}

// What has become of a request; a guard that may not be written is left out the next time.
static enum written judge_steps(struct work *w, const struct zs_request *request,
                                const struct zs_step *steps) {
    const struct zs_step *failed = &steps[request->failed_step];
    enum written result = judge(w, request, failed->path);
    if (result != NEVER || !failed->guard)
        return result;
    w->unguarded = true;
    return AGAIN;
}

static void note_copies(const struct work *w, const struct zs_step *steps, uint32_t count, int64_t zxid) {
    const struct zs_unit *unit = w->unit;
    for (uint32_t i = 0; unit && zxid && i < unit->op_count; i++) {
        const struct zs_op *op = &unit->ops[i];
        if (op->type != ZS_OP_CREATE || !zs_copies_is_record(op))
            continue;
        for (uint32_t k = 0; k < count; k++) {
            if (steps[k].type == ZS_STEP_CREATE && strcmp(steps[k].path, op->path) == 0)
                zs_copies_landed(w->link->copies, op->partner, zxid);
        }
    }
}

// Asks, and notes it if this very unit has lost the connection.
static void ask(struct work *w, struct zs_request *request, size_t bytes) {
    int64_t sent = zs_mono_ms();
    zs_client_ask(&w->link->client, request);
    if (!w->unit || request->rc != ZCONNECTIONLOSS)
        return;
    zs_doubt_lost(&w->link->doubt, w->unit->zxid, bytes, zs_mono_ms() - sent);
}

// A multi of `count` steps and the marker.
static enum written write_with_marker(struct work *w, const struct zs_step *steps, uint32_t count,
                                      int64_t zxid, zs_clock clock) {
    struct zs_link *link = w->link;
    struct zs_step *all = zs_arena_take(link->scratch, count + ZS_LINK_STEPS, sizeof *all);
    if (!all)
        return no_memory(w);
    if (count)
        memcpy(all, steps, count * sizeof *all);
    // What an image writes is no matter of the fence.
    uint32_t total =
        zs_link_end_multi(link, all, count, zxid, clock, link->image.run ? link->marker_fence : 0);
    if (!total) {
        zs_journal_failed(&link->journal);
        return no_memory(w);
    }
    struct zs_request request = {.type = ZS_REQUEST_STEPS, .steps = all, .step_count = total};
    const int64_t theirs = zs_history_theirs(link);
    ZS_FAILPOINT("applier_slow_write");
    ask(w, &request, zs_plan_request_bytes(all, total));
    ZS_FAILPOINT("applier_slow_written");
    uint32_t failed = request.failed_step;
    enum written result =
        failed < count ? judge_steps(w, &request, steps) : judge(w, &request, link->marker_path);
    if (result == WRITTEN) {
        note_copies(w, steps, count, request.changed);
        zs_recover_wrote(link, theirs, request.changed);
        zs_journal_landed(&link->journal, request.changed);
        link->marker_fence = link->image.run ? link->marker_fence : request.changed;
        link->marker_version++;
        link->durable = zxid;
        link->counters.multis++;
        link->counters.ops += count;
    } else {
        zs_journal_failed(&link->journal);
        link->counters.fenced += result != LOST && failed >= count;
        result = failed >= count ? LOST : result;
    }
    zs_request_clear(&request);
    return result;
}

static void note_bare(const struct work *w) {
    if (!w->fenced)
        w->link->marker.bare = w->stands;
}

static void forget_bare(const struct work *w) {
    w->link->marker.bare = (struct zs_bare){.zxid = 0};
}

// A write without the marker. It takes the journal along if that fits; else an image may one day take it for a client's.
static enum written write_bare(struct work *w, const struct zs_step *steps, uint32_t count) {
    struct zs_link *link = w->link;
    struct zs_request request = {
        .type = count == 1 ? ZS_REQUEST_BARE : ZS_REQUEST_STEPS, .steps = steps, .step_count = count};
    struct zs_step *all = zs_arena_take(link->scratch, (size_t)count + ZS_JOURNAL_STEPS, sizeof *all);
    bool noted = all && !zs_step_bare(steps);
    if (noted) {
        memcpy(all, steps, count * sizeof *all);
        uint32_t more = zs_journal_steps(link, all + count);
        noted = more && zs_plan_request_bytes(all, count + more) <= link->settings.limits.request_max;
        if (noted)
            request = (struct zs_request){.type = ZS_REQUEST_STEPS, .steps = all, .step_count = count + more};
        else
            zs_journal_failed(&link->journal);
    }
    ZS_FAILPOINT("applier_bare_write"); // fenced, and not written yet
    ask(w, &request, zs_plan_request_bytes(request.steps, request.step_count));
    ZS_FAILPOINT("applier_bare_written");
    uint32_t failed = request.failed_step;
    enum written result = failed < count ? judge_steps(w, &request, steps) : LOST;
    if (result != LOST && result != WRITTEN)
        forget_bare(w); // it is known not to be done
    if (result == WRITTEN)
        note_copies(w, steps, count, request.changed);
    if (noted && result == WRITTEN)
        zs_journal_landed(&link->journal, request.changed);
    else if (noted)
        zs_journal_failed(&link->journal);
    zs_request_clear(&request);
    link->counters.ops += result == WRITTEN ? count : 0;
    return result;
}

// Before a write that does not carry the marker: only who still owns the marker gets past this.
static enum written fence(struct work *w) {
    if (w->fenced)
        return WRITTEN;
    w->fenced = true;
    return write_with_marker(w, NULL, 0, w->link->position, w->link->clock);
}

// --- what is too large for one multi with the marker -----------------------------------------------------------------
//
// What a client of the origin could ask for in one request is applied here, whatever is kept beside it. As long as it fits
// it goes as one request: with the marker, or bare. What is kept beside it (records of copies, of quarantine, requests) may
// leave it no room: then it is cut into pieces, each with the marker at its old place, the last one with the new. It is
// applied at least once then, as what goes bare is.

static enum written write_marked(struct work *w, const struct zs_step *steps, uint32_t count, bool last) {
    w->fenced = true;
    w->marked = last;
    return last ? write_with_marker(w, steps, count, w->zxid, w->clock)
                : write_with_marker(w, steps, count, w->link->position, w->link->clock);
}

static enum written write_fenced(struct work *w, const struct zs_step *steps, uint32_t count) {
    if (zs_plan_request_bytes(steps, count) > w->link->settings.limits.request_max) {
        set_problem(w, ZS_QUARANTINE_TOO_LARGE, 0,
                    "larger than a request may be here (jute.maxbuffer of the servers, or "
                    "zoospan.jute_maxbuffer)",
                    steps->path);
        return NEVER;
    }
    w->bare = true;
    if (!w->careful) {
        set_problem(w, ZS_QUARANTINE_CONTENDED, 0, "clients of this site keep changing it", steps->path);
        return AGAIN;
    }
    note_bare(w);
    enum written result = fence(w);
    return result == WRITTEN ? write_bare(w, steps, count) : result;
}

static bool fits(const struct work *w, const struct zs_step *steps, uint32_t count) {
    return zs_plan_request_bytes(steps, count) + ZS_PLAN_MARKER_ROOM <= w->link->settings.limits.request_max;
}

static bool is_ours(const struct zs_step *step) {
    return zs_path_covers(ZS_ROOT, step->path);
}

// What stays together: a copy and its record, which tells by its zxid that it is the copy's; the end of one and its
// guard.
static uint32_t group_length(const struct zs_step *steps, uint32_t count) {
    uint32_t joined = 1;
    while (joined < count && steps[joined].joined)
        joined++;
    bool copy = count > 1 && steps[0].type == ZS_STEP_CREATE && steps[1].type == ZS_STEP_CREATE &&
                !is_ours(&steps[0]) && zs_path_covers(ZS_SESSIONS_PATH, steps[1].path);
    return copy ? 2 : joined;
}

static uint32_t piece_length(const struct work *w, const struct zs_step *steps, uint32_t count) {
    uint32_t length = 0;
    while (length < count) {
        uint32_t more = group_length(steps + length, count - length);
        if (!fits(w, steps, length + more))
            break;
        length += more;
    }
    return length;
}

// A step, or a copy and its record, that leaves no room for the marker. What is created has its data set after that.
static enum written write_large(struct work *w, const struct zs_step *steps, uint32_t count) {
    static const struct zs_slice empty = {.at = (const uint8_t *)"", .len = 0};
    struct zs_step created[2] = {steps[0], steps[count - 1]};
    if (steps->type != ZS_STEP_CREATE || !steps->data.len)
        return write_fenced(w, steps, count);
    created[0].data = empty;
    enum written result =
        fits(w, created, count) ? write_marked(w, created, count, false) : write_fenced(w, created, count);
    const struct zs_step set = {.type = ZS_STEP_SET, .path = steps->path, .data = steps->data};
    return result == WRITTEN ? write_fenced(w, &set, 1) : result;
}

static enum written write_pieces(struct work *w, const struct zs_step *steps, uint32_t count, bool last) {
    enum written result = WRITTEN;
    for (uint32_t at = 0; at < count && result == WRITTEN;) {
        uint32_t length = piece_length(w, steps + at, count - at);
        if (length) {
            result = write_marked(w, steps + at, length, last && at + length == count);
        } else {
            length = group_length(steps + at, count - at);
            result = write_large(w, steps + at, length);
        }
        at += length;
    }
    return result;
}

// A run of steps that may share a multi; the last run of all takes the marker on.
static enum written write_run(struct work *w, const struct zs_step *steps, uint32_t count, bool last) {
    const size_t most = w->link->settings.limits.request_max;
    uint32_t own = 0; // up to with the last step that is not ours
    bool deletes = true, mixed = false;
    if (fits(w, steps, count))
        return write_marked(w, steps, count, last);
    for (uint32_t i = 0; i < count; i++) {
        deletes = deletes && (steps[i].type == ZS_STEP_DELETE || steps[i].guard);
        mixed = mixed || group_length(steps + i, count - i) > 1;
        if (is_ours(&steps[i]))
            continue;
        mixed = mixed || own < i;
        own = i + 1;
    }
    if (own && !mixed && zs_plan_request_bytes(steps, own) <= most) {
        enum written result = write_fenced(w, steps, own);
        return result == WRITTEN ? write_pieces(w, steps + own, count - own, last) : result;
    }
    // A session may end with more ephemerals than a request can name; deletes may be seen half done.
    if (deletes || zs_plan_asked_bytes(w->unit->ops, w->unit->op_count) <= most)
        return write_pieces(w, steps, count, last);
    return write_fenced(w, steps, count);
}

static enum written write_settled(struct work *w) {
    const struct zs_step *steps = w->settled.steps;
    uint32_t count = w->settled.step_count;
    enum written result = WRITTEN;
    w->fenced = w->marked = false;
    for (uint32_t i = 0; i < count && result == WRITTEN;) {
        uint32_t length = 0;
        while (i + length < count && !zs_step_bare(&steps[i + length]))
            length++;
        if (length) {
            result = write_run(w, &steps[i], length, i + length == count);
            i += length;
            continue;
        }
        note_bare(w);
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

// --- quarantine ------------------------------------------------------------------------------------------------------

// Room for a record that only says what and why.
enum { RECORD_BYTES_SMALL = 16 * 1024 };

static struct zs_quarantine record_of(const struct work *w, const struct problem *why,
                                      const struct zs_op *ops, uint32_t count) {
    struct zs_quarantine record = {.zxid = w->unit->zxid,
                                   .time_ms = zs_wall_ms(),
                                   .txn_time_ms = w->unit->time_ms,
                                   .class = why->class,
                                   .code = why->code,
                                   .reason = why->text,
                                   .path = *why->path ? why->path : NULL,
                                   .multi = count > 1,
                                   .op_count = count,
                                   .ops = ops};
    snprintf(record.origin, sizeof record.origin, "%s", w->link->settings.origin);
    return record;
}

static void log_quarantined(const struct work *w, const struct problem *why, const char *record) {
    struct zs_link *link = w->link;
    link->counters.quarantined += !w->record_path; // one that is tried once more has been counted
    zs_logf(link->log, ZS_LEVEL_ERROR, "%s: quarantined: zxid 0x%" PRIx64 " (%u ops) path %s: %s: %s (%s)",
            link->names.link, (uint64_t)w->unit->zxid, w->unit->op_count,
            *why->path ? why->path : w->unit->ops[0].path, zs_quarantine_class_name(why->class), why->text,
            record);
}

static void log_dropped(const struct work *w, const struct zs_quarantine_plan *plan) {
    if (plan->dropped)
        zs_logf(w->link->log, ZS_LEVEL_WARN,
                "%s: %u records of quarantine dropped, the oldest ones: there may be %u, with %zu bytes "
                "(zoospan.quarantine_max, zoospan.quarantine_bytes_max)",
                w->link->names.link, plan->dropped, w->link->settings.quarantine_max,
                w->link->settings.quarantine_bytes_max);
}

static const char *record_text(const struct zs_quarantine_plan *plan) {
    return plan->whole ? "recorded" : "recorded without its data";
}

// Writes the record, with at most `bytes_max` bytes, and moves the marker past the unit.
static enum written write_record(struct work *w, const struct problem *why, size_t bytes_max) {
    struct zs_quarantine_plan plan;
    struct zs_error e;
    struct zs_quarantine record = record_of(w, why, w->unit->ops, w->unit->op_count);
    enum zs_outcome outcome = zs_quarantine_prepare(w->link, &record, bytes_max, &plan, &e);
    enum written result = outcome == ZS_UNKNOWN ? LOST : NEVER;
    struct zs_step *steps = NULL;
    if (outcome == ZS_DONE)
        steps = zs_arena_take(w->link->scratch, (size_t)plan.count + 1, sizeof *steps);
    if (steps) {
        uint32_t count = plan.count;
        memcpy(steps, plan.steps, count * sizeof *steps);
        if (w->request_path)
            steps[count++] = (struct zs_step){.type = ZS_STEP_DELETE, .path = w->request_path, .version = -1};
        result = write_with_marker(w, steps, count, w->zxid, w->clock);
    }
    if (result == WRITTEN) {
        log_quarantined(w, why, record_text(&plan));
        log_dropped(w, &plan);
    }
    zs_quarantine_plan_clear(&plan);
    return result;
}

// Whether the unit was to give a node that stands here another ACL: by a setACL, or by another node in its place.
static bool changes_acl(const struct zs_unit *unit, uint32_t number) {
    const struct zs_op *op = &unit->ops[number];
    bool replaces = op->type == ZS_OP_SET_ACL, goes = false;
    if ((op->type != ZS_OP_SET_ACL && op->type != ZS_OP_CREATE) || zs_path_covers(ZS_ROOT, op->path))
        return false;
    for (uint32_t i = 0; i < unit->op_count; i++) {
        if (unit->ops[i].type == ZS_OP_DELETE && strcmp(unit->ops[i].path, op->path) == 0) {
            replaces = replaces || i < number;
            goes = i > number;
        }
    }
    return replaces && !goes;
}

static enum written set_acl(struct work *w, const char *path, const struct zs_acls *acls) {
    const struct zs_step step = {.type = ZS_STEP_SET_ACL, .path = path, .acls = *acls, .version = -1};
    return write_bare(w, &step, 1);
}

// An applier that may not change the ACL may still be let put another node there, with the same data.
static enum written replace_by_closed(struct work *w, const char *path) {
    struct zs_request read = {.type = ZS_REQUEST_READ, .path = path};
    enum written result = LOST;
    if (zs_client_ask(&w->link->client, &read) != ZS_UNKNOWN) {
        const struct zs_step steps[] = {
            {.type = ZS_STEP_DELETE, .path = path, .version = read.outcome == ZS_DONE ? read.version : -1},
            {.type = ZS_STEP_CREATE, .path = path, .data = read.data, .acls = w->link->closed.acls}};
        result = write_bare(w, steps, 2);
    }
    zs_request_clear(&read);
    return result;
}

// What is set next at a node must not be read by whom its ACL at the origin shuts out: each one that the unit was to give another
// ACL gets that, or stands closed if the servers here do not take it.
static enum written leave_nothing_open(struct work *w) {
    const struct zs_unit *unit = w->unit;
    enum written result = WRITTEN;
    w->fenced = false;
    forget_bare(w); // what is closed here is none of what the unit asked for
    for (uint32_t i = 0; i < unit->op_count && result != LOST; i++) {
        const struct zs_op *op = &unit->ops[i];
        if (!changes_acl(unit, i))
            continue;
        zs_arena_reset(w->link->scratch);
        result = zs_closed_know(w->link) ? fence(w) : LOST;
        if (result == WRITTEN)
            result = set_acl(w, op->path, &op->acls);
        if (result == NEVER && w->problem.class == ZS_QUARANTINE_ACL)
            result = set_acl(w, op->path, &w->link->closed.acls);
        if (result == NEVER && w->problem.class == ZS_QUARANTINE_DENIED)
            result = replace_by_closed(w, op->path);
        const bool stands = result == NEVER || (result == AGAIN && w->problem.code != ZNONODE);
        if (stands)
            zs_logf(w->link->log, ZS_LEVEL_ERROR,
                    "%s: %s may stand more open here than at the origin: the applier may not close it (%s)",
                    w->link->names.link, op->path, w->problem.text);
    }
    return result == LOST ? LOST : WRITTEN;
}

// It never wedges the stream: the marker moves past the unit, if need be without its data in the record, or without a
// record, when not even that can be written.
static enum written put_in_quarantine(struct work *w) {
    const struct problem why = w->problem;
    struct zs_link *link = w->link;
    zs_link_pass_over(link, w->unit->zxid);
    size_t most = link->settings.limits.request_max - 2 * (size_t)ZS_PLAN_MARKER_ROOM;
    if (leave_nothing_open(w) == LOST)
        return LOST;
    for (int i = 0; i < 4; i++) {
        zs_arena_reset(link->scratch);
        enum written result = write_record(w, &why, i >= 2 ? RECORD_BYTES_SMALL : most);
        if (result == WRITTEN || result == LOST)
            return result;
    }
    zs_arena_reset(link->scratch);
    enum written result = write_with_marker(w, NULL, 0, w->zxid, w->clock);
    if (result == WRITTEN)
        log_quarantined(w, &why, "no record of it could be written");
    return result;
}

static bool is_left_out(const struct zs_finding *finding) {
    return finding->verdict == ZS_VERDICT_NO_CHILDREN_FOR_EPHEMERALS;
}

// Plans the record of those ops that settling left out because they are impossible here.
static enum written plan_left_out(struct work *w) {
    const struct zs_settled *settled = &w->settled;
    struct zs_op *ops = zs_arena_take(w->link->scratch, w->unit->op_count, sizeof *ops);
    uint32_t count = 0;
    struct problem why = {.class = ZS_QUARANTINE_EPHEMERAL,
                          .text = "an ancestor is an ephemeral node of a client of this site"};
    for (uint32_t i = 0; ops && i < settled->finding_count; i++) {
        if (!is_left_out(&settled->findings[i]))
            continue;
        if (!count)
            put_path(why.path, settled->findings[i].path);
        const struct zs_op *op = &w->unit->ops[settled->findings[i].op];
        ops[count++] = *op;
        if (op->partner) // its record comes behind it
            ops[count++] = op[1];
    }
    if (!count)
        return ops ? WRITTEN : no_memory(w);
    w->problem = why;
    zs_link_pass_over(w->link, w->unit->zxid);
    struct zs_error e;
    struct zs_quarantine record = record_of(w, &why, ops, count);
    size_t used =
        zs_plan_request_bytes(settled->steps, settled->step_count) + 2 * (size_t)ZS_PLAN_MARKER_ROOM;
    size_t most = w->link->settings.limits.request_max;
    size_t room = used + RECORD_BYTES_SMALL < most ? most - used : RECORD_BYTES_SMALL;
    enum zs_outcome outcome = zs_quarantine_prepare(w->link, &record, room, &w->left_out, &e);
    return outcome == ZS_UNKNOWN ? LOST : outcome == ZS_DONE ? WRITTEN : NEVER;
}

// Plans the request for what was made closed, or left to an image.
static enum written plan_wish(struct work *w) {
    w->has_wish = false;
    if (!w->settled.unknown)
        return WRITTEN;
    switch (zs_closed_request(w->link, w->settled.unknown, &w->wish, &w->has_wish)) {
    case ZS_DONE:
        return WRITTEN;
    case ZS_REFUSED:
        return no_memory(w);
    case ZS_UNKNOWN:
        break;
    }
    return LOST;
}

// Appends what goes with the txn's own steps: the record of what is left out, or the end of the one that is retried, and the
// request for an image.
static enum written append_records(struct work *w) {
    uint32_t more = w->left_out.count + 3, count = w->settled.step_count;
    if (!w->left_out.count && !w->record_path && !w->has_wish)
        return WRITTEN;
    struct zs_step *all = zs_arena_take(w->link->scratch, (size_t)count + more, sizeof *all);
    if (!all)
        return no_memory(w);
    if (count)
        memcpy(all, w->settled.steps, count * sizeof *all);
    if (w->left_out.count)
        memcpy(all + count, w->left_out.steps, w->left_out.count * sizeof *all);
    count += w->left_out.count;
    if (w->record_path && !w->left_out.count)
        all[count++] = (struct zs_step){.type = ZS_STEP_DELETE, .path = w->record_path, .version = -1};
    if (w->request_path)
        all[count++] = (struct zs_step){.type = ZS_STEP_DELETE, .path = w->request_path, .version = -1};
    if (w->has_wish)
        all[count++] = w->wish;
    w->settled.steps = all;
    w->settled.step_count = count;
    return WRITTEN;
}

// --- one unit --------------------------------------------------------------------------------------------------------

static enum written drop_guards(struct work *w) {
    uint32_t kept = 0;
    struct zs_step *steps = zs_arena_take(w->link->scratch, (size_t)w->settled.step_count + 1, sizeof *steps);
    if (!steps)
        return no_memory(w);
    for (uint32_t i = 0; i < w->settled.step_count; i++) {
        if (!w->settled.steps[i].guard)
            steps[kept++] = w->settled.steps[i];
    }
    w->settled.steps = steps;
    w->settled.step_count = kept;
    return WRITTEN;
}

static bool all_is_here(const struct zs_view *view) {
    bool here = true;
    for (size_t i = 0; i < zs_view_count(view); i++)
        here = here && zs_view_at(view, i)->exists;
    return here;
}

static enum written settle(struct work *w) {
    struct zs_link *link = w->link;
    struct zs_error e;
    if (!all_is_here(w->view) && !zs_closed_know(link))
        return LOST;
    const struct zs_acls *closed = link->closed.makes_nodes ? &link->closed.acls : NULL;
    bool fine = zs_settle(w->unit->ops, w->unit->op_count, closed, w->view, link->scratch, &w->settled, &e);
    return fine ? WRITTEN : no_memory(w);
}

static enum written try_unit(struct work *w) {
    zs_arena_reset(w->link->scratch);
    set_problem(w, ZS_QUARANTINE_REFUSED, 0, NULL, NULL);
    w->view = zs_view_of_ops(w->unit->ops, w->unit->op_count, w->link->scratch);
    if (!w->view)
        return no_memory(w);
    enum written result = read_view(w);
    if (result != WRITTEN)
        return result;
    w->stands = zs_bare_of(w->link, w->unit, w->view);
    if (zs_bare_has_landed(w->link, &w->stands))
        return write_with_marker(w, NULL, 0, w->zxid, w->clock);
    if (!w->careful)
        forget_versions(w);
    result = settle(w);
    if (result == WRITTEN && w->unguarded)
        result = drop_guards(w);
    if (result == WRITTEN)
        result = plan_left_out(w);
    if (result == WRITTEN)
        result = plan_wish(w);
    if (result == WRITTEN)
        result = append_records(w);
    return result == WRITTEN ? write_settled(w) : result;
}

static void log_findings(const struct work *w) {
    for (uint32_t i = 0; i < w->settled.finding_count; i++)
        zs_link_log_finding(w->link, w->unit, &w->settled.findings[i]);
    if (!w->left_out.count)
        return;
    log_quarantined(w, &w->problem, record_text(&w->left_out));
    log_dropped(w, &w->left_out);
}

static enum written write_unit(struct work *w) {
    enum written result = AGAIN;
    for (int i = 0; i < TRIES_MAX && result == AGAIN; i++) {
        w->careful = i < CAREFUL_TRIES || w->bare;
        result = try_unit(w);
        if (result == WRITTEN)
            log_findings(w);
        forget_reads(w);
        zs_quarantine_plan_clear(&w->left_out);
        w->left_out = (struct zs_quarantine_plan){.steps = NULL};
    }
    return result == WRITTEN || result == LOST || w->joined ? result : put_in_quarantine(w);
}

bool zs_slow_apply(struct zs_link *link, const struct zs_op *ops, uint32_t count, int64_t zxid,
                   int64_t time_ms) {
    struct zs_unit unit = {.zxid = zxid, .time_ms = time_ms, .ops = ops, .op_count = count};
    struct work w = {.link = link, .unit = &unit, .zxid = link->position, .clock = link->clock};
    return write_unit(&w) == WRITTEN;
}

bool zs_slow_retry(struct zs_link *link, const struct zs_quarantine *record, bool last_record,
                   const char *record_path, const char *request_path) {
    struct zs_unit unit = {.zxid = record->zxid,
                           .time_ms = record->txn_time_ms,
                           .ops = record->ops,
                           .op_count = record->op_count};
    struct work w = {.link = link,
                     .unit = &unit,
                     .zxid = link->position,
                     .clock = link->clock,
                     .record_path = record_path,
                     .request_path = request_path};
    zs_logf(link->log, ZS_LEVEL_INFO, "%s: tries zxid 0x%" PRIx64 " of quarantine once more",
            link->names.link, (uint64_t)record->zxid);
    if (link->marker.passed == record->zxid && last_record)
        link->marker.passed = 0; // unless it is refused again
    if (write_unit(&w) != WRITTEN)
        return false;
    // Copies of ephemerals may be among what was written: their records are read anew.
    zs_link_lose_place(link);
    return true;
}

static void lose_place(const struct work *w) {
    zs_link_set_state(w->link, ZS_APPLY_RECOVER,
                      w->problem.text ? w->problem.text : "the outcome of a write is not known");
    zs_recover_later(w->link);
}

// So many ops of ends of sessions are looked at and written together.
enum { ENDS_MAX = 1000 };

// A unit, in parts if it is the end of a session that had very many copies: it may be seen half done. The
// marker moves with the last.
static enum written write_slices(struct work *w) {
    const struct zs_unit *whole = w->unit;
    struct zs_unit slice = *whole;
    struct work part = *w;
    enum written result = WRITTEN;
    part.unit = &slice;
    for (uint32_t at = 0; result == WRITTEN && at < whole->op_count; at += slice.op_count) {
        const uint32_t left = whole->op_count - at;
        slice.ops = whole->ops + at;
        slice.op_count = whole->ends_copies && left > ENDS_MAX ? ENDS_MAX : left;
        if (slice.op_count < left && zs_copies_is_end(&slice.ops[slice.op_count - 1]))
            slice.op_count++; // its record goes with it
        const bool last = slice.op_count == left;
        part.zxid = last ? w->zxid : w->link->position;
        part.clock = last ? w->clock : w->link->clock;
        result = write_unit(&part);
    }
    w->problem = part.problem;
    return result;
}

// The last of the ends of sessions that stand side by side from here on, up to some number of ops.
static struct zs_unit *last_end(struct zs_unit *first, uint32_t *ops) {
    struct zs_unit *last = first;
    *ops = first->op_count;
    for (struct zs_unit *unit = first->next; unit; unit = unit->next) {
        if (unit->checkpoint || (unit->op_count && !unit->ends_copies) || *ops + unit->op_count > ENDS_MAX)
            break;
        *ops += unit->op_count;
        last = unit;
    }
    return last;
}

// Where very many sessions end at once, as when a server of the origin goes, they are looked at and written
// together. False: this one is to go by itself.
static bool step_joined(struct zs_link *link) {
    struct zs_unit *first = link->planned, all = *first;
    if (!first->ends_copies || link->doubt.losses)
        return false;
    struct zs_unit *last = last_end(first, &all.op_count);
    if (all.op_count == first->op_count)
        return false;
    struct zs_op *ops = calloc(all.op_count, sizeof *ops);
    if (!ops)
        return false;
    struct work w = {
        .link = link, .unit = &all, .zxid = link->position, .clock = link->clock, .joined = true};
    uint32_t count = 0;
    for (const struct zs_unit *unit = first;; unit = unit->next) {
        if (unit->op_count)
            memcpy(ops + count, unit->ops, unit->op_count * sizeof *ops);
        count += unit->op_count;
        zs_unit_moves(unit, &w.zxid, &w.clock);
        if (unit == last)
            break;
    }
    all.ops = ops;
    enum written result = write_unit(&w);
    free(ops);
    if (result == WRITTEN)
        zs_intake_finish(link, last);
    else if (result == LOST)
        lose_place(&w);
    return result == WRITTEN || result == LOST;
}

void zs_slow_step(struct zs_link *link) {
    struct zs_unit *unit = link->planned;
    if (!link->positioned || !unit || link->flight_count || (!link->slow_until && !unit->alone))
        return;
    struct work w = {.link = link, .unit = unit, .zxid = link->position, .clock = link->clock};
    zs_unit_moves(unit, &w.zxid, &w.clock);
    bool checkpoint = unit->checkpoint && link->marker_exists && w.zxid > link->durable;
    if ((unit->op_count || checkpoint) && !zs_recover_register(link))
        return;
    if (step_joined(link))
        return;
    if ((unit->op_count && write_slices(&w) != WRITTEN) ||
        (checkpoint && zs_slow_write_marker(link, w.zxid, w.clock) != ZS_DONE))
        lose_place(&w);
    else
        zs_intake_finish(link, unit);
}
