// What a configuration may say, and what an operator is told when it says something else.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "options_tests.h"

#define PLUGIN_BASE                                                                                          \
    "zoospan.site = sh\n"                                                                                    \
    "zoospan.links = bj, gz\n"                                                                               \
    "zoospan.amqp_uri = amqp://zoospan@127.0.0.1:5673/%2F\n"
#define APPLIER_BASE                                                                                         \
    "zoospan.site = sh\n"                                                                                    \
    "zoospan.links = bj, gz\n"                                                                               \
    "zoospan.zookeeper = 127.0.0.1:2191\n"                                                                   \
    "zoospan.link.bj.amqp_uri = amqp://u@b:1/v\n"                                                            \
    "zoospan.link.gz.amqp_uri = amqps://u@g:1/v\n"

struct zs_options *options_of(enum zs_role role, const char *text) {
    struct zs_error e = {0};
    struct zs_options *options = zs_options_of_bytes(role, text, strlen(text), "conf", &e);
    if (!options)
        fail_msg("%s", e.text);
    return options;
}

static void refused_bytes(enum zs_role role, const char *text, size_t len, const char *message) {
    struct zs_error e = {0};
    struct zs_options *options = zs_options_of_bytes(role, text, len, "conf", &e);
    if (options) {
        zs_options_free(options);
        fail_msg("accepted; expected: %s", message);
    }
    assert_int_equal(e.code, ZS_INVALID);
    if (!strstr(e.text, message))
        fail_msg("\n  got:      %s\n  expected: %s", e.text, message);
    if (strstr(e.text, "s3cret"))
        fail_msg("a secret in: %s", e.text);
}

// The base configuration of the role, with `more` behind it, is refused with exactly this message.
static void refused(enum zs_role role, const char *more, const char *message) {
    char text[4000];
    int len = snprintf(text, sizeof text, "%s%s", role == ZS_ROLE_PLUGIN ? PLUGIN_BASE : APPLIER_BASE, more);
    refused_bytes(role, text, (size_t)len, message);
}

static void defaults_hold_and_all_of_them_parse(void **state) {
    (void)state;
    struct zs_options *plugin = options_of(ZS_ROLE_PLUGIN, PLUGIN_BASE);
    assert_string_equal(zs_option_text(plugin, NULL, "on_error"), "refuse");
    assert_int_equal(zs_option_int(plugin, NULL, "backlog_bytes_max"), 64 << 20);
    assert_int_equal(zs_option_int(plugin, "bj", "queue_bytes_max"), 1 << 30);
    assert_int_equal(zs_option_int(plugin, NULL, "window_batches"), 4);
    assert_int_equal(zs_option_int(plugin, NULL, "retry_min"), 100);
    assert_int_equal(zs_option_int(plugin, NULL, "amqp_heartbeat"), 2000);
    assert_string_equal(zs_option_text(plugin, "gz", "include"), "");
    assert_null(zs_option_text(plugin, "gz", "amqp_ca_file"));
    assert_null(zs_option_text(plugin, NULL, "server_name"));
    assert_int_equal(zs_option_int(plugin, NULL, "server_name"), 0);
    zs_options_free(plugin);

    struct zs_options *applier = options_of(ZS_ROLE_APPLIER, APPLIER_BASE);
    for (size_t i = 0; i < zs_option_count; i++) {
        const struct zs_option *option = &zs_option_table[i];
        if (!(option->roles & ZS_ROLE_APPLIER) || !option->fallback)
            continue;
        assert_string_equal(zs_option_text(applier, "bj", option->name), option->fallback);
        if (option->max > 0) {
            assert_true(zs_option_int(applier, NULL, option->name) >= option->min);
            assert_true(zs_option_int(applier, NULL, option->name) <= option->max);
        }
    }
    assert_int_equal(zs_option_int(applier, NULL, "jute_maxbuffer"), 1048575);
    zs_options_free(applier);
}

