// A growing set of zxids. Threads: the caller's business.
#ifndef ZS_ZXIDS_H
#define ZS_ZXIDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct zs_zxids { // all zeros: empty
    int64_t *at;
    size_t count, cap;
};
bool zs_zxids_add(struct zs_zxids *zxids, int64_t zxid); // false: no memory
void zs_zxids_sort(struct zs_zxids *zxids);              // after the last add, before the first question
bool zs_zxids_hold(const struct zs_zxids *zxids, int64_t zxid);
void zs_zxids_free(struct zs_zxids *zxids); // empties it

#endif
