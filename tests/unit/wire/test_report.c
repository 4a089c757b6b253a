// The two JSON objects: what goes in comes out, and nothing else gets in.
#include "test_wire.h"

#include <stdio.h>
#include <string.h>

#include "zs_report.h"

static const struct zs_history HISTORY = {
    {0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}};
#define HISTORY_TEXT "00112233-4455-6677-8899-aabbccddeeff"

static void reports_go_round(void **state) {
    (void)state;
    struct zs_report report = {.origin = "sh",
                               .destination = "bj",
                               .history = HISTORY,
                               .applied = INT64_MAX,
                               .clock = UINT64_MAX,
                               .time_ms = 1795368871134,
                               .vector_count = 2,
                               .vector = {{"hk", 0x700000001}, {"gz", 0}},
                               .session_count = 2,
                               .sessions = {-1, 0x100002bbf8d0001},
                               .need = ZS_NEED_IMAGE,
                               .image_path = "/a/\xc3\xa9\"\\",
                               .fence = 0x200000007,
                               .since = 0x300000000,
                               .tells_peers = true,
                               .peer_count = 1,
                               .peers = {{"gz", 0}},
                               .other_count = 1,
                               .others = {{"gz", 0x400000002}},
                               .lives = {{{7}}},
                               .image_run = -2,
                               .own = {{9}},
                               .takes_images = true,
                               .takes_dictionaries = true,
                               .dictionary_count = 2,
                               .dictionaries = {1, UINT32_MAX}};
    struct zs_report back;
    struct zs_buffer json;
    struct zs_error e;
    zs_buffer_init(&json, 1 << 16);
    for (int need = ZS_NEED_NONE; need <= ZS_NEED_IMAGE; need++) {
        report.need = (enum zs_need)need;
        if (need != ZS_NEED_IMAGE)
            report.image_path[0] = '\0';
        else
            strcpy(report.image_path, "/a/\xc3\xa9\"\\");
        assert_true(zs_report_encode(&report, &json, &e));
        if (!zs_report_decode(json.at, json.len, &back, &e))
            fail_msg("%s", e.text);
        assert_memory_equal(&back.history, &report.history, sizeof back.history);
        assert_memory_equal(&back.own, &report.own, sizeof back.own);
        const struct zs_history same = {{7}}, other = {{8}};
        assert_false(zs_report_of_other_life(&back, "gz", &same) ||
                     zs_report_of_other_life(&back, "hk", &other));
        assert_int_equal(zs_report_of_other_life(&back, "gz", &other), need == ZS_NEED_IMAGE);
        assert_string_equal(back.origin, "sh");
        assert_string_equal(back.destination, "bj");
        assert_int_equal(back.applied, INT64_MAX);
        assert_true(back.clock == UINT64_MAX);
        assert_int_equal(back.time_ms, 1795368871134);
        assert_int_equal(back.vector_count, 2);
        for (uint32_t i = 0; i < 2; i++)
            assert_int_equal(back.vector[i].zxid, strcmp(back.vector[i].site, "hk") == 0 ? 0x700000001 : 0);
        assert_int_equal(back.session_count, 2);
        assert_memory_equal(back.sessions, report.sessions, 2 * sizeof *back.sessions);
        assert_int_equal(back.need, need);
        assert_string_equal(back.image_path, report.image_path);
        assert_int_equal(back.since, 0x300000000);
        assert_true(back.tells_peers);
        assert_int_equal(back.peer_count, 1);
        assert_string_equal(back.peers[0].site, "gz");
        assert_true(back.takes_images);
        assert_true(back.takes_dictionaries);
        assert_int_equal(back.dictionary_count, 2);
        assert_memory_equal(back.dictionaries, report.dictionaries, sizeof report.dictionaries);
        assert_int_equal(back.fence, need == ZS_NEED_IMAGE ? report.fence : 0);
        assert_int_equal(back.image_run, need == ZS_NEED_IMAGE ? -2 : 0);
        assert_int_equal(back.other_count, need == ZS_NEED_IMAGE ? 1 : 0);
        assert_int_equal(back.others[0].zxid, need == ZS_NEED_IMAGE ? 0x400000002 : 0);
    }
    zs_buffer_free(&json);
}

