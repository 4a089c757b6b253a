// AMQP addresses: what is taken, what is refused, and that a refusal never repeats what was refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "zs_amqp.h"

static void addresses_are_taken_apart(void **state) {
    (void)state;
    static const struct {
        const char *uri, *user, *host, *vhost;
        int port;
        bool tls;
    } rows[] = {
        {"amqp://sh@rabbit.example", "sh", "rabbit.example", "/", 5672, false},
        {"amqps://sh@rabbit.example", "sh", "rabbit.example", "/", 5671, true},
        {"AMQPS://sh@rabbit:1/", "sh", "rabbit", "/", 1, true},
        {"amqp://sh@127.0.0.1:65535/%2F", "sh", "127.0.0.1", "/", 65535, false},
        {"amqp://a%40b%3ac@[::1]:5673/zoo%20span", "a@b:c", "::1", "zoo span", 5673, false},
        {"amqp://sh@[fe80::1]/x", "sh", "fe80::1", "x", 5672, false},
        {"amqp://sh@h/\xc3\xa9", "sh", "h", "\xc3\xa9", 5672, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct zs_amqp_address a;
        struct zs_error e = {0};
        memset(&a, 'x', sizeof a);
        if (!zs_amqp_parse_uri(rows[i].uri, &a, &e))
            fail_msg("%s: %s", rows[i].uri, e.text);
        assert_string_equal(a.user, rows[i].user);
        assert_int_equal(a.host_count, 1);
        assert_string_equal(a.hosts[0].name, rows[i].host);
        assert_string_equal(a.vhost, rows[i].vhost);
        assert_int_equal(a.hosts[0].port, rows[i].port);
        assert_int_equal(a.tls, rows[i].tls);
        assert_string_equal(a.password, "");
        assert_string_equal(a.ca_file, "");
    }
}

static void nodes_of_a_cluster_are_kept_in_order(void **state) {
    (void)state;
    struct zs_amqp_address a;
    struct zs_error e = {0};
    assert_true(zs_amqp_parse_uri("amqps://sh@one.example:5673,[::1],three:1/v", &a, &e));
    assert_int_equal(a.host_count, 3);
    assert_string_equal(a.hosts[0].name, "one.example");
    assert_int_equal(a.hosts[0].port, 5673);
    assert_string_equal(a.hosts[1].name, "::1");
    assert_int_equal(a.hosts[1].port, 5671);
    assert_string_equal(a.hosts[2].name, "three");
    assert_int_equal(a.hosts[2].port, 1);
    assert_string_equal(a.vhost, "v");
    assert_true(zs_amqp_parse_uri("amqp://sh@1,2,3,4,5,6,7,8", &a, &e));
    assert_int_equal(a.host_count, ZS_AMQP_HOSTS_MAX);
}

static void others_are_refused(void **state) {
    (void)state;
    static const char *const uris[] = {
        "",
        "http://user@secret",
        "amqp:/user@secret",
        "amqp://secret",
        "amqp://@secret",
        "amqp://user:secret@host",
        "amqp://user:@secret",
        "amqp://user@host@secret",
        "amqp://user@",
        "amqp://user@:5672",
        "amqp://user@secret:",
        "amqp://user@secret:0",
        "amqp://user@secret:65536",
        "amqp://user@secret:99999999999999999999",
        "amqp://user@secret:56x",
        "amqp://user@secret:-1",
        "amqp://user@[::1",
        "amqp://user@[]",
        "amqp://user@[::1]5672",
        "amqp://user@se cret",
        "amqp://user@secret,",
        "amqp://user@,secret",
        "amqp://user@a,,secret",
        "amqp://user@a:1,secret:x",
        "amqp://user@1,2,3,4,5,6,7,8,secret",
        "amqp://user@secret/a/b",
        "amqp://user@secret/%",
        "amqp://user@secret/%2",
        "amqp://user@secret/%zz",
        "amqp://user@secret/%00",
        "amqp://user@secret/%0a",
        "amqp://us%2user@secret",
        "amqp://user@secret/v?heartbeat=1",
        "amqp://user@secret/v#x",
        "amqp://user@secret?x",
    };
    for (size_t i = 0; i < sizeof uris / sizeof *uris; i++) {
        struct zs_amqp_address a;
        struct zs_error e = {0};
        if (zs_amqp_parse_uri(uris[i], &a, &e))
            fail_msg("taken: %s", uris[i]);
        assert_int_equal(e.code, ZS_INVALID);
        assert_null(strstr(e.text, "secret"));
        assert_true(strlen(e.text) > 10);
    }
}

static void long_names_are_refused_not_cut(void **state) {
    (void)state;
    char uri[1200];
    char name[400];
    struct zs_amqp_address a;
    struct zs_error e;
    memset(name, 'n', sizeof name);
    for (int len = 254; len <= 258; len++) {
        bool fits = len <= 255;
        snprintf(uri, sizeof uri, "amqp://%.*s@host", len, name);
        assert_int_equal(zs_amqp_parse_uri(uri, &a, &e), fits);
        snprintf(uri, sizeof uri, "amqp://user@%.*s", len, name);
        assert_int_equal(zs_amqp_parse_uri(uri, &a, &e), fits);
        snprintf(uri, sizeof uri, "amqp://user@host/%.*s", len, name);
        assert_int_equal(zs_amqp_parse_uri(uri, &a, &e), fits);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_taken_apart),
        cmocka_unit_test(nodes_of_a_cluster_are_kept_in_order),
        cmocka_unit_test(others_are_refused),
        cmocka_unit_test(long_names_are_refused_not_cut),
    };
    return cmocka_run_group_tests_name("amqp_uri", tests, NULL, NULL);
}
