// When batches left, to tell the age of what the destination has not reported: a short queue of (zxid, wall clock). When
// it is full, newer batches are not noted: the age of the oldest is what counts.
#ifndef ZS_TRAIL_H
#define ZS_TRAIL_H

#include <stdint.h>

enum { ZS_TRAIL_MAX = 1024 };

struct zs_trail {
    uint32_t start, count;
    int64_t newest; // zxid of the newest batch, noted or not
    int64_t reached;
    struct {
        int64_t zxid, left_ms;
    } steps[ZS_TRAIL_MAX];
};

// A batch that covers up to `zxid` left at `now_ms`.
void zs_trail_left(struct zs_trail *trail, int64_t zxid, int64_t now_ms);
// The destination reported `zxid`.
void zs_trail_reached(struct zs_trail *trail, int64_t zxid);
// Age of the oldest batch that the destination has not reported, 0 if there is none.
int64_t zs_trail_age_ms(const struct zs_trail *trail, int64_t now_ms);

#endif
