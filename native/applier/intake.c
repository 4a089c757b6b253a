// Batches on their way in, and units on their way out.
//
// A delivery waits as it came until little is left to be sent; then it is decoded and held: what is decoded is large, and should
// still be in the processor's cache when it is sent. Admission, in order, decides what it is for us:
//   not our link, not decodable, or a record that this version does not know how to apply: rejected (a gap follows)
//   a clock too far ahead of ours: discarded, and the origin is asked for nothing until one comes that is not
//   another history than the marker's: discarded, the origin has to send its image
//   prev above what was admitted before: a gap; discarded, and the origin is asked to go on after our position. What is
//   admitted already may still come in once more meanwhile: that does not close the gap
//   else it continues; txns that are admitted already are left out one by one, and the rest become units.
// What is admitted is acked when its last unit is done. Acks wait while multis are in flight, so that one is for several batches;
// what is discarded behind a batch that is not done yet is acked by itself.
//
// While the first batch of all is admitted the marker is made, and whatever waits for ZooKeeper also takes deliveries:
// `waiting` may have grown when admission comes back.
//
// The origin's applier sessions: a marker and a report list them with the newest last, a heartbeat with the newest
// first. When there are too many the oldest goes: the living ones are among the newest.
#include "link.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zs_failpoint.h"

enum { RECORDS_MAX = 1000000 };

// --- arenas ----------------------------------------------------------------------------------------------------------

static struct zs_batch_limits batch_limits(const struct zs_link *link) {
    return (struct zs_batch_limits){.message_bytes_max = link->settings.message_bytes_max,
                                    .raw_bytes_max = link->settings.message_bytes_max,
                                    .records_max = RECORDS_MAX,
                                    .dictionaries = &link->dictionaries.kept};
}

// Ceilings, not memory: a batch that its sender could make must fit, or it would be sent again for ever. One arena
// takes the decoded batch, the other one its units and what ephemerals turn its ops into: at worst a delete of a few
// bytes becomes two ops, in an array that has doubled on the way, and the path of a record.
static struct zs_arena *take_arena(struct zs_link *link) {
    enum { REWRITE_RATIO = 8 };
    if (link->spare_count)
        return link->spare_arenas[--link->spare_count];
    struct zs_batch_limits limits = batch_limits(link);
    return zs_arena_new(zs_batch_arena_bytes(&limits) * REWRITE_RATIO);
}

static void give_arena(struct zs_link *link, struct zs_arena *arena) {
    const uint32_t room = ZS_SPARE_ARENAS;
    if (!arena)
        return;
    if (link->spare_count == room) {
        zs_arena_free(arena);
        return;
    }
    zs_arena_reset(arena);
    link->spare_arenas[link->spare_count++] = arena;
}

static void free_held(struct zs_link *link, struct zs_held *held) {
    link->taken_bytes -= held->len;
    give_arena(link, held->arena);
    give_arena(link, held->rewrite);
    free(held);
}

// --- deliveries ------------------------------------------------------------------------------------------------------

static void ack(struct zs_link *link, uint64_t tag, bool multiple) {
    if (!link->receive || link->receive_failed)
        return;
    ZS_FAILPOINT("applier_ack");
    if (!zs_amqp_ack(link->receive, tag, multiple, &link->receive_error))
        link->receive_failed = true;
    ZS_FAILPOINT("applier_acked");
}

// The first of the held batches is done: one ack is for several.
static void ack_later(struct zs_link *link, uint64_t tag) {
    link->done_tag = tag;
    link->done_count++;
}

void zs_intake_ack_done(struct zs_link *link) {
    enum { SHARE_OF_PREFETCH = 4, TOGETHER_MAX = 16 };
    const uint32_t share = link->settings.prefetch / SHARE_OF_PREFETCH;
    bool busy =
        link->positioned && link->flight_count && link->done_count < share && link->done_count < TOGETHER_MAX;
    if (!link->done_count || busy)
        return;
    ack(link, link->done_tag, true);
    link->done_count = 0;
}

