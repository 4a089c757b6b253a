// A link that is asked for an image.
#include "link_scene.h"

static void behind_an_image_of_all_the_stream_goes_on_where_the_walk_began(void **state) {
    (void)state;
    scene_offer(BASE + 3, CLIENT, TIME_MS, "/a", 1);
    struct zs_report wishes = scene_wish_for("/");
    wishes.applied = BASE + 1;
    scene_walk(&wishes, BASE + 2);
    assert_int_equal(scene.newest.batch.head.prev, BASE + 2);
    const struct zs_record *begin = scene_record_of(ZS_RECORD_SNAPSHOT_BEGIN);
    assert_non_null(begin);
    assert_int_equal(begin->begin.zxid, BASE + 2);
    assert_int_equal(begin->begin.seen, 0x77);
    assert_true(zs_history_equal(&begin->begin.seen_history, &BJS));
    assert_string_equal(begin->begin.exclude, "/private");
    assert_int_equal(scene_record_of(ZS_RECORD_SNAPSHOT_END)->end.nodes, 3);
    scene.confirms = true;
    scene_turn();
    assert_int_equal(scene.s.state, ZS_LINK_LIVE);
    scene_turn();
    assert_int_equal(scene.newest.batch.head.prev, BASE + 2);
    assert_int_equal(scene.newest.batch.head.last, BASE + 3);
    assert_int_equal(scene.s.status.images, 1);
    assert_int_equal(scene.s.status.image_nodes, 3);
}

// The nodes of the walk have mzxid BASE + 1.
static struct zs_record_node node_if(int64_t written, const char *site) {
    scene.written = written;
    scene.written_for = BJS;
    scene.written_site = site;
    const struct zs_report wishes = scene_wish_for("/a");
    scene_walk(&wishes, BASE + 3);
    return scene_record_of(ZS_RECORD_NODE)->node;
}

static void what_our_applier_wrote_for_the_destination_is_a_copy(void **state) {
    (void)state;
    const struct zs_record_node node = node_if(BASE + 1, "bj");
    assert_true(node.copy && node.time_ms == TIME_MS);
}

static void what_it_wrote_for_others_bears_no_time(void **state) {
    (void)state;
    const struct zs_record_node node = node_if(BASE + 1, "gz");
    assert_true(!node.copy && node.time_ms == 0);
}

static void what_it_did_not_write_is_neither(void **state) {
    (void)state;
    const struct zs_record_node node = node_if(BASE + 5, "bj");
    assert_true(!node.copy && node.time_ms == TIME_MS);
}

static void what_is_from_before_a_restoration_bears_no_time(void **state) {
    (void)state;
    scene.restored = BASE + 1;
    assert_int_equal(node_if(0, "bj").time_ms, 0);
}

static void what_came_after_a_restoration_does(void **state) {
    (void)state;
    scene.restored = BASE;
    assert_int_equal(node_if(0, "bj").time_ms, TIME_MS);
}

// The tree was exchanged for one without a history, or with another one, and the sender has not heard of that yet.
static void a_tree_of_another_history_is_not_sent(void **state) {
    (void)state;
    struct zs_image_wish wish;
    const struct zs_report wishes = scene_wish_for("/");
    scene_tell(&wishes);
    scene_turn();
    assert_true(scene_walk_is_wanted(&wish));
    scene.tree_has_no_history = true;
    assert_true(scene_put_head(&wish, BASE + 2, &scene.s.marker));
    scene_turn();
    assert_int_equal(scene.s.state, ZS_LINK_SNAPSHOT);
    assert_non_null(strstr(scene.s.status.detail, "/zoospan/history"));
    assert_false(scene_put_nodes(&wish, 1, 10)); // nobody wants it any more
}

