#include "zs_zxids.h"

#include <stdlib.h>
#include <string.h>

bool zs_zxids_add(struct zs_zxids *zxids, int64_t zxid) {
    if (zxids->count == zxids->cap) {
        size_t cap = zxids->cap ? zxids->cap * 2 : 256;
        int64_t *at = realloc(zxids->at, cap * sizeof *at);
        if (!at)
            return false;
        zxids->at = at;
        zxids->cap = cap;
    }
    zxids->at[zxids->count++] = zxid;
    return true;
}

static int by_zxid(const void *a, const void *b) {
    int64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

void zs_zxids_sort(struct zs_zxids *zxids) {
    if (zxids->count)
        qsort(zxids->at, zxids->count, sizeof *zxids->at, by_zxid);
}

bool zs_zxids_hold(const struct zs_zxids *zxids, int64_t zxid) {
    return zxids->count && bsearch(&zxid, zxids->at, zxids->count, sizeof *zxids->at, by_zxid) != NULL;
}

void zs_zxids_free(struct zs_zxids *zxids) {
    free(zxids->at);
    *zxids = (struct zs_zxids){.at = NULL};
}