static void reject(struct zs_link *link, uint64_t tag, const char *reason) {
    link->counters.rejected++;
    zs_logf(link->log, ZS_LEVEL_ERROR, "%s: batch rejected: %s", link->names.link, reason);
    ack(link, tag, false);
}

// A batch of an image begins with what it belongs to, and holds nodes; no other does.
static const char *record_problem(const struct zs_batch *batch) {
    static const char *const mixed = "txns and parts of an image stand in it side by side";
    const bool image = zs_image_is(batch);
    for (uint32_t i = 0; i < batch->head.records; i++) {
        switch (batch->records[i].type) {
        case ZS_RECORD_TXN:
        case ZS_RECORD_MARK:
        case ZS_RECORD_CHECKPOINT:
        case ZS_RECORD_BROKEN:
            if (image)
                return mixed;
            break;
        case ZS_RECORD_NODE:
        case ZS_RECORD_SEQUENCE:
        case ZS_RECORD_AS_OF:
        case ZS_RECORD_SNAPSHOT_END:
            if (!image)
                return mixed;
            break;
        case ZS_RECORD_SNAPSHOT_BEGIN:
        case ZS_RECORD_SNAPSHOT_PART:
            if (i > 0)
                return mixed;
            break;
        case ZS_RECORD_HEARTBEAT:
        case ZS_RECORD_SEEN:
        case ZS_RECORD_DICTIONARY:
            break;
        case ZS_RECORD_TOMBSTONE:
            return "it holds tombstones, which this version cannot take; update the applier";
        }
    }
    return NULL;
}

static const char *batch_problem(const struct zs_link *link, const struct zs_batch *batch) {
    const struct zs_batch_head *head = &batch->head;
    if (strcmp(head->origin, link->settings.origin) != 0 ||
        strcmp(head->destination, link->settings.site) != 0)
        return "it is not of this link: origin or destination in its header differ";
    if (!zs_history_known(&head->history))
        return "it names no history";
    return record_problem(batch);
}

// What the origin holds of us, and what its clocks show, does not depend on what becomes of the batch.
static void hear_at_once(struct zs_link *link, const struct zs_batch *batch) {
    int64_t time_ms = 0;
    for (uint32_t i = 0; i < batch->head.records; i++) {
        const struct zs_record *record = &batch->records[i];
        if (record->type == ZS_RECORD_SEEN) {
            link->origin_seen = record->seen;
            link->seen_by = batch->head.history;
        } else if (record->type == ZS_RECORD_TXN)
            time_ms = record->txn.time_ms;
        else if (record->type == ZS_RECORD_HEARTBEAT && record->heartbeat.time_ms)
            time_ms = record->heartbeat.time_ms;
    }
    if (time_ms)
        zs_link_compare_clocks(link, time_ms);
}

void zs_intake_deliver(struct zs_link *link, uint64_t tag, struct zs_slice body, const char *dropped) {
    if (!body.at) {
        reject(link, tag, dropped);
        return;
    }
    struct zs_waiting *waiting = malloc(sizeof *waiting + body.len);
    if (!waiting) {
        reject(link, tag, "out of memory");
        return;
    }
    *waiting = (struct zs_waiting){.tag = tag, .len = body.len};
    memcpy(waiting->bytes, body.at, body.len);
    link->taken_bytes += body.len;
    if (link->waiting_last)
        link->waiting_last->next = waiting;
    else
        link->waiting = waiting;
    link->waiting_last = waiting;
    if (!link->hears_others)
        link->heard_at = zs_mono_ms(); // not when it is decoded: that may be long after
}

static struct zs_waiting *pop_waiting(struct zs_link *link) {
    struct zs_waiting *waiting = link->waiting;
    link->waiting = waiting->next;
    if (!link->waiting)
        link->waiting_last = NULL;
    link->taken_bytes -= waiting->len;
    return waiting;
}

static struct zs_held *new_held(struct zs_link *link) {
    struct zs_held *held = calloc(1, sizeof *held);
    if (!held)
        return NULL;
    held->arena = take_arena(link);
    held->rewrite = take_arena(link);
    if (held->arena && held->rewrite)
        return held;
    free_held(link, held);
    return NULL;
}

