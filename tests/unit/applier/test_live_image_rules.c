// What an image is about and how far it may go: rules of both sites, deeper paths, the brake, runs that are not whole. And
// what brings one about: a restored ensemble; and what spares one: CHECKPOINT.
#include "live_image.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

int run_image_rules_tests(void);

static void publish_and_wait(struct live *live, struct zs_op op) {
    live_publish(live, &op, 1);
    live_expect_applied(live);
}

static void begin_tree(struct live *live, const char *const *names, size_t count) {
    live_start_applier(live, 0);
    for (size_t i = 0; i < count; i++) {
        struct zs_op op = live_create(live_path("%s/%s", live->root, names[i]), "old");
        live_publish(live, &op, 1);
    }
    live_expect_applied(live);
}

#define BEGIN_TREE(live, ...)                                                                                \
    begin_tree(live, (const char *const[]){__VA_ARGS__},                                                     \
               sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void want(struct live *live) {
    struct zs_report report;
    image_broken(live, live->zxid);
    image_expect_wish(live, "/", &report);
}

static void expect_all(struct live *live, const char *const *names, size_t count, bool there) {
    for (size_t i = 0; i < count; i++) {
        const char *path = live_path("%s/%s", live->root, names[i]);
        if (live_exists(live, path, NULL) != there)
            fail_msg("%s: expected %d", path, there);
    }
}

#define EXPECT_ALL(live, there, ...)                                                                         \
    expect_all(live, (const char *const[]){__VA_ARGS__},                                                     \
               sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), there)

static void what_is_not_carried_stays(void **state) {
    struct live *live = *state;
    const char *root = live->root, *in = live_path("%s/in", root);
    size_t len = strlen(live->extra);
    snprintf(live->extra + len, sizeof live->extra - len, "zoospan.exclude = %s/in/mine, %s/**/here\n", root,
             root);
    BEGIN_TREE(live, "in", "in/extra", "in/extra/x", "in/theirs", "in/theirs/x", "in/holds", "in/holds/no",
               "in/also", "in/also/deep", "out");
    live_client_create(live, live_path("%s/in/mine", root), "", ZOO_PERSISTENT);
    live_client_create(live, live_path("%s/in/also/deep/here", root), "", ZOO_PERSISTENT);
    want(live);
    struct image image = image_new(live, image_site_zxid(live));
    image.include = in;
    image.exclude = live_path("%s/in/theirs,%s/**/no", root, root);
    image_begin(&image);
    image_put(&image, in, "");
    image_put(&image, live_path("%s/in/mine", root), "not to be taken");
    image_end(&image);
    image_expect_taken(live, image.zxid);
    EXPECT_ALL(live, false, "in/extra", "in/extra/x");
    EXPECT_ALL(live, true, "in", "out", "in/theirs", "in/theirs/x", "in/mine", "in/holds", "in/holds/no",
               "in/also", "in/also/deep", "in/also/deep/here");
    live_expect_data(live, live_path("%s/in/mine", root), "");
    live_expect_applied(live);
    assert_int_equal(live_counter(live, 0, "image_deleted"), 2); // what holds something is not even tried
    assert_int_equal(live_counter(live, 0, "image_kept"), 0);
}

// --- a deeper path ---------------------------------------------------------------------------------------------------

static void ask(struct live *live, const char *arguments) {
    char out[2000];
    int status =
        image_cli_end(image_cli(live, live_path("resync %s %s", live->origin, arguments)), out, sizeof out);
    if (status != 0)
        fail_msg("%d: %s", status, out);
}

static void expect_request_gone(struct live *live) {
    live_expect_gone(live, live_path("%s/%s", ZS_RESYNC_PATH, live->origin));
}

static struct image deeper_image(struct live *live, const char *path) {
    struct image image = image_new(live, image_site_zxid(live));
    image.path = path;
    return image;
}

