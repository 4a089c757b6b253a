// What a link does when this server cannot go on from where the destination stands.
//
//   1. Another server of the site may be able to: its log may reach further back, its tree may be older. So this one
//      steps down, once per place: it lets go of the lock queue for longer than a standby waits between two tries.
//   2. Who gets the lock back for the same place, and still cannot, speaks for all: GAP. Each heartbeat then carries a
//      BROKEN record, and the destination answers with a wish for an image (a resync is asked for there and only
//      there).
// A destination that follows another history, or has nothing of this site yet, is in no server's log: no step down.
#include <stdio.h>
#include <string.h>

#include "zs_link.h"

enum { LOOK_AGAIN_MS = 5000 };

static bool same_place(const struct zs_gap *gap, const struct zs_sender *s) {
    return gap->zxid == s->report.applied && zs_history_equal(&gap->history, &s->report.history) &&
           gap->need == s->report.need;
}

void zs_gap_enter(struct zs_sender *s, const char *reason, bool others_may) {
    struct zs_gap *gap = &s->gap;
    bool known = gap->stepped_down && same_place(gap, s);
    *gap = (struct zs_gap){.zxid = s->report.applied,
                           .history = s->report.history,
                           .need = s->report.need,
                           .look_at = zs_mono_ms() + LOOK_AGAIN_MS,
                           .stepped_down = known || others_may};
    snprintf(gap->reason, sizeof gap->reason, "%s", reason);
    s->resumes = false;
    s->steps_down = others_may && !known;
    zs_source_close(s);
    const struct zs_checkpoint at = {.zxid = s->report.applied, .clock = s->report.clock};
    zs_outbound_seek(s->outbound, &s->history, &at);
    zs_window_reset(&s->window, s->settings.window_batches, &at);
    if (s->state != ZS_LINK_GAP)
        s->heartbeat_at = zs_mono_ms();
    zs_link_move(s, ZS_LINK_GAP, reason);
}

// The destination takes BROKEN only from where it is, and may have come further since.
void zs_gap_follow(struct zs_sender *s) {
    char reason[ZS_REASON_MAX + 1];
    snprintf(reason, sizeof reason, "%s", s->gap.reason);
    zs_gap_enter(s, reason, false);
}

bool zs_gap_look_again(const struct zs_sender *s) {
    return !same_place(&s->gap, s) || zs_mono_ms() >= s->gap.look_at;
}

bool zs_gap_beat(struct zs_sender *s, struct zs_error *e) {
    if (s->blocked || zs_window_full(&s->window) || zs_mono_ms() < s->heartbeat_at)
        return true;
    char reason[ZS_REASON_MAX + 1];
    bool fits;
    snprintf(reason, sizeof reason, "%s", s->gap.reason);
    const struct zs_record record = {.type = ZS_RECORD_BROKEN,
                                     .broken = {.zxid = s->gap.zxid, .reason = reason}};
    return zs_outbound_add(s->outbound, &record, e) == ZS_TAKEN && zs_link_publish(s, true, &fits, e);
}