static void behind_an_image_of_a_part_the_stream_goes_on_where_the_destination_stands(void **state) {
    (void)state;
    scene_offer(BASE + 3, CLIENT, TIME_MS, "/b", 1);
    const struct zs_report wishes = scene_wish_for("/a");
    scene_walk(&wishes, BASE + 3);
    assert_int_equal(scene.newest.batch.head.prev, BASE + 2); // it covers nothing
    assert_int_equal(scene.newest.batch.head.last, BASE + 2);
    assert_int_equal(scene_record_of(ZS_RECORD_SNAPSHOT_BEGIN)->begin.zxid, BASE + 3);
    scene.confirms = true;
    scene_turn();
    assert_int_equal(scene.s.state, ZS_LINK_LIVE);
    scene_turn();
    assert_int_equal(scene.newest.batch.head.prev, BASE + 2);
    assert_int_equal(scene.newest.batch.head.txns, 1);
}

static void a_waiting_link_asks_for_no_walk(void **state) {
    (void)state;
    struct zs_image_wish wish;
    struct zs_report wishes = scene_wish_for("/");
    wishes.fence = 0x78;
    scene_tell(&wishes);
    for (int i = 0; i < 20; i++, scene.now += 1000) {
        scene_turn();
        assert_false(scene_walk_is_wanted(&wish));
    }
    assert_non_null(strstr(scene.s.status.detail, "0x78, is at 0x77"));
    struct zs_marker marker = scene.s.marker;
    marker.zxid = 0x78; // it is there
    scene.s.marker = marker;
    scene_turn();
    assert_true(scene_walk_is_wanted(&wish));
    marker.zxid = 0x76;
    assert_true(scene_put_head(&wish, BASE + 2, &marker)); // but the walk's word counts
    scene_turn();
    assert_false(scene_put_end(&wish));
    assert_false(scene_logged("sends it as it is"));
    scene.now += 11000;
    scene_turn();
    assert_true(scene_walk_is_wanted(&wish));
    assert_true(scene_put_head(&wish, BASE + 2, &marker));
    scene_turn();
    assert_true(scene_logged("sends it as it is"));
    assert_true(scene.s.image.begun);
    assert_null(strstr(scene.s.status.detail, "waits"));
}

static void the_time_to_wait_begins_when_the_own_image_is_taken(void **state) {
    (void)state;
    struct zs_image_wish wish;
    struct zs_report wishes = scene_wish_for("/");
    wishes.fence = 0x78;
    scene.s.marker.image = true;
    scene_tell(&wishes);
    for (int i = 0; i < 100; i++, scene.now += 1000) {
        scene.s.marker_moved_at = scene.now;
        scene_turn();
        assert_false(scene_walk_is_wanted(&wish));
    }
    scene.s.marker.image = false;
    scene_turn();
    assert_false(scene_walk_is_wanted(&wish));
    assert_non_null(strstr(scene.s.status.detail, "0x78, is at 0x77"));
    scene.now += 28000; // the newest look was a second ago
    scene_turn();
    assert_false(scene_walk_is_wanted(&wish));
    scene.now += 1000;
    scene_turn();
    assert_true(scene_walk_is_wanted(&wish));
}

static void an_own_image_that_stands_still_is_not_waited_for(void **state) {
    (void)state;
    struct zs_image_wish wish;
    const struct zs_report wishes = scene_wish_for("/");
    scene.s.marker.image = true;
    scene_tell(&wishes);
    scene_turn();
    scene.now += 59000;
    scene_turn();
    assert_false(scene_walk_is_wanted(&wish));
    scene.now += 1000;
    scene_turn();
    assert_true(scene_walk_is_wanted(&wish));
    assert_true(scene_put_head(&wish, BASE + 2, &scene.s.marker));
    scene_turn();
    assert_true(scene.s.image.begun);
    scene_turn();
    assert_true(scene.s.image.begun); // it was known before
}

