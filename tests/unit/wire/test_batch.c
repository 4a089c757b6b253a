// The reader against batches that a second encoder made from FORMAT.md (tests/golden/batch), the writer against the
// reader, and the limits of both.
#include "test_wire.h"

#include <stdlib.h>
#include <string.h>

#include "dump_batch.h"
#include "golden.h"

static struct zs_dictionaries known; // as the second encoder has it: the bytes 0 to 255
static const struct zs_batch_limits LIMITS = {
    .message_bytes_max = 1 << 20, .raw_bytes_max = 1 << 20, .records_max = 1000, .dictionaries = &known};
static const struct zs_acls OPEN = {1, &(struct zs_acl){31, "world", "anyone"}};

static void read_back(struct zs_slice message, struct zs_arena *arena, struct zs_batch *out) {
    struct zs_error e = {0};
    if (!zs_batch_decode(message.at, message.len, &LIMITS, arena, out, &e))
        fail_msg("%s", e.text);
}

static struct zs_batch_writer *begun(size_t raw_bytes_max, size_t record_bytes_max) {
    struct zs_batch_writer *writer = zs_batch_writer_new(raw_bytes_max, record_bytes_max);
    struct zs_batch_head head = {.origin = "sh", .destination = "bj", .prev = 100, .clock_prev = 5000};
    assert_non_null(writer);
    zs_batch_writer_begin(writer, &head);
    return writer;
}

static struct zs_record set(int64_t zxid, const struct zs_op *op) {
    return (struct zs_record){
        .type = ZS_RECORD_TXN,
        .txn = {.zxid = zxid, .clock = 5000 + (zs_clock)zxid, .op_count = 1, .ops = op}};
}

// --- golden files ----------------------------------------------------------------------------------------------------

static void rewrite(const struct zs_batch *batch, struct zs_batch_writer *writer, struct zs_slice *message) {
    zs_batch_writer_begin(writer, &batch->head);
    zs_batch_writer_use(writer, zs_dictionaries_find(&known, batch->head.dictionary));
    for (uint32_t i = 0; i < batch->head.records; i++)
        assert_int_equal(zs_batch_writer_add(writer, &batch->records[i]), ZS_ADDED);
    struct zs_batch_head head;
    assert_true(
        zs_batch_writer_finish(writer, batch->head.last, batch->head.clock_last, message, &head, NULL));
    assert_memory_equal(&head, &batch->head, sizeof head);
}

static void check_rounds(const char *name, struct zs_slice bytes, const char *expected, int rounds) {
    struct zs_arena *arena = zs_arena_new(zs_batch_arena_bytes(&LIMITS));
    struct zs_batch_writer *writer = zs_batch_writer_new(1 << 20, 1 << 20);
    struct zs_slice message = bytes;
    for (int round = 0; round < rounds; round++) { // what was read, then what the writer makes of it
        struct zs_buffer text;
        struct zs_batch batch = {.head = {.origin = ""}};
        zs_buffer_init(&text, 1 << 20);
        read_back(message, arena, &batch);
        dump_batch(&text, &batch);
        zs_put_u8(&text, 0);
        if (strcmp((char *)text.at, expected) != 0)
            fail_msg("%s, round %d:\n%s", name, round, (char *)text.at);
        zs_buffer_free(&text);
        if (round + 1 < rounds)
            rewrite(&batch, writer, &message);
    }
    zs_batch_writer_free(writer);
    zs_arena_free(arena);
}

static void check_ok(const char *name, struct zs_slice bytes, const char *expected) {
    check_rounds(name, bytes, expected, 2);
}

static void check_skipped(const char *name, struct zs_slice bytes, const char *expected) {
    check_rounds(name, bytes, expected, 1);
}

static void batches_of_another_encoder(void **state) {
    (void)state;
    assert_in_range(golden_each("batch/ok", "batch", check_ok), 11, 1000);
    assert_in_range(golden_each("batch/skipped", "batch", check_skipped), 1, 10);
}

