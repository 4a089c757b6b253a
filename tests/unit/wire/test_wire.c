// Names, and the start of the program.
#include "test_wire.h"

#include <string.h>

#include "zs_names.h"

static void names_of_a_link(void **state) {
    (void)state;
    struct zs_link_names names;
    zs_link_names("sh", "bj", &names);
    assert_string_equal(names.link, "sh->bj");
    assert_string_equal(names.exchange, "zoospan.sh");
    assert_string_equal(names.queue, "zoospan.sh.bj");
    assert_string_equal(names.lock, "zoospan.sh.bj.lock");
    assert_string_equal(names.feedback, "zoospan.sh.bj.feedback");
    assert_string_equal(names.position, "zoospan.sh.bj.position");
    zs_link_names("abcdefghijklmno", "a23456789012345", &names);
    assert_string_equal(names.feedback, "zoospan.abcdefghijklmno.a23456789012345.feedback");
}

static void paths_as_names(void **state) {
    (void)state;
    const char *pairs[][2] = {
        {"/", "%2F"}, {"/a/b", "%2Fa%2Fb"}, {"/100%/%2F", "%2F100%25%2F%252F"}, {"/\xc3\xa9", "%2F\xc3\xa9"}};
    char name[64], path[64];
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        assert_true(zs_path_escape(pairs[i][0], name, sizeof name));
        assert_string_equal(name, pairs[i][1]);
        assert_true(zs_path_unescape(name, path, sizeof path));
        assert_string_equal(path, pairs[i][0]);
    }
}

static void names_that_no_path_has(void **state) {
    (void)state;
    const char *bad[] = {"",   "a",     "/a",     "%2f",     "%2Fa/b", "%",
                         "%2", "%2Fa%", "%2F%41", "%2Fa%2F", "%2F%2F", "%2F."};
    char path[64];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (zs_path_unescape(bad[i], path, sizeof path))
            fail_msg("\"%s\" was accepted", bad[i]);
}

static void names_that_do_not_fit(void **state) {
    (void)state;
    char out[16];
    assert_true(zs_path_escape("/a/b", out, 9));
    assert_false(zs_path_escape("/a/b", out, 8));
    assert_false(zs_path_escape("/a/b", out, 0));
    assert_true(zs_path_unescape("%2Fa%2Fb", out, 5));
    assert_false(zs_path_unescape("%2Fa%2Fb", out, 4));
    assert_false(zs_path_unescape("%2F", out, 0));
}

int main(void) {
    const struct CMUnitTest names[] = {
        cmocka_unit_test(names_of_a_link),
        cmocka_unit_test(paths_as_names),
        cmocka_unit_test(names_that_no_path_has),
        cmocka_unit_test(names_that_do_not_fit),
    };
    return cmocka_run_group_tests(names, NULL, NULL) + batch_tests() + format_page_tests() +
           quarantine_tests() + report_tests() + resync_tests();
}
