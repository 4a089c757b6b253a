// The fast path: units to multis, several in flight, no reads.
#include "link.h"

#include <assert.h>
#include <inttypes.h>
#include <zookeeper/zookeeper.h>

#include "zs_failpoint.h"

static struct zs_flight *flight_at(struct zs_link *link, uint32_t index) {
    assert(link->flights);
    return &link->flights[(link->flight_first + index) % link->settings.depth];
}

// --- landing ---------------------------------------------------------------------------------------------------------

static void pop_flight(struct zs_link *link) {
    zs_request_clear(&flight_at(link, 0)->request);
    link->flight_first = (link->flight_first + 1) % link->settings.depth;
    link->flight_count--;
}

static void note_copies(struct zs_link *link, const struct zs_flight *flight) {
    for (const struct zs_unit *unit = flight->first; unit; unit = unit == flight->last ? NULL : unit->next) {
        for (uint32_t i = 0; unit->makes_copies && i < unit->op_count; i++) {
            const struct zs_op *op = &unit->ops[i];
            if (op->type == ZS_OP_CREATE && zs_copies_is_record(op))
                zs_copies_landed(link->copies, op->partner, flight->request.changed);
        }
    }
}

static void land_first(struct zs_link *link) {
    struct zs_flight *flight = flight_at(link, 0);
    link->counters.multis++;
    link->counters.ops += flight->ops;
    link->durable = flight->zxid;
    link->marker_fence = flight->request.changed;
    zs_recover_wrote(link, flight->theirs, flight->request.changed);
    zs_journal_landed(&link->journal, flight->request.changed);
    note_copies(link, flight);
    ZS_FAILPOINT("applier_landed");
    zs_intake_finish(link, flight->last);
    pop_flight(link);
}

static void note_loss(struct zs_link *link, const struct zs_flight *flight) {
    if (flight->request.rc == ZCONNECTIONLOSS)
        zs_doubt_lost(&link->doubt, flight->first->zxid, flight->bytes, zs_mono_ms() - flight->sent_ms);
}

// The first flight has failed: nothing of it or behind it took effect, unless its outcome is not known.
static void decide(struct zs_link *link) {
    struct zs_flight *flight = flight_at(link, 0);
    const struct zs_request *request = &flight->request;
    if (request->outcome == ZS_UNKNOWN) {
        note_loss(link, flight);
        zs_link_set_state(link, ZS_APPLY_RECOVER, zs_rc_text(request->rc));
        zs_link_lose_place(link);
    } else if (request->failed_step >= flight->ops) {
        link->counters.fenced++;
        zs_link_set_state(link, ZS_APPLY_RECOVER,
                          request->failed_step + 1 == request->step_count
                              ? "the marker was moved by somebody else"
                              : "the journal was changed by somebody else");
        zs_recover_later(link);
    } else {
        zs_logf(link->log, ZS_LEVEL_DEBUG, "%s: a multi with 0x%" PRIx64 " to 0x%" PRIx64 " was refused: %s",
                link->names.link, (uint64_t)flight->first->zxid, (uint64_t)flight->last->zxid,
                zs_rc_text(request->rc));
        link->planned = flight->first;
        link->slow_until = flight->last;
        link->marker_version -= (int32_t)link->flight_count; // none of them has counted
        while (link->flight_count)
            pop_flight(link);
        zs_journal_failed(&link->journal);
    }
}

void zs_fast_collect(struct zs_link *link) {
    zs_client_collect(&link->client);
    while (link->positioned && link->flight_count && !flight_at(link, 0)->request.pending) {
        if (flight_at(link, 0)->request.outcome == ZS_DONE) {
            land_first(link);
            continue;
        }
        zs_client_drain(&link->client);
        decide(link);
    }
}

void zs_fast_land(struct zs_link *link) {
    zs_client_drain(&link->client);
    zs_fast_collect(link);
}

// --- taking off ------------------------------------------------------------------------------------------------------

static bool build(struct zs_link *link, const struct zs_plan *plan, struct zs_flight *flight) {
    zs_arena_reset(link->scratch);
    struct zs_step *steps = zs_arena_take_raw(link->scratch, plan->ops + ZS_LINK_STEPS, sizeof *steps);
    if (!steps)
        return false;
    uint32_t count = 0;
    for (struct zs_unit *unit = flight->first;; unit = unit->next) {
        zs_unit_moves(unit, &flight->zxid, &flight->clock);
        for (uint32_t i = 0; i < unit->op_count; i++)
            steps[count++] = zs_plan_step(&unit->ops[i]);
        if (unit == plan->last)
            break;
        assert(unit->next); // zs_plan_next came to `last` this way
    }
    count = zs_link_end_multi(link, steps, count, flight->zxid, flight->clock, 0);
    flight->request = (struct zs_request){.type = ZS_REQUEST_STEPS, .steps = steps, .step_count = count};
    return count > 0;
}

static void take_off(struct zs_link *link, const struct zs_plan *plan) {
    assert(link->planned && plan->last);
    if (!zs_recover_register(link))
        return;
    struct zs_flight *flight = flight_at(link, link->flight_count);
    const struct zs_flight *before = link->flight_count ? flight_at(link, link->flight_count - 1) : NULL;
    // Where the marker goes on from: a batch that came twice, or a heartbeat, must not take it back.
    *flight = (struct zs_flight){.first = link->planned,
                                 .last = plan->last,
                                 .ops = plan->ops,
                                 .zxid = before ? before->zxid : link->position,
                                 .clock = before ? before->clock : link->clock};
    if (!build(link, plan, flight)) {
        zs_logf(link->log, ZS_LEVEL_ERROR, "%s: out of memory for a multi of %u ops", link->names.link,
                plan->ops);
        zs_link_lose_place(link);
        zs_backoff_fail(&link->recover_backoff);
        return;
    }
    link->planned = flight->last->next;
    link->marker_version++;
    link->flight_count++;
    flight->theirs = zs_history_theirs(link);
    flight->sent_ms = zs_mono_ms();
    flight->bytes = zs_plan_request_bytes(flight->request.steps, flight->request.step_count);
    ZS_FAILPOINT("applier_submit");
    zs_client_submit(&link->client, &flight->request);
    ZS_FAILPOINT("applier_submitted");
}

// Units without effect have passed since the marker was written last: so many that a restart should not repeat them?
static bool checkpoint_due(const struct zs_link *link) {
    if (!link->marker_exists || link->position <= link->durable)
        return false;
    bool same_epoch = link->position >> 32 == link->durable >> 32;
    int64_t passed = (link->position & 0xffffffff) - (same_epoch ? link->durable & 0xffffffff : 0);
    return passed >= link->settings.checkpoint_txns;
}

void zs_fast_fill(struct zs_link *link) {
    while (link->positioned && link->planned && !link->slow_until &&
           link->flight_count < link->settings.depth) {
        struct zs_plan plan = zs_plan_next(link->planned, &link->settings.limits);
        if (!plan.last)
            return; // must go alone: the slow path's, once nothing is in flight
        if (plan.ops) {
            if (link->flight_count && zs_recover_version_exhausted(link))
                return; // the marker is made anew once nothing is in flight
            take_off(link, &plan);
        } else if (link->flight_count == 0) {
            zs_intake_finish(link, plan.last);
        } else {
            return; // nothing to write: done when what is in flight before it is
        }
    }
    if (link->positioned && !link->planned && !link->flight_count && checkpoint_due(link) &&
        zs_recover_register(link) && zs_slow_write_marker(link, link->position, link->clock) != ZS_DONE)
        zs_link_lose_place(link);
}
