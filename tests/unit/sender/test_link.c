// A connected link, turn by turn, with a broker, a clock and a walk that do what the test says.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "zs_link.h"

static const struct zs_history OURS = {{1}}, BJS = {{2}}, NEW = {{3}};
enum { CLIENT = 0x1111, APPLIER = 0x2222, SET_DATA = 5 };
static const int64_t BASE = 0x100000000, TIME_MS = 1700000000000;

// --- what the link sees ----------------------------------------------------------------------------------------------

struct sent {
    struct zs_batch batch;
    bool fleeting;
};

static struct {
    struct zs_sender s;
    struct zs_log log;
    struct zs_arena *arena;
    struct zs_buffer report; // on its way to the link
    bool confirms;
    uint64_t tag, confirmed;
    struct sent newest;
    int batches, seen; // so many in all; so many with SEEN
    int64_t now;
    char logged[4096];
} f;

int64_t __wrap_zs_mono_ms(void);
int64_t __wrap_zs_mono_ms(void) {
    return f.now;
}

bool __wrap_zs_amqp_next(struct zs_amqp *amqp, size_t body_max, struct zs_amqp_event *event,
                         struct zs_error *e);
bool __wrap_zs_amqp_next(struct zs_amqp *amqp, size_t body_max, struct zs_amqp_event *event,
                         struct zs_error *e) {
    (void)body_max, (void)e;
    *event = (struct zs_amqp_event){.type = ZS_AMQP_NONE};
    if (amqp == f.s.topology.publisher && f.confirms && f.confirmed < f.tag) {
        event->type = ZS_AMQP_CONFIRM;
        event->tag = ++f.confirmed;
    } else if (amqp == f.s.topology.feedback && f.report.len > 0) {
        event->type = ZS_AMQP_DELIVERY;
        event->body = (struct zs_slice){f.report.at, f.report.len};
        zs_buffer_clear(&f.report);
    }
    return true;
}

bool __wrap_zs_amqp_ack(struct zs_amqp *amqp, uint64_t tag, bool multiple, struct zs_error *e);
bool __wrap_zs_amqp_ack(struct zs_amqp *amqp, uint64_t tag, bool multiple, struct zs_error *e) {
    (void)amqp, (void)tag, (void)multiple, (void)e;
    return true;
}

bool __wrap_zs_topology_publish(struct zs_topology *topology, const struct zs_link_names *names,
                                const struct zs_outgoing *outgoing, uint64_t *tag, struct zs_error *e);
bool __wrap_zs_topology_publish(struct zs_topology *topology, const struct zs_link_names *names,
                                const struct zs_outgoing *outgoing, uint64_t *tag, struct zs_error *e) {
    (void)topology, (void)names, (void)e;
    const struct zs_batch_limits limits = {2 << 20, 2 << 20, 10000};
    struct zs_error bad = {0};
    zs_arena_reset(f.arena);
    if (!zs_batch_decode(outgoing->message.at, outgoing->message.len, &limits, f.arena, &f.newest.batch,
                         &bad))
        fail_msg("%s", bad.text);
    f.newest.fleeting = outgoing->fleeting;
    f.batches++;
    for (uint32_t i = 0; i < f.newest.batch.head.records; i++)
        f.seen += f.newest.batch.records[i].type == ZS_RECORD_SEEN;
    *tag = ++f.tag;
    return true;
}

static void log_line(void *context, enum zs_level level, const char *text) {
    (void)context, (void)level;
    size_t used = strlen(f.logged);
    snprintf(f.logged + used, sizeof f.logged - used, "%s\n", text);
}

static bool logged(const char *text) {
    bool found = strstr(f.logged, text);
    f.logged[0] = '\0';
    return found;
}

// --- the scene -------------------------------------------------------------------------------------------------------

static struct zs_report report_at(int64_t zxid) {
    struct zs_report report = {.origin = "sh",
                               .destination = "bj",
                               .history = OURS,
                               .applied = zxid,
                               .clock = (zs_clock)TIME_MS << 16,
                               .takes_images = true};
    return report;
}

