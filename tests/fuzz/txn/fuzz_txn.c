// Any bytes as a log entry: what decodes keeps the promises of zs_txn.h.
#include <stdlib.h>
#include <string.h>

#include "zs_txn.h"
#include "zs_utf8.h"

#undef NDEBUG // asserts are what this program is for
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check_acls(const struct zs_acls *acls) {
    for (uint32_t i = 0; i < acls->count; i++) {
        assert(zs_utf8_valid(acls->entries[i].scheme, strlen(acls->entries[i].scheme)));
        assert(zs_utf8_valid(acls->entries[i].id, strlen(acls->entries[i].id)));
    }
}

static void check_data(struct zs_slice data) {
    uint8_t sum = 0; // every byte can be read
    for (size_t i = 0; i < data.len; i++)
        sum ^= data.at[i];
    assert(data.at || (data.len == 0 && sum == 0));
}

static void check_op(const struct zs_op *op, const struct zs_txn *txn) {
    if (op->type == ZS_OP_CLOSE_SESSION) {
        assert(!op->path && op->session == txn->session && op == txn->ops + txn->op_count - 1);
        return;
    }
    assert(op->type >= ZS_OP_CREATE && op->type <= ZS_OP_SET_ACL);
    assert(zs_path_valid(op->path) && zs_utf8_valid(op->path, strlen(op->path)));
    if (op->type == ZS_OP_CREATE) {
        assert(op->kind <= ZS_TTL && (op->kind == ZS_TTL) == (op->ttl_ms > 0));
        assert(op->session == (op->kind == ZS_EPHEMERAL ? txn->session : 0));
    }
    check_data(op->data);
    check_acls(&op->acls);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    struct zs_arena *arena = zs_arena_new(1 << 20);
    struct zs_error e = {ZS_OK, ""};
    struct zs_txn txn;
    int64_t zxid, time_ms;
    if (zs_txn_decode(bytes, len, arena, &txn, &e)) {
        assert(txn.zxid > 0 && zs_txn_zxid(bytes, len, &zxid, &time_ms));
        assert(zxid == txn.zxid && time_ms == txn.time_ms);
        assert(txn.class == ZS_TXN_WRITE || txn.op_count == 0);
        for (uint32_t i = 0; i < txn.op_count; i++)
            check_op(&txn.ops[i], &txn);
    } else {
        assert((e.code == ZS_CORRUPT || e.code == ZS_FATAL) && e.text[0]);
    }
    zs_arena_free(arena);
    return 0;
}
