// A connected link: what it tells with its heartbeats, and how it finds out a history that is lived twice.
#include "link_scene.h"

#include <stdlib.h>
#include <sys/resource.h>

// --- SEEN ------------------------------------------------------------------------------------------------------------

static void see_heartbeat(bool tells) {
    scene.now += 1000;
    int batches = scene.batches;
    scene_turn();
    assert_int_equal(scene.batches, batches + 1);
    assert_non_null(scene_record_of(ZS_RECORD_HEARTBEAT));
    const struct zs_record *seen = scene_record_of(ZS_RECORD_SEEN);
    assert_int_equal(seen != NULL, tells);
    if (seen) {
        assert_int_equal(seen->seen.zxid, 0x77);
        assert_true(zs_history_equal(&seen->seen.history, &BJS));
    }
}

static void heartbeats_tell_what_this_site_has_of_the_destination(void **state) {
    (void)state;
    struct zs_report report = scene_report_at(BASE + 2);
    scene_tell(&report);
    scene_turn();
    assert_int_equal(scene.s.state, ZS_LINK_LIVE);
    see_heartbeat(true);
    assert_true(scene.newest.fleeting);
    scene.s.marker.history = (struct zs_history){{0}};
    see_heartbeat(false);
    scene.s.marker.history = BJS;
    scene.s.has_marker = false;
    see_heartbeat(false);
    scene.s.has_marker = true;
    report.takes_images = false; // of a version that would refuse the record
    scene_tell(&report);
    see_heartbeat(false);
}

static void gap_and_snapshot_tell_it_too(void **state) {
    (void)state;
    struct zs_report report = scene_report_at(BASE + 2);
    report.history = BJS;
    scene_tell(&report);
    scene_turn();
    assert_int_equal(scene.s.state, ZS_LINK_GAP);
    see_heartbeat(true);
    assert_non_null(scene_record_of(ZS_RECORD_BROKEN));
    report = scene_wish_for("/");
    scene_tell(&report);
    scene.s.marker.image = true; // so it waits
    scene_turn();
    assert_int_equal(scene.s.state, ZS_LINK_SNAPSHOT);
    see_heartbeat(true);
}

static void a_heartbeat_is_not_starved_by_full_batches(void **state) {
    (void)state;
    struct zs_report report = scene_report_at(BASE + 2);
    scene.s.settings.window_batches = 1;
    scene_tell(&report);
    scene_turn();
    scene.confirms = false;
    for (int i = 3; i < 63; i++)
        scene_offer(BASE + i, CLIENT, TIME_MS, "/a", 7000); // a second one does not fit the batch
    scene_turn();
    scene.confirms = true;
    scene.now += 1000;
    int batches = scene.batches, seen = scene.seen;
    scene_turn();
    assert_true(scene.batches - batches >= 60);
    assert_int_equal(scene.seen, seen + 1);
}

static void a_link_that_is_never_idle_tells_it_now_and_then(void **state) {
    (void)state;
    const struct zs_report report = scene_report_at(BASE + 2);
    scene_tell(&report);
    scene_turn();
    const int seen = scene.seen;
    for (int64_t i = 3; i < 53; i++) { // a heartbeat is due after 1,000 ms without a batch
        scene.now += 999;
        scene_offer(BASE + i, CLIENT, TIME_MS, "/a", 1);
        scene_turn();
    }
    assert_int_equal(scene.seen, seen + 4);
}

// --- when a batch leaves ---------------------------------------------------------------------------------------------

static void stream_and_rest(void) {
    const struct zs_report report = scene_report_at(BASE + 2);
    scene_tell(&report);
    scene_turn();
    scene.now += 10;
}

static void offer_one(int64_t zxid) {
    scene_offer(zxid, CLIENT, TIME_MS, "/a", 1);
    scene_turn();
}

static void txns_gather_for_a_moment_behind_a_small_batch(void **state) {
    (void)state;
    stream_and_rest();
    int batches = scene.batches;
    offer_one(BASE + 3);
    assert_int_equal(scene.batches, batches + 1); // after a rest the first one goes at once
    for (int i = 4; i < 20; i++)
        offer_one(BASE + i);
    assert_int_equal(scene.batches, batches + 1);
    scene.now += 2;
    scene_turn();
    assert_int_equal(scene.batches, batches + 2);
    assert_int_equal(scene.newest.batch.head.txns, 16);
}

