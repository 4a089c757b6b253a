// A connected link, turn by turn, with a broker, a clock and a walk that do what the test says.
#ifndef ZS_TEST_LINK_SCENE_H
#define ZS_TEST_LINK_SCENE_H

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
#include <stdio.h>
#include <string.h>

#include "zs_link.h"

static const struct zs_history OURS = {{1}}, BJS = {{2}}, NEW = {{3}};
enum { CLIENT = 0x1111, APPLIER = 0x2222, SET_DATA = 5 };
static const int64_t BASE = 0x100000000, TIME_MS = 1700000000000;

struct sent {
    struct zs_batch batch;
    bool fleeting;
};

struct scene {
    struct zs_sender s;
    struct zs_log log;
    struct zs_arena *arena;
    struct zs_buffer report; // on its way to the link
    bool confirms, refuses;  // ... or refuses, what it is sent
    uint64_t tag, confirmed;
    struct sent newest;
    int batches, seen; // so many in all; so many with SEEN
    int64_t now;
    char logged[4096];
    int64_t written; // by this site's applier: the walk's HEAD tells; 0: nothing
    struct zs_history written_for;
    const char *written_site;
    int64_t restored; // as the walk's HEAD tells
    bool tree_has_no_history;
};
extern struct scene scene;

bool scene_logged(const char *text);
struct zs_report scene_report_at(int64_t zxid);
struct zs_report scene_wish_for(const char *path);
void scene_tell(const struct zs_report *report);
void scene_turn(void);
void scene_offer(int64_t zxid, int64_t session, int64_t time_ms, const char *path, size_t data_len);
int scene_set_up_as(const char *origin);
int scene_set_up(void **state);
int scene_tear_down(void **state);
bool scene_walk_is_wanted(struct zs_image_wish *wish);
bool scene_put_head(const struct zs_image_wish *wish, int64_t zxid, const struct zs_marker *marker);
bool scene_put_nodes(const struct zs_image_wish *wish, int count, size_t data_len);
bool scene_put_end(const struct zs_image_wish *wish);
bool scene_put_broken_off(const struct zs_image_wish *wish, uint8_t kind, const char *why);
const struct zs_record *scene_record_of(enum zs_record_type type);
void scene_send_image(const char *path);
// A walk as of that zxid, all of it; its batch is not confirmed.
void scene_walk(const struct zs_report *wishes, int64_t zxid);
// As far as the walk's HEAD, which has this site's marker as the watch told it.
void scene_begin_image(const char *path, struct zs_image_wish *wish);

#define SCENE_TEST(name) cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)

int run_image_tests(void); // test_link_images.c

#endif
