// The applier dies while it takes an image: it is asked for anew, sent again, and the tree is right.
#include "live_image.h"

#include <stdlib.h>
#include <string.h>

int run_image_fault_tests(void);

#ifdef ZS_FAILPOINTS
enum { NODES = 12 };

static void begin_tree(struct live *live) {
    live_start_applier(live, 0);
    live_publish(live, (struct zs_op[]){live_create(live_path("%s/dir", live->root), "")}, 1);
    live_expect_applied(live);
    assert_int_equal(live_stop_applier(live, 0), 0);
}

// What the origin's tree has in round `round`: new data everywhere, other names, and a part of the last one's is gone.
static int64_t send_image(struct live *live, int round) {
    char data[16];
    struct image image = image_new(live, image_site_zxid(live));
    snprintf(data, sizeof data, "%d", round);
    image_begin(&image);
    image_put(&image, live->root, data);
    image_put(&image, live_path("%s/dir", live->root), data);
    for (int i = 0; i < NODES; i++) {
        if (i % 4 == 3)
            image_cut(&image);
        image_put(&image, live_path("%s/dir/r%d-n%02d", live->root, round / 2, i), data);
    }
    image_end(&image);
    return image.zxid;
}

static void expect_tree(struct live *live, int round) {
    char data[16];
    struct String_vector names;
    snprintf(data, sizeof data, "%d", round);
    live_expect_data(live, live->root, data);
    live_expect_data(live, live_path("%s/dir", live->root), data);
    assert_int_equal(zoo_get_children(live->zk, live_path("%s/dir", live->root), 0, &names), ZOK);
    assert_int_equal(names.count, NODES);
    deallocate_String_vector(&names);
    for (int i = 0; i < NODES; i++)
        live_expect_data(live, live_path("%s/dir/r%d-n%02d", live->root, round / 2, i), data);
}

static void start_to_die(struct live *live, const char *point) {
    setenv("ZOOSPAN_FAILPOINTS", point, 1);
    live_start_applier(live, 0);
    unsetenv("ZOOSPAN_FAILPOINTS");
}

// As an origin does: sends an image when one is asked for. The broker gives the dead applier's image to the new one as well,
// which may take that before it asks, or instead of what is sent then.
static void take_it_anew(struct live *live, int64_t started_ms, int64_t before, int round) {
    enum { SENT_MS = 2000, WAIT_MS = 90000 };
    struct zs_report report;
    int64_t heard_ms = started_ms; // what was said earlier is nothing new
    do {
        assert_true(zs_wall_ms() < started_ms + WAIT_MS);
        live_next_report(live, &report);
        if (report.need != ZS_NEED_IMAGE || report.image_run || report.time_ms < heard_ms)
            continue;
        assert_string_equal(report.image_path, "/");
        assert_true(report.fence > 0);
        send_image(live, round);
        heard_ms = zs_wall_ms() + SENT_MS;
    } while (report.need != ZS_NEED_NONE || report.applied <= before);
    live_go_back(live, report.applied);
}

static void die_and_take_it_anew(struct live *live, const char *point, int round) {
    bool before_wish = strstr(point, "wish") != NULL, after_end = strstr(point, "ended") != NULL;
    struct zs_report report;
    struct zs_marker marker;
    struct Stat stat;
    const int64_t before = live->zxid;
    int64_t at = before;
    start_to_die(live, point);
    image_broken(live, before);
    if (!before_wish) {
        image_expect_wish(live, "/", &report);
        at = send_image(live, round);
    }
    live_expect_death(live, 0);
    image_expect_marker(live, &marker, &stat);
    assert_int_equal(marker.image, !before_wish && !after_end);
    assert_int_equal(marker.zxid == at, before_wish || after_end);
    const int64_t started_ms = zs_wall_ms();
    live_start_applier(live, 0);
    if (before_wish)
        image_broken(live, before); // the origin says so with each sign of life
    if (after_end)
        image_expect_taken(live, at);
    else
        take_it_anew(live, started_ms, before, round);
    expect_tree(live, round);
    live_publish(live, (struct zs_op[]){live_set(live_path("%s/dir", live->root), "by the stream")}, 1);
    live_expect_applied(live);
    live_expect_data(live, live_path("%s/dir", live->root), "by the stream");
    assert_int_equal(live_stop_applier(live, 0), 0);
}

static void killed_at_every_step_of_an_image(void **state) {
    static const char *const points[] = {"applier_image_wish=kill:1",   "applier_image_submit=kill:1",
                                         "applier_image_submit=kill:3", "applier_image_landed=kill:1",
                                         "applier_image_landed=kill:3", "applier_image_end=kill:1",
                                         "applier_image_ended=kill:1"};
    struct live *live = *state;
    size_t len = strlen(live->extra);
    snprintf(live->extra + len, sizeof live->extra - len, "zoospan.multi_ops_max = 2\nzoospan.depth = 2\n");
    begin_tree(live);
    for (int i = 0; i < (int)(sizeof points / sizeof *points); i++)
        die_and_take_it_anew(live, points[i], i);
}
#endif

int run_image_fault_tests(void) {
#ifdef ZS_FAILPOINTS
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(killed_at_every_step_of_an_image, image_setup, live_teardown),
    };
    return cmocka_run_group_tests_name("images: faults", tests, NULL, NULL);
#else
    return 0;
#endif
}
