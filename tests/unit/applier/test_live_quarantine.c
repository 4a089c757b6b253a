// What cannot be applied: the stream goes on, and a record says what and why. And the marker's version at its limit.
#include "live.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zs_quarantine.h"

int run_quarantine_tests(void);

enum { RECORD_BYTES = 4 << 20, ARENA_BYTES = 256 << 20 };

static const struct zs_acl UNKNOWN_SCHEME = {.perms = 31, .scheme = "nosuch", .id = "x"};

static const char *record_path(const struct live *live, int64_t zxid) {
    char name[ZS_QUARANTINE_NAME];
    zs_quarantine_name(zxid, name);
    return live_path("%s/%s/%s", ZS_QUARANTINE_PATH, live->origin, name);
}

// The record of a txn; it lives in the arena.
static void read_record(struct live *live, int64_t zxid, struct zs_arena *arena, struct zs_quarantine *out) {
    struct zs_error e;
    char *json = malloc(RECORD_BYTES);
    int len = RECORD_BYTES;
    assert_non_null(json);
    assert_int_equal(zoo_get(live->zk, record_path(live, zxid), 0, json, &len, NULL), ZOK);
    if (!zs_quarantine_decode((uint8_t *)json, (size_t)len, true, arena, out, &e))
        fail_msg("%s", e.text);
    free(json);
}

static void an_acl_that_is_not_known_here(void **state) {
    struct live *live = *state;
    struct zs_arena *arena = zs_arena_new(ARENA_BYTES);
    struct zs_quarantine record;
    struct zs_op ops[2] = {live_create(live_path("%s/a", live->root), "a"),
                           live_create(live_path("%s/b", live->root), "b")};
    struct zs_op fine = live_create(live_path("%s/c", live->root), "c");
    ops[1].acls.entries = &UNKNOWN_SCHEME;
    live_start_applier(live, 0);
    live_publish(live, ops, 2);
    live_publish(live, &fine, 1);
    live_expect_applied(live);
    live_expect_absent(live, ops[0].path); // a multi is whole, or not at all
    live_expect_data(live, fine.path, "c");
    assert_int_equal(live_counter(live, 0, "quarantined"), 1);
    read_record(live, live->zxid - 1, arena, &record);
    assert_string_equal(record.origin, live->origin);
    assert_int_equal(record.zxid, live->zxid - 1);
    assert_int_equal(record.class, ZS_QUARANTINE_ACL);
    assert_int_equal(record.code, ZINVALIDACL);
    assert_string_equal(record.path, ops[1].path);
    assert_true(record.whole);
    assert_int_equal(record.op_count, 2);
    assert_string_equal(record.ops[1].acls.entries[0].scheme, "nosuch");
    zs_arena_free(arena);
}

// The servers here take 1 MB; the applier believes that they take four.
static void a_server_that_only_hangs_up(void **state) {
    enum { MOST = 2 << 20 };
    struct live *live = *state;
    struct zs_arena *arena = zs_arena_new(ARENA_BYTES);
    struct zs_quarantine record;
    const char *a = live_path("%s/a", live->root), *b = live_path("%s/b", live->root);
    char *data = malloc(MOST + 1);
    assert_non_null(data);
    memset(data, 'x', MOST);
    data[MOST] = '\0';
    snprintf(live->extra, sizeof live->extra, "zoospan.jute_maxbuffer = 4M\nzoospan.multi_bytes_max = 4M\n");
    struct zs_op ops[] = {live_create(a, "0"), live_create(b, "0"), live_set(a, data), live_set(b, "1"),
                          live_set(a, "2")};
    struct zs_slice message;
    live_begin(live);
    for (size_t i = 0; i < 5; i++)
        live_txn(live, &ops[i], 1); // they share a multi
    live_end(live, &message);
    live_send(live, message);
    live_start_applier(live, 0);
    live_expect_applied(live);
    live_expect_data(live, a, "2");
    live_expect_data(live, b, "1");
    assert_int_equal(live_counter(live, 0, "quarantined"), 1);
    read_record(live, live->zxid - 2, arena, &record);
    assert_int_equal(record.class, ZS_QUARANTINE_TOO_LARGE);
    assert_non_null(strstr(record.reason, "jute.maxbuffer"));
    assert_true(record.whole); // thanks to LZ4 it fits into a small record
    free(data);
    zs_arena_free(arena);
}

