// One turn of a connected link. sender.c tells the whole story.
#include <stdio.h>
#include <string.h>

#include "zs_failpoint.h"
#include "zs_link.h"

enum {
    ENTRIES_PER_TURN = 1024, // then the sockets get their turn
    REWIND_AGAIN_MS = 5000,
    PATIENCE_MS = 4,
    BUSY_HEARTBEATS = 10, // a busy link's heartbeats are so much rarer
    FULL_LOOK_MS = 5000,
    UNCONFIRMED_SAY_MS = 5000,
    UNCONFIRMED_MAX_MS = 30 * 1000, // then the connection is given up: another node may be better
};

// --- reports ---------------------------------------------------------------------------------------------------------

// As long as this site's history is not known, a report's place means nothing.
static void note_anchor(struct zs_sender *s, const struct zs_report *report) {
    bool ours = zs_history_known(&report->history) && zs_history_equal(&report->history, &s->history);
    const struct zs_checkpoint at = {.zxid = ours ? report->applied : 0, .clock = report->clock};
    if (!zs_history_known(&s->history))
        return;
    zs_anchors_note(s->settings.anchors, !s->anchored, &s->history, &at);
    s->anchored = true;
}

static void take_report(struct zs_sender *s, const struct zs_report *report) {
    if (strcmp(report->origin, s->settings.origin) != 0 ||
        strcmp(report->destination, s->settings.destination) != 0) {
        zs_logf(s->log, ZS_LEVEL_WARN, "link %s: ignores a report for %s->%s in queue %s", s->names.link,
                report->origin, report->destination, s->names.feedback);
        return;
    }
    zs_lag_hear(s, report);
    note_anchor(s, report);
    s->report = *report;
    s->reported = true;
    s->deaf[0] = '\0';
    zs_outbound_hear(s->outbound, report);
    s->status.applied = report->applied;
    zs_way_reported(&s->way, report->applied, zs_mono_ms());
}

void zs_link_hear_report(struct zs_sender *s, struct zs_slice body, const char *dropped) {
    struct zs_report report;
    struct zs_error bad = {0};
    if (body.at && zs_report_decode(body.at, body.len, &report, &bad))
        take_report(s, &report);
    else
        zs_logf(s->log, ZS_LEVEL_WARN, "link %s: ignores a report that cannot be read: %s%s", s->names.link,
                dropped, bad.text);
}

static bool read_reports(struct zs_sender *s, struct zs_error *e) {
    struct zs_amqp_event event;
    do {
        if (!zs_amqp_next(s->topology.feedback, ZS_REPORT_BYTES_MAX, &event, e))
            return false;
        if (event.type != ZS_AMQP_DELIVERY)
            continue;
        zs_link_hear_report(s, event.body, event.text);
        if (!zs_amqp_ack(s->topology.feedback, event.tag, false, e))
            return false;
    } while (event.type != ZS_AMQP_NONE);
    return true;
}

// Reports have a connection of their own. While it is away, or cannot be had, the stream goes on. False: their queue is gone, and
// has to be made again with all the others. Who stands by takes copies of them.
bool zs_link_look_after_reports(struct zs_sender *s, struct zs_error *e) {
    struct zs_error lost = {0};
    if (s->reported && !s->anchored)
        note_anchor(s, &s->report);
    bool copies = s->state == ZS_LINK_STANDBY;
    bool idle = !s->topology.feedback && !s->topology.feedback_dial;
    if (idle && zs_mono_ms() < s->listen_at)
        return true;
    switch (zs_topology_listen(&s->topology, &s->settings, &s->names, copies, s->watchdog, &lost)) {
    case ZS_OPENING_PENDING:
        return true;
    case ZS_OPENING_DONE:
        if (read_reports(s, &lost))
            return true;
        break;
    case ZS_OPENING_FAILED:
        break;
    }
    if (lost.code == ZS_ABSENT)
        return zs_fail(e, ZS_ABSENT, "%s", lost.text);
    bool news = zs_news(&s->news, lost.text, zs_mono_ms());
    zs_logf(s->log, s->topology.feedback_tries > 1 && !news ? ZS_LEVEL_DEBUG : ZS_LEVEL_WARN,
            "link %s: no reports from %s: %s", s->names.link, s->settings.destination, lost.text);
    snprintf(s->deaf, sizeof s->deaf, "cannot hear the destination: %.200s", lost.text);
    zs_topology_deafen(&s->topology);
    s->listen_at = zs_mono_ms() + zs_link_backoff_ms(s, (int)s->topology.feedback_tries);
    return true;
}