static struct zs_report wish_for(const char *path) {
    struct zs_report report = report_at(BASE + 2);
    report.need = ZS_NEED_IMAGE;
    snprintf(report.image_path, sizeof report.image_path, "%s", path);
    return report;
}

static void tell(const struct zs_report *report) {
    struct zs_error e;
    assert_true(zs_report_encode(report, &f.report, &e));
}

static void turn(void) {
    struct zs_error e = {0};
    bool more = true;
    for (int i = 0; (more || (f.confirms && f.confirmed < f.tag)) && i < 100; i++) {
        more = false;
        if (!zs_link_turn(&f.s, &more, &e))
            fail_msg("%s", e.text);
    }
}

static void offer(int64_t zxid, int64_t session, int64_t time_ms, const char *path, size_t data_len) {
    struct zs_buffer txn;
    static const char data[100000];
    zs_buffer_init(&txn, 1 << 20);
    zs_put_u64(&txn, (uint64_t)session);
    zs_put_u32(&txn, 1);
    zs_put_u64(&txn, (uint64_t)zxid);
    zs_put_u64(&txn, (uint64_t)time_ms);
    zs_put_u32(&txn, SET_DATA);
    zs_put_u32(&txn, (uint32_t)strlen(path));
    zs_put_bytes(&txn, path, strlen(path));
    zs_put_u32(&txn, (uint32_t)data_len);
    zs_put_bytes(&txn, data, data_len);
    zs_put_u32(&txn, 1);
    assert_true(zs_backlog_offer(f.s.backlog, zxid, txn.at, txn.len));
    zs_buffer_free(&txn);
}

static int set_up_as(const char *origin) {
    struct zs_error e = {0};
    memset(&f, 0, sizeof f);
    struct zs_sender *s = &f.s;
    f.now = 1000000;
    f.confirms = true;
    f.log = (struct zs_log){.write = log_line, .level = ZS_LEVEL_INFO};
    f.arena = zs_arena_new(64 << 20);
    zs_buffer_init(&f.report, 1 << 16);
    s->settings = (struct zs_sender_settings){
        .destination = "bj",
        .filter = zs_filter_new("", "/private", &e),
        .images = zs_images_new(&e),
        .window_batches = 4,
        .batch_txns_max = 100,
        .batch_bytes_max = 8192,
        .txn_bytes_max = 1 << 20,
        .heartbeat_ms = 1000,
        .retry_min_ms = 100,
        .retry_max_ms = 1000,
    };
    snprintf(s->settings.origin, sizeof s->settings.origin, "%s", origin);
    zs_link_names(s->settings.origin, s->settings.destination, &s->names);
    s->log = &f.log;
    s->backlog = zs_backlog_new(16 << 20, &e);
    s->reader = zs_backlog_reader_new(s->backlog, &e);
    pthread_mutex_init(&s->shared, NULL);
    s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct zs_outbound_settings outbound = {.destination = "bj",
                                            .filter = s->settings.filter,
                                            .batch_txns_max = s->settings.batch_txns_max,
                                            .batch_bytes_max = s->settings.batch_bytes_max,
                                            .txn_bytes_max = s->settings.txn_bytes_max};
    snprintf(outbound.origin, sizeof outbound.origin, "%s", origin);
    s->outbound = zs_outbound_new(&outbound, &e);
    s->image.arena = zs_arena_new(8 << 20);
    s->topology = (struct zs_topology){.publisher = (struct zs_amqp *)&f.tag,
                                       .feedback = (struct zs_amqp *)&f.confirmed};
    s->history = OURS;
    s->beginning = s->told_logs.floor = -1;
    s->serving = true;
    s->state = ZS_LINK_POSITION;
    s->has_marker = true;
    s->marker = (struct zs_marker){.history = BJS, .zxid = 0x77, .time_ms = 5};
    zs_backlog_begin(s->backlog, BASE, false);
    offer(BASE + 1, CLIENT, TIME_MS - 1000, "/a", 1);
    offer(BASE + 2, CLIENT, TIME_MS - 999, "/a", 1);
    return 0;
}

static int set_up(void **state) {
    (void)state;
    return set_up_as("sh");
}

