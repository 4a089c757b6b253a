// Load on one ZooKeeper.
//
//   bench_zk HOSTS create KIND NODES [FROM]                   parents and nodes (from number FROM on, which must be the first of
//                                                             its parent), in multis of 100, 16 in flight
//   bench_zk HOSTS set KIND NODES WINDOW RATE SECONDS [SIZE]  single sets of random nodes, at most WINDOW in flight,
//                                                             RATE a second (0: as many as go), until the time is over
//   bench_zk HOSTS sets KIND NODES WINDOW COUNT               the same, COUNT of them
//   bench_zk HOSTS multis KIND NODES WINDOW RATE SECONDS OPS  as set, but OPS sets (at most 100) in each of the multis
//   bench_zk HOSTS watch KIND NODES SECONDS                   leaves a data watch on every node, says so, and keeps the
//                                                             session for that long or until standard input ends
//
// KIND: registry or config. SIZE: bytes of data, instead of the kind's own. Prints one JSON object.
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench_client.h"
#include "bench_data.h"

enum { MULTI_OPS = 100, MULTIS_IN_FLIGHT = 16, SAMPLES_MAX = 4 << 20, WINDOW_MAX = 4096 };

struct load {
    zhandle_t *zk;
    enum bench_kind kind;
    uint32_t nodes;
    struct bench_window window;
    struct bench_samples samples;
    uint64_t done, failed, txn_bytes;
};

// --- create ----------------------------------------------------------------------------------------------------------

struct multi {
    struct load *load;
    int count;
    double sent; // 0: nobody asks how long it took
    zoo_op_t ops[MULTI_OPS];
    zoo_op_result_t results[MULTI_OPS];
    char paths[MULTI_OPS][BENCH_PATH_BYTES];
    char values[MULTI_OPS][BENCH_VALUE_BYTES];
};

static void on_multi(int rc, const void *context) {
    struct multi *multi = (struct multi *)(uintptr_t)context;
    struct load *load = multi->load;
    if (rc == ZOK) {
        load->done += (uint64_t)multi->count;
        if (multi->sent > 0)
            bench_samples_add(&load->samples, bench_seconds() - multi->sent);
    } else {
        load->failed++;
    }
    free(multi);
    bench_window_give(&load->window);
}

static struct multi *new_multi(struct load *load) {
    struct multi *multi = malloc(sizeof *multi);
    if (!multi)
        bench_die("out of memory");
    multi->load = load;
    multi->count = 0;
    multi->sent = 0;
    return multi;
}

static void send_multi(struct multi *multi) {
    bench_window_take(&multi->load->window);
    int rc = zoo_amulti(multi->load->zk, multi->count, multi->ops, multi->results, on_multi, multi);
    if (rc != ZOK)
        bench_die("multi: %s", zerror(rc));
}