static bool stops_for_its_own_image(const char *origin) {
    struct zs_image_wish wish;
    scene_tear_down(NULL);
    scene_set_up_as(origin);
    struct zs_report wishes = scene_wish_for("/");
    snprintf(wishes.origin, sizeof wishes.origin, "%s", origin);
    scene_tell(&wishes);
    scene_turn();
    assert_true(scene_walk_is_wanted(&wish));
    assert_true(scene_put_head(&wish, BASE + 2, &scene.s.marker));
    scene_turn();
    assert_true(scene.s.image.begun);
    scene.s.marker.image = true;
    scene_turn();
    assert_int_equal(scene_put_end(&wish), scene.s.image.begun);
    return !scene.s.image.begun;
}

static void who_comes_second_stops_for_the_image_that_it_needs_itself(void **state) {
    (void)state;
    assert_true(stops_for_its_own_image("sh"));
    assert_false(stops_for_its_own_image("an"));
}

static void an_image_that_was_dropped_begins_anew_at_once(void **state) {
    (void)state;
    struct zs_image_wish wish;
    struct zs_report wishes = scene_wish_for("/");
    scene_begin_image("/", &wish);
    scene_turn();
    int64_t run = scene.s.image.run;
    scene_tell(&wishes); // has not seen it yet: no news
    scene_turn();
    assert_int_equal(scene.s.image.run, run);
    wishes.image_run = run;
    scene_tell(&wishes);
    scene_turn();
    assert_int_equal(scene.s.image.run, run);
    wishes.image_run = 0; // it was restarted
    scene_tell(&wishes);
    scene_turn();
    assert_true(scene_logged("has dropped it"));
    assert_false(scene_put_end(&wish));
    assert_true(scene_walk_is_wanted(&wish));
}

static void so_does_one_that_was_dropped_behind_its_end(void **state) {
    (void)state;
    struct zs_image_wish wish;
    struct zs_report wishes = scene_wish_for("/");
    scene_send_image("/");
    assert_int_equal(scene.s.state, ZS_LINK_LIVE);
    scene_tell(&wishes);
    scene_turn();
    assert_int_equal(scene.s.state, ZS_LINK_LIVE); // it may not have seen it yet
    wishes.image_run = scene.s.image.run;
    for (int i = 0; i < 100; i++, scene.now += 1000) {
        scene_tell(&wishes);
        scene_turn();
        assert_int_equal(scene.s.state, ZS_LINK_LIVE); // it takes its time
    }
    wishes.image_run = 0;
    scene_tell(&wishes);
    scene_turn();
    assert_int_equal(scene.s.state, ZS_LINK_SNAPSHOT);
    scene_turn();
    assert_true(scene_walk_is_wanted(&wish));
}

static void another_path_or_history_makes_an_image_useless(void **state) {
    (void)state;
    struct zs_image_wish wish;
    struct zs_report wishes = scene_wish_for("/a");
    scene_tell(&wishes);
    scene_turn();
    assert_true(scene_walk_is_wanted(&wish));
    wishes = scene_wish_for("/b");
    scene_tell(&wishes);
    scene_turn();
    assert_false(scene_put_end(&wish));
    assert_true(scene_walk_is_wanted(&wish));
    assert_string_equal(wish.path, "/b");
    assert_true(scene_put_head(&wish, BASE + 2, &scene.s.marker));
    scene_turn();
    scene.s.history = NEW;
    scene_turn();
    assert_true(scene_logged("another history"));
    assert_false(scene_put_end(&wish));
}

static void batches_of_an_image_are_large(void **state) {
    (void)state;
    struct zs_image_wish wish;
    scene_begin_image("/", &wish);
    assert_true(scene_put_nodes(&wish, 3000, 300));
    scene_turn(); // each is confirmed
    assert_in_range(scene.newest.batch.head.raw_bytes, 500 * 1024, 1024 * 1024);
    assert_true(scene_put_end(&wish));
    scene_turn();
    assert_int_equal(scene.s.state, ZS_LINK_LIVE);
    assert_int_equal(scene.s.status.image_nodes, 3000);
}