static void an_image_of_a_deeper_path_leaves_the_place_alone(void **state) {
    struct live *live = *state;
    struct zs_report report;
    const char *root = live->root, *a = live_path("%s/a", root);
    BEGIN_TREE(live, "a", "a/gone", "a/set", "b");
    ask(live, live_path("--path %s --no-wait", a));
    image_expect_wish(live, a, &report);
    publish_and_wait(live, live_set(live_path("%s/b", root), "meanwhile")); // the stream is whole
    int64_t at = live->zxid;
    struct image image = deeper_image(live, a);
    image_begin(&image);
    image_put(&image, a, "new");
    image_put(&image, live_path("%s/a/made", root), "m");
    image_cut(&image);
    image_put(&image, live_path("%s/a/set", root), "new");
    image_end(&image);
    expect_request_gone(live);
    image_expect_taken(live, at);
    live_expect_data(live, a, "new");
    live_expect_data(live, live_path("%s/a/set", root), "new");
    EXPECT_ALL(live, true, "a/made", "b");
    EXPECT_ALL(live, false, "a/gone");
    live_go_back(live, at);
    publish_and_wait(live, live_set(live_path("%s/b", root), "by the stream"));
    live_expect_data(live, live_path("%s/b", root), "by the stream");
    assert_int_equal(live_counter(live, 0, "gaps"), 0);
}

// The root of the image, and what lies between it and what is carried, is not in the image, although the
// origin has it.
static void what_lies_above_what_is_carried_is_not_absent(void **state) {
    struct live *live = *state;
    struct zs_report report;
    const char *root = live->root, *a = live_path("%s/a", root);
    BEGIN_TREE(live, "a", "a/b", "a/b/in", "a/b/in/x", "a/b/in/extra", "a/b/mine", "a/c", "a/c/in",
               "a/c/in/x");
    ask(live, live_path("--path %s --no-wait", a));
    image_expect_wish(live, a, &report);
    struct image image = deeper_image(live, a);
    image.include = live_path("%s/a/*/in", root);
    image_begin(&image);
    image_put(&image, live_path("%s/a/b/in", root), "old");
    image_put(&image, live_path("%s/a/b/in/x", root), "old");
    image_put(&image, live_path("%s/a/c/in", root), "old");
    image_put(&image, live_path("%s/a/c/in/x", root), "old");
    image_end(&image);
    expect_request_gone(live);
    EXPECT_ALL(live, false, "a/b/in/extra");
    EXPECT_ALL(live, true, "a", "a/b", "a/b/in", "a/b/in/x", "a/b/mine", "a/c", "a/c/in", "a/c/in/x");
}

static void a_subtree_that_the_origin_does_not_have(void **state) {
    struct live *live = *state;
    struct zs_report report;
    const char *root = live->root, *a = live_path("%s/a", root);
    BEGIN_TREE(live, "a", "a/x", "a/x/y", "ab");
    ask(live, live_path("--path %s --no-wait", a));
    image_expect_wish(live, a, &report);
    struct image image = deeper_image(live, a);
    image_begin(&image);
    image_end(&image);
    expect_request_gone(live);
    EXPECT_ALL(live, false, "a", "a/x", "a/x/y");
    EXPECT_ALL(live, true, "ab");
}

// Asked for while another image is on its way that does not hold it.
static void a_wider_request_is_not_forgotten(void **state) {
    struct live *live = *state;
    struct zs_report report;
    const char *root = live->root, *a = live_path("%s/a", root);
    BEGIN_TREE(live, "a", "b");
    ask(live, live_path("--path %s --no-wait", a));
    image_expect_wish(live, a, &report);
    ask(live, "--no-wait");
    live_sleep(2500); // the applier looks every two seconds
    image_expect_wish(live, a, &report);
    int64_t at = live->zxid;
    struct image image = deeper_image(live, a);
    image_begin(&image);
    image_put(&image, a, "old");
    image_end(&image);
    live_go_back(live, at);
    image_expect_wish(live, "/", &report);
    image = image_new(live, image_site_zxid(live));
    image_begin(&image);
    image_put(&image, root, "");
    image_put(&image, a, "old");
    image_end(&image);
    expect_request_gone(live);
    EXPECT_ALL(live, false, "b");
}