static void values_are_read_by_their_type(void **state) {
    (void)state;
    struct zs_options *o = options_of(ZS_ROLE_APPLIER, APPLIER_BASE "zoospan.amqp_timeout = 1500\n"
                                                                    "zoospan.retry_min=250ms\n"
                                                                    "zoospan.retry_max=1h\n"
                                                                    "zoospan.amqp_heartbeat=2m\n"
                                                                    "zoospan.zookeeper_session=007s\n"
                                                                    "zoospan.jute_maxbuffer=4M\n"
                                                                    "zoospan.multi_bytes_max=3000\n"
                                                                    "zoospan.message_bytes_max=1G\n"
                                                                    "zoospan.depth=64\n"
                                                                    "zoospan.ephemerals=skip\n"
                                                                    "zoospan.exclude=/a, /b%2cc ,/d\n"
                                                                    "zoospan.log_level=debug\n"
                                                                    "zoospan.status_file=/run/x y.json\n");
    assert_int_equal(zs_option_int(o, NULL, "amqp_timeout"), 1500);
    assert_int_equal(zs_option_int(o, NULL, "retry_min"), 250);
    assert_int_equal(zs_option_int(o, NULL, "retry_max"), 3600000);
    assert_int_equal(zs_option_int(o, NULL, "amqp_heartbeat"), 120000);
    assert_int_equal(zs_option_int(o, NULL, "zookeeper_session"), 7000);
    assert_int_equal(zs_option_int(o, NULL, "jute_maxbuffer"), 4 << 20);
    assert_int_equal(zs_option_int(o, NULL, "multi_bytes_max"), 3000);
    assert_int_equal(zs_option_int(o, NULL, "message_bytes_max"), 1 << 30);
    assert_int_equal(zs_option_int(o, NULL, "depth"), 64);
    assert_string_equal(zs_option_text(o, "bj", "ephemerals"), "skip");
    assert_string_equal(zs_option_text(o, NULL, "exclude"), "/a, /b%2cc ,/d");
    assert_string_equal(zs_option_text(o, NULL, "status_file"), "/run/x y.json");
    zs_options_free(o);

    o = options_of(ZS_ROLE_PLUGIN, PLUGIN_BASE "zoospan.queue_bytes_max=1T\n");
    assert_int_equal(zs_option_int(o, NULL, "queue_bytes_max"), INT64_C(1) << 40);
    zs_options_free(o);
}

static void a_links_own_value_wins(void **state) {
    (void)state;
    // Before zoospan.links is known, to see that the order in the file does not matter.
    struct zs_options *o = options_of(ZS_ROLE_PLUGIN, "zoospan.link.bj.exclude = /tmp\n"
                                                      "zoospan.link.gz.queue_bytes_max = 2G\n"
                                                      "zoospan.link.gz.exclude =\n"
                                                      "zoospan.exclude = /locks\n" PLUGIN_BASE);
    assert_string_equal(zs_option_text(o, "bj", "exclude"), "/tmp");
    assert_string_equal(zs_option_text(o, "gz", "exclude"), "");
    assert_string_equal(zs_option_text(o, NULL, "exclude"), "/locks");
    assert_string_equal(zs_option_text(o, "nowhere", "exclude"), "/locks");
    assert_int_equal(zs_option_int(o, "gz", "queue_bytes_max"), INT64_C(2) << 30);
    assert_int_equal(zs_option_int(o, "bj", "queue_bytes_max"), 1 << 30);
    assert_string_equal(zs_option_text(o, "gz", "amqp_uri"), "amqp://zoospan@127.0.0.1:5673/%2F");
    zs_options_free(o);

    o = options_of(ZS_ROLE_APPLIER, APPLIER_BASE);
    assert_string_equal(zs_option_text(o, "gz", "amqp_uri"), "amqps://u@g:1/v");
    assert_null(zs_option_text(o, NULL, "amqp_uri"));
    zs_options_free(o);
}

static void links_are_listed_in_order(void **state) {
    (void)state;
    const char *const *sites;
    struct zs_options *o = options_of(ZS_ROLE_PLUGIN, PLUGIN_BASE);
    assert_int_equal(zs_option_links(o, &sites), 2);
    assert_string_equal(sites[0], "bj");
    assert_string_equal(sites[1], "gz");
    zs_options_free(o);

    o = options_of(ZS_ROLE_APPLIER, "zoospan.site=sh\nzoospan.links=\nzoospan.zookeeper=h:1\n");
    assert_int_equal(zs_option_links(o, &sites), 0);
    zs_options_free(o);

    // One URI for all links will do.
    o = options_of(ZS_ROLE_APPLIER, "zoospan.site=sh\nzoospan.links=a,b-1,c,d,e,f,g,h,i,j,k,l,m,n,o,p\n"
                                    "zoospan.zookeeper=h:1\nzoospan.amqp_uri=amqp://h\n");
    assert_int_equal(zs_option_links(o, &sites), 16);
    assert_string_equal(sites[1], "b-1");
    zs_options_free(o);
}