static void add_create(struct multi **multi, struct load *load, const char *path, const char *value,
                       size_t len) {
    if (!*multi)
        *multi = new_multi(load);
    struct multi *m = *multi;
    int i = m->count++;
    snprintf(m->paths[i], sizeof m->paths[i], "%s", path);
    memcpy(m->values[i], value, len);
    zoo_create_op_init(&m->ops[i], m->paths[i], m->values[i], (int)len, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
    if (m->count == MULTI_OPS) {
        send_multi(m);
        *multi = NULL;
    }
}

struct parents {
    struct load *load;
    struct multi *multi;
};

static bool add_parent(void *context, const char *path) {
    struct parents *parents = context;
    add_create(&parents->multi, parents->load, path, "", 0);
    return true;
}

static void create(struct load *load, uint32_t from) {
    struct parents parents = {.load = load};
    char path[BENCH_PATH_BYTES], value[BENCH_VALUE_BYTES];
    double begin = bench_seconds();
    bench_parents(load->kind, from, load->nodes, add_parent, &parents);
    for (uint32_t node = from; node < load->nodes; node++) {
        bench_path(load->kind, node, path);
        size_t len = bench_value(load->kind, node, 0, value);
        add_create(&parents.multi, load, path, value, len);
    }
    if (parents.multi)
        send_multi(parents.multi);
    bench_window_drain(&load->window);
    double seconds = bench_seconds() - begin;
    printf("{\"nodes\":%llu,\"failed\":%llu,\"seconds\":%.4f,\"per_s\":%.0f}\n",
           (unsigned long long)load->done, (unsigned long long)load->failed, seconds,
           (double)load->done / seconds);
}

// --- set -------------------------------------------------------------------------------------------------------------

struct set {
    struct load *load;
    double sent;
    bool out;
};

static void on_set(int rc, const struct Stat *stat, const void *context) {
    (void)stat;
    struct set *set = (struct set *)(uintptr_t)context;
    struct load *load = set->load;
    if (rc == ZOK) {
        load->done++;
        bench_samples_add(&load->samples, bench_seconds() - set->sent);
    } else {
        load->failed++;
    }
    free(set);
    bench_window_give(&load->window);
}

// What one load sends: its nodes follow from `version`.
struct shape {
    size_t size;  // of the data, 0: the kind's own
    uint32_t ops; // in a multi, 0: single sets
};

static size_t make_set(const struct load *load, uint32_t version, size_t size, char *path, char *value) {
    uint32_t node = (uint32_t)(bench_mix(version) % load->nodes);
    bench_path(load->kind, node, path);
    if (!size)
        return bench_value(load->kind, node, version, value);
    bench_value_sized(load->kind, node, version, value, size);
    return size;
}

static void send_sets(struct load *load, uint32_t version, const struct shape *shape) {
    struct multi *multi = new_multi(load);
    for (; (uint32_t)multi->count < shape->ops; multi->count++) {
        int i = multi->count;
        size_t len = make_set(load, version * shape->ops + (uint32_t)i, shape->size, multi->paths[i],
                              multi->values[i]);
        zoo_set_op_init(&multi->ops[i], multi->paths[i], multi->values[i], (int)len, -1, NULL);
    }
    multi->sent = bench_seconds();
    send_multi(multi);
}

static void send_set(struct load *load, uint32_t version, size_t size) {
    char path[BENCH_PATH_BYTES], value[BENCH_VALUE_BYTES];
    size_t len = make_set(load, version, size, path, value);
    struct set *set = malloc(sizeof *set);
    if (!set)
        bench_die("out of memory");
    bench_window_take(&load->window);
    *set = (struct set){.load = load, .sent = bench_seconds()};
    int rc = zoo_aset(load->zk, path, value, (int)len, -1, on_set, set);
    if (rc != ZOK)
        bench_die("set: %s", zerror(rc));
    load->txn_bytes += 32 + 4 + strlen(path) + 4 + len + 4; // header, path, data, version
}

// Until `seconds` are over or `count` are sent, whichever is not 0. A rate's times are kept from the start on, so that a
// stall is followed by a burst: load does not wait for the server.
static void set_nodes(struct load *load, double rate, double seconds, uint64_t count,
                      const struct shape *shape) {
    uint32_t first = (uint32_t)(bench_mix((uint64_t)(bench_seconds() * 1e6)) & 0x3fffffff);
    double begin = bench_seconds();
    uint64_t sent = 0;
    for (; !count || sent < count; sent++) {
        double now = bench_seconds();
        if (seconds > 0 && now - begin >= seconds)
            break;
        if (rate > 0 && begin + (double)sent / rate > now)
            bench_sleep_until(begin + (double)sent / rate);
        if (shape->ops)
            send_sets(load, first + (uint32_t)sent, shape);
        else
            send_set(load, first + (uint32_t)sent, shape->size);
    }
    bench_window_drain(&load->window);
    double took = bench_seconds() - begin;
    printf("{\"done\":%llu,\"failed\":%llu,\"seconds\":%.4f,\"per_s\":%.1f,\"p50_us\":%.1f,\"p99_us\":%.1f,"
           "\"txn_bytes\":%llu}\n",
           (unsigned long long)load->done, (unsigned long long)load->failed, took, (double)load->done / took,
           1e6 * bench_samples_at(&load->samples, 0.5), 1e6 * bench_samples_at(&load->samples, 0.99),
           (unsigned long long)load->txn_bytes);
}

// --- watch -----------------------------------------------------------------------------------------------------------

static void on_event(zhandle_t *zk, int type, int state, const char *path, void *context) {
    (void)zk, (void)type, (void)state, (void)path, (void)context;
}

static void on_watched(int rc, const struct Stat *stat, const void *context) {
    (void)stat;
    struct load *load = (struct load *)(uintptr_t)context;
    if (rc == ZOK)
        load->done++;
    else
        load->failed++;
    bench_window_give(&load->window);
}

static void watch(struct load *load, int seconds) {
    char path[BENCH_PATH_BYTES];
    for (uint32_t node = 0; node < load->nodes; node++) {
        bench_path(load->kind, node, path);
        bench_window_take(&load->window);
        int rc = zoo_awexists(load->zk, path, on_event, NULL, on_watched, load);
        if (rc != ZOK)
            bench_die("exists: %s", zerror(rc));
    }
    bench_window_drain(&load->window);
    printf("{\"watches\":%llu,\"failed\":%llu}\n", (unsigned long long)load->done,
           (unsigned long long)load->failed);
    fflush(stdout);
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    poll(&in, 1, seconds * 1000);
}

int main(int argc, char **argv) {
    struct load load = {0};
    if (argc < 5 || !bench_kind_parse(argv[3], &load.kind))
        bench_die("usage: bench_zk HOSTS create|set|sets|multis|watch registry|config NODES ...");
    const char *what = argv[2];
    load.nodes = (uint32_t)bench_number(argv[4], 1, 10000000);
    bool sets = strcmp(what, "sets") == 0 && argc == 7,
         set = strcmp(what, "set") == 0 && (argc == 8 || argc == 9),
         multis = strcmp(what, "multis") == 0 && argc == 9;
    uint32_t window = strcmp(what, "watch") == 0 ? 1000 : MULTIS_IN_FLIGHT;
    if (set || sets || multis)
        window = (uint32_t)bench_number(argv[5], 1, WINDOW_MAX);
    bench_window_init(&load.window, window);
    bench_samples_init(&load.samples, SAMPLES_MAX);
    struct shape shape = {.size = 0};
    if (set && argc == 9)
        shape.size = (size_t)bench_number(argv[8], 1, BENCH_VALUE_BYTES);
    if (multis)
        shape.ops = (uint32_t)bench_number(argv[8], 1, MULTI_OPS);
    load.zk = bench_connect(argv[1], NULL);
    if (strcmp(what, "create") == 0)
        create(&load, argc == 6 ? (uint32_t)bench_number(argv[5], 0, load.nodes) : 0);
    else if (set || multis)
        set_nodes(&load, (double)bench_number(argv[6], 0, 1000000), (double)bench_number(argv[7], 1, 3600), 0,
                  &shape);
    else if (sets)
        set_nodes(&load, 0, 0, (uint64_t)bench_number(argv[6], 1, 100000000), &shape);
    else if (strcmp(what, "watch") == 0 && argc == 6)
        watch(&load, (int)bench_number(argv[5], 1, 3600));
    else
        bench_die("bench_zk: what is '%s'?", what);
    zookeeper_close(load.zk);
    free(load.samples.at);
    return load.failed ? 1 : 0;
}