// What a reader of version 1 does not know is left out where it may be.
static void a_batch_of_version_1_lacks_what_may_be_skipped(void **state) {
    (void)state;
    struct zs_arena *arena = zs_arena_new(zs_batch_arena_bytes(&LIMITS));
    const struct zs_record records[] = {
        {.type = ZS_RECORD_NODE, .node = {.path = "/a"}},
        {.type = ZS_RECORD_SEQUENCE, .sequence = {.path = "/a", .created = 3}},
        {.type = ZS_RECORD_AS_OF, .as_of = {.zxid = INT64_MAX}},
        {.type = ZS_RECORD_NODE, .node = {.path = "/a/b"}},
    };
    for (unsigned version = 1; version <= ZS_BATCH_VERSION; version++) {
        struct zs_batch_writer *writer = zs_batch_writer_new(1 << 20, 1 << 20);
        const struct zs_batch_head head = {.version = version, .origin = "sh", .destination = "bj"};
        struct zs_slice message;
        struct zs_batch batch;
        zs_batch_writer_begin(writer, &head);
        for (size_t i = 0; i < sizeof records / sizeof *records; i++)
            assert_int_equal(zs_batch_writer_add(writer, &records[i]), ZS_ADDED);
        assert_true(zs_batch_writer_finish(writer, 0, 0, &message, NULL, NULL));
        read_back(message, arena, &batch);
        assert_int_equal(batch.head.version, version);
        assert_int_equal(batch.head.records, version == 1 ? 2 : 4);
        if (version > 1) {
            assert_int_equal(batch.records[1].sequence.created, 3);
            assert_int_equal(batch.records[2].as_of.zxid, INT64_MAX);
        }
        zs_batch_writer_free(writer);
    }
    zs_arena_free(arena);
}

static void check_bad(const char *name, struct zs_slice bytes, const char *expected) {
    struct zs_arena *arena = zs_arena_new(zs_batch_arena_bytes(&LIMITS));
    struct zs_error e = {0};
    struct zs_batch batch;
    if (zs_batch_decode(bytes.at, bytes.len, &LIMITS, arena, &batch, &e))
        fail_msg("%s was accepted", name);
    if (e.code != ZS_CORRUPT || !strstr(e.text, expected))
        fail_msg("%s: code %d, \"%s\" does not say \"%s\"", name, (int)e.code, e.text, expected);
    zs_arena_free(arena);
}

static void damaged_batches(void **state) {
    (void)state;
    assert_in_range(golden_each("batch/truncated", "batch", check_bad), 5, 100);
    assert_in_range(golden_each("batch/bad-checksum", "batch", check_bad), 2, 100);
    assert_in_range(golden_each("batch/bad-version", "batch", check_bad), 4, 100);
    assert_in_range(golden_each("batch/bad-header", "batch", check_bad), 15, 100);
    assert_in_range(golden_each("batch/bad-record", "batch", check_bad), 25, 100);
    assert_in_range(golden_each("batch/bomb", "batch", check_bad), 6, 100);
}

static void check_cuts_and_flips(const char *name, struct zs_slice bytes, const char *expected) {
    (void)expected;
    struct zs_arena *arena = zs_arena_new(zs_batch_arena_bytes(&LIMITS));
    struct zs_batch batch;
    for (size_t len = 0; len < bytes.len; len++) {
        uint8_t *cut = malloc(len + 1);
        memcpy(cut, bytes.at, len);
        if (zs_batch_decode(cut, len, &LIMITS, arena, &batch, NULL))
            fail_msg("%s cut to %zu", name, len);
        free(cut);
    }
    uint8_t *flipped = malloc(bytes.len);
    memcpy(flipped, bytes.at, bytes.len);
    for (size_t i = 0; i < bytes.len * 8; i++) {
        flipped[i / 8] ^= (uint8_t)(1u << i % 8);
        if (zs_batch_decode(flipped, bytes.len, &LIMITS, arena, &batch, NULL))
            fail_msg("%s, bit %zu", name, i);
        flipped[i / 8] ^= (uint8_t)(1u << i % 8);
        zs_arena_reset(arena);
    }
    free(flipped);
    zs_arena_free(arena);
}

