// SNAPSHOT: the link sends an image of the tree, node by node as the walk hands them over (zs_images.h), and then goes on
// with the stream from the zxid at which the walk began (Z0). The walk is live and sees nodes of different moments; the
// stream from Z0 on makes that whole.
//
//   1. An image is exact only if this site has applied what the destination had written before it asked (its fence), and as
//      much of other sites as the destination has: otherwise what is missing here looks deleted or overwritten there. The
//      markers in this site's tree say how far it is. What the watch tells of the one for the destination is looked at
//      first, because that costs nothing; the markers that the walk met before its first node (HEAD) decide. That takes a
//      moment if this site's applier works, and is given up after a while if it does not: the destination sees from
//      SNAPSHOT_BEGIN what is missing, and is careful.
//   2. If both sites need an image of the other, both would wait for ever: the one whose name sorts first sends first, and
//      the other one waits as long as its own image makes progress.
//   3. One batch is in flight at a time. A refused one (queue full) is sent again as it is, so the destination sees no
//      hole, and an image may be larger than the queue.
//   4. Whatever breaks the connection or the walk, or makes the image useless, makes it begin anew, with another run. But a node
//      that cannot be read or sent will not be the next time either: the link says which (GAP), another server of the site
//      gets its turn (gap.c), and if there is none this one tries again once a minute.
//   5. A node that RabbitMQ does not take (max_message_size) is left out, and the destination is told so before the first node:
//      by a pattern among those that the link does not carry, so it keeps what it has there. It shows only when the node
//      is met, and then the image begins anew.
//   6. When the last batch is confirmed the stream goes on: from Z0, or behind an image of a deeper path from where the
//      destination stands, because it has kept its place. The destination goes on asking for its image until it has taken
//      it, and says which run it is taking: as long as that is ours, or news may still come, we wait. If it has named ours
//      and does so no more, it has dropped it (it was restarted, say), and gets another one at once.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zs_chunk.h"
#include "zs_left_out.h"
#include "zs_link.h"

enum {
    LEFT_OUT_MAX = 64,
    NODES_PER_TURN = 4096,
    NODES_PER_BATCH = 4096,
    WAIT_MS = 30 * 1000,  // for what the image lacks
    STILL_MS = 60 * 1000, // for this site's own image to make progress
    CLOCK_MS = 5 * 1000,  // for other destinations' reports
    LOOK_AGAIN_MS = 1000,
    UNTELLABLE_MS = 60 * 1000, // until a tree that could not be sent is tried again
    TAKE_IT_MS = 30 * 1000,    // time for the destination to begin with what it was sent
    TELL_MS = 5000,
};

void zs_image_init(struct zs_image *image) {
    zs_buffer_init(&image->left_out, ZS_RULES_MAX / 2);
}

static void forget_left_out(struct zs_image *image) {
    zs_buffer_clear(&image->left_out);
    zs_patterns_free(image->left_out_patterns);
    image->left_out_patterns = NULL;
    image->left_out_count = 0;
    image->left_out_zxid = 0;
}

void zs_image_free(struct zs_image *image) {
    forget_left_out(image);
    zs_buffer_free(&image->left_out);
    free(image->large_path);
    zs_arena_free(image->arena);
}

void zs_image_drop(struct zs_sender *s) {
    struct zs_image *image = &s->image;
    if (image->wish)
        zs_images_cancel(s->settings.images, image->wish);
    free(image->chunk);
    zs_zxids_free(&image->copies);
    zs_zxids_free(&image->borrowed);
    image->chunk = NULL;
    image->wish = 0;
    image->begun = image->ended = image->finished = image->node_waits = image->sequence_waits =
        image->as_of_waits = image->batch_open = image->in_flight = image->again = false;
    image->nodes = image->part = 0;
}