static void a_broker_that_is_slow_to_confirm_is_not_waited_for_long(void **state) {
    (void)state;
    stream_and_rest();
    scene.confirms = false;
    const int batches = scene.batches;
    offer_one(BASE + 3);
    for (int sent = 1; sent < 4; sent++) { // window_batches
        assert_int_equal(scene.batches, batches + sent);
        scene.now += 3;
        offer_one(BASE + 2 + 2 * sent);
        assert_int_equal(scene.batches, batches + sent); // a confirm may come any moment
        assert_true(zs_link_publish_at(&scene.s, scene.now) == scene.now + 1);
        scene.now += 1;
        offer_one(BASE + 3 + 2 * sent);
        assert_int_equal(scene.newest.batch.head.txns, 2);
    }
    assert_int_equal(scene.batches, batches + 4);
    scene.now += 100;
    offer_one(BASE + 10);
    assert_int_equal(scene.batches, batches + 4); // the window is full
    scene.confirms = true;
    scene_turn();
    assert_int_equal(scene.batches, batches + 5);
}

// A thousand writes a second for a minute, of which the destination hears nothing: few large batches, and as soon as it has them
// all, small ones again.
static void what_waits_for_a_destination_that_is_away_is_few_batches(void **state) {
    (void)state;
    stream_and_rest();
    int64_t zxid = BASE + 3;
    const int before = scene.batches;
    for (int ms = 0; ms < 60000; ms++) {
        scene.now += 1;
        offer_one(zxid++);
    }
    assert_true(scene.batches - before < 3000); // 2 ms for each would be 20,000
    scene.now += ZS_REST_MAX_MS;
    offer_one(zxid);
    const struct zs_report report = scene_report_at(zxid);
    scene_tell(&report);
    scene_turn();
    scene.now += ZS_REST_MAX_MS;
    const int back = scene.batches;
    for (int i = 0; i < 10; i++) {
        scene.now += 2;
        offer_one(++zxid);
    }
    assert_int_equal(scene.batches, back + 10);
}

static void behind_a_refused_batch_new_txns_wake_nobody(void **state) {
    (void)state;
    stream_and_rest();
    scene.confirms = false;
    offer_one(BASE + 3);
    scene.now += 4;
    offer_one(BASE + 4);
    assert_int_equal(scene.s.window.count, 2);
    assert_false(zs_link_is_stuck(&scene.s));
    zs_window_settle(&scene.s.window, scene.tag - 1, false, false);
    const int batches = scene.batches;
    scene.now += 4;
    offer_one(BASE + 5);
    assert_int_equal(scene.batches, batches);
    assert_true(zs_link_is_stuck(&scene.s));
}

// --- a history that is lived twice -----------------------------------------------------------------------------------

static const int64_t LATER_MS = 3600 * 1000;

static void a_restored_origin_is_found_out_while_it_waits(void **state) {
    (void)state;
    struct zs_report report = scene_report_at(BASE + 10);
    scene_tell(&report);
    scene_turn();
    assert_int_equal(scene.s.state, ZS_LINK_POSITION);
    scene_offer(BASE + 3, CLIENT, TIME_MS - 5, "/a", 1); // it may only lag
    scene_turn();
    assert_int_equal(scene.s.state, ZS_LINK_POSITION);
    scene_offer(BASE + 4, CLIENT, TIME_MS + LATER_MS, "/a", 1);
    scene_turn();
    assert_int_equal(scene.s.state, ZS_LINK_GAP);
    assert_non_null(strstr(scene.s.status.detail, "restored from an older snapshot"));
    scene.now += 1000;
    scene_turn();
    assert_non_null(scene_record_of(ZS_RECORD_BROKEN));
    for (int i = 5; i < 15; i++)
        scene_offer(BASE + i, CLIENT, TIME_MS + LATER_MS, "/a", 1);
    for (int i = 0; i < 20; i++, scene.now += 1000) {
        scene_turn();
        assert_int_equal(scene.s.state, ZS_LINK_GAP);
    }
    scene.s.history = NEW;
    report.need = ZS_NEED_IMAGE;
    snprintf(report.image_path, sizeof report.image_path, "/");
    scene_tell(&report);
    scene_turn();
    assert_int_equal(scene.s.state, ZS_LINK_SNAPSHOT);
}