static void a_node_larger_than_a_batch_goes_alone(void **state) {
    (void)state;
    struct zs_image_wish wish;
    scene_begin_image("/", &wish);
    assert_true(scene_put_nodes(&wish, 3, 1000 * 1024) && scene_put_end(&wish));
    scene_turn();
    assert_int_equal(scene.s.state, ZS_LINK_LIVE);
    assert_int_equal(scene.s.status.image_nodes, 3);
    assert_in_range(scene.batches, 3, 6);
}

static void what_is_refused_is_sent_once_more_unless_it_is_a_mere_heartbeat(void **state) {
    (void)state;
    struct zs_image_wish wish;
    scene_begin_image("/", &wish);
    scene_turn();
    scene.now += 1000; // the walk has nothing yet, and a sign of life is due
    scene.refuses = true;
    scene_turn();
    scene.refuses = false;
    const int64_t held = scene.s.hold_until;
    assert_true(held > scene.now);
    assert_true(zs_image_wait_until(&scene.s) >= held);
    scene.now = held;
    const int before = scene.batches;
    assert_true(scene_put_nodes(&wish, 2, 1000 * 1024)); // each is a batch
    scene_turn();
    assert_int_equal(scene.batches, before + 1); // the other one may take more yet
    scene.refuses = true;
    assert_true(scene_put_end(&wish));
    scene_turn();
    assert_int_equal(scene.batches, before + 2);
    const uint32_t part = scene_record_of(ZS_RECORD_SNAPSHOT_PART)->part.index;
    scene.refuses = false;
    scene.now = zs_image_wait_until(&scene.s);
    scene_turn();
    assert_int_equal(scene.batches, before + 4); // once more, and the end by itself
    assert_int_equal(scene_record_of(ZS_RECORD_SNAPSHOT_PART)->part.index, part + 1);
    assert_int_equal(scene.s.state, ZS_LINK_LIVE);
}

static void a_link_that_holds_off_sleeps_until_then(void **state) {
    (void)state;
    struct zs_image_wish wish;
    scene_begin_image("/", &wish);
    assert_true(scene_put_nodes(&wish, 3, 10) && scene_put_end(&wish));
    scene.refuses = true;
    scene_turn();
    assert_true(scene.s.hold_until > scene.now);
    const struct zs_report other = scene_wish_for("/b"); // a walk is to be asked for at once
    scene_tell(&other);
    scene_turn();
    assert_true(scene_logged("another one is asked for"));
    assert_true(zs_image_wait_until(&scene.s) >= scene.s.hold_until);
}

// It would not be told the next time either: another server of the site gets its turn, and then the link says which node it is.
static void a_node_that_cannot_be_read_is_named(void **state) {
    (void)state;
    struct zs_image_wish wish;
    scene_begin_image("/", &wish);
    assert_true(scene_put_broken_off(&wish, ZS_BROKEN_OFF_UNREADABLE, "node /a/b cannot be read: no ACL"));
    scene_turn();
    assert_int_equal(scene.s.state, ZS_LINK_GAP);
    assert_true(scene.s.steps_down);
    assert_non_null(strstr(scene.s.status.detail, "node /a/b cannot be read"));
    scene.s.steps_down = false; // no other server took it
    scene.s.state = ZS_LINK_POSITION;
    scene_begin_image("/", &wish);
    assert_true(scene_put_broken_off(&wish, ZS_BROKEN_OFF_UNREADABLE, "node /a/b cannot be read: no ACL"));
    scene_turn();
    assert_int_equal(scene.s.state, ZS_LINK_GAP);
    assert_false(scene.s.steps_down);
    for (int i = 0; i < 59; i++, scene.now += 1000) {
        scene_turn();
        assert_false(scene_walk_is_wanted(&wish));
    }
    assert_non_null(strstr(scene_record_of(ZS_RECORD_BROKEN)->broken.reason, "node /a/b cannot be read"));
    scene.now += 1000;
    scene_turn();
    assert_true(scene_walk_is_wanted(&wish));
}

static void nor_is_one_that_is_too_large_sent_for_ever(void **state) {
    (void)state;
    struct zs_image_wish wish;
    scene_begin_image("/", &wish);
    assert_true(scene_put_nodes(&wish, 1, 8 << 20));
    scene_turn();
    assert_int_equal(scene.s.state, ZS_LINK_GAP);
    assert_non_null(strstr(scene.s.status.detail, "node /a/0"));
}

