// What a link has written itself it can tell from what clients of its site wrote, though the origin has seen neither.
#include "live_image.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

int run_journal_tests(void);

enum { NODES = 300 }; // each in a multi of its own: more than the slots and a pack hold

static const char *node(const struct live *live, const char *name, int i) {
    return live_path("%s/%s-%03d", live->root, name, i);
}

static void stream_nodes(struct live *live, int from, int to) {
    struct zs_slice message;
    live_begin(live);
    for (int i = from; i < to; i++) {
        struct zs_op op = live_create(node(live, "stream", i), "");
        live_txn(live, &op, 1);
    }
    live_end(live, &message);
    live_send(live, message);
    live_expect_applied(live);
}

static void begin(struct live *live, const char *more) {
    size_t len = strlen(live->extra);
    snprintf(live->extra + len, sizeof live->extra - len,
             "zoospan.multi_ops_max = 1\nzoospan.depth = 16\nzoospan.resync_deletes = 100000\n%s", more);
    live_start_applier(live, 0);
    struct zs_op op = live_set(live->root, "");
    live_publish(live, &op, 1);
    live_expect_applied(live);
}

// An image in which nothing is of all that was written here after `seen`.
static void take_empty_image(struct live *live, int64_t seen) {
    struct zs_report report;
    image_broken(live, live->zxid);
    image_expect_wish(live, "/", &report);
    struct image image = image_new(live, seen);
    image_begin(&image);
    image_put(&image, live->root, "");
    image_end(&image);
    image_expect_taken(live, image.zxid);
}

static int packs(struct live *live) {
    struct String_vector names;
    int count = 0;
    assert_int_equal(zoo_get_children(live->zk, live_path(ZS_JOURNAL_PATH "/%s", live->origin), 0, &names),
                     ZOK);
    for (int i = 0; i < names.count; i++)
        count += names.data[i][0] == 'p';
    deallocate_String_vector(&names);
    return count;
}

static void expect_nodes(struct live *live, const char *name, int from, int to, bool there) {
    for (int i = from; i < to; i++) {
        if (live_exists(live, node(live, name, i), NULL) != there)
            fail_msg("%s: expected %d", node(live, name, i), there);
    }
}

static void what_the_link_wrote_goes_and_what_clients_wrote_stays(void **state) {
    struct live *live = *state;
    begin(live, "");
    int64_t seen = image_site_zxid(live);
    stream_nodes(live, 0, NODES / 2);
    for (int i = 0; i < 5; i++)
        live_client_create(live, node(live, "client", i), "", ZOO_PERSISTENT);
    stream_nodes(live, NODES / 2, NODES);
    assert_int_equal(zoo_set(live->zk, node(live, "stream", 7), "mine", 4, -1), ZOK);
    assert_true(packs(live) > 0);
    live_signal_applier(live, 0, SIGKILL); // what it knew is where the next one finds it
    live_start_applier(live, 0);
    take_empty_image(live, seen);
    expect_nodes(live, "client", 0, 5, true);
    live_expect_data(live, node(live, "stream", 7), "mine");
    expect_nodes(live, "stream", 0, 7, false);
    expect_nodes(live, "stream", 8, NODES, false);
    live_expect_counter(live, 0, "images", 1);
    live_expect_state(live, 0, "LIVE"); // nothing is in doubt, so nothing is asked for again
}

// What does not fit into a request with the marker is known all the same.
static void a_large_node_of_the_stream_is_known(void **state) {
    enum { LARGE = 1000 * 1000 };
    struct live *live = *state;
    char *large = malloc(LARGE + 1);
    assert_non_null(large);
    memset(large, 'x', LARGE);
    large[LARGE] = '\0';
    begin(live, "zoospan.jute_maxbuffer = 1001000\n");
    int64_t seen = image_site_zxid(live);
    struct zs_op op = live_create(node(live, "large", 0), large);
    live_publish(live, &op, 1);
    live_expect_applied(live);
    live_expect_data(live, node(live, "large", 0), large);
    take_empty_image(live, seen);
    live_expect_absent(live, node(live, "large", 0));
    free(large);
}

