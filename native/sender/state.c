#include "zs_link.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *zs_link_state_name(enum zs_link_state state) {
    static const char *const names[] = {"DOWN", "CONNECTING", "STANDBY", "POSITION", "LOG",
                                        "LIVE", "SNAPSHOT",   "GAP",     "STOPPED"};
    return names[state];
}

static bool move_is_legal(enum zs_link_state from, enum zs_link_state to) {
    switch (from) {
    case ZS_LINK_DOWN:
        return to == ZS_LINK_CONNECTING || to == ZS_LINK_STOPPED;
    case ZS_LINK_STANDBY:
        return to == ZS_LINK_POSITION || to == ZS_LINK_DOWN || to == ZS_LINK_STOPPED;
    case ZS_LINK_CONNECTING:
        return to == ZS_LINK_POSITION || to == ZS_LINK_STANDBY || to == ZS_LINK_DOWN || to == ZS_LINK_STOPPED;
    case ZS_LINK_POSITION:
    case ZS_LINK_LOG:
    case ZS_LINK_LIVE:
    case ZS_LINK_SNAPSHOT:
    case ZS_LINK_GAP: // connected and active: from each to each other, or out
        return to != ZS_LINK_CONNECTING && to != ZS_LINK_STANDBY;
    case ZS_LINK_STOPPED:
        return false;
    }
    return false;
}

// A link that tries again and again says each reason once, not each time.
static enum zs_level level_of_move(struct zs_sender *s, enum zs_link_state to, const char *reason) {
    if (to == ZS_LINK_GAP)
        return ZS_LEVEL_ERROR;
    if (to == ZS_LINK_DOWN) {
        bool news = zs_news(&s->news, reason, zs_mono_ms());
        return news || s->failures <= 1 ? ZS_LEVEL_WARN : ZS_LEVEL_DEBUG;
    }
    if (to == ZS_LINK_CONNECTING)
        return s->failures ? ZS_LEVEL_DEBUG : ZS_LEVEL_INFO;
    return ZS_LEVEL_INFO;
}

void zs_link_move(struct zs_sender *s, enum zs_link_state state, const char *detail) {
    // What POSITION waits for is news; a GAP says the same thing with other numbers.
    bool news = state != s->state || (state == ZS_LINK_POSITION && strcmp(detail, s->status.detail) != 0);
    bool legal = state == s->state || move_is_legal(s->state, state);
    assert(legal);
    if (!legal) // a mistake of ours that must not take somebody's ZooKeeper with it
        zs_logf(s->log, ZS_LEVEL_ERROR, "link %s: the move from %s to %s is not foreseen; please report it",
                s->names.link, zs_link_state_name(s->state), zs_link_state_name(state));
    snprintf(s->status.detail, sizeof s->status.detail, "%s", detail);
    if (news)
        zs_logf(s->log, level_of_move(s, state, detail), "link %s: %s -> %s%s%s", s->names.link,
                zs_link_state_name(s->state), zs_link_state_name(state), *detail ? ": " : "", detail);
    s->state = state;
}

int64_t zs_link_backoff_ms(struct zs_sender *s, int failures) {
    int64_t wait = s->settings.retry_min_ms;
    for (int i = 1; i < failures && wait < s->settings.retry_max_ms; i++)
        wait *= 2;
    if (wait > s->settings.retry_max_ms)
        wait = s->settings.retry_max_ms;
    return wait / 2 + (int64_t)rand_r(&s->jitter) % (wait / 2 + 1);
}