// --- the brake -------------------------------------------------------------------------------------------------------

static void send_empty(struct live *live, struct image *image) {
    *image = image_new(live, image_site_zxid(live));
    image_begin(image);
    image_put(image, live->root, "");
    image_end(image);
}

static void the_brake_holds_until_it_is_allowed(void **state) {
    struct live *live = *state;
    struct zs_report report;
    struct image image;
    char out[2000];
    size_t len = strlen(live->extra);
    snprintf(live->extra + len, sizeof live->extra - len,
             "zoospan.resync_deletes = 2\nzoospan.resync_delete_percent = 0\n");
    BEGIN_TREE(live, "a", "a/b", "c");
    want(live);
    send_empty(live, &image);
    live_expect_state(live, 0, "BRAKE");
    EXPECT_ALL(live, true, "a", "a/b", "c");
    int status = image_cli_end(image_cli(live, live_path("resync %s", live->origin)), out, sizeof out);
    assert_int_equal(status, 1);
    if (!strstr(out, "would delete 3 of 4 nodes"))
        fail_msg("%s", out);
    FILE *cli = image_cli(live, live_path("resync %s --allow-deletes", live->origin));
    image_expect_wish(live, "/", &report);
    send_empty(live, &image);
    assert_int_equal(image_cli_end(cli, out, sizeof out), 0);
    assert_non_null(strstr(out, "done"));
    EXPECT_ALL(live, false, "a", "a/b", "c");
    image_expect_taken(live, image.zxid);
    live_expect_state(live, 0, "LIVE");
}

static void set_brake(struct live *live, const char *options) {
    size_t len = strlen(live->extra);
    snprintf(live->extra + len, sizeof live->extra - len, "%s", options);
}

static void send_empty_of(struct live *live, struct image *image, const char *path) {
    *image = deeper_image(live, path);
    image_begin(image);
    image_put(image, path, "old");
    image_end(image);
}

// An image of `path` is requested, and would delete more than the brake lets.
static void hold(struct live *live, const char *path) {
    struct zs_report report;
    struct image image;
    ask(live, live_path("--path %s --no-wait", path));
    image_expect_wish(live, path, &report);
    send_empty_of(live, &image, path);
    live_expect_state(live, 0, "BRAKE");
}

// What an operator allows for one path is not allowed for another one.
static void an_allowance_is_for_its_own_path(void **state) {
    struct live *live = *state;
    struct zs_report report;
    struct image image;
    char out[2000];
    const char *a = live_path("%s/a", live->root);
    set_brake(live, "zoospan.resync_deletes = 1\nzoospan.resync_delete_percent = 0\n");
    BEGIN_TREE(live, "a", "a/b", "a/c", "d", "e");
    want(live);
    send_empty(live, &image);
    live_expect_state(live, 0, "BRAKE");
    FILE *cli = image_cli(live, live_path("resync %s --path %s --allow-deletes", live->origin, a));
    assert_int_equal(image_cli_end(cli, out, sizeof out), 1);
    if (!strstr(out, "an image of / would delete 5 of 6 nodes"))
        fail_msg("%s", out);
    live_expect_state(live, 0, "BRAKE");
    EXPECT_ALL(live, true, "a", "a/b", "a/c", "d", "e");
    ask(live, "--allow-deletes --no-wait");
    image_expect_wish(live, "/", &report);
    send_empty(live, &image);
    image_expect_taken(live, image.zxid);
    EXPECT_ALL(live, false, "a", "a/b", "a/c", "d", "e");
}

