// What an image does to the tree of a destination, and what it leaves alone.
#include "live_image.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

int run_image_tests(void);

static void publish_and_wait(struct live *live, struct zs_op op) {
    live_publish(live, &op, 1);
    live_expect_applied(live);
}

static void expect_persistent(struct live *live, const char *path, const char *data) {
    struct Stat stat;
    live_expect_data(live, path, data);
    assert_true(live_exists(live, path, &stat));
    assert_int_equal(stat.ephemeralOwner, 0);
}

static void expect_acl(struct live *live, const char *path, int32_t perms, const char *scheme) {
    struct ACL_vector acls;
    struct Stat stat;
    assert_int_equal(zoo_get_acl(live->zk, path, &acls, &stat), ZOK);
    assert_int_equal(acls.count, 1);
    assert_int_equal(acls.data[0].perms, perms);
    assert_string_equal(acls.data[0].id.scheme, scheme);
    deallocate_ACL_vector(&acls);
}

// --- a new destination -----------------------------------------------------------------------------------------------

static void expect_first_wish(struct live *live) {
    struct zs_report report;
    struct zs_marker marker;
    struct Stat stat;
    image_broken(live, 0);
    image_expect_wish(live, "/", &report);
    assert_int_equal(report.applied, 0);
    assert_int_equal(report.fence, 0);
    assert_int_equal(report.other_count, 0);
    image_expect_marker(live, &marker, &stat);
    assert_true(marker.image);
    assert_int_equal(marker.fence, 0);
    assert_int_equal(marker.zxid, 0);
    assert_false(zs_history_known(&marker.history));
}

static void put_kinds(struct image *image) {
    static const struct zs_acl reader = {
        .perms = 1, .scheme = "digest", .id = "me:TR0n7rwLKP2t0xBKCtyS9mdpMxY="};
    const char *root = image->live->root;
    struct zs_record_node box = image_node(image, live_path("%s/box", root), "b");
    struct zs_record_node timed = image_node(image, live_path("%s/timed", root), "t");
    struct zs_record_node secret = image_node(image, live_path("%s/secret", root), "s");
    box.kind = ZS_CONTAINER;
    timed.kind = ZS_TTL;
    timed.ttl_ms = 1000;
    secret.acls.entries = &reader;
    image_add(image, &box);
    image_add(image, &timed);
    image_add(image, &secret);
}

static void a_new_destination_takes_an_image(void **state) {
    enum { LARGE = 1048575 - 200 };
    struct live *live = *state;
    const char *root = live->root, *mine = live_path("%s/a/mine", root), *folder = live_path("%s/a", root);
    struct zs_marker marker;
    struct Stat stat;
    char *large = malloc(LARGE + 1);
    assert_non_null(large);
    memset(large, 'x', LARGE);
    large[LARGE] = '\0';
    live_client_create(live, folder, "older", ZOO_PERSISTENT);
    live_client_create(live, mine, "m", ZOO_PERSISTENT);
    live_start_applier(live, 0);
    expect_first_wish(live);
    live_expect_state(live, 0, "IMAGE");
    struct image image = image_new(live, 0);
    image_begin(&image);
    image_put(&image, root, "root");
    image_put(&image, live_path("%s/a", root), "later");
    image_put(&image, live_path("%s/a/b", root), "");
    image_put(&image, live_path("%s/a/b/c", root), NULL);
    image_cut(&image);
    image_expect_exists(live, live_path("%s/a/b/c", root));
    image_expect_run(live, image.run);
    image_expect_marker(live, &marker, &stat);
    assert_true(marker.image);
    assert_int_equal(marker.fence, 0); // the newest write had effects
    image_put(&image, live_path("%s/a/b/d", root), "d");
    put_kinds(&image);
    image_cut(&image);
    image_put(&image, live_path("%s/big", root), large);
    image_put(&image, live_path("%s/big/child", root), "c");
    image_end(&image);
    image_expect_taken(live, image.zxid);
    image_expect_marker(live, &marker, &stat);
    assert_false(marker.image);
    assert_int_equal(marker.fence, 0);
    assert_int_equal(marker.zxid, image.zxid);
    assert_memory_equal(&marker.history, &live->head.history, sizeof marker.history);
    live_expect_data(live, root, "root");
    live_expect_data(live, live_path("%s/a", root), "later");
    live_expect_data(live, live_path("%s/a/b", root), "");
    live_expect_data(live, live_path("%s/a/b/c", root), NULL);
    live_expect_data(live, live_path("%s/a/b/d", root), "d");
    live_expect_data(live, mine, "m"); // it is not known what the origin has seen
    live_expect_data(live, live_path("%s/big", root), large);
    live_expect_data(live, live_path("%s/big/child", root), "c");
    expect_persistent(live, live_path("%s/box", root), "b");
    expect_persistent(live, live_path("%s/timed", root), "t");
    expect_acl(live, live_path("%s/secret", root), 1, "digest");
    publish_and_wait(live, live_set(live_path("%s/a", root), "by the stream"));
    live_expect_data(live, live_path("%s/a", root), "by the stream");
    assert_int_equal(live_counter(live, 0, "images"), 1);
    assert_int_equal(live_counter(live, 0, "image_nodes"), image.nodes);
    assert_int_equal(live_counter(live, 0, "quarantined"), 0);
    free(large);
}