// Decodes what waits longest and puts it behind the others; rejects what is no batch of this link.
static void decode_next(struct zs_link *link) {
    struct zs_error e;
    struct zs_waiting *waiting = pop_waiting(link);
    struct zs_held *held = new_held(link);
    struct zs_batch_limits limits = batch_limits(link);
    const char *problem = NULL;
    if (!held)
        problem = "out of memory";
    else if (!zs_batch_decode(waiting->bytes, waiting->len, &limits, held->arena, &held->batch, &e))
        problem = e.text;
    else
        problem = batch_problem(link, &held->batch);
    const uint64_t tag = waiting->tag;
    if (held)
        link->taken_bytes += held->len = waiting->len;
    free(waiting);
    if (problem) {
        link->hears_others = true;
        reject(link, tag, problem);
        if (held)
            free_held(link, held);
        return;
    }
    if (link->hears_others)
        link->heard_at = zs_mono_ms();
    link->hears_others = false;
    held->tag = tag;
    hear_at_once(link, &held->batch);
    zs_dictionaries_hear(link, &held->batch);
    link->counters.batches++;
    if (held->batch.head.last > link->counters.received)
        link->counters.received = held->batch.head.last;
    if (link->held_last)
        link->held_last->next = held;
    else
        link->held = held;
    link->held_last = held;
    if (!link->fresh)
        link->fresh = held;
    ZS_FAILPOINT("applier_decoded");
}

// --- admission -------------------------------------------------------------------------------------------------------

static void unlink_held(struct zs_link *link, struct zs_held *held) {
    struct zs_held *before = NULL, *at = link->held;
    while (at != held) {
        before = at;
        at = at->next;
    }
    if (before)
        before->next = held->next;
    else
        link->held = held->next;
    if (link->held_last == held)
        link->held_last = before;
    if (link->fresh == held)
        link->fresh = held->next;
}

static void discard(struct zs_link *link, struct zs_held *held) {
    if (held == link->held)
        ack_later(link, held->tag);
    else
        ack(link, held->tag, false);
    unlink_held(link, held);
    free_held(link, held);
}

static void append(struct zs_link *link, struct zs_unit *unit) {
    zs_plan_measure(unit, &link->settings.limits);
    unit->held->ops += unit->op_count;
    unit->held->bytes += unit->bytes;
    if (link->last)
        link->last->next = unit;
    else
        link->first = unit;
    link->last = unit;
    if (!link->planned)
        link->planned = unit;
}

static struct zs_unit *new_unit(struct zs_held *held, int64_t zxid, zs_clock clock) {
    struct zs_unit *unit = zs_arena_take(held->rewrite, 1, sizeof *unit);
    if (!unit)
        return NULL;
    unit->held = held;
    unit->zxid = zxid;
    unit->clock = clock;
    return unit;
}

static bool admit_txn(struct zs_link *link, struct zs_held *held, const struct zs_record_txn *txn,
                      struct zs_error *e) {
    struct zs_unit *unit = new_unit(held, txn->zxid, txn->clock);
    if (!unit)
        return zs_fail(e, ZS_FATAL, "out of memory for a batch");
    unit->time_ms = txn->time_ms;
    const struct zs_op *ops = txn->ops;
    uint32_t count = txn->op_count;
    if (!zs_ahead_leave_out(&link->image.ahead, txn->zxid, held->rewrite, &ops, &count))
        return zs_fail(e, ZS_FATAL, "out of memory for a batch");
    unit->shown = count < txn->op_count;
    if (!zs_copies_rewrite(link->copies, ops, count, link->settings.filter, held->rewrite, &unit->ops,
                           &unit->op_count, e))
        return false;
    append(link, unit);
    return true;
}