// A brake that holds what was only requested does not hold what is requested next, be it wider or elsewhere.
static void what_is_requested_next_takes_the_place_of_what_is_held(void **state) {
    struct live *live = *state;
    struct zs_report report;
    struct image image;
    const char *a = live_path("%s/a", live->root), *d = live_path("%s/d", live->root);
    set_brake(live, "zoospan.resync_deletes = 1\nzoospan.resync_delete_percent = 0\n");
    BEGIN_TREE(live, "a", "a/b", "a/c", "d", "d/e");
    hold(live, a);
    ask(live, live_path("--path %s --allow-deletes --no-wait", d));
    image_expect_wish(live, d, &report);
    send_empty_of(live, &image, d);
    expect_request_gone(live);
    EXPECT_ALL(live, false, "d/e");
    EXPECT_ALL(live, true, "a/b", "a/c");
    hold(live, a);
    ask(live, "--allow-deletes --no-wait"); // all of it
    image_expect_wish(live, "/", &report);
    send_empty(live, &image);
    expect_request_gone(live);
    EXPECT_ALL(live, false, "a", "a/b", "a/c", "d");
}

// Who deletes the request by hand has withdrawn it; what is requested next is another one, though it looks the same.
static void a_request_that_is_deleted_is_withdrawn(void **state) {
    struct live *live = *state;
    struct zs_report report;
    struct image image;
    const char *a = live_path("%s/a", live->root), *d = live_path("%s/d", live->root);
    set_brake(live, "zoospan.resync_deletes = 1\nzoospan.resync_delete_percent = 0\n");
    BEGIN_TREE(live, "a", "a/b", "a/c", "d", "d/e");
    hold(live, a);
    assert_int_equal(zoo_delete(live->zk, live_path("%s/%s", ZS_RESYNC_PATH, live->origin), -1), ZOK);
    live_expect_state(live, 0, "LIVE");
    ask(live, live_path("--path %s --no-wait", d));
    image_expect_wish(live, d, &report);
    send_empty_of(live, &image, d);
    expect_request_gone(live);
    EXPECT_ALL(live, false, "d/e");
    EXPECT_ALL(live, true, "a/b", "a/c");
}

// Of a large tree a small share is much; and the copy of an ephemeral is a node, too.
static void the_brake_counts_copies_and_knows_a_most(void **state) {
    struct live *live = *state;
    struct image image;
    set_brake(live, "zoospan.resync_deletes = 1\nzoospan.resync_delete_percent = 100\n"
                    "zoospan.resync_deletes_max = 2\n");
    BEGIN_TREE(live, "a", "b");
    struct zs_op op = live_create(live_path("%s/c", live->root), "e");
    op.kind = ZS_EPHEMERAL;
    op.session = 0x7777;
    live_publish(live, &op, 1);
    live_expect_applied(live);
    want(live);
    send_empty(live, &image);
    live_expect_state(live, 0, "BRAKE");
    EXPECT_ALL(live, true, "a", "b", "c");
}

static void what_the_brake_lets_through(void **state) {
    struct live *live = *state;
    struct image image;
    size_t len = strlen(live->extra);
    snprintf(live->extra + len, sizeof live->extra - len,
             "zoospan.resync_deletes = 0\nzoospan.resync_delete_percent = 75\n");
    BEGIN_TREE(live, "a", "a/b", "c");
    want(live);
    send_empty(live, &image); // three of four
    image_expect_taken(live, image.zxid);
    EXPECT_ALL(live, false, "a", "a/b", "c");
}

// --- runs that are not whole -----------------------------------------------------------------------------------------

static void begin_and_cut(struct live *live, struct image *image) {
    *image = image_new(live, image_site_zxid(live));
    image_begin(image);
    image_put(image, live->root, "");
    image_cut(image);
    image_expect_run(live, image->run);
}

