// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zs_ephemerals.h"
#include "zs_names.h"
#include "zs_text.h"

#define EPHEMERAL(p, s)                                                                                      \
    { .type = ZS_OP_CREATE, .kind = ZS_EPHEMERAL, .path = (p), .session = (s) }
#define NODE(p)                                                                                              \
    { .type = ZS_OP_CREATE, .path = (p) }
#define SET(p)                                                                                               \
    { .type = ZS_OP_SET, .path = (p) }
#define DELETE(p)                                                                                            \
    { .type = ZS_OP_DELETE, .path = (p) }
#define CLOSE(s, known)                                                                                      \
    { .type = ZS_OP_CLOSE_SESSION, .session = (s), .paths_known = (known) }
#define SESSION "/zoospan/sessions/sh/0000000000000011"

struct fixture {
    struct zs_filter *filter;
    struct zs_patterns *except;
    struct zs_copies *copies;
    struct zs_arena *arena;
};

static int setup(void **state) {
    struct zs_error e;
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->filter = zs_filter_new("", "/left/out", &e);
    f->except = zs_patterns_new("/skip", &e);
    struct zs_copies_settings settings = {.origin = "sh", .except = f->except};
    f->copies = zs_copies_new(&settings, &e);
    f->arena = zs_arena_new(1 << 20);
    assert_true(f->filter && f->except && f->copies && f->arena);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    zs_copies_free(f->copies);
    zs_filter_free(f->filter);
    zs_patterns_free(f->except);
    zs_arena_free(f->arena);
    free(f);
    return 0;
}

// Of a copy the record, which stands behind it; of a record its copy.
static void expect_partner(const struct zs_op *ops, uint32_t count, uint32_t i) {
    const struct zs_op *op = &ops[i];
    char name[100] = "";
    const char *slash = strrchr(op->path, '/');
    if (zs_copies_is_record(op)) {
        assert_true(zs_path_unescape(slash + 1, name, sizeof name));
        assert_string_equal(name, op->partner);
    } else if (op->partner && op->partner != op->path) {
        assert_true(i + 1 < count);
        assert_string_equal(ops[i + 1].path, op->partner);
        assert_string_equal(ops[i + 1].partner, op->path);
    }
}

static void expect(struct fixture *f, const struct zs_op *ops, uint32_t count, const char *expected) {
    static const char *const names[] = {"?", "create", "delete", "set", "acl", "close"};
    const struct zs_op *out;
    uint32_t out_count;
    struct zs_error e;
    char found[2000] = "";
    size_t len = 0;
    assert_true(zs_copies_rewrite(f->copies, ops, count, f->filter, f->arena, &out, &out_count, &e));
    for (uint32_t i = 0; i < out_count; i++) {
        assert_true(out[i].kind == ZS_PERSISTENT);
        const bool reaped = out[i].partner == out[i].path && out[i].type == ZS_OP_DELETE;
        const char *name = reaped ? "reap" : zs_copies_is_end(&out[i]) ? "end" : names[out[i].type];
        len += (size_t)snprintf(found + len, sizeof found - len, "%s%s %s", i ? "; " : "", name, out[i].path);
        expect_partner(out, out_count, i);
        if (out[i].data.len)
            len += (size_t)snprintf(found + len, sizeof found - len, " skip");
    }
    assert_string_equal(found, expected);
}

static void ordinary_nodes_pass(void **state) {
    const struct zs_op ops[] = {NODE("/a"), SET("/a"), DELETE("/a"), SET("/left/out/x"), CLOSE(9, false)};
    expect(*state, ops, 5, "create /a; set /a; delete /a");
}

static void what_needs_no_change_is_not_copied(void **state) {
    struct fixture *f = *state;
    const struct zs_op ops[] = {NODE("/a"), SET("/a"), DELETE("/a")};
    const struct zs_op *out;
    uint32_t count;
    struct zs_error e;
    assert_true(zs_copies_rewrite(f->copies, ops, 3, f->filter, f->arena, &out, &count, &e));
    assert_ptr_equal(out, ops);
    assert_int_equal(count, 3);
}

static void a_copy_lives_as_long_as_its_session(void **state) {
    struct fixture *f = *state;
    const struct zs_op make[] = {EPHEMERAL("/a", 0x11), EPHEMERAL("/b%", 0x11)};
    expect(f, make, 2,
           "create " SESSION "; create /a; create " SESSION "/%2Fa; create /b%; create " SESSION "/%2Fb%25");
    assert_int_equal(zs_copies_count(f->copies), 2);
    const struct zs_op change[] = {SET("/a"), DELETE("/a")};
    expect(f, change, 2, "set /a; delete /a; delete " SESSION "/%2Fa");
    const struct zs_op close = CLOSE(0x11, false);
    expect(f, &close, 1, "end /b%; delete " SESSION "/%2Fb%25; delete " SESSION);
    assert_int_equal(zs_copies_count(f->copies), 0);
    expect(f, &close, 1, "");
}