static void every_cut_and_every_flipped_bit_shows(void **state) {
    (void)state;
    golden_each("batch/ok", "batch", check_cuts_and_flips);
}

// --- what the goldens do not hold ------------------------------------------------------------------------------------

static void a_megabyte_of_noise_goes_round(void **state) {
    (void)state;
    enum { BYTES = 1000000 };
    uint8_t *noise = malloc(BYTES);
    uint64_t seed = 1;
    for (size_t i = 0; i < BYTES; i++)
        noise[i] = (uint8_t)((seed = seed * 6364136223846793005u + 1442695040888963407u) >> 56);
    const struct zs_op op = {.type = ZS_OP_SET, .path = "/a", .data = {noise, BYTES}};
    struct zs_record records[] = {set(101, &op), set(102, &op)};
    struct zs_batch_writer *writer = begun(1000, BYTES + 100);
    struct zs_slice message;
    assert_int_equal(zs_batch_writer_add(writer, &records[0]), ZS_ADDED);
    assert_int_equal(zs_batch_writer_add(writer, &records[1]), ZS_BATCH_FULL);
    assert_true(zs_batch_writer_finish(writer, 101, 6000, &message, NULL, NULL));
    struct zs_arena *arena = zs_arena_new(1 << 22);
    struct zs_batch batch;
    read_back(message, arena, &batch);
    assert_int_equal(batch.records[0].txn.ops[0].data.len, BYTES);
    assert_memory_equal(batch.records[0].txn.ops[0].data.at, noise, BYTES);
    zs_arena_free(arena);
    zs_batch_writer_free(writer);
    free(noise);
}

static void more_acls_than_the_table_holds(void **state) {
    (void)state;
    enum { COUNT = 200 };
    struct zs_batch_writer *writer = begun(1 << 16, 1 << 16);
    for (int i = 0; i < COUNT; i++) {
        struct zs_acl acl = {(uint32_t)(i % 100), "ip", "10.0.0.1"};
        const struct zs_op op = {.type = ZS_OP_SET_ACL, .path = "/a", .acls = {1, &acl}};
        struct zs_record record = set(101 + i, &op);
        assert_int_equal(zs_batch_writer_add(writer, &record), ZS_ADDED);
    }
    struct zs_slice message;
    assert_true(zs_batch_writer_finish(writer, 400, 6000, &message, NULL, NULL));
    struct zs_arena *arena = zs_arena_new(1 << 20);
    struct zs_batch batch;
    read_back(message, arena, &batch);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(batch.records[i].txn.ops[0].acls.entries[0].perms, i % 100);
    zs_arena_free(arena);
    zs_batch_writer_free(writer);
}

static void a_full_batch_takes_nothing_more(void **state) {
    (void)state;
    uint8_t data[400] = {0};
    struct zs_batch_writer *writer = begun(1000, 2000);
    const struct zs_op op = {.type = ZS_OP_SET, .path = "/a", .data = {data, sizeof data}};
    const struct zs_op tiny = {.type = ZS_OP_DELETE, .path = "/a"};
    struct zs_record records[] = {set(101, &op), set(102, &op), set(103, &op), set(104, &tiny)};
    assert_int_equal(zs_batch_writer_add(writer, &records[0]), ZS_ADDED);
    assert_int_equal(zs_batch_writer_add(writer, &records[1]), ZS_ADDED);
    size_t bytes = zs_batch_writer_raw_bytes(writer);
    assert_int_equal(zs_batch_writer_add(writer, &records[2]), ZS_BATCH_FULL);
    assert_int_equal(zs_batch_writer_add(writer, &records[3]), ZS_BATCH_FULL);
    assert_int_equal(zs_batch_writer_raw_bytes(writer), bytes);
    assert_int_equal(zs_batch_writer_records(writer), 2);
    assert_int_equal(zs_batch_writer_txns(writer), 2);
    struct zs_slice message;
    struct zs_batch_head head;
    assert_true(zs_batch_writer_finish(writer, 102, 5102, &message, &head, NULL));
    assert_int_equal(head.first, 101);
    struct zs_arena *arena = zs_arena_new(1 << 20);
    struct zs_batch batch;
    read_back(message, arena, &batch);
    zs_batch_writer_begin(writer, &(struct zs_batch_head){.origin = "sh", .destination = "bj", .prev = 102});
    assert_int_equal(zs_batch_writer_records(writer), 0);
    assert_int_equal(zs_batch_writer_add(writer, &records[2]), ZS_ADDED);
    zs_arena_free(arena);
    zs_batch_writer_free(writer);
}