// --- the window ------------------------------------------------------------------------------------------------------

bool zs_link_read_publisher(struct zs_sender *s, struct zs_error *e) {
    struct zs_amqp_event event;
    do {
        if (!zs_amqp_next(s->topology.publisher, ZS_REPORT_BYTES_MAX, &event, e))
            return false;
        switch (event.type) {
        case ZS_AMQP_CONFIRM:
            ZS_FAILPOINT("sender_confirm");
            if (zs_window_settle(&s->window, event.tag, event.multiple, true)) {
                s->confirmed_since_publish = true;
                s->unconfirmed_since = 0;
                if (!s->window.refused) {
                    s->failures = 0;
                    s->full_said = false;
                }
            }
            break;
        case ZS_AMQP_NACK:
            s->status.nacked++;
            zs_window_settle(&s->window, event.tag, event.multiple, false);
            s->unconfirmed_since = 0;
            break;
        case ZS_AMQP_RETURNED:
            // Its confirm would follow: the broker has done its duty, but the batch is nowhere.
            s->status.returned++;
            return zs_fail(e, ZS_RETRY, "RabbitMQ returned a batch: %s (is queue %s there, and bound?)",
                           event.text, s->names.queue);
        case ZS_AMQP_BLOCKED:
            s->blocked = true;
            snprintf(s->hindrance, sizeof s->hindrance, "RabbitMQ blocks publishers: %.250s", event.text);
            zs_logf(s->log, ZS_LEVEL_WARN, "link %s: RabbitMQ blocks publishers: %s", s->names.link,
                    event.text);
            break;
        case ZS_AMQP_UNBLOCKED:
            s->blocked = false;
            zs_logf(s->log, ZS_LEVEL_INFO, "link %s: RabbitMQ takes messages again", s->names.link);
            break;
        case ZS_AMQP_DELIVERY:
        case ZS_AMQP_NONE:
            break;
        }
    } while (event.type != ZS_AMQP_NONE);
    return true;
}

// A queue without a majority of its nodes takes messages, and says nothing.
static bool mind_confirms(struct zs_sender *s, struct zs_error *e) {
    int64_t now = zs_mono_ms();
    if (s->window.count == 0 || s->blocked)
        s->unconfirmed_since = 0;
    else if (!s->unconfirmed_since)
        s->unconfirmed_since = now;
    int64_t waited = s->unconfirmed_since ? now - s->unconfirmed_since : 0;
    bool said = s->unconfirmed_said;
    s->unconfirmed_said = waited >= UNCONFIRMED_SAY_MS;
    if (s->unconfirmed_said)
        snprintf(s->hindrance, sizeof s->hindrance,
                 "RabbitMQ confirms nothing for %d s: " ZS_AMQP_NO_MAJORITY
                 " (if it is a quorum queue), or RabbitMQ is overloaded",
                 (int)(waited / 1000));
    if (s->unconfirmed_said && !said)
        zs_logf(s->log, ZS_LEVEL_WARN, "link %s: %s", s->names.link, s->hindrance);
    return waited < UNCONFIRMED_MAX_MS || zs_fail(e, ZS_RETRY, "%s", s->hindrance);
}

int64_t zs_link_mind_confirms_at(const struct zs_sender *s, int64_t now) {
    if (!s->unconfirmed_since)
        return now + UNCONFIRMED_SAY_MS;
    return s->unconfirmed_since + (s->unconfirmed_said ? UNCONFIRMED_MAX_MS : UNCONFIRMED_SAY_MS);
}

// --- the stream ------------------------------------------------------------------------------------------------------

static void be_lost(struct zs_sender *s, const struct zs_error *e) {
    char reason[sizeof s->status.detail];
    snprintf(reason, sizeof reason, "cannot go on behind zxid 0x%llx: %.400s", (unsigned long long)s->place,
             e->text);
    zs_gap_enter(s, reason, true);
}

// Goes to a place in the stream; false (and GAP) if neither backlog nor txn log reach back to it.
static bool seek(struct zs_sender *s, const struct zs_checkpoint *at) {
    struct zs_error e = {0};
    // Up to the beginning there was nothing to carry: batches say that they cover it.
    if (!zs_source_seek(s, at->zxid ? at->zxid : s->beginning, &e)) {
        be_lost(s, &e);
        return false;
    }
    zs_outbound_seek(s->outbound, &s->history, at);
    zs_window_reset(&s->window, s->settings.window_batches, at);
    zs_way_reset(&s->way);
    s->cut = false;
    s->resumes = true;
    if (zs_link_streams(s) && (s->state == ZS_LINK_LOG) != s->reads_log)
        zs_link_move(s, s->reads_log ? ZS_LINK_LOG : ZS_LINK_LIVE, "goes back to what was confirmed");
    return true;
}

