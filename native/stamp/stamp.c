#include "zs_stamp.h"

#include <string.h>

enum { COUNTER_BITS = 16 };

// Times outside the 48 bits (a leader's clock gone mad, a record from a broken tool) are pulled to the nearest value
// that fits: a shift that dropped high bits would send the clock back.
static zs_clock clock_of_ms(int64_t ms) {
    const int64_t ms_max = ((int64_t)1 << (64 - COUNTER_BITS)) - 1;
    if (ms < 0)
        ms = 0;
    if (ms > ms_max)
        ms = ms_max;
    return (zs_clock)ms << COUNTER_BITS;
}

zs_clock zs_clock_local(zs_clock clock, int64_t txn_time_ms) {
    zs_clock wall = clock_of_ms(txn_time_ms);
    // A counter that overflows carries into the milliseconds: the clock runs ahead of the wall for a moment.
    zs_clock tick = clock == UINT64_MAX ? clock : clock + 1;
    return wall > tick ? wall : tick;
}

zs_clock zs_clock_foreign(zs_clock clock, zs_clock marker) {
    return marker > clock ? marker : clock;
}

int64_t zs_clock_ms(zs_clock clock) {
    return (int64_t)(clock >> COUNTER_BITS);
}

int zs_stamp_compare(const struct zs_stamp *a, const struct zs_stamp *b) {
    if (a->clock != b->clock)
        return a->clock < b->clock ? -1 : 1;
    int site = strcmp(a->site, b->site);
    if (site)
        return site < 0 ? -1 : 1;
    if (a->zxid != b->zxid)
        return a->zxid < b->zxid ? -1 : 1;
    if (a->op_index != b->op_index)
        return a->op_index < b->op_index ? -1 : 1;
    return 0;
}