static void unknown_keys_are_told_the_nearest(void **state) {
    (void)state;
    refused(ZS_ROLE_PLUGIN, "zoospan.windw_batches = 4\n",
            "conf:4: zoospan.windw_batches: is not a known option; the nearest is zoospan.window_batches");
    refused(ZS_ROLE_PLUGIN, "zoospan.Site = sh\n", "is not a known option; the nearest is zoospan.site");
    refused(
        ZS_ROLE_PLUGIN, "zoospan.amqp_password = s3cret\n",
        "conf:4: zoospan.amqp_password: is not a known option; the nearest is zoospan.amqp_password_file");
    refused(ZS_ROLE_APPLIER, "depth = 4\n",
            "conf:6: depth: is not a known option; the nearest is zoospan.depth");
    refused(ZS_ROLE_APPLIER, "tickTime=2000\n", "conf:6: tickTime: is not a known option");
    refused(ZS_ROLE_APPLIER, "zoospan.link.bj.exlude = /a\n",
            "zoospan.link.bj.exlude: is not a known option; the nearest is zoospan.link.bj.exclude");
    refused(ZS_ROLE_APPLIER, "zoospan. = 1\n", "conf:6: zoospan.: is not a known option");
    refused(ZS_ROLE_APPLIER, "zoospan.window_batches = 4\n",
            "conf:6: zoospan.window_batches: does not belong in the applier's file; expected in zoo.cfg");
    refused(ZS_ROLE_PLUGIN, "zoospan.depth = 4\n",
            "conf:4: zoospan.depth: does not belong in zoo.cfg; expected in the applier's file");
}

static void link_keys_are_checked(void **state) {
    (void)state;
    refused(
        ZS_ROLE_PLUGIN, "zoospan.link.hk.exclude = /a\n",
        "conf:4: zoospan.link.hk.exclude: there is no link \"hk\"; expected one of those in zoospan.links");
    refused(ZS_ROLE_PLUGIN, "zoospan.link.bj.window_batches = 1\n",
            "zoospan.link.bj.window_batches: cannot be set for one link; expected zoospan.window_batches, "
            "for all");
    refused(ZS_ROLE_PLUGIN, "zoospan.link.exclude = /a\n",
            "names no site; expected zoospan.link.<site>.<option>, with a site's name");
    refused(ZS_ROLE_PLUGIN, "zoospan.link.BJ.exclude = /a\n", "names no site");
    refused(ZS_ROLE_PLUGIN, "zoospan.link.a-name-that-is-too-long.exclude = /a\n", "names no site");
    refused(ZS_ROLE_PLUGIN, "zoospan.link..exclude = /a\n", "names no site");
}

