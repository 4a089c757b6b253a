// The plugin without its JVM: what it refuses to start with, and what it says about itself. Its links have a broker
// that is not there, so they stay DOWN.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugin.h"

enum { PAIRS_MAX = 16 };

struct config {
    struct zs_pair pairs[PAIRS_MAX];
    size_t count;
};

static void set(struct config *config, const char *key, const char *value) {
    for (size_t i = 0; i < config->count; i++) {
        if (strcmp(config->pairs[i].key, key) == 0) {
            config->pairs[i].value = value;
            return;
        }
    }
    assert_true(config->count < PAIRS_MAX);
    config->pairs[config->count++] = (struct zs_pair){.key = key, .value = value};
}

static char password_file[] = "/tmp/zoospan-test-XXXXXX";

static struct config sound(void) {
    struct config config = {.count = 0};
    set(&config, "zoospan.site", "sh");
    set(&config, "zoospan.links", "bj,gz");
    set(&config, "zoospan.amqp_uri", "amqp://zoospan@127.0.0.1:9/"); // discard: nobody listens
    set(&config, "zoospan.amqp_password_file", password_file);
    set(&config, "zoospan.server_name", "zk1:2991");
    set(&config, "zoospan.log_level", "debug");
    return config;
}

static void refused(const struct config *config, const char *said) {
    struct zs_error e = {.code = ZS_OK};
    struct zs_plugin *plugin = zs_plugin_open(config->pairs, config->count, NULL, &e);
    assert_null(plugin);
    assert_int_equal(e.code, ZS_INVALID);
    if (!strstr(e.text, said))
        fail_msg("'%s' is not in '%s'", said, e.text);
    if (strstr(e.text, "secret"))
        fail_msg("the password is in '%s'", e.text);
}

static void what_is_wrong_is_said(void **state) {
    (void)state;
    struct config config = sound();
    set(&config, "zoospan.sight", "sh");
    refused(&config, "zoospan.sight");
    config = sound();
    set(&config, "zoospan.backlog_bytes_max", "1K");
    refused(&config, "zoospan.backlog_bytes_max");
    config = sound();
    set(&config, "zoospan.link.bj.include", "no/slash");
    refused(&config, "include");
    config = sound();
    set(&config, "zoospan.links", "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q");
    refused(&config, "zoospan.links");
}

static void a_link_needs_a_broker(void **state) {
    (void)state;
    struct config config = sound();
    config.pairs[2] = (struct zs_pair){.key = "zoospan.heartbeat", .value = "1s"}; // in the place of the URI
    refused(&config, "zoospan.amqp_uri");
}

static void a_link_needs_a_password(void **state) {
    (void)state;
    struct config config = sound();
    config.pairs[3] =
        (struct zs_pair){.key = "zoospan.heartbeat", .value = "1s"}; // in the place of the password file
    refused(&config, "zoospan.amqp_password_file");
    config = sound();
    set(&config, "zoospan.amqp_password_file", "/nowhere/at/all");
    refused(&config, "/nowhere/at/all");
    assert_int_equal(chmod(password_file, 0644), 0);
    config = sound();
    refused(&config, password_file);
    assert_int_equal(chmod(password_file, 0600), 0);
}

static struct zs_plugin *opened(void) {
    struct config config = sound();
    struct zs_error e = {.code = ZS_OK};
    struct zs_plugin *plugin = zs_plugin_open(config.pairs, config.count, NULL, &e);
    if (!plugin)
        fail_msg("%s", e.text);
    return plugin;
}

static json_t *status_of(struct zs_plugin *plugin) {
    char *text = zs_plugin_status(plugin);
    assert_non_null(text);
    if (strstr(text, "secret"))
        fail_msg("the password is in the status");
    json_t *status = json_loads(text, 0, NULL);
    assert_non_null(status);
    free(text);
    return status;
}

static const char *text_at(json_t *status, const char *object, const char *name) {
    json_t *inner = object ? json_object_get(status, object) : status;
    const char *text = json_string_value(json_object_get(inner, name));
    assert_non_null(text);
    return text;
}

