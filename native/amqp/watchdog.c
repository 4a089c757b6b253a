// The watchdog: bounds calls of rabbitmq-c that wait without limit. Every such call announces its deadline first and takes
// it back afterwards; the thread sleeps until the nearest deadline and shuts the socket down if the call is still there.
// A socket that is shut down makes every send and poll on it return, so the call fails by itself.
//
// It costs a call two uncontended locks and no wake-up: the thread is only woken for a deadline nearer than the one it
// sleeps for. When it wakes for a call that has ended it finds nothing overdue and sleeps again. The descriptor is
// shut down under the lock, so it cannot be closed (and its number used by somebody else) in the middle of that.
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "watchdog.h"
#include "zs_text.h"

struct zs_watchdog {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int holders;
    bool ending, stop;
    int64_t wake_ms; // what the thread sleeps for; INT64_MAX: nothing
    struct zs_watch *first;
};

// Shuts down what is overdue; returns the nearest deadline of the rest.
static int64_t bite(struct zs_watchdog *dog, int64_t now_ms) {
    int64_t nearest = INT64_MAX;
    for (struct zs_watch *w = dog->first; w; w = w->next) {
        if (w->fired)
            continue;
        if (w->deadline_ms <= now_ms || dog->ending) {
            w->fired = true;
            shutdown(w->fd, SHUT_RDWR); // fails only if the peer was faster, and then the call ends anyway
        } else if (w->deadline_ms < nearest) {
            nearest = w->deadline_ms;
        }
    }
    return nearest;
}

static void *watch_all(void *context) {
    struct zs_watchdog *dog = context;
    pthread_mutex_lock(&dog->lock);
    while (!dog->stop) {
        dog->wake_ms = bite(dog, zs_mono_ms());
        if (dog->wake_ms == INT64_MAX) {
            pthread_cond_wait(&dog->changed, &dog->lock);
        } else {
            struct timespec until = {.tv_sec = (time_t)(dog->wake_ms / 1000),
                                     .tv_nsec = (long)(dog->wake_ms % 1000) * 1000000};
            pthread_cond_timedwait(&dog->changed, &dog->lock, &until);
        }
    }
    pthread_mutex_unlock(&dog->lock);
    return NULL;
}

struct zs_watchdog *zs_watchdog_new(struct zs_error *e) {
    struct zs_watchdog *dog = calloc(1, sizeof *dog);
    if (!dog) {
        zs_fail(e, ZS_FATAL, "no memory for the watchdog");
        return NULL;
    }
    dog->wake_ms = INT64_MAX;
    dog->holders = 1;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&dog->lock, NULL);
    pthread_cond_init(&dog->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int failed = pthread_create(&dog->thread, NULL, watch_all, dog);
    if (failed) {
        zs_fail(e, ZS_FATAL, "cannot start the watchdog's thread: %s", strerror(failed));
        pthread_cond_destroy(&dog->changed);
        pthread_mutex_destroy(&dog->lock);
        free(dog);
        return NULL;
    }
    pthread_setname_np(dog->thread, "zs-watchdog");
    return dog;
}

void zs_watchdog_keep(struct zs_watchdog *dog) {
    pthread_mutex_lock(&dog->lock);
    dog->holders++;
    pthread_mutex_unlock(&dog->lock);
}

void zs_watchdog_release(struct zs_watchdog *dog) {
    pthread_mutex_lock(&dog->lock);
    bool last = --dog->holders == 0;
    dog->stop = last;
    pthread_cond_signal(&dog->changed);
    pthread_mutex_unlock(&dog->lock);
    if (!last)
        return;
    pthread_join(dog->thread, NULL);
    pthread_cond_destroy(&dog->changed);
    pthread_mutex_destroy(&dog->lock);
    free(dog);
}

void zs_watchdog_free(struct zs_watchdog *dog) {
    if (!dog)
        return;
    pthread_mutex_lock(&dog->lock);
    dog->ending = true;
    pthread_mutex_unlock(&dog->lock);
    zs_watchdog_release(dog);
}

void zs_watch_begin(struct zs_watchdog *dog, struct zs_watch *watch, int fd, int timeout_ms) {
    *watch = (struct zs_watch){.fd = fd, .deadline_ms = zs_mono_ms() + timeout_ms};
    pthread_mutex_lock(&dog->lock);
    watch->next = dog->first;
    watch->link = &dog->first;
    if (watch->next)
        watch->next->link = &watch->next;
    dog->first = watch;
    if (watch->deadline_ms < dog->wake_ms || dog->ending)
        pthread_cond_signal(&dog->changed);
    pthread_mutex_unlock(&dog->lock);
}

void zs_watch_renew(struct zs_watchdog *dog, struct zs_watch *watch, int timeout_ms) {
    int64_t deadline_ms = zs_mono_ms() + timeout_ms;
    pthread_mutex_lock(&dog->lock);
    watch->deadline_ms = deadline_ms;
    pthread_mutex_unlock(&dog->lock);
}

bool zs_watch_end(struct zs_watchdog *dog, struct zs_watch *watch) {
    pthread_mutex_lock(&dog->lock);
    *watch->link = watch->next;
    if (watch->next)
        watch->next->link = watch->link;
    pthread_mutex_unlock(&dog->lock);
    return watch->fired;
}
