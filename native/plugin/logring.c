#include "zs_logring.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "zs_text.h"

struct zs_logring {
    pthread_mutex_t lock;
    pthread_cond_t come;
    struct zs_log_line lines[ZS_LOGRING_LINES];
    size_t first, count;
    uint64_t dropped; // since the start
    uint64_t untold;  // of these, not yet told in the log itself
    bool ended;
};

struct zs_logring *zs_logring_new(struct zs_error *e) {
    struct zs_logring *ring = calloc(1, sizeof *ring);
    if (!ring) {
        zs_fail(e, ZS_FATAL, "no memory for the log");
        return NULL;
    }
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&ring->lock, NULL);
    pthread_cond_init(&ring->come, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return ring;
}

void zs_logring_free(struct zs_logring *ring) {
    if (!ring)
        return;
    for (size_t i = 0; i < ring->count; i++)
        free(ring->lines[(ring->first + i) % ZS_LOGRING_LINES].text);
    pthread_cond_destroy(&ring->come);
    pthread_mutex_destroy(&ring->lock);
    free(ring);
}

static struct zs_log_line take_oldest(struct zs_logring *ring) {
    struct zs_log_line line = ring->lines[ring->first];
    ring->first = (ring->first + 1) % ZS_LOGRING_LINES;
    ring->count--;
    return line;
}

void zs_logring_write(void *context, enum zs_level level, const char *line) {
    struct zs_logring *ring = context;
    char *text = strdup(line);
    pthread_mutex_lock(&ring->lock);
    if (!text || ring->ended) {
        free(text);
        ring->dropped++;
    } else {
        if (ring->count == ZS_LOGRING_LINES) {
            free(take_oldest(ring).text);
            ring->dropped++;
            ring->untold++;
        }
        ring->lines[(ring->first + ring->count) % ZS_LOGRING_LINES] = (struct zs_log_line){level, text};
        ring->count++;
        pthread_cond_signal(&ring->come);
    }
    pthread_mutex_unlock(&ring->lock);
}

// The lines that are missing stood before the oldest one that is left: so they are told first.
static bool tell_dropped(struct zs_logring *ring, struct zs_log_line *out) {
    char text[120];
    snprintf(text, sizeof text, "%llu log lines were dropped: they came faster than they were fetched",
             (unsigned long long)ring->untold);
    out->level = ZS_LEVEL_WARN;
    out->text = strdup(text);
    if (!out->text)
        return false;
    ring->untold = 0;
    return true;
}

enum zs_next zs_logring_next(struct zs_logring *ring, int timeout_ms, struct zs_log_line *out) {
    struct timespec deadline = zs_mono_in(timeout_ms);
    enum zs_next next = ZS_NEXT_NOTHING;
    pthread_mutex_lock(&ring->lock);
    while (ring->count == 0 && !ring->ended) {
        if (pthread_cond_timedwait(&ring->come, &ring->lock, &deadline) == ETIMEDOUT)
            break;
    }
    if (ring->count > 0) {
        if (ring->untold == 0 || !tell_dropped(ring, out))
            *out = take_oldest(ring);
        next = ZS_NEXT_LINE;
    } else if (ring->ended) {
        next = ZS_NEXT_END;
    }
    pthread_mutex_unlock(&ring->lock);
    return next;
}

void zs_logring_end(struct zs_logring *ring) {
    pthread_mutex_lock(&ring->lock);
    ring->ended = true;
    pthread_cond_broadcast(&ring->come);
    pthread_mutex_unlock(&ring->lock);
}

uint64_t zs_logring_dropped(struct zs_logring *ring) {
    pthread_mutex_lock(&ring->lock);
    uint64_t dropped = ring->dropped;
    pthread_mutex_unlock(&ring->lock);
    return dropped;
}
