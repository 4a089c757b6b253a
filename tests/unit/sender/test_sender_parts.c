// The sender's decisions by themselves: where a link starts, what a window of confirms means, which txn is
// the oldest that the destination has not reported.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "zs_lexicon.h"
#include "zs_start.h"
#include "zs_trail.h"
#include "zs_way.h"
#include "zs_window.h"

static const struct zs_history OURS = {{1}}, THEIRS = {{2}};

// A link that could start: the chain has begun, the history is known, bj reported zxid 0x100000005 of ours.
static struct zs_start_facts facts(void) {
    struct zs_start_facts f = {
        .history = OURS,
        .bounds = {.begun = true, .floor = 0x100000002, .last = 0x100000009},
        .beginning = -1,
        .reported = true,
        .report = {.destination = "bj", .history = OURS, .applied = 0x100000005, .clock = 77},
    };
    return f;
}

static struct zs_start decide(struct zs_start_facts f) {
    struct zs_start start;
    zs_start_decide(&f, &start);
    return start;
}

static void starts_behind_what_is_applied(void **state) {
    (void)state;
    struct zs_start start = decide(facts());
    assert_int_equal(start.verdict, ZS_START_AT);
    assert_int_equal(start.at.zxid, 0x100000005);
    assert_int_equal(start.at.clock, 77);
}

static void waits_for_what_it_does_not_know(void **state) {
    (void)state;
    struct zs_start_facts f = facts();
    f.bounds.begun = false;
    assert_int_equal(decide(f).verdict, ZS_START_WAIT);
    f = facts();
    f.history = (struct zs_history){{0}};
    assert_int_equal(decide(f).verdict, ZS_START_WAIT);
    f = facts();
    f.reported = false;
    assert_int_equal(decide(f).verdict, ZS_START_WAIT);
    f = facts();
    f.report.applied = f.bounds.last + 1; // this server is behind the destination
    assert_int_equal(decide(f).verdict, ZS_START_WAIT);
}

static void a_new_destination_needs_the_beginning(void **state) {
    (void)state;
    struct zs_start_facts f = facts();
    f.report = (struct zs_report){.destination = "bj"};
    assert_int_equal(decide(f).verdict, ZS_START_GAP);
    f.beginning =
        0x100000001; // the tree was empty then; whether backlog or log reach back is for the source to say
    struct zs_start start = decide(f);
    assert_int_equal(start.verdict, ZS_START_AT);
    assert_int_equal(start.at.zxid, 0);
}

// The log may reach back to the beginning, and lacks nevertheless what the destination itself wrote in an
// earlier life.
static void a_destination_that_was_wiped_needs_an_image(void **state) {
    (void)state;
    static const struct zs_history before = {{7}}, after = {{8}};
    struct zs_start_facts f = facts();
    f.report = (struct zs_report){.destination = "bj", .own = after, .takes_images = true};
    f.beginning = 0x100000001;
    f.followed = before;
    assert_int_equal(decide(f).verdict, ZS_START_GAP);
    f.followed = after; // this one has written here, and is new: two sites that have just met
    assert_int_equal(decide(f).verdict, ZS_START_AT);
    f.reborn = true; // its new life has been heard of already
    assert_int_equal(decide(f).verdict, ZS_START_GAP);
    f.reborn = false;
    f.report.own = (struct zs_history){{0}}; // its version does not say
    assert_int_equal(decide(f).verdict, ZS_START_GAP);
    f.report.takes_images = false; // it could only wait
    assert_int_equal(decide(f).verdict, ZS_START_AT);
}

// What was on its way to the life before made it follow this site from the beginning.
static void a_destination_that_begins_with_what_was_sent_to_its_former_life_needs_an_image(void **state) {
    (void)state;
    static const struct zs_history before = {{7}}, after = {{8}};
    struct zs_start_facts f = facts();
    f.report.own = after;
    f.report.takes_images = true;
    assert_int_equal(decide(f).verdict, ZS_START_AT); // nothing has come from there
    f.followed = before;
    assert_int_equal(decide(f).verdict, ZS_START_GAP);
    f.followed = after;
    f.reborn = true;
    assert_int_equal(decide(f).verdict, ZS_START_GAP);
    f.report.since = 0x100000003; // where an image has brought it
    assert_int_equal(decide(f).verdict, ZS_START_AT);
}