void zs_link_stream_from(struct zs_sender *s, const struct zs_checkpoint *at) {
    if (zs_link_tree_is_other(s)) {
        zs_gap_enter(s, "this server's tree was exchanged while it ran: what was sent is not of it", false);
        return;
    }
    if (!seek(s, at))
        return;
    char detail[64];
    snprintf(detail, sizeof detail, "continues after zxid 0x%llx%s", (unsigned long long)at->zxid,
             s->reads_log ? ", from the txn log" : "");
    s->heartbeat_at = zs_mono_ms(); // the destination learns at once where we are
    s->rewound_to = at->zxid;
    s->rewind_after = zs_mono_ms() + REWIND_AGAIN_MS;
    zs_link_move(s, s->reads_log ? ZS_LINK_LOG : ZS_LINK_LIVE, detail);
}

// The destination still asks for the image that it is taking: what comes behind it goes on.
static struct zs_checkpoint behind_image(const struct zs_sender *s) {
    const struct zs_checkpoint place = zs_image_goes_on(s);
    return s->resumes && s->window.confirmed.zxid >= place.zxid ? s->window.confirmed : place;
}

static void decide(const struct zs_sender *s, struct zs_start *start) {
    struct zs_start_facts facts = {
        .history = s->history,
        .followed = s->has_marker ? s->marker.history : (struct zs_history){{0}},
        .reborn = s->has_marker && s->marker.reborn,
        .rollback = s->rollback,
        .bounds = zs_backlog_bounds(s->backlog),
        .beginning = s->beginning,
        .other_tree = zs_link_tree_is_other(s),
        .reported = s->reported,
        .report = s->report,
        .resumes = s->resumes,
        .confirmed = s->window.confirmed,
    };
    zs_start_decide(&facts, start);
}

// Whether the destination's place is one of this history, if it says so: a proof of the contrary changes the decision.
static bool place_is_disproved(struct zs_sender *s, const struct zs_start *start, bool *more) {
    bool place = start->behind || (start->verdict == ZS_START_AT && s->report.applied > 0);
    return place && zs_history_known(&s->report.history) && zs_rollback_look(s, more);
}

static void decide_start(struct zs_sender *s, bool *more) {
    // No place before a txn that cannot be sent leads past it, but an image does.
    bool stuck = s->stuck_zxid > 0 && s->report.need != ZS_NEED_IMAGE;
    if (s->state == ZS_LINK_GAP && !zs_gap_look_again(s))
        return;
    if (s->state == ZS_LINK_GAP && stuck) {
        zs_gap_follow(s);
        return;
    }
    struct zs_start start;
    decide(s, &start);
    if (place_is_disproved(s, &start, more))
        decide(s, &start);
    switch (start.verdict) {
    case ZS_START_WAIT:
        zs_link_move(s, ZS_LINK_POSITION, !s->reported && s->deaf[0] ? s->deaf : start.reason);
        break;
    case ZS_START_GAP:
        zs_gap_enter(s, start.reason, false);
        break;
    case ZS_START_IMAGE:
        if (zs_image_awaited(s)) {
            start.at = behind_image(s);
            zs_link_stream_from(s, &start.at);
        } else {
            zs_image_begin(s);
        }
        break;
    case ZS_START_AT:
        zs_link_stream_from(s, &start.at);
        break;
    }
}

static bool lacks_image(const struct zs_sender *s) {
    return s->has_marker && zs_start_lacks_image(&s->report, &s->marker.history, s->marker.reborn);
}

// What the newest report asks of a link that streams. False if it does so no more.
static bool obey_report(struct zs_sender *s, bool *more) {
    const struct zs_report *report = &s->report;
    if (!s->reported || zs_image_awaited(s))
        return true;
    if (report->need == ZS_NEED_IMAGE || lacks_image(s) ||
        (zs_history_known(&report->history) && !zs_history_equal(&report->history, &s->history))) {
        s->resumes = false;
        decide_start(s, more);
        return false;
    }
    if (report->need != ZS_NEED_FROM || report->applied >= zs_outbound_cursor(s->outbound).zxid)
        return true;
    int64_t now = zs_mono_ms();
    if (report->applied == s->rewound_to && now < s->rewind_after)
        return true;
    s->status.rewinds++;
    s->rewound_to = report->applied;
    s->rewind_after = now + REWIND_AGAIN_MS;
    zs_logf(s->log, ZS_LEVEL_WARN, "link %s: %s misses what follows zxid 0x%llx: sends it again",
            s->names.link, s->settings.destination, (unsigned long long)report->applied);
    s->resumes = false;
    decide_start(s, more);
    return zs_link_streams(s);
}

