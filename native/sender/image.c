// SNAPSHOT: the link sends an image of the tree, node by node as the walk hands them over (zs_images.h), and then goes on
// with the stream from the zxid at which the walk began (Z0). The walk is live and sees nodes of different moments; the
// stream from Z0 on makes that whole.
//
//   1. Before the walk counts, its HEAD must satisfy the destination's fence: this site has applied what the destination
//      wrote before it asked. Otherwise its own writes would look older than they are. That takes a moment if this
//      site's applier works, and is given up after a while if it does not.
//   2. One batch is in flight at a time. A refused one (queue full) is sent again as it is, so the destination sees no
//      hole, and an image may be larger than the queue.
//   3. Whatever breaks the connection or the walk makes it begin anew, with another run.
//   4. When the last batch is confirmed the stream goes on behind it. The destination goes on asking for its image until
//      it has taken it, and says which run it is taking: as long as that is ours, or news may still come, we wait.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zs_chunk.h"
#include "zs_link.h"

enum {
    NODES_PER_TURN = 4096,
    NODES_PER_BATCH = 4096,
    FENCE_MS = 30 * 1000,
    LOOK_AGAIN_MS = 1000,
    TAKE_IT_MS = 30 * 1000, // time for the destination to begin with what it was sent
    TELL_MS = 5000,
};

void zs_image_drop(struct zs_sender *s) {
    struct zs_image *image = &s->image;
    if (image->wish)
        zs_images_cancel(s->settings.images, image->wish);
    free(image->chunk);
    image->chunk = NULL;
    image->wish = 0;
    image->begun = image->ended = image->finished = image->node_waits = image->batch_open = image->in_flight =
        image->again = false;
    image->nodes = image->part = 0;
}

static void want(struct zs_sender *s) {
    zs_image_drop(s);
    struct zs_image *image = &s->image;
    image->wish =
        zs_images_want(s->settings.images, s->settings.destination, s->report.image_path, s->wake_fd);
    image->look_at = zs_mono_ms() + LOOK_AGAIN_MS;
}

void zs_image_begin(struct zs_sender *s) {
    struct zs_image *image = &s->image;
    zs_source_close(s);
    s->entry_waits = false;
    s->resumes = false;
    const struct zs_checkpoint at = {.zxid = s->report.applied, .clock = s->report.clock};
    zs_outbound_seek(s->outbound, &s->history, &at);
    zs_window_reset(&s->window, s->settings.window_batches, &at);
    image->sent = false;
    image->fence_until = zs_mono_ms() + FENCE_MS;
    image->tell_at = zs_mono_ms() + TELL_MS;
    want(s);
    char detail[sizeof s->status.detail];
    snprintf(detail, sizeof detail, "%s asks for an image of %.300s", s->settings.destination,
             s->report.image_path);
    zs_link_move(s, ZS_LINK_SNAPSHOT, detail);
}

bool zs_image_awaited(struct zs_sender *s) {
    struct zs_image *image = &s->image;
    if (s->report.need != ZS_NEED_IMAGE)
        image->sent = false;
    if (!image->sent)
        return false;
    if (s->report.image_run == image->run)
        image->again_at = zs_mono_ms() + TAKE_IT_MS;
    return zs_mono_ms() < image->again_at;
}

// --- the walk's chunks -----------------------------------------------------------------------------------------------

// What the origin's tree says of others: their markers.
static void read_markers(struct zs_sender *s, const struct zs_chunk_head *head) {
    struct zs_image *image = &s->image;
    image->vector_count = 0;
    image->seen = 0;
    image->seen_history = (struct zs_history){{0}};
    for (uint32_t i = 0; i < head->marker_count; i++) {
        struct zs_marker marker;
        struct zs_error ignored;
        const struct zs_slice data = head->markers[i].data;
        if (!zs_marker_decode(data.at, data.len, &marker, &ignored))
            continue;
        struct zs_position *position = &image->vector[image->vector_count++];
        memcpy(position->site, head->markers[i].site, sizeof position->site);
        position->zxid = marker.zxid;
        if (strcmp(position->site, s->settings.destination) == 0) {
            image->seen = marker.zxid;
            image->seen_history = marker.history;
        }
    }
}

// Whether this walk may count. If not, another one begins in a while.
static bool head_will_do(struct zs_sender *s, const struct zs_chunk_head *head) {
    const struct zs_report *report = &s->report;
    char detail[sizeof s->status.detail];
    bool behind = zs_history_equal(&report->history, &s->history) && head->zxid < report->applied;
    bool early = s->image.seen < report->fence && zs_mono_ms() < s->image.fence_until;
    if (behind)
        snprintf(detail, sizeof detail,
                 "waits for this server to reach zxid 0x%" PRIx64 ", which %s has already",
                 (uint64_t)report->applied, s->settings.destination);
    else if (early)
        snprintf(detail, sizeof detail,
                 "waits until this site has applied what %s wrote before it asked (0x%" PRIx64
                 ", is at 0x%" PRIx64 ")",
                 s->settings.destination, (uint64_t)report->fence, (uint64_t)s->image.seen);
    else if (s->image.seen < report->fence)
        zs_logf(s->log, ZS_LEVEL_WARN,
                "link %s: this site has not applied what %s wrote before it asked for an image; sends it as "
                "it is",
                s->names.link, s->settings.destination);
    if (behind || early)
        zs_link_move(s, ZS_LINK_SNAPSHOT, detail);
    return !behind && !early;
}

