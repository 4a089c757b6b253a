// Secrets: where they come from, whom they are kept from, and that nothing is left behind when they are refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "options_tests.h"

enum { ROOM = 32 };

struct place {
    char dir[32];
    char file[64];
    char link_file[64];
};

void write_file(const char *path, const char *text, unsigned mode) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, mode), 0);
}

static int make_place(void **state) {
    struct place *place = calloc(1, sizeof *place);
    strncpy(place->dir, "/tmp/zs-secret-XXXXXX", sizeof place->dir - 1);
    if (!mkdtemp(place->dir))
        return -1;
    snprintf(place->file, sizeof place->file, "%s/general", place->dir);
    snprintf(place->link_file, sizeof place->link_file, "%s/own", place->dir);
    unsetenv("ZOOSPAN_AMQP_PASSWORD");
    unsetenv("ZOOSPAN_AMQP_PASSWORD_BJ_1");
    unsetenv("ZOOSPAN_ZOOKEEPER_AUTH");
    *state = place;
    return 0;
}

static int clear_place(void **state) {
    struct place *place = *state;
    unlink(place->file);
    unlink(place->link_file);
    rmdir(place->dir);
    free(place);
    return 0;
}

// An applier with the links bj-1 and gz; `more` are further lines.
static struct zs_options *applier(const char *more) {
    char text[1000];
    snprintf(text, sizeof text,
             "zoospan.site=sh\nzoospan.links=bj-1,gz\nzoospan.zookeeper=h:1\nzoospan.amqp_uri=amqp://u@h\n%s",
             more);
    return options_of(ZS_ROLE_APPLIER, text);
}

static struct zs_options *applier_with_file(const struct place *place) {
    char line[200];
    snprintf(line, sizeof line, "zoospan.amqp_password_file=%s\n", place->file);
    return applier(line);
}

static void refused(const struct zs_options *options, const char *message) {
    char secret[ROOM];
    static const char wiped[ROOM];
    bool found = true;
    struct zs_error e = {0};
    memset(secret, 'x', sizeof secret);
    assert_false(zs_option_secret(options, "gz", "amqp_password_file", secret, sizeof secret, &found, &e));
    assert_false(found);
    assert_int_equal(e.code, ZS_INVALID);
    assert_memory_equal(secret, wiped, sizeof secret);
    if (!strstr(e.text, message))
        fail_msg("\n  got:      %s\n  expected: %s", e.text, message);
    assert_null(strstr(e.text, "s3cret"));
}

static void accepted(const struct zs_options *options, const char *link, const char *expected) {
    char secret[ROOM];
    bool found = false;
    struct zs_error e = {0};
    if (!zs_option_secret(options, link, "amqp_password_file", secret, sizeof secret, &found, &e))
        fail_msg("%s", e.text);
    assert_int_equal(found, expected != NULL);
    assert_string_equal(secret, expected ? expected : "");
}

static void the_first_line_counts(void **state) {
    const struct place *place = *state;
    struct zs_options *o = applier_with_file(place);
    static const char *const good[][2] = {
        {"s3cret", "s3cret"},
        {"s3cret\n", "s3cret"},
        {"s3cret\r\nmore\n", "s3cret"},
        {" s3 cret \n", " s3 cret "},
        {"s\rt\n", "s\rt"},
        {"\xe5\xaf\x86\xe7\xa0\x81\n", "\xe5\xaf\x86\xe7\xa0\x81"},
        {"0123456789012345678901234567890\n", "0123456789012345678901234567890"},
        {"0123456789012345678901234567890", "0123456789012345678901234567890"},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        write_file(place->file, good[i][0], 0600);
        accepted(o, "gz", good[i][1]);
        accepted(o, NULL, good[i][1]);
    }
    zs_options_free(o);
}

