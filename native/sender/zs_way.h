// How full the way to a destination is: the batches that left and that it has not reported, and how long a link gathers txns
// behind a batch because of that.
//
// What is on its way is bounded in messages, by what the destination's broker sends ahead (zoospan.prefetch); behind that bound
// messages wait in the queue, and each round trip takes only so many of them. So batches are small while the way is free, which costs
// no time, and larger the more of them are under way: then a moment more is nothing beside what the txns have before them, and
// what waits becomes few large messages.
#ifndef ZS_WAY_H
#define ZS_WAY_H

#include <stdbool.h>
#include <stdint.h>

enum { ZS_WAY_MAX = 1024, ZS_REST_MS = 2, ZS_REST_MAX_MS = 128 };

struct zs_way {
    uint32_t start, count;
    int64_t
        last[ZS_WAY_MAX]; // of each batch; in a full ring the newest place stands for all that follow, too
    uint32_t under_way;   // when the newest report came
    int64_t reported_ms;  // when that was (monotonic); 0: there was none
    int64_t period_ms;    // since the one before
};

// A batch that ends with that zxid left. One that covers nothing new (of zxids that left before) does not count.
void zs_way_left(struct zs_way *way, int64_t last);
// The destination reported that zxid.
void zs_way_reported(struct zs_way *way, int64_t zxid, int64_t now_ms);
// What left goes another time.
void zs_way_reset(struct zs_way *way);
// ZS_REST_MS to ZS_REST_MAX_MS. A destination whose reports stay away is taken to have got none of the batches.
int64_t zs_way_rest_ms(const struct zs_way *way, int64_t now_ms);

#endif