void zs_image_begin(struct zs_sender *s) {
    struct zs_image *image = &s->image;
    zs_source_close(s);
    zs_image_drop(s);
    forget_left_out(image);
    s->entry_waits = false;
    s->resumes = false;
    const struct zs_checkpoint at = {.zxid = s->report.applied, .clock = s->report.clock};
    zs_outbound_seek(s->outbound, &s->history, &at);
    zs_window_reset(&s->window, s->settings.window_batches, &at);
    image->sent = image->named = false;
    image->run = 0;
    image->ready = ZS_READY_SEND;
    image->asked_at = image->look_at = zs_mono_ms();
    image->wait_until = image->asked_at + WAIT_MS;
    image->tell_at = image->asked_at + TELL_MS;
    memcpy(image->path, s->report.image_path, sizeof image->path);
    char detail[sizeof s->status.detail];
    snprintf(detail, sizeof detail, "%s asks for an image of %.300s", s->settings.destination, image->path);
    zs_link_move(s, ZS_LINK_SNAPSHOT, detail);
}

// The destination names the run that it is taking. True: it has named ours, and does so no more.
static bool was_dropped(struct zs_sender *s) {
    struct zs_image *image = &s->image;
    bool names_ours = image->run && s->report.image_run == image->run;
    image->named = image->named || names_ours;
    return image->named && !names_ours;
}

bool zs_image_awaited(struct zs_sender *s) {
    struct zs_image *image = &s->image;
    if (!image->sent)
        return false;
    if (zs_link_tree_is_other(s) || s->report.need != ZS_NEED_IMAGE || was_dropped(s) ||
        strcmp(s->report.image_path, image->path) != 0)
        image->sent = false;
    else if (image->named)
        image->again_at = zs_mono_ms() + TAKE_IT_MS;
    return image->sent && zs_mono_ms() < image->again_at;
}

struct zs_checkpoint zs_image_goes_on(const struct zs_sender *s) {
    return s->image.goes_on;
}

// --- whether it may be sent ------------------------------------------------------------------------------------------

// What the origin's tree says of others: their markers. One that knows no history says nothing of how far it is.
static void read_markers(struct zs_sender *s, const struct zs_chunk_head *head) {
    struct zs_image *image = &s->image;
    image->vector_count = 0;
    image->has_marker = false;
    image->marker = (struct zs_marker){.zxid = 0};
    for (uint32_t i = 0; i < head->marker_count; i++) {
        struct zs_marker marker;
        struct zs_error ignored;
        const struct zs_slice data = head->markers[i].data;
        if (!zs_marker_decode(data.at, data.len, &marker, &ignored))
            continue;
        if (strcmp(head->markers[i].site, s->settings.destination) == 0) {
            image->has_marker = true;
            image->marker = marker;
        }
        if (!zs_ready_counts(&marker) ||
            zs_report_of_other_life(&s->report, head->markers[i].site, &marker.history))
            continue; // nobody can compare how far that is
        struct zs_position *position = &image->vector[image->vector_count];
        memcpy(position->site, head->markers[i].site, sizeof position->site);
        position->zxid = marker.zxid;
        image->holds[image->vector_count] = *position;
        image->holds[image->vector_count++].zxid = zs_marker_holds(&marker, marker.zxid);
    }
}

// Before a walk (`head` NULL): whether one is worth while. Behind its HEAD: whether it counts.
static bool may_be_sent(struct zs_sender *s, const struct zs_chunk_head *head) {
    struct zs_image *image = &s->image;
    int64_t now = zs_mono_ms();
    int64_t moved_at = s->marker_moved_at > image->asked_at ? s->marker_moved_at : image->asked_at;
    const struct zs_marker *marker = head ? &image->marker : &s->marker;
    char reason[sizeof s->status.detail];
    const struct zs_ready_facts facts = {.origin = s->settings.origin,
                                         .history = s->history,
                                         .report = &s->report,
                                         .zxid = head ? head->zxid : -1,
                                         .marker = (head ? image->has_marker : s->has_marker) ? marker : NULL,
                                         .vector_count = head ? image->vector_count : 0,
                                         .vector = image->vector,
                                         .late = now >= image->wait_until,
                                         .still = now - moved_at >= STILL_MS};
    enum zs_ready ready = zs_ready_decide(&facts, reason, sizeof reason);
    bool waits = ready == ZS_READY_WAIT || ready == ZS_READY_NOT_YET;
    if (ready == ZS_READY_NOT_YET)
        image->wait_until = now + WAIT_MS;
    if (waits)
        zs_link_move(s, ZS_LINK_SNAPSHOT, reason);
    if (waits && ready != image->ready)
        zs_logf(s->log, ZS_LEVEL_INFO, "link %s: image: %s", s->names.link, reason);
    if (head && ready == ZS_READY_SEND_LACKING)
        zs_logf(s->log, ZS_LEVEL_WARN, "link %s: image: %s; sends it as it is", s->names.link, reason);
    if (head || waits)
        image->ready = ready;
    return !waits;
}