static void bad_content_is_refused(void **state) {
    const struct place *place = *state;
    struct zs_options *o = applier_with_file(place);
    static const char *const bad[][2] = {
        {"", "the first line is empty"},
        {"\ns3cret\n", "the first line is empty"},
        {"\r\n", "the first line is empty"},
        {"s3cret7890123456789012345678901x\n", "the first line is too long"},
        {"s3cret7890123456789012345678901x", "the first line is too long"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_file(place->file, bad[i][0], 0600);
        refused(o, bad[i][1]);
    }
    FILE *file = fopen(place->file, "w");
    fwrite("s3cret\0x\n", 1, 9, file);
    fclose(file);
    refused(o, "there is a NUL in the first line");
    zs_options_free(o);
}

static void only_the_owner_may_have_access(void **state) {
    const struct place *place = *state;
    struct zs_options *o = applier_with_file(place);
    enum { SOMEBODY = 64123 };
    static const unsigned good[] = {0400, 0600}, good_of_root[] = {0440, 0640};
    static const unsigned bad[] = {0604, 0620, 0602, 0610, 0601, 0644, 0444, 0660, 0650, 0777};
    for (int of_root = 0; of_root < 2; of_root++) {
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
            char message[100];
            write_file(place->file, "s3cret\n", bad[i]);
            assert_true(of_root || geteuid() != 0 || chown(place->file, SOMEBODY, SOMEBODY) == 0);
            snprintf(message, sizeof message,
                     "/general: has mode %04o, so others have access; expected at most 0600", bad[i]);
            refused(o, message);
            unlink(place->file);
        }
    }
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        write_file(place->file, "s3cret\n", good[i]);
        accepted(o, NULL, "s3cret");
        unlink(place->file);
    }
    for (size_t i = 0; i < sizeof good_of_root / sizeof *good_of_root; i++) {
        write_file(place->file, "s3cret\n", good_of_root[i]);
        if (geteuid() == 0)
            accepted(o, NULL, "s3cret");
        assert_true(geteuid() != 0 || chown(place->file, SOMEBODY, SOMEBODY) == 0);
        refused(o, "so others have access");
        unlink(place->file);
    }
    zs_options_free(o);
}

static void it_must_be_a_regular_file(void **state) {
    const struct place *place = *state;
    struct zs_options *o = applier_with_file(place);
    refused(o, "/general: cannot be opened: No such file or directory");
    assert_int_equal(mkfifo(place->file, 0600), 0);
    refused(o, "/general: is not a regular file");
    unlink(place->file);
    assert_int_equal(mkdir(place->file, 0700), 0);
    refused(o, "/general: is not a regular file");
    rmdir(place->file);
    // Secrets that an orchestrator mounts are symbolic links.
    write_file(place->link_file, "s3cret\n", 0600);
    assert_int_equal(symlink(place->link_file, place->file), 0);
    accepted(o, NULL, "s3cret");
    zs_options_free(o);
}

static void the_environment_stands_in_for_a_file(void **state) {
    (void)state;
    struct zs_options *o = applier("");
    accepted(o, "bj-1", NULL);
    setenv("ZOOSPAN_AMQP_PASSWORD", "s3cret-general", 1);
    accepted(o, "bj-1", "s3cret-general");
    setenv("ZOOSPAN_AMQP_PASSWORD_BJ_1", "s3cret-own", 1);
    accepted(o, "bj-1", "s3cret-own");
    accepted(o, "gz", "s3cret-general");
    accepted(o, NULL, "s3cret-general");

    char secret[ROOM];
    bool found = true;
    assert_true(zs_option_secret(o, NULL, "zookeeper_auth_file", secret, sizeof secret, &found, NULL));
    assert_false(found);
    setenv("ZOOSPAN_ZOOKEEPER_AUTH", "digest:super:s3cret", 1);
    assert_true(zs_option_secret(o, NULL, "zookeeper_auth_file", secret, sizeof secret, &found, NULL));
    assert_true(found);
    assert_string_equal(secret, "digest:super:s3cret");

    setenv("ZOOSPAN_AMQP_PASSWORD", "", 1);
    refused(o, "environment variable ZOOSPAN_AMQP_PASSWORD: is empty");
    setenv("ZOOSPAN_AMQP_PASSWORD", "s3cret7890123456789012345678901x", 1);
    refused(o, "environment variable ZOOSPAN_AMQP_PASSWORD: is too long");
    zs_options_free(o);
}

static void the_file_wins_and_the_links_own_first(void **state) {
    const struct place *place = *state;
    char lines[400];
    snprintf(lines, sizeof lines, "zoospan.amqp_password_file=%s\nzoospan.link.bj-1.amqp_password_file=%s\n",
             place->file, place->link_file);
    struct zs_options *o = applier(lines);
    write_file(place->file, "s3cret-general", 0600);
    write_file(place->link_file, "s3cret-own", 0600);
    setenv("ZOOSPAN_AMQP_PASSWORD", "s3cret-environment", 1);
    accepted(o, "bj-1", "s3cret-own");
    accepted(o, "gz", "s3cret-general");
    unlink(place->file);
    refused(o, "/general: cannot be opened"); // a file that is named has to be there
    zs_options_free(o);
}

int run_secret_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_first_line_counts, make_place, clear_place),
        cmocka_unit_test_setup_teardown(bad_content_is_refused, make_place, clear_place),
        cmocka_unit_test_setup_teardown(only_the_owner_may_have_access, make_place, clear_place),
        cmocka_unit_test_setup_teardown(it_must_be_a_regular_file, make_place, clear_place),
        cmocka_unit_test_setup_teardown(the_environment_stands_in_for_a_file, make_place, clear_place),
        cmocka_unit_test_setup_teardown(the_file_wins_and_the_links_own_first, make_place, clear_place),
    };
    return cmocka_run_group_tests_name("secrets", tests, NULL, NULL);
}