static void note_session(struct zs_link *link, int64_t session) {
    struct zs_marker *marker = &link->marker;
    if (!session)
        return;
    for (uint32_t i = 0; i < marker->session_count; i++) {
        if (marker->sessions[i] == session)
            return;
    }
    if (marker->session_count == ZS_SESSIONS_MAX) { // the oldest one goes
        memmove(marker->sessions, marker->sessions + 1, (ZS_SESSIONS_MAX - 1) * sizeof *marker->sessions);
        marker->session_count--;
    }
    marker->sessions[marker->session_count++] = session;
}

// The sessions may run ahead of the marker (a session that was an applier's stays one); the positions may
// not. Our place never is a MARK's: what lies before it without a record has moved the clock as well, and
// only a TXN or the end of a batch says how far.
static bool admit_mark(struct zs_link *link, struct zs_held *held, const struct zs_record *record,
                       struct zs_error *e) {
    struct zs_unit *unit = new_unit(held, 0, 0);
    if (!unit)
        return zs_fail(e, ZS_FATAL, "out of memory for a batch");
    note_session(link, record->mark.session);
    unit->mark = record;
    append(link, unit);
    return true;
}

static bool admit_record(struct zs_link *link, struct zs_held *held, const struct zs_record *record,
                         struct zs_error *e) {
    if (record->type == ZS_RECORD_TXN)
        return record->txn.zxid <= link->expected || admit_txn(link, held, &record->txn, e);
    if (record->type == ZS_RECORD_MARK)
        return record->mark.zxid <= link->expected || admit_mark(link, held, record, e);
    if (record->type != ZS_RECORD_HEARTBEAT) // the others have been heard
        return true;
    if (held->batch.head.last < link->expected)
        return true; // an old batch once more: it knows less than we do
    link->marker.session_count = 0;
    for (uint32_t i = record->heartbeat.session_count; i-- > 0;)
        note_session(link, record->heartbeat.sessions[i]);
    struct zs_unit *unit = new_unit(held, 0, 0);
    if (!unit)
        return zs_fail(e, ZS_FATAL, "out of memory for a batch");
    unit->time_ms = record->heartbeat.time_ms;
    unit->mark = record;
    append(link, unit);
    return true;
}

static bool admit_records(struct zs_link *link, struct zs_held *held, struct zs_error *e) {
    const struct zs_batch_head *head = &held->batch.head;
    bool checkpoint = false;
    for (uint32_t i = 0; i < head->records; i++) {
        checkpoint = checkpoint || held->batch.records[i].type == ZS_RECORD_CHECKPOINT;
        if (!admit_record(link, held, &held->batch.records[i], e))
            return false;
    }
    struct zs_unit *end = new_unit(held, head->last, head->clock_last);
    if (!end)
        return zs_fail(e, ZS_FATAL, "out of memory for a batch");
    end->ends_batch = true;
    append(link, end);
    end->alone = end->checkpoint =
        checkpoint; // the marker is written when its turn comes, with nothing in flight
    if (head->last > link->expected)
        link->expected = head->last;
    return true;
}

static void open_gap(struct zs_link *link, const struct zs_batch_head *head) {
    if (link->gap)
        return;
    // What has no effect here is done without a write: who starts does not know how far the one before it was.
    const bool first = !link->goes_on;
    link->gap = true;
    link->counters.gaps += !first;
    link->feedback.due = true;
    zs_logf(link->log, first ? ZS_LEVEL_INFO : ZS_LEVEL_WARN,
            "%s: a batch continues after 0x%" PRIx64 ", this site is at 0x%" PRIx64, link->names.link,
            (uint64_t)head->prev, (uint64_t)link->expected);
}

// Whether the batch speaks of the zxids that our position is one of. If not, only an image helps.
static bool same_history(struct zs_link *link, const struct zs_batch_head *head) {
    if (zs_history_equal(&head->history, &link->marker.history))
        return true;
    char ours[ZS_UUID_TEXT], theirs[ZS_UUID_TEXT], why[200];
    zs_history_format(&link->marker.history, ours);
    zs_history_format(&head->history, theirs);
    snprintf(why, sizeof why, "its history is %s, this site followed %s: it was wiped, restored or replaced",
             theirs, ours);
    zs_image_want(link, "/", true, why);
    return false;
}

