// A dictionary that a report has named is there for whoever reads the queue later; what refers to another one is asked for
// again.
#include "live.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

int run_dictionary_tests(void);

static void make(uint8_t first, struct zs_dictionary *out) {
    uint8_t bytes[2000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(first + i * i / 7);
    assert_true(zs_dictionary_make(bytes, sizeof bytes, out));
}

static void send_dictionary(struct live *live, const struct zs_dictionary *dictionary) {
    struct zs_slice message;
    const struct zs_record record = {.type = ZS_RECORD_DICTIONARY,
                                     .dictionary = {{dictionary->bytes, dictionary->len}}};
    live_begin(live);
    live_record(live, &record);
    live_end(live, &message);
    live_send(live, message);
}

static void expect_named(struct live *live, const struct zs_dictionary *newest, uint32_t count) {
    struct zs_report report = {.dictionary_count = 0};
    for (int i = 0; i < 100; i++) {
        live_expect_report(live, ZS_NEED_NONE, &report);
        assert_true(report.takes_dictionaries);
        if (report.dictionary_count == count && (count == 0 || report.dictionaries[0] == newest->id))
            return;
    }
    fail_msg("%u are named, the newest is 0x%08x", report.dictionary_count, report.dictionaries[0]);
}

// A txn whose data stands in the dictionary, in a batch that refers to it.
static void publish_of(struct live *live, const struct zs_dictionary *dictionary, const char *path) {
    const struct zs_op op = {.type = ZS_OP_SET, .path = path, .data = {dictionary->bytes + 100, 1500}};
    struct zs_slice message;
    zs_batch_writer_use(live->writer, dictionary);
    live_begin(live);
    live_txn(live, &op, 1);
    live_end(live, &message);
    assert_true(message.len < 300);
    live_send(live, message);
    zs_batch_writer_use(live->writer, NULL);
}

static void expect_data_of(struct live *live, const struct zs_dictionary *dictionary, const char *path) {
    char found[2000];
    int len = sizeof found;
    live_expect_applied(live);
    assert_int_equal(zoo_get(live->zk, path, 0, found, &len, NULL), ZOK);
    assert_int_equal(len, 1500);
    assert_memory_equal(found, dictionary->bytes + 100, 1500);
}

static const char *znode(struct live *live, const struct zs_dictionary *dictionary) {
    return live_path(ZS_DICTIONARIES_PATH "/%s/0x%08x", live->origin, dictionary->id);
}

static void begin(struct live *live) {
    struct zs_op op = live_set(live->root, "");
    live_start_applier(live, 0);
    live_publish(live, &op, 1);
    live_expect_applied(live);
}

static void a_dictionary_outlives_the_applier(void **state) {
    struct live *live = *state;
    struct zs_dictionary dictionary;
    make(1, &dictionary);
    begin(live);
    expect_named(live, NULL, 0);
    send_dictionary(live, &dictionary);
    expect_named(live, &dictionary, 1);
    publish_of(live, &dictionary, live->root);
    expect_data_of(live, &dictionary, live->root);
    live_signal_applier(live, 0, SIGKILL);
    struct zs_op op = live_set(live->root, "");
    live_publish(live, &op, 1);
    publish_of(live, &dictionary, live->root);
    live_start_applier(live, 0);
    expect_data_of(live, &dictionary, live->root);
    assert_int_equal(live_counter(live, 0, "rejected"), 0);
}

static void nobody_else_can_read_it(void **state) {
    struct live *live = *state;
    struct zs_dictionary dictionary;
    struct ACL_vector acls;
    make(1, &dictionary);
    begin(live);
    send_dictionary(live, &dictionary);
    expect_named(live, &dictionary, 1);
    assert_int_equal(zoo_get_acl(live->zk, znode(live, &dictionary), &acls, NULL), ZOK);
    assert_int_equal(acls.count, 1);
    assert_string_not_equal(acls.data[0].id.scheme, "world");
    deallocate_ACL_vector(&acls);
}

static void the_newest_are_kept(void **state) {
    enum { COUNT = ZS_DICTIONARIES_MAX + 2 };
    struct live *live = *state;
    struct zs_dictionary all[COUNT];
    begin(live);
    for (uint32_t i = 0; i < COUNT; i++) {
        make((uint8_t)i, &all[i]);
        send_dictionary(live, &all[i]);
        expect_named(live, &all[i], i < ZS_DICTIONARIES_MAX ? i + 1 : ZS_DICTIONARIES_MAX);
    }
    for (uint32_t i = 0; i < COUNT; i++)
        assert_int_equal(live_exists(live, znode(live, &all[i]), NULL), i >= 2);
    live_signal_applier(live, 0, SIGKILL);
    publish_of(live, &all[2], live->root);
    live_start_applier(live, 0);
    expect_data_of(live, &all[2], live->root);
    make(COUNT, &all[0]);
    send_dictionary(live, &all[0]);
    expect_named(live, &all[0], ZS_DICTIONARIES_MAX);
    live_expect_absent(live, znode(live, &all[2])); // the oldest, as read from ZooKeeper
    publish_of(live, &all[0], live->root);
    expect_data_of(live, &all[0], live->root);
}

static void what_refers_to_an_unknown_one_is_asked_for_again(void **state) {
    struct live *live = *state;
    struct zs_dictionary dictionary;
    struct zs_report report;
    make(1, &dictionary);
    begin(live);
    send_dictionary(live, &dictionary);
    expect_named(live, &dictionary, 1);
    live_signal_applier(live, 0, SIGKILL);
    assert_int_equal(zoo_set(live->zk, znode(live, &dictionary), "spoilt", 6, -1), ZOK);
    live_start_applier(live, 0);
    const int64_t place = live->zxid;
    publish_of(live, &dictionary, live->root);
    struct zs_op op = live_set(live->root, "behind it");
    live_publish(live, &op, 1);
    live_expect_report(live, ZS_NEED_FROM, &report);
    assert_int_equal(report.applied, place);
    assert_int_equal(report.dictionary_count, 0);
    live_go_back(live, place); // and refers to nothing
    live_publish(live, &op, 1);
    live_publish(live, &op, 1);
    live_expect_applied(live);
    live_expect_data(live, live->root, "behind it");
    assert_int_equal(live_counter(live, 0, "rejected"), 1);
}

#ifdef ZS_FAILPOINTS
static void killed_while_one_is_written(void **state) {
    static const char *const points[] = {"applier_dictionary=kill:1", "applier_dictionary_written=kill:1"};
    struct live *live = *state;
    struct zs_dictionary dictionary;
    begin(live);
    for (uint8_t i = 0; i < 2; i++) {
        make((uint8_t)(i + 1), &dictionary);
        live_signal_applier(live, 0, SIGKILL);
        setenv("ZOOSPAN_FAILPOINTS", points[i], 1);
        live_start_applier(live, 0);
        unsetenv("ZOOSPAN_FAILPOINTS");
        send_dictionary(live, &dictionary);
        live_expect_death(live, 0);
        live_start_applier(live, 0);
        send_dictionary(live, &dictionary); // as the origin does when no report names it
        expect_named(live, &dictionary, i + 1u);
        publish_of(live, &dictionary, live->root);
        expect_data_of(live, &dictionary, live->root);
    }
}
#endif

int run_dictionary_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_dictionary_outlives_the_applier, live_setup, live_teardown),
        cmocka_unit_test_setup_teardown(nobody_else_can_read_it, live_setup, live_teardown),
        cmocka_unit_test_setup_teardown(the_newest_are_kept, live_setup, live_teardown),
        cmocka_unit_test_setup_teardown(what_refers_to_an_unknown_one_is_asked_for_again, live_setup,
                                        live_teardown),
#ifdef ZS_FAILPOINTS
        cmocka_unit_test_setup_teardown(killed_while_one_is_written, live_setup, live_teardown),
#endif
    };
    return cmocka_run_group_tests_name("dictionaries", tests, NULL, NULL);
}
