// How far behind the destination is: the commit time of the first txn that this link carries and the
// destination has not reported. A link that streams sees its txns anyway; any other one, and one that has no
// connection, looks for it in the backlog, a little each turn, and in the txn log once for
// each place that it hears of. Nothing here is done by the commit thread.
//
// Where neither reaches back to the destination's place (GAP, as a rule) the clock that the destination
// reported stands for the time: what it lacks was committed later than that, so the lag is never told too
// small.
#include "zs_link.h"
#include "zs_txnlog.h"

enum { ENTRIES_PER_LOOK = 1024, LOG_ENTRIES_PER_PLACE = 16 * 1024 };

// Where the destination stands among this site's zxids. A report tells it by a history, and this site's own is told on another
// way: a link that connects as its server starts has heard the one before the other, and until it knows both it knows nothing.
// Another history may follow: of that the destination has nothing.
static void place(struct zs_sender *s) {
    struct zs_lag *lag = &s->lag;
    bool follows = zs_history_known(&lag->follows);
    bool ours = follows && zs_history_equal(&lag->follows, &s->history);
    bool same = lag->placed && zs_history_equal(&lag->history, &s->history);
    int64_t applied = ours ? lag->applied.zxid : 0;
    lag->placed = zs_history_known(&s->history) || !follows;
    lag->history = s->history;
    lag->clock = ours ? lag->applied.clock : 0;
    if (same)
        zs_trail_reach(&lag->trail, applied);
    else
        zs_trail_begin(&lag->trail, applied);
}

void zs_lag_hear(struct zs_sender *s, const struct zs_report *report) {
    struct zs_lag *lag = &s->lag;
    const int64_t wall = zs_wall_ms();
    // The first report of a connection has waited in its queue, nobody knows how long.
    int64_t age = s->reported || wall < report->time_ms ? 0 : wall - report->time_ms;
    lag->heard_at = zs_mono_ms() - age;
    if (s->reported) {
        lag->skew_known = true;
        lag->skew_ms = report->time_ms - wall;
    }
    lag->known = true;
    lag->follows = report->history;
    lag->applied = (struct zs_checkpoint){.zxid = report->applied, .clock = report->clock};
    place(s);
}

void zs_lag_pass(struct zs_sender *s, int64_t before) {
    const struct zs_glance taken = zs_outbound_taken(s->outbound);
    zs_trail_pass(&s->lag.trail, before, taken.zxid, taken.time_ms, taken.carried);
}

// True: it is one that the link carries.
static bool look_at(struct zs_sender *s, int64_t zxid, struct zs_slice bytes) {
    struct zs_glance glance;
    struct zs_error unreadable; // the stream will say so
    bool read = zs_outbound_glance(s->outbound, bytes.at, bytes.len, &glance, &unreadable);
    bool carried = read && glance.carried;
    zs_trail_pass(&s->lag.trail, s->lag.trail.known, zxid, read ? glance.time_ms : 0, carried);
    return carried;
}

static void look_in_log(struct zs_sender *s, int64_t bound) {
    struct zs_sender_logs logs = zs_source_logs(s);
    struct zs_txnlog_txn txn;
    struct zs_error unreadable; // then the log does not tell
    struct zs_txnlog *log = NULL;
    int64_t from = s->lag.trail.known;
    if (!from && s->beginning > 0)
        from = s->beginning;
    if (logs.floor >= 0)
        log = zs_txnlog_open(logs.log_dir, NULL, from, s->settings.txn_bytes_max, &unreadable);
    if (log)
        zs_source_doubt(s, &logs, log);
    bool found = false;
    for (int i = 0; log && !found && i < LOG_ENTRIES_PER_PLACE; i++) {
        if (zs_txnlog_next(log, bound, &txn, &unreadable) != ZS_TXNLOG_TXN)
            break;
        found = look_at(s, txn.zxid, txn.bytes);
    }
    zs_txnlog_close(log);
}

// The backlog begins behind what is known: the log, or the clock, tells about what lies between.
static void close_hole(struct zs_sender *s, int64_t floor) {
    struct zs_lag *lag = &s->lag;
    look_in_log(s, floor);
    if (!zs_trail_oldest(&lag->trail) && lag->trail.known < floor)
        zs_trail_pass(&lag->trail, lag->trail.known, floor, zs_clock_ms(lag->clock), lag->clock > 0);
}

void zs_lag_look(struct zs_sender *s) {
    struct zs_trail *trail = &s->lag.trail;
    struct zs_backlog_bounds bounds = zs_backlog_bounds(s->backlog);
    if (s->lag.known && !zs_history_equal(&s->lag.history, &s->history))
        place(s);
    bool passes = zs_link_streams(s) && trail->known >= zs_outbound_cursor(s->outbound).zxid;
    if (!s->lag.placed || passes || !bounds.begun || zs_trail_oldest(trail) || trail->known >= bounds.last)
        return;
    if (trail->known < bounds.floor)
        close_hole(s, bounds.floor);
    if (zs_trail_oldest(trail))
        return;
    zs_backlog_visit(s->lag.reader);
    bool more = zs_backlog_seek(s->lag.reader, trail->known) != ZS_READ_BEHIND;
    struct zs_entry entry;
    for (int i = 0; more && i < ENTRIES_PER_LOOK; i++)
        more = zs_backlog_read(s->lag.reader, &entry) == ZS_READ_ENTRY &&
               !look_at(s, entry.zxid, (struct zs_slice){entry.bytes, entry.len});
    zs_backlog_leave(s->lag.reader);
}

void zs_lag_share(const struct zs_sender *s, struct zs_lag_share *share) {
    const struct zs_lag *lag = &s->lag;
    const struct zs_trail_step *oldest = zs_trail_oldest(&lag->trail);
    *share = (struct zs_lag_share){.known = lag->known,
                                   .placed = lag->placed,
                                   .lacks = oldest != NULL,
                                   .skew_known = lag->skew_known,
                                   .heard_at = lag->heard_at,
                                   .lacks_since_ms = oldest ? oldest->time_ms : 0,
                                   .skew_ms = lag->skew_ms};
}

void zs_lag_show(const struct zs_lag_share *share, struct zs_sender_status *status) {
    int64_t lag = share->lacks ? zs_wall_ms() - share->lacks_since_ms : 0;
    int64_t age = zs_mono_ms() - share->heard_at;
    status->lag_ms = !share->placed ? -1 : lag > 0 ? lag : 0;
    status->report_ms = !share->known ? -1 : age > 0 ? age : 0;
    status->skew_known = share->skew_known;
    status->skew_ms = share->skew_ms;
}