static void a_large_node_finds_room_behind_what_it_belongs_to(void **state) {
    (void)state;
    uint8_t data[3000] = {0};
    struct zs_batch_writer *writer = begun(1000, 2000);
    const struct zs_record part = {.type = ZS_RECORD_SNAPSHOT_PART, .part = {.run = 7, .index = 1}};
    struct zs_record node = {.type = ZS_RECORD_NODE,
                             .node = {.path = "/large", .data = {data, 1500}, .acls = OPEN}};
    assert_int_equal(zs_batch_writer_add(writer, &part), ZS_ADDED);
    assert_int_equal(zs_batch_writer_add(writer, &node), ZS_ADDED);
    assert_int_equal(zs_batch_writer_add(writer, &node), ZS_BATCH_FULL);
    struct zs_slice message;
    struct zs_batch batch;
    struct zs_arena *arena = zs_arena_new(1 << 20);
    assert_true(zs_batch_writer_finish(writer, 100, 5000, &message, NULL, NULL));
    read_back(message, arena, &batch);
    assert_int_equal(batch.records[1].node.data.len, 1500);
    zs_batch_writer_begin(writer, &(struct zs_batch_head){.origin = "sh", .destination = "bj", .prev = 100});
    node.node.data.len = sizeof data;
    assert_int_equal(zs_batch_writer_add(writer, &part), ZS_ADDED);
    assert_int_equal(zs_batch_writer_add(writer, &node), ZS_RECORD_TOO_LARGE);
    zs_arena_free(arena);
    zs_batch_writer_free(writer);
}

static void a_record_too_large_leaves_an_empty_batch_usable(void **state) {
    (void)state;
    uint8_t data[3000] = {0};
    struct zs_batch_writer *writer = begun(1000, 2000);
    const struct zs_op large = {.type = ZS_OP_SET, .path = "/a/long/path", .data = {data, sizeof data}};
    const struct zs_op small = {
        .type = ZS_OP_CREATE, .path = "/a/long/other", .data = {data, 0}, .acls = OPEN};
    struct zs_record records[] = {set(101, &large), set(102, &small)};
    assert_int_equal(zs_batch_writer_add(writer, &records[0]), ZS_RECORD_TOO_LARGE);
    assert_int_equal(zs_batch_writer_raw_bytes(writer), 0);
    assert_int_equal(zs_batch_writer_add(writer, &records[1]), ZS_ADDED);
    struct zs_slice message;
    assert_true(zs_batch_writer_finish(writer, 102, 6000, &message, NULL, NULL));
    struct zs_arena *arena = zs_arena_new(1 << 20);
    struct zs_batch batch;
    read_back(message, arena, &batch);
    assert_string_equal(batch.records[0].txn.ops[0].path, "/a/long/other");
    assert_int_equal(batch.head.first, 102);
    assert_non_null(batch.records[0].txn.ops[0].data.at); // empty, not null
    zs_arena_free(arena);
    zs_batch_writer_free(writer);
}

