// What --check finds, without a connection to anything.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
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

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_link_needs_a_password)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