void zs_link_say_full(struct zs_sender *s) {
    if (!s->full_said)
        s->full_look_at = zs_mono_ms() + FULL_LOOK_MS;
    snprintf(s->hindrance, sizeof s->hindrance,
             "RabbitMQ refused a batch: queue %s is full (queue_bytes_max)", s->names.queue);
    if (!s->full_said)
        zs_logf(s->log, ZS_LEVEL_WARN, "link %s: %s", s->names.link, s->hindrance);
    s->full_said = true;
}

// A channel on which a batch met a quorum queue without a leader refuses all that come after it, for ever, although the queue is
// empty: only another channel helps.
static bool mind_refusals(struct zs_sender *s, struct zs_error *e) {
    struct zs_amqp_queue_count count;
    if (!s->full_said || s->blocked || zs_mono_ms() < s->full_look_at)
        return true;
    s->full_look_at = zs_mono_ms() + FULL_LOOK_MS;
    if (!zs_amqp_count_queue(s->topology.publisher, s->names.queue, &count, e))
        return false;
    return count.messages > 0 ||
           zs_fail(e, ZS_RETRY, "RabbitMQ refuses all batches although queue %s is empty: connects anew",
                   s->names.queue);
}

// After a refused batch: once nothing is in flight, back to the confirmed prefix, and hold off.
static bool go_back_behind_refused(struct zs_sender *s) {
    if (!s->window.refused)
        return true;
    if (s->window.count > 0)
        return false;
    struct zs_checkpoint confirmed = s->window.confirmed;
    s->failures++;
    s->hold_until = zs_mono_ms() + zs_link_backoff_ms(s, s->failures);
    zs_link_say_full(s);
    seek(s, &confirmed);
    return false;
}

// The origin's time up to which the stream is whole at its end; 0: not known. What was committed before the
// backlog is looked at is in it.
static int64_t whole_until(const struct zs_sender *s) {
    const int64_t now = zs_wall_ms();
    bool ended =
        s->state == ZS_LINK_LIVE && !s->entry_waits && zs_backlog_bounds(s->backlog).last <= s->place;
    return ended ? now : zs_outbound_taken(s->outbound).time_ms;
}

// What this site has of the destination goes along with heartbeats, to one whose version knows SEEN. So they are not left out
// for ever where batches never pause: a destination that was restored, or whose applier began anew, has to hear it.
bool zs_link_publish(struct zs_sender *s, bool heartbeat, bool *fits, struct zs_error *e) {
    const struct zs_record_seen seen = {.history = s->marker.history, .zxid = s->marker.zxid};
    bool tells = s->reported && s->report.takes_images && s->has_marker && zs_history_known(&seen.history);
    const struct zs_heartbeat beat = {.time_ms = whole_until(s), .seen = tells ? &seen : NULL};
    if (!zs_outbound_finish(s->outbound, heartbeat ? &beat : NULL, &s->outgoing, e))
        return false;
    *fits = !s->message_bytes_max || s->outgoing.message.len <= s->message_bytes_max;
    if (*fits && !zs_link_publish_again(s, e))
        return false;
    if (!*fits)
        s->heartbeat_at = zs_mono_ms() + s->settings.heartbeat_ms;
    s->heartbeat_owed = heartbeat && !s->outgoing.heartbeat;
    return true;
}

bool zs_link_publish_again(struct zs_sender *s, struct zs_error *e) {
    uint64_t tag;
    ZS_FAILPOINT("sender_publish");
    if (!zs_topology_publish(&s->topology, &s->names, &s->outgoing, &tag, e))
        return false;
    ZS_FAILPOINT("sender_published");
    const struct zs_batch_head *head = &s->outgoing.head;
    const struct zs_checkpoint last = {.zxid = head->last, .clock = head->clock_last};
    zs_window_push(&s->window, tag, &last);
    if (head->last > head->prev)
        zs_way_left(&s->way, head->last);
    s->confirmed_since_publish = false;
    s->heartbeat_at = zs_mono_ms() + s->settings.heartbeat_ms;
    if (s->outgoing.heartbeat)
        s->busy_heartbeat_at = zs_mono_ms() + BUSY_HEARTBEATS * s->settings.heartbeat_ms;
    s->status.batches++;
    s->status.raw_bytes += head->raw_bytes;
    s->status.wire_bytes += s->outgoing.message.len;
    return true;
}