static int tear_down(void **state) {
    (void)state;
    struct zs_sender *s = &f.s;
    zs_image_drop(s);
    zs_source_close(s);
    zs_backlog_reader_free(s->reader);
    zs_backlog_free(s->backlog);
    zs_outbound_free(s->outbound);
    zs_arena_free(s->image.arena);
    zs_arena_free(f.arena);
    zs_images_free(s->settings.images);
    zs_filter_free((struct zs_filter *)s->settings.filter);
    zs_buffer_free(&f.report);
    pthread_mutex_destroy(&s->shared);
    close(s->wake_fd);
    return 0;
}

// --- the walk --------------------------------------------------------------------------------------------------------

static void put_text(struct zs_buffer *to, const char *text) {
    zs_put_u32(to, (uint32_t)strlen(text));
    zs_put_bytes(to, text, strlen(text));
}

static bool walk_is_wanted(struct zs_image_wish *wish) {
    return zs_images_next(f.s.settings.images, 0, wish) == ZS_WISH;
}

static bool put_head(const struct zs_image_wish *wish, int64_t zxid, const struct zs_marker *marker) {
    struct zs_buffer chunk, json;
    zs_buffer_init(&chunk, 1 << 16);
    zs_buffer_init(&json, 1 << 12);
    zs_put_u8(&chunk, ZS_CHUNK_HEAD);
    zs_put_u64(&chunk, (uint64_t)zxid);
    zs_put_u64(&chunk, 1000);
    zs_put_u32(&chunk, marker != NULL);
    if (marker) {
        assert_true(zs_marker_encode(marker, &json));
        put_text(&chunk, "bj");
        zs_put_u32(&chunk, (uint32_t)json.len);
        zs_put_bytes(&chunk, json.at, json.len);
    }
    bool wanted = zs_images_put(f.s.settings.images, wish->id, chunk.at, chunk.len);
    zs_buffer_free(&chunk);
    zs_buffer_free(&json);
    return wanted;
}

static bool put_nodes(const struct zs_image_wish *wish, int count, size_t data_len) {
    struct zs_buffer chunk;
    zs_buffer_init(&chunk, 64 << 20);
    zs_put_u8(&chunk, ZS_CHUNK_NODES);
    for (int i = 0; i < count; i++) {
        char path[32];
        snprintf(path, sizeof path, "/a/%d", i);
        put_text(&chunk, path);
        zs_put_u32(&chunk, (uint32_t)data_len);
        for (size_t at = 0; at < data_len; at++)
            zs_put_u8(&chunk, (uint8_t)(at * 7));
        zs_put_u32(&chunk, 0);
        zs_put_u8(&chunk, ZS_PERSISTENT);
        zs_put_u64(&chunk, 0);
        zs_put_u64(&chunk, (uint64_t)BASE + 1);
        zs_put_u64(&chunk, (uint64_t)BASE + 1);
        zs_put_u64(&chunk, (uint64_t)TIME_MS);
    }
    bool wanted = zs_images_put(f.s.settings.images, wish->id, chunk.at, chunk.len);
    zs_buffer_free(&chunk);
    return wanted;
}

static bool put_end(const struct zs_image_wish *wish) {
    struct zs_buffer chunk;
    zs_buffer_init(&chunk, 64);
    zs_put_u8(&chunk, ZS_CHUNK_END);
    zs_put_u64(&chunk, (uint64_t)BASE + 2);
    bool wanted = zs_images_put(f.s.settings.images, wish->id, chunk.at, chunk.len);
    zs_buffer_free(&chunk);
    return wanted;
}

static const struct zs_record *record_of(enum zs_record_type type) {
    for (uint32_t i = 0; i < f.newest.batch.head.records; i++) {
        if (f.newest.batch.records[i].type == type)
            return &f.newest.batch.records[i];
    }
    return NULL;
}

static void send_image(const char *path) {
    struct zs_image_wish wish;
    const struct zs_report wishes = wish_for(path);
    tell(&wishes);
    turn();
    assert_true(walk_is_wanted(&wish));
    assert_string_equal(wish.path, path);
    assert_true(put_head(&wish, BASE + 2, &f.s.marker));
    assert_true(put_nodes(&wish, 3, 10));
    assert_true(put_end(&wish));
    turn();
}

