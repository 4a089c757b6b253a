// The bare loader that the applier is measured against: takes the batches of a file (see bench_batches.c), and sends their ops
// in the multis that an applier would send, through zoo_amulti and nothing else. Decoding is done before the clock runs.
//
//   bench_multis HOSTS FILE MARKER OPS DEPTH
//
// Every multi ends as an applier's does: with a setData of nothing on one of 128 znodes in turn, as the journal's slots, and one on
// the znode MARKER with as many bytes as a marker has. All are created. DEPTH multis are in flight.
// Prints {"ops":N,"failed":N,"seconds":S,"per_s":R,"cpu_us":C}, both per op.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench_client.h"
#include "zs_batch.h"

enum { OPS_MAX = 1000, END_OPS = 2, MARKER_BYTES = 190, SLOTS = 128, PATH_BYTES = 128 };

struct multi {
    struct loader *loader;
    zoo_op_result_t results[OPS_MAX + END_OPS];
};

struct loader {
    zhandle_t *zk;
    const char *marker;
    char slots[SLOTS][PATH_BYTES];
    struct bench_window window;
    struct zs_op *ops; // of all batches
    size_t count, room, failed;
    struct multi *multis; // one per ticket, in turn: answers come in the order of the requests
    uint32_t depth;
};

static void add_op(struct loader *l, const struct zs_op *op) {
    if (op->type != ZS_OP_SET)
        bench_die("this file holds more than sets");
    if (l->count == l->room) {
        l->room = l->room ? l->room * 2 : 65536;
        l->ops = realloc(l->ops, l->room * sizeof *l->ops);
        if (!l->ops)
            bench_die("out of memory");
    }
    l->ops[l->count++] = *op;
}

static void add_batch(struct loader *l, const uint8_t *bytes, size_t len, struct zs_arena *arena) {
    const struct zs_batch_limits limits = {
        .message_bytes_max = 64 << 20, .raw_bytes_max = 64 << 20, .records_max = 1000000};
    struct zs_batch batch;
    struct zs_error e;
    if (!zs_batch_decode(bytes, len, &limits, arena, &batch, &e))
        bench_die("%s", e.text);
    for (uint32_t i = 0; i < batch.head.records; i++) {
        const struct zs_record *record = &batch.records[i];
        if (record->type != ZS_RECORD_TXN)
            bench_die("this file holds more than txns");
        for (uint32_t k = 0; k < record->txn.op_count; k++)
            add_op(l, &record->txn.ops[k]);
    }
}

static uint8_t *load(struct loader *l, const char *path, struct zs_arena *arena) {
    FILE *file = fopen(path, "r");
    if (!file || fseek(file, 0, SEEK_END) != 0)
        bench_die("cannot open %s", path);
    size_t len = (size_t)ftell(file);
    rewind(file);
    uint8_t *bytes = malloc(len + 1);
    if (!bytes || fread(bytes, 1, len, file) != len)
        bench_die("cannot read %s", path);
    fclose(file);
    struct zs_reader in = zs_reader_of(bytes, len);
    while (zs_read_left(&in)) {
        size_t size = zs_read_u32(&in);
        const uint8_t *message = zs_read_bytes(&in, size);
        if (!message)
            bench_die("%s ends in the middle of a batch", path);
        add_batch(l, message, size, arena);
    }
    return bytes;
}

static void on_multi(int rc, const void *context) {
    struct multi *multi = (struct multi *)(uintptr_t)context;
    if (rc != ZOK)
        multi->loader->failed++;
    bench_window_give(&multi->loader->window);
}

static void send_all(struct loader *l, uint32_t ops_max) {
    zoo_op_t ops[OPS_MAX + END_OPS];
    char json[MARKER_BYTES];
    memset(json, 'm', sizeof json);
    int32_t version = 0;
    for (size_t at = 0; at < l->count; version++) {
        int count = 0;
        for (; (uint32_t)count < ops_max && at < l->count; at++) {
            const struct zs_op *op = &l->ops[at];
            zoo_set_op_init(&ops[count++], op->path, (const char *)op->data.at, (int)op->data.len, -1, NULL);
        }
        zoo_set_op_init(&ops[count++], l->slots[version % SLOTS], "", 0, -1, NULL);
        zoo_set_op_init(&ops[count++], l->marker, json, sizeof json, version, NULL);
        bench_window_take(&l->window);
        struct multi *multi = &l->multis[(uint32_t)version % l->depth];
        multi->loader = l;
        int rc = zoo_amulti(l->zk, count, ops, multi->results, on_multi, multi);
        if (rc != ZOK)
            bench_die("multi: %s", zerror(rc));
    }
    bench_window_drain(&l->window);
}

static void create(struct loader *l, const char *path) {
    int rc = zoo_create(l->zk, path, "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
    if (rc != ZOK)
        bench_die("%s: %s", path, zerror(rc));
}

static void create_ends(struct loader *l) {
    create(l, l->marker);
    for (int i = 0; i < SLOTS; i++) {
        snprintf(l->slots[i], PATH_BYTES, "%s/%d", l->marker, i);
        create(l, l->slots[i]);
    }
}

static double cpu_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
    static struct loader l;
    if (argc != 6)
        bench_die("usage: bench_multis HOSTS FILE MARKER OPS DEPTH");
    uint32_t ops_max = (uint32_t)bench_number(argv[4], 1, OPS_MAX);
    l.marker = argv[3];
    l.depth = (uint32_t)bench_number(argv[5], 1, 256);
    l.multis = calloc(l.depth, sizeof *l.multis);
    struct zs_arena *arena = zs_arena_new((size_t)8 << 30);
    if (!l.multis || !arena)
        bench_die("out of memory");
    bench_window_init(&l.window, l.depth);
    uint8_t *bytes = load(&l, argv[2], arena);
    l.zk = bench_connect(argv[1], NULL);
    create_ends(&l);
    double begin = bench_seconds(), cpu = cpu_seconds();
    send_all(&l, ops_max);
    double seconds = bench_seconds() - begin;
    printf("{\"ops\":%zu,\"failed\":%zu,\"seconds\":%.4f,\"per_s\":%.0f,\"cpu_us\":%.2f}\n", l.count,
           l.failed, seconds, (double)l.count / seconds, 1e6 * (cpu_seconds() - cpu) / (double)l.count);
    zookeeper_close(l.zk);
    zs_arena_free(arena);
    free(bytes);
    free(l.ops);
    free(l.multis);
    return l.failed ? 1 : 0;
}