static zs_clock clock_now(const struct zs_sender *s) {
    zs_clock clock = zs_outbound_cursor(s->outbound).clock;
    if (clock < s->report.clock)
        clock = s->report.clock;
    return zs_clock_local(clock, zs_wall_ms());
}

static bool take_head(struct zs_sender *s, struct zs_error *e) {
    struct zs_image *image = &s->image;
    struct zs_chunk_head head;
    if (!zs_chunk_head(&image->in, &head, e))
        return false;
    read_markers(s, &head);
    if (!head_will_do(s, &head)) {
        zs_image_drop(s);
        return true;
    }
    image->at = (struct zs_checkpoint){.zxid = head.zxid, .clock = clock_now(s)};
    do {
        image->run = (int64_t)((uint64_t)zs_wall_ms() << 20 ^ (uint64_t)rand_r(&s->jitter));
    } while (image->run == 0);
    image->begun = true;
    zs_outbound_seek(s->outbound, &s->history, &image->at);
    zs_window_reset(&s->window, s->settings.window_batches, &image->at);
    zs_logf(s->log, ZS_LEVEL_INFO, "link %s: sends the image of %s as of zxid 0x%" PRIx64, s->names.link,
            s->report.image_path, (uint64_t)image->at.zxid);
    return true;
}

// Each batch says what it belongs to.
static bool open_batch(struct zs_sender *s, struct zs_error *e) {
    struct zs_image *image = &s->image;
    struct zs_record record = {.type = ZS_RECORD_SNAPSHOT_PART,
                               .part = {.run = image->run, .index = image->part}};
    if (image->part == 0)
        record = (struct zs_record){.type = ZS_RECORD_SNAPSHOT_BEGIN,
                                    .begin = {.run = image->run,
                                              .path = s->report.image_path,
                                              .zxid = image->at.zxid,
                                              .seen = image->seen,
                                              .seen_history = image->seen_history,
                                              .vector_count = image->vector_count,
                                              .vector = image->vector,
                                              .include = zs_filter_include(s->settings.filter),
                                              .exclude = zs_filter_exclude(s->settings.filter)}};
    image->part++;
    image->batch_open = true;
    return zs_outbound_add(s->outbound, &record, e) == ZS_TAKEN;
}

// `full`: the batch must leave before anything else fits.
static bool add(struct zs_sender *s, const struct zs_record *record, bool *full, struct zs_error *e) {
    if (!s->image.batch_open && !open_batch(s, e))
        return false;
    enum zs_taken taken = zs_outbound_add(s->outbound, record, e);
    *full = taken == ZS_TAKE_FULL;
    return taken != ZS_TAKE_ERROR;
}

static bool add_node(struct zs_sender *s, bool *full, struct zs_error *e) {
    struct zs_image *image = &s->image;
    const struct zs_record record = {.type = ZS_RECORD_NODE, .node = image->node};
    if (!add(s, &record, full, e))
        return false;
    image->node_waits = *full;
    image->nodes += !*full;
    return true;
}

static bool add_end(struct zs_sender *s, bool *full, struct zs_error *e) {
    struct zs_image *image = &s->image;
    const struct zs_record record = {
        .type = ZS_RECORD_SNAPSHOT_END,
        .end = {.path = s->report.image_path, .nodes = image->nodes, .zxid = image->tip}};
    if (!add(s, &record, full, e))
        return false;
    image->finished = !*full;
    return true;
}

// Opens the next chunk, if one is there.
static bool next_chunk(struct zs_sender *s, struct zs_error *e) {
    struct zs_image *image = &s->image;
    enum zs_chunk_type type;
    free(image->chunk);
    image->chunk = zs_images_take(s->settings.images, image->wish);
    if (!image->chunk)
        return true;
    image->in = zs_reader_of(image->chunk->bytes, image->chunk->len);
    if (!zs_chunk_type(&image->in, &type, e))
        return false;
    if (type == ZS_CHUNK_BROKEN_OFF)
        return zs_fail(e, ZS_RETRY, "the walk broke off: the server's role or tree changed");
    if (type == ZS_CHUNK_HEAD)
        return take_head(s, e);
    if (type == ZS_CHUNK_END) {
        image->ended = true;
        return zs_chunk_end(&image->in, &image->tip, e);
    }
    return true;
}

