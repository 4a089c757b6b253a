// The clock never runs backwards along cause and effect, and stamps are a total order.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "zs_stamp.h"

static void follows_the_wall(void **state) {
    (void)state;
    assert_int_equal(zs_clock_local(0, 1000), (zs_clock)1000 << 16);
    assert_int_equal(zs_clock_local((zs_clock)1000 << 16, 1001), (zs_clock)1001 << 16);
    assert_int_equal(zs_clock_ms(((zs_clock)1001 << 16) + 77), 1001);
}

static void ticks_when_the_wall_stands_or_steps_back(void **state) {
    (void)state;
    zs_clock clock = (zs_clock)1000 << 16;
    assert_int_equal(zs_clock_local(clock, 1000), clock + 1);
    assert_int_equal(zs_clock_local(clock, 10), clock + 1);
    assert_int_equal(zs_clock_local(clock, -5), clock + 1);
}

static void a_full_counter_carries_into_the_milliseconds(void **state) {
    (void)state;
    zs_clock clock = ((zs_clock)1000 << 16) + 0xffff;
    assert_int_equal(zs_clock_local(clock, 1000), (zs_clock)1001 << 16);
}

static void mad_times_do_not_wrap(void **state) {
    (void)state;
    zs_clock far = zs_clock_local(5, INT64_MAX);
    assert_int_equal(far, UINT64_MAX - 0xffff);
    assert_int_equal(zs_clock_local(far, 1), far + 1);
    assert_int_equal(zs_clock_local(UINT64_MAX, 1), UINT64_MAX);
    assert_int_equal(zs_clock_local(0, INT64_MIN), 1);
}

static void a_marker_only_lifts(void **state) {
    (void)state;
    assert_int_equal(zs_clock_foreign(10, 20), 20);
    assert_int_equal(zs_clock_foreign(20, 10), 20);
    assert_true(zs_clock_local(zs_clock_foreign(10, (zs_clock)9999 << 16), 1) > (zs_clock)9999 << 16);
}

static void stamps_compare_by_clock_site_zxid_op(void **state) {
    (void)state;
    const struct zs_stamp rising[] = {
        {1, "sh", 9, 9}, {2, "bj", 9, 9},  {2, "sh", 1, 9},         {2, "sh", 2, 0},
        {2, "sh", 2, 1}, {2, "sha", 0, 0}, {UINT64_MAX, "a", 0, 0},
    };
    enum { COUNT = sizeof rising / sizeof *rising };
    for (int a = 0; a < COUNT; a++) {
        for (int b = 0; b < COUNT; b++) {
            int order = zs_stamp_compare(&rising[a], &rising[b]);
            assert_int_equal((order > 0) - (order < 0), (a > b) - (a < b));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_wall),
        cmocka_unit_test(ticks_when_the_wall_stands_or_steps_back),
        cmocka_unit_test(a_full_counter_carries_into_the_milliseconds),
        cmocka_unit_test(mad_times_do_not_wrap),
        cmocka_unit_test(a_marker_only_lifts),
        cmocka_unit_test(stamps_compare_by_clock_site_zxid_op),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