static void want(struct zs_sender *s) {
    struct zs_image *image = &s->image;
    image->look_at = zs_mono_ms() + LOOK_AGAIN_MS;
    image->tree = zs_backlog_bounds(s->backlog).trees;
    if (!zs_link_clock_is_told(s) && zs_mono_ms() < image->asked_at + CLOCK_MS)
        zs_link_move(s, ZS_LINK_SNAPSHOT,
                     "waits a moment for reports of other destinations: they tell the clock");
    else if (may_be_sent(s, NULL))
        image->wish = zs_images_want(s->settings.images, s->settings.destination, image->path,
                                     s->settings.filter, s->wake_fd);
}

// --- the walk's chunks -----------------------------------------------------------------------------------------------

// What this site has applied of others lifted its clock.
static zs_clock clock_of_markers(const struct zs_chunk_head *head) {
    zs_clock clock = 0;
    for (uint32_t i = 0; i < head->marker_count; i++) {
        struct zs_marker marker;
        struct zs_error ignored;
        if (zs_marker_decode(head->markers[i].data.at, head->markers[i].data.len, &marker, &ignored))
            clock = zs_clock_foreign(clock, marker.clock);
    }
    return clock;
}

static bool take_head(struct zs_sender *s, struct zs_error *e) {
    struct zs_image *image = &s->image;
    const struct zs_report *report = &s->report;
    struct zs_chunk_head head;
    if (!zs_chunk_head(&image->in, &head, e))
        return false;
    if (!zs_history_equal(&head.history, &s->history)) { // the tree was exchanged, which is told in a moment
        zs_link_move(s, ZS_LINK_SNAPSHOT, "waits for /zoospan/history of the tree as it is now");
        zs_image_drop(s);
        return true;
    }
    read_markers(s, &head);
    if (!may_be_sent(s, &head)) {
        zs_image_drop(s);
        return true;
    }
    zs_zxids_free(&image->copies);
    zs_zxids_free(&image->borrowed);
    image->restored = head.restored;
    if (!zs_chunk_written(&head.written, s->settings.destination, &image->copies, &image->borrowed, e))
        return false;
    image->in = zs_reader_of(image->chunk->bytes, 0); // HEAD fills its chunk
    bool whole = strcmp(image->path, "/") == 0;
    image->history = s->history;
    image->needs_one_too =
        (image->has_marker && image->marker.image) || zs_ready_is_news_only(&s->history, report);
    image->at = image->goes_on = (struct zs_checkpoint){
        .zxid = head.zxid, .clock = zs_link_clock_at(s, head.zxid, clock_of_markers(&head))};
    if (!whole && zs_history_equal(&report->history, &s->history))
        image->goes_on = (struct zs_checkpoint){.zxid = report->applied, .clock = report->clock};
    image->about = whole ? head.nodes : 0;
    do {
        image->run = (int64_t)((uint64_t)zs_wall_ms() << 20 ^ (uint64_t)rand_r(&s->jitter));
    } while (image->run == 0);
    image->named = false;
    image->begun = true;
    zs_outbound_seek(s->outbound, &s->history, &image->goes_on);
    zs_window_reset(&s->window, s->settings.window_batches, &image->goes_on);
    image->tell_at = zs_mono_ms() + TELL_MS;
    char detail[sizeof s->status.detail];
    snprintf(detail, sizeof detail, "sends the image of %.300s as of zxid 0x%" PRIx64, image->path,
             (uint64_t)image->at.zxid);
    zs_link_move(s, ZS_LINK_SNAPSHOT, detail);
    zs_logf(s->log, ZS_LEVEL_INFO, "link %s: %s", s->names.link, detail);
    return zs_outbound_begin_image(s->outbound, e);
}

// --- what RabbitMQ does not take -------------------------------------------------------------------------------------

// A pattern that covers the path; what has a meaning in patterns stands for any character.
static void put_pattern(struct zs_buffer *to, const char *path) {
    for (const char *c = path; *c; c++) {
        bool plain = (unsigned char)*c > ' ' && !strchr("*?,\\%", *c);
        zs_put_bytes(to, plain ? c : "?", 1);
    }
}