// --- SEEN ------------------------------------------------------------------------------------------------------------

static void see_heartbeat(bool tells) {
    f.now += 1000;
    int batches = f.batches;
    turn();
    assert_int_equal(f.batches, batches + 1);
    assert_non_null(record_of(ZS_RECORD_HEARTBEAT));
    const struct zs_record *seen = record_of(ZS_RECORD_SEEN);
    assert_int_equal(seen != NULL, tells);
    if (seen) {
        assert_int_equal(seen->seen.zxid, 0x77);
        assert_true(zs_history_equal(&seen->seen.history, &BJS));
    }
}

static void heartbeats_tell_what_this_site_has_of_the_destination(void **state) {
    (void)state;
    struct zs_report report = report_at(BASE + 2);
    tell(&report);
    turn();
    assert_int_equal(f.s.state, ZS_LINK_LIVE);
    see_heartbeat(true);
    assert_true(f.newest.fleeting);
    f.s.marker.history = (struct zs_history){{0}};
    see_heartbeat(false);
    f.s.marker.history = BJS;
    f.s.has_marker = false;
    see_heartbeat(false);
    f.s.has_marker = true;
    report.takes_images = false; // of a version that would refuse the record
    tell(&report);
    see_heartbeat(false);
}

static void gap_and_snapshot_tell_it_too(void **state) {
    (void)state;
    struct zs_report report = report_at(BASE + 2);
    report.history = BJS;
    tell(&report);
    turn();
    assert_int_equal(f.s.state, ZS_LINK_GAP);
    see_heartbeat(true);
    assert_non_null(record_of(ZS_RECORD_BROKEN));
    report = wish_for("/");
    tell(&report);
    f.s.marker.image = true; // so it waits
    turn();
    assert_int_equal(f.s.state, ZS_LINK_SNAPSHOT);
    see_heartbeat(true);
}

static void a_heartbeat_is_not_starved_by_full_batches(void **state) {
    (void)state;
    struct zs_report report = report_at(BASE + 2);
    f.s.settings.window_batches = 1;
    tell(&report);
    turn();
    f.confirms = false;
    for (int i = 3; i < 63; i++)
        offer(BASE + i, CLIENT, TIME_MS, "/a", 7000); // a second one does not fit the batch
    turn();
    f.confirms = true;
    f.now += 1000;
    int batches = f.batches, seen = f.seen;
    turn();
    assert_true(f.batches - batches >= 60);
    assert_int_equal(f.seen, seen + 1);
}

// --- images ----------------------------------------------------------------------------------------------------------

static void behind_an_image_of_all_the_stream_goes_on_where_the_walk_began(void **state) {
    (void)state;
    offer(BASE + 3, CLIENT, TIME_MS, "/a", 1);
    struct zs_report wishes = wish_for("/");
    struct zs_image_wish wish;
    wishes.applied = BASE + 1;
    tell(&wishes);
    turn();
    assert_true(walk_is_wanted(&wish));
    assert_true(put_head(&wish, BASE + 2, &f.s.marker) && put_nodes(&wish, 3, 10) && put_end(&wish));
    f.confirms = false;
    turn();
    assert_int_equal(f.newest.batch.head.prev, BASE + 2);
    const struct zs_record *begin = record_of(ZS_RECORD_SNAPSHOT_BEGIN);
    assert_non_null(begin);
    assert_int_equal(begin->begin.zxid, BASE + 2);
    assert_int_equal(begin->begin.seen, 0x77);
    assert_true(zs_history_equal(&begin->begin.seen_history, &BJS));
    assert_string_equal(begin->begin.exclude, "/private");
    assert_int_equal(record_of(ZS_RECORD_SNAPSHOT_END)->end.nodes, 3);
    f.confirms = true;
    turn();
    assert_int_equal(f.s.state, ZS_LINK_LIVE);
    turn();
    assert_int_equal(f.newest.batch.head.prev, BASE + 2);
    assert_int_equal(f.newest.batch.head.last, BASE + 3);
    assert_int_equal(f.s.status.images, 1);
    assert_int_equal(f.s.status.image_nodes, 3);
}