// --- a range is lost -------------------------------------------------------------------------------------------------

static void begin_known_tree(struct live *live) {
    static const char *const names[] = {"set", "gone", "acl", "mine", "undone", "dir", "dir/gone", "dir/kid"};
    live_start_applier(live, 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct zs_op op = live_create(live_path("%s/%s", live->root, names[i]), "old");
        live_publish(live, &op, 1);
    }
    live_expect_applied(live);
}

// What was made before the range that was lost.
static void put_old(struct image *image, const char *name, int64_t created, int64_t zxid, const char *data) {
    struct zs_record_node node = image_node(image, live_path("%s/%s", image->live->root, name), data);
    node.created = created;
    node.zxid = zxid;
    image_add(image, &node);
}

static int64_t expect_wish_with_fence(struct live *live, struct zs_report *report) {
    struct zs_marker marker;
    struct Stat before, after;
    int64_t at = live->zxid;
    image_expect_marker(live, &marker, &before);
    assert_false(marker.image);
    image_broken(live, at);
    image_expect_wish(live, "/", report);
    image_expect_marker(live, &marker, &after);
    assert_int_equal(report->applied, at);
    assert_int_equal(report->fence, before.mzxid); // the newest write with effects
    assert_true(marker.image);
    assert_int_equal(marker.fence, before.mzxid);
    assert_int_equal(marker.zxid, at);
    return at;
}

static void a_lost_range_of_a_known_history(void **state) {
    static const struct zs_acl reader = {.perms = 1, .scheme = "world", .id = "anyone"};
    struct live *live = *state;
    struct zs_report report;
    const char *root = live->root, *undone = live_path("%s/undone", root);
    const char *kid = live_path("%s/dir/kid", root), *own = live_path("%s/own", root);
    begin_known_tree(live);
    int64_t at = expect_wish_with_fence(live, &report);
    int64_t seen = image_site_zxid(live);
    live_client_create(live, own, "by a client", ZOO_PERSISTENT);
    assert_int_equal(zoo_set(live->zk, live_path("%s/mine", root), "by a client", 11, -1), ZOK);
    assert_int_equal(zoo_set(live->zk, kid, "by a client", 11, -1), ZOK);
    assert_int_equal(zoo_delete(live->zk, undone, -1), ZOK);
    struct image image = image_new(live, seen);
    image_begin(&image);
    image_put(&image, root, "");
    put_old(&image, "set", at, image.zxid, "new");
    struct zs_record_node acl = image_node(&image, live_path("%s/acl", root), "old");
    acl.created = acl.zxid = at;
    acl.acls.entries = &reader;
    image_add(&image, &acl);
    put_old(&image, "mine", at, image.zxid, "by the origin");
    put_old(&image, "undone", at, at, "old");
    image_put(&image, live_path("%s/made", root), "m");
    image_end(&image); // without gone, dir and what is in it
    image_expect_taken(live, image.zxid);
    live_expect_data(live, live_path("%s/set", root), "new");
    live_expect_data(live, live_path("%s/made", root), "m");
    expect_acl(live, live_path("%s/acl", root), 1, "world");
    live_expect_absent(live, live_path("%s/gone", root));
    live_expect_absent(live, live_path("%s/dir/gone", root));
    live_expect_data(live, live_path("%s/mine", root), "by a client");
    live_expect_data(live, kid, "by a client");
    live_expect_data(live, live_path("%s/dir", root), "old"); // it holds what stays
    live_expect_data(live, own, "by a client");
    live_expect_absent(live, undone);
    // What was in doubt, the ACL and the delete, is asked for once more.
    image_expect_wish(live, root, &report);
    publish_and_wait(live, live_set(live_path("%s/set", root), "by the stream"));
    live_expect_data(live, live_path("%s/set", root), "by the stream");
}

