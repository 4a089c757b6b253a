// Any bytes as a message: what decodes can be written again, and what was written reads and writes to the same bytes.
// A search would never find a checksum: so the last four bytes of the input are replaced by the right one.
#include <stdlib.h>
#include <string.h>

#include "zs_batch.h"
#include "zs_utf8.h"

#undef NDEBUG // asserts are what this program is for
#include <assert.h>

enum { RAW_BYTES_MAX = 1 << 16 };
static struct zs_dictionaries known; // the bytes 0 to 255
static const struct zs_batch_limits LIMITS = {1 << 17, RAW_BYTES_MAX, 1000, &known};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static struct zs_slice write_again(struct zs_batch_writer *writer, const struct zs_batch *batch) {
    struct zs_slice message;
    zs_batch_writer_begin(writer, &batch->head);
    zs_batch_writer_use(writer, zs_dictionaries_find(&known, batch->head.dictionary));
    for (uint32_t i = 0; i < batch->head.records; i++) {
        // What the writer has to spell out may be longer than what it was given: a path that shares less than it could.
        if (zs_batch_writer_add(writer, &batch->records[i]) != ZS_ADDED)
            return (struct zs_slice){NULL, 0};
    }
    assert(zs_batch_writer_finish(writer, batch->head.last, batch->head.clock_last, &message, NULL, NULL));
    return message;
}

static void check_round_trip(const struct zs_batch *batch) {
    struct zs_batch_writer *first = zs_batch_writer_new(RAW_BYTES_MAX, RAW_BYTES_MAX);
    struct zs_batch_writer *second = zs_batch_writer_new(RAW_BYTES_MAX, RAW_BYTES_MAX);
    struct zs_arena *arena = zs_arena_new(zs_batch_arena_bytes(&LIMITS));
    struct zs_slice message = write_again(first, batch);
    if (message.at) {
        struct zs_batch again;
        assert(zs_batch_decode(message.at, message.len, &LIMITS, arena, &again, NULL));
        assert(again.head.records == batch->head.records && again.head.txns == batch->head.txns);
        assert(again.head.first == batch->head.first && again.head.last == batch->head.last);
        struct zs_slice same = write_again(second, &again);
        assert(same.len == message.len && memcmp(same.at, message.at, same.len) == 0);
    }
    zs_arena_free(arena);
    zs_batch_writer_free(second);
    zs_batch_writer_free(first);
}

static void check_path(const char *path) {
    assert(!path || (zs_path_valid(path) && zs_utf8_valid(path, strlen(path))));
}

static void check_paths(const struct zs_batch *batch) {
    for (uint32_t i = 0; i < batch->head.records; i++) {
        const struct zs_record *record = &batch->records[i];
        for (uint32_t k = 0; record->type == ZS_RECORD_TXN && k < record->txn.op_count; k++)
            check_path(record->txn.ops[k].path);
        if (record->type == ZS_RECORD_NODE)
            check_path(record->node.path);
        if (record->type == ZS_RECORD_SEQUENCE)
            check_path(record->sequence.path);
    }
}

static void know_dictionary(void) {
    uint8_t bytes[256];
    struct zs_dictionary dictionary;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)i;
    assert(zs_dictionary_make(bytes, sizeof bytes, &dictionary));
    zs_dictionaries_add(&known, &dictionary);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    if (!known.count)
        know_dictionary();
    struct zs_arena *arena = zs_arena_new(zs_batch_arena_bytes(&LIMITS));
    uint8_t *message = malloc(len + 1);
    memcpy(message, bytes, len);
    if (len >= 4) {
        uint32_t sum = zs_crc32c(0, message, len - 4);
        for (int i = 0; i < 4; i++)
            message[len - 1 - (size_t)i] = (uint8_t)(sum >> 8 * i);
    }
    struct zs_error e = {ZS_OK, ""};
    struct zs_batch batch;
    if (zs_batch_decode(message, len, &LIMITS, arena, &batch, &e)) {
        check_paths(&batch);
        check_round_trip(&batch);
    } else {
        assert(e.code == ZS_CORRUPT && e.text[0]); // never ZS_FATAL: the arena has the promised size
    }
    free(message);
    zs_arena_free(arena);
    return 0;
}