static bool something_waits(const struct zs_sender *s) {
    return zs_outbound_waiting_txns(s->outbound) > 0 || zs_outbound_urgent(s->outbound);
}

// A batch that is larger than RabbitMQ takes goes once more, txn by txn. A txn that is too large by itself cannot be sent.
static void cut_batch(struct zs_sender *s) {
    const struct zs_batch_head *head = &s->outgoing.head;
    char reason[sizeof s->status.detail];
    if (s->one_by_one_until < head->last || s->outgoing.heartbeat) {
        s->one_by_one_until = head->last;
        zs_outbound_one_by_one(s->outbound, head->last);
        s->cut = true;
        s->cut_at = (struct zs_checkpoint){.zxid = head->prev, .clock = head->clock_prev};
        return;
    }
    snprintf(reason, sizeof reason,
             "zxid 0x%llx cannot be sent: a message of %zu bytes, and RabbitMQ takes %zu at most "
             "(max_message_size)",
             (unsigned long long)head->last, s->outgoing.message.len, s->message_bytes_max);
    s->stuck_zxid = head->last;
    zs_gap_enter(s, reason, false);
}

// Self-clocking: with nothing in flight, or a confirm since the last batch, send what there is; otherwise gather until
// the batch is full, the next confirm comes, or patience ends. Batches grow by themselves as the broker slows down, and one
// that is far away, or whose disk stalls, does not make each batch wait for the one before.
static bool publish_what_is_due(struct zs_sender *s, struct zs_error *e) {
    int64_t now = zs_mono_ms();
    if (s->blocked || zs_window_full(&s->window) || now < s->hold_until)
        return true;
    bool full = s->entry_waits || zs_outbound_full(s->outbound);
    bool clocked = s->window.count == 0 || s->confirmed_since_publish || now >= s->patient_until;
    bool txns = something_waits(s);
    bool heartbeat = now >= s->heartbeat_at || now >= s->busy_heartbeat_at || s->heartbeat_owed;
    if (!full && !(txns && clocked) && !heartbeat)
        return true;
    s->rest_until = full ? 0 : now + zs_way_rest_ms(&s->way, now);
    s->patient_until = now + PATIENCE_MS;
    bool fits;
    if (!zs_link_publish(s, heartbeat, &fits, e))
        return false;
    if (!fits)
        cut_batch(s);
    return true;
}

int64_t zs_link_publish_at(const struct zs_sender *s, int64_t now) {
    if (s->hold_until > now)
        return s->hold_until;
    return something_waits(s) && s->patient_until < s->heartbeat_at ? s->patient_until : s->heartbeat_at;
}

// The txn at hand cannot be sent: what stands before it still is, then the link rests in sight.
static void be_stuck(struct zs_sender *s, const struct zs_error *e) {
    if (zs_outbound_waiting_txns(s->outbound) > 0) {
        s->entry_waits = true; // as if the batch were full: it leaves, and then we come here again
        return;
    }
    char reason[sizeof s->status.detail];
    snprintf(reason, sizeof reason, "zxid 0x%llx cannot be sent: %.400s", (unsigned long long)s->entry.zxid,
             e->text);
    s->stuck_zxid = s->entry.zxid;
    zs_gap_enter(s, reason, false);
}

// Reads txns into the open batch until it is full or there is nothing more. `more` tells whether there is.
static void fill_batch(struct zs_sender *s, bool *more) {
    struct zs_error e = {0};
    *more = false;
    for (int i = 0; i < ENTRIES_PER_TURN; i++) {
        if (!s->entry_waits) {
            enum zs_source next = zs_source_next(s, &e);
            if (next == ZS_SOURCE_LOST)
                be_lost(s, &e);
            *more = next == ZS_SOURCE_NOTHING && zs_link_tree_is_other(s);
            if (next != ZS_SOURCE_TXN)
                return;
        }
        const int64_t before = zs_outbound_cursor(s->outbound).zxid;
        enum zs_taken taken = zs_outbound_take(s->outbound, s->entry.bytes, s->entry.len, &e);
        s->entry_waits = taken == ZS_TAKE_FULL;
        if (taken == ZS_TAKE_ERROR)
            be_stuck(s, &e);
        if (taken != ZS_TAKEN)
            return;
        zs_lag_pass(s, before);
    }
    *more = true;
}

