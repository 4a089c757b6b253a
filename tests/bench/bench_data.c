#include "bench_data.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { PROVIDERS = 40, KEYS = 25 }; // of a service, of an application

static const char *const TEAMS[] = {"trade", "order",  "payment", "member",
                                    "stock", "search", "risk",    "delivery"};
static const char *const NOUNS[] = {"Order",   "Account", "Coupon", "Refund", "Shipment", "Price",
                                    "Invoice", "Session", "Quota",  "Ledger", "Catalog",  "Address"};
static const char *const VERBS[] = {"Query", "Command", "Sync", "Audit", "Search", "Batch", "Notify"};
static const char *const KEYS_OF[] = {"db", "cache", "limits", "routing", "features", "timeouts", "retry"};

#define PICK(list, number) ((list)[(number) % (sizeof(list) / sizeof *(list))])

uint64_t bench_mix(uint64_t x) {
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

bool bench_kind_parse(const char *name, enum bench_kind *out) {
    *out = strcmp(name, "config") == 0 ? BENCH_CONFIG : BENCH_REGISTRY;
    return *out == BENCH_CONFIG || strcmp(name, "registry") == 0;
}

// --- paths -----------------------------------------------------------------------------------------------------------

static int service_name(uint32_t service, char *out, size_t size) {
    uint64_t mixed = bench_mix(service);
    return snprintf(out, size, "com.example.%s.api.%s%sService%u", PICK(TEAMS, mixed),
                    PICK(NOUNS, mixed >> 16), PICK(VERBS, mixed >> 32), service);
}

static int parent_path(enum bench_kind kind, uint32_t node, char *out, size_t size) {
    if (kind == BENCH_CONFIG)
        return snprintf(out, size, "/config/app-%u", node / KEYS);
    char name[96];
    service_name(node / PROVIDERS, name, sizeof name);
    return snprintf(out, size, "/registry/%s/providers", name);
}

static void address_of(uint32_t node, char *out, size_t size) {
    uint64_t mixed = bench_mix(node ^ 0xadd5u);
    snprintf(out, size, "10.%u.%u.%u", (unsigned)(mixed & 31), (unsigned)(mixed >> 8 & 255),
             (unsigned)(mixed >> 16 & 255));
}

void bench_path(enum bench_kind kind, uint32_t node, char out[static BENCH_PATH_BYTES]) {
    char address[20];
    int len = parent_path(kind, node, out, BENCH_PATH_BYTES);
    char *end = out + len;
    size_t left = BENCH_PATH_BYTES - (size_t)len;
    address_of(node, address, sizeof address);
    if (kind == BENCH_CONFIG)
        snprintf(end, left, "/%s.%u", PICK(KEYS_OF, node % KEYS), node % KEYS);
    else
        snprintf(end, left, "/%s:%u-%06u", address, 20880 + (node & 7), node);
}

bool bench_parents(enum bench_kind kind, uint32_t from, uint32_t count, bench_make *make, void *context) {
    char path[BENCH_PATH_BYTES];
    uint32_t each = kind == BENCH_CONFIG ? KEYS : PROVIDERS;
    if (from == 0 && !make(context, kind == BENCH_CONFIG ? "/config" : "/registry"))
        return false;
    for (uint32_t node = from; node < count; node += each) {
        parent_path(kind, node, path, sizeof path);
        char *last = strrchr(path, '/');
        if (kind == BENCH_REGISTRY) { // the service itself
            *last = '\0';
            if (!make(context, path))
                return false;
            *last = '/';
        }
        if (!make(context, path))
            return false;
    }
    return true;
}

// --- data ------------------------------------------------------------------------------------------------------------

// One provider of a service, as Curator and Dubbo write them: most of it stays from version to version.
static size_t registry_value(uint32_t node, uint32_t version, char *out) {
    char name[96], address[20];
    uint64_t id = bench_mix(node), low = bench_mix(id), now = bench_mix(low ^ version);
    service_name(node / PROVIDERS, name, sizeof name);
    address_of(node, address, sizeof address);
    int len =
        snprintf(out, BENCH_VALUE_BYTES,
                 "{\"name\":\"%s\",\"id\":\"%08x-%04x-4%03x-a%03x-%012" PRIx64
                 "\",\"address\":\"%s\",\"port\":%u,\"sslPort\":null,\"payload\":{\"version\":\"2.%u.%u\","
                 "\"weight\":%u,"
                 "\"zone\":\"cn-%s-%c\",\"load\":0.%04u,\"warm\":true%s},\"registrationTimeUTC\":%" PRIu64
                 ",\"serviceType\":\"DYNAMIC\",\"uriSpec\":null}",
                 name, (uint32_t)id, (unsigned)(id >> 32 & 0xffff), (unsigned)(id >> 48 & 0xfff),
                 (unsigned)(id >> 52), low & 0xffffffffffff, address, 20880 + (node & 7),
                 (unsigned)(low >> 8 & 15), (unsigned)(low >> 16 & 31), (unsigned)(now & 1 ? 100 : 50),
                 node & 1 ? "sh" : "bj", (char)('a' + (low >> 24 & 3)), (unsigned)((now >> 8) % 10000),
                 node & 2 ? ",\"protocol\":\"dubbo\",\"methods\":\"query,list,count\"" : "",
                 UINT64_C(1763900000000) + (now >> 40));
    return (size_t)len;
}

// Lines of properties until a size is reached that is as often near 20 bytes as near 4,000.
static size_t config_value(uint32_t node, uint32_t version, char *out) {
    static const char *const names[] = {"pool.max", "pool.min", "timeout.ms", "url",
                                        "retries",  "enabled",  "ratio",      "owner"};
    uint64_t size_of = bench_mix(node ^ 0xc0f1u);
    size_t size = 20 + ((size_t)3980 >> (size_of % 8)) * (size_of >> 8 & 1023) / 1024;
    size_t len = 0;
    for (uint32_t line = 0; len < size; line++) {
        uint64_t mixed =
            bench_mix((uint64_t)node << 32 | (line << 8) | (line == version % 8 ? version % 251 : 0));
        int more = snprintf(out + len, BENCH_VALUE_BYTES - len, "%s.%u.%s=%u\n", PICK(KEYS_OF, mixed >> 16),
                            line, PICK(names, mixed), (unsigned)(mixed >> 24 & 0xffff));
        len += (size_t)more;
    }
    return size;
}

size_t bench_value(enum bench_kind kind, uint32_t node, uint32_t version,
                   char out[static BENCH_VALUE_BYTES]) {
    return kind == BENCH_CONFIG ? config_value(node, version, out) : registry_value(node, version, out);
}

void bench_value_sized(enum bench_kind kind, uint32_t node, uint32_t version, char *out, size_t size) {
    char value[BENCH_VALUE_BYTES];
    size_t len = bench_value(kind, node, version, value);
    for (size_t at = 0; at < size; at += len)
        memcpy(out + at, value, size - at < len ? size - at : len);
}

// --- txns ------------------------------------------------------------------------------------------------------------

enum { SESSION = 0x1000, SET_DATA = 5, MULTI = 14 };

static void put_header(struct zs_buffer *out, int64_t zxid, int64_t time_ms, uint32_t version,
                       uint32_t type) {
    zs_put_u64(out, SESSION);
    zs_put_u32(out, version);
    zs_put_u64(out, (uint64_t)zxid);
    zs_put_u64(out, (uint64_t)time_ms);
    zs_put_u32(out, type);
}

static void put_set(struct zs_buffer *out, enum bench_kind kind, uint32_t node, uint32_t version,
                    bool in_multi) {
    char path[BENCH_PATH_BYTES], value[BENCH_VALUE_BYTES];
    bench_path(kind, node, path);
    size_t len = bench_value(kind, node, version, value);
    if (in_multi) {
        zs_put_u32(out, SET_DATA);
        zs_put_u32(out, (uint32_t)(4 + strlen(path) + 4 + len + 4));
    }
    zs_put_u32(out, (uint32_t)strlen(path));
    zs_put_bytes(out, path, strlen(path));
    zs_put_u32(out, (uint32_t)len);
    zs_put_bytes(out, value, len);
    zs_put_u32(out, version + 1);
}

void bench_put_set_txn(struct zs_buffer *out, int64_t zxid, int64_t time_ms, enum bench_kind kind,
                       uint32_t node, uint32_t version) {
    put_header(out, zxid, time_ms, version, SET_DATA);
    put_set(out, kind, node, version, false);
}

void bench_put_multi_txn(struct zs_buffer *out, int64_t zxid, int64_t time_ms, enum bench_kind kind,
                         uint32_t node, uint32_t nodes, uint32_t count, uint32_t version) {
    put_header(out, zxid, time_ms, version, MULTI);
    zs_put_u32(out, count);
    for (uint32_t i = 0; i < count; i++)
        put_set(out, kind, (node + i) % nodes, version, true);
}
