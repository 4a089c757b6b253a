// How much later a write is seen at another site: from its acknowledgement at the origin to the event of a watch there.
//
//   bench_lag ORIGIN DESTINATION KIND NODES RATE SAMPLED SECONDS
//
// Sets nodes at ORIGIN, RATE a second, of which SAMPLED a second are of the first WATCHED nodes and are waited for at DESTINATION;
// the others are of the rest. Nodes 0 to NODES - 1 must be there at both. Prints {"count":N,"lost":N,"p50_us":P,"p99_us":P,
// "write_p50_us":P,"write_p99_us":P}; a sample is lost if it was not seen within ten seconds.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_client.h"
#include "bench_data.h"

enum { WATCHED = 1000, SAMPLES_MAX = 1 << 20, IN_FLIGHT = 4096 };

struct lag;

struct node {
    struct lag *lag;
    char path[BENCH_PATH_BYTES];
    double sent, acked, seen; // under the lock; 0: not yet
    bool out;
};

struct lag {
    zhandle_t *origin, *destination;
    enum bench_kind kind;
    uint32_t nodes;
    struct bench_window window, arming;
    pthread_mutex_t lock; // of the nodes and the samples
    struct bench_samples samples, writes;
    struct node watched[WATCHED];
};

// Called with the lock held.
static void settle(struct node *node) {
    if (!node->out || node->acked <= 0 || node->seen <= 0)
        return;
    node->out = false;
    bench_samples_add(&node->lag->samples, node->seen - node->acked);
    bench_samples_add(&node->lag->writes, node->acked - node->sent);
}

static void on_armed(int rc, const struct Stat *stat, const void *context) {
    (void)stat;
    const struct node *node = context;
    if (rc != ZOK)
        bench_die("%s: %s", node->path, zerror(rc));
    bench_window_give(&node->lag->arming);
}

static void arm(struct node *node);

static void on_event(zhandle_t *zk, int type, int state, const char *path, void *context) {
    (void)zk, (void)state, (void)path;
    struct node *node = context;
    if (type != ZOO_CHANGED_EVENT)
        return;
    double now = bench_seconds();
    pthread_mutex_lock(&node->lag->lock);
    node->seen = now;
    settle(node);
    pthread_mutex_unlock(&node->lag->lock);
    arm(node);
}

static void arm(struct node *node) {
    pthread_mutex_lock(&node->lag->arming.lock);
    node->lag->arming.out++;
    pthread_mutex_unlock(&node->lag->arming.lock);
    int rc = zoo_awexists(node->lag->destination, node->path, on_event, node, on_armed, node);
    if (rc != ZOK)
        bench_die("%s: %s", node->path, zerror(rc));
}

static void on_sampled(int rc, const struct Stat *stat, const void *context) {
    (void)stat;
    struct node *node = (struct node *)(uintptr_t)context;
    if (rc != ZOK)
        bench_die("%s: %s", node->path, zerror(rc));
    double now = bench_seconds();
    pthread_mutex_lock(&node->lag->lock);
    node->acked = now;
    settle(node);
    pthread_mutex_unlock(&node->lag->lock);
    bench_window_give(&node->lag->window);
}

static void on_other(int rc, const struct Stat *stat, const void *context) {
    (void)stat;
    struct lag *lag = (struct lag *)(uintptr_t)context;
    if (rc != ZOK)
        bench_die("set: %s", zerror(rc));
    bench_window_give(&lag->window);
}

static void write_sampled(struct lag *lag, uint32_t number) {
    char value[BENCH_VALUE_BYTES];
    struct node *node = &lag->watched[number % WATCHED];
    pthread_mutex_lock(&lag->lock);
    bool busy = node->out;
    if (!busy) {
        node->out = true;
        node->acked = node->seen = 0;
        node->sent = bench_seconds();
    }
    pthread_mutex_unlock(&lag->lock);
    if (busy)
        return; // its turn came too soon: it counts as lost if it stays out
    size_t len = bench_value(lag->kind, number % WATCHED, number, value);
    bench_window_take(&lag->window);
    int rc = zoo_aset(lag->origin, node->path, value, (int)len, -1, on_sampled, node);
    if (rc != ZOK)
        bench_die("set: %s", zerror(rc));
}

