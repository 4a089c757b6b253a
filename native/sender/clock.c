// The stream's clock at a place where this link has not come by its stream: an image's. It is counted forward
// from the nearest anchor, txn by txn, so it is the one that the streams to other destinations have there,
// whichever server counts, and whatever its own clock shows.
//
// Where no destination has anything of this history there is no anchor, and nobody has a stamp of it either:
// then the clock begins here. All that it must not be behind are the clocks of other sites' streams, as the
// markers in this site's tree have them.
#include "zs_anchors.h"
#include "zs_link.h"
#include "zs_txnlog.h"

enum { LOG_ENTRIES_MAX = 256 * 1024 };

static void count(struct zs_sender *s, struct zs_slice txn, struct zs_checkpoint *at) {
    struct zs_glance glance;
    struct zs_error unreadable; // the stream will say so
    if (!zs_outbound_glance(s->outbound, txn.at, txn.len, &glance, &unreadable))
        return;
    at->clock = zs_glance_tick(&glance, at->clock);
    at->zxid = glance.zxid;
}

// Up to where the backlog begins. False: the log does not tell.
static bool count_log(struct zs_sender *s, int64_t bound, struct zs_checkpoint *at) {
    struct zs_sender_logs logs = zs_source_logs(s);
    struct zs_error unreadable;
    struct zs_txnlog *log = NULL;
    if (logs.floor >= 0 && at->zxid >= logs.floor)
        log = zs_txnlog_open(logs.log_dir, logs.snap_dir, at->zxid, s->settings.txn_bytes_max, &unreadable);
    if (log)
        zs_source_doubt(s, &logs, log);
    enum zs_txnlog_found found = ZS_TXNLOG_REFUSED;
    for (int i = 0; log && i < LOG_ENTRIES_MAX; i++) {
        struct zs_txnlog_txn txn;
        found = zs_txnlog_next(log, bound, &txn, &unreadable);
        if (found != ZS_TXNLOG_TXN)
            break;
        count(s, txn.bytes, at);
    }
    zs_txnlog_close(log);
    return found == ZS_TXNLOG_BOUND;
}

static bool count_backlog(struct zs_sender *s, int64_t zxid, struct zs_checkpoint *at) {
    struct zs_entry entry;
    zs_backlog_visit(s->lag.reader);
    enum zs_read read = zs_backlog_seek(s->lag.reader, at->zxid);
    bool more = read != ZS_READ_BEHIND;
    while (more) {
        read = zs_backlog_read(s->lag.reader, &entry);
        more = read == ZS_READ_ENTRY && entry.zxid <= zxid;
        if (more)
            count(s, (struct zs_slice){entry.bytes, entry.len}, at);
    }
    zs_backlog_leave(s->lag.reader);
    return read != ZS_READ_BEHIND;
}

bool zs_link_clock_is_told(struct zs_sender *s) {
    struct zs_checkpoint at;
    return zs_anchors_nearest(s->settings.anchors, &s->history, INT64_MAX, &at) ||
           !zs_anchors_awaited(s->settings.anchors);
}

zs_clock zs_link_clock_at(struct zs_sender *s, int64_t zxid, zs_clock others) {
    struct zs_checkpoint at;
    if (!zs_anchors_nearest(s->settings.anchors, &s->history, zxid, &at))
        return others;
    int64_t floor = zs_backlog_bounds(s->backlog).floor;
    bool whole = at.zxid >= floor || count_log(s, zxid < floor ? zxid : floor, &at);
    if (whole && at.zxid < floor && floor <= zxid)
        at.zxid = floor; // the start of an epoch, which is no txn
    if (whole && count_backlog(s, zxid, &at))
        return at.clock;
    zs_logf(
        s->log, ZS_LEVEL_WARN,
        "link %s: what lies between zxid 0x%llx and 0x%llx cannot be read any more, so the clock there is "
        "not exact",
        s->names.link, (unsigned long long)at.zxid, (unsigned long long)zxid);
    return zs_clock_foreign(at.clock, others);
}
