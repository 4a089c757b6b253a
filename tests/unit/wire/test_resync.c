// What an operator asks for, as JSON in a znode.
#include "test_wire.h"

#include <stdlib.h>
#include <string.h>

#include "zs_resync.h"

enum { PATH_BYTES = 1024 };

static bool decode(const char *json, char path[static PATH_BYTES], bool *allow, struct zs_error *e) {
    return zs_resync_decode((const uint8_t *)json, strlen(json), path, PATH_BYTES, allow, e);
}

static void requests_go_round(void **state) {
    (void)state;
    static const char *const paths[] = {"/", "/a", "/a/\xc3\xa9\"\\"};
    struct zs_buffer json;
    struct zs_error e;
    char path[PATH_BYTES];
    zs_buffer_init(&json, 4096);
    for (int i = 0; i < 6; i++) {
        bool allow = i % 2 == 0; // what is found is the other way round
        assert_true(zs_resync_encode(paths[i / 2], !allow, &json, &e));
        if (!zs_resync_decode(json.at, json.len, path, sizeof path, &allow, &e))
            fail_msg("%s", e.text);
        assert_string_equal(path, paths[i / 2]);
        assert_int_equal(allow, i % 2);
    }
    assert_true(zs_resync_encode("/a", true, &json, &e));
    zs_put_u8(&json, 0);
    assert_string_equal(json.at, "{\"path\":\"/a\",\"allow_deletes\":true}");
    zs_buffer_free(&json);
}

static void what_cannot_be_asked_for(void **state) {
    (void)state;
    struct zs_buffer json;
    struct zs_error e;
    zs_buffer_init(&json, 4096);
    assert_false(zs_resync_encode("/\xff", false, &json, &e));
    assert_int_equal(e.code, ZS_FATAL);
    zs_buffer_free(&json);
    zs_buffer_init(&json, 10);
    assert_false(zs_resync_encode("/a", false, &json, &e));
    assert_int_equal(e.code, ZS_FATAL);
    zs_buffer_free(&json);
}

static void bad_requests(void **state) {
    (void)state;
    static const char *const bad[] = {"",
                                      "{}",
                                      "[]",
                                      "null",
                                      "{\"path\":\"/a\"}",
                                      "{\"allow_deletes\":true}",
                                      "{\"path\":\"/a\",\"allow_deletes\":1}",
                                      "{\"path\":\"/a\",\"allow_deletes\":null}",
                                      "{\"path\":\"/a\",\"allow_deletes\":\"true\"}",
                                      "{\"path\":7,\"allow_deletes\":true}",
                                      "{\"path\":\"\",\"allow_deletes\":true}",
                                      "{\"path\":\"a\",\"allow_deletes\":true}",
                                      "{\"path\":\"/a/\",\"allow_deletes\":true}",
                                      "{\"path\":\"/a/../b\",\"allow_deletes\":true}",
                                      "{\"path\":\"/a\\u0000b\",\"allow_deletes\":true}",
                                      "{\"path\":\"/\xff\",\"allow_deletes\":true}",
                                      "{\"path\":\"/a\",\"path\":\"/b\",\"allow_deletes\":true}",
                                      "{\"path\":\"/a\",\"allow_deletes\":true}}",
                                      "{\"path\":\"/a\",\"allow_deletes\":true"};
    char path[PATH_BYTES];
    bool allow;
    struct zs_error e;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (decode(bad[i], path, &allow, &e))
            fail_msg("%s was accepted", bad[i]);
        assert_int_equal(e.code, ZS_CORRUPT);
        assert_non_null(strstr(e.text, "request for an image"));
    }
    assert_true(decode("{\"path\":\"/a\",\"allow_deletes\":false,\"new\":[1]}", path, &allow, &e));
    assert_false(allow);
}

static void a_path_of_fitting_length(void **state) {
    (void)state;
    const char *json = "{\"path\":\"/abc\",\"allow_deletes\":true}";
    char *path = malloc(5); // a sanitizer sees one byte too many
    bool allow;
    struct zs_error e;
    assert_non_null(path);
    assert_true(zs_resync_decode((const uint8_t *)json, strlen(json), path, 5, &allow, &e));
    assert_string_equal(path, "/abc");
    assert_false(zs_resync_decode((const uint8_t *)json, strlen(json), path, 4, &allow, &e));
    assert_int_equal(e.code, ZS_CORRUPT);
    free(path);
}

int resync_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_go_round),
        cmocka_unit_test(what_cannot_be_asked_for),
        cmocka_unit_test(bad_requests),
        cmocka_unit_test(a_path_of_fitting_length),
    };
    return cmocka_run_group_tests_name("resync", tests, NULL, NULL);
}
