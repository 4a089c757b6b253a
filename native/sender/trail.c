#include "zs_trail.h"

void zs_trail_left(struct zs_trail *trail, int64_t zxid, int64_t now_ms) {
    if (zxid <= trail->newest)
        return; // sent again: it is as old as it was
    trail->newest = zxid;
    if (trail->count == ZS_TRAIL_MAX)
        return;
    uint32_t at = (trail->start + trail->count++) % ZS_TRAIL_MAX;
    trail->steps[at].zxid = zxid;
    trail->steps[at].left_ms = now_ms;
}

void zs_trail_reached(struct zs_trail *trail, int64_t zxid) {
    trail->reached = zxid;
    while (trail->count && trail->steps[trail->start].zxid <= zxid) {
        trail->start = (trail->start + 1) % ZS_TRAIL_MAX;
        trail->count--;
    }
}

int64_t zs_trail_age_ms(const struct zs_trail *trail, int64_t now_ms) {
    if (!trail->count || trail->steps[trail->start].zxid <= trail->reached)
        return 0;
    int64_t age = now_ms - trail->steps[trail->start].left_ms;
    return age > 0 ? age : 0;
}