static void another_history_is_a_gap(void **state) {
    (void)state;
    struct zs_start_facts f = facts();
    f.report.history = THEIRS;
    struct zs_start start = decide(f);
    assert_int_equal(start.verdict, ZS_START_GAP);
    assert_non_null(strstr(start.reason, "02000000-"));
    f = facts();
    f.report.need = ZS_NEED_IMAGE;
    assert_int_equal(decide(f).verdict, ZS_START_GAP); // an applier that does not take images
    f.report.takes_images = true;
    assert_int_equal(decide(f).verdict, ZS_START_IMAGE);
}

static void a_txn_later_than_the_clock_at_its_place_is_of_another_life(void **state) {
    (void)state;
    const int64_t then = 1700000000000, later = then + 3600 * 1000;
    struct zs_report report = {.applied = 0x100000005, .clock = (zs_clock)then << 16 | 3};
    assert_true(zs_start_disproves(&report, 0x100000003, later));
    assert_true(zs_start_disproves(&report, 0x100000005, later));
    assert_false(zs_start_disproves(&report, 0x100000006, later)); // a new one, as it should be
    assert_false(zs_start_disproves(&report, 0x100000005, then));
    assert_true(zs_start_disproves(&report, 0x100000005, then + 1));
    report.since = 0x100000003; // nobody has counted what lies before into that clock
    assert_false(zs_start_disproves(&report, 0x100000003, later));
    assert_true(zs_start_disproves(&report, 0x100000004, later));
}

static void zxids_that_are_given_twice_are_a_gap(void **state) {
    (void)state;
    struct zs_start_facts f = facts();
    f.report.applied = 0x100000020;
    assert_int_equal(decide(f).verdict, ZS_START_WAIT);
    assert_true(decide(f).behind);
    f.rollback = (struct zs_rollback){.history = OURS, .zxid = 0x100000009};
    struct zs_start start = decide(f);
    assert_int_equal(start.verdict, ZS_START_GAP);
    assert_non_null(strstr(start.reason, "zoospan history renew"));
    f.bounds.last = 0x100000030; // the new txns have passed the destination
    assert_int_equal(decide(f).verdict, ZS_START_GAP);
    f.report.need = ZS_NEED_IMAGE;
    f.report.takes_images = true;
    assert_int_equal(decide(f).verdict, ZS_START_GAP);
    f.history = THEIRS; // a new one
    assert_int_equal(decide(f).verdict, ZS_START_IMAGE);
    f = facts();
    f.rollback = (struct zs_rollback){.history = OURS, .zxid = 0x100000009};
    assert_int_equal(decide(f).verdict, ZS_START_AT); // the destination was put back, too
}

static void an_image_waits_for_a_server_that_is_behind(void **state) {
    (void)state;
    struct zs_start_facts f = facts();
    f.report.need = ZS_NEED_IMAGE;
    f.report.takes_images = true;
    assert_int_equal(decide(f).verdict, ZS_START_IMAGE);
    f.report.applied = f.bounds.last + 1;
    assert_true(decide(f).behind);
}

static void resumes_behind_what_the_broker_took_unless_asked_back(void **state) {
    (void)state;
    struct zs_start_facts f = facts();
    f.resumes = true;
    f.confirmed = (struct zs_checkpoint){.zxid = 0x100000008, .clock = 99};
    assert_int_equal(decide(f).at.zxid, 0x100000008);
    assert_int_equal(decide(f).at.clock, 99);
    f.report.need = ZS_NEED_FROM;
    assert_int_equal(decide(f).at.zxid, 0x100000005);
    f = facts();
    f.resumes = true;
    f.confirmed = (struct zs_checkpoint){.zxid = 0x100000003, .clock = 11}; // the destination is further
    assert_int_equal(decide(f).at.zxid, 0x100000005);
}