static void the_smallest_subtree_is_asked_for_again(void **state) {
    struct live *live = *state;
    struct zs_report report;
    const char *root = live->root, *dir = live_path("%s/dir", root), *gone = live_path("%s/dir/gone", root);
    const char *kid = live_path("%s/dir/kid", root);
    begin_known_tree(live);
    int64_t at = expect_wish_with_fence(live, &report);
    struct image image = image_new(live, image_site_zxid(live));
    assert_int_equal(zoo_delete(live->zk, gone, -1), ZOK);
    image_begin(&image);
    image_put(&image, root, "");
    put_old(&image, "dir", at, at, "old");
    put_old(&image, "dir/gone", at, at, "old");
    put_old(&image, "dir/kid", at, at, "old");
    image_end(&image);
    image_expect_taken(live, image.zxid);
    live_expect_absent(live, live_path("%s/set", root));
    live_expect_absent(live, gone);
    image_expect_wish(live, gone, &report);
    image =
        image_new(live, image_site_zxid(live)); // the origin has heard of the delete, and has one of its own
    image.path = gone;
    image_begin(&image);
    image_end(&image);
    live_expect_report(live, ZS_NEED_NONE, &report);
    assert_int_equal(report.applied, image.zxid - 16);
    live_expect_absent(live, gone);
    live_expect_data(live, dir, "old");
    live_expect_data(live, kid, "old");
}

// A client has deleted what the origin has put something into: it is made once more, without what was deleted in it. And
// what lies between, which the origin's rules do not carry, is made as the stream would.
static void parents_are_made_for_what_is_new(void **state) {
    struct live *live = *state;
    struct zs_report report;
    const char *root = live->root, *dir = live_path("%s/dir", root), *kid = live_path("%s/dir/kid", root);
    begin_known_tree(live);
    int64_t at = expect_wish_with_fence(live, &report);
    struct image image = image_new(live, image_site_zxid(live));
    assert_int_equal(zoo_delete(live->zk, kid, -1), ZOK);
    assert_int_equal(zoo_delete(live->zk, live_path("%s/dir/gone", root), -1), ZOK);
    assert_int_equal(zoo_delete(live->zk, dir, -1), ZOK);
    image.include = live_path("%s/dir,%s/x/y", root, root);
    image_begin(&image);
    put_old(&image, "dir", at, at, "old");
    put_old(&image, "dir/kid", at, at, "old");
    image_put(&image, live_path("%s/dir/new", root), "n");
    image_put(&image, live_path("%s/dir/new/deep", root), "d");
    image_put(&image, live_path("%s/x/y", root), "y");
    image_end(&image);
    image_expect_taken(live, image.zxid);
    live_expect_data(live, dir, "old");
    live_expect_data(live, live_path("%s/dir/new/deep", root), "d");
    live_expect_absent(live, kid);
    live_expect_data(live, live_path("%s/x", root), "");
    live_expect_data(live, live_path("%s/x/y", root), "y");
    live_expect_data(live, live_path("%s/set", root), "old"); // not the image's business
}

// --- ephemerals ------------------------------------------------------------------------------------------------------

static struct zs_op ephemeral(const char *path, int64_t session) {
    struct zs_op op = live_create(path, "e");
    op.kind = ZS_EPHEMERAL;
    op.session = session;
    return op;
}

static void put_ephemeral(struct image *image, const char *path, int64_t session) {
    struct zs_record_node node = image_node(image, path, "e");
    node.kind = ZS_EPHEMERAL;
    node.session = session;
    image_add(image, &node);
}

static const char *record_of(const struct live *live, int session, const char *name) {
    return live_path("%s/%s/%016x/%%2F%s%%2F%s", ZS_SESSIONS_PATH, live->origin, session, live->root + 1,
                     name);
}