// The origin cannot go on from where we are; it says so with each heartbeat.
static bool hear_broken(struct zs_link *link, const struct zs_batch *batch) {
    for (uint32_t i = 0; i < batch->head.records; i++) {
        if (batch->records[i].type != ZS_RECORD_BROKEN)
            continue;
        if (batch->records[i].broken.zxid == link->position)
            zs_image_want(link, "/", true, batch->records[i].broken.reason);
        return true;
    }
    return false;
}

// The first batch ever. False: the place is lost, and the batch stays.
static bool adopt(struct zs_link *link, struct zs_held *held, bool *done) {
    const struct zs_batch_head *head = &held->batch.head;
    // Only a batch that covers the origin from its beginning may be the first. A mere sign of life covers nothing: it tells where the
    // sender stands, which may wait for something else than a place in the stream.
    *done = head->prev > 0 || head->last == 0;
    if (*done) {
        if (head->prev > 0)
            open_gap(link, head);
        discard(link, held);
        return true;
    }
    return zs_recover_adopt(link, head);
}

static bool admit_image(struct zs_link *link, struct zs_held *held) {
    uint32_t taken;
    while (link->waiting) // several parts are merged at once
        decode_next(link);
    switch (zs_image_take(link, held, &taken)) {
    case ZS_PROGRESS_DONE:
        for (struct zs_held *next; taken--; held = next) {
            next = held->next;
            discard(link, held);
        }
        zs_intake_ack_done(link); // the broker sends more while the next ones are merged
        return true;
    case ZS_PROGRESS_NOT_YET:
        break;
    case ZS_PROGRESS_LOST:
        zs_image_forget(link);
        zs_link_lose_place(link);
        break;
    }
    return false;
}

// A clock that runs far ahead would lift ours, and with it those of all sites, for good. So what brings one
// is discarded, and nothing is asked for: the origin still has it. What comes once the clocks agree again
// shows the hole, and then it is asked for.
static bool is_ahead(struct zs_link *link, const struct zs_batch_head *head) {
    link->ahead = zs_clock_ms(head->clock_last) - zs_wall_ms() > link->settings.clock_ahead_ms;
    return link->ahead;
}

// zoospan.zookeeper names the origin's own ensemble, or this one was made of a copy of its data. What would be written would be the
// origin's own nodes once more. As above, nothing is lost.
static bool is_own(struct zs_link *link, const struct zs_batch_head *head) {
    link->own_stream = zs_link_is_own(link, &head->history);
    return link->own_stream;
}

// Takes the first fresh batch out of `fresh`. False: it stays there (the place was lost; it is looked at again when we
// have recovered), or it was rejected and the place is lost.
static bool admit(struct zs_link *link, struct zs_held *held) {
    const struct zs_batch_head *head = &held->batch.head;
    if (is_ahead(link, head) || is_own(link, head)) {
        discard(link, held);
        return true;
    }
    if (zs_image_is(&held->batch))
        return admit_image(link, held);
    if (hear_broken(link, &held->batch) || link->image.broken ||
        (link->image.run && head->last == head->prev)) {
        discard(link, held); // until the image is taken, or it is a sign of life between two parts of it
        return true;
    }
    if (!zs_history_known(&link->marker.history)) {
        bool done;
        if (!adopt(link, held, &done) || done)
            return done;
    }
    if (!same_history(link, head)) {
        discard(link, held);
        return true;
    }
    if (head->prev > link->expected) {
        open_gap(link, head);
        discard(link, held);
        return true;
    }
    bool goes_on = head->last > link->expected || head->prev == link->expected;
    link->goes_on = link->goes_on || goes_on;
    if (link->gap && goes_on) {
        link->gap = false;
        link->feedback.due = true;
    }
    struct zs_error e;
    if (admit_records(link, held, &e)) {
        link->fresh = held->next;
        return true;
    }
    // Units of it are listed and the records of ephemerals have moved on: begin anew without this batch.
    reject(link, held->tag, e.text);
    link->first = link->last = link->planned = link->slow_until = NULL;
    unlink_held(link, held);
    free_held(link, held);
    zs_link_lose_place(link);
    return false;
}

