// Whether an image may be sent yet: what is waited for, whose turn it is, and what is given up.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "zs_ready.h"

static const struct zs_history OURS = {{1}}, BJS = {{2}};

struct scene {
    struct zs_report report;
    struct zs_marker marker;
    struct zs_position vector[2];
    struct zs_ready_facts facts;
    char reason[400];
};

// sh has all that bj wants to see in the image: its own writes up to 0x9, and gz up to 0x50.
static void set(struct scene *s, const char *origin, const char *destination) {
    *s = (struct scene){
        .report = {.history = OURS,
                   .applied = 0x100,
                   .need = ZS_NEED_IMAGE,
                   .fence = 0x9,
                   .other_count = 2,
                   .others = {{"gz", 0x50}, {"nowhere", 0x7}}},
        .marker = {.history = BJS, .zxid = 0x9},
        .vector = {{"gz", 0x50}},
        .facts = {.origin = origin, .history = OURS, .zxid = 0x100, .vector_count = 1},
    };
    memcpy(s->report.destination, destination, strlen(destination));
    s->facts.report = &s->report;
    s->facts.marker = &s->marker;
    s->facts.vector = s->vector;
}

static enum zs_ready decide(struct scene *s) {
    return zs_ready_decide(&s->facts, s->reason, sizeof s->reason);
}

static void an_exact_image_goes_at_once(void **state) {
    (void)state;
    struct scene s;
    set(&s, "sh", "bj");
    assert_int_equal(decide(&s), ZS_READY_SEND);
    assert_string_equal(s.reason, "");
}

static void what_was_written_before_the_wish_is_waited_for(void **state) {
    (void)state;
    struct scene s;
    set(&s, "sh", "bj");
    s.marker.zxid = 0x8;
    assert_int_equal(decide(&s), ZS_READY_WAIT);
    assert_non_null(strstr(s.reason, "0x9, is at 0x8"));
    s.facts.late = true;
    assert_int_equal(decide(&s), ZS_READY_SEND_LACKING);
    assert_non_null(strstr(s.reason, "0x9, is at 0x8"));
}

// This site was wiped: what it lacks deletes nothing there, and what its clients have written is awaited.
static void an_image_of_another_history_waits_for_nothing(void **state) {
    (void)state;
    struct scene s;
    set(&s, "sh", "bj");
    s.report.history = (struct zs_history){{9}};
    s.report.applied = 0x10000;
    s.vector[0].zxid = 0x1;
    s.marker = (struct zs_marker){.image = true};
    assert_int_equal(decide(&s), ZS_READY_SEND);
}

// The destination was wiped: what this site has of it is of its earlier life, whose zxids say nothing of this
// one.
static void a_marker_of_an_earlier_life_says_nothing(void **state) {
    (void)state;
    struct scene s;
    set(&s, "sh", "bj");
    s.marker.zxid = 0x8;
    s.report.own = (struct zs_history){{9}};
    assert_int_equal(decide(&s), ZS_READY_SEND);
    s.report.own = BJS;
    assert_int_equal(decide(&s), ZS_READY_WAIT);
}

// Who follows the destination not, or has nothing of it, has nothing to wait for.
static void a_marker_that_knows_no_history_says_nothing(void **state) {
    (void)state;
    struct scene s;
    set(&s, "sh", "bj");
    s.marker = (struct zs_marker){.zxid = 0x3};
    assert_int_equal(decide(&s), ZS_READY_SEND);
    s.facts.marker = NULL;
    assert_int_equal(decide(&s), ZS_READY_SEND);
}

static void other_sites_are_waited_for_if_this_one_follows_them(void **state) {
    (void)state;
    struct scene s;
    set(&s, "sh", "bj");
    s.vector[0].zxid = 0x4f;
    assert_int_equal(decide(&s), ZS_READY_WAIT);
    assert_non_null(strstr(s.reason, "gz (0x50, is at 0x4f)"));
    s.marker.zxid = 0x8;
    s.facts.late = true;
    assert_int_equal(decide(&s), ZS_READY_SEND_LACKING);
    assert_non_null(strstr(s.reason, "0x9, is at 0x8"));
    assert_non_null(strstr(s.reason, "gz (0x50, is at 0x4f)"));
    assert_null(strstr(s.reason, "nowhere"));
    s.facts.vector_count = 0;
    s.marker.zxid = 0x9;
    assert_int_equal(decide(&s), ZS_READY_SEND);
}

static void a_tree_behind_the_destination_waits_without_limit(void **state) {
    (void)state;
    struct scene s;
    set(&s, "sh", "bj");
    s.facts.zxid = 0xff;
    s.facts.late = s.facts.still = true;
    assert_int_equal(decide(&s), ZS_READY_NOT_YET);
    assert_non_null(strstr(s.reason, "0x100"));
    s.report.history = BJS; // of another history: its zxids say nothing here
    assert_int_equal(decide(&s), ZS_READY_SEND);
    s.report.history = OURS;
    s.facts.zxid = -1; // before the walk
    assert_int_equal(decide(&s), ZS_READY_SEND);
}

static void of_two_that_need_an_image_the_first_by_name_sends_first(void **state) {
    (void)state;
    struct scene s;
    set(&s, "bj", "sh");
    s.marker.image = true;
    s.marker.zxid = 0x1; // not the fence: sh writes nothing of bj's before it has its image
    assert_int_equal(decide(&s), ZS_READY_SEND);
    s.vector[0].zxid = 0x4f; // but what others wrote
    assert_int_equal(decide(&s), ZS_READY_WAIT);

    set(&s, "sh", "bj");
    s.marker.image = true;
    s.facts.late = true;
    assert_int_equal(decide(&s), ZS_READY_NOT_YET);
    s.facts.still = true;
    assert_int_equal(decide(&s), ZS_READY_SEND_LACKING);
    assert_non_null(strstr(s.reason, "image"));
    s.marker.image = false;
    assert_int_equal(decide(&s), ZS_READY_SEND);
}

static void a_long_list_is_cut_and_not_more(void **state) {
    (void)state;
    struct scene s;
    static struct zs_position far[ZS_VECTOR_MAX];
    set(&s, "sh", "bj");
    s.report.other_count = s.facts.vector_count = ZS_VECTOR_MAX;
    for (int i = 0; i < ZS_VECTOR_MAX; i++) {
        s.report.others[i] = (struct zs_position){"a-long-name-000", INT64_MAX};
        s.report.others[i].site[14] = (char)('a' + i % 26);
        far[i] = s.report.others[i];
        far[i].zxid = 1;
    }
    s.facts.vector = far;
    assert_int_equal(decide(&s), ZS_READY_WAIT);
    assert_in_range(strlen(s.reason), 200, sizeof s.reason - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_exact_image_goes_at_once),
        cmocka_unit_test(what_was_written_before_the_wish_is_waited_for),
        cmocka_unit_test(an_image_of_another_history_waits_for_nothing),
        cmocka_unit_test(a_marker_of_an_earlier_life_says_nothing),
        cmocka_unit_test(a_marker_that_knows_no_history_says_nothing),
        cmocka_unit_test(other_sites_are_waited_for_if_this_one_follows_them),
        cmocka_unit_test(a_tree_behind_the_destination_waits_without_limit),
        cmocka_unit_test(of_two_that_need_an_image_the_first_by_name_sends_first),
        cmocka_unit_test(a_long_list_is_cut_and_not_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