static void the_confirmed_prefix_has_no_holes(void **state) {
    (void)state;
    struct zs_window window;
    const struct zs_checkpoint from = {.zxid = 10};
    zs_window_reset(&window, 4, &from);
    for (int i = 1; i <= 4; i++) {
        const struct zs_checkpoint last = {.zxid = 10 + i};
        assert_false(zs_window_full(&window));
        zs_window_push(&window, (uint64_t)i, &last);
    }
    assert_true(zs_window_full(&window));
    assert_true(zs_window_settle(&window, 2, false, true));
    assert_int_equal(window.confirmed.zxid, 10); // 1 is still out
    assert_true(zs_window_settle(&window, 1, false, true));
    assert_int_equal(window.confirmed.zxid, 12);
    assert_false(zs_window_settle(&window, 1, false, true)); // said twice
    assert_true(zs_window_settle(&window, 4, true, true));
    assert_int_equal(window.confirmed.zxid, 14);
    assert_int_equal(window.count, 0);
    assert_false(window.refused);
}

static void nothing_behind_a_refused_batch_counts(void **state) {
    (void)state;
    struct zs_window window;
    const struct zs_checkpoint from = {.zxid = 10};
    zs_window_reset(&window, 64, &from);
    for (int round = 0; round < 3; round++) { // the ring goes round
        for (int i = 0; i < 40; i++) {
            const struct zs_checkpoint last = {.zxid = 100 * round + i};
            zs_window_push(&window, (uint64_t)(100 * round + i), &last);
        }
        if (round < 2)
            zs_window_settle(&window, (uint64_t)(100 * round + 39), true, true);
    }
    assert_int_equal(window.confirmed.zxid, 139);
    zs_window_settle(&window, 201, false, false);
    zs_window_settle(&window, 239, true, true);
    assert_true(window.refused);
    assert_int_equal(window.count, 0);
    assert_int_equal(window.confirmed.zxid, 200);
}

static int64_t oldest(const struct zs_trail *trail) {
    const struct zs_trail_step *step = zs_trail_oldest(trail);
    return step ? step->time_ms : -1;
}

static void the_oldest_txn_that_is_not_reported_sets_the_lag(void **state) {
    (void)state;
    struct zs_trail trail = {0};
    zs_trail_begin(&trail, 10);
    assert_int_equal(oldest(&trail), -1);
    zs_trail_pass(&trail, 10, 11, 1000, false); // nothing of it is carried
    assert_int_equal(oldest(&trail), -1);
    zs_trail_pass(&trail, 11, 12, 1100, true);
    zs_trail_pass(&trail, 12, 20, 1500, true);
    zs_trail_pass(&trail, 11, 12, 1900, true); // sent again: no younger for it
    assert_int_equal(oldest(&trail), 1100);
    zs_trail_reach(&trail, 15);
    assert_int_equal(oldest(&trail), 1500);
    zs_trail_reach(&trail, 20);
    assert_int_equal(oldest(&trail), -1);
    assert_int_equal(trail.known, 20);
}

static void what_was_not_seen_is_not_taken_for_nothing(void **state) {
    (void)state;
    struct zs_trail trail = {0};
    zs_trail_begin(&trail, 10);
    zs_trail_pass(&trail, 15, 16, 1000, true); // what lies between is not known
    assert_int_equal(trail.known, 10);
    zs_trail_pass(&trail, 10, 15, 900, false);
    zs_trail_pass(&trail, 15, 16, 1000, true);
    zs_trail_reach(&trail, 30); // further than was looked
    assert_int_equal(trail.known, 30);
    zs_trail_pass(&trail, 30, 31, 2000, true);
    zs_trail_reach(&trail, 12); // the destination was put back
    assert_int_equal(trail.known, 12);
    assert_int_equal(oldest(&trail), -1);
}

