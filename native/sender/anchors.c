#include "zs_anchors.h"

#include <pthread.h>
#include <stdlib.h>

enum { KEPT = 256 }; // with one report a second from each of 16 destinations: a quarter of a minute

struct zs_anchors {
    pthread_mutex_t lock;
    int joined;
    struct zs_history history; // of all that are kept
    uint32_t count, next;
    struct zs_checkpoint kept[KEPT]; // a ring
};

struct zs_anchors *zs_anchors_new(struct zs_error *e) {
    struct zs_anchors *anchors = calloc(1, sizeof *anchors);
    if (!anchors) {
        zs_fail(e, ZS_FATAL, "no memory for anchors");
        return NULL;
    }
    pthread_mutex_init(&anchors->lock, NULL);
    return anchors;
}

void zs_anchors_free(struct zs_anchors *anchors) {
    if (!anchors)
        return;
    pthread_mutex_destroy(&anchors->lock);
    free(anchors);
}

void zs_anchors_join(struct zs_anchors *anchors) {
    pthread_mutex_lock(&anchors->lock);
    anchors->joined++;
    pthread_mutex_unlock(&anchors->lock);
}

static bool is_known(const struct zs_anchors *anchors, int64_t zxid) {
    for (uint32_t i = 0; i < anchors->count; i++) {
        if (anchors->kept[i].zxid == zxid)
            return true;
    }
    return false;
}

void zs_anchors_note(struct zs_anchors *anchors, bool first, const struct zs_history *history,
                     const struct zs_checkpoint *at) {
    pthread_mutex_lock(&anchors->lock);
    anchors->joined -= first;
    if (!zs_history_equal(&anchors->history, history))
        anchors->count = anchors->next = 0;
    anchors->history = *history;
    if (at->zxid > 0 && !is_known(anchors, at->zxid)) {
        anchors->kept[anchors->next] = *at;
        anchors->next = (anchors->next + 1) % KEPT;
        anchors->count += anchors->count < KEPT;
    }
    pthread_mutex_unlock(&anchors->lock);
}

bool zs_anchors_awaited(struct zs_anchors *anchors) {
    pthread_mutex_lock(&anchors->lock);
    bool awaited = anchors->joined > 0;
    pthread_mutex_unlock(&anchors->lock);
    return awaited;
}

bool zs_anchors_nearest(struct zs_anchors *anchors, const struct zs_history *history, int64_t zxid,
                        struct zs_checkpoint *out) {
    bool found = false;
    pthread_mutex_lock(&anchors->lock);
    bool same = zs_history_equal(&anchors->history, history);
    for (uint32_t i = 0; same && i < anchors->count; i++) {
        const struct zs_checkpoint *at = &anchors->kept[i];
        if (at->zxid > zxid || (found && at->zxid <= out->zxid))
            continue;
        *out = *at;
        found = true;
    }
    pthread_mutex_unlock(&anchors->lock);
    return found;
}
