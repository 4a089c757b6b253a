// Reading a batch. Nothing in a message is believed before it is checked: the whole first (size, checksum), then the
// header against the reader's limits, then memory is taken, then each record (batch_records.c).
#include "wire_format.h"

#include <inttypes.h>
#include <lz4.h>
#include <string.h>

struct envelope {
    struct zs_batch_head head;
    bool compressed;
    const uint8_t *payload;
    uint32_t payload_len;
    const struct zs_dictionary *dictionary; // NULL: none
};

// A number of at most 32 bits.
static uint32_t read_number(struct zs_reader *in) {
    uint64_t value = zs_read_varint(in);
    in->failed = in->failed || value > UINT32_MAX;
    return (uint32_t)value;
}

// A zxid as what it is above `from`.
static int64_t read_zxid_above(struct zs_reader *in, int64_t from) {
    uint64_t above = zs_read_varint(in);
    if (from < 0 || above > (uint64_t)(INT64_MAX - from))
        return -1;
    return from + (int64_t)above;
}

static bool read_positions(struct zs_reader *in, struct zs_batch_head *head, struct zs_error *e) {
    head->prev = read_zxid_above(in, 0);
    head->first = read_zxid_above(in, head->prev);
    head->last = read_zxid_above(in, head->first);
    if (head->last < 0)
        return zs_fail(e, ZS_CORRUPT, "the header's zxids have more than 63 bits");
    head->clock_prev = zs_read_u64(in);
    uint64_t passed = zs_read_varint(in);
    head->clock_last = head->clock_prev + passed;
    return passed <= UINT64_MAX - head->clock_prev ||
           zs_fail(e, ZS_CORRUPT, "the header's clock has more than 64 bits");
}

static bool read_header(struct zs_reader *in, struct envelope *out, struct zs_error *e) {
    struct zs_batch_head *head = &out->head;
    const uint8_t *magic = zs_read_bytes(in, WIRE_MAGIC_BYTES);
    if (!magic || memcmp(magic, WIRE_MAGIC, WIRE_MAGIC_BYTES) != 0)
        return zs_fail(e, ZS_CORRUPT, "this is not a batch: it does not begin with \"" WIRE_MAGIC "\"");
    uint8_t version = zs_read_u8(in);
    if (!in->failed && (version < 1 || version > ZS_BATCH_VERSION))
        return zs_fail(e, ZS_CORRUPT,
                       "format version %u, but this program reads versions 1 to %d only: run the same "
                       "release at both sites",
                       version, ZS_BATCH_VERSION);
    head->version = version;
    uint8_t flags = zs_read_u8(in);
    if ((flags & ~(WIRE_FLAG_LZ4 | WIRE_FLAG_DICTIONARY)) || flags == WIRE_FLAG_DICTIONARY)
        return zs_fail(e, ZS_CORRUPT, "the header has unknown flags 0x%x", flags);
    out->compressed = flags & WIRE_FLAG_LZ4;
    if (!wire_read_site(in, e, head->origin) || !wire_read_site(in, e, head->destination))
        return false;
    const uint8_t *history = zs_read_bytes(in, sizeof head->history.bytes);
    if (history)
        memcpy(head->history.bytes, history, sizeof head->history.bytes);
    head->filter_hash = zs_read_u64(in);
    if (!read_positions(in, head, e))
        return false;
    head->records = read_number(in);
    head->txns = read_number(in);
    head->raw_bytes = read_number(in);
    head->dictionary = flags & WIRE_FLAG_DICTIONARY ? zs_read_u32(in) : 0;
    out->payload_len = read_number(in);
    out->payload = zs_read_bytes(in, out->payload_len);
    return !in->failed ||
           zs_fail(e, ZS_CORRUPT, "the message is truncated, or a number in its header malformed");
}

static bool check_trailer(struct zs_reader *in, const uint8_t *message, struct zs_error *e) {
    uint8_t kind = zs_read_u8(in);
    if (!in->failed && kind != WIRE_TRAILER_CRC32C)
        return zs_fail(e, ZS_CORRUPT, "the trailer is of unknown kind %u", kind);
    uint32_t sum = zs_crc32c(0, message, (size_t)(in->at - message));
    if (sum != zs_read_u32(in) && !in->failed)
        return zs_fail(e, ZS_CORRUPT, "the checksum is wrong");
    if (in->failed)
        return zs_fail(e, ZS_CORRUPT, "the message is truncated");
    size_t left = zs_read_left(in);
    return left == 0 || zs_fail(e, ZS_CORRUPT, "%zu bytes are left over behind the trailer", left);
}

