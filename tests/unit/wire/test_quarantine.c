// Records of quarantine: what goes in comes out with its data if there is room, and says what and why if there is not.
#include "test_wire.h"

#include <stdio.h>
#include <string.h>

#include "zs_quarantine.h"

enum { ARENA_BYTES = 64 * 1024 * 1024 };

static const struct zs_acl READERS[] = {{1, "world", "anyone"}, {31, "digest", "a:b="}};
static uint8_t noise[4096];

static struct zs_quarantine sample(struct zs_op ops[static 3]) {
    uint32_t seed = 7;
    for (size_t i = 0; i < sizeof noise; i++) { // what LZ4 cannot make smaller
        seed = seed * 1664525u + 1013904223u;
        noise[i] = (uint8_t)(seed >> 24);
    }
    ops[0] = (struct zs_op){
        .type = ZS_OP_CREATE, .path = "/a/\xc3\xa9\"", .data = {noise, sizeof noise}, .acls = {2, READERS}};
    ops[1] = (struct zs_op){.type = ZS_OP_SET, .path = "/b"}; // null data
    ops[2] = (struct zs_op){.type = ZS_OP_DELETE, .path = "/c"};
    return (struct zs_quarantine){.origin = "sh",
                                  .zxid = 0x700000001,
                                  .time_ms = 1795368871134,
                                  .txn_time_ms = 1795368870000,
                                  .class = ZS_QUARANTINE_DENIED,
                                  .code = -102,
                                  .reason = "not \"authenticated\"",
                                  .path = "/a/\xc3\xa9\"",
                                  .multi = true,
                                  .op_count = 3,
                                  .ops = ops};
}

// Whatever was cut where: a record is written.
static void what_is_cut_within_a_character_does_not_spoil_a_record(void **state) {
    (void)state;
    struct zs_op ops[3];
    struct zs_quarantine record = sample(ops), back;
    struct zs_arena *arena = zs_arena_new(ARENA_BYTES);
    struct zs_buffer json;
    struct zs_error e;
    bool whole;
    char path[2 * ZS_QUARANTINE_PATH_SHOWN] = "/", reason[] = "it is \"\xe4\xb8\" here\xf0\x9f";
    zs_buffer_init(&json, 1 << 20);
    record.reason = reason;
    record.path = path;
    ops[0].path = path;
    for (size_t at = 1; at + 4 < sizeof path; at += 3) { // characters of three bytes, cut anywhere
        memcpy(path + at, "\xe4\xb8\xad", 4);
        for (size_t len = at + 1; len <= at + 3; len++) {
            const char kept = path[len];
            path[len] = '\0';
            assert_true(zs_quarantine_encode(&record, true, 1 << 20, &json, &whole, &e));
            zs_arena_reset(arena);
            assert_true(zs_quarantine_decode(json.at, json.len, false, arena, &back, &e));
            assert_true(strlen(back.path) <= ZS_QUARANTINE_PATH_SHOWN);
            path[len] = kept;
        }
    }
    assert_string_equal(back.reason, "it is \"?\" here?");
    zs_buffer_free(&json);
    zs_arena_free(arena);
}

static void a_record_goes_round(void **state) {
    (void)state;
    struct zs_op ops[3];
    struct zs_quarantine record = sample(ops), back;
    struct zs_arena *arena = zs_arena_new(ARENA_BYTES);
    struct zs_buffer json;
    struct zs_error e;
    bool whole = false;
    zs_buffer_init(&json, 1 << 20);
    assert_true(zs_quarantine_encode(&record, true, 1 << 20, &json, &whole, &e));
    assert_true(whole);
    if (!zs_quarantine_decode(json.at, json.len, true, arena, &back, &e))
        fail_msg("%s", e.text);
    assert_string_equal(back.origin, "sh");
    assert_int_equal(back.zxid, record.zxid);
    assert_int_equal(back.time_ms, record.time_ms);
    assert_int_equal(back.txn_time_ms, record.txn_time_ms);
    assert_int_equal(back.class, ZS_QUARANTINE_DENIED);
    assert_int_equal(back.code, -102);
    assert_string_equal(back.reason, record.reason);
    assert_string_equal(back.path, record.path);
    assert_true(back.multi && back.whole);
    assert_int_equal(back.op_count, 3);
    assert_string_equal(back.ops[0].path, ops[0].path);
    assert_int_equal(back.ops[0].data.len, sizeof noise);
    assert_memory_equal(back.ops[0].data.at, noise, sizeof noise);
    assert_int_equal(back.ops[0].acls.count, 2);
    assert_string_equal(back.ops[0].acls.entries[1].id, "a:b=");
    assert_int_equal(back.ops[1].type, ZS_OP_SET);
    assert_null(back.ops[1].data.at);
    assert_int_equal(back.ops[2].type, ZS_OP_DELETE);
    zs_buffer_free(&json);
    zs_arena_free(arena);
}