static void behind_an_image_of_a_part_the_stream_goes_on_where_the_destination_stands(void **state) {
    (void)state;
    struct zs_image_wish wish;
    offer(BASE + 3, CLIENT, TIME_MS, "/b", 1);
    const struct zs_report wishes = wish_for("/a");
    tell(&wishes);
    turn();
    assert_true(walk_is_wanted(&wish));
    assert_true(put_head(&wish, BASE + 3, &f.s.marker) && put_nodes(&wish, 3, 10) && put_end(&wish));
    f.confirms = false;
    turn();
    assert_int_equal(f.newest.batch.head.prev, BASE + 2); // it covers nothing
    assert_int_equal(f.newest.batch.head.last, BASE + 2);
    assert_int_equal(record_of(ZS_RECORD_SNAPSHOT_BEGIN)->begin.zxid, BASE + 3);
    f.confirms = true;
    turn();
    assert_int_equal(f.s.state, ZS_LINK_LIVE);
    turn();
    assert_int_equal(f.newest.batch.head.prev, BASE + 2);
    assert_int_equal(f.newest.batch.head.txns, 1);
}

static void a_waiting_link_asks_for_no_walk(void **state) {
    (void)state;
    struct zs_image_wish wish;
    struct zs_report wishes = wish_for("/");
    wishes.fence = 0x78;
    tell(&wishes);
    for (int i = 0; i < 20; i++, f.now += 1000) {
        turn();
        assert_false(walk_is_wanted(&wish));
    }
    assert_non_null(strstr(f.s.status.detail, "0x78, is at 0x77"));
    struct zs_marker marker = f.s.marker;
    marker.zxid = 0x78; // it is there
    f.s.marker = marker;
    turn();
    assert_true(walk_is_wanted(&wish));
    marker.zxid = 0x76;
    assert_true(put_head(&wish, BASE + 2, &marker)); // but the walk's word counts
    turn();
    assert_false(put_end(&wish));
    assert_false(logged("sends it as it is"));
    f.now += 11000;
    turn();
    assert_true(walk_is_wanted(&wish));
    assert_true(put_head(&wish, BASE + 2, &marker));
    turn();
    assert_true(logged("sends it as it is"));
    assert_true(f.s.image.begun);
    assert_null(strstr(f.s.status.detail, "waits"));
}

static void the_time_to_wait_begins_when_the_own_image_is_taken(void **state) {
    (void)state;
    struct zs_image_wish wish;
    struct zs_report wishes = wish_for("/");
    wishes.fence = 0x78;
    f.s.marker.image = true;
    tell(&wishes);
    for (int i = 0; i < 100; i++, f.now += 1000) {
        f.s.marker_moved_at = f.now;
        turn();
        assert_false(walk_is_wanted(&wish));
    }
    f.s.marker.image = false;
    turn();
    assert_false(walk_is_wanted(&wish));
    assert_non_null(strstr(f.s.status.detail, "0x78, is at 0x77"));
    f.now += 28000; // the newest look was a second ago
    turn();
    assert_false(walk_is_wanted(&wish));
    f.now += 1000;
    turn();
    assert_true(walk_is_wanted(&wish));
}

static void an_own_image_that_stands_still_is_not_waited_for(void **state) {
    (void)state;
    struct zs_image_wish wish;
    const struct zs_report wishes = wish_for("/");
    f.s.marker.image = true;
    tell(&wishes);
    turn();
    f.now += 59000;
    turn();
    assert_false(walk_is_wanted(&wish));
    f.now += 1000;
    turn();
    assert_true(walk_is_wanted(&wish));
    assert_true(put_head(&wish, BASE + 2, &f.s.marker));
    turn();
    assert_true(f.s.image.begun);
    turn();
    assert_true(f.s.image.begun); // it was known before
}