// The walk begins anew without it. False: there are too many of them.
static bool leave_out(struct zs_sender *s, struct zs_error *e) {
    struct zs_image *image = &s->image;
    if (!image->large_path || image->left_out_count == LEFT_OUT_MAX)
        return zs_fail(e, ZS_FATAL, "%u nodes are left out already", image->left_out_count);
    zs_logf(s->log, ZS_LEVEL_ERROR,
            "link %s: image: %s is left out: a message of %zu bytes, and RabbitMQ takes %zu at most "
            "(max_message_size)",
            s->names.link, image->large_path, s->outgoing.message.len, s->message_bytes_max);
    if (image->left_out_count++)
        zs_put_bytes(&image->left_out, ",", 1);
    if (!image->left_out_zxid || image->large_zxid < image->left_out_zxid)
        image->left_out_zxid = image->large_zxid;
    put_pattern(&image->left_out, image->large_path);
    zs_put_u8(&image->left_out, 0);
    if (image->left_out.failed)
        return zs_fail(e, ZS_FATAL, "the paths that are left out are too long");
    zs_patterns_free(image->left_out_patterns);
    image->left_out_patterns = zs_patterns_new((const char *)image->left_out.at, e);
    image->left_out.len--; // the NUL, which the next one takes the place of
    return image->left_out_patterns != NULL;
}

static bool is_left_out(const struct zs_image *image, const char *path) {
    return image->left_out_patterns && zs_patterns_match(image->left_out_patterns, path);
}

// What the link does not carry, with what is left out.
static const char *exclude_of(struct zs_sender *s, struct zs_buffer *scratch) {
    const char *exclude = zs_filter_exclude(s->settings.filter);
    const struct zs_image *image = &s->image;
    if (!image->left_out_count)
        return exclude;
    zs_put_bytes(scratch, exclude, strlen(exclude));
    if (*exclude)
        zs_put_bytes(scratch, ",", 1);
    char lacks[1 + ZS_LEFT_OUT_TEXT] = ",";
    zs_left_out_format(image->left_out_zxid, lacks + 1);
    zs_put_bytes(scratch, image->left_out.at, image->left_out.len);
    zs_put_bytes(scratch, lacks, strlen(lacks) + 1); // with its NUL
    return scratch->failed ? NULL : (const char *)scratch->at;
}

static void note_size(struct zs_sender *s) {
    struct zs_image *image = &s->image;
    size_t bytes = image->node.data.len + strlen(image->node.path);
    if (!s->message_bytes_max || bytes < s->message_bytes_max / 4 || bytes <= image->large_bytes)
        return;
    free(image->large_path);
    image->large_path = strdup(image->node.path);
    image->large_bytes = bytes;
    image->large_zxid = image->node.zxid;
}

// Each batch says what it belongs to.
static bool open_batch(struct zs_sender *s, struct zs_error *e) {
    struct zs_image *image = &s->image;
    struct zs_buffer scratch;
    zs_buffer_init(&scratch, ZS_RULES_MAX + 1);
    const char *exclude = exclude_of(s, &scratch);
    if (!exclude) {
        zs_buffer_free(&scratch);
        return zs_fail(e, ZS_FATAL, "the paths that are left out are too long");
    }
    image->large_bytes = 0;
    struct zs_record record = {.type = ZS_RECORD_SNAPSHOT_PART,
                               .part = {.run = image->run, .index = image->part}};
    bool seen = image->has_marker && zs_ready_counts(&image->marker);
    if (image->part == 0)
        record = (struct zs_record){
            .type = ZS_RECORD_SNAPSHOT_BEGIN,
            .begin = {.run = image->run,
                      .path = image->path,
                      .zxid = image->at.zxid,
                      .seen = seen ? zs_marker_holds(&image->marker, image->marker.zxid) : 0,
                      .seen_history = image->marker.history,
                      .vector_count = image->vector_count,
                      .vector = image->holds,
                      .include = zs_filter_include(s->settings.filter),
                      .exclude = exclude}};
    image->part++;
    image->batch_open = true;
    bool taken = zs_outbound_add(s->outbound, &record, e) == ZS_TAKEN;
    zs_buffer_free(&scratch);
    return taken;
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
        return zs_error_context(e, "node %.300s", image->node.path);
    image->node_waits = *full;
    image->nodes += !*full;
    if (!*full)
        note_size(s);
    image->sequence_waits = image->created > 0;
    return true;
}