static void a_run_that_is_not_whole_is_asked_for_anew(void **state) {
    struct live *live = *state;
    struct zs_report report;
    struct image image;
    BEGIN_TREE(live, "a");
    want(live);
    begin_and_cut(live, &image); // a part is missing
    live_begin(live);
    live_record(live,
                &(struct zs_record){.type = ZS_RECORD_SNAPSHOT_PART, .part = {.run = image.run, .index = 2}});
    image_end(&image);
    image_expect_wish(live, "/", &report);
    begin_and_cut(live, &image); // nodes are missing
    image.nodes++;
    image_end(&image);
    image_expect_wish(live, "/", &report);
    assert_int_equal(live_counter(live, 0, "images"), 0);
    begin_and_cut(live, &image); // parts of another run come in between
    int64_t run = image.run;
    live_begin(live);
    live_record(live,
                &(struct zs_record){.type = ZS_RECORD_SNAPSHOT_PART, .part = {.run = run + 1, .index = 1}});
    image_put(&image, live_path("%s/stray", live->root), "");
    image_end(&image);
    EXPECT_ALL(live, true, "a");
    image.nodes--;
    live_begin(live);
    live_record(live, &(struct zs_record){.type = ZS_RECORD_SNAPSHOT_PART, .part = {.run = run, .index = 1}});
    image_put(&image, live_path("%s/a", live->root), "old");
    image_end(&image);
    image_expect_taken(live, image.zxid);
    EXPECT_ALL(live, true, "a");
    EXPECT_ALL(live, false, "stray");
}

static void the_stream_goes_on_before_a_requested_image(void **state) {
    struct live *live = *state;
    struct zs_report report;
    struct image image;
    BEGIN_TREE(live, "a");
    int64_t at = live->zxid;
    ask(live, "--no-wait");
    image_expect_wish(live, "/", &report);
    begin_and_cut(live, &image);
    live_sleep(8000);
    live_begin(live);
    live_record(live,
                &(struct zs_record){.type = ZS_RECORD_SNAPSHOT_PART, .part = {.run = image.run, .index = 2}});
    image_end(&image);            // a part is missing
    image_expect_taken(live, at); // which says: it asks for none
    live_go_back(live, at);
    publish_and_wait(live, live_set(live_path("%s/a", live->root), "meanwhile"));
    image_expect_wish(live, "/", &report); // after as long as the run took
    assert_int_equal(live_counter(live, 0, "images"), 0);
}

static void an_image_and_txns_in_one_batch_are_rejected(void **state) {
    struct live *live = *state;
    BEGIN_TREE(live, "a");
    want(live);
    struct image image = image_new(live, image_site_zxid(live));
    struct zs_op op = live_create(live_path("%s/mixed", live->root), "");
    image_begin(&image);
    image_put(&image, live->root, "");
    live_txn(live, &op, 1);
    image_end(&image);
    image = image_new(live, image_site_zxid(live));
    image_begin(&image);
    image_put(&image, live->root, "");
    image_put(&image, live_path("%s/a", live->root), "old");
    image_end(&image);
    image_expect_taken(live, image.zxid);
    EXPECT_ALL(live, true, "a");
    EXPECT_ALL(live, false, "mixed");
    live_expect_applied(live);
    assert_int_equal(live_counter(live, 0, "rejected"), 1);
}

static void send_small(struct live *live, struct image *image) {
    *image = image_new(live, image_site_zxid(live));
    image_begin(image);
    image_put(image, live->root, "r");
    image_put(image, live_path("%s/a", live->root), NULL);
    image_put(image, live_path("%s/a/b", live->root), "b");
    image_end(image);
}

static void an_image_that_is_taken_twice_changes_nothing(void **state) {
    struct live *live = *state;
    struct zs_report report;
    struct image image;
    struct Stat before, after;
    BEGIN_TREE(live, "a", "gone");
    want(live);
    send_small(live, &image);
    image_expect_taken(live, image.zxid);
    ask(live, "--no-wait");
    image_expect_wish(live, "/", &report);
    assert_true(live_exists(live, live_path("%s/a", live->root), &before));
    send_small(live, &image);
    expect_request_gone(live);
    live_expect_applied(live);
    assert_true(live_exists(live, live_path("%s/a", live->root), &after));
    assert_int_equal(before.mzxid, after.mzxid);
    assert_int_equal(before.pzxid, after.pzxid);
    assert_int_equal(live_counter(live, 0, "images"), 2);
    assert_int_equal(live_counter(live, 0, "image_created") + live_counter(live, 0, "image_set") +
                         live_counter(live, 0, "image_deleted") + live_counter(live, 0, "image_kept"),
                     0);
}