static void a_long_trail_is_thinned_out_and_keeps_its_oldest(void **state) {
    (void)state;
    enum { TXNS = 100 * ZS_TRAIL_MAX };
    struct zs_trail trail = {0};
    zs_trail_begin(&trail, 0);
    for (int i = 1; i <= TXNS; i++)
        zs_trail_pass(&trail, i - 1, i, 1000 + i, true);
    assert_int_equal(oldest(&trail), 1001);
    assert_int_equal(trail.known, TXNS);
    for (int at = 1000; at < TXNS - ZS_TRAIL_MAX; at += 1000) {
        zs_trail_reach(&trail, at);
        assert_in_range(oldest(&trail), 1001 + at, 1001 + at + 2 * TXNS / ZS_TRAIL_MAX);
    }
    zs_trail_reach(&trail, TXNS);
    assert_int_equal(oldest(&trail), -1);
}

// --- lexicon ---------------------------------------------------------------------------------------------------------

// Learns that many bytes, which differ from call to call.
static void teach(struct zs_lexicon *lexicon, size_t bytes) {
    static uint64_t seed;
    for (size_t i = 0; i < bytes; i += 1024) {
        char text[1025];
        for (size_t at = 0; at < 1024; at += 16)
            snprintf(text + at, 17, "%016llx", (unsigned long long)seed++);
        zs_lexicon_learn(lexicon, (struct zs_slice){(const uint8_t *)text, 1024});
    }
}

static uint32_t send_due(struct zs_lexicon *lexicon) {
    const struct zs_dictionary *due = zs_lexicon_due(lexicon);
    uint32_t id = due ? due->id : 0;
    if (due)
        zs_lexicon_sent(lexicon);
    return id;
}

static void a_dictionary_is_sent_until_the_destination_names_it(void **state) {
    (void)state;
    struct zs_lexicon lexicon = {.wanted = false};
    struct zs_report report = {.takes_dictionaries = true};
    teach(&lexicon, 1 << 20);
    assert_int_equal(send_due(&lexicon), 0); // who knows whether it is wanted
    zs_lexicon_hear(&lexicon, &report);
    teach(&lexicon, ZS_DICTIONARY_BYTES_MAX - 1024);
    assert_int_equal(send_due(&lexicon), 0);
    teach(&lexicon, 1024);
    uint32_t id = send_due(&lexicon);
    assert_int_not_equal(id, 0);
    assert_int_equal(send_due(&lexicon), 0);
    teach(&lexicon, 65536);
    assert_int_equal(send_due(&lexicon), id); // once more
    assert_null(zs_lexicon_used(&lexicon));
    report.dictionary_count = 2;
    report.dictionaries[0] = id + 1;
    report.dictionaries[1] = id;
    zs_lexicon_hear(&lexicon, &report);
    assert_int_equal(zs_lexicon_used(&lexicon)->id, id);
    teach(&lexicon, 48 * 1024);
    assert_int_equal(send_due(&lexicon), 0);
    zs_lexicon_hear(&lexicon, &(struct zs_report){.takes_dictionaries = false});
    assert_null(zs_lexicon_used(&lexicon));
}

static void a_dictionary_is_renewed_while_the_old_one_is_in_use(void **state) {
    (void)state;
    struct zs_lexicon lexicon = {.wanted = false};
    struct zs_report report = {.takes_dictionaries = true, .dictionary_count = 1};
    zs_lexicon_hear(&lexicon, &report);
    teach(&lexicon, ZS_DICTIONARY_BYTES_MAX);
    uint32_t first = report.dictionaries[0] = send_due(&lexicon);
    zs_lexicon_hear(&lexicon, &report);
    teach(&lexicon, 64 * 1024);
    assert_int_equal(send_due(&lexicon), 0);
    teach(&lexicon, ZS_DICTIONARY_BYTES_MAX);
    uint32_t second = send_due(&lexicon);
    assert_int_not_equal(second, 0);
    assert_int_not_equal(second, first);
    assert_int_equal(zs_lexicon_used(&lexicon)->id, first);
    report.dictionary_count = 2;
    report.dictionaries[1] = second;
    zs_lexicon_hear(&lexicon, &report);
    assert_int_equal(zs_lexicon_used(&lexicon)->id, second);
    teach(&lexicon, 128 * 1024);
    assert_int_equal(send_due(&lexicon), 0); // less and less often
    report.dictionary_count = 1;             // the second is lost there
    zs_lexicon_hear(&lexicon, &report);
    assert_null(zs_lexicon_used(&lexicon));
    assert_int_equal(send_due(&lexicon), second);
}

