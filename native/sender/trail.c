#include "zs_trail.h"

#include <string.h>

void zs_trail_begin(struct zs_trail *trail, int64_t zxid) {
    trail->reached = trail->known = trail->newest.zxid = zxid;
    trail->count = trail->skipped = 0;
    trail->stride = 1;
}

static void thin_out(struct zs_trail *trail) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < trail->count; i += 2)
        trail->steps[kept++] = trail->steps[i];
    trail->count = kept;
    trail->stride *= 2;
}

void zs_trail_pass(struct zs_trail *trail, int64_t before, int64_t zxid, int64_t time_ms, bool carried) {
    enum { STRIDE_MAX = 1 << 20 };
    if (before > trail->known || zxid <= trail->known)
        return;
    trail->known = zxid;
    if (!carried)
        return;
    trail->newest = (struct zs_trail_step){.zxid = zxid, .time_ms = time_ms};
    if (++trail->skipped < trail->stride && trail->count)
        return;
    if (trail->count == ZS_TRAIL_MAX && trail->stride < STRIDE_MAX)
        thin_out(trail);
    if (trail->count < ZS_TRAIL_MAX)
        trail->steps[trail->count++] = trail->newest;
    trail->skipped = 0;
}

void zs_trail_reach(struct zs_trail *trail, int64_t zxid) {
    if (zxid < trail->reached || zxid > trail->known) {
        zs_trail_begin(trail, zxid);
        return;
    }
    uint32_t done = 0;
    trail->reached = zxid;
    while (done < trail->count && trail->steps[done].zxid <= zxid)
        done++;
    trail->count -= done;
    memmove(trail->steps, trail->steps + done, trail->count * sizeof *trail->steps);
    if (!trail->count && trail->newest.zxid > zxid)
        trail->steps[trail->count++] = trail->newest;
    if (trail->count < ZS_TRAIL_MAX / 4 && trail->stride > 1)
        trail->stride /= 2;
}

const struct zs_trail_step *zs_trail_oldest(const struct zs_trail *trail) {
    return trail->count ? &trail->steps[0] : NULL;
}