static void warn_of_sequential_names(struct zs_sender *s, uint64_t before) {
    struct zs_outbound_counters counters;
    zs_outbound_counters(s->outbound, &counters);
    if (before == 0 && counters.sequential_names > 0)
        zs_logf(
            s->log, ZS_LEVEL_WARN,
            "link %s: carries sequential names such as %s: they are not unique across sites; exclude locks, "
            "queues and elections (zoospan.exclude)",
            s->names.link, zs_outbound_sequential_example(s->outbound));
    s->status.txns = counters.txns;
    s->status.foreign = counters.foreign;
    s->status.filtered = counters.filtered;
    s->status.sequential_names = counters.sequential_names;
}

static bool is_peer(const struct zs_report *report, const char *site) {
    for (uint32_t i = 0; i < report->peer_count; i++) {
        if (!strcmp(report->peers[i].site, site))
            return true;
    }
    return false;
}

// What another site writes is applied here and never published again: the destination has to get it from
// there itself.
static void warn_of_missing_links(struct zs_sender *s) {
    uint32_t count;
    const struct zs_position *vector = zs_outbound_vector(s->outbound, &count);
    char missing[sizeof s->status.not_sent_on] = "";
    for (uint32_t i = 0; s->report.tells_peers && i < count; i++) {
        size_t used = strlen(missing);
        if (strcmp(vector[i].site, s->settings.destination) != 0 && !is_peer(&s->report, vector[i].site))
            snprintf(missing + used, sizeof missing - used, "%s%s", used ? "," : "", vector[i].site);
    }
    if (*missing && strcmp(missing, s->status.not_sent_on) != 0)
        zs_logf(
            s->log, ZS_LEVEL_WARN,
            "link %s: what %s writes comes here, is not sent on, and %s has no link from there: each site "
            "needs a link from every other one",
            s->names.link, missing, s->settings.destination);
    memcpy(s->status.not_sent_on, missing, sizeof missing);
}

// One turn of a link that streams. `more`: do not sleep before the next.
static bool step_stream(struct zs_sender *s, bool *more, struct zs_error *e) {
    if (zs_link_tree_is_other(s)) {
        s->resumes = false;
        decide_start(s, more);
        return true;
    }
    if (!obey_report(s, more) || !go_back_behind_refused(s))
        return true;
    if (s->cut && s->window.count > 0)
        return true;
    if (s->cut && !seek(s, &s->cut_at))
        return true;
    // A full window does not read: the ring goes on, and this link's batch stays as it is.
    for (bool sent = true; sent && zs_link_streams(s);) {
        uint64_t batches = s->status.batches;
        // What is owed goes alone, or full batches would leave it no room for ever.
        if (!s->heartbeat_owed && !zs_link_rests(s))
            fill_batch(s, more);
        if (!zs_link_streams(s))
            return true;
        if (!publish_what_is_due(s, e))
            return false;
        *more = *more || s->cut;
        if (s->cut)
            return true;
        sent = s->status.batches > batches && (s->entry_waits || s->heartbeat_owed);
    }
    warn_of_sequential_names(s, s->status.sequential_names);
    warn_of_missing_links(s);
    return true;
}

bool zs_link_turn(struct zs_sender *s, bool *more, struct zs_error *e) {
    if (!zs_link_read_publisher(s, e) || !mind_confirms(s, e) || !mind_refusals(s, e) ||
        !zs_link_look_after_reports(s, e))
        return false;
    if (!s->blocked && !s->unconfirmed_said && !s->full_said)
        snprintf(s->hindrance, sizeof s->hindrance, "%s", s->topology.feedback ? "" : s->deaf);
    if (zs_link_streams(s))
        return step_stream(s, more, e);
    if (s->state == ZS_LINK_SNAPSHOT && s->reported && s->report.need == ZS_NEED_IMAGE &&
        s->report.takes_images && zs_history_known(&s->history))
        return zs_image_turn(s, more, e);
    if (s->state == ZS_LINK_SNAPSHOT)
        zs_image_drop(s); // it is not wanted any more
    decide_start(s, more);
    *more = *more || zs_link_streams(s) || s->state == ZS_LINK_SNAPSHOT;
    return s->state != ZS_LINK_GAP || s->steps_down || zs_gap_beat(s, e);
}
