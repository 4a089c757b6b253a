// What the benchmarks write: a tree like that of a service registry, and one like that of a configuration store. Values in,
// values out: the same kind, node and version always give the same path and data, in every program.
#ifndef BENCH_DATA_H
#define BENCH_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zs_bytes.h"

enum bench_kind {
    BENCH_REGISTRY, // long paths with a common stem, JSON values of 200 to 400 bytes
    BENCH_CONFIG,   // short paths, properties of 20 to 4,000 bytes
};
bool bench_kind_parse(const char *name, enum bench_kind *out);

enum { BENCH_PATH_BYTES = 160, BENCH_VALUE_BYTES = 4096 };

// Node `node`'s path.
void bench_path(enum bench_kind kind, uint32_t node, char out[static BENCH_PATH_BYTES]);
// The data of its version `version`; not NUL-terminated. Returns its length.
size_t bench_value(enum bench_kind kind, uint32_t node, uint32_t version, char out[static BENCH_VALUE_BYTES]);
// `size` bytes that start with the data of that version, and go on with it as often as needed.
void bench_value_sized(enum bench_kind kind, uint32_t node, uint32_t version, char *out, size_t size);

// Calls `make` for each parent of the nodes `from` (the first of its parent) to count - 1, parents first. Stops, and returns
// false, when it does.
typedef bool bench_make(void *context, const char *path);
bool bench_parents(enum bench_kind kind, uint32_t from, uint32_t count, bench_make *make, void *context);

// A number from a number, well mixed (splitmix64).
uint64_t bench_mix(uint64_t x);

// The jute bytes of the txn that sets a node's data, as they stand in a txn log.
void bench_put_set_txn(struct zs_buffer *out, int64_t zxid, int64_t time_ms, enum bench_kind kind,
                       uint32_t node, uint32_t version);
// The same of a multi that sets `count` nodes from `node` on, wrapped around at `nodes`.
void bench_put_multi_txn(struct zs_buffer *out, int64_t zxid, int64_t time_ms, enum bench_kind kind,
                         uint32_t node, uint32_t nodes, uint32_t count, uint32_t version);

#endif