static void a_path_counts_in_full(void **state) {
    (void)state;
    char path[600] = "/";
    memset(path + 1, 'a', sizeof path - 2);
    struct zs_batch_writer *writer = begun(1000, 1000);
    const struct zs_op op = {.type = ZS_OP_DELETE, .path = path};
    struct zs_record records[] = {set(101, &op), set(102, &op)};
    assert_int_equal(zs_batch_writer_add(writer, &records[0]), ZS_ADDED);
    assert_int_equal(zs_batch_writer_add(writer, &records[1]), ZS_BATCH_FULL);
    zs_batch_writer_free(writer);
}

// Whether a batch with these two paths, of which the second is written as what differs from the first, is taken.
static bool takes_paths(const char *first, const char *second) {
    struct zs_batch_writer *writer = begun(1000, 1000);
    const struct zs_op ops[] = {{.type = ZS_OP_DELETE, .path = first},
                                {.type = ZS_OP_DELETE, .path = second}};
    struct zs_record records[] = {set(101, &ops[0]), set(102, &ops[1])};
    struct zs_arena *arena = zs_arena_new(1 << 20);
    struct zs_slice message;
    struct zs_batch batch;
    assert_int_equal(zs_batch_writer_add(writer, &records[0]), ZS_ADDED);
    assert_int_equal(zs_batch_writer_add(writer, &records[1]), ZS_ADDED);
    assert_true(zs_batch_writer_finish(writer, 102, 6000, &message, NULL, NULL));
    bool taken = zs_batch_decode(message.at, message.len, &LIMITS, arena, &batch, NULL);
    if (taken)
        assert_string_equal(batch.records[1].txn.ops[0].path, second);
    zs_arena_free(arena);
    zs_batch_writer_free(writer);
    return taken;
}