static void the_origin_may_name_what_it_deletes(void **state) {
    struct fixture *f = *state;
    const struct zs_op make[] = {EPHEMERAL("/a", 0x11), EPHEMERAL("/skip/b", 0x11)};
    const struct zs_op close[] = {DELETE("/a"), DELETE("/skip/b"), CLOSE(0x11, true)};
    expect(f, make, 2,
           "create " SESSION "; create /a; create " SESSION "/%2Fa; create " SESSION "/%2Fskip%2Fb skip");
    expect(f, close, 3, "delete " SESSION "/%2Fskip%2Fb; end /a; delete " SESSION "/%2Fa; delete " SESSION);
}

// What has no record of this session here is not its own: it was taken over, or could not be made.
static void a_close_takes_what_has_a_record(void **state) {
    struct fixture *f = *state;
    const struct zs_op make[] = {EPHEMERAL("/a", 0x11), EPHEMERAL("/b", 0x11), EPHEMERAL("/c", 0x22)};
    const struct zs_op close[] = {DELETE("/a"), DELETE("/c"), DELETE("/d"), CLOSE(0x11, true)};
    expect(f, make, 3,
           "create " SESSION "; create /a; create " SESSION "/%2Fa; create /b; create " SESSION
           "/%2Fb; create /zoospan/sessions/sh/0000000000000022; create /c; "
           "create /zoospan/sessions/sh/0000000000000022/%2Fc");
    expect(f, close, 4, "end /b; delete " SESSION "/%2Fb; end /a; delete " SESSION "/%2Fa; delete " SESSION);
    expect(f, close, 4, "");
    assert_int_equal(zs_copies_count(f->copies), 1);
}

// No client has asked for it, so what stands there is looked at.
static void what_a_server_reaps_is_looked_at(void **state) {
    struct fixture *f = *state;
    const struct zs_op reap[] = {DELETE("/box"), CLOSE(ZS_REAPED, true)}, make = EPHEMERAL("/skip/b", 0x11);
    const struct zs_op skipped[] = {DELETE("/skip/b"), CLOSE(ZS_REAPED, true)};
    expect(f, reap, 2, "reap /box");
    expect(f, &make, 1, "create " SESSION "; create " SESSION "/%2Fskip%2Fb skip");
    expect(f, skipped, 2, "delete " SESSION "/%2Fskip%2Fb; delete " SESSION);
}

static void a_copy_is_what_one_txn_made_with_its_record(void **state) {
    struct fixture *f = *state;
    struct zs_error e;
    const struct zs_op make = EPHEMERAL("/a", 0x11);
    expect(f, &make, 1, "create " SESSION "; create /a; create " SESSION "/%2Fa");
    assert_false(zs_copies_hold(f->copies, "/a", 7)); // it has not landed
    assert_false(zs_copies_hold(f->copies, "/a", 0));
    zs_copies_landed(f->copies, "/a", 7);
    assert_true(zs_copies_hold(f->copies, "/a", 7));
    assert_false(zs_copies_hold(f->copies, "/a", 8));                 // a client's own
    assert_true(zs_copies_load(f->copies, 0x22, "/a", false, 9, &e)); // a newer session of the origin
    assert_true(zs_copies_hold(f->copies, "/a", 9));
    assert_true(zs_copies_load(f->copies, 0x22, "/s", true, 9, &e));
    assert_false(zs_copies_hold(f->copies, "/s", 9)); // the policy has no copy there
}

static void a_set_says_that_it_is_of_a_copy(void **state) {
    struct fixture *f = *state;
    const struct zs_op make = EPHEMERAL("/a", 0x11), set[] = {SET("/a"), SET("/b")};
    const struct zs_op *out;
    uint32_t count;
    struct zs_error e;
    expect(f, &make, 1, "create " SESSION "; create /a; create " SESSION "/%2Fa");
    assert_true(zs_copies_rewrite(f->copies, set, 2, f->filter, f->arena, &out, &count, &e));
    assert_int_equal(count, 2);
    assert_non_null(out[0].partner);
    assert_null(out[1].partner);
}