static void write_other(struct lag *lag, uint32_t number) {
    char path[BENCH_PATH_BYTES], value[BENCH_VALUE_BYTES];
    uint32_t node = WATCHED + (uint32_t)(bench_mix(number) % (lag->nodes - WATCHED));
    bench_path(lag->kind, node, path);
    size_t len = bench_value(lag->kind, node, number, value);
    bench_window_take(&lag->window);
    int rc = zoo_aset(lag->origin, path, value, (int)len, -1, on_other, lag);
    if (rc != ZOK)
        bench_die("set: %s", zerror(rc));
}

static void run(struct lag *lag, uint32_t rate, uint32_t sampled, double seconds) {
    uint32_t first = (uint32_t)((uint64_t)(bench_seconds() * 1000) & 0xfffffff), samples = first;
    double begin = bench_seconds();
    for (uint32_t sent = 0;; sent++) {
        double due = begin + (double)sent / rate;
        if (due >= begin + seconds)
            break;
        if (due > bench_seconds())
            bench_sleep_until(due);
        if ((uint64_t)sent * sampled / rate != ((uint64_t)sent + 1) * sampled / rate)
            write_sampled(lag, samples++);
        else
            write_other(lag, first + sent);
    }
    bench_window_drain(&lag->window);
}

static uint32_t still_out(struct lag *lag) {
    uint32_t out = 0;
    pthread_mutex_lock(&lag->lock);
    for (uint32_t i = 0; i < WATCHED; i++)
        out += lag->watched[i].out;
    pthread_mutex_unlock(&lag->lock);
    return out;
}

int main(int argc, char **argv) {
    static struct lag lag;
    if (argc != 8 || !bench_kind_parse(argv[3], &lag.kind))
        bench_die("usage: bench_lag ORIGIN DESTINATION registry|config NODES RATE SAMPLED SECONDS");
    lag.nodes = (uint32_t)bench_number(argv[4], WATCHED + 1, 10000000);
    uint32_t rate = (uint32_t)bench_number(argv[5], 1, 1000000),
             sampled = (uint32_t)bench_number(argv[6], 1, rate);
    double seconds = (double)bench_number(argv[7], 1, 3600);
    lag.origin = bench_connect(argv[1], NULL);
    lag.destination = bench_connect(argv[2], NULL);
    pthread_mutex_init(&lag.lock, NULL);
    bench_window_init(&lag.window, IN_FLIGHT);
    bench_window_init(&lag.arming, UINT32_MAX);
    bench_samples_init(&lag.samples, SAMPLES_MAX);
    bench_samples_init(&lag.writes, SAMPLES_MAX);
    for (uint32_t i = 0; i < WATCHED; i++) {
        lag.watched[i].lag = &lag;
        bench_path(lag.kind, i, lag.watched[i].path);
        arm(&lag.watched[i]);
    }
    bench_window_drain(&lag.arming);
    run(&lag, rate, sampled, seconds);
    double until = bench_seconds() + 10;
    while (still_out(&lag) && bench_seconds() < until)
        bench_sleep_until(bench_seconds() + 0.01);
    pthread_mutex_lock(&lag.lock);
    printf("{\"count\":%zu,\"p50_us\":%.1f,\"p99_us\":%.1f,\"write_p50_us\":%.1f,\"write_p99_us\":%.1f,",
           lag.samples.count, 1e6 * bench_samples_at(&lag.samples, 0.5),
           1e6 * bench_samples_at(&lag.samples, 0.99), 1e6 * bench_samples_at(&lag.writes, 0.5),
           1e6 * bench_samples_at(&lag.writes, 0.99));
    pthread_mutex_unlock(&lag.lock);
    printf("\"lost\":%u}\n", still_out(&lag));
    zookeeper_close(lag.origin);
    zookeeper_close(lag.destination);
    return 0;
}