static void what_is_shared_does_not_hide_a_malformed_path(void **state) {
    (void)state;
    static const char *const good[][2] = {
        {"/a/b", "/a/bc"}, {"/a/b", "/a"},   {"/", "/a"},
        {"/a", "/"},       {"/a/b", "/c"},   {"/a/.b", "/a/.c"},
        {"/a", "/a"},      {"/a/b", "/a.b"}, {"/a/\xc3\xa9", "/a/\xc3\xaa"}};
    static const char *const bad[][2] = {{"/a/b", "/a/"},
                                         {"/a/b", "/a//b"},
                                         {"/a/.b", "/a/."},
                                         {"/a/..b", "/a/.."},
                                         {"/a/b", "/a/../b"},
                                         {"/", "//"},
                                         {"/a", "/a/"},
                                         {"/a", "a"},
                                         {"/\xc3\xa9", "/\xc3x"},
                                         {"/a/\xc3\xa9", "/a/\xc3"},
                                         {"/a/b/\xc3\xa9", "/a/b/\xff"},
                                         {"/a", "/a\xff"}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        if (!takes_paths(good[i][0], good[i][1]))
            fail_msg("%s behind %s was rejected", good[i][1], good[i][0]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (takes_paths(bad[i][0], bad[i][1]))
            fail_msg("%s behind %s was accepted", bad[i][1], bad[i][0]);
    }
}

static void limits_of_the_reader(void **state) {
    (void)state;
    const struct zs_op op = {.type = ZS_OP_DELETE, .path = "/a"};
    struct zs_record records[] = {set(101, &op), set(102, &op)};
    struct zs_batch_writer *writer = begun(1000, 1000);
    struct zs_slice message;
    struct zs_batch batch;
    struct zs_error e;
    zs_batch_writer_add(writer, &records[0]);
    zs_batch_writer_add(writer, &records[1]);
    size_t raw = zs_batch_writer_raw_bytes(writer);
    assert_true(zs_batch_writer_finish(writer, 102, 6000, &message, NULL, NULL));
    struct zs_arena *arena = zs_arena_new(1 << 20), *small = zs_arena_new(100);
    struct zs_batch_limits limits = {message.len, raw, 2, NULL};
    assert_true(zs_batch_decode(message.at, message.len, &limits, arena, &batch, &e));
    assert_false(zs_batch_decode(message.at, message.len, &limits, small, &batch, &e));
    assert_int_equal(e.code, ZS_FATAL);
    for (int i = 0; i < 3; i++) {
        struct zs_batch_limits lower = {message.len - (i == 0), raw - (i == 1), 2 - (i == 2), NULL};
        assert_false(zs_batch_decode(message.at, message.len, &lower, arena, &batch, &e));
        assert_int_equal(e.code, ZS_CORRUPT);
    }
    zs_arena_free(small);
    zs_arena_free(arena);
    zs_batch_writer_free(writer);
}

// The greediest batches there are fit an arena of the promised size.
static void no_batch_fills_the_promised_arena(void **state) {
    (void)state;
    enum { RAW = 20000 };
    const struct zs_batch_limits limits = {1 << 20, RAW, RAW, NULL};
    struct zs_arena *arena = zs_arena_new(zs_batch_arena_bytes(&limits));
    for (int kind = 0; kind < 3; kind++) {
        struct zs_batch_writer *writer = begun(RAW, RAW);
        struct zs_op *ops = calloc(RAW, sizeof *ops);
        for (int i = 0; i < RAW; i++)
            ops[i] = kind == 1 ? (struct zs_op){.type = ZS_OP_DELETE, .path = i % 2 ? "/" : "/a"}
                               : (struct zs_op){.type = ZS_OP_CLOSE_SESSION};
        struct zs_record beat = {.type = ZS_RECORD_HEARTBEAT};
        struct zs_record txn = set(101, ops);
        txn.txn.op_count = kind == 1 ? RAW / 5 : RAW / 2 - 10;
        int added = 0;
        while (zs_batch_writer_add(writer, kind ? &txn : &beat) == ZS_ADDED && !kind)
            added++;
        struct zs_slice message;
        struct zs_batch batch;
        struct zs_error e;
        assert_true(zs_batch_writer_finish(writer, 101, 6000, &message, NULL, NULL));
        if (!zs_batch_decode(message.at, message.len, &limits, arena, &batch, &e))
            fail_msg("%d: %s", kind, e.text);
        assert_int_equal(batch.head.records, kind ? 1 : added);
        zs_arena_reset(arena);
        free(ops);
        zs_batch_writer_free(writer);
    }
    zs_arena_free(arena);
}

// --- dictionaries ----------------------------------------------------------------------------------------------------

static void know_the_golden_dictionary(void) {
    uint8_t bytes[256];
    struct zs_dictionary dictionary;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)i;
    assert_true(zs_dictionary_make(bytes, sizeof bytes, &dictionary));
    zs_dictionaries_add(&known, &dictionary);
}

static void write_one(struct zs_batch_writer *writer, size_t data, struct zs_slice *message,
                      struct zs_batch_head *head) {
    const struct zs_op op = {.type = ZS_OP_SET, .path = "/a", .data = {known.at[0].bytes + 10, data}};
    const struct zs_record record = set(101, &op);
    zs_batch_writer_begin(writer, &(struct zs_batch_head){.origin = "sh", .destination = "bj", .prev = 100});
    assert_int_equal(zs_batch_writer_add(writer, &record), ZS_ADDED);
    assert_true(zs_batch_writer_finish(writer, 101, 6000, message, head, NULL));
}

static void a_small_batch_refers_to_a_dictionary(void **state) {
    (void)state;
    struct zs_batch_writer *writer = begun(1 << 16, 1 << 16);
    struct zs_arena *arena = zs_arena_new(1 << 20);
    struct zs_slice message;
    struct zs_batch_head plain, packed;
    struct zs_batch batch;
    struct zs_error e;
    write_one(writer, 200, &message, &plain);
    assert_int_equal(plain.dictionary, 0);
    const size_t without = message.len;
    zs_batch_writer_use(writer, &known.at[0]);
    write_one(writer, 200, &message, &packed);
    assert_int_equal(packed.dictionary, known.at[0].id);
    assert_in_range(message.len, 1, without / 2);
    read_back(message, arena, &batch);
    assert_memory_equal(batch.records[0].txn.ops[0].data.at, known.at[0].bytes + 10, 200);
    struct zs_dictionaries none = {.count = 0};
    struct zs_batch_limits limits = LIMITS;
    limits.dictionaries = &none;
    assert_false(zs_batch_decode(message.at, message.len, &limits, arena, &batch, &e));
    assert_non_null(strstr(e.text, "which this site does not have"));
    zs_batch_writer_use(writer, NULL);
    write_one(writer, 200, &message, &plain);
    assert_int_equal(plain.dictionary, 0);
    zs_arena_free(arena);
    zs_batch_writer_free(writer);
}