static void what_an_applier_wrote_proves_nothing(void **state) {
    (void)state;
    struct zs_report report = scene_report_at(BASE + 10);
    report.session_count = 1;
    report.sessions[0] = APPLIER;
    scene_tell(&report);
    scene_turn();
    scene_offer(BASE + 3, APPLIER, TIME_MS + LATER_MS, "/a", 1);
    scene_turn();
    assert_int_equal(scene.s.state, ZS_LINK_POSITION);
    for (int i = 4; i < 12; i++)
        scene_offer(BASE + i, APPLIER, TIME_MS + LATER_MS, "/a", 1);
    scene_turn();
    assert_int_equal(scene.s.state, ZS_LINK_LIVE);
}

static void nor_does_it_help_to_have_passed_the_destination(void **state) {
    (void)state;
    struct zs_report report = scene_report_at(BASE + 3000);
    for (int i = 3; i < 4000; i++)
        scene_offer(BASE + i, CLIENT, TIME_MS + LATER_MS, "/a", 1);
    scene_tell(&report);
    scene_turn();
    assert_int_equal(scene.s.state, ZS_LINK_GAP);
    report = scene_report_at(BASE + 2); // the destination was put back as well: it has none of these
    scene_tell(&report);
    scene_turn();
    assert_int_equal(scene.s.state, ZS_LINK_LIVE);
}

// --- lag -------------------------------------------------------------------------------------------------------------

// When the oldest was committed that the destination has not reported; -1: there is none, -2: it is not known
// where the destination stands.
static int64_t lacks_since(void) {
    struct zs_lag_share share;
    zs_lag_look(&scene.s);
    zs_lag_share(&scene.s, &share);
    return !share.placed ? -2 : share.lacks ? share.lacks_since_ms : -1;
}

static void the_lag_is_told_in_every_state(void **state) {
    (void)state;
    static const enum zs_link_state states[] = {ZS_LINK_DOWN,     ZS_LINK_STANDBY, ZS_LINK_POSITION,
                                                ZS_LINK_SNAPSHOT, ZS_LINK_GAP,     ZS_LINK_LIVE};
    struct zs_report report = scene_report_at(BASE + 2);
    report.session_count = 1;
    report.sessions[0] = APPLIER;
    assert_int_equal(lacks_since(), -2);
    scene_tell(&report);
    scene_turn();
    assert_int_equal(scene.s.state, ZS_LINK_LIVE);
    assert_int_equal(lacks_since(), -1);
    int64_t zxid = BASE + 2;
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        scene.s.state = states[i];
        scene_offer(++zxid, APPLIER, TIME_MS + 1, "/a", 1);
        scene_offer(++zxid, CLIENT, TIME_MS + 2, "/private/a", 1);
        assert_int_equal(lacks_since(), -1);
        for (int k = 0; k < 2; k++, zxid++)
            scene_offer(zxid + 1, CLIENT, TIME_MS + 10 * (zxid + 1), "/a", 1);
        scene.now += 10;
        if (zs_link_streams(&scene.s))
            scene_turn();
        assert_int_equal(lacks_since(), TIME_MS + 10 * (zxid - 1));
        report.applied = zxid - 1;
        zs_lag_hear(&scene.s, &report);
        assert_int_equal(lacks_since(), TIME_MS + 10 * zxid);
        report.applied = zxid;
        zs_lag_hear(&scene.s, &report);
        assert_int_equal(lacks_since(), -1);
    }
}

