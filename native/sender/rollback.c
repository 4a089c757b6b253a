// Whether this ensemble has been put back to an older state and numbers its txns a second time, under the same history.
// Its new txns would be taken for ones that the destination has already, and be lost in silence.
//
// The proof: a destination that stands at zxid X reports the stream's clock C there, and since which zxid S
// each txn has been counted into it (that of its image, or the stream's beginning). The clock is never behind
// the time of a local txn that was counted: so one between S and X that was committed later than C is not of
// the history that the destination followed. Both times are the stream's own, whatever the leaders' clocks
// did; no other clock is asked. Only the backlog is: what it holds came through this server's chain.
//
// A foreign txn proves nothing, as its time does not move the clock.
//
// The proof stays, however far the new txns come, until this ensemble has another history or the destination stands below
// the txn that proved it.
#include <inttypes.h>

#include "zs_link.h"

enum { ENTRIES_PER_LOOK = 1024 };

static bool proves(struct zs_sender *s, const struct zs_entry *entry) {
    struct zs_glance glance;
    struct zs_error unreadable; // the stream will say so
    return zs_outbound_glance(s->outbound, entry->bytes, entry->len, &glance, &unreadable) && glance.local &&
           glance.zxid > s->beginning && // where the stream began, if it did not at 0
           zs_start_disproves(&s->report, glance.zxid, glance.time_ms);
}

static bool look(struct zs_sender *s, bool *more) {
    struct zs_backlog_bounds bounds = zs_backlog_bounds(s->backlog);
    const struct zs_report *report = &s->report;
    struct zs_rollback *rollback = &s->rollback;
    *more = false;
    // While the server has not reached X there is nothing at or below X that need not be looked at; else the newest of it.
    int64_t from = rollback->looked_to;
    if (report->applied <= bounds.last && from < report->applied - ENTRIES_PER_LOOK)
        from = report->applied - ENTRIES_PER_LOOK;
    if (from < bounds.floor || from > bounds.last)
        from = bounds.floor;
    if (zs_backlog_seek(s->reader, from) == ZS_READ_BEHIND)
        return false;
    for (int i = 0; i < ENTRIES_PER_LOOK; i++) {
        struct zs_entry entry;
        if (zs_backlog_read(s->reader, &entry) != ZS_READ_ENTRY || entry.zxid > report->applied)
            return false;
        rollback->looked_to = entry.zxid;
        if (proves(s, &entry)) {
            rollback->history = s->history;
            rollback->zxid = entry.zxid;
            return true;
        }
    }
    *more = true;
    return false;
}

bool zs_rollback_look(struct zs_sender *s, bool *more) {
    bool found = look(s, more);
    zs_backlog_rest(s->reader);
    return found;
}