static void bad_values_are_told_what_is_expected(void **state) {
    (void)state;
    static const struct {
        const char *line, *message;
    } rows[] = {
        {"depth = many", "\"many\" is not such a number; expected a whole number from 1 to 64"},
        {"depth = 0", "\"0\" is out of range; expected a whole number from 1 to 64"},
        {"depth = 65", "\"65\" is out of range"},
        {"depth = -1", "\"-1\" is not such a number"},
        {"depth = 8K", "\"8K\" is not such a number"},
        {"depth = 0x10", "\"0x10\" is not such a number"},
        {"depth = 99999999999999999999", "\"99999999999999999999\" is out of range"},
        {"depth =", "the value is empty; expected a whole number from 1 to 64"},
        {"jute_maxbuffer = 1 M",
         "\"1 M\" is not such a number; expected bytes from 64K to 64M (units K, M, G, T)"},
        {"jute_maxbuffer = 1MB", "\"1MB\" is not such a number"},
        {"jute_maxbuffer = 65535", "\"65535\" is out of range"},
        {"jute_maxbuffer = 9000000000G", "\"9000000000G\" is out of range"},
        {"retry_min = 9ms",
         "\"9ms\" is out of range; expected a time from 10ms to 1m (units ms, s, m, h; bare: ms)"},
        {"retry_max = 61m",
         "\"61m\" is out of range; expected a time from 100ms to 1h (units ms, s, m, h; bare: ms)"},
        {"retry_min = 1.5s", "\"1.5s\" is not such a number"},
        {"ephemerals = copy", "\"copy\" is not among the choices; expected mirror or skip"},
        {"ephemerals = mirror|skip", "\"mirror|skip\" is not among the choices"},
        {"ephemerals = mir", "\"mir\" is not among the choices"},
        {"log_level = INFO", "\"INFO\" is not among the choices; expected error, warn, info or debug"},
        {"exclude = a",
         "\"a\" does not begin with '/'; expected path patterns, each beginning with '/', separated"},
        {"exclude = /a,b", "\"b\" does not begin with '/'"},
        {"exclude = /a,", "\"/a,\" does not begin with '/'"},
        {"include = ,", "\",\" does not begin with '/'"},
        {"amqp_uri = http://h", "the URI does not begin with amqp:// or amqps://; expected amqp://user@host"},
        {"amqp_uri = amqp://u:s3cret@h/v",
         "there is a password in the URI; expected amqp://user@host:port/vhost"},
        {"amqp_uri = amqp://u:s3cret/@h/v", "there is a password in the URI"},
        {"amqp_uri = amqps://:s3cret@h/v", "there is a password in the URI"},
        {"amqp_uri = amqp://h/ v", "there is white space in the URI"},
        {"amqp_ca_file = ca.pem", "\"ca.pem\" is not an absolute path; expected an absolute path"},
        {"amqp_password_file = s3cret", "the value is not an absolute path; expected the absolute path of a "
                                        "file that others cannot read"},
        {"link.bj.ephemerals = x", "\"x\" is not among the choices"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char line[200], message[300], key[100];
        snprintf(line, sizeof line, "zoospan.%s\n", rows[i].line);
        snprintf(key, sizeof key, "%.*s", (int)strcspn(rows[i].line, " "), rows[i].line);
        snprintf(message, sizeof message, "conf:6: zoospan.%s: %s", key, rows[i].message);
        refused(ZS_ROLE_APPLIER, line, message);
    }
}

static void connect_strings_are_checked(void **state) {
    (void)state;
    static const char *const bad[][2] = {
        {"zk1:2181/chroot",
         "\"zk1:2181/chroot\" has a chroot, but the applier needs the whole tree; expected host:port"},
        {"zk1",
         "\"zk1\" is not host:port; expected host:port, several separated by commas, without a chroot"},
        {"zk1:2181,zk2", "\"zk2\" is not host:port"},
        {"zk1:2181,", "\"\" is not host:port"},
        {":2181", "\":2181\" is not host:port"},
        {"zk1:0", "\"zk1:0\" is not host:port"},
        {"zk1:65536", "\"zk1:65536\" is not host:port"},
        {"zk1:2181, zk2:2181", "\" zk2:2181\" is not host:port"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[200], message[300];
        int len =
            snprintf(text, sizeof text, "zoospan.site=sh\nzoospan.links=\nzoospan.zookeeper=%s\n", bad[i][0]);
        snprintf(message, sizeof message, "conf:3: zoospan.zookeeper: %s", bad[i][1]);
        refused_bytes(ZS_ROLE_APPLIER, text, (size_t)len, message);
    }
    struct zs_options *o =
        options_of(ZS_ROLE_APPLIER,
                   "zoospan.site=sh\nzoospan.links=\nzoospan.zookeeper=[::1]:2181,zk-2.example:65535\n");
    zs_options_free(o);
}

static void names_of_sites_are_checked(void **state) {
    (void)state;
    static const char *const bad[][2] = {
        {"Sh", "\"Sh\" is not a site's name; expected a site's name: a small letter"},
        {"1a", "\"1a\" is not a site's name"},
        {"a_b", "\"a_b\" is not a site's name"},
        {"a-name-that-is-too-long", "\"a-name-that-is-too-long\" is not a site's name"},
        {"a,b", "\"a,b\" is not a site's name"},
        {"", "the value is empty"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[200], message[200];
        int len = snprintf(text, sizeof text, "zoospan.site=%s\nzoospan.links=\nzoospan.zookeeper=h:1\n",
                           bad[i][0]);
        snprintf(message, sizeof message, "conf:1: zoospan.site: %s", bad[i][1]);
        refused_bytes(ZS_ROLE_APPLIER, text, (size_t)len, message);
    }
    static const char *const lists[][2] = {
        {"bj,,gz", "\"\" is not a site's name; expected up to 16 sites' names, separated by commas"},
        {"bj,", "\"\" is not a site's name"},
        {"bj gz", "\"bj gz\" is not a site's name"},
        {"bj,bj", "\"bj\" stands there twice"},
        {"bj, sh", "\"sh\" is this site itself; expected other sites"},
        {"a-name-that-is-much-too-long", "\"a-name-that-is-m\" is not a site's name"},
        {"a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", "there are too many sites"},
    };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        char text[300], message[200];
        int len = snprintf(text, sizeof text,
                           "zoospan.site=sh\nzoospan.links=%s\nzoospan.amqp_uri=amqp://h\n", lists[i][0]);
        snprintf(message, sizeof message, "conf:2: zoospan.links: %s", lists[i][1]);
        refused_bytes(ZS_ROLE_PLUGIN, text, (size_t)len, message);
    }
}

static void what_is_missing_is_named(void **state) {
    (void)state;
    refused_bytes(
        ZS_ROLE_PLUGIN, "", 0,
        "conf: zoospan.site: is missing; expected a site's name: a small letter, then up to 14 of a-z, "
        "0-9 and '-' | conf: zoospan.links: is missing; expected up to 16 sites' names, separated by "
        "commas | conf: zoospan.amqp_uri: is missing; expected amqp://");
    const char *text = "zoospan.site=sh\nzoospan.links=bj,gz\nzoospan.link.gz.amqp_uri=amqp://h\n";
    refused_bytes(ZS_ROLE_APPLIER, text, strlen(text),
                  "conf: zoospan.link.bj.amqp_uri: is missing; expected amqp:");
    refused_bytes(ZS_ROLE_APPLIER, text, strlen(text),
                  "conf: zoospan.zookeeper: is missing; expected host:port");
    text = "zoospan.site=sh\nzoospan.links=\nzoospan.amqp_uri=amqp://h\n";
    refused_bytes(ZS_ROLE_PLUGIN, text, strlen(text),
                  "conf:2: zoospan.links: there is no link; expected at least one other site");
}

static void options_have_to_agree(void **state) {
    (void)state;
    refused(ZS_ROLE_PLUGIN, "zoospan.retry_min=20s\n",
            "conf:4: zoospan.retry_min: is above zoospan.retry_max; expected at most that");
    refused(ZS_ROLE_PLUGIN, "zoospan.retry_max=100\nzoospan.retry_min=101\n",
            "conf:5: zoospan.retry_min: is above");
    refused(ZS_ROLE_PLUGIN, "zoospan.amqp_heartbeat=1500\n",
            "conf:4: zoospan.amqp_heartbeat: is a part of a second; expected whole seconds");
    refused(ZS_ROLE_APPLIER, "zoospan.multi_bytes_max=2M\n",
            "conf:6: zoospan.multi_bytes_max: is above zoospan.jute_maxbuffer; expected at most that");
    refused(ZS_ROLE_APPLIER, "zoospan.jute_maxbuffer=64K\n", "conf: zoospan.multi_bytes_max: is above");
}

static void every_problem_is_told_as_far_as_there_is_room(void **state) {
    (void)state;
    refused(ZS_ROLE_PLUGIN, "no equals sign s3cret\nzoospan.heartbeat=1\nzoospan.site=bj\n",
            "conf:4: the line has no key or no '='; expected key = value | "
            "conf:5: zoospan.heartbeat: \"1\" is out of range; expected a time from 100ms to 1m (units ms, "
            "s, m, h; bare: ms) | "
            "conf:6: zoospan.site: stands there twice; expected once (first in line 1)");

    char text[20000];
    size_t len = 0;
    for (int i = 0; i < 200; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "zoospan.unknown%d=1\n", i);
    struct zs_error e;
    assert_null(zs_options_of_bytes(ZS_ROLE_PLUGIN, text, len, "conf", &e));
    const char *rest = strstr(e.text, " | and ");
    assert_non_null(rest);
    long told = 0;
    for (const char *at = e.text; (at = strstr(at, " | ")); at++)
        told++;
    assert_int_equal(told + strtol(rest + strlen(" | and "), NULL, 10), 200 + 3); // three are missing
    assert_non_null(strstr(rest, " more"));
    assert_in_range(told, 8, 16);
    assert_null(zs_options_of_bytes(ZS_ROLE_PLUGIN, text, len, "conf", NULL));
}

static void long_things_are_cut_between_characters(void **state) {
    (void)state;
    char more[600], message[600], name[151] = "";
    for (size_t i = 0; i < 50; i++)
        memcpy(name + 3 * i, "\xe4\xb8\x8a", 4);
    snprintf(more, sizeof more, "zoospan.log_level = %s", name);
    // 74 bytes of room hold 24 characters of three bytes.
    snprintf(message, sizeof message, "conf:4: zoospan.log_level: \"%.*s...\" is not among the choices",
             24 * 3, name);
    refused(ZS_ROLE_PLUGIN, more, message);
    memset(more, 'k', 500);
    snprintf(more + 500, 20, "=1\n");
    refused(ZS_ROLE_PLUGIN, more, "kkk...: is not a known option; the nearest is zoospan.");
}

static void lines_are_cut_as_documented(void **state) {
    (void)state;
    static const char text[] = "\xef\xbb\xbf# a comment \\\r\n"
                               "! another = one\r\n"
                               "\r\n"
                               "  \t \n"
                               " \tzoospan.site\t =  sh \t\r\n"
                               "zoospan.links=bj\r\n"
                               "zoospan.zookeeper = a:1,\\\r\n"
                               "    b:2,\\   \n"
                               "\tc:3\n"
                               "zoospan.exclude = \\\n"
                               "  /x=y, \\\n"
                               "\\\n"
                               "  # not a comment here: part of the value\n"
                               "zoospan.include = /\xe4\xb8\x8a\xe6\xb5\xb7,/b%5Cc\n"
                               "zoospan.amqp_uri = amqp://h/v#=%20";
    char cut[sizeof text];
    struct zs_error e = {0};
    memcpy(cut, text, sizeof text);
    assert_null(zs_options_of_bytes(ZS_ROLE_APPLIER, cut, sizeof text - 1, "conf", &e));
    assert_string_equal(
        e.text, "conf:10: zoospan.exclude: \"# not a comment here: part of the value\" does not begin "
                "with '/'; expected path patterns, each beginning with '/', separated by commas");
    *strstr(cut, "# not") = '/';
    struct zs_options *o = zs_options_of_bytes(ZS_ROLE_APPLIER, cut, sizeof text - 1, "conf", &e);
    if (!o)
        fail_msg("%s", e.text);
    assert_string_equal(zs_option_text(o, NULL, "site"), "sh");
    assert_string_equal(zs_option_text(o, NULL, "zookeeper"), "a:1,b:2,c:3");
    assert_string_equal(zs_option_text(o, NULL, "exclude"), "/x=y, / not a comment here: part of the value");
    assert_string_equal(zs_option_text(o, NULL, "include"), "/\xe4\xb8\x8a\xe6\xb5\xb7,/b%5Cc");
    assert_string_equal(zs_option_text(o, NULL, "amqp_uri"), "amqp://h/v#=%20");
    zs_options_free(o);
}

static void malformed_files_are_refused(void **state) {
    (void)state;
    refused(ZS_ROLE_PLUGIN, "zoospan.include = /a,\\", "conf:4: the file ends within a continued line");
    refused(ZS_ROLE_PLUGIN, "\\", "conf:4: the file ends within a continued line");
    refused(ZS_ROLE_PLUGIN, "= 3\n", "conf:4: the line has no key or no '='");
    refused(ZS_ROLE_PLUGIN, "zoospan.site\n", "conf:4: the line has no key or no '='");
    refused(ZS_ROLE_PLUGIN, "zoospan.include=/a\x01\n",
            "conf:4: there is a control character in it; expected text");
    refused(ZS_ROLE_PLUGIN, "zoospan.include=/a\rzoospan.exclude=/b\n",
            "conf:4: there is a control character");
    static const char *const bad_utf8[] = {"\x80", "\xc3",    "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                           "\xff", "\xe4\xb8"};
    for (size_t i = 0; i < sizeof bad_utf8 / sizeof *bad_utf8; i++) {
        char line[64];
        snprintf(line, sizeof line, "\n\nzoospan.include=/a%s\n", bad_utf8[i]);
        refused(ZS_ROLE_PLUGIN, line, "conf:6: it is not UTF-8; expected UTF-8");
    }
    static const char nul[] = PLUGIN_BASE "zoospan.include=/a\0b\n";
    refused_bytes(ZS_ROLE_PLUGIN, nul, sizeof nul - 1, "conf:4: there is a control character");
    // Only continuation marks, and none at the end.
    refused_bytes(ZS_ROLE_PLUGIN, "\\\n\\\n\\\n", 6, "conf:1: the file ends within a continued line");

    size_t len = 2 << 20;
    char *large = malloc(len);
    memset(large, '\n', len);
    refused_bytes(ZS_ROLE_PLUGIN, large, len, "conf: is larger than 1M; expected a configuration file");
    for (size_t i = 0; i < len; i++)
        large[i] = "a=b\n"[i % 4];
    refused_bytes(ZS_ROLE_PLUGIN, large, 1 << 20,
                  "conf:1001: there are more than 1000 settings; expected fewer");
    memset(large, 'a', len);
    for (size_t i = 0; i < strlen("zoospan.include=/"); i++)
        large[i] = "zoospan.include=/"[i];
    refused_bytes(ZS_ROLE_PLUGIN, large, 1 << 20, "conf:1: zoospan.include: the value is longer than 64K");
    free(large);
}

static void files_are_read(void **state) {
    (void)state;
    char dir[] = "/tmp/zs-options-XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/applier.conf", dir);
    write_file(path, APPLIER_BASE, 0644);
    struct zs_error e = {0};
    struct zs_options *o = zs_options_of_file(ZS_ROLE_APPLIER, path, &e);
    if (!o)
        fail_msg("%s", e.text);
    assert_string_equal(zs_option_text(o, NULL, "zookeeper"), "127.0.0.1:2191");
    zs_options_free(o);
    write_file(path, APPLIER_BASE "zoospan.depth=0\n", 0644);
    assert_null(zs_options_of_file(ZS_ROLE_APPLIER, path, &e));
    assert_non_null(strstr(e.text, "/applier.conf:6: zoospan.depth: \"0\" is out of range"));
    unlink(path);
    assert_null(zs_options_of_file(ZS_ROLE_APPLIER, path, &e));
    assert_non_null(strstr(e.text, "applier.conf: cannot be read: No such file or directory; expected"));
    assert_null(zs_options_of_file(ZS_ROLE_APPLIER, dir, &e));
    assert_non_null(strstr(e.text, "cannot be read: Is a directory; expected a configuration file"));
    rmdir(dir);
}

static void pairs_of_zoo_cfg_get_their_lines(void **state) {
    (void)state;
    char dir[] = "/tmp/zs-options-XXXXXX", path[64], message[400];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/zoo.cfg", dir);
    write_file(path,
               "tickTime=2000\n"
               "zoospan.heartbeat=5s\n"
               "# zoospan.heartbeat=1\n"
               "zoospan.site : sh\n"
               "zoospan.links bj\n"
               "server.1=a:1:2\n"
               "zoospan.amqp_uri=amqp://u@h\n"
               "  zoospan.heartbeat = 1\n",
               0644);
    struct zs_pair pairs[] = {
        {.key = "zoospan.site", .value = " sh "},    {.key = "tickTime", .value = "2000"},
        {.key = "zoospan.links", .value = "bj"},     {.key = "zoospan.amqp_uri", .value = "amqp://u@h"},
        {.key = "zoospan.heartbeat", .value = "5s"}, {.key = "java.version", .value = "\x01\xff"},
    };
    size_t count = sizeof pairs / sizeof *pairs;
    struct zs_error e = {0};
    struct zs_options *o = zs_options_of_pairs(ZS_ROLE_PLUGIN, pairs, count, path, &e);
    if (!o)
        fail_msg("%s", e.text);
    assert_int_equal(zs_option_int(o, NULL, "heartbeat"), 5000);
    assert_string_equal(zs_option_text(o, NULL, "site"), "sh");
    zs_options_free(o);

    pairs[0].value = "SH";
    pairs[4].value = "1";
    assert_null(zs_options_of_pairs(ZS_ROLE_PLUGIN, pairs, count, path, &e));
    snprintf(message, sizeof message, "%s:4: zoospan.site: \"SH\" is not a site's name", path);
    assert_int_equal(strncmp(e.text, message, strlen(message)), 0);
    snprintf(message, sizeof message, " | %s:8: zoospan.heartbeat: \"1\" is out of range", path);
    assert_non_null(strstr(e.text, message));

    // A system property that is not in the file, and a file that is not there.
    pairs[5] = (struct zs_pair){.key = "zoospan.colour", .value = "blue"};
    assert_null(zs_options_of_pairs(ZS_ROLE_PLUGIN, pairs, count, path, &e));
    assert_non_null(strstr(e.text, " zoospan.colour: is not a known option; the nearest is zoospan."));
    assert_null(strstr(e.text, "zoo.cfg: zoospan.colour"));
    assert_null(zs_options_of_pairs(ZS_ROLE_PLUGIN, pairs, count, "/nonexistent/zoo.cfg", &e));
    assert_int_equal(strncmp(e.text, "zoospan.site: \"SH\"", 18), 0);
    assert_null(zs_options_of_pairs(ZS_ROLE_PLUGIN, pairs, count, NULL, &e));
    assert_int_equal(strncmp(e.text, "zoospan.site: \"SH\"", 18), 0);
    assert_null(zs_options_of_pairs(ZS_ROLE_PLUGIN, NULL, 0, path, &e));
    snprintf(message, sizeof message, "%s: zoospan.site: is missing", path);
    assert_int_equal(strncmp(e.text, message, strlen(message)), 0);

    pairs[5] = (struct zs_pair){.key = "zoospan.server_name", .value = "a\nb"};
    assert_null(zs_options_of_pairs(ZS_ROLE_PLUGIN, pairs, count, NULL, &e));
    assert_non_null(strstr(e.text, "zoospan.server_name: there is a control character in it"));
    pairs[5] = (struct zs_pair){.key = "zoospan.\xff", .value = "1"};
    assert_null(zs_options_of_pairs(ZS_ROLE_PLUGIN, pairs, count, NULL, &e));
    assert_non_null(strstr(e.text, "a key with zoospan. is not text; expected UTF-8"));
    unlink(path);
    rmdir(dir);
}

// The error for one value that came from where only plain ASCII survives, or did not.
static void refuse_pair(const char *key, const char *value, bool fragile, const char *expected) {
    struct zs_pair pairs[] = {
        {.key = "zoospan.site", .value = "sh"},
        {.key = "zoospan.links", .value = "bj"},
        {.key = "zoospan.amqp_uri", .value = "amqp://u@h"},
        {.key = key, .value = value, .fragile = fragile},
    };
    struct zs_error e = {0};
    struct zs_options *o = zs_options_of_pairs(ZS_ROLE_PLUGIN, pairs, sizeof pairs / sizeof *pairs, NULL, &e);
    if (!o && !expected)
        fail_msg("%s", e.text);
    assert_true(!o == !!expected);
    if (expected && !strstr(e.text, expected))
        fail_msg("'%s' is not in '%s'", expected, e.text);
    zs_options_free(o);
}

static void what_would_not_survive_is_refused_with_its_spelling(void **state) {
    (void)state;
    char path[1000] = "/", spelled[300];
    refuse_pair("zoospan.exclude", "/\u5185\u90e8,/caf\u00e9", false, NULL);
    refuse_pair("zoospan.exclude", "/\u5185\u90e8,/caf\u00e9", true,
                "expected /%E5%86%85%E9%83%A8,/caf%C3%A9");
    refuse_pair("zoospan.link.bj.include", "/a\\b", true, "zoospan.link.bj.include: is not plain ASCII");
    refuse_pair("zoospan.link.bj.include", "/a\\b", true, "expected /a%5Cb");
    refuse_pair("zoospan.exclude", "/a%2Cb,/x y/*/~", true, NULL);
    refuse_pair("zoospan.server_name", "caf\u00e9", true, "expected a value in ASCII without a backslash");
    refuse_pair("zoospan.exclude", "/a\\b", false, "%5C stands for one");
    for (int i = 0; i < 100; i++)
        strcat(path, "\u00e9");
    memcpy(spelled, "expected /%C3%A9", sizeof "expected /%C3%A9");
    refuse_pair("zoospan.exclude", path, true, spelled);
    refuse_pair("zoospan.exclude", path, true, "...");
}

static void a_backslash_that_zookeeper_drops_is_found_in_the_file(void **state) {
    (void)state;
    char dir[] = "/tmp/zs-options-XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/zoo.cfg", dir);
    struct zs_pair pairs[] = {
        {.key = "zoospan.site", .value = "sh"},
        {.key = "zoospan.links", .value = "bj"},
        {.key = "zoospan.amqp_uri", .value = "amqp://u@h"},
        {.key = "zoospan.server_name", .value = "ab"},
        {.key = "zoospan.exclude", .value = "/a,/b"},
    };
    const struct {
        const char *line;
        bool fine;
    } rows[] = {
        {"zoospan.exclude=/a\\,/b", false},    {"zoospan.exclude = /a\\\\,/b", false},
        {"zoospan.exclude=/a,\\\n  /b", true}, {"zoospan.exclude=/\\u0061,/b", true},
        {"zoospan.exclude=/a,/b", true},       {"zoospan.exclude=/a\\,\\u002fb", false},
        {"zoospan.server_name=a\\b", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct zs_error e = {0};
        write_file(path, rows[i].line, 0644);
        struct zs_options *o =
            zs_options_of_pairs(ZS_ROLE_PLUGIN, pairs, sizeof pairs / sizeof *pairs, path, &e);
        if (!o != !rows[i].fine)
            fail_msg("%s: %s", rows[i].line, o ? "accepted" : e.text);
        if (!o)
            assert_non_null(strstr(e.text, "zoo.cfg:1: zoospan.exclude: there is a backslash"));
        zs_options_free(o);
    }
    unlink(path);
    rmdir(dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_would_not_survive_is_refused_with_its_spelling),
        cmocka_unit_test(a_backslash_that_zookeeper_drops_is_found_in_the_file),
        cmocka_unit_test(defaults_hold_and_all_of_them_parse),
        cmocka_unit_test(values_are_read_by_their_type),
        cmocka_unit_test(a_links_own_value_wins),
        cmocka_unit_test(links_are_listed_in_order),
        cmocka_unit_test(unknown_keys_are_told_the_nearest),
        cmocka_unit_test(link_keys_are_checked),
        cmocka_unit_test(bad_values_are_told_what_is_expected),
        cmocka_unit_test(connect_strings_are_checked),
        cmocka_unit_test(names_of_sites_are_checked),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(options_have_to_agree),
        cmocka_unit_test(every_problem_is_told_as_far_as_there_is_room),
        cmocka_unit_test(long_things_are_cut_between_characters),
        cmocka_unit_test(lines_are_cut_as_documented),
        cmocka_unit_test(malformed_files_are_refused),
        cmocka_unit_test(files_are_read),
        cmocka_unit_test(pairs_of_zoo_cfg_get_their_lines),
    };
    int failed = cmocka_run_group_tests_name("options", tests, NULL, NULL);
    failed += run_secret_tests();
    failed += run_document_tests();
    return failed;
}