static void the_status_tells_backlog_and_links(void **state) {
    (void)state;
    struct zs_plugin *plugin = opened();
    zs_plugin_begin(plugin, 0x100000000, ZS_CHAIN_ANEW);
    for (int64_t zxid = 0x100000001; zxid <= 0x100000003; zxid++) {
        memset(zs_plugin_scratch(plugin, 40), 0, 40);
        assert_true(zs_plugin_offer(plugin, zxid, 40));
    }
    json_t *status = status_of(plugin);
    assert_string_equal(text_at(status, NULL, "version"), ZS_VERSION);
    assert_string_equal(text_at(status, NULL, "site"), "sh");
    assert_string_equal(text_at(status, NULL, "server"), "zk1:2991");
    assert_true(json_is_null(json_object_get(status, "history")));
    assert_string_equal(text_at(status, "backlog", "floor"), "0x100000000");
    assert_string_equal(text_at(status, "backlog", "last"), "0x100000003");
    json_t *links = json_object_get(status, "links");
    assert_int_equal(json_array_size(links), 2);
    assert_string_equal(text_at(json_array_get(links, 1), NULL, "destination"), "gz");
    assert_non_null(text_at(json_array_get(links, 1), NULL, "state"));
    json_decref(status);
    zs_plugin_free(plugin);
}

static void a_lost_txn_is_counted_and_the_backlog_starts_behind_it(void **state) {
    (void)state;
    struct zs_plugin *plugin = opened();
    zs_plugin_begin(plugin, 0x100000000, ZS_CHAIN_ANEW);
    zs_plugin_lost(plugin, 0x100000001);
    size_t large = 1 << 20; // above what is kept for ordinary txns
    uint8_t *space = zs_plugin_scratch(plugin, large);
    assert_non_null(space);
    memset(space, 1, large);
    assert_true(zs_plugin_offer(plugin, 0x100000002, large));
    json_t *status = status_of(plugin);
    assert_string_equal(text_at(status, "backlog", "floor"), "0x100000001");
    assert_string_equal(text_at(status, "backlog", "last"), "0x100000002");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(status, "backlog"), "lost")), 1);
    json_decref(status);
    zs_plugin_free(plugin);
}

static bool link_is(struct zs_plugin *plugin, const char *detail) {
    json_t *status = status_of(plugin);
    bool is = strstr(text_at(json_array_get(json_object_get(status, "links"), 1), NULL, "detail"), detail);
    json_decref(status);
    return is;
}

static void wait_until_link_is(struct zs_plugin *plugin, const char *detail) {
    for (int i = 0; i < 6000; i++) {
        if (link_is(plugin, detail))
            return;
        usleep(10000);
    }
    fail_msg("no link says '%s'", detail);
}

static void a_link_tries_only_while_its_server_serves(void **state) {
    (void)state;
    const char *idle = "waits for this ZooKeeper server to serve", *tried = "127.0.0.1:9";
    struct zs_plugin *plugin = opened();
    usleep(100000);
    assert_false(link_is(plugin, tried));
    zs_plugin_serving(plugin, true);
    wait_until_link_is(plugin, tried);
    zs_plugin_serving(plugin, false);
    wait_until_link_is(plugin, idle);
    zs_plugin_stop(plugin);
    zs_plugin_serving(plugin, true); // as the watch does until the JVM has ended
    zs_plugin_free(plugin);
}

