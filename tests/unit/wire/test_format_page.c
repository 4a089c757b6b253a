// FORMAT.md's example is a batch that the writer makes today: the bytes on the page are read and compared.
// With ZS_SHOW_EXAMPLE=1 in the environment the program prints them, for whoever edits the page.
#include "test_wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zs_batch.h"

static void write_example(struct zs_batch_writer *writer, struct zs_slice *message) {
    struct zs_batch_head head = {.origin = "sh",
                                 .destination = "bj",
                                 .filter_hash = 0x1122334455667788,
                                 .prev = 0x100000004,
                                 .clock_prev = 0x19a9e3c2f5800000};
    const char *history = "8c5b1f6e-3c1d-4f7a-9a41-0f6f1f0f2d11";
    assert_true(zs_history_parse(history, &head.history));
    zs_batch_writer_begin(writer, &head);
    const struct zs_acl open = {31, "world", "anyone"};
    const struct zs_op create = {
        .type = ZS_OP_CREATE, .path = "/app/a", .data = {(const uint8_t *)"hi", 2}, .acls = {1, &open}};
    const struct zs_op set = {.type = ZS_OP_SET, .path = "/app/b", .data = {(const uint8_t *)"", 0}};
    const struct zs_record records[] = {
        {.type = ZS_RECORD_TXN,
         .txn = {.zxid = 0x100000005,
                 .clock = 0x19a9e3c2f5810000,
                 .time_ms = 0x19a9e3c2f581,
                 .op_count = 1,
                 .ops = &create}},
        {.type = ZS_RECORD_MARK,
         .mark = {.zxid = 0x100000006,
                  .seen = {"bj", 0x300000001},
                  .clock = 0x19a9e3c2f5810002,
                  .session = 0x100002bbf8d0000}},
        {.type = ZS_RECORD_TXN,
         .txn = {.zxid = 0x100000008,
                 .clock = 0x19a9e3c2f5810003,
                 .time_ms = 0x19a9e3c2f580,
                 .op_count = 1,
                 .ops = &set}},
    };
    for (size_t i = 0; i < sizeof records / sizeof *records; i++)
        assert_int_equal(zs_batch_writer_add(writer, &records[i]), ZS_ADDED);
    assert_true(zs_batch_writer_finish(writer, 0x100000009, 0x19a9e3c2f5810004, message, NULL, NULL));
}

static size_t take_hex(const char *line, uint8_t *out, size_t room) {
    size_t taken = 0;
    for (unsigned byte; taken < room && line[0] != ' ' && sscanf(line, "%2x", &byte) == 1; taken++) {
        out[taken] = (uint8_t)byte;
        line += line[2] == ' ' ? 3 : 2;
    }
    return taken;
}

// The lines between "```batch" and "```": bytes in hex, two or more spaces, prose.
static size_t read_page(uint8_t *out, size_t room) {
    char line[400];
    size_t len = 0;
    bool inside = false;
    FILE *page = fopen(ZS_SOURCE_DIR "/FORMAT.md", "r");
    assert_non_null(page);
    while (fgets(line, sizeof line, page)) {
        if (strncmp(line, "```", 3) == 0)
            inside = strncmp(line, "```batch", 8) == 0;
        else if (inside)
            len += take_hex(line, out + len, room - len);
    }
    fclose(page);
    return len;
}

static void the_example_is_true(void **state) {
    (void)state;
    struct zs_batch_writer *writer = zs_batch_writer_new(1000, 1000);
    struct zs_slice message;
    uint8_t page[1000];
    write_example(writer, &message);
    if (getenv("ZS_SHOW_EXAMPLE")) {
        for (size_t i = 0; i < message.len; i++)
            printf("%02x%s", message.at[i], i % 16 == 15 ? "\n" : " ");
        printf("\n");
    }
    assert_int_equal(read_page(page, sizeof page), message.len);
    assert_memory_equal(page, message.at, message.len);
    zs_batch_writer_free(writer);
}

int format_page_tests(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_example_is_true)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