// A server that starts learns it from its own tree, the place of the destination from a queue.
static void a_report_may_come_before_the_history_is_known(void **state) {
    (void)state;
    const struct zs_report report = scene_report_at(BASE + 2);
    struct zs_checkpoint anchor;
    scene.s.history = (struct zs_history){{0}};
    scene_offer(BASE + 3, CLIENT, TIME_MS + 7, "/a", 1);
    scene_tell(&report);
    scene_turn();
    assert_int_equal(scene.s.state, ZS_LINK_POSITION);
    assert_int_equal(lacks_since(), -2);
    assert_true(zs_anchors_awaited(scene.s.settings.anchors));
    scene.s.history = OURS;
    assert_int_equal(lacks_since(), TIME_MS + 7);
    scene_turn();
    assert_false(zs_anchors_awaited(scene.s.settings.anchors));
    assert_true(zs_anchors_nearest(scene.s.settings.anchors, &OURS, BASE + 3, &anchor));
    assert_int_equal(anchor.zxid, BASE + 2);
    assert_int_equal(lacks_since(), TIME_MS + 7);
}

static void of_another_history_the_destination_has_nothing(void **state) {
    (void)state;
    struct zs_report report = scene_report_at(BASE + 2);
    scene_tell(&report);
    scene_turn();
    assert_int_equal(lacks_since(), -1);
    scene.s.history = NEW; // and nothing is reported
    assert_int_equal(lacks_since(), TIME_MS - 1000);
    report.history = NEW;
    zs_lag_hear(&scene.s, &report);
    assert_int_equal(lacks_since(), -1);
}

static void who_follows_no_history_lacks_all_of_any(void **state) {
    (void)state;
    struct zs_report report = scene_report_at(0);
    report.history = scene.s.history = (struct zs_history){{0}};
    scene_tell(&report);
    scene_turn();
    assert_int_equal(lacks_since(), TIME_MS - 1000);
    scene.s.history = OURS;
    assert_int_equal(lacks_since(), TIME_MS - 1000);
}

static void the_lag_is_told_of_a_broker_that_takes_nothing(void **state) {
    (void)state;
    struct zs_report report = scene_report_at(BASE + 2);
    scene_tell(&report);
    scene_turn();
    scene.s.blocked = true;
    scene_offer(BASE + 3, CLIENT, TIME_MS + 7, "/a", 1);
    scene.now += 1000;
    scene_turn();
    assert_int_equal(lacks_since(), TIME_MS + 7);
    scene.s.blocked = false;
    scene_turn();
    assert_int_equal(lacks_since(), TIME_MS + 7); // it is on its way
}

static void a_destination_that_went_back_lacks_what_it_had(void **state) {
    (void)state;
    struct zs_report report = scene_report_at(BASE + 4);
    report.clock = (zs_clock)(TIME_MS + 8) << 16;
    scene_offer(BASE + 3, CLIENT, TIME_MS + 7, "/a", 1);
    scene_offer(BASE + 4, CLIENT, TIME_MS + 8, "/a", 1);
    scene_tell(&report);
    scene_turn();
    assert_int_equal(scene.s.state, ZS_LINK_LIVE);
    report.applied = BASE + 2;
    scene_tell(&report);
    scene_turn();
    assert_int_equal(lacks_since(), TIME_MS + 7);
}

static void where_nothing_reaches_back_the_clock_tells_the_lag(void **state) {
    (void)state;
    struct zs_report report = scene_report_at(BASE - 5);
    scene_tell(&report);
    scene_turn();
    assert_int_equal(scene.s.state, ZS_LINK_GAP);
    assert_int_equal(lacks_since(), TIME_MS); // where the destination stands
    report = scene_report_at(BASE + 1);
    scene_tell(&report);
    scene_turn();
    assert_int_equal(lacks_since(), TIME_MS - 999);
}

// --- a txn log that cannot be read for a while ----------------------------------------------------------------------

