// Where a link's txns come from: the backlog as far as it reaches back, else the server's own txn log.
//
// The log holds more than what was committed (proposals that came to nothing, at its end), and may lack what reached
// the tree around it (a snapshot from the leader). Hence
//   1. it is never read beyond the backlog's floor: what lies there was committed, and what lies above is in the backlog;
//   2. it counts only from `floor` on, which the JVM side tells per tree (zs_sender_set_logs), and only as far as
//      native/txnlog proves it whole; where the server voted, an epoch only up to the end that the backlog saw;
//   3. the floor is looked at after the backlog's bounds: the JVM side tells the floor of a new tree before it begins the
//      backlog anew, so bounds of a new tree are never met with the floor of an old one.
// The log's writer may be behind what was committed (an observer's is): that is waited for, but not for ever, because a
// damaged length at the log's end looks the same.
#include <inttypes.h>
#include <stdio.h>

#include "zs_link.h"
#include "zs_txnlog.h"

//
// That it cannot be read (no descriptor, no memory, a disk that fails) proves nothing: the link says so and tries again each
// second. After a while another server of the site gets a turn, as it may have a disk that is well.
enum {
    QUIET_MS_MAX = 30 * 1000,
    QUIET_LOOKS_MIN = 200,
    TELL_MS = 10 * 1000,
    READ_AGAIN_MS = 1000,
    UNREAD_MS_MAX = 60 * 1000,
};

void zs_source_close(struct zs_sender *s) {
    zs_txnlog_close(s->txnlog);
    s->txnlog = NULL;
    s->reads_log = false;
    s->unread_since = s->read_again_at = 0;
    s->quiet_since = 0;
    s->quiet_looks = 0;
}

struct zs_sender_logs zs_source_logs(struct zs_sender *s) {
    pthread_mutex_lock(&s->shared);
    struct zs_sender_logs logs = s->told_logs;
    pthread_mutex_unlock(&s->shared);
    return logs;
}

static bool log_counts(const struct zs_sender *s, const struct zs_sender_logs *logs, struct zs_error *e) {
    struct zs_backlog_bounds bounds = zs_backlog_bounds(s->backlog);
    if (logs->floor < 0)
        return zs_fail(e, ZS_GAP,
                       "the backlog begins at 0x%" PRIx64 ", and this server does not know its txn log",
                       (uint64_t)bounds.floor);
    if (s->place >= logs->floor)
        return true;
    return zs_fail(e, ZS_GAP,
                   "the backlog begins at 0x%" PRIx64
                   ", and this server's txn log proves nothing before 0x%" PRIx64
                   ", where its tree came from a snapshot",
                   (uint64_t)bounds.floor, (uint64_t)logs->floor);
}

// From the backlog to the log; false if that is known to lack what follows.
static bool turn_to_log(struct zs_sender *s, struct zs_error *e) {
    struct zs_sender_logs logs = zs_source_logs(s);
    s->reads_log = true;
    s->told_at = zs_mono_ms() + TELL_MS;
    return log_counts(s, &logs, e);
}

void zs_source_doubt(struct zs_sender *s, const struct zs_sender_logs *logs, struct zs_txnlog *log) {
    int64_t ends[ZS_EPOCH_ENDS_MAX];
    zs_txnlog_tell_ends(log, ends, zs_backlog_epoch_ends(s->backlog, ends));
    if (logs->proposals)
        zs_txnlog_distrust(log);
}

// A txn above txn_bytes_max could not be carried, so the log's reader need not take it either.
static bool open_log(struct zs_sender *s, const struct zs_sender_logs *logs, struct zs_error *e) {
    if (s->txnlog)
        return true;
    s->txnlog = zs_txnlog_open(logs->log_dir, logs->snap_dir, s->place, s->settings.txn_bytes_max, e);
    s->ends_told = 0;
    if (s->txnlog)
        zs_source_doubt(s, logs, s->txnlog);
    return s->txnlog != NULL;
}

static enum zs_source cannot_read(struct zs_sender *s, const struct zs_error *e) {
    int64_t now = zs_mono_ms();
    char detail[sizeof s->status.detail];
    if (e->code == ZS_GAP || e->code == ZS_CORRUPT)
        return ZS_SOURCE_LOST;
    snprintf(detail, sizeof detail, "cannot read the txn log behind 0x%" PRIx64 ", tries again: %.350s",
             (uint64_t)s->place, e->text);
    zs_txnlog_close(s->txnlog);
    s->txnlog = NULL;
    s->read_again_at = now + READ_AGAIN_MS;
    if (!s->unread_since) {
        s->unread_since = now;
        zs_logf(s->log, ZS_LEVEL_WARN, "link %s: %s", s->names.link, detail);
    }
    zs_link_move(s, ZS_LINK_LOG, detail);
    if (now - s->unread_since >= UNREAD_MS_MAX) {
        snprintf(s->gap.reason, sizeof s->gap.reason, "%.300s", detail);
        s->steps_down = true;
    }
    return ZS_SOURCE_NOTHING;
}

