// What --check finds, without a connection to anything.
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

#include "zs_applier.h"

static const char good[] = "zoospan.site = bj\n"
                           "zoospan.links = sh\n"
                           "zoospan.zookeeper = 127.0.0.1:2181\n"
                           "zoospan.link.sh.amqp_uri = amqp://reader@127.0.0.1:5672/%2F\n";

static bool check(const char *text, struct zs_error *e) {
    struct zs_options *options = zs_options_of_bytes(ZS_ROLE_APPLIER, text, strlen(text), "test", e);
    assert_non_null(options);
    bool fine = zs_applier_check(options, e);
    zs_options_free(options);
    return fine;
}

static void a_link_needs_a_password(void **state) {
    (void)state;
    struct zs_error e;
    unsetenv("ZOOSPAN_AMQP_PASSWORD");
    assert_false(check(good, &e));
    assert_int_equal(e.code, ZS_INVALID);
    assert_non_null(strstr(e.text, "link sh: no password for RabbitMQ user 'reader'"));
    setenv("ZOOSPAN_AMQP_PASSWORD_SH", "secret", 1);
    assert_true(check(good, &e));
    unsetenv("ZOOSPAN_AMQP_PASSWORD_SH");
}

static void trusted_certificates_must_be_there(void **state) {
    (void)state;
    char text[400];
    struct zs_error e;
    setenv("ZOOSPAN_AMQP_PASSWORD", "secret", 1);
    snprintf(text, sizeof text, "%szoospan.amqp_ca_file = /nonexistent/ca.pem\n", good);
    assert_false(check(text, &e));
    assert_non_null(strstr(e.text, "zoospan.amqp_ca_file: /nonexistent/ca.pem cannot be read: No such file"));
    unsetenv("ZOOSPAN_AMQP_PASSWORD");
}

static void credentials_of_zookeeper_have_a_scheme(void **state) {
    (void)state;
    static const char *const bad[] = {"secret", "super:secret", "digest:super", ":x", "digest:"};
    struct zs_error e;
    setenv("ZOOSPAN_AMQP_PASSWORD", "secret", 1);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        setenv("ZOOSPAN_ZOOKEEPER_AUTH", bad[i], 1);
        assert_false(check(good, &e));
        assert_non_null(
            strstr(e.text, "the first line must be scheme:credentials, e.g. digest:super:secret"));
    }
    setenv("ZOOSPAN_ZOOKEEPER_AUTH", "digest:super:se:cret", 1);
    assert_true(check(good, &e));
    unsetenv("ZOOSPAN_ZOOKEEPER_AUTH");
    unsetenv("ZOOSPAN_AMQP_PASSWORD");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_link_needs_a_password),
                                       cmocka_unit_test(trusted_certificates_must_be_there),
                                       cmocka_unit_test(credentials_of_zookeeper_have_a_scheme)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