static void write_log(const char *dir, int64_t first, int64_t last) {
    char path[100];
    snprintf(path, sizeof path, "%s/log.%llx", dir, (unsigned long long)first);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite("ZKLG\0\0\0\2\0\0\0\0\0\0\0\0", 1, 16, file), 16);
    for (int64_t zxid = first; zxid <= last; zxid++) {
        struct zs_buffer body, entry;
        zs_buffer_init(&body, 256);
        zs_buffer_init(&entry, 256);
        zs_put_u64(&body, CLIENT);
        zs_put_u32(&body, 1);
        zs_put_u64(&body, (uint64_t)zxid);
        zs_put_u64(&body, (uint64_t)TIME_MS);
        zs_put_u32(&body, SET_DATA);
        zs_put_u32(&body, 2);
        zs_put_bytes(&body, "/a", 2);
        zs_put_u32(&body, 0);
        zs_put_u32(&body, 1);
        uint32_t a = 1, b = 0;
        for (size_t i = 0; i < body.len; i++) {
            a = (a + body.at[i]) % 65521;
            b = (b + a) % 65521;
        }
        zs_put_u64(&entry, b << 16 | a);
        zs_put_u32(&entry, (uint32_t)body.len);
        zs_put_bytes(&entry, body.at, body.len);
        zs_put_u8(&entry, 0x42);
        assert_int_equal(fwrite(entry.at, 1, entry.len, file), entry.len);
        zs_buffer_free(&body);
        zs_buffer_free(&entry);
    }
    assert_int_equal(fclose(file), 0);
}

static struct rlimit limit_descriptors(rlim_t soft) {
    struct rlimit before, now;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    now = before;
    now.rlim_cur = soft;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
    return before;
}

// The backlog begins behind nine txns that the log has.
static void begin_behind_log(char *dir) {
    assert_non_null(mkdtemp(dir));
    write_log(dir, BASE + 1, BASE + 9);
    struct zs_sender_logs *logs = &scene.s.told_logs;
    snprintf(logs->log_dir, sizeof logs->log_dir, "%s", dir);
    snprintf(logs->snap_dir, sizeof logs->snap_dir, "%s", dir);
    logs->floor = 0;
    zs_backlog_begin(scene.s.backlog, BASE + 9, ZS_CHAIN_ANEW);
}

static void remove_log(const char *dir) {
    char line[64];
    snprintf(line, sizeof line, "rm -r '%s'", dir);
    assert_int_equal(system(line), 0);
}

static void the_log_tells_the_lag_as_often_as_a_place_is_reported(void **state) {
    (void)state;
    char dir[] = "/tmp/zoospan-link.XXXXXX";
    begin_behind_log(dir);
    for (int i = 0; i < 2; i++) {
        struct zs_report report = scene_report_at(BASE + 2);
        report.clock = (zs_clock)(TIME_MS - 500) << 16; // older than what is lacked
        zs_lag_hear(&scene.s, &report);
        assert_int_equal(lacks_since(), TIME_MS);
        report.applied = BASE + 9;
        zs_lag_hear(&scene.s, &report);
        assert_int_equal(lacks_since(), -1);
    }
    remove_log(dir);
}

static void a_log_that_cannot_be_read_is_not_lost(void **state) {
    (void)state;
    char dir[] = "/tmp/zoospan-link.XXXXXX";
    begin_behind_log(dir);
    struct zs_report report = scene_report_at(BASE + 2);
    scene_tell(&report);
    const struct rlimit before = limit_descriptors(3); // no file can be opened any more
    for (int i = 0; i < 30; i++, scene.now += 1000) {
        scene_turn();
        assert_int_equal(scene.s.state, ZS_LINK_LOG);
        assert_false(scene.s.steps_down);
    }
    assert_non_null(strstr(scene.s.status.detail, "Too many open files"));
    assert_true(scene_logged("cannot read the txn log behind 0x100000002"));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    scene_turn();
    assert_int_equal(scene.s.state, ZS_LINK_LIVE);
    assert_int_equal(scene.newest.batch.head.last, BASE + 9);
    // If it lasts, another server of the site gets a turn.
    report.need = ZS_NEED_FROM;
    scene.now += 60000;
    scene_tell(&report);
    limit_descriptors(3);
    for (int i = 0; i < 62 && !scene.s.steps_down; i++, scene.now += 1000)
        scene_turn();
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_true(scene.s.steps_down);
    assert_int_equal(scene.s.state, ZS_LINK_LOG);
    remove_log(dir);
}

// --- what RabbitMQ does not take -------------------------------------------------------------------------------------