static void batches_grow_as_the_way_fills(void **state) {
    (void)state;
    static struct zs_way way;
    int64_t last = 0, now = 1000000;
    assert_int_equal(zs_way_rest_ms(&way, now), ZS_REST_MS);
    zs_way_reported(&way, 0, now);
    // A round trip of half a second with 450 batches a second.
    for (int second = 0; second < 100; second++) {
        for (int i = 0; i < 450; i++)
            zs_way_left(&way, ++last);
        now += 1000;
        assert_int_equal(zs_way_rest_ms(&way, now), ZS_REST_MS);
        zs_way_reported(&way, last - 225, now);
    }
    // Reports tell that little of what leaves gets through.
    int64_t rest = 0;
    for (int more = 0; more < 1024; more += 128) {
        for (int i = 0; i < 128; i++)
            zs_way_left(&way, ++last);
        zs_way_reported(&way, 0, now);
        assert_true(zs_way_rest_ms(&way, now) >= rest);
        rest = zs_way_rest_ms(&way, now);
    }
    assert_int_equal(rest, ZS_REST_MAX_MS);
    for (int i = 0; i < 5000; i++) // more than it can count
        zs_way_left(&way, ++last);
    zs_way_reported(&way, last - 1, now);
    assert_int_equal(way.count, 1); // the newest place stands for them all
    zs_way_reported(&way, last, now);
    assert_int_equal(zs_way_rest_ms(&way, now), ZS_REST_MS);
}

static void who_reports_nothing_has_got_nothing(void **state) {
    (void)state;
    static struct zs_way way;
    int64_t now = 1000000;
    for (int i = 0; i < 10; i++)
        zs_way_reported(&way, 0, now += 3000); // as seldom as the option says
    for (int64_t last = 1; last <= 1024; last++)
        zs_way_left(&way, last);
    for (int i = 0; i < 10; i++)
        zs_way_left(&way, 5); // sent again
    assert_int_equal(way.count, 1024);
    assert_int_equal(zs_way_rest_ms(&way, now + 6000), ZS_REST_MS);
    assert_int_equal(zs_way_rest_ms(&way, now + 7000), ZS_REST_MAX_MS);
    zs_way_reported(&way, 0, now += 3600 * 1000); // after an outage
    assert_int_equal(zs_way_rest_ms(&way, now + 60000), ZS_REST_MAX_MS);
    zs_way_reset(&way);
    assert_int_equal(zs_way_rest_ms(&way, now), ZS_REST_MS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_grow_as_the_way_fills),
        cmocka_unit_test(who_reports_nothing_has_got_nothing),
        cmocka_unit_test(starts_behind_what_is_applied),
        cmocka_unit_test(waits_for_what_it_does_not_know),
        cmocka_unit_test(a_new_destination_needs_the_beginning),
        cmocka_unit_test(a_destination_that_was_wiped_needs_an_image),
        cmocka_unit_test(a_destination_that_begins_with_what_was_sent_to_its_former_life_needs_an_image),
        cmocka_unit_test(another_history_is_a_gap),
        cmocka_unit_test(a_txn_later_than_the_clock_at_its_place_is_of_another_life),
        cmocka_unit_test(zxids_that_are_given_twice_are_a_gap),
        cmocka_unit_test(an_image_waits_for_a_server_that_is_behind),
        cmocka_unit_test(resumes_behind_what_the_broker_took_unless_asked_back),
        cmocka_unit_test(the_confirmed_prefix_has_no_holes),
        cmocka_unit_test(nothing_behind_a_refused_batch_counts),
        cmocka_unit_test(the_oldest_txn_that_is_not_reported_sets_the_lag),
        cmocka_unit_test(what_was_not_seen_is_not_taken_for_nothing),
        cmocka_unit_test(a_long_trail_is_thinned_out_and_keeps_its_oldest),
        cmocka_unit_test(a_dictionary_is_sent_until_the_destination_names_it),
        cmocka_unit_test(a_dictionary_is_renewed_while_the_old_one_is_in_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