static bool add_sequence(struct zs_sender *s, bool *full, struct zs_error *e) {
    struct zs_image *image = &s->image;
    const struct zs_record record = {.type = ZS_RECORD_SEQUENCE,
                                     .sequence = {.path = image->node.path, .created = image->created}};
    if (!add(s, &record, full, e))
        return false;
    image->sequence_waits = *full;
    return true;
}

static bool add_as_of(struct zs_sender *s, bool *full, struct zs_error *e) {
    struct zs_image *image = &s->image;
    const struct zs_record record = {.type = ZS_RECORD_AS_OF, .as_of = {.zxid = image->as_of}};
    if (!add(s, &record, full, e))
        return false;
    image->as_of_waits = *full;
    return true;
}

static bool add_end(struct zs_sender *s, bool *full, struct zs_error *e) {
    struct zs_image *image = &s->image;
    const struct zs_record record = {.type = ZS_RECORD_SNAPSHOT_END,
                                     .end = {.path = image->path, .nodes = image->nodes, .zxid = image->tip}};
    if (!add(s, &record, full, e))
        return false;
    image->finished = !*full;
    return true;
}

// Opens the next chunk, if one is there.
static bool next_chunk(struct zs_sender *s, struct zs_error *e) {
    struct zs_image *image = &s->image;
    enum zs_chunk_type type;
    bool failed;
    free(image->chunk);
    image->chunk = zs_images_take(s->settings.images, image->wish, &failed);
    if (!image->chunk)
        return !failed || zs_fail(e, ZS_RETRY, "the walk came to nothing: the server is short of memory");
    image->in = zs_reader_of(image->chunk->bytes, image->chunk->len);
    if (!zs_chunk_type(&image->in, &type, e))
        return false;
    if (type == ZS_CHUNK_BROKEN_OFF)
        return zs_chunk_broken_off(&image->in, e);
    if (type == ZS_CHUNK_HEAD)
        return take_head(s, e);
    if (type == ZS_CHUNK_END) {
        image->ended = true;
        return zs_chunk_end(&image->in, &image->tip, e);
    }
    image->as_of_waits = true;
    return zs_chunk_as_of(&image->in, &image->as_of, e);
}

// Takes the next node into the open batch, or whatever else the walk has. `*idle`: nothing is there at the moment.
static bool take_next(struct zs_sender *s, bool *idle, bool *full, struct zs_error *e) {
    struct zs_image *image = &s->image;
    *idle = *full = false;
    if (image->node_waits)
        return add_node(s, full, e);
    if (image->sequence_waits)
        return add_sequence(s, full, e);
    if (image->as_of_waits)
        return add_as_of(s, full, e);
    if (image->ended)
        return add_end(s, full, e);
    if (!image->chunk || zs_read_left(&image->in) == 0) {
        if (!next_chunk(s, e))
            return false;
        *idle = !image->chunk;
        return true;
    }
    zs_arena_reset(image->arena);
    if (!zs_chunk_node(&image->in, image->arena, &image->node, &image->created, e))
        return false;
    image->node.copy = zs_zxids_hold(&image->copies, image->node.zxid);
    if (image->node.zxid <= image->restored || zs_zxids_hold(&image->borrowed, image->node.zxid))
        image->node.time_ms = 0;
    return is_left_out(image, image->node.path) || add_node(s, full, e);
}

// --- turns -----------------------------------------------------------------------------------------------------------

static void tell_progress(struct zs_sender *s) {
    const struct zs_image *image = &s->image;
    int64_t now = zs_mono_ms();
    char detail[128];
    if (!image->begun || now < image->tell_at)
        return;
    s->image.tell_at = now + TELL_MS;
    if (image->about)
        snprintf(detail, sizeof detail, "%" PRIu64 " of about %" PRIu64 " nodes sent", image->nodes,
                 image->about);
    else
        snprintf(detail, sizeof detail, "%" PRIu64 " nodes sent", image->nodes);
    zs_link_move(s, ZS_LINK_SNAPSHOT, detail);
    zs_logf(s->log, ZS_LEVEL_INFO, "link %s: image: %s", s->names.link, detail);
}