static void a_walk_that_is_over_for_another_reason_begins_anew(void **state) {
    (void)state;
    struct zs_image_wish wish;
    scene_begin_image("/", &wish);
    assert_true(scene_put_broken_off(&wish, ZS_BROKEN_OFF_MOVED, "this server does not serve"));
    scene_turn();
    assert_true(scene_logged("begins anew: this server does not serve"));
    scene.now += 1000;
    scene_begin_image("/", &wish);
    assert_false(zs_images_put(scene.s.settings.images, wish.id, NULL));
    scene_turn();
    assert_true(scene_logged("begins anew: the walk came to nothing"));
    scene.now += 1000;
    scene_turn();
    assert_true(scene_walk_is_wanted(&wish));
}

// --- clocks ----------------------------------------------------------------------------------------------------------

static zs_clock clock_of_image(const struct zs_report *wishes, int64_t zxid) {
    scene_walk(wishes, zxid);
    assert_non_null(scene_record_of(ZS_RECORD_SNAPSHOT_BEGIN));
    assert_int_equal(scene.newest.batch.head.prev, zxid);
    return scene.newest.batch.head.clock_prev;
}

static void an_image_has_the_clock_that_the_stream_has_there(void **state) {
    (void)state;
    struct zs_report wishes = scene_wish_for("/");
    wishes.applied = BASE + 1;
    scene_offer(BASE + 3, CLIENT, TIME_MS + 5, "/a", 1);
    // Not carried, and of a leader whose clock is late.
    scene_offer(BASE + 4, CLIENT, TIME_MS - 700, "/private", 1);
    scene_offer(BASE + 5, CLIENT, TIME_MS + 6, "/a", 1);
    assert_true(clock_of_image(&wishes, BASE + 4) == ((zs_clock)(TIME_MS + 5) << 16) + 1);
}

static void nobody_has_a_clock_but_another_destination(void **state) {
    (void)state;
    const struct zs_report wishes = {
        .origin = "sh", .destination = "bj", .takes_images = true, .need = ZS_NEED_IMAGE, .image_path = "/"};
    const struct zs_checkpoint hers = {.zxid = BASE + 1, .clock = (zs_clock)(TIME_MS + 9) << 16};
    zs_anchors_note(scene.s.settings.anchors, false, &OURS, &hers);
    assert_true(clock_of_image(&wishes, BASE + 2) == hers.clock + 1);
}

static void without_any_the_clock_begins_behind_what_this_site_has_applied(void **state) {
    (void)state;
    const struct zs_report wishes = {
        .origin = "sh", .destination = "bj", .takes_images = true, .need = ZS_NEED_IMAGE, .image_path = "/"};
    scene.s.marker.clock = 77;
    zs_anchors_join(scene.s.settings.anchors); // another link, whose destination may know
    scene_tell(&wishes);
    scene_turn();
    struct zs_image_wish wish;
    assert_false(scene_walk_is_wanted(&wish));
    scene.now += 5000;
    assert_true(clock_of_image(&wishes, BASE + 2) == 77); // whatever this server's own clock shows
}

// --- a snapshot was restored while the server ran -------------------------------------------------------------------

static void restore(void) {
    zs_backlog_begin(scene.s.backlog, zs_backlog_bounds(scene.s.backlog).last, ZS_CHAIN_OTHER_TREE);
}

