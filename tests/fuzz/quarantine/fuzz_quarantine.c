// Any bytes as a record of quarantine: what decodes with its ops, encodes and decodes to the same.
#include <string.h>

#include "zs_quarantine.h"

#undef NDEBUG // asserts are what this program is for
#include <assert.h>

enum { ARENA_BYTES = 64 * 1024 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void encode_again(struct zs_quarantine *record, struct zs_arena *arena) {
    struct zs_quarantine again;
    struct zs_buffer json;
    struct zs_error e;
    bool whole = false;
    zs_buffer_init(&json, 1 << 24);
    // A hostile time may not be what a batch can say; all else goes round.
    if (zs_quarantine_encode(record, true, 1 << 24, &json, &whole, &e)) {
        assert(zs_quarantine_decode(json.at, json.len, true, arena, &again, &e));
        assert(again.zxid == record->zxid && again.op_count == record->op_count &&
               again.class == record->class);
        assert(strcmp(again.origin, record->origin) == 0);
        for (uint32_t i = 0; again.whole && i < again.op_count; i++)
            assert(again.ops[i].type == record->ops[i].type &&
                   again.ops[i].data.len == record->ops[i].data.len);
    }
    zs_buffer_free(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    struct zs_arena *arena = zs_arena_new(ARENA_BYTES);
    struct zs_quarantine record;
    struct zs_error e = {ZS_OK, ""};
    assert(arena);
    if (!zs_quarantine_decode(bytes, len, true, arena, &record, &e))
        assert(e.text[0]);
    else if (record.whole)
        encode_again(&record, arena);
    zs_arena_free(arena);
    return 0;
}