static void a_large_batch_needs_no_dictionary(void **state) {
    (void)state;
    enum { BYTES = 9000 };
    uint8_t *data = calloc(1, BYTES);
    struct zs_batch_writer *writer = begun(1 << 16, 1 << 16);
    const struct zs_op op = {.type = ZS_OP_SET, .path = "/a", .data = {data, BYTES}};
    const struct zs_record record = set(101, &op);
    struct zs_slice message;
    struct zs_batch_head head;
    zs_batch_writer_use(writer, &known.at[0]);
    assert_int_equal(zs_batch_writer_add(writer, &record), ZS_ADDED);
    assert_true(zs_batch_writer_finish(writer, 101, 6000, &message, &head, NULL));
    assert_int_equal(head.dictionary, 0);
    zs_batch_writer_free(writer);
    free(data);
}

static void the_newest_dictionaries_are_kept(void **state) {
    (void)state;
    enum { COUNT = ZS_DICTIONARIES_MAX + 2 };
    struct zs_dictionaries all = {.count = 0};
    uint32_t ids[COUNT];
    struct zs_dictionary dictionary;
    uint8_t bytes[ZS_DICTIONARY_BYTES_MAX + 1] = {0};
    for (uint8_t i = 0; i < COUNT; i++) {
        bytes[0] = i;
        assert_true(zs_dictionary_make(bytes, ZS_DICTIONARY_BYTES_MIN + i, &dictionary));
        zs_dictionaries_add(&all, &dictionary);
        ids[i] = dictionary.id;
    }
    assert_int_equal(all.count, ZS_DICTIONARIES_MAX);
    for (uint32_t i = 0; i < COUNT; i++) {
        const struct zs_dictionary *found = zs_dictionaries_find(&all, ids[i]);
        assert_true(i < 2 ? !found : found->bytes[0] == i);
    }
    assert_int_equal(all.at[0].id, ids[COUNT - 1]);
    assert_false(zs_dictionary_make(bytes, ZS_DICTIONARY_BYTES_MIN - 1, &dictionary));
    assert_false(zs_dictionary_make(bytes, sizeof bytes, &dictionary));
}

int batch_tests(void) {
    know_the_golden_dictionary();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_of_another_encoder),
        cmocka_unit_test(a_batch_of_version_1_lacks_what_may_be_skipped),
        cmocka_unit_test(damaged_batches),
        cmocka_unit_test(every_cut_and_every_flipped_bit_shows),
        cmocka_unit_test(a_megabyte_of_noise_goes_round),
        cmocka_unit_test(more_acls_than_the_table_holds),
        cmocka_unit_test(a_full_batch_takes_nothing_more),
        cmocka_unit_test(a_large_node_finds_room_behind_what_it_belongs_to),
        cmocka_unit_test(a_record_too_large_leaves_an_empty_batch_usable),
        cmocka_unit_test(a_path_counts_in_full),
        cmocka_unit_test(what_is_shared_does_not_hide_a_malformed_path),
        cmocka_unit_test(a_small_batch_refers_to_a_dictionary),
        cmocka_unit_test(a_large_batch_needs_no_dictionary),
        cmocka_unit_test(the_newest_dictionaries_are_kept),
        cmocka_unit_test(limits_of_the_reader),
        cmocka_unit_test(no_batch_fills_the_promised_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