static void what_does_not_fit_is_told_without_its_data(void **state) {
    (void)state;
    struct zs_op ops[3];
    struct zs_quarantine record = sample(ops), back;
    struct zs_arena *arena = zs_arena_new(ARENA_BYTES);
    struct zs_buffer json;
    struct zs_error e;
    bool whole = true;
    zs_buffer_init(&json, 1 << 20);
    assert_true(zs_quarantine_encode(&record, true, sizeof noise, &json, &whole, &e));
    assert_false(whole);
    assert_true(json.len < sizeof noise);
    assert_true(zs_quarantine_decode(json.at, json.len, true, arena, &back, &e));
    assert_false(back.whole);
    assert_null(back.ops);
    assert_int_equal(back.op_count, 3);
    assert_false(zs_quarantine_encode(&record, true, 100, &json, &whole, &e)); // not even that fits
    zs_buffer_free(&json);
    zs_arena_free(arena);
}

static void long_lists_and_paths_are_cut(void **state) {
    (void)state;
    static char path[2000] = "/";
    static struct zs_op many[1000];
    for (size_t i = 1; i + 2 < sizeof path; i += 2)
        memcpy(path + i, "\xc3\xa9", 2);
    for (size_t i = 0; i < sizeof many / sizeof *many; i++)
        many[i] = (struct zs_op){.type = ZS_OP_DELETE, .path = path};
    struct zs_op ops[3];
    struct zs_quarantine record = sample(ops), back;
    record.path = path;
    record.ops = many;
    record.op_count = 1000;
    struct zs_arena *arena = zs_arena_new(ARENA_BYTES);
    struct zs_buffer json;
    struct zs_error e;
    bool whole = true;
    zs_buffer_init(&json, 1 << 20);
    assert_true(zs_quarantine_encode(&record, true, 1 << 20, &json, &whole, &e));
    assert_true(zs_quarantine_decode(json.at, json.len, true, arena, &back, &e));
    assert_true(strlen(back.path) <= ZS_QUARANTINE_PATH_SHOWN);
    assert_int_equal(strncmp(back.path, path, strlen(back.path)), 0);
    assert_int_equal(back.op_count, 1000);
    assert_string_equal(back.ops[999].path, path); // to be applied, a path is what it was
    zs_buffer_free(&json);
    zs_arena_free(arena);
}

#define GOOD                                                                                                 \
    "{\"origin\":\"sh\",\"zxid\":\"0x7\",\"time\":1,\"txn_time\":2,\"class\":\"denied\",\"code\":-102,"      \
    "\"reason\":\"r\",\"path\":null,\"multi\":false,\"op_count\":1,\"ops\":[],\"whole\":false}"

static void bad_records(void **state) {
    (void)state;
    static const char *const changes[][2] = {
        {"\"sh\"", "\"SH\""},
        {"\"0x7\"", "7"},
        {"\"denied\"", "\"unheard\""},
        {"-102", "\"x\""},
        {"-102", "-99999999999"},
        {"\"r\"", "null"},
        {"\"path\":null", "\"path\":3"},
        {"\"op_count\":1", "\"op_count\":0"},
        {"\"whole\":false", "\"whole\":true"},
        {"\"whole\":false", "\"whole\":true,\"batch\":\"Zg==\""},
        {"\"whole\":false", "\"whole\":true,\"batch\":\"Zg\""},
    };
    struct zs_arena *arena = zs_arena_new(ARENA_BYTES);
    struct zs_quarantine record;
    struct zs_error e;
    char json[1000];
    assert_true(zs_quarantine_decode((const uint8_t *)GOOD, strlen(GOOD), true, arena, &record, &e));
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        const char *at = strstr(GOOD, changes[i][0]);
        assert_non_null(at);
        int len = snprintf(json, sizeof json, "%.*s%s%s", (int)(at - GOOD), GOOD, changes[i][1],
                           at + strlen(changes[i][0]));
        if (zs_quarantine_decode((const uint8_t *)json, (size_t)len, true, arena, &record, &e))
            fail_msg("%s was accepted", json);
        assert_int_equal(e.code, ZS_CORRUPT);
    }
    assert_false(zs_quarantine_decode((const uint8_t *)"[]", 2, true, arena, &record, &e));
    zs_arena_free(arena);
}

static void names_of_records(void **state) {
    (void)state;
    char name[ZS_QUARANTINE_NAME];
    int64_t zxid;
    zs_quarantine_name(0x700000001, name);
    assert_string_equal(name, "0x0000000700000001");
    assert_true(zs_quarantine_parse_name(name, &zxid));
    assert_int_equal(zxid, 0x700000001);
    assert_true(zs_quarantine_parse_name("0x1F", &zxid));
    assert_int_equal(zxid, 0x1f);
    static const char *const wrong[] = {
        "", "0x", "7", "0x0", "0xg", "0x8000000000000000", "0x00000000700000001", "x1"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(zs_quarantine_parse_name(wrong[i], &zxid));
}

int quarantine_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_goes_round),
        cmocka_unit_test(what_is_cut_within_a_character_does_not_spoil_a_record),
        cmocka_unit_test(what_does_not_fit_is_told_without_its_data),
        cmocka_unit_test(long_lists_and_paths_are_cut),
        cmocka_unit_test(bad_records),
        cmocka_unit_test(names_of_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
