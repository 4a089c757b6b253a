#include "link_scene.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

// --- what the link sees ----------------------------------------------------------------------------------------------

struct scene scene;

int64_t __wrap_zs_mono_ms(void);
int64_t __wrap_zs_mono_ms(void) {
    return scene.now;
}

bool __wrap_zs_amqp_next(struct zs_amqp *amqp, size_t body_max, struct zs_amqp_event *event,
                         struct zs_error *e);
bool __wrap_zs_amqp_next(struct zs_amqp *amqp, size_t body_max, struct zs_amqp_event *event,
                         struct zs_error *e) {
    (void)body_max, (void)e;
    *event = (struct zs_amqp_event){.type = ZS_AMQP_NONE};
    if (amqp == scene.s.topology.publisher && scene.confirms && scene.confirmed < scene.tag) {
        event->type = scene.refuses ? ZS_AMQP_NACK : ZS_AMQP_CONFIRM;
        event->tag = ++scene.confirmed;
    } else if (amqp == scene.s.topology.feedback && scene.report.len > 0) {
        event->type = ZS_AMQP_DELIVERY;
        event->body = (struct zs_slice){scene.report.at, scene.report.len};
        zs_buffer_clear(&scene.report);
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
    const struct zs_batch_limits limits = {2 << 20, 2 << 20, 10000, NULL};
    struct zs_error bad = {0};
    zs_arena_reset(scene.arena);
    if (!zs_batch_decode(outgoing->message.at, outgoing->message.len, &limits, scene.arena,
                         &scene.newest.batch, &bad))
        fail_msg("%s", bad.text);
    scene.newest.fleeting = outgoing->fleeting;
    scene.batches++;
    for (uint32_t i = 0; i < scene.newest.batch.head.records; i++)
        scene.seen += scene.newest.batch.records[i].type == ZS_RECORD_SEEN;
    *tag = ++scene.tag;
    return true;
}

static void log_line(void *context, enum zs_level level, const char *text) {
    (void)context, (void)level;
    size_t used = strlen(scene.logged);
    snprintf(scene.logged + used, sizeof scene.logged - used, "%s\n", text);
}

bool scene_logged(const char *text) {
    bool found = strstr(scene.logged, text);
    scene.logged[0] = '\0';
    return found;
}

// --- the scene -------------------------------------------------------------------------------------------------------

struct zs_report scene_report_at(int64_t zxid) {
    struct zs_report report = {.origin = "sh",
                               .destination = "bj",
                               .history = OURS,
                               .applied = zxid,
                               .clock = (zs_clock)TIME_MS << 16,
                               .takes_images = true};
    return report;
}

struct zs_report scene_wish_for(const char *path) {
    struct zs_report report = scene_report_at(BASE + 2);
    report.need = ZS_NEED_IMAGE;
    snprintf(report.image_path, sizeof report.image_path, "%s", path);
    return report;
}

void scene_tell(const struct zs_report *report) {
    struct zs_error e;
    assert_true(zs_report_encode(report, &scene.report, &e));
}

void scene_turn(void) {
    struct zs_error e = {0};
    bool more = true;
    for (int i = 0; (more || (scene.confirms && scene.confirmed < scene.tag)) && i < 100; i++) {
        more = false;
        if (!zs_link_turn(&scene.s, &more, &e))
            fail_msg("%s", e.text);
    }
}

void scene_offer(int64_t zxid, int64_t session, int64_t time_ms, const char *path, size_t data_len) {
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
    assert_true(zs_backlog_offer(scene.s.backlog, zxid, txn.at, txn.len));
    zs_buffer_free(&txn);
}

int scene_set_up_as(const char *origin) {
    struct zs_error e = {0};
    memset(&scene, 0, sizeof scene);
    struct zs_sender *s = &scene.s;
    scene.now = 1000000;
    scene.confirms = true;
    scene.log = (struct zs_log){.write = log_line, .level = ZS_LEVEL_INFO};
    scene.arena = zs_arena_new(64 << 20);
    zs_buffer_init(&scene.report, 1 << 16);
    s->settings = (struct zs_sender_settings){
        .destination = "bj",
        .filter = zs_filter_new("", "/private", &e),
        .images = zs_images_new(&e),
        .anchors = zs_anchors_new(&e),
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
    s->log = &scene.log;
    s->backlog = zs_backlog_new(16 << 20, &e);
    s->reader = zs_backlog_reader_new(s->backlog, &e);
    s->lag.reader = zs_backlog_reader_new(s->backlog, &e);
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
    s->topology = (struct zs_topology){.publisher = (struct zs_amqp *)&scene.tag,
                                       .feedback = (struct zs_amqp *)&scene.confirmed};
    zs_anchors_join(s->settings.anchors);
    s->history = OURS;
    s->beginning = s->told_logs.floor = -1;
    s->serving = true;
    s->state = ZS_LINK_POSITION;
    s->has_marker = true;
    s->marker = (struct zs_marker){.history = BJS, .zxid = 0x77, .time_ms = 5};
    zs_backlog_begin(s->backlog, BASE, ZS_CHAIN_ANEW);
    scene_offer(BASE + 1, CLIENT, TIME_MS - 1000, "/a", 1);
    scene_offer(BASE + 2, CLIENT, TIME_MS - 999, "/a", 1);
    return 0;
}

int scene_set_up(void **state) {
    (void)state;
    return scene_set_up_as("sh");
}

int scene_tear_down(void **state) {
    (void)state;
    struct zs_sender *s = &scene.s;
    zs_image_drop(s);
    zs_source_close(s);
    zs_backlog_reader_free(s->reader);
    zs_backlog_reader_free(s->lag.reader);
    zs_backlog_free(s->backlog);
    zs_outbound_free(s->outbound);
    zs_arena_free(s->image.arena);
    zs_arena_free(scene.arena);
    zs_images_free(s->settings.images);
    zs_anchors_free(s->settings.anchors);
    zs_filter_free((struct zs_filter *)s->settings.filter);
    zs_buffer_free(&scene.report);
    pthread_mutex_destroy(&s->shared);
    close(s->wake_fd);
    return 0;
}

// --- the walk --------------------------------------------------------------------------------------------------------

static void put_text(struct zs_buffer *to, const char *text) {
    zs_put_u32(to, (uint32_t)strlen(text));
    zs_put_bytes(to, text, strlen(text));
}

static bool put_chunk(const struct zs_image_wish *wish, struct zs_buffer *bytes) {
    struct zs_image_chunk *chunk = zs_image_chunk_new(bytes->len);
    assert_non_null(chunk);
    memcpy(chunk->bytes, bytes->at, bytes->len);
    zs_buffer_free(bytes);
    return zs_images_put(scene.s.settings.images, wish->id, chunk);
}

bool scene_walk_is_wanted(struct zs_image_wish *wish) {
    return zs_images_next(scene.s.settings.images, 0, wish) == ZS_WISH;
}

bool scene_put_head(const struct zs_image_wish *wish, int64_t zxid, const struct zs_marker *marker) {
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
    char history[ZS_UUID_TEXT], text[ZS_JOURNAL_ABOUT_TEXT] = "";
    zs_history_format(&scene.s.history, history);
    put_text(&chunk, scene.tree_has_no_history ? "" : history);
    if (scene.restored)
        zs_restored_format(scene.restored, text);
    put_text(&chunk, text);
    zs_put_u32(&chunk, scene.written != 0);
    if (scene.written) {
        zs_journal_about_format(&scene.written_for, 0, text);
        put_text(&chunk, scene.written_site);
        put_text(&chunk, text);
        zs_put_u32(&chunk, 1);
        zs_put_u64(&chunk, (uint64_t)scene.written);
        put_text(&chunk, "");
    }
    zs_buffer_free(&json);
    return put_chunk(wish, &chunk);
}

bool scene_put_nodes(const struct zs_image_wish *wish, int count, size_t data_len) {
    struct zs_buffer chunk;
    zs_buffer_init(&chunk, 64 << 20);
    zs_put_u8(&chunk, ZS_CHUNK_NODES);
    zs_put_u64(&chunk, (uint64_t)BASE + 1);
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
        zs_put_u32(&chunk, 0);
    }
    return put_chunk(wish, &chunk);
}

bool scene_put_end(const struct zs_image_wish *wish) {
    struct zs_buffer chunk;
    zs_buffer_init(&chunk, 64);
    zs_put_u8(&chunk, ZS_CHUNK_END);
    zs_put_u64(&chunk, (uint64_t)BASE + 2);
    return put_chunk(wish, &chunk);
}

bool scene_put_broken_off(const struct zs_image_wish *wish, uint8_t kind, const char *why) {
    struct zs_buffer chunk;
    zs_buffer_init(&chunk, 1024);
    zs_put_u8(&chunk, ZS_CHUNK_BROKEN_OFF);
    zs_put_u8(&chunk, kind);
    put_text(&chunk, why);
    return put_chunk(wish, &chunk);
}

const struct zs_record *scene_record_of(enum zs_record_type type) {
    for (uint32_t i = 0; i < scene.newest.batch.head.records; i++) {
        if (scene.newest.batch.records[i].type == type)
            return &scene.newest.batch.records[i];
    }
    return NULL;
}

void scene_begin_image(const char *path, struct zs_image_wish *wish) {
    const struct zs_report wishes = scene_wish_for(path);
    scene_tell(&wishes);
    scene_turn();
    assert_true(scene_walk_is_wanted(wish));
    assert_string_equal(wish->path, path);
    assert_true(scene_put_head(wish, BASE + 2, &scene.s.marker));
}

void scene_walk(const struct zs_report *wishes, int64_t zxid) {
    struct zs_image_wish wish;
    scene_tell(wishes);
    scene_turn();
    assert_true(scene_walk_is_wanted(&wish));
    assert_true(scene_put_head(&wish, zxid, &scene.s.marker) && scene_put_nodes(&wish, 3, 10) &&
                scene_put_end(&wish));
    scene.confirms = false;
    scene_turn();
}

void scene_send_image(const char *path) {
    struct zs_image_wish wish;
    scene_begin_image(path, &wish);
    assert_true(scene_put_nodes(&wish, 3, 10));
    assert_true(scene_put_end(&wish));
    scene_turn();
}