static void ephemerals_follow_the_origin(void **state) {
    struct live *live = *state;
    const char *root = live->root, *lock = live_path("%s/lock", root), *local = live_path("%s/local", root);
    const char *kept = live_path("%s/kept", root), *closed = live_path("%s/closed", root);
    const char *fresh = live_path("%s/fresh", root), *no = live_path("%s/no", root);
    size_t len = strlen(live->extra);
    snprintf(live->extra + len, sizeof live->extra - len, "zoospan.ephemerals_except = %s/no\n", root);
    live_start_applier(live, 0);
    struct zs_op ops[] = {live_create(lock, ""), ephemeral(live_path("%s/held", lock), 0x22),
                          ephemeral(closed, 0x22), ephemeral(kept, 0x11), live_create(no, "")};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        live_publish(live, &ops[i], 1);
    live_expect_applied(live);
    live_client_create(live, local, "l", ZOO_EPHEMERAL);
    struct zs_report report;
    expect_wish_with_fence(live, &report);
    struct image image = image_new(live, image_site_zxid(live));
    image_begin(&image);
    image_put(&image, root, "");
    put_ephemeral(&image, fresh, 0x33);
    put_ephemeral(&image, kept, 0x11);
    image_put(&image, local, "in the way");
    image_put(&image, live_path("%s/child", local), "c");
    image_put(&image, no, "");
    put_ephemeral(&image, live_path("%s/skipped", no), 0x33);
    image_end(&image);
    image_expect_taken(live, image.zxid);
    expect_persistent(live, fresh, "e");
    expect_persistent(live, kept, "e");
    struct Stat copy, record; // one txn makes both
    assert_true(live_exists(live, fresh, &copy) &&
                live_exists(live, record_of(live, 0x33, "fresh"), &record));
    assert_int_equal(copy.czxid, record.czxid);
    live_expect_data(live, record_of(live, 0x33, "no%2Fskipped"), "skip");
    live_expect_absent(live, live_path("%s/skipped", no));
    live_expect_absent(live, closed);
    live_expect_absent(live, record_of(live, 0x22, "closed"));
    live_expect_absent(live, lock); // with the copy that it held
    live_expect_data(live, local, "l");
    live_expect_absent(live, live_path("%s/child", local));
    struct zs_op close = {.type = ZS_OP_CLOSE_SESSION, .session = 0x33, .paths_known = false};
    publish_and_wait(live, close);
    live_expect_absent(live, fresh);
    live_expect_absent(live, record_of(live, 0x33, "no%2Fskipped"));
    assert_int_equal(live_counter(live, 0, "copies"), 1);
}

static int64_t multis_of_an_image_of_the_root(struct live *live, int64_t seen) {
    struct zs_report report;
    expect_wish_with_fence(live, &report);
    int64_t before = live_counter(live, 0, "multis");
    struct image image = image_new(live, seen);
    image_begin(&image);
    image_put(&image, live->root, "");
    image_end(&image);
    image_expect_taken(live, image.zxid);
    live_expect_counter(live, 0, "images", 1); // and with it what has been counted on the way there
    return live_counter(live, 0, "multis") - before;
}

// But not what clients of this site have put in the place of some.
static void copies_that_were_not_met_go_together(void **state) {
    enum { TXNS = 6, EACH = 50, MULTIS_MAX = TXNS * EACH / 10 };
    struct live *live = *state;
    struct zs_op ops[EACH];
    char paths[EACH][64];
    live_start_applier(live, 0);
    for (int txn = 0; txn < TXNS; txn++) {
        for (int i = 0; i < EACH; i++) {
            snprintf(paths[i], sizeof paths[i], "%s/%d", live->root, txn * EACH + i);
            ops[i] = ephemeral(paths[i], 0x100 + txn * EACH + i);
        }
        live_publish(live, ops, EACH);
    }
    live_expect_applied(live);
    const int64_t seen = image_site_zxid(live);
    const char *node = live_path("%s/7", live->root), *living = live_path("%s/8", live->root);
    assert_int_equal(zoo_delete(live->zk, node, -1), ZOK);
    assert_int_equal(zoo_delete(live->zk, living, -1), ZOK);
    live_client_create(live, node, "mine", ZOO_PERSISTENT);
    live_client_create(live, living, "mine", ZOO_EPHEMERAL);
    assert_in_range(multis_of_an_image_of_the_root(live, seen), 1, MULTIS_MAX);
    live_expect_data(live, node, "mine");
    live_expect_data(live, living, "mine");
    struct Stat stat;
    assert_true(live_exists(live, live->root, &stat));
    assert_int_equal(stat.numChildren, 2);
    assert_int_equal(live_counter(live, 0, "copies"), 0);
}

// --- many parts ------------------------------------------------------------------------------------------------------