static void ask_for_retry(struct live *live, int64_t zxid) {
    char name[ZS_QUARANTINE_NAME];
    zs_quarantine_name(zxid, name);
    zoo_create(live->zk, ZS_RETRY_PATH, "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
    const char *folder = live_path("%s/%s", ZS_RETRY_PATH, live->origin);
    zoo_create(live->zk, folder, "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
    const char *request = live_path("%s/%s", folder, name);
    live_client_create(live, request, "", ZOO_PERSISTENT);
    live_expect_gone(live, request);
}

static void what_is_left_out_of_a_txn_can_be_retried(void **state) {
    struct live *live = *state;
    struct zs_arena *arena = zs_arena_new(ARENA_BYTES);
    struct zs_quarantine record;
    struct Stat before, after;
    const char *eph = live_path("%s/eph", live->root);
    struct zs_op ops[2] = {live_create(live_path("%s/fine", live->root), "f"),
                           live_create(live_path("%s/under", eph), "u")};
    live_client_create(live, eph, "", ZOO_EPHEMERAL);
    live_start_applier(live, 0);
    live_publish(live, ops, 2);
    live_expect_applied(live);
    live_expect_data(live, ops[0].path, "f");
    assert_int_equal(live_counter(live, 0, "quarantined"), 1);
    read_record(live, live->zxid, arena, &record);
    assert_int_equal(record.class, ZS_QUARANTINE_EPHEMERAL);
    assert_int_equal(record.op_count, 1);
    assert_string_equal(record.ops[0].path, ops[1].path);
    ask_for_retry(live, live->zxid); // the cause is still there
    read_record(live, live->zxid, arena, &record);
    assert_int_equal(live_counter(live, 0, "quarantined"), 1);
    assert_int_equal(zoo_delete(live->zk, eph, -1), ZOK);
    live_client_create(live, eph, "",
                       0); // without it an image is asked for, and that wish stands in the marker
    const char *marker = live_path("%s/%s", ZS_APPLIED_PATH, live->origin);
    assert_true(live_exists(live, marker, &before));
    ask_for_retry(live, live->zxid);
    live_expect_data(live, ops[1].path, "u");
    live_expect_absent(live, record_path(live, live->zxid));
    assert_true(live_exists(live, marker, &after));
    assert_true(live_exists(live, ops[1].path, &before));
    assert_int_equal(before.czxid, after.mzxid); // one multi with the marker, so it is not sent back
    struct zs_op more = live_create(live_path("%s/more", live->root), "m");
    live_publish(live, &more, 1);
    live_expect_applied(live);
    zs_arena_free(arena);
}

static void the_oldest_records_make_room(void **state) {
    struct live *live = *state;
    snprintf(live->extra, sizeof live->extra, "zoospan.quarantine_max = 2\n");
    live_start_applier(live, 0);
    for (int i = 0; i < 4; i++) {
        struct zs_op op = live_create(live_path("%s/n%d", live->root, i), "x");
        op.acls.entries = &UNKNOWN_SCHEME;
        live_publish(live, &op, 1);
    }
    live_expect_applied(live);
    assert_int_equal(live_counter(live, 0, "quarantined"), 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(live_exists(live, record_path(live, live->zxid - i), NULL), i < 2);
}

// Large ones make room for a large one, and small ones for the data of one do not, if they are too many.
static void records_are_bounded_in_bytes_too(void **state) {
    enum { BOUND = 1 << 20, RECORDS = 8, BYTES = 300 * 1000, FIT = 2 };
    struct live *live = *state;
    uint32_t seed = 7;
    char *noise = malloc(BYTES + 1);
    assert_non_null(noise);
    for (int i = 0; i < BYTES; i++) { // what LZ4 cannot make smaller
        seed = seed * 1664525u + 1013904223u;
        noise[i] = (char)(1 + (seed >> 24) % 127);
    }
    noise[BYTES] = '\0';
    snprintf(live->extra, sizeof live->extra, "zoospan.quarantine_bytes_max = 1M\n");
    live_start_applier(live, 0);
    for (int i = 0; i < RECORDS; i++) {
        struct zs_op op = live_create(live_path("%s/n%d", live->root, i), noise);
        op.acls.entries = &UNKNOWN_SCHEME;
        live_publish(live, &op, 1);
    }
    live_expect_applied(live);
    assert_int_equal(live_counter(live, 0, "quarantined"), RECORDS);
    size_t bytes = 0;
    struct Stat stat;
    for (int i = 0; i < RECORDS; i++) {
        bool there = live_exists(live, record_path(live, live->zxid - i), &stat);
        assert_int_equal(there, i < FIT);
        bytes += there ? (size_t)stat.dataLength : 0;
    }
    assert_in_range(bytes, FIT * BYTES, BOUND);
    free(noise);
}

#ifdef ZS_FAILPOINTS
// Killed just before and just after each step: the record is there, once, and what follows is applied.
static void killed_while_it_puts_one_aside(void **state) {
    static const char *const points[] = {"applier_slow_write=kill:1", "applier_slow_written=kill:1",
                                         "applier_slow_write=kill:2", "applier_slow_written=kill:2",
                                         "applier_registered=kill:1"};
    struct live *live = *state;
    struct zs_arena *arena = zs_arena_new(ARENA_BYTES);
    struct zs_quarantine record;
    live_start_applier(live, 0);
    struct zs_op first = live_create(live_path("%s/first", live->root), "");
    live_publish(live, &first, 1);
    live_expect_applied(live);
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        struct zs_op bad = live_create(live_path("%s/bad%zu", live->root, i), "x");
        struct zs_op fine = live_create(live_path("%s/fine%zu", live->root, i), "y");
        bad.acls.entries = &UNKNOWN_SCHEME;
        live_stop_applier(live, 0);
        setenv("ZOOSPAN_FAILPOINTS", points[i], 1);
        live_start_applier(live, 0);
        unsetenv("ZOOSPAN_FAILPOINTS");
        live_publish(live, &bad, 1);
        live_publish(live, &fine, 1);
        live_expect_death(live, 0);
        live_start_applier(live, 0);
        live_expect_applied(live);
        live_expect_data(live, fine.path, "y");
        live_expect_absent(live, bad.path);
        read_record(live, live->zxid - 1, arena, &record);
        assert_int_equal(record.class, ZS_QUARANTINE_ACL);
    }
    zs_arena_free(arena);
}

// The version of the marker reaches its limit again and again while the stream flows, and while another applier waits.
static void the_marker_is_made_anew_at_its_limit(void **state) {
    enum { TXNS = 3000, LIMIT = 1000, LEAP = 300 };
    struct live *live = *state;
    struct Stat stat;
    char data[16];
    const char *count = live_path("%s/count", live->root);
    struct zs_op create = live_create(count, "");
    snprintf(live->extra, sizeof live->extra, "zoospan.multi_ops_max = 1\n");
    setenv("ZOOSPAN_FAILPOINTS", "applier_marker_version_max=limit:1000", 1);
    live_start_applier(live, 0);
    live_publish(live, &create, 1);
    live_expect_applied(live);
    live_start_applier(live, 1);
    for (int i = 0; i < TXNS; i++) {
        snprintf(data, sizeof data, "%d", i);
        struct zs_op set = live_set(count, data);
        live_publish(live, &set, 1);
        if (i == TXNS / 2) { // the other one takes over, and this one is a stranger when it wakes up
            live_signal_applier(live, 0, SIGSTOP);
            live_broker("close_all_user_connections consumer test");
            live_expect_state(live, 1, "LIVE");
            live_signal_applier(live, 0, SIGCONT);
        }
    }
    live_expect_applied(live);
    unsetenv("ZOOSPAN_FAILPOINTS");
    assert_true(live_exists(live, count, &stat));
    assert_int_equal(stat.version, TXNS); // nothing lost, nothing twice
    live_expect_data(live, count, "2999");
    assert_true(live_exists(live, live_path("%s/%s", ZS_APPLIED_PATH, live->origin), &stat));
    assert_in_range(stat.version, 0, LIMIT + LEAP);
}
#endif

int run_quarantine_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_acl_that_is_not_known_here, live_setup, live_teardown),
        cmocka_unit_test_setup_teardown(a_server_that_only_hangs_up, live_setup, live_teardown),
        cmocka_unit_test_setup_teardown(what_is_left_out_of_a_txn_can_be_retried, live_setup, live_teardown),
        cmocka_unit_test_setup_teardown(the_oldest_records_make_room, live_setup, live_teardown),
        cmocka_unit_test_setup_teardown(records_are_bounded_in_bytes_too, live_setup, live_teardown),
#ifdef ZS_FAILPOINTS
        cmocka_unit_test_setup_teardown(killed_while_it_puts_one_aside, live_setup, live_teardown),
        cmocka_unit_test_setup_teardown(the_marker_is_made_anew_at_its_limit, live_setup, live_teardown),
#endif
    };
    return cmocka_run_group_tests_name("quarantine", tests, NULL, NULL);
}