static void a_report_before_anything_was_applied(void **state) {
    (void)state;
    struct zs_report report = {.origin = "sh", .destination = "bj", .need = ZS_NEED_FROM}, back;
    struct zs_buffer json;
    zs_buffer_init(&json, 1 << 16);
    assert_true(zs_report_encode(&report, &json, NULL));
    zs_put_u8(&json, 0);
    assert_string_equal(
        json.at,
        "{\"origin\":\"sh\",\"destination\":\"bj\",\"history\":null,\"applied\":\"0x0\",\"clock\":\"0x0\","
        "\"since\":\"0x0\",\"time\":0,\"vector\":{},\"sessions\":[],\"need\":{\"kind\":\"from\"}}");
    assert_true(zs_report_decode(json.at, json.len - 1, &back, NULL));
    assert_false(zs_history_known(&back.history));
    assert_false(back.takes_dictionaries);
    assert_false(back.tells_peers);
    zs_buffer_free(&json);
}

// Of the formats that stand there the highest that is known here; a destination that says nothing reads 1.
static void the_formats_that_a_destination_reads(void **state) {
    (void)state;
    static const struct {
        const char *member;
        uint32_t format;
    } rows[] = {{"", 1},
                {"\"formats\":[1],", 1},
                {"\"formats\":[1,2],", 2},
                {"\"formats\":[1,2,3,99],", 2},
                {"\"formats\":[],", 1},
                {"\"formats\":[-2,\"2\",4294967298],", 1},
                {"\"formats\":2,", 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char json[400];
        struct zs_report report;
        struct zs_error e = {0};
        int len = snprintf(json, sizeof json,
                           "{\"origin\":\"sh\",\"destination\":\"bj\",\"history\":null,\"applied\":\"0x0\","
                           "\"clock\":\"0x0\","
                           "\"time\":0,\"vector\":{},%s\"sessions\":[],\"need\":{\"kind\":\"from\"}}",
                           rows[i].member);
        if (!zs_report_decode((uint8_t *)json, (size_t)len, &report, &e))
            fail_msg("%s: %s", rows[i].member, e.text);
        assert_int_equal(report.format, rows[i].format);
    }
    struct zs_report report = {.origin = "sh", .destination = "bj", .format = ZS_BATCH_VERSION}, back;
    struct zs_buffer json;
    zs_buffer_init(&json, 1 << 16);
    assert_true(zs_report_encode(&report, &json, NULL));
    assert_true(zs_report_decode(json.at, json.len, &back, NULL));
    assert_int_equal(back.format, ZS_BATCH_VERSION);
    zs_buffer_free(&json);
}

static void a_report_without_memory_is_an_error(void **state) {
    (void)state;
    struct zs_report report = {.origin = "sh", .destination = "bj"};
    struct zs_buffer json;
    struct zs_error e;
    zs_buffer_init(&json, 20);
    assert_false(zs_report_encode(&report, &json, &e));
    assert_int_equal(e.code, ZS_FATAL);
    zs_buffer_free(&json);
}

// Replaces `from` in a good object by `to`.
static size_t changed(const char *good, const char *from, const char *to, char *out, size_t size) {
    const char *at = strstr(good, from);
    assert_non_null(at);
    return (size_t)snprintf(out, size, "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
}

struct change {
    const char *from, *to;
};

static void bad_reports(void **state) {
    (void)state;
    const char *good =
        "{\"origin\":\"sh\",\"destination\":\"bj\",\"history\":\"" HISTORY_TEXT
        "\",\"applied\":\"0x1\",\"clock\":\"0x2\","
        "\"time\":3,\"vector\":{\"hk\":\"0x4\"},\"sessions\":[\"0x5\"],\"need\":{\"kind\":"
        "\"image\",\"path\":\"/"
        "a\",\"fence\":\"0x7\",\"run\":\"0x8\",\"others\":{\"gz\":\"0x9\"},\"lives\":{\"gz\":null}},"
        "\"dictionaries\":[\"0xd\"]}";
    const struct change changes[] = {
        {"[\"0xd\"]", "\"0xd\""},
        {"[\"0xd\"]", "[13]"},
        {"[\"0xd\"]", "[\"0x0\"]"},
        {"[\"0xd\"]", "[\"0x100000000\"]"},
        {"[\"0xd\"]", "[\"0x1\",\"0x2\",\"0x3\",\"0x4\",\"0x5\"]"},
        {"\"sh\"", "\"SH\""},
        {"\"sh\"", "5"},
        {"\"sh\"", "\"abcdefghijklmnop\""},
        {"\"origin\"", "\"orig\""},
        {"\"bj\"", "\"\""},
        {"\"" HISTORY_TEXT "\"", "\"x\""},
        {"\"" HISTORY_TEXT "\"", "0"},
        {"\"0x1\"", "1"},
        {"\"0x1\"", "\"1\""},
        {"\"0x1\"", "\"0x\""},
        {"\"0x1\"", "\"0xg\""},
        {"\"0x1\"", "\"0xA\""},
        {"\"0x1\"", "\"0x8000000000000000\""},
        {"\"0x2\"", "\"0x11111111111111111\""},
        {":3", ":3.5"},
        {":3", ":\"3\""},
        {":3", ":99999999999999999999"},
        {"\"hk\"", "\"h k\""},
        {"\"0x4\"", "4"},
        {"{\"hk\":\"0x4\"}", "[]"},
        {"[\"0x5\"]", "{}"},
        {"[\"0x5\"]", "[5]"},
        {"[\"0x5\"]", "null"},
        {"\"gz\"", "\"GZ\""},
        {"{\"gz\":null}", "{\"gz\":\"x\"}"},
        {"{\"gz\":null}", "{\"gz\":5}"},
        {"\"0x9\"", "9"},
        {"\"image\"", "\"cake\""},
        {"\"image\"", "7"},
        {"\"kind\"", "\"sort\""},
        {"\"/a\"", "\"a\""},
        {"\"/a\"", "\"/a\\u0000b\""},
        {"\"path\"", "\"tree\""},
        {"}}", "}}x"},
        {"}}", "}"},
        {"\"time\":3", "\"time\":3,\"time\":3"},
        {"\"sh\"", "\"\xff\""},
    };
    struct zs_report report;
    struct zs_error e;
    char json[1000];
    assert_true(zs_report_decode((const uint8_t *)good, strlen(good), &report, &e));
    assert_true(zs_report_decode((const uint8_t *)json,
                                 changed(good, "\"time\"", "\"new\":[1],\"time\"", json, sizeof json),
                                 &report, &e));
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        size_t len = changed(good, changes[i].from, changes[i].to, json, sizeof json);
        if (zs_report_decode((const uint8_t *)json, len, &report, &e))
            fail_msg("%s was accepted", json);
        assert_int_equal(e.code, ZS_CORRUPT);
    }
    const char *others[] = {"", "null", "[]", "{}", "\"x\"", "{\"origin\":"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(zs_report_decode((const uint8_t *)others[i], strlen(others[i]), &report, &e));
}

static void lists_that_are_too_long(void **state) {
    (void)state;
    struct zs_report report;
    struct zs_buffer json;
    zs_buffer_init(&json, 1 << 16);
    for (int which = 0; which < 4; which++) {
        int sites = which == 0 ? ZS_VECTOR_MAX : which == 1 ? ZS_VECTOR_MAX + 1 : 0;
        int sessions = which == 2 ? ZS_SESSIONS_MAX : which == 3 ? ZS_SESSIONS_MAX + 1 : 0;
        char part[64];
        zs_buffer_clear(&json);
#define PUT(text) zs_put_bytes(&json, text, strlen(text))
        PUT("{\"origin\":\"sh\",\"destination\":\"bj\",\"history\":null,\"applied\":\"0x0\",\"clock\":"
            "\"0x0\",\"time\":0,\"vector\":{");
        for (int i = 0; i < sites; i++) {
            snprintf(part, sizeof part, "%s\"s%d\":\"0x1\"", i ? "," : "", i);
            PUT(part);
        }
        PUT("},\"sessions\":[");
        for (int i = 0; i < sessions; i++)
            PUT(i ? ",\"0x1\"" : "\"0x1\"");
        PUT("],\"need\":{\"kind\":\"none\"}}");
        assert_int_equal(zs_report_decode(json.at, json.len, &report, NULL), which % 2 == 0);
    }
    zs_buffer_free(&json);
}

static void markers_go_round(void **state) {
    (void)state;
    struct zs_marker marker = {.history = HISTORY,
                               .zxid = 0x100000001,
                               .clock = UINT64_MAX,
                               .session = -1,
                               .time_ms = -5,
                               .session_count = ZS_SESSIONS_MAX},
                     back;
    for (int i = 0; i < ZS_SESSIONS_MAX; i++)
        marker.sessions[i] = INT64_MIN + i;
    struct zs_buffer json;
    struct zs_error e;
    zs_buffer_init(&json, 1 << 12);
    assert_true(zs_marker_encode(&marker, &json));
    if (!zs_marker_decode(json.at, json.len, &back, &e))
        fail_msg("%s", e.text);
    assert_memory_equal(&back.history, &HISTORY, sizeof HISTORY);
    assert_int_equal(back.zxid, marker.zxid);
    assert_true(back.clock == marker.clock);
    assert_int_equal(back.session, -1);
    assert_int_equal(back.time_ms, -5);
    assert_int_equal(back.session_count, ZS_SESSIONS_MAX);
    assert_memory_equal(back.sessions, marker.sessions, sizeof back.sessions);
    assert_false(back.image);
    marker = (struct zs_marker){.zxid = 0};
    assert_true(zs_marker_encode(&marker, &json));
    zs_put_u8(&json, 0);
    assert_string_equal(json.at, "{\"history\":null,\"zxid\":\"0x0\",\"stamp\":\"0x0\",\"session\":\"0x0\","
                                 "\"time\":0,\"sessions\":[],\"since\":\"0x0\"}");
    marker.since = 0x300000000;
    marker.image = true;
    marker.fence = 0x300000001;
    marker.passed = 0x300000002;
    marker.reborn = true;
    marker.shown = 0x300000003;
    marker.bare = (struct zs_bare){.zxid = INT64_MAX, .created = INT64_MAX, .version = INT64_MIN};
    assert_true(zs_marker_encode(&marker, &json));
    assert_true(zs_marker_decode(json.at, json.len, &back, &e));
    assert_true(back.image);
    assert_int_equal(back.fence, 0x300000001);
    assert_int_equal(back.passed, 0x300000002);
    assert_int_equal(back.shown, 0x300000003);
    assert_memory_equal(&back.bare, &marker.bare, sizeof back.bare);
    assert_true(back.reborn);
    assert_int_equal(back.since, 0x300000000);
    static const char earlier[] = "{\"history\":null,\"zxid\":\"0x7\",\"stamp\":\"0x0\",\"session\":\"0x0\","
                                  "\"time\":0,\"sessions\":[]}";
    assert_true(zs_marker_decode((const uint8_t *)earlier, sizeof earlier - 1, &back, &e));
    assert_int_equal(back.since, 7); // of an earlier version: its clock proves nothing
    zs_buffer_free(&json);
}

static void a_marker_says_what_the_tree_holds(void **state) {
    (void)state;
    static const struct { int64_t passed, holds; } rows[] = {{0, 9}, {5, 4}, {9, 8}, {10, 9}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct zs_marker marker = {.zxid = 9, .passed = rows[i].passed};
        assert_int_equal(zs_marker_holds(&marker, marker.zxid), rows[i].holds);
    }
}

static void markers_that_do_not_fit(void **state) {
    (void)state;
    struct zs_marker marker = {.session_count = ZS_SESSIONS_MAX + 1};
    struct zs_buffer json;
    zs_buffer_init(&json, 1 << 12);
    assert_false(zs_marker_encode(&marker, &json));
    zs_buffer_free(&json);
    zs_buffer_init(&json, 100);
    assert_false(zs_marker_encode(&(struct zs_marker){.zxid = 1}, &json));
    zs_buffer_free(&json);
}

static void bad_markers(void **state) {
    (void)state;
    const char *good =
        "{\"history\":\"" HISTORY_TEXT
        "\",\"zxid\":\"0x1\",\"stamp\":\"0x2\",\"session\":\"0x3\",\"time\":4,\"sessions\":[\"0x5\"]}";
    const struct change changes[] = {{"\"0x1\"", "1"},
                                     {"\"0x1\"", "\"0xffffffffffffffff\""},
                                     {"\"0x2\"", "\"2\""},
                                     {"\"0x3\"", "null"},
                                     {":4", ":[]"},
                                     {"[\"0x5\"]", "[\"0x5\",6]"},
                                     {"\"history\"", "\"story\""},
                                     {"}", ""},
                                     {"}", "} "
                                           "{}"}};
    struct zs_marker marker;
    struct zs_error e;
    char json[1000];
    assert_true(zs_marker_decode((const uint8_t *)good, strlen(good), &marker, &e));
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        size_t len = changed(good, changes[i].from, changes[i].to, json, sizeof json);
        if (zs_marker_decode((const uint8_t *)json, len, &marker, &e))
            fail_msg("%s was accepted", json);
        assert_int_equal(e.code, ZS_CORRUPT);
    }
}

int report_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reports_go_round),
        cmocka_unit_test(a_report_before_anything_was_applied),
        cmocka_unit_test(the_formats_that_a_destination_reads),
        cmocka_unit_test(a_report_without_memory_is_an_error),
        cmocka_unit_test(bad_reports),
        cmocka_unit_test(lists_that_are_too_long),
        cmocka_unit_test(markers_go_round),
        cmocka_unit_test(a_marker_says_what_the_tree_holds),
        cmocka_unit_test(markers_that_do_not_fit),
        cmocka_unit_test(bad_markers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