// A walk sees nodes of different moments, and the stream goes on from where it began: it brings what was created or changed since. Only
// what was missing here is made as it was seen: a client that has seen that, and has written since, does not find older states upon its
// own.
static void what_an_image_showed_ahead_is_not_repeated(void **state) {
    struct live *live = *state;
    struct zs_report report;
    const char *here = live_path("%s/here", live->root), *missing = live_path("%s/missing", live->root);
    const char *late = live_path("%s/late", live->root);
    live_start_applier(live, 0);
    publish_and_wait(live, live_create(here, "old"));
    image_broken(live, live->zxid);
    image_expect_wish(live, "/", &report);
    struct image image = image_new(live, image_site_zxid(live));
    image_begin(&image);
    image_put(&image, live->root, "");
    struct zs_record_node node = image_node(&image, here, "newer");
    node.zxid = image.zxid + 4;
    image_add(&image, &node);
    node = image_node(&image, late, "late");
    node.zxid = node.created = image.zxid + 5;
    image_add(&image, &node);
    node = image_node(&image, missing, "newer");
    node.zxid = image.zxid + 3;
    image_add(&image, &node);
    image_end(&image);
    image_expect_taken(live, image.zxid);
    live_expect_data(live, here, "old");
    live_expect_data(live, missing, "newer");
    live_expect_absent(live, late);
    assert_int_equal(zoo_set(live->zk, missing, "client", 6, -1), ZOK);
    struct zs_op older[] = {live_set(missing, "older"), live_set(here, "older")};
    live_publish(live, older, 2); // + 1
    publish_and_wait(live,
                     (struct zs_op){.type = ZS_OP_DELETE, .path = late}); // + 2: an earlier one of that name
    live_expect_data(live, here, "older");
    live_expect_data(live, missing, "client");
    publish_and_wait(live, live_set(missing, "newer")); // + 3
    publish_and_wait(live, live_set(here, "newer"));    // + 4
    publish_and_wait(live, live_create(late, "late"));  // + 5
    live_expect_data(live, here, "newer");
    live_expect_data(live, missing, "client");
    live_expect_data(live, late, "late");
    publish_and_wait(live, live_set(missing, "latest"));
    live_expect_data(live, missing, "latest");
    assert_int_equal(live_counter(live, 0, "gaps"), 0);
}

// What came while the applier was busy makes few multis, whatever the parts; and what is there already is found beneath all of them.
static void parts_that_wait_are_taken_together(void **state) {
    enum { PARTS = 24, NODES = 20 };
    struct live *live = *state;
    const char *root = live->root;
    live_start_applier(live, 0);
    live_client_create(live, live_path("%s/3", root), "", ZOO_PERSISTENT);
    live_client_create(live, live_path("%s/3/7", root), "older", ZOO_PERSISTENT);
    expect_first_wish(live);
    int64_t before = live_counter(live, 0, "multis");
    live_signal_applier(live, 0, SIGSTOP);
    struct image image = image_new(live, 0);
    image_begin(&image);
    image_put(&image, root, "");
    for (int part = 0; part < PARTS; part++) {
        image_put(&image, live_path("%s/%d", root, part), "");
        for (int node = 0; node < NODES; node++)
            image_put(&image, live_path("%s/%d/%d", root, part, node), "new");
        if (part < PARTS - 1)
            image_cut(&image);
    }
    image_end(&image);
    live_expect_delivered(live, PARTS);
    live_signal_applier(live, 0, SIGCONT);
    image_expect_taken(live, image.zxid);
    for (int i = 0; i < PARTS * NODES; i++)
        live_expect_data(live, live_path("%s/%d/%d", root, i / NODES, i % NODES), "new");
    live_expect_counter(live, 0, "images", 1); // and with it what has been counted on the way there
    live_expect_state(live, 0, "LIVE");
    assert_int_equal(live_counter(live, 0, "image_set"), 1);
    assert_in_range(live_counter(live, 0, "multis") - before, 4, PARTS / 2);
}

int run_image_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_destination_takes_an_image, image_setup, live_teardown),
        cmocka_unit_test_setup_teardown(a_lost_range_of_a_known_history, image_setup, live_teardown),
        cmocka_unit_test_setup_teardown(the_smallest_subtree_is_asked_for_again, image_setup, live_teardown),
        cmocka_unit_test_setup_teardown(parents_are_made_for_what_is_new, image_setup, live_teardown),
        cmocka_unit_test_setup_teardown(ephemerals_follow_the_origin, image_setup, live_teardown),
        cmocka_unit_test_setup_teardown(copies_that_were_not_met_go_together, image_setup, live_teardown),
        cmocka_unit_test_setup_teardown(what_an_image_showed_ahead_is_not_repeated, image_setup,
                                        live_teardown),
        cmocka_unit_test_setup_teardown(parts_that_wait_are_taken_together, image_setup, live_teardown),
    };
    return cmocka_run_group_tests_name("images", tests, NULL, NULL);
}