// All is with the broker: the stream goes on.
static void finish(struct zs_sender *s) {
    struct zs_image *image = &s->image;
    zs_logf(s->log, ZS_LEVEL_INFO, "link %s: the image is sent: %" PRIu64 " nodes", s->names.link,
            image->nodes);
    s->status.images++;
    s->status.image_nodes = image->nodes;
    zs_image_drop(s);
    image->sent = true;
    image->again_at = zs_mono_ms() + TAKE_IT_MS;
    if (s->stuck_zxid <= image->goes_on.zxid)
        s->stuck_zxid = 0;
    if (strcmp(image->path, "/") == 0)
        s->tree = image->tree;
    const struct zs_checkpoint at = image->goes_on;
    zs_link_stream_from(s, &at);
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

static void cannot_be_sent(struct zs_sender *s, const struct zs_error *why) {
    char reason[sizeof s->status.detail];
    snprintf(reason, sizeof reason, "the image of %.60s cannot be sent: %.400s", s->image.path, why->text);
    zs_image_drop(s);
    zs_gap_enter(s, reason, true);
    s->gap.look_at = zs_mono_ms() + UNTELLABLE_MS;
}

// With nothing in flight: the next batch, if it is full or the last, or if something has to be heard of us.
static bool send_next(struct zs_sender *s, bool *more, struct zs_error *e) {
    struct zs_image *image = &s->image;
    struct zs_error walk = {0};
    bool idle = false, full = false;
    if (!fill(s, &idle, &full, &walk)) {
        if (walk.code != ZS_RETRY) {
            cannot_be_sent(s, &walk);
            return true;
        }
        begin_anew(s, &walk);
    }
    *more = image->wish && !idle;
    bool heartbeat = zs_mono_ms() >= s->heartbeat_at;
    if (!full && !image->finished && !heartbeat)
        return true;
    image->in_flight = image->batch_open; // else it is a mere heartbeat
    image->batch_open = false;
    *more = false; // until it is confirmed
    bool fits;
    if (!zs_link_publish(s, heartbeat, &fits, e))
        return false;
    if (fits)
        return true;
    struct zs_error why = {0};
    if (leave_out(s, &why)) {
        zs_fail(&why, ZS_RETRY, "%u nodes are left out", image->left_out_count);
        begin_anew(s, &why);
    } else {
        cannot_be_sent(s, &why);
    }
    return true;
}

// Why what is being sent is of no use any more; NULL: it is.
static const char *useless(struct zs_sender *s) {
    const struct zs_image *image = &s->image;
    bool first = strcmp(s->settings.origin, s->settings.destination) < 0;
    if (strcmp(s->report.image_path, image->path) != 0)
        return "another one is asked for";
    if (!image->begun)
        return NULL;
    if (!zs_history_equal(&image->history, &s->history))
        return "this site has another history";
    if (image->tree != zs_backlog_bounds(s->backlog).trees)
        return "this server's tree was exchanged";
    if (was_dropped(s))
        return "the destination has dropped it";
    if (!first && s->has_marker && s->marker.image && !image->needs_one_too)
        return "this site needs one of the destination first";
    return NULL;
}

bool zs_image_turn(struct zs_sender *s, bool *more, struct zs_error *e) {
    struct zs_image *image = &s->image;
    const char *why = useless(s);
    if (why) {
        zs_logf(s->log, ZS_LEVEL_WARN, "link %s: the image begins anew: %s", s->names.link, why);
        zs_image_begin(s);
    }
    tell_progress(s);
    if (s->blocked || s->window.count > 0 || zs_mono_ms() < s->hold_until)
        return true;
    if (s->window.refused) { // once more, after a while; a mere heartbeat is not worth it
        s->failures++;
        zs_link_say_full(s);
        s->hold_until = zs_mono_ms() + zs_link_backoff_ms(s, s->failures);
        zs_window_reset(&s->window, s->settings.window_batches, &image->goes_on);
        image->again = image->in_flight;
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
    const struct zs_image *image = &s->image;
    int64_t until = image->again ? s->hold_until : s->heartbeat_at;
    if (!image->wish && image->look_at < until)
        until = image->look_at;
    return until > s->hold_until ? until : s->hold_until; // nothing is done before
}
