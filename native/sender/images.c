#include "zs_images.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "zs_text.h"

enum { WISHES_MAX = 16 };

struct wish {
    struct zs_image_wish wish; // id 0: free
    const struct zs_filter *filter;
    int wake_fd;
    bool taken;  // a walk has it
    bool failed; // it came to nothing: no chunk will come any more
    size_t count;
    struct zs_image_chunk *first, *last;
};

struct zs_images {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool ended;
    int64_t last_id;
    struct wish wishes[WISHES_MAX];
};

struct zs_images *zs_images_new(struct zs_error *e) {
    struct zs_images *images = calloc(1, sizeof *images);
    if (!images) {
        zs_fail(e, ZS_FATAL, "no memory for images");
        return NULL;
    }
    pthread_mutex_init(&images->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&images->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return images;
}

static void clear(struct wish *wish) {
    while (wish->first) {
        struct zs_image_chunk *chunk = wish->first;
        wish->first = chunk->next;
        free(chunk);
    }
    *wish = (struct wish){.taken = false};
}

void zs_images_free(struct zs_images *images) {
    if (!images)
        return;
    for (int i = 0; i < WISHES_MAX; i++)
        clear(&images->wishes[i]);
    pthread_cond_destroy(&images->changed);
    pthread_mutex_destroy(&images->lock);
    free(images);
}

void zs_images_end(struct zs_images *images) {
    pthread_mutex_lock(&images->lock);
    images->ended = true;
    pthread_cond_broadcast(&images->changed);
    pthread_mutex_unlock(&images->lock);
}

static struct wish *find(struct zs_images *images, int64_t id) {
    for (int i = 0; i < WISHES_MAX; i++) {
        if (id && images->wishes[i].wish.id == id)
            return &images->wishes[i];
    }
    return NULL;
}

// The one that has waited longest.
static struct wish *oldest_untaken(struct zs_images *images) {
    struct wish *oldest = NULL;
    for (int i = 0; i < WISHES_MAX; i++) {
        struct wish *wish = &images->wishes[i];
        if (wish->wish.id && !wish->taken && (!oldest || wish->wish.id < oldest->wish.id))
            oldest = wish;
    }
    return oldest;
}

enum zs_wish zs_images_next(struct zs_images *images, int timeout_ms, struct zs_image_wish *out) {
    struct timespec until = zs_mono_in(timeout_ms);
    pthread_mutex_lock(&images->lock);
    struct wish *wish = oldest_untaken(images);
    while (!images->ended && !wish &&
           pthread_cond_timedwait(&images->changed, &images->lock, &until) != ETIMEDOUT)
        wish = oldest_untaken(images);
    enum zs_wish found = images->ended ? ZS_WISH_END : wish ? ZS_WISH : ZS_WISH_NONE;
    if (found == ZS_WISH) {
        wish->taken = true;
        *out = wish->wish;
    }
    pthread_mutex_unlock(&images->lock);
    return found;
}

int zs_images_carries(struct zs_images *images, int64_t id, const char *path) {
    pthread_mutex_lock(&images->lock);
    const struct wish *wish = find(images, id);
    const struct zs_filter *filter = wish ? wish->filter : NULL; // outlives all wishes
    pthread_mutex_unlock(&images->lock);
    if (!filter)
        return 0;
    return (zs_filter_carries(filter, path) ? ZS_CARRIES_NODE : 0) |
           (zs_filter_may_carry_below(filter, path) ? ZS_CARRIES_BENEATH : 0);
}

static void append(struct wish *wish, struct zs_image_chunk *chunk) {
    if (wish->last)
        wish->last->next = chunk;
    else
        wish->first = chunk;
    wish->last = chunk;
    wish->count++;
}

struct zs_image_chunk *zs_image_chunk_new(size_t len) {
    struct zs_image_chunk *chunk = malloc(sizeof *chunk + len);
    if (chunk)
        *chunk = (struct zs_image_chunk){.len = len};
    return chunk;
}

bool zs_images_put(struct zs_images *images, int64_t id, struct zs_image_chunk *chunk) {
    pthread_mutex_lock(&images->lock);
    struct wish *wish = find(images, id);
    while (chunk && !images->ended && wish && wish->count >= ZS_IMAGE_CHUNKS_MAX) {
        pthread_cond_wait(&images->changed, &images->lock);
        wish = find(images, id);
    }
    bool wanted = !images->ended && wish;
    if (wanted && chunk)
        append(wish, chunk);
    else if (wanted)
        wish->failed = true;
    const uint64_t one = 1;
    while (wanted && write(wish->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
        continue;
    pthread_mutex_unlock(&images->lock);
    if (!wanted)
        free(chunk);
    return wanted && chunk;
}

int64_t zs_images_want(struct zs_images *images, const char *destination, const char *path,
                       const struct zs_filter *filter, int wake_fd) {
    int64_t id = 0;
    pthread_mutex_lock(&images->lock);
    for (int i = 0; i < WISHES_MAX && !id; i++) {
        struct wish *wish = &images->wishes[i];
        if (wish->wish.id || strlen(path) >= sizeof wish->wish.path ||
            strlen(destination) >= sizeof wish->wish.destination)
            continue;
        id = wish->wish.id = ++images->last_id;
        memcpy(wish->wish.path, path, strlen(path) + 1);
        memcpy(wish->wish.destination, destination, strlen(destination) + 1);
        wish->filter = filter;
        wish->wake_fd = wake_fd;
    }
    pthread_cond_broadcast(&images->changed);
    pthread_mutex_unlock(&images->lock);
    return id;
}

void zs_images_cancel(struct zs_images *images, int64_t id) {
    pthread_mutex_lock(&images->lock);
    struct wish *wish = find(images, id);
    if (wish)
        clear(wish);
    pthread_cond_broadcast(&images->changed);
    pthread_mutex_unlock(&images->lock);
}

struct zs_image_chunk *zs_images_take(struct zs_images *images, int64_t id, bool *failed) {
    pthread_mutex_lock(&images->lock);
    struct wish *wish = find(images, id);
    struct zs_image_chunk *chunk = wish ? wish->first : NULL;
    *failed = wish && wish->failed;
    if (chunk) {
        wish->first = chunk->next;
        if (!wish->first)
            wish->last = NULL;
        wish->count--;
        pthread_cond_broadcast(&images->changed);
    }
    pthread_mutex_unlock(&images->lock);
    return chunk;
}