static size_t address_space(void) {
    char line[128] = "";
    FILE *statm = fopen("/proc/self/statm", "re");
    assert_non_null(statm);
    assert_non_null(fgets(line, sizeof line, statm));
    fclose(statm);
    return strtoul(line, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}

// A link's buffers follow the largest txn that the backlog can hold, but no txn comes near to a large backlog's part.
static void a_large_backlog_makes_no_large_buffers(void **state) {
    (void)state;
    struct config config = sound();
    set(&config, "zoospan.backlog_bytes_max", "8G");
    size_t before = address_space();
    struct zs_error e = {.code = ZS_OK};
    struct zs_plugin *plugin = zs_plugin_open(config.pairs, config.count, NULL, &e);
    if (!plugin && strstr(e.text, "no memory for a backlog"))
        skip();
    assert_non_null(plugin);
    assert_in_range(address_space() - before, (size_t)8 << 30, (size_t)10 << 30);
    zs_plugin_free(plugin);
}

static void nothing_is_lost_before_a_chain_begins(void **state) {
    (void)state;
    struct zs_plugin *plugin = opened();
    zs_plugin_lost(plugin, 0x100000001);
    json_t *status = status_of(plugin);
    assert_true(json_is_false(json_object_get(json_object_get(status, "backlog"), "begun")));
    json_decref(status);
    zs_plugin_free(plugin);
}

static void a_history_is_taken_and_what_is_none_is_not(void **state) {
    (void)state;
    struct zs_plugin *plugin = opened();
    zs_plugin_history(plugin, "01234567-89ab-cdef-0123-456789abcdef");
    json_t *status = status_of(plugin);
    assert_string_equal(text_at(status, NULL, "history"), "01234567-89ab-cdef-0123-456789abcdef");
    json_decref(status);
    zs_plugin_history(plugin, "hello");
    status = status_of(plugin);
    assert_true(json_is_null(json_object_get(status, "history")));
    json_decref(status);
    zs_plugin_history(plugin, NULL);
    zs_plugin_free(plugin);
}

static int lines_with(struct zs_plugin *plugin, const char *text) {
    struct zs_log_line line;
    int count = 0;
    while (zs_plugin_next_log(plugin, 0, &line) == ZS_NEXT_LINE) {
        count += strstr(line.text, text) != NULL;
        free(line.text);
    }
    return count;
}

static void what_is_no_marker_is_said_once(void **state) {
    (void)state;
    static const char marker[] = "{\"history\":null,\"zxid\":\"0x1\",\"stamp\":\"0x1\",\"session\":\"0x1\","
                                 "\"time\":1,\"sessions\":[]}";
    const char *said = "/zoospan/applied/gz does not hold a marker";
    struct zs_plugin *plugin = opened();
    zs_plugin_marker(plugin, "gz", marker);
    zs_plugin_marker(plugin, "gz", NULL);
    zs_plugin_marker(plugin, "nowhere", "hello");
    assert_int_equal(lines_with(plugin, "does not hold a marker"), 0);
    zs_plugin_marker(plugin, "gz", "hello");
    zs_plugin_marker(plugin, "gz", "hello again");
    assert_int_equal(lines_with(plugin, said), 1);
    zs_plugin_marker(plugin, "gz", marker);
    zs_plugin_marker(plugin, "gz", "");
    assert_int_equal(lines_with(plugin, said), 1);
    zs_plugin_stop(plugin);
    zs_plugin_marker(plugin, "gz", marker); // as the watch does until the JVM has ended
    zs_plugin_free(plugin);
}

static void after_stop_the_server_may_go_on(void **state) {
    (void)state;
    struct zs_plugin *plugin = opened();
    zs_plugin_begin(plugin, 5, ZS_CHAIN_ANEW);
    zs_plugin_stop(plugin);
    memset(zs_plugin_scratch(plugin, 40), 0, 40);
    zs_plugin_offer(plugin, 6, 40);
    json_t *status = status_of(plugin);
    assert_string_equal(text_at(json_array_get(json_object_get(status, "links"), 0), NULL, "state"),
                        "STOPPED");
    json_decref(status);
    struct zs_log_line line;
    enum zs_next next;
    while ((next = zs_plugin_next_log(plugin, 0, &line)) == ZS_NEXT_LINE)
        free(line.text);
    assert_int_equal(next, ZS_NEXT_END);
    zs_plugin_free(plugin);
}

static int write_password(void **state) {
    (void)state;
    unsetenv("ZOOSPAN_AMQP_PASSWORD");
    int fd = mkstemp(password_file);
    if (fd < 0 || write(fd, "secret\n", 7) != 7)
        return -1;
    return close(fd);
}

static int remove_password(void **state) {
    (void)state;
    return unlink(password_file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(a_link_needs_a_broker),
        cmocka_unit_test(a_link_needs_a_password),
        cmocka_unit_test(the_status_tells_backlog_and_links),
        cmocka_unit_test(a_lost_txn_is_counted_and_the_backlog_starts_behind_it),
        cmocka_unit_test(a_link_tries_only_while_its_server_serves),
        cmocka_unit_test(a_large_backlog_makes_no_large_buffers),
        cmocka_unit_test(nothing_is_lost_before_a_chain_begins),
        cmocka_unit_test(a_history_is_taken_and_what_is_none_is_not),
        cmocka_unit_test(what_is_no_marker_is_said_once),
        cmocka_unit_test(after_stop_the_server_may_go_on),
    };
    return cmocka_run_group_tests(tests, write_password, remove_password);
}
