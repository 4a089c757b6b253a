// What needs no server: txns to batches, and how small they get.
//
//   bench_pure encode registry|config    thread CPU for decode + filter + stamp + batch + LZ4 of txns, against LZ4 alone
//                                        on the same bytes in the same groups
//   bench_pure wire registry|config TXNS_PER_BATCH    bytes of the messages against bytes of the txns
//
// Prints one JSON object. `allocations` counts malloc, calloc and realloc while txns were taken, once all was warm: the
// linker puts the functions below in the place of the library's.
#include <lz4.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench_data.h"
#include "zs_outbound.h"

enum { TXNS = 40000, NODES = 10000, PASSES = 5, BATCH_TXNS_MAX = 256, BATCH_BYTES_MAX = 64 * 1024 };

static unsigned long allocations;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__wrap_malloc(size_t size) {
    allocations++;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
    allocations++;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size) {
    allocations++;
    return __real_realloc(old, size);
}

struct txns {
    struct zs_buffer bytes;
    size_t ends[TXNS];
};

struct groups { // which txns went into one batch: `ends` as offsets into the txns' bytes
    size_t ends[TXNS];
    uint32_t count;
};

static _Noreturn void die(const char *what) {
    fprintf(stderr, "bench_pure: %s\n", what);
    exit(1);
}

static double cpu_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void make_txns(struct txns *txns, enum bench_kind kind) {
    zs_buffer_init(&txns->bytes, (size_t)1 << 30);
    for (uint32_t i = 0; i < TXNS; i++) {
        uint32_t node = (uint32_t)(bench_mix(i) % NODES);
        bench_put_set_txn(&txns->bytes, INT64_C(0x100000000) + i + 1, INT64_C(1763900000000) + i, kind, node,
                          i);
        txns->ends[i] = txns->bytes.len;
    }
    if (txns->bytes.failed)
        die("out of memory");
}

static struct zs_outbound *new_outbound(struct zs_filter *filter, uint32_t batch_txns) {
    struct zs_error e;
    struct zs_outbound_settings settings = {.origin = "sh",
                                            .destination = "bj",
                                            .filter = filter,
                                            .batch_txns_max = batch_txns,
                                            .batch_bytes_max = BATCH_BYTES_MAX,
                                            .txn_bytes_max = 1 << 20};
    struct zs_outbound *out = zs_outbound_new(&settings, &e);
    return out ? out : (die(e.text), NULL);
}

static size_t finish(struct zs_outbound *out) {
    struct zs_outgoing outgoing;
    struct zs_error e;
    if (!zs_outbound_finish(out, 0, &outgoing, &e))
        die(e.text);
    return outgoing.message.len;
}

// All txns to batches; returns the bytes of the messages. `groups` may be NULL.
static size_t encode(struct zs_outbound *out, const struct txns *txns, struct groups *groups) {
    const struct zs_history history = {{7}};
    const struct zs_checkpoint from = {.zxid = INT64_C(0x100000000), .clock = 5};
    size_t wire = 0, begin = 0;
    struct zs_error e;
    zs_outbound_seek(out, &history, &from);
    if (groups)
        groups->count = 0;
    for (uint32_t i = 0; i < TXNS;) {
        enum zs_taken taken = zs_outbound_take(out, txns->bytes.at + begin, txns->ends[i] - begin, &e);
        if (taken == ZS_TAKE_ERROR)
            die(e.text);
        if (taken == ZS_TAKEN) {
            begin = txns->ends[i++];
            continue;
        }
        wire += finish(out);
        if (groups)
            groups->ends[groups->count++] = begin;
    }
    if (groups)
        groups->ends[groups->count++] = begin;
    return wire + finish(out);
}

static size_t compress_alone(const struct txns *txns, const struct groups *groups, char *out, int room) {
    size_t wire = 0, begin = 0;
    for (uint32_t i = 0; i < groups->count; i++) {
        size_t len = groups->ends[i] - begin;
        int packed = LZ4_compress_default((const char *)txns->bytes.at + begin, out, (int)len, room);
        if (packed <= 0)
            die("LZ4 failed");
        wire += (size_t)packed;
        begin = groups->ends[i];
    }
    return wire;
}

static void run_encode(struct zs_outbound *out, const struct txns *txns) {
    static struct groups groups;
    static char packed[4 * BATCH_BYTES_MAX];
    double ours = 0, baseline = 0;
    size_t wire = encode(out, txns, &groups), alone = compress_alone(txns, &groups, packed, sizeof packed);
    unsigned long before = allocations;
    for (int pass = 0; pass < PASSES; pass++) {
        double begin = cpu_seconds();
        alone = compress_alone(txns, &groups, packed, sizeof packed);
        double middle = cpu_seconds();
        wire = encode(out, txns, NULL);
        baseline += middle - begin;
        ours += cpu_seconds() - middle;
    }
    printf("{\"ours\":%.0f,\"baseline\":%.0f,\"allocations\":%lu,\"txn_bytes\":%zu,\"wire\":%zu,\"lz4\":%zu,"
           "\"batches\":%u}\n",
           PASSES * TXNS / ours, PASSES * TXNS / baseline, allocations - before, txns->bytes.len, wire, alone,
           groups.count);
}

int main(int argc, char **argv) {
    static struct txns txns;
    enum bench_kind kind;
    struct zs_error e;
    bool wire = argc == 4 && strcmp(argv[1], "wire") == 0;
    if (!(wire || (argc == 3 && strcmp(argv[1], "encode") == 0)) || !bench_kind_parse(argv[2], &kind))
        die("usage: bench_pure encode registry|config | wire registry|config TXNS_PER_BATCH");
    struct zs_filter *filter = zs_filter_new("", "/locks,/election,/registry/*/consumers", &e);
    if (!filter)
        die(e.text);
    long per_batch = wire ? strtol(argv[3], NULL, 10) : BATCH_TXNS_MAX;
    if (per_batch < 1 || per_batch > BATCH_TXNS_MAX)
        die("TXNS_PER_BATCH: 1 to 256");
    make_txns(&txns, kind);
    struct zs_outbound *out = new_outbound(filter, (uint32_t)per_batch);
    if (wire)
        printf("{\"ours\":%zu,\"baseline\":%zu}\n", encode(out, &txns, NULL), txns.bytes.len);
    else
        run_encode(out, &txns);
    zs_outbound_free(out);
    zs_filter_free(filter);
    zs_buffer_free(&txns.bytes);
    return 0;
}