// Takes the next node into the open batch, or whatever else the walk has. `*idle`: nothing is there at the moment.
static bool take_next(struct zs_sender *s, bool *idle, bool *full, struct zs_error *e) {
    struct zs_image *image = &s->image;
    *idle = *full = false;
    if (image->node_waits)
        return add_node(s, full, e);
    if (image->ended)
        return add_end(s, full, e);
    if (!image->chunk || zs_read_left(&image->in) == 0) {
        if (!next_chunk(s, e))
            return false;
        *idle = !image->chunk;
        return true;
    }
    zs_arena_reset(image->arena);
    if (!zs_chunk_node(&image->in, image->arena, &image->node, e))
        return false;
    return !zs_filter_carries(s->settings.filter, image->node.path) || add_node(s, full, e);
}

// --- turns -----------------------------------------------------------------------------------------------------------

static void tell_progress(struct zs_sender *s) {
    int64_t now = zs_mono_ms();
    char detail[128];
    if (!s->image.begun || now < s->image.tell_at)
        return;
    s->image.tell_at = now + TELL_MS;
    snprintf(detail, sizeof detail, "%" PRIu64 " nodes sent", s->image.nodes);
    zs_link_move(s, ZS_LINK_SNAPSHOT, detail);
    zs_logf(s->log, ZS_LEVEL_INFO, "link %s: image: %s", s->names.link, detail);
}

// All is with the broker: the stream goes on.
static void finish(struct zs_sender *s) {
    struct zs_image *image = &s->image;
    zs_logf(s->log, ZS_LEVEL_INFO, "link %s: the image is sent: %" PRIu64 " nodes", s->names.link,
            image->nodes);
    zs_image_drop(s);
    image->sent = true;
    image->again_at = zs_mono_ms() + TAKE_IT_MS;
    if (s->stuck_zxid <= image->at.zxid)
        s->stuck_zxid = 0;
    zs_link_stream_from(s, &image->at);
}

// Fills the open batch with what the walk has. `*idle`: it has nothing more at the moment.
static bool fill(struct zs_sender *s, bool *idle, bool *full, struct zs_error *e) {
    struct zs_image *image = &s->image;
    for (int i = 0; i < NODES_PER_TURN && image->wish && !*idle && !*full && !image->finished; i++) {
        if (!take_next(s, idle, full, e))
            return false;
        *full = *full || zs_outbound_records(s->outbound) >= NODES_PER_BATCH;
    }
    return true;
}

static void begin_anew(struct zs_sender *s, const struct zs_error *why) {
    zs_logf(s->log, ZS_LEVEL_WARN, "link %s: the image begins anew: %s", s->names.link, why->text);
    zs_image_drop(s);
    const struct zs_checkpoint at = zs_outbound_cursor(s->outbound);
    zs_outbound_seek(s->outbound, &s->history, &at);
    s->image.look_at = zs_mono_ms() + LOOK_AGAIN_MS;
}

// With nothing in flight: the next batch, if it is full or the last, or if something has to be heard of us.
static bool send_next(struct zs_sender *s, bool *more, struct zs_error *e) {
    struct zs_image *image = &s->image;
    struct zs_error walk = {0};
    bool idle = false, full = false;
    if (!fill(s, &idle, &full, &walk))
        begin_anew(s, &walk);
    *more = image->wish && !idle;
    bool heartbeat = zs_mono_ms() >= s->heartbeat_at;
    if (!full && !image->finished && !heartbeat)
        return true;
    image->in_flight = image->batch_open; // else it is a mere heartbeat
    image->batch_open = false;
    *more = false; // until it is confirmed
    return zs_link_publish(s, heartbeat, e);
}

bool zs_image_turn(struct zs_sender *s, bool *more, struct zs_error *e) {
    struct zs_image *image = &s->image;
    tell_progress(s);
    if (s->blocked || s->window.count > 0 || zs_mono_ms() < s->hold_until)
        return true;
    if (image->in_flight && s->window.refused) { // once more, after a while
        s->failures++;
        s->hold_until = zs_mono_ms() + zs_link_backoff_ms(s);
        zs_window_reset(&s->window, s->settings.window_batches, &image->at);
        image->again = true;
        return true;
    }
    if (image->again) {
        image->again = false;
        return zs_link_publish_again(s, e);
    }
    image->in_flight = false;
    if (image->finished) {
        finish(s);
        return true;
    }
    if (!image->wish && zs_mono_ms() >= image->look_at)
        want(s);
    return send_next(s, more, e);
}

int64_t zs_image_wait_until(const struct zs_sender *s) {
    int64_t until = s->hold_until > s->heartbeat_at || s->image.again ? s->hold_until : s->heartbeat_at;
    return !s->image.wish && s->image.look_at < until ? s->image.look_at : until;
}