// --- CHECKPOINT, SEEN ------------------------------------------------------------------------------------------------

static void send_checkpoint(struct live *live, bool with_mark) {
    struct zs_slice message;
    live_begin(live);
    if (with_mark) {
        struct zs_record mark = {.type = ZS_RECORD_MARK};
        mark.mark = (struct zs_record_mark){
            .zxid = ++live->zxid, .seen = {.site = "dst", .zxid = 1}, .clock = live->clock, .session = 0x77};
        live_record(live, &mark);
    }
    live_record(live, &(struct zs_record){.type = ZS_RECORD_CHECKPOINT, .checkpoint = {.zxid = live->zxid}});
    live_end(live, &message);
    live_send(live, message);
}

static void expect_durable(struct live *live, int32_t version) {
    struct zs_marker marker;
    struct Stat stat;
    live_expect_applied(live);
    image_expect_marker(live, &marker, &stat);
    assert_int_equal(marker.zxid, live->zxid);
    assert_int_equal(stat.version, version);
}

static void a_checkpoint_makes_an_idle_place_durable(void **state) {
    struct live *live = *state;
    struct zs_marker marker;
    struct Stat stat;
    BEGIN_TREE(live, "a");
    image_expect_marker(live, &marker, &stat);
    send_checkpoint(live, true);
    expect_durable(live, stat.version + 1);
    send_checkpoint(live, false); // it is written there
    send_checkpoint(live, true);
    expect_durable(live, stat.version + 2);
}

static void send_seen(struct live *live, const struct zs_history *history, int64_t zxid, bool txn) {
    struct zs_slice message;
    struct zs_record record = {.type = ZS_RECORD_SEEN, .seen = {.history = *history, .zxid = zxid}};
    struct zs_op op = live_set(live_path("%s/a", live->root), "x");
    live_begin(live);
    live_record(live, &record);
    if (txn)
        live_txn(live, &op, 1);
    live_end(live, &message);
    live_send(live, message);
}

// With a txn, by which it shows that it was heard.
static void expect_seen(struct live *live, const struct zs_history *history, int64_t zxid) {
    send_seen(live, history, zxid, true);
    live_expect_applied(live);
    live_sleep(300);
}

static void a_restored_ensemble_gets_a_new_history(void **state) {
    struct live *live = *state;
    struct zs_history before, after, other = {{1}};
    struct zs_report report;
    struct zs_marker marker;
    struct Stat stat;
    const char *sibling = live_path("%s/zz%s", ZS_APPLIED_PATH, live->origin + 2);
    BEGIN_TREE(live, "a");
    live_client_create(live, sibling, "anything", ZOO_PERSISTENT);
    image_own_history(live, &before);
    int64_t now = image_site_zxid(live);
    expect_seen(live, &other, now + 1000000);
    image_own_history(live, &after);
    assert_true(zs_history_equal(&before, &after)); // of another history
    expect_seen(live, &before, now);
    image_own_history(live, &after);
    assert_true(zs_history_equal(&before, &after)); // not above
    image_expect_marker(live, &marker, &stat);
    assert_false(marker.image);
    assert_int_equal(live_stop_applier(live, 0), 0); // it is looked at after each connect
    live_start_applier(live, 0);
    live_expect_state(live, 0, "LIVE");
    send_seen(live, &before, now + 1000000, false);
    image_expect_wish(live, "/", &report);
    assert_int_equal(report.applied, 0);
    image_own_history(live, &after);
    assert_false(zs_history_equal(&before, &after));
    image_expect_marker(live, &marker, &stat);
    assert_true(marker.image);
    assert_int_equal(marker.zxid, 0);
    assert_false(zs_history_known(&marker.history));
    char text[500];
    int len = sizeof text;
    assert_int_equal(zoo_get(live->zk, sibling, 0, text, &len, NULL), ZOK);
    assert_true(zs_marker_decode((uint8_t *)text, (size_t)len, &marker, NULL));
    assert_true(marker.image && marker.zxid == 0);
    assert_int_equal(zoo_delete(live->zk, sibling, -1), ZOK);
}