static bool stops_for_its_own_image(const char *origin) {
    struct zs_image_wish wish;
    tear_down(NULL);
    set_up_as(origin);
    struct zs_report wishes = wish_for("/");
    snprintf(wishes.origin, sizeof wishes.origin, "%s", origin);
    tell(&wishes);
    turn();
    assert_true(walk_is_wanted(&wish));
    assert_true(put_head(&wish, BASE + 2, &f.s.marker));
    turn();
    assert_true(f.s.image.begun);
    f.s.marker.image = true;
    turn();
    assert_int_equal(put_end(&wish), f.s.image.begun);
    return !f.s.image.begun;
}

static void who_comes_second_stops_for_the_image_that_it_needs_itself(void **state) {
    (void)state;
    assert_true(stops_for_its_own_image("sh"));
    assert_false(stops_for_its_own_image("an"));
}

static void an_image_that_was_dropped_begins_anew_at_once(void **state) {
    (void)state;
    struct zs_image_wish wish;
    struct zs_report wishes = wish_for("/");
    tell(&wishes);
    turn();
    assert_true(walk_is_wanted(&wish));
    assert_true(put_head(&wish, BASE + 2, &f.s.marker));
    turn();
    int64_t run = f.s.image.run;
    tell(&wishes); // has not seen it yet: no news
    turn();
    assert_int_equal(f.s.image.run, run);
    wishes.image_run = run;
    tell(&wishes);
    turn();
    assert_int_equal(f.s.image.run, run);
    wishes.image_run = 0; // it was restarted
    tell(&wishes);
    turn();
    assert_true(logged("has dropped it"));
    assert_false(put_end(&wish));
    assert_true(walk_is_wanted(&wish));
}

static void so_does_one_that_was_dropped_behind_its_end(void **state) {
    (void)state;
    struct zs_image_wish wish;
    struct zs_report wishes = wish_for("/");
    send_image("/");
    assert_int_equal(f.s.state, ZS_LINK_LIVE);
    tell(&wishes);
    turn();
    assert_int_equal(f.s.state, ZS_LINK_LIVE); // it may not have seen it yet
    wishes.image_run = f.s.image.run;
    for (int i = 0; i < 100; i++, f.now += 1000) {
        tell(&wishes);
        turn();
        assert_int_equal(f.s.state, ZS_LINK_LIVE); // it takes its time
    }
    wishes.image_run = 0;
    tell(&wishes);
    turn();
    assert_int_equal(f.s.state, ZS_LINK_SNAPSHOT);
    turn();
    assert_true(walk_is_wanted(&wish));
}

static void another_path_or_history_makes_an_image_useless(void **state) {
    (void)state;
    struct zs_image_wish wish;
    struct zs_report wishes = wish_for("/a");
    tell(&wishes);
    turn();
    assert_true(walk_is_wanted(&wish));
    wishes = wish_for("/b");
    tell(&wishes);
    turn();
    assert_false(put_end(&wish));
    assert_true(walk_is_wanted(&wish));
    assert_string_equal(wish.path, "/b");
    assert_true(put_head(&wish, BASE + 2, &f.s.marker));
    turn();
    f.s.history = NEW;
    turn();
    assert_true(logged("another history"));
    assert_false(put_end(&wish));
}

static void batches_of_an_image_are_large(void **state) {
    (void)state;
    struct zs_image_wish wish;
    const struct zs_report wishes = wish_for("/");
    tell(&wishes);
    turn();
    assert_true(walk_is_wanted(&wish));
    assert_true(put_head(&wish, BASE + 2, &f.s.marker) && put_nodes(&wish, 3000, 300));
    turn(); // each is confirmed
    assert_in_range(f.newest.batch.head.raw_bytes, 500 * 1024, 1024 * 1024);
    assert_true(put_end(&wish));
    turn();
    assert_int_equal(f.s.state, ZS_LINK_LIVE);
    assert_int_equal(f.s.status.image_nodes, 3000);
}

static void a_node_larger_than_a_batch_goes_alone(void **state) {
    (void)state;
    struct zs_image_wish wish;
    const struct zs_report wishes = wish_for("/");
    tell(&wishes);
    turn();
    assert_true(walk_is_wanted(&wish));
    assert_true(put_head(&wish, BASE + 2, &f.s.marker) && put_nodes(&wish, 3, 1000 * 1024) && put_end(&wish));
    turn();
    assert_int_equal(f.s.state, ZS_LINK_LIVE);
    assert_int_equal(f.s.status.image_nodes, 3);
    assert_in_range(f.batches, 3, 6);
}