static bool check_header(struct envelope *envelope, const struct zs_batch_limits *limits,
                         struct zs_error *e) {
    const struct zs_batch_head *head = &envelope->head;
    if (head->dictionary && limits->dictionaries)
        envelope->dictionary = zs_dictionaries_find(limits->dictionaries, head->dictionary);
    if (head->dictionary && !envelope->dictionary)
        return zs_fail(e, ZS_CORRUPT, "it needs dictionary 0x%08" PRIx32 ", which this site does not have",
                       head->dictionary);
    if (head->raw_bytes > limits->raw_bytes_max || head->raw_bytes > LZ4_MAX_INPUT_SIZE)
        return zs_fail(e, ZS_CORRUPT, "%" PRIu32 " bytes of records are more than the limit of %zu",
                       head->raw_bytes, limits->raw_bytes_max);
    bool fits = envelope->compressed ? head->raw_bytes / WIRE_LZ4_RATIO_MAX <= envelope->payload_len &&
                                           envelope->payload_len < head->raw_bytes
                                     : head->raw_bytes == envelope->payload_len;
    if (!fits)
        return zs_fail(e, ZS_CORRUPT, "%" PRIu32 " bytes of records cannot come from a payload of %" PRIu32,
                       head->raw_bytes, envelope->payload_len);
    const uint32_t least =
        head->version < WIRE_LENGTHS_VERSION ? WIRE_RECORD_BYTES_MIN_1 : WIRE_RECORD_BYTES_MIN;
    if (head->records > limits->records_max || head->records > head->raw_bytes / least)
        return zs_fail(e, ZS_CORRUPT,
                       "%" PRIu32 " records are more than the limit of %" PRIu32 " or than %" PRIu32
                       " bytes can hold",
                       head->records, limits->records_max, head->raw_bytes);
    return true;
}

// The records as they were before compression, in the arena; NULL and an error if they cannot be had.
static const uint8_t *unpack(const struct envelope *envelope, struct zs_arena *arena, struct zs_error *e) {
    size_t len = envelope->head.raw_bytes;
    uint8_t *raw = zs_arena_take_raw(arena, len, 1);
    if (!raw) {
        zs_fail(e, ZS_FATAL, "the batch needs more memory than its arena may take");
        return NULL;
    }
    if (!envelope->compressed) {
        if (len)
            memcpy(raw, envelope->payload, len);
        return raw;
    }
    const struct zs_dictionary *dictionary = envelope->dictionary;
    int got = LZ4_decompress_safe_usingDict(
        (const char *)envelope->payload, (char *)raw, (int)envelope->payload_len, (int)len,
        dictionary ? (const char *)dictionary->bytes : NULL, dictionary ? (int)dictionary->len : 0);
    if (got >= 0 && (size_t)got == len)
        return raw;
    zs_fail(e, ZS_CORRUPT, "the payload is not an LZ4 block of the stated size");
    return NULL;
}

size_t zs_batch_arena_bytes(const struct zs_batch_limits *limits) {
    // Beside the array of records, the greediest are operations: two bytes claim one, three hold one and a string.
    // 2 is for the unpacked records and the repeated parts of paths.
    enum { RATIO_MAX = 42, STRING_BYTES_MAX = 32, SLACK = 64 * 1024 };
    _Static_assert(sizeof(struct zs_op) <= (size_t)(RATIO_MAX - 2) * WIRE_OP_BYTES_MIN,
                   "claimed operations fit");
    _Static_assert(sizeof(struct zs_op) + STRING_BYTES_MAX <= (size_t)(RATIO_MAX - 2) * 3,
                   "short deletes fit");
    size_t raw = limits->raw_bytes_max < LZ4_MAX_INPUT_SIZE ? limits->raw_bytes_max : LZ4_MAX_INPUT_SIZE;
    size_t records = raw / WIRE_RECORD_BYTES_MIN;
    if (records > limits->records_max)
        records = limits->records_max;
    return raw * (size_t)RATIO_MAX + records * sizeof(struct zs_record) + SLACK;
}

bool zs_batch_decode(const uint8_t *message, size_t len, const struct zs_batch_limits *limits,
                     struct zs_arena *arena, struct zs_batch *out, struct zs_error *e) {
    if (len > limits->message_bytes_max)
        return zs_fail(e, ZS_CORRUPT, "a message of %zu bytes is above the limit of %zu", len,
                       limits->message_bytes_max);
    struct envelope envelope = {.compressed = false};
    struct zs_reader in = zs_reader_of(message, len);
    if (!read_header(&in, &envelope, e) || !check_trailer(&in, message, e) ||
        !check_header(&envelope, limits, e))
        return false;
    out->head = envelope.head;
    const uint8_t *raw = unpack(&envelope, arena, e);
    size_t shared_max = limits->raw_bytes_max - out->head.raw_bytes;
    return raw && wire_read_records(raw, out->head.raw_bytes, shared_max, arena, out, e);
}
