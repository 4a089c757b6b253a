#include "bench_client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void bench_die(const char *format, ...) {
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

double bench_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void bench_sleep_until(double when) {
    struct timespec until = {.tv_sec = (time_t)when};
    until.tv_nsec = (long)((when - (double)until.tv_sec) * 1e9);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        continue;
}

long bench_number(const char *text, long min, long max) {
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (errno || *end || end == text || number < min || number > max)
        bench_die("%s: expected a number from %ld to %ld", text, min, max);
    return number;
}

zhandle_t *bench_connect(const char *hosts, const char *auth) {
    zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
    zhandle_t *zk = zookeeper_init(hosts, NULL, 30000, NULL, NULL, 0);
    if (!zk)
        bench_die("%s: not a connect string", hosts);
    zoo_set_servers_resolution_delay(
        zk, 10000); // as the applier does: else it does so whenever it looks at its socket
    double until = bench_seconds() + 30;
    while (zoo_state(zk) != ZOO_CONNECTED_STATE) {
        if (bench_seconds() > until)
            bench_die("%s: no connection within 30 s", hosts);
        bench_sleep_until(bench_seconds() + 0.002);
    }
    const char *colon = auth ? strchr(auth, ':') : NULL;
    if (colon) {
        char scheme[32];
        snprintf(scheme, sizeof scheme, "%.*s", (int)(colon - auth), auth);
        zoo_add_auth(zk, scheme, colon + 1, (int)strlen(colon + 1), NULL, NULL);
    }
    return zk;
}

// --- window ----------------------------------------------------------------------------------------------------------

void bench_window_init(struct bench_window *window, uint32_t max) {
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&window->lock, NULL);
    pthread_cond_init(&window->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    window->out = 0;
    window->max = max;
}

static void wait_until_out(struct bench_window *window, uint32_t at_most) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += 60;
    while (window->out > at_most) {
        if (pthread_cond_timedwait(&window->changed, &window->lock, &until) == ETIMEDOUT)
            bench_die("no answer for 60 s");
    }
}

void bench_window_take(struct bench_window *window) {
    pthread_mutex_lock(&window->lock);
    wait_until_out(window, window->max - 1);
    window->out++;
    pthread_mutex_unlock(&window->lock);
}

void bench_window_give(struct bench_window *window) {
    pthread_mutex_lock(&window->lock);
    window->out--;
    pthread_cond_signal(&window->changed);
    pthread_mutex_unlock(&window->lock);
}

void bench_window_drain(struct bench_window *window) {
    pthread_mutex_lock(&window->lock);
    wait_until_out(window, 0);
    pthread_mutex_unlock(&window->lock);
}

// --- samples ---------------------------------------------------------------------------------------------------------

void bench_samples_init(struct bench_samples *samples, size_t room) {
    *samples = (struct bench_samples){.at = malloc(room * sizeof *samples->at), .room = room};
    if (!samples->at)
        bench_die("out of memory");
}

void bench_samples_add(struct bench_samples *samples, double seconds) {
    if (samples->count < samples->room)
        samples->at[samples->count++] = (float)seconds;
}

static int compare(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

double bench_samples_at(struct bench_samples *samples, double share) {
    if (samples->count == 0)
        return 0;
    qsort(samples->at, samples->count, sizeof *samples->at, compare);
    return (double)samples->at[(size_t)(share * (double)(samples->count - 1))];
}
