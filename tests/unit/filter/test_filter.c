// Which paths a link carries: segments, wildcards, precedence, and that no pattern makes the matching slow.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "zs_filter.h"
#include "zs_text.h"

static bool matches(const char *list, const char *path) {
    struct zs_error e;
    struct zs_patterns *patterns = zs_patterns_new(list, &e);
    if (!patterns)
        fail_msg("%s: %s", list, e.text);
    bool matched = zs_patterns_match(patterns, path);
    zs_patterns_free(patterns);
    return matched;
}

static bool carries(const char *include, const char *exclude, const char *path) {
    struct zs_error e;
    struct zs_filter *filter = zs_filter_new(include, exclude, &e);
    if (!filter)
        fail_msg("%s: %s", include, e.text);
    bool carried = zs_filter_carries(filter, path);
    zs_filter_free(filter);
    return carried;
}

static uint64_t hash_of(const char *include, const char *exclude) {
    struct zs_filter *filter = zs_filter_new(include, exclude, NULL);
    assert_non_null(filter);
    uint64_t hash = zs_filter_hash(filter);
    zs_filter_free(filter);
    return hash;
}

struct row {
    const char *list;
    const char *path;
    bool expected;
};

static void check_rows(const struct row *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (matches(rows[i].list, rows[i].path) != rows[i].expected)
            fail_msg("\"%s\" and %s: expected %d", rows[i].list, rows[i].path, rows[i].expected);
    }
}

static void segments_are_whole_and_case_exact(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"/a", "/a", true},        {"/a", "/a/b/c", true}, {"/a", "/ab", false},   {"/a", "/A", false},
        {"/a", "/b/a", false},     {"/a/b", "/a", false},  {"/a/b", "/a/b", true}, {"/a/b", "/a/bc", false},
        {"/a/b", "/a/c/b", false}, {"/", "/", true},       {"/", "/a/b", true},    {"/a", "/", false},
        {"/a", "", false},         {"/a", "a", false},     {"/", "a", false},      {"", "/a", false},
        {"/a", "//a", false},      {"/a b", "/a b", true}, {"/.a", "/.a", true},   {"/...", "/...", true},
    };
    check_rows(rows, sizeof rows / sizeof *rows);
}

static void stars_stay_within_a_segment(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"/*", "/", false},           {"/*", "/a", true},          {"/*", "/a/b", true},
        {"/*/b", "/a/b", true},       {"/*/b", "/a/c/b", false},   {"/a*", "/a", true},
        {"/a*", "/abc", true},        {"/a*", "/ba", false},       {"/*a", "/bca", true},
        {"/*a", "/ab", false},        {"/a*c", "/abcbc", true},    {"/a*c", "/abcb", false},
        {"/a*b*c", "/a-b-b-c", true}, {"/a*b*c", "/a-c-b", false}, {"/a*c", "/a/c", false},
        {"/*b*", "/abc/d", true},     {"/*b*", "/ac/b", false},    {"/a*a", "/a", false},
        {"/lock-*", "/lock-", true},
    };
    check_rows(rows, sizeof rows / sizeof *rows);
}

static void question_mark_is_one_character(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"/?", "/a", true},
        {"/?", "/ab", false},
        {"/?", "/", false},
        {"/a?c", "/abc", true},
        {"/a?c", "/a/c", false},
        {"/a?c", "/ac", false},
        {"/?", "/\xc3\xa9", true},         // two bytes
        {"/?", "/\xe4\xb8\x8a", true},     // three
        {"/?", "/\xf0\x9f\x98\x80", true}, // four
        {"/??", "/\xe4\xb8\x8a", false},   // not bytes
        {"/*?x", "/\xe4\xb8\x8a\xe6\xb5\xb7x", true},
        {"/\xe4\xb8\x8a*", "/\xe4\xb8\x8a\xe6\xb5\xb7", true},
        {"/?", "/\x80\x80\x80\x80\x80\x80", false}, // no UTF-8 at all: only that it ends
    };
    check_rows(rows, sizeof rows / sizeof *rows);
}

static void double_star_is_any_depth(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"/**", "/", true},
        {"/**", "/a/b", true},
        {"/**/b", "/b", true},
        {"/**/b", "/a/b", true},
        {"/**/b", "/x/y/b/z", true},
        {"/**/b", "/x/y/bb", false},
        {"/**/b", "/", false},
        {"/a/**", "/a", true},
        {"/a/**", "/ab", false},
        {"/a/**/b", "/a/b", true},
        {"/a/**/b", "/a/x/y/b", true},
        {"/a/**/b", "/a", false},
        {"/a/**/b", "/x/a/b", false},
        {"/**/a/b", "/a/a/a/b", true}, // the newest "**" has to take more than the first fit
        {"/**/a/**/b/c", "/a/b/a/b/c", true},
        {"/**/a/**/b/c", "/b/c/a", false},
        {"/**/**/a", "/x/a", true},
        {"/**/?/x*", "/aa/b/xy", true},
        {"/**/locks/*/**/tmp?", "/svc/locks/l1/deep/er/tmp1", true},
        {"/**/locks/*/**/tmp?", "/svc/locks/tmp1", false},
    };
    check_rows(rows, sizeof rows / sizeof *rows);
}