static void partners_are_found_again(void **state) {
    (void)state;
    struct zs_op ops[] = {NODE("/%/a"),
                          NODE(SESSION "/%2F%25%2Fa"),
                          DELETE("/b"),
                          DELETE(SESSION "/%2Fb"),
                          DELETE("/c"),
                          DELETE(SESSION "/%2Fcc"),
                          SET("/d"),
                          DELETE(SESSION "/%2Fd"),
                          {.type = ZS_OP_CLOSE_SESSION}};
    zs_copies_find_partners(ops, sizeof ops / sizeof *ops);
    assert_string_equal(ops[0].partner, ops[1].path);
    assert_true(zs_copies_is_record(&ops[1]) && zs_copies_is_record(&ops[3]));
    assert_true(zs_copies_is_end(&ops[2]));
    for (size_t i = 4; i < sizeof ops / sizeof *ops; i++)
        assert_null(ops[i].partner);
}

static void a_skipped_path_is_not_touched(void **state) {
    struct fixture *f = *state;
    const struct zs_op ops[] = {
        EPHEMERAL("/skip/a", 0x11), SET("/skip/a"), {.type = ZS_OP_SET_ACL, .path = "/skip/a"}};
    expect(f, ops, 3, "create " SESSION "; create " SESSION "/%2Fskip%2Fa skip");
    const struct zs_op drop = DELETE("/skip/a");
    expect(f, &drop, 1, "delete " SESSION "/%2Fskip%2Fa; delete " SESSION);
    const struct zs_op close = CLOSE(0x11, false);
    expect(f, &close, 1, "");
}

static void a_path_changes_hands(void **state) {
    struct fixture *f = *state;
    const struct zs_op first = EPHEMERAL("/a", 0x11), node = NODE("/a");
    expect(f, &first, 1, "create " SESSION "; create /a; create " SESSION "/%2Fa");
    expect(f, &node, 1, "end /a; delete " SESSION "/%2Fa; delete " SESSION "; create /a");
    const struct zs_op close = CLOSE(0x11, false);
    expect(f, &close, 1, ""); // the node stays
}

static void records_are_found_again(void **state) {
    struct fixture *f = *state;
    struct zs_error e;
    char path[32];
    for (int i = 0; i < 1000; i++) {
        snprintf(path, sizeof path, "/n%d", i);
        assert_true(zs_copies_load(f->copies, 0x11, path, i % 2, 5, &e));
    }
    assert_int_equal(zs_copies_count(f->copies), 1000);
    const struct zs_op ops[] = {DELETE("/n8"), DELETE("/n9")};
    expect(f, ops, 2, "delete /n8; delete " SESSION "/%2Fn8; delete " SESSION "/%2Fn9");
    zs_copies_clear(f->copies);
    assert_int_equal(zs_copies_count(f->copies), 0);
    expect(f, ops, 2, "delete /n8; delete /n9");
}

static void expect_not_met(struct fixture *f, const char *top, const char *expected) {
    const char *const *paths;
    uint32_t count;
    assert_true(zs_copies_not_met(f->copies, top, f->arena, &paths, &count));
    assert_int_equal(count, expected != NULL);
    if (expected)
        assert_string_equal(paths[0], expected);
}

static bool all(const void *context, const char *path) {
    (void)context, (void)path;
    return true;
}

static bool but(const void *context, const char *path) {
    return strcmp(context, path) != 0;
}

static void an_image_meets_the_living_ones(void **state) {
    struct fixture *f = *state;
    const struct zs_op make[] = {EPHEMERAL("/a", 0x11), EPHEMERAL("/skip/b", 0x11),
                                 EPHEMERAL("/top/c", 0x22)};
    expect(f, make, 3,
           "create " SESSION "; create /a; create " SESSION "/%2Fa; create " SESSION
           "/%2Fskip%2Fb skip; create /zoospan/sessions/sh/0000000000000022; create /top/c; "
           "create /zoospan/sessions/sh/0000000000000022/%2Ftop%2Fc");
    expect_not_met(f, "/", NULL); // what is entered counts as met
    zs_copies_begin_meeting(f->copies, all, NULL);
    assert_int_equal(zs_copies_touch(f->copies, "/none", 0x11), ZS_COPY_NONE);
    assert_int_equal(zs_copies_touch(f->copies, "/a", 0x11), ZS_COPY_HELD);
    assert_int_equal(zs_copies_touch(f->copies, "/skip/b", 0x11), ZS_COPY_SKIPPED);
    assert_int_equal(zs_copies_touch(f->copies, "/top/c", 0x33), ZS_COPY_OTHER); // does not count as met
    assert_int_equal(zs_copies_touch(f->copies, "/top/c", 0), ZS_COPY_OTHER);
    expect_not_met(f, "/", "/top/c");
    expect_not_met(f, "/top", "/top/c");
    expect_not_met(f, "/top/c", "/top/c");
    expect_not_met(f, "/to", NULL);
    expect_not_met(f, "/top/c/d", NULL);
    expect_not_met(f, "/a", NULL);
    zs_copies_landed(f->copies, "/top/c", 7);
    zs_copies_landed(f->copies, "/a", 7);
    assert_true(zs_copies_leaves(f->copies, "/top/c", 7));
    assert_false(zs_copies_leaves(f->copies, "/top/c", 8)); // a client has put its own there
    assert_false(zs_copies_leaves(f->copies, "/a", 7));
    assert_false(zs_copies_leaves(f->copies, "/top", 7));
    assert_int_equal(zs_copies_touch(f->copies, "/top/c", 0x22), ZS_COPY_HELD);
    expect_not_met(f, "/", NULL);
    zs_copies_begin_meeting(f->copies, but, "/top/c"); // the filter has come to leave that one out
    zs_copies_touch(f->copies, "/a", 0x11);
    zs_copies_touch(f->copies, "/skip/b", 0x11);
    expect_not_met(f, "/", NULL);
    assert_false(zs_copies_leaves(f->copies, "/top/c", 7));
}