// Whether the batches behind the one that is sent next fill a multi: more is decoded once that is sent, while it is in the
// processor's cache. Of a stream of which little is applied here, much has to be decoded for that.
static bool enough_planned(const struct zs_link *link) {
    enum { RECORDS_PER_OP = 64 };
    const struct zs_plan_limits *limits = &link->settings.limits;
    uint64_t records = 0, ops = 0, bytes = 0;
    const struct zs_held *held = link->planned ? link->planned->held->next : NULL;
    for (; held && held != link->fresh; held = held->next) {
        records += held->batch.head.records;
        ops += held->ops;
        bytes += held->bytes;
        if (ops >= limits->ops_max || bytes >= limits->bytes_max ||
            records >= RECORDS_PER_OP * (uint64_t)limits->ops_max)
            return true;
    }
    return false;
}

bool zs_intake_has_work(const struct zs_link *link) {
    if (!link->positioned || !(link->fresh || link->waiting))
        return false;
    if (link->fresh && zs_image_is(&link->fresh->batch))
        return !link->first;
    return !enough_planned(link);
}

void zs_intake_admit(struct zs_link *link) {
    while (zs_intake_has_work(link)) {
        if (!link->fresh)
            decode_next(link);
        else if (!admit(link, link->fresh))
            return;
    }
    if (link->positioned && link->receive)
        zs_link_set_flow_state(link);
}

void zs_intake_readmit(struct zs_link *link) {
    link->first = link->last = link->planned = link->slow_until = NULL;
    link->expected = link->position;
    link->fresh = link->held;
    for (struct zs_held *held = link->held; held; held = held->next) {
        zs_arena_reset(held->rewrite);
        held->ops = held->bytes = 0;
    }
}

void zs_intake_drop_all(struct zs_link *link) {
    link->first = link->last = link->planned = link->slow_until = NULL;
    while (link->held) {
        struct zs_held *held = link->held;
        link->held = held->next;
        free_held(link, held);
    }
    link->held_last = link->fresh = NULL;
    while (link->waiting)
        free(pop_waiting(link));
    link->done_count = 0;
    link->expected = link->position;
}

// --- done ------------------------------------------------------------------------------------------------------------

static void note_position(struct zs_link *link, const struct zs_position *seen) {
    for (uint32_t i = 0; i < link->position_count; i++) {
        struct zs_position *known = &link->positions[i];
        if (strcmp(known->site, seen->site) != 0)
            continue;
        known->zxid = seen->zxid;
        return;
    }
    if (link->position_count < ZS_VECTOR_MAX)
        link->positions[link->position_count++] = *seen;
}

static void take_over(struct zs_link *link, const struct zs_record *record) {
    if (record->type == ZS_RECORD_MARK) {
        note_position(link, &record->mark.seen);
        return;
    }
    link->position_count = 0;
    for (uint32_t i = 0; i < record->heartbeat.vector_count; i++)
        note_position(link, &record->heartbeat.vector[i]);
}

void zs_intake_finish(struct zs_link *link, const struct zs_unit *last) {
    bool more = true;
    while (more) {
        struct zs_unit *unit = link->first;
        assert(unit);
        more = unit != last;
        zs_unit_moves(unit, &link->position, &link->clock);
        if (unit->mark)
            take_over(link, unit->mark);
        zs_link_whole_until(link, unit->time_ms);
        link->counters.txns += unit->op_count > 0;
        if ((unit->op_count || unit->shown) && unit->zxid > link->counters.effective)
            link->counters.effective = unit->zxid;
        link->first = unit->next;
        if (link->planned == unit)
            link->planned = unit->next;
        if (link->slow_until == unit)
            link->slow_until = NULL;
        if (!link->first)
            link->last = NULL;
        if (!unit->ends_batch)
            continue;
        struct zs_held *held = unit->held;
        assert(held == link->held); // what stands before it is done or was discarded
        ack_later(link, held->tag);
        unlink_held(link, held);
        free_held(link, held);
    }
}