// Whatever a znode may be called has a spelling in plain ASCII, and what is encoded is never a wildcard.
static void every_name_has_a_spelling_in_ascii(void **state) {
    (void)state;
    const struct row rows[] = {
        {"/%E5%86%85%E9%83%A8", "/\u5185\u90e8/x", true},
        {"/%e5%86%85*", "/\u5185\u90e8", true},
        {"/\u5185%E9%83%A8", "/\u5185\u90e8", true},
        {"/%F0%9F%90%BB", "/\U0001f43b", true},
        {"/caf?", "/caf\u00e9", true},
        {"/a%5Cb", "/a\\b", true},
        {"/%20a%20", "/ a ", true},
        {" /%20a ", "/ a", true},
        {"/100%25", "/100%", true},
        {"/p%252Fq", "/p%2Fq", true},
        {"/a%2A", "/a*", true},
        {"/a%2A", "/ab", false},
        {"/a%2A*", "/a*b", true},
        {"/a%3F", "/a?", true},
        {"/a%3F", "/ab", false},
        {"/%2A%2A/b", "/**/b", true},
        {"/%2A%2A/b", "/x/b", false},
        {"/%61%62", "/ab", true},
    };
    check_rows(rows, sizeof rows / sizeof *rows);
    assert_true(hash_of("/%61%62", "") == hash_of("/ab", ""));
    assert_true(hash_of("/a%2a", "") == hash_of("/a%2A", ""));
    assert_true(hash_of("/a%2A", "") != hash_of("/a*", ""));
    assert_true(hash_of("/a%252A", "") != hash_of("/a%2A", ""));
}

static void lists_are_split_at_commas(void **state) {
    (void)state;
    assert_true(matches(" /a , /b ", "/b"));
    assert_true(matches("/a,\t/b\r\n", "/a"));
    assert_false(matches("/a,/b", "/a,"));
    assert_true(matches("/a%2cb,/c", "/a,b"));
    assert_true(matches("/a%2Cb,/c", "/c"));
    assert_false(matches("/a%2Cb", "/a"));
    assert_false(matches("  ", "/a"));
}