// The other half: a node of the image that is there only because this site had it once, and its client has deleted it.
static void an_echo_of_what_was_deleted_here_does_not_come_back(void **state) {
    struct live *live = *state;
    struct zs_report report;
    const char *echo = live_path("%s/echo", live->root), *theirs = live_path("%s/theirs", live->root);
    begin(live, "");
    live_client_create(live, echo, "", ZOO_PERSISTENT);
    int64_t seen = image_site_zxid(live);
    assert_int_equal(zoo_delete(live->zk, echo, -1), ZOK);
    image_broken(live, live->zxid);
    image_expect_wish(live, "/", &report);
    struct image image = image_new(live, seen);
    image_begin(&image);
    image_put(&image, live->root, "");
    struct zs_record_node node = image_node(&image, echo, "");
    node.copy = true;
    image_add(&image, &node);
    image_put(&image, theirs, "");
    image_end(&image);
    image_expect_taken(live, image.zxid);
    live_expect_absent(live, echo);
    assert_true(live_exists(live, theirs, NULL));
}

// Another history of the origin knows nothing of what the last one wrote: nothing is deleted on its word.
static void another_history_deletes_nothing_of_the_last_one(void **state) {
    struct live *live = *state;
    begin(live, "");
    int64_t seen = image_site_zxid(live);
    stream_nodes(live, 0, 10);
    live->head.history.bytes[0]++;
    take_empty_image(live, seen);
    expect_nodes(live, "stream", 0, 10, true);
}

static void what_the_origin_has_seen_is_dropped(void **state) {
    struct live *live = *state;
    struct zs_history own;
    begin(live, "");
    stream_nodes(live, 0, NODES);
    assert_true(packs(live) > 0);
    image_own_history(live, &own);
    struct zs_slice message;
    live_begin(live);
    live_record(live, &(struct zs_record){.type = ZS_RECORD_SEEN,
                                          .seen = {.history = own, .zxid = image_site_zxid(live)}});
    live_end(live, &message);
    live_send(live, message);
    for (int i = 0; i < 300 && packs(live); i++)
        live_sleep(100);
    assert_int_equal(packs(live), 0);
    stream_nodes(live, NODES, 2 * NODES); // goes on from there
    assert_true(packs(live) > 0);
}

#ifdef ZS_FAILPOINTS
// Of what is beyond its bound it only knows that it knows nothing: there nothing is deleted, and all is in doubt.
static void the_oldest_is_forgotten(void **state) {
    struct live *live = *state;
    struct zs_report report;
    setenv("ZOOSPAN_FAILPOINTS", "applier_journal_packs=limit:2", 1);
    begin(live, "");
    int64_t seen = image_site_zxid(live);
    stream_nodes(live, 0, 2 * NODES - 8);
    assert_in_range(packs(live), 1, 2);
    for (int i = 8; i > 0; i -= 2) { // each opening packs, too
        live_signal_applier(live, 0, SIGKILL);
        live_start_applier(live, 0);
        stream_nodes(live, 2 * NODES - i, 2 * NODES - i + 2);
        assert_in_range(packs(live), 1, 2);
    }
    unsetenv("ZOOSPAN_FAILPOINTS");
    live_signal_applier(live, 0, SIGKILL);
    live_start_applier(live, 0);
    take_empty_image(live, seen);
    expect_nodes(live, "stream", 0, NODES, true);
    expect_nodes(live, "stream", 2 * NODES - 4, 2 * NODES, false);
    image_expect_wish(live, live->root, &report);
}
#endif

int run_journal_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_the_link_wrote_goes_and_what_clients_wrote_stays, image_setup,
                                        live_teardown),
        cmocka_unit_test_setup_teardown(a_large_node_of_the_stream_is_known, image_setup, live_teardown),
        cmocka_unit_test_setup_teardown(an_echo_of_what_was_deleted_here_does_not_come_back, image_setup,
                                        live_teardown),
        cmocka_unit_test_setup_teardown(another_history_deletes_nothing_of_the_last_one, image_setup,
                                        live_teardown),
        cmocka_unit_test_setup_teardown(what_the_origin_has_seen_is_dropped, image_setup, live_teardown),
#ifdef ZS_FAILPOINTS
        cmocka_unit_test_setup_teardown(the_oldest_is_forgotten, image_setup, live_teardown),
#endif
    };
    return cmocka_run_group_tests_name("the journal", tests, NULL, NULL);
}