static void expect_new_history(struct live *live, const struct zs_history *before) {
    struct zs_report report;
    struct zs_history after;
    image_expect_wish(live, "/", &report);
    image_own_history(live, &after);
    assert_false(zs_history_equal(before, &after));
}

// Waits until the applier has written the marker without moving it, by which it has the zxid to compare.
static void expect_look(struct live *live, int32_t version) {
    struct zs_marker marker;
    struct Stat stat = {.version = version};
    for (int i = 0; i < 900 && stat.version <= version; i++, live_sleep(100))
        image_expect_marker(live, &marker, &stat);
    assert_true(stat.version > version);
}

static int32_t marker_version(struct live *live) {
    struct zs_marker marker;
    struct Stat stat;
    image_expect_marker(live, &marker, &stat);
    return stat.version;
}

enum { STALE = 3 };

// What is compared first after a connect may be older than the outage, and so may what follows; all of it counts.
static void what_the_origin_says_later_is_compared_too(void **state) {
    struct live *live = *state;
    struct zs_history before;
    BEGIN_TREE(live, "a");
    image_own_history(live, &before);
    for (int i = 0; i < STALE; i++) {
        const int32_t version = marker_version(live);
        send_seen(live, &before, image_site_zxid(live), false);
        expect_look(live, version);
    }
    send_seen(live, &before, image_site_zxid(live) + 1000000, false);
    expect_new_history(live, &before);
}

static void a_multi_tells_of_a_restored_ensemble_at_any_time(void **state) {
    struct live *live = *state;
    struct zs_history before;
    BEGIN_TREE(live, "a");
    image_own_history(live, &before);
    send_seen(live, &before, image_site_zxid(live) + 1000000, true);
    expect_new_history(live, &before);
}

// --- what happens meanwhile ------------------------------------------------------------------------------------------

#ifdef ZS_FAILPOINTS
// When the history is written at last, this ensemble's zxids may have passed what the origin has of it.
static void a_broken_history_is_remembered_until_it_is_renewed(void **state) {
    enum { AHEAD = 30 };
    struct live *live = *state;
    struct zs_history before;
    char history[ZS_UUID_TEXT];
    setenv("ZOOSPAN_FAILPOINTS", "applier_history_write=stop:1", 1);
    BEGIN_TREE(live, "a");
    unsetenv("ZOOSPAN_FAILPOINTS");
    image_own_history(live, &before);
    send_seen(live, &before, image_site_zxid(live) + AHEAD, true);
    live_expect_stopped(live, 0);
    zs_history_format(&before, history);
    assert_int_equal(zoo_set(live->zk, ZS_HISTORY_PATH, history, ZS_UUID_TEXT - 1, -1),
                     ZOK); // its version is another now
    for (int i = 0; i < 2 * AHEAD; i++)
        assert_int_equal(zoo_set(live->zk, live_path("%s/a", live->root), "x", 1, -1), ZOK);
    live_signal_applier(live, 0, SIGCONT);
    expect_new_history(live, &before);
}

