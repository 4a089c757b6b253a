// Makes batches as a sender would, all full, and puts them into a file: each as its length (4 bytes, big-endian) and its bytes.
//
//   bench_batches FILE ORIGIN DESTINATION KIND NODES TXNS SEED [OPS]
//
// Each txn sets one random node (OPS: that many in a row) of those that `bench_zk create KIND NODES` makes. The first batch
// covers the origin from its beginning. Prints {"last":"<zxid in hex>","batches":N,"bytes":N}.
#include <stdio.h>
#include <string.h>

#include "bench_client.h"
#include "bench_data.h"
#include "zs_outbound.h"

#define FIRST_MS INT64_C(1763900000000)

struct maker {
    FILE *file;
    struct zs_outbound *out;
    uint64_t batches, bytes;
};

static void finish(struct maker *m) {
    struct zs_outgoing outgoing;
    struct zs_error e;
    if (!zs_outbound_finish(m->out, 0, &outgoing, &e))
        bench_die("%s", e.text);
    size_t len = outgoing.message.len;
    const uint8_t head[4] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len};
    if (fwrite(head, 1, sizeof head, m->file) != sizeof head ||
        fwrite(outgoing.message.at, 1, len, m->file) != len)
        bench_die("cannot write");
    m->batches++;
    m->bytes += len;
}

static void take(struct maker *m, const struct zs_buffer *txn) {
    struct zs_error e;
    enum zs_taken taken = zs_outbound_take(m->out, txn->at, txn->len, &e);
    if (taken == ZS_TAKE_FULL) {
        finish(m);
        taken = zs_outbound_take(m->out, txn->at, txn->len, &e);
    }
    if (taken != ZS_TAKEN)
        bench_die("%s", e.text);
}

int main(int argc, char **argv) {
    enum { BATCH_TXNS = 256, BATCH_BYTES = 64 * 1024, TXN_BYTES = 1 << 20 };
    enum bench_kind kind;
    struct zs_error e;
    if ((argc != 8 && argc != 9) || !bench_kind_parse(argv[4], &kind))
        bench_die("usage: bench_batches FILE ORIGIN DESTINATION registry|config NODES TXNS SEED [OPS]");
    uint32_t nodes = (uint32_t)bench_number(argv[5], 1, 10000000);
    uint32_t txns = (uint32_t)bench_number(argv[6], 1, 100000000),
             seed = (uint32_t)bench_number(argv[7], 0, 1 << 30);
    uint32_t ops = argc == 9 ? (uint32_t)bench_number(argv[8], 1, 1000) : 1;
    struct zs_filter *filter = zs_filter_new("", "/locks,/election", &e);
    struct zs_outbound_settings settings = {.filter = filter,
                                            .batch_txns_max = BATCH_TXNS,
                                            .batch_bytes_max = BATCH_BYTES,
                                            .txn_bytes_max = TXN_BYTES};
    snprintf(settings.origin, sizeof settings.origin, "%s", argv[2]);
    snprintf(settings.destination, sizeof settings.destination, "%s", argv[3]);
    struct maker m = {.file = fopen(argv[1], "w"), .out = filter ? zs_outbound_new(&settings, &e) : NULL};
    if (!m.file || !m.out)
        bench_die("cannot begin: %s", m.file ? e.text : argv[1]);
    const struct zs_history history = {{7}};
    zs_outbound_seek(m.out, &history, &(struct zs_checkpoint){0});
    struct zs_buffer txn;
    zs_buffer_init(&txn, TXN_BYTES);
    int64_t zxid = INT64_C(1) << 32;
    for (uint32_t i = 0; i < txns; i++) {
        uint32_t version = seed + i;
        zs_buffer_clear(&txn);
        uint32_t node = (uint32_t)(bench_mix(version) % nodes);
        if (ops == 1)
            bench_put_set_txn(&txn, ++zxid, FIRST_MS + i / 10, kind, node, version);
        else
            bench_put_multi_txn(&txn, ++zxid, FIRST_MS + i / 10, kind, node, nodes, ops, version);
        take(&m, &txn);
    }
    finish(&m);
    if (fclose(m.file) != 0)
        bench_die("cannot write %s", argv[1]);
    printf("{\"last\":\"%llx\",\"batches\":%llu,\"bytes\":%llu}\n", (unsigned long long)zxid,
           (unsigned long long)m.batches, (unsigned long long)m.bytes);
    zs_buffer_free(&txn);
    zs_outbound_free(m.out);
    zs_filter_free(filter);
    return 0;
}