// --- a history that is lived twice -----------------------------------------------------------------------------------

static const int64_t LATER_MS = 3600 * 1000;

static void a_restored_origin_is_found_out_while_it_waits(void **state) {
    (void)state;
    struct zs_report report = report_at(BASE + 10);
    tell(&report);
    turn();
    assert_int_equal(f.s.state, ZS_LINK_POSITION);
    offer(BASE + 3, CLIENT, TIME_MS - 5, "/a", 1); // it may only lag
    turn();
    assert_int_equal(f.s.state, ZS_LINK_POSITION);
    offer(BASE + 4, CLIENT, TIME_MS + LATER_MS, "/a", 1);
    turn();
    assert_int_equal(f.s.state, ZS_LINK_GAP);
    assert_non_null(strstr(f.s.status.detail, "restored from an older snapshot"));
    f.now += 1000;
    turn();
    assert_non_null(record_of(ZS_RECORD_BROKEN));
    for (int i = 5; i < 15; i++)
        offer(BASE + i, CLIENT, TIME_MS + LATER_MS, "/a", 1);
    for (int i = 0; i < 20; i++, f.now += 1000) {
        turn();
        assert_int_equal(f.s.state, ZS_LINK_GAP);
    }
    f.s.history = NEW;
    report.need = ZS_NEED_IMAGE;
    snprintf(report.image_path, sizeof report.image_path, "/");
    tell(&report);
    turn();
    assert_int_equal(f.s.state, ZS_LINK_SNAPSHOT);
}

static void what_an_applier_wrote_proves_nothing(void **state) {
    (void)state;
    struct zs_report report = report_at(BASE + 10);
    report.session_count = 1;
    report.sessions[0] = APPLIER;
    tell(&report);
    turn();
    offer(BASE + 3, APPLIER, TIME_MS + LATER_MS, "/a", 1);
    turn();
    assert_int_equal(f.s.state, ZS_LINK_POSITION);
    for (int i = 4; i < 12; i++)
        offer(BASE + i, APPLIER, TIME_MS + LATER_MS, "/a", 1);
    turn();
    assert_int_equal(f.s.state, ZS_LINK_LIVE);
}

static void nor_does_it_help_to_have_passed_the_destination(void **state) {
    (void)state;
    struct zs_report report = report_at(BASE + 3000);
    for (int i = 3; i < 4000; i++)
        offer(BASE + i, CLIENT, TIME_MS + LATER_MS, "/a", 1);
    tell(&report);
    turn();
    assert_int_equal(f.s.state, ZS_LINK_GAP);
    report = report_at(BASE + 2); // the destination was put back as well: it has none of these
    tell(&report);
    turn();
    assert_int_equal(f.s.state, ZS_LINK_LIVE);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(heartbeats_tell_what_this_site_has_of_the_destination),
        TEST(gap_and_snapshot_tell_it_too),
        TEST(a_heartbeat_is_not_starved_by_full_batches),
        TEST(behind_an_image_of_all_the_stream_goes_on_where_the_walk_began),
        TEST(behind_an_image_of_a_part_the_stream_goes_on_where_the_destination_stands),
        TEST(a_waiting_link_asks_for_no_walk),
        TEST(the_time_to_wait_begins_when_the_own_image_is_taken),
        TEST(an_own_image_that_stands_still_is_not_waited_for),
        TEST(who_comes_second_stops_for_the_image_that_it_needs_itself),
        TEST(an_image_that_was_dropped_begins_anew_at_once),
        TEST(so_does_one_that_was_dropped_behind_its_end),
        TEST(another_path_or_history_makes_an_image_useless),
        TEST(batches_of_an_image_are_large),
        TEST(a_node_larger_than_a_batch_goes_alone),
        TEST(a_restored_origin_is_found_out_while_it_waits),
        TEST(what_an_applier_wrote_proves_nothing),
        TEST(nor_does_it_help_to_have_passed_the_destination),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
