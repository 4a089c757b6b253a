// What a destination has not reported yet, and when it was committed: a short list of those txns that the
// link carries, in the order of the stream. Where there are more than it holds, only every second, fourth,
// ... one is listed: the oldest is exact as long as the destination stands still, and what becomes the oldest
// later is off by a few thousandths of the stretch at most.
#ifndef ZS_TRAIL_H
#define ZS_TRAIL_H

#include <stdbool.h>
#include <stdint.h>

enum { ZS_TRAIL_MAX = 1024 };

struct zs_trail_step {
    int64_t zxid, time_ms;
};

struct zs_trail {
    int64_t reached; // the destination has reported this zxid
    int64_t
        known; // every txn up to here has been looked at, and is listed if it is above `reached` and carried
    uint32_t stride, skipped; // every stride-th is listed; so many have come since the last that is
    uint32_t count;
    struct zs_trail_step steps[ZS_TRAIL_MAX];
    struct zs_trail_step newest; // listed or not
};

// Nothing is known of what follows `zxid`, which the destination has reported.
void zs_trail_begin(struct zs_trail *trail, int64_t zxid);
// The txn `zxid`, which follows `before` in the stream, was committed at `time_ms`. Ignored where the trail
// does not go on so.
void zs_trail_pass(struct zs_trail *trail, int64_t before, int64_t zxid, int64_t time_ms, bool carried);
// The destination reported `zxid`.
void zs_trail_reach(struct zs_trail *trail, int64_t zxid);
// The oldest that the destination has not reported; NULL: there is none up to `known`.
const struct zs_trail_step *zs_trail_oldest(const struct zs_trail *trail);

#endif
