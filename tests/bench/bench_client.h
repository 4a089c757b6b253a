// What the load generators share: a connected ZooKeeper client, a bounded number of requests in flight, samples of times.
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include <pthread.h>
#include <stdint.h>
#include <zookeeper/zookeeper.h>

// Ends the program with a line on standard error.
_Noreturn void bench_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

double bench_seconds(void); // monotonic
void bench_sleep_until(double when);
long bench_number(const char *text, long min, long max);

// Connects within 30 seconds. `auth` is "digest:user:password" or NULL.
zhandle_t *bench_connect(const char *hosts, const char *auth);

// Tickets: at most `max` are out at a time.
struct bench_window {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint32_t out, max;
};
void bench_window_init(struct bench_window *window, uint32_t max);
void bench_window_take(
    struct bench_window *window); // waits for one; dies when none comes back for 60 seconds
void bench_window_give(struct bench_window *window);
void bench_window_drain(struct bench_window *window); // until none is out

// Times in seconds; what does not fit is counted and left out.
struct bench_samples {
    float *at;
    size_t count, room;
};
void bench_samples_init(struct bench_samples *samples, size_t room);
void bench_samples_add(struct bench_samples *samples, double seconds);
double bench_samples_at(struct bench_samples *samples,
                        double share); // 0.5: the median; sorts; 0 without samples

#endif