static void what_an_image_does_not_have_goes(void **state) {
    struct fixture *f = *state;
    struct zs_error e;
    assert_true(zs_copies_load(f->copies, 0x11, "/a", false, 5, &e));
    assert_true(zs_copies_load(f->copies, 0x11, "/b", true, 5, &e));
    zs_copies_begin_meeting(f->copies, all, NULL);
    const struct zs_op other = EPHEMERAL("/a", 0x22); // another session has it by now
    expect(f, &other, 1,
           "end /a; delete " SESSION "/%2Fa; create /zoospan/sessions/sh/0000000000000022; create /a; "
           "create /zoospan/sessions/sh/0000000000000022/%2Fa");
    expect_not_met(f, "/", "/b");
    assert_false(zs_copies_leaves(f->copies, "/b", 5)); // skipped: what is there is somebody else's
    const struct zs_op *ops;
    uint32_t count;
    assert_true(
        zs_copies_end(f->copies, "/b", true, f->arena, &ops, &count, &e)); // skipped: there is no node
    assert_int_equal(count, 2);
    assert_string_equal(ops[0].path, SESSION "/%2Fb");
    expect_not_met(f, "/", NULL);
    assert_int_equal(zs_copies_count(f->copies), 1);
}

// Were a list searched for each, this would be ten thousand million steps; it is half a million.
static void many_sessions_are_found_at_once(void **state) {
    enum { SESSIONS = 100000, SECONDS_MAX = 30 };
    struct fixture *f = *state;
    struct zs_error e;
    const struct zs_op *out;
    uint32_t count;
    char path[32];
    int64_t started = zs_mono_ms();
    for (int i = 1; i <= SESSIONS; i++) {
        snprintf(path, sizeof path, "/n%d", i);
        assert_true(zs_copies_load(f->copies, i, path, false, 5, &e));
    }
    assert_int_equal(zs_copies_count(f->copies), SESSIONS);
    for (int i = 1; i <= SESSIONS; i++) {
        const struct zs_op close = CLOSE(i, false);
        zs_arena_reset(f->arena);
        assert_true(zs_copies_rewrite(f->copies, &close, 1, NULL, f->arena, &out, &count, &e));
        assert_int_equal(count, 3); // the copy, its record, the session's node
    }
    assert_int_equal(zs_copies_count(f->copies), 0);
    assert_true(zs_mono_ms() - started < SECONDS_MAX * 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_needs_no_change_is_not_copied, setup, teardown),
        cmocka_unit_test_setup_teardown(ordinary_nodes_pass, setup, teardown),
        cmocka_unit_test_setup_teardown(a_copy_lives_as_long_as_its_session, setup, teardown),
        cmocka_unit_test_setup_teardown(the_origin_may_name_what_it_deletes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_close_takes_what_has_a_record, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_server_reaps_is_looked_at, setup, teardown),
        cmocka_unit_test_setup_teardown(a_copy_is_what_one_txn_made_with_its_record, setup, teardown),
        cmocka_unit_test_setup_teardown(a_set_says_that_it_is_of_a_copy, setup, teardown),
        cmocka_unit_test_setup_teardown(partners_are_found_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_skipped_path_is_not_touched, setup, teardown),
        cmocka_unit_test_setup_teardown(a_path_changes_hands, setup, teardown),
        cmocka_unit_test_setup_teardown(many_sessions_are_found_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(records_are_found_again, setup, teardown),
        cmocka_unit_test_setup_teardown(an_image_meets_the_living_ones, setup, teardown),
        cmocka_unit_test_setup_teardown(what_an_image_does_not_have_goes, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