// A path that does not compress.
static void offer_long(int64_t zxid, size_t len) {
    char path[4000] = "/";
    uint32_t seed = (uint32_t)zxid;
    for (size_t i = 1; i < len; i++) {
        seed = seed * 1664525u + 1013904223u;
        path[i] = (char)('a' + (seed >> 16) % 26);
    }
    path[len] = '\0';
    scene_offer(zxid, CLIENT, TIME_MS, path, 1);
}

static void a_batch_that_is_too_large_goes_txn_by_txn(void **state) {
    (void)state;
    stream_and_rest();
    scene.s.message_bytes_max = 2000;
    const int batches = scene.batches;
    for (int i = 3; i < 103; i++)
        offer_long(BASE + i, 100);
    for (int i = 0; i < 200; i++) {
        scene_turn();
        scene.now += 5;
    }
    assert_int_equal(scene.s.state, ZS_LINK_LIVE);
    assert_int_equal(scene.newest.batch.head.last, BASE + 102);
    assert_true(scene.batches - batches >= 100);
    for (int i = 103; i < 113; i++) // from there on they are gathered again
        offer_long(BASE + i, 100);
    scene_turn();
    assert_int_equal(scene.newest.batch.head.txns, 10);
}

static void what_cannot_be_sent_is_said_from_where_the_destination_is(void **state) {
    (void)state;
    stream_and_rest();
    scene.s.message_bytes_max = 2000;
    offer_long(BASE + 3, 100);
    offer_long(BASE + 4, 3000);
    for (int i = 0; i < 20; i++) {
        scene_turn();
        scene.now += 5;
    }
    assert_int_equal(scene.s.state, ZS_LINK_GAP);
    assert_true(scene_logged("cannot be sent: a message of"));
    struct zs_report report = scene_report_at(BASE + 3); // it comes later than the link got stuck
    scene_tell(&report);
    scene_turn();
    scene.now += 1000;
    scene_turn();
    const struct zs_record *broken = scene_record_of(ZS_RECORD_BROKEN);
    assert_non_null(broken);
    assert_int_equal(broken->broken.zxid, BASE + 3);
    report = scene_wish_for("/");
    scene_tell(&report);
    scene_turn();
    assert_int_equal(scene.s.state, ZS_LINK_SNAPSHOT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SCENE_TEST(the_log_tells_the_lag_as_often_as_a_place_is_reported),
        SCENE_TEST(a_log_that_cannot_be_read_is_not_lost),
        SCENE_TEST(a_batch_that_is_too_large_goes_txn_by_txn),
        SCENE_TEST(what_cannot_be_sent_is_said_from_where_the_destination_is),
        SCENE_TEST(heartbeats_tell_what_this_site_has_of_the_destination),
        SCENE_TEST(gap_and_snapshot_tell_it_too),
        SCENE_TEST(a_heartbeat_is_not_starved_by_full_batches),
        SCENE_TEST(a_link_that_is_never_idle_tells_it_now_and_then),
        SCENE_TEST(txns_gather_for_a_moment_behind_a_small_batch),
        SCENE_TEST(a_broker_that_is_slow_to_confirm_is_not_waited_for_long),
        SCENE_TEST(what_waits_for_a_destination_that_is_away_is_few_batches),
        SCENE_TEST(behind_a_refused_batch_new_txns_wake_nobody),
        SCENE_TEST(a_restored_origin_is_found_out_while_it_waits),
        SCENE_TEST(what_an_applier_wrote_proves_nothing),
        SCENE_TEST(nor_does_it_help_to_have_passed_the_destination),
        SCENE_TEST(the_lag_is_told_in_every_state),
        SCENE_TEST(a_report_may_come_before_the_history_is_known),
        SCENE_TEST(of_another_history_the_destination_has_nothing),
        SCENE_TEST(who_follows_no_history_lacks_all_of_any),
        SCENE_TEST(the_lag_is_told_of_a_broker_that_takes_nothing),
        SCENE_TEST(a_destination_that_went_back_lacks_what_it_had),
        SCENE_TEST(where_nothing_reaches_back_the_clock_tells_the_lag),
    };
    int failed = cmocka_run_group_tests_name("a link", tests, NULL, NULL);
    return failed + run_image_tests();
}