// A client deletes a node when the image's third level has not been read yet. The origin has not seen that, and is told of it.
static void delete_when_stopped(struct live *live, const char *point) {
    static const char *const names[] = {"", "/a", "/a/x"};
    struct zs_report report;
    setenv("ZOOSPAN_FAILPOINTS", point, 1);
    BEGIN_TREE(live, "a", "a/x");
    unsetenv("ZOOSPAN_FAILPOINTS");
    const int64_t made = live->zxid;
    want(live);
    struct image image = image_new(live, image_site_zxid(live));
    image_begin(&image);
    for (int i = 0; i < 3; i++) {
        struct zs_record_node node = image_node(&image, live_path("%s%s", live->root, names[i]), "old");
        node.zxid = node.created = made;
        image_add(&image, &node);
    }
    image_end(&image);
    live_expect_stopped(live, 0);
    assert_int_equal(zoo_delete(live->zk, live_path("%s/a/x", live->root), -1), ZOK);
    live_signal_applier(live, 0, SIGCONT);
    image_expect_wish(live, live_path("%s/a/x", live->root), &report); // in doubt
    EXPECT_ALL(live, false, "a/x");
}

static void a_delete_before_the_names_are_read_is_not_undone(void **state) {
    delete_when_stopped(*state, "applier_image_read=stop:3");
}

static void a_delete_behind_the_names_is_not_undone(void **state) {
    delete_when_stopped(*state, "applier_image_read=stop:4");
}
#endif

int run_image_rules_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_not_carried_stays, image_setup, live_teardown),
        cmocka_unit_test_setup_teardown(an_image_of_a_deeper_path_leaves_the_place_alone, image_setup,
                                        live_teardown),
        cmocka_unit_test_setup_teardown(what_lies_above_what_is_carried_is_not_absent, image_setup,
                                        live_teardown),
        cmocka_unit_test_setup_teardown(a_subtree_that_the_origin_does_not_have, image_setup, live_teardown),
        cmocka_unit_test_setup_teardown(a_wider_request_is_not_forgotten, image_setup, live_teardown),
        cmocka_unit_test_setup_teardown(the_brake_holds_until_it_is_allowed, image_setup, live_teardown),
        cmocka_unit_test_setup_teardown(an_allowance_is_for_its_own_path, image_setup, live_teardown),
        cmocka_unit_test_setup_teardown(what_is_requested_next_takes_the_place_of_what_is_held, image_setup,
                                        live_teardown),
        cmocka_unit_test_setup_teardown(a_request_that_is_deleted_is_withdrawn, image_setup, live_teardown),
        cmocka_unit_test_setup_teardown(the_brake_counts_copies_and_knows_a_most, image_setup, live_teardown),
        cmocka_unit_test_setup_teardown(what_the_brake_lets_through, image_setup, live_teardown),
        cmocka_unit_test_setup_teardown(the_stream_goes_on_before_a_requested_image, image_setup,
                                        live_teardown),
        cmocka_unit_test_setup_teardown(a_run_that_is_not_whole_is_asked_for_anew, image_setup,
                                        live_teardown),
        cmocka_unit_test_setup_teardown(an_image_and_txns_in_one_batch_are_rejected, image_setup,
                                        live_teardown),
        cmocka_unit_test_setup_teardown(an_image_that_is_taken_twice_changes_nothing, image_setup,
                                        live_teardown),
        cmocka_unit_test_setup_teardown(a_checkpoint_makes_an_idle_place_durable, image_setup, live_teardown),
#ifdef ZS_FAILPOINTS
        cmocka_unit_test_setup_teardown(a_broken_history_is_remembered_until_it_is_renewed, image_setup,
                                        live_teardown),
        cmocka_unit_test_setup_teardown(a_delete_before_the_names_are_read_is_not_undone, image_setup,
                                        live_teardown),
        cmocka_unit_test_setup_teardown(a_delete_behind_the_names_is_not_undone, image_setup, live_teardown),
#endif
        cmocka_unit_test_setup_teardown(a_restored_ensemble_gets_a_new_history, image_setup, live_teardown),
        cmocka_unit_test_setup_teardown(what_the_origin_says_later_is_compared_too, image_setup,
                                        live_teardown),
        cmocka_unit_test_setup_teardown(a_multi_tells_of_a_restored_ensemble_at_any_time, image_setup,
                                        live_teardown),
    };
    return cmocka_run_group_tests_name("images: rules", tests, NULL, NULL);
}