static void malformed_patterns_are_named(void **state) {
    (void)state;
    static const char *const bad[][2] = {
        {"a", "\"a\" is not an absolute path"},
        {"/ok,b/c", "\"b/c\" is not an absolute path"},
        {"/a/", "\"/a/\" has an empty segment"},
        {"/a//b", "\"/a//b\" has an empty segment"},
        {"//", "\"//\" has an empty segment"},
        {"/a/../b", "\"/a/../b\" has the segment"},
        {"/.", "\"/.\" has the segment"},
        {"/a**", "\"/a**\" has \"**\" within a segment"},
        {"/***", "\"/***\" has \"**\" within a segment"},
        {"/%2e%2E/b", "\"/%2e%2E/b\" has the segment"},
        {"/100%", "\"/100%\" has a '%' without two hexadecimal digits; expected %25"},
        {"/%4", "has a '%' without two hexadecimal digits"},
        {"/%4/a", "has a '%' without two hexadecimal digits"},
        {"/%4g", "has a '%' without two hexadecimal digits"},
        {"/a%2Fb", "encodes a '/' or a control character"},
        {"/a%00", "encodes a '/' or a control character"},
        {"/a\\b", "has a backslash; expected %5C"},
        {"/a\\,/b", "has a backslash; expected %5C for it, and %2C for a comma"},
        {"/caf%E9", "is not UTF-8"},
        {"/caf\xe9", "is not UTF-8"},
        {"/%ED%A0%80", "is not UTF-8"},
        {"/a,,/b", "has an empty item"},
        {"/a,", "has an empty item"},
        {",", "has an empty item"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct zs_error e = {0};
        assert_null(zs_patterns_new(bad[i][0], &e));
        assert_int_equal(e.code, ZS_INVALID);
        if (!strstr(e.text, bad[i][1]))
            fail_msg("%s: %s", bad[i][0], e.text);
        assert_non_null(strstr(e.text, "expected"));
        assert_null(zs_filter_new("", bad[i][0], &e));
        assert_int_equal(strncmp(e.text, "exclude: ", 9), 0);
        assert_null(zs_filter_new(bad[i][0], "", &e));
        assert_int_equal(strncmp(e.text, "include: ", 9), 0);
    }
}

static void too_many_patterns_are_refused(void **state) {
    (void)state;
    char list[3 * (ZS_PATTERNS_MAX + 1) + 1];
    for (size_t i = 0; i <= ZS_PATTERNS_MAX; i++)
        memcpy(list + 3 * i, "/a,", 3);
    list[3 * ZS_PATTERNS_MAX - 1] = '\0';
    struct zs_patterns *patterns = zs_patterns_new(list, NULL);
    assert_non_null(patterns);
    assert_int_equal(zs_patterns_count(patterns), 1);
    zs_patterns_free(patterns);
    list[3 * ZS_PATTERNS_MAX - 1] = ',';
    list[3 * ZS_PATTERNS_MAX + 2] = '\0';
    struct zs_error e;
    assert_null(zs_patterns_new(list, &e));
    assert_non_null(strstr(e.text, "more than 1000"));
}

static void exclude_wins_over_include(void **state) {
    (void)state;
    assert_true(carries("", "", "/a"));
    assert_true(carries("", "", "/"));
    assert_true(carries("/a", "", "/a/b"));
    assert_false(carries("/a", "", "/b"));
    assert_false(carries("/a", "", "/"));
    assert_false(carries("/a", "/a/tmp", "/a/tmp/x"));
    assert_true(carries("/a", "/a/tmp", "/a/tmpx"));
    assert_false(carries("/a/b", "/a", "/a/b"));
    assert_false(carries("", "/**/locks", "/svc/locks/l-0000000001"));
    assert_true(carries("", "/**/locks", "/svc/clocks"));
    assert_false(carries("", "", "relative"));
    assert_false(carries("", "", ""));
}

static void system_paths_are_never_carried(void **state) {
    (void)state;
    static const char *const never[] = {"/zookeeper", "/zookeeper/quota/a", "/zoospan",
                                        "/zoospan/applied/sh"};
    for (size_t i = 0; i < sizeof never / sizeof *never; i++) {
        assert_false(carries("", "", never[i]));
        assert_false(carries("/**", "", never[i]));
        assert_false(carries(never[i], "", never[i]));
    }
    assert_true(carries("", "", "/zoospanx"));
    assert_true(carries("", "", "/zoospan-app/x"));
    assert_true(carries("", "", "/zookeeperx"));
    assert_true(carries("", "", "/a/zoospan"));
    assert_true(carries("", "", "/zoo"));
}

static bool may_carry_below(const char *include, const char *exclude, const char *path) {
    struct zs_filter *filter = zs_filter_new(include, exclude, NULL);
    assert_non_null(filter);
    bool may = zs_filter_may_carry_below(filter, path);
    zs_filter_free(filter);
    return may;
}

static void what_lies_beneath_may_be_carried(void **state) {
    (void)state;
    assert_true(may_carry_below("/a/b", "", "/"));
    assert_true(may_carry_below("/a/b", "", "/a"));
    assert_true(may_carry_below("/**/b", "", "/x/y"));
    assert_true(may_carry_below("", "/a/b", "/a"));
    assert_false(may_carry_below("", "/a/b", "/a/b"));
    assert_false(may_carry_below("", "/a/b", "/a/b/c"));
    assert_false(may_carry_below("/a/b/c", "/a", "/a/b")); // exclude wins
    assert_false(may_carry_below("/a/b", "", "/x"));       // nothing there is included
    assert_false(may_carry_below("/a/b", "", "/a/x"));
    assert_true(may_carry_below("/a/b", "", "/a/b/c"));
    assert_true(may_carry_below("/x,/a/?", "", "/a/b"));
    assert_false(may_carry_below("/x,/a/?", "", "/a/bb"));
    static const char *const never[] = {"/zookeeper", "/zookeeper/quota", "/zoospan", "/zoospan/applied"};
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        assert_false(may_carry_below("", "", never[i]));
    assert_true(may_carry_below("", "", "/zoospanx"));
}

// Whoever is carried is found by descending only where something may be.
static void nothing_that_is_carried_is_out_of_reach(void **state) {
    (void)state;
    static const char *const lists[] = {"", "/a", "/a/b", "/*/b", "/**/b", "/a/**/c", "/a/?", "/b,/a/b/c"};
    static const char *const paths[] = {"/a", "/a/b", "/a/b/c", "/b", "/b/b", "/b/a/b", "/a/x/c"};
    enum { LISTS = sizeof lists / sizeof *lists, PATHS = sizeof paths / sizeof *paths };
    for (size_t i = 0; i < LISTS * LISTS * PATHS; i++) {
        const char *include = lists[i % LISTS], *exclude = lists[i / LISTS % LISTS];
        const char *path = paths[i / LISTS / LISTS];
        char above[16];
        if (!carries(include, exclude, path))
            continue;
        for (const char *slash = path; (slash = strchr(slash + 1, '/')) != NULL;) {
            memcpy(above, path, (size_t)(slash - path));
            above[slash - path] = '\0';
            assert_true(may_carry_below(include, exclude, above));
        }
        assert_true(may_carry_below(include, exclude, "/"));
    }
}

static void the_lists_are_kept_as_they_were_given(void **state) {
    (void)state;
    char include[] = " /b ,/a,/b", exclude[] = "/c/**,\t/d%2Ce";
    struct zs_filter *filter = zs_filter_new(include, exclude, NULL);
    assert_non_null(filter);
    memset(include, 'x', sizeof include - 1); // copies
    memset(exclude, 'x', sizeof exclude - 1);
    assert_string_equal(zs_filter_include(filter), " /b ,/a,/b");
    assert_string_equal(zs_filter_exclude(filter), "/c/**,\t/d%2Ce");
    struct zs_filter *again = zs_filter_new(zs_filter_include(filter), zs_filter_exclude(filter), NULL);
    assert_non_null(again);
    assert_true(zs_filter_hash(again) == zs_filter_hash(filter)); // they say the same at the other site
    zs_filter_free(again);
    zs_filter_free(filter);
}

static void hash_tells_rules_apart_and_nothing_else(void **state) {
    (void)state;
    assert_true(hash_of("", "") != 0);
    assert_true(hash_of("/a,/b", "/c,/d") == hash_of(" /b ,/a,/b", "/d,/c"));
    assert_true(hash_of("/a/**", "") == hash_of("/a", ""));
    assert_true(hash_of("/**/**/a", "") == hash_of("/**/a", ""));
    assert_true(hash_of("/", "") == hash_of("/**", ""));
    assert_true(hash_of("/a", "") != hash_of("", "/a"));
    assert_true(hash_of("/a", "") != hash_of("/b", ""));
    assert_true(hash_of("/a", "") != hash_of("", ""));
    assert_true(hash_of("/a,/b", "") != hash_of("/a%2Cb", ""));
    assert_true(hash_of("/a", "/b") != hash_of("/a,/b", ""));
    assert_true(hash_of("/", "") != hash_of("", ""));
}

// A naive matcher needs more than the age of the universe for each of these.
static void hard_patterns_are_quick(void **state) {
    (void)state;
    enum { DEEP = 20000 };
    char *path = malloc(2 * DEEP + 3), *name = malloc(DEEP + 3);
    for (size_t i = 0; i < DEEP; i++)
        memcpy(path + 2 * i, "/a", 2);
    memcpy(path + 2 * DEEP, "/c", 3);
    memset(name, 'a', DEEP);
    name[0] = '/';
    memcpy(name + DEEP, "c", 2);
    int64_t start = zs_mono_ms();
    assert_false(matches("/**/a/**/a/**/a/**/a/**/a/**/a/**/a/**/a/**/a/**/a/**/a/**/a/**/b", path));
    assert_false(matches("/**/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/b", path));
    assert_false(matches("/*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", name));
    assert_false(matches("/**/*a*a*a*a*a*a*a*a*a*aaaaaaaaaaaaaaaaa*b", name));
    assert_true(matches("/**/a/**/a/**/a/**/a/**/a/**/a/**/c", path));
    assert_true(zs_mono_ms() - start < 60000);
    free(path);
    free(name);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments_are_whole_and_case_exact),
        cmocka_unit_test(stars_stay_within_a_segment),
        cmocka_unit_test(question_mark_is_one_character),
        cmocka_unit_test(double_star_is_any_depth),
        cmocka_unit_test(every_name_has_a_spelling_in_ascii),
        cmocka_unit_test(lists_are_split_at_commas),
        cmocka_unit_test(malformed_patterns_are_named),
        cmocka_unit_test(too_many_patterns_are_refused),
        cmocka_unit_test(exclude_wins_over_include),
        cmocka_unit_test(system_paths_are_never_carried),
        cmocka_unit_test(what_lies_beneath_may_be_carried),
        cmocka_unit_test(nothing_that_is_carried_is_out_of_reach),
        cmocka_unit_test(the_lists_are_kept_as_they_were_given),
        cmocka_unit_test(hash_tells_rules_apart_and_nothing_else),
        cmocka_unit_test(hard_patterns_are_quick),
    };
    return cmocka_run_group_tests_name("filter", tests, NULL, NULL);
}