bool zs_source_seek(struct zs_sender *s, int64_t place, struct zs_error *e) {
    zs_source_close(s);
    s->entry_waits = false;
    s->place = place;
    return zs_backlog_seek(s->reader, place) != ZS_READ_BEHIND || turn_to_log(s, e);
}

// The backlog reaches back to `place` again.
static bool back_to_backlog(struct zs_sender *s, int64_t place) {
    if (zs_backlog_seek(s->reader, place) == ZS_READ_BEHIND)
        return false;
    zs_source_close(s);
    s->place = place;
    char detail[64];
    snprintf(detail, sizeof detail, "continues after zxid 0x%" PRIx64 " from the backlog", (uint64_t)place);
    zs_link_move(s, ZS_LINK_LIVE, detail);
    return true;
}

static enum zs_source log_is_quiet(struct zs_sender *s, int64_t bound, struct zs_error *e) {
    int64_t now = zs_mono_ms();
    if (!s->quiet_since)
        s->quiet_since = now;
    if (now - s->quiet_since < QUIET_MS_MAX || ++s->quiet_looks < QUIET_LOOKS_MIN)
        return ZS_SOURCE_NOTHING;
    zs_fail(e, ZS_GAP,
            "the txn log ends at 0x%" PRIx64 " and has not grown for %d s, but 0x%" PRIx64 " is committed",
            (uint64_t)s->place, QUIET_MS_MAX / 1000, (uint64_t)bound);
    return ZS_SOURCE_LOST;
}

static void tell_progress(struct zs_sender *s, int64_t bound) {
    int64_t now = zs_mono_ms();
    if (now < s->told_at)
        return;
    s->told_at = now + TELL_MS;
    zs_logf(s->log, ZS_LEVEL_INFO,
            "link %s: reads the txn log: at 0x%" PRIx64 ", the backlog begins at 0x%" PRIx64, s->names.link,
            (uint64_t)s->place, (uint64_t)bound);
}

// An epoch ends behind the backlog's floor only with the next one, so what is needed is known by then.
static void tell_ends(struct zs_sender *s, int64_t bound) {
    if (s->ends_told == bound)
        return;
    int64_t ends[ZS_EPOCH_ENDS_MAX];
    zs_txnlog_tell_ends(s->txnlog, ends, zs_backlog_epoch_ends(s->backlog, ends));
    s->ends_told = bound;
}

static enum zs_source next_of_log(struct zs_sender *s, struct zs_error *e) {
    int64_t bound = zs_backlog_bounds(s->backlog).floor;
    struct zs_sender_logs logs = zs_source_logs(s);
    struct zs_txnlog_txn txn;
    if (zs_link_tree_is_other(s))
        return ZS_SOURCE_NOTHING;
    if (!log_counts(s, &logs, e))
        return ZS_SOURCE_LOST;
    if (s->place >= bound && back_to_backlog(s, s->place))
        return ZS_SOURCE_AGAIN;
    if (zs_mono_ms() < s->read_again_at)
        return ZS_SOURCE_NOTHING;
    if (!open_log(s, &logs, e))
        return cannot_read(s, e);
    tell_progress(s, bound);
    tell_ends(s, bound);
    switch (zs_txnlog_next(s->txnlog, bound, &txn, e)) {
    case ZS_TXNLOG_TXN:
        s->entry = (struct zs_entry){.zxid = txn.zxid, .bytes = txn.bytes.at, .len = txn.bytes.len};
        s->place = txn.zxid;
        s->unread_since = 0;
        s->quiet_since = 0;
        s->quiet_looks = 0;
        return ZS_SOURCE_TXN;
    case ZS_TXNLOG_BOUND:
        if (s->place < bound)
            s->place = bound; // the start of an epoch, which is no txn
        back_to_backlog(s, s->place);
        return ZS_SOURCE_AGAIN;
    case ZS_TXNLOG_WAIT:
        return log_is_quiet(s, bound, e);
    case ZS_TXNLOG_REFUSED:
        break;
    }
    return cannot_read(s, e);
}

static enum zs_source next_of_backlog(struct zs_sender *s, struct zs_error *e) {
    switch (zs_backlog_read(s->reader, &s->entry)) {
    case ZS_READ_ENTRY:
        s->place = s->entry.zxid;
        return ZS_SOURCE_TXN;
    case ZS_READ_EMPTY:
        return ZS_SOURCE_NOTHING;
    case ZS_READ_BEHIND:
        break;
    }
    if (zs_link_tree_is_other(s))
        return ZS_SOURCE_NOTHING;
    if (!turn_to_log(s, e))
        return ZS_SOURCE_LOST;
    zs_link_move(s, ZS_LINK_LOG, "the backlog went on without this link: reads the txn log");
    return ZS_SOURCE_AGAIN;
}

enum zs_source zs_source_next(struct zs_sender *s, struct zs_error *e) {
    enum zs_source next = ZS_SOURCE_AGAIN;
    while (next == ZS_SOURCE_AGAIN)
        next = s->reads_log ? next_of_log(s, e) : next_of_backlog(s, e);
    return next;
}