static void txns_do_not_lead_to_another_tree(void **state) {
    (void)state;
    struct zs_report report = scene_report_at(BASE + 2);
    scene_tell(&report);
    scene_turn();
    assert_int_equal(scene.s.state, ZS_LINK_LIVE);
    restore();
    scene_offer(BASE + 3, CLIENT, TIME_MS, "/a", 1);
    scene_turn();
    assert_int_equal(scene.s.state, ZS_LINK_GAP);
    assert_false(scene.s.steps_down);
    assert_non_null(strstr(scene.s.status.detail, "tree was exchanged"));
    scene_turn();
    assert_non_null(scene_record_of(ZS_RECORD_BROKEN));
    assert_int_equal(scene.newest.batch.head.last, BASE + 2);
    scene.now += 60000; // however long it takes until the destination asks
    scene_tell(&report);
    scene_turn();
    assert_int_equal(scene.s.state, ZS_LINK_GAP);
    scene_send_image("/");
    scene_turn();
    assert_int_equal(scene.s.state, ZS_LINK_LIVE);
    assert_int_equal(scene.newest.batch.head.last, BASE + 3);
}

static void an_image_of_a_part_is_not_of_the_tree(void **state) {
    (void)state;
    restore();
    scene_send_image("/a");
    assert_int_equal(scene.s.state, ZS_LINK_GAP);
}

static void nor_is_one_of_the_tree_before(void **state) {
    (void)state;
    struct zs_image_wish wish;
    scene_begin_image("/", &wish);
    assert_true(scene_put_nodes(&wish, 3, 10));
    scene_turn();
    restore();
    scene_turn();
    assert_true(scene_logged("begins anew: this server's tree was exchanged"));
    scene_send_image("/");
    assert_int_equal(scene.s.state, ZS_LINK_LIVE);
    restore(); // the destination has not even begun to take that one
    struct zs_report wishes = scene_wish_for("/");
    scene_tell(&wishes);
    scene_turn();
    assert_int_equal(scene.s.state, ZS_LINK_SNAPSHOT);
}

int run_image_tests(void) {
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_node_that_cannot_be_read_is_named),
        SCENE_TEST(nor_is_one_that_is_too_large_sent_for_ever),
        SCENE_TEST(a_walk_that_is_over_for_another_reason_begins_anew),
        SCENE_TEST(txns_do_not_lead_to_another_tree),
        SCENE_TEST(an_image_of_a_part_is_not_of_the_tree),
        SCENE_TEST(nor_is_one_of_the_tree_before),
        SCENE_TEST(behind_an_image_of_all_the_stream_goes_on_where_the_walk_began),
        SCENE_TEST(what_our_applier_wrote_for_the_destination_is_a_copy),
        SCENE_TEST(what_it_wrote_for_others_bears_no_time),
        SCENE_TEST(what_it_did_not_write_is_neither),
        SCENE_TEST(what_is_from_before_a_restoration_bears_no_time),
        SCENE_TEST(what_came_after_a_restoration_does),
        SCENE_TEST(a_tree_of_another_history_is_not_sent),
        SCENE_TEST(behind_an_image_of_a_part_the_stream_goes_on_where_the_destination_stands),
        SCENE_TEST(a_waiting_link_asks_for_no_walk),
        SCENE_TEST(the_time_to_wait_begins_when_the_own_image_is_taken),
        SCENE_TEST(an_own_image_that_stands_still_is_not_waited_for),
        SCENE_TEST(who_comes_second_stops_for_the_image_that_it_needs_itself),
        SCENE_TEST(an_image_that_was_dropped_begins_anew_at_once),
        SCENE_TEST(so_does_one_that_was_dropped_behind_its_end),
        SCENE_TEST(another_path_or_history_makes_an_image_useless),
        SCENE_TEST(batches_of_an_image_are_large),
        SCENE_TEST(a_node_larger_than_a_batch_goes_alone),
        SCENE_TEST(what_is_refused_is_sent_once_more_unless_it_is_a_mere_heartbeat),
        SCENE_TEST(a_link_that_holds_off_sleeps_until_then),
        SCENE_TEST(an_image_has_the_clock_that_the_stream_has_there),
        SCENE_TEST(nobody_has_a_clock_but_another_destination),
        SCENE_TEST(without_any_the_clock_begins_behind_what_this_site_has_applied),
    };
    return cmocka_run_group_tests_name("images of a link", tests, NULL, NULL);
}
