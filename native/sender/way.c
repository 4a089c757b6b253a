#include "zs_way.h"

void zs_way_left(struct zs_way *way, int64_t last) {
    uint32_t newest = (way->start + way->count + ZS_WAY_MAX - 1) % ZS_WAY_MAX;
    if (way->count && last <= way->last[newest])
        return;
    if (way->count < ZS_WAY_MAX) {
        newest = (newest + 1) % ZS_WAY_MAX;
        way->count++;
    }
    way->last[newest] = last;
}

void zs_way_reported(struct zs_way *way, int64_t zxid, int64_t now_ms) {
    while (way->count && way->last[way->start] <= zxid) {
        way->start = (way->start + 1) % ZS_WAY_MAX;
        way->count--;
    }
    way->under_way = way->count;
    way->period_ms = way->reported_ms ? now_ms - way->reported_ms : 0;
    way->reported_ms = now_ms;
}

void zs_way_reset(struct zs_way *way) {
    way->start = way->count = way->under_way = 0;
}

// At 450 messages a second, which is what a rest of 2 ms makes of any load, FREE is what a round trip of half a second holds.
int64_t zs_way_rest_ms(const struct zs_way *way, int64_t now_ms) {
    enum { FREE = 256, STEP = 128, PERIOD_MS = 1000, PERIOD_MAX_MS = 10000, LATE_MS = 500 };
    int64_t period = way->period_ms > PERIOD_MS ? way->period_ms : PERIOD_MS;
    if (period > PERIOD_MAX_MS) // as the option's range is: more was an outage
        period = PERIOD_MAX_MS;
    bool silent = way->reported_ms && now_ms - way->reported_ms > 2 * period + LATE_MS;
    uint32_t under_way = silent ? way->count : way->under_way;
    int64_t rest = ZS_REST_MS;
    for (uint32_t free = FREE; under_way > free && rest < ZS_REST_MAX_MS; free += STEP)
        rest *= 2;
    return rest;
}
