#include "zs_outbound.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zs_lexicon.h"
#include "zs_names.h"

// Room in the writer above batch_bytes_max: the MARK that waits, the HEARTBEAT and SEEN always fit behind a batch that was
// not yet full (a MARK is below 100 bytes and SEEN below 30; a HEARTBEAT holds 64 positions and 32 sessions of at most 26
// and 10 bytes).
//
// A batch of an image gathers up to IMAGE_BYTES_MAX, whatever batch_bytes_max says: with one in flight at a time, its size
// decides how fast an image goes. It stays below the least message_bytes_max of a receiver, unless a single node is larger.
enum { TAIL_BYTES = 4096, IMAGE_BYTES_MAX = 768 * 1024 };

struct zs_outbound {
    struct zs_outbound_settings settings;
    struct zs_batch_writer *stream_writer, *image_writer; // the latter only while an image is sent
    struct zs_batch_writer *writer;                       // one of them
    struct zs_arena *arena;                               // of the txn at hand
    struct zs_history history;
    struct zs_checkpoint cursor;
    struct zs_glance taken;
    int64_t one_by_one_until;
    size_t image_bytes_max;
    bool open; // a batch has begun; a finished one lends its memory until the next begins

    bool checkpoints, checkpoint_open; // the destination takes them; the open batch holds one
    bool mark_waits; // the newest MARK is held back until a txn follows, because a newer one may replace it
    struct zs_record_mark mark;

    uint32_t vector_count;
    struct zs_position vector[ZS_VECTOR_MAX];
    uint32_t session_count; // newest first
    int64_t sessions[ZS_SESSIONS_MAX];

    struct zs_lexicon lexicon;
    unsigned format; // of batches to come: the highest that the destination's report names; 0: none came yet
    struct zs_outbound_counters counters;
    char sequential_example[256];
};

struct zs_outbound *zs_outbound_new(const struct zs_outbound_settings *settings, struct zs_error *e) {
    struct zs_outbound *out = calloc(1, sizeof *out);
    if (out) {
        out->settings = *settings;
        out->image_bytes_max = IMAGE_BYTES_MAX;
        // Decoded ops take more room than their bytes: at worst a multi of empty deletes.
        out->arena = zs_arena_new(settings->txn_bytes_max * 32);
        out->stream_writer =
            zs_batch_writer_new(settings->batch_bytes_max + TAIL_BYTES, settings->txn_bytes_max * 2);
        out->writer = out->stream_writer;
    }
    if (!out || !out->arena || !out->writer) {
        zs_outbound_free(out);
        zs_fail(e, ZS_FATAL, "out of memory for a batch of %zu bytes", settings->batch_bytes_max);
        return NULL;
    }
    return out;
}

void zs_outbound_free(struct zs_outbound *out) {
    if (!out)
        return;
    zs_batch_writer_free(out->stream_writer);
    zs_batch_writer_free(out->image_writer);
    zs_arena_free(out->arena);
    free(out);
}

static void begin_batch(struct zs_outbound *out) {
    struct zs_batch_head head = {
        .version = out->format,
        .history = out->history,
        .filter_hash = zs_filter_hash(out->settings.filter),
        .prev = out->cursor.zxid,
        .clock_prev = out->cursor.clock,
    };
    memcpy(head.origin, out->settings.origin, sizeof head.origin);
    memcpy(head.destination, out->settings.destination, sizeof head.destination);
    zs_batch_writer_begin(out->writer, &head);
    out->checkpoint_open = false;
    out->open = true;
}

void zs_outbound_seek(struct zs_outbound *out, const struct zs_history *history,
                      const struct zs_checkpoint *from) {
    out->history = *history;
    out->cursor = *from;
    out->taken = (struct zs_glance){.zxid = from->zxid};
    out->mark_waits = false;
    out->open = false;
    zs_batch_writer_free(out->image_writer);
    out->image_writer = NULL;
    out->writer = out->stream_writer;
}

bool zs_outbound_begin_image(struct zs_outbound *out, struct zs_error *e) {
    const size_t bytes = out->settings.txn_bytes_max * 2 + (size_t)2 * IMAGE_BYTES_MAX;
    assert(!out->open && !out->mark_waits);
    if (!out->image_writer)
        out->image_writer = zs_batch_writer_new(bytes, bytes);
    if (!out->image_writer)
        return zs_fail(e, ZS_FATAL, "out of memory for a batch of an image");
    out->writer = out->image_writer;
    return true;
}

static bool session_known(const struct zs_outbound *out, int64_t session) {
    for (uint32_t i = 0; i < out->session_count; i++) {
        if (out->sessions[i] == session)
            return true;
    }
    return false;
}

static void know_session(struct zs_outbound *out, int64_t session) {
    if (!session_known(out, session) && out->session_count < ZS_SESSIONS_MAX)
        out->sessions[out->session_count++] = session;
}

// One that the stream itself shows is newer than all that are known: the oldest makes room.
static void meet_session(struct zs_outbound *out, int64_t session) {
    if (session_known(out, session))
        return;
    if (out->session_count < ZS_SESSIONS_MAX)
        out->session_count++;
    memmove(out->sessions + 1, out->sessions, (out->session_count - 1) * sizeof *out->sessions);
    out->sessions[0] = session;
}

static void know_position(struct zs_outbound *out, const struct zs_position *seen) {
    uint32_t i = 0;
    while (i < out->vector_count && strcmp(out->vector[i].site, seen->site) != 0)
        i++;
    if (i == ZS_VECTOR_MAX)
        return;
    if (i == out->vector_count)
        out->vector_count++;
    out->vector[i] = *seen;
}

// The marker that a txn writes, if it is its own: then the txn is an applier's. A marker names the session
// that wrote it, so what an operator writes back makes nothing foreign, whatever it holds.
static bool find_marker(const struct zs_txn *txn, struct zs_position *seen, struct zs_marker *marker) {
    const size_t stem = sizeof ZS_APPLIED_PATH "/" - 1;
    for (uint32_t i = 0; i < txn->op_count; i++) {
        const struct zs_op *op = &txn->ops[i];
        if ((op->type != ZS_OP_SET && op->type != ZS_OP_CREATE) ||
            strncmp(op->path, ZS_APPLIED_PATH "/", stem) != 0)
            continue;
        if (!zs_site_valid(op->path + stem) || !zs_marker_decode(op->data.at, op->data.len, marker, NULL) ||
            marker->session != txn->session)
            continue;
        snprintf(seen->site, sizeof seen->site, "%s", op->path + stem);
        seen->zxid = marker->zxid;
        return true;
    }
    return false;
}

// Adds the MARK that waits; false when the batch is full.
static bool add_waiting_mark(struct zs_outbound *out) {
    if (!out->mark_waits)
        return true;
    struct zs_record record = {.type = ZS_RECORD_MARK, .mark = out->mark};
    if (zs_batch_writer_add(out->writer, &record) != ZS_ADDED)
        return false;
    out->mark_waits = false;
    return true;
}

// A marker that was written for its own sake, about this link's destination: somebody here waits for that site.
static void add_checkpoint(struct zs_outbound *out, int64_t zxid) {
    const struct zs_record record = {.type = ZS_RECORD_CHECKPOINT, .checkpoint = {.zxid = zxid}};
    bool added = add_waiting_mark(out) && zs_batch_writer_add(out->writer, &record) == ZS_ADDED;
    assert(added); // the batch was not full, and there is TAIL_BYTES
    (void)added;
    out->checkpoint_open = true;
}

static enum zs_taken take_foreign(struct zs_outbound *out, const struct zs_txn *txn,
                                  const struct zs_position *seen, const struct zs_marker *marker) {
    bool replaces =
        out->mark_waits && out->mark.session == txn->session && !strcmp(out->mark.seen.site, seen->site);
    if (!replaces && !add_waiting_mark(out))
        return ZS_TAKE_FULL;
    out->mark_waits = true;
    out->mark = (struct zs_record_mark){
        .zxid = txn->zxid, .seen = *seen, .clock = marker->clock, .session = txn->session};
    meet_session(out, txn->session);
    know_position(out, seen);
    out->cursor.clock = zs_clock_foreign(out->cursor.clock, marker->clock);
    bool waits = marker->fence && strcmp(seen->site, out->settings.destination) == 0;
    if (out->checkpoints && waits)
        add_checkpoint(out, txn->zxid);
    return ZS_TAKEN;
}

// Ten digits make a sequential name (their number is a positive int), unless they are the end of a longer number or of
// a UUID. Nothing in a txn tells for sure.
static bool is_sequential_name(const char *name) {
    enum { DIGITS = 10, UUID_BYTES = 36, UUID_DIGITS = 32 };
    static const char hex[] = "0123456789abcdefABCDEF";
    const size_t len = strlen(name);
    if (len < DIGITS || strspn(name + len - DIGITS, "0123456789") != DIGITS ||
        strcmp(name + len - DIGITS, "2147483647") > 0)
        return false;
    if (len > DIGITS && strchr("0123456789", name[len - DIGITS - 1]))
        return false;
    const char *end = name + len;
    const bool dashes = len >= UUID_BYTES &&
                        strspn(end - UUID_BYTES, "-0123456789abcdefABCDEF") == UUID_BYTES &&
                        end[-13] == '-' && end[-18] == '-' && end[-23] == '-' && end[-28] == '-';
    return !dashes && !(len >= UUID_DIGITS && strspn(end - UUID_DIGITS, hex) == UUID_DIGITS);
}

static void watch_for_sequential_name(struct zs_outbound *out, const char *path) {
    const size_t len = strlen(path);
    if (!is_sequential_name(strrchr(path, '/') + 1))
        return;
    out->counters.sequential_names++;
    if (len < sizeof out->sequential_example)
        memcpy(out->sequential_example, path, len + 1);
}

static bool is_carried(const struct zs_outbound *out, const struct zs_op *op) {
    switch (op->type) {
    case ZS_OP_CREATE:
    case ZS_OP_DELETE:
    case ZS_OP_SET:
    case ZS_OP_SET_ACL:
        return zs_filter_carries(out->settings.filter, op->path);
    case ZS_OP_CLOSE_SESSION:
        // Even if it names nothing that this link carries: what it had was deleted here perhaps, by the
        // applier, and before that had reached the other site.
        return true;
    }
    return false;
}

// What the filter leaves of the txn's ops, into `kept` (room for all of them, and one).
static uint32_t filter_ops(struct zs_outbound *out, const struct zs_txn *txn, struct zs_op *kept) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < txn->op_count; i++) {
        const struct zs_op *op = &txn->ops[i];
        if (!is_carried(out, op))
            continue;
        if (op->type == ZS_OP_CREATE)
            watch_for_sequential_name(out, op->path);
        kept[count++] = *op;
    }
    if (txn->reaped && count)
        kept[count++] =
            (struct zs_op){.type = ZS_OP_CLOSE_SESSION, .session = ZS_REAPED, .paths_known = true};
    return count;
}

static enum zs_taken take_local(struct zs_outbound *out, const struct zs_txn *txn, struct zs_error *e) {
    zs_clock stamp = zs_clock_local(out->cursor.clock, txn->time_ms);
    struct zs_op *kept = zs_arena_take(out->arena, (size_t)txn->op_count + 1, sizeof *kept);
    if (!kept) {
        zs_fail(e, ZS_FATAL, "txn 0x%llx has too many operations for txn_bytes_max",
                (unsigned long long)txn->zxid);
        return ZS_TAKE_ERROR;
    }
    uint64_t sequential_names = out->counters.sequential_names;
    uint32_t count = filter_ops(out, txn, kept);
    if (count) {
        struct zs_record record = {.type = ZS_RECORD_TXN,
                                   .txn = {.zxid = txn->zxid,
                                           .clock = stamp,
                                           .time_ms = txn->time_ms,
                                           .multi = txn->multi,
                                           .op_count = count,
                                           .ops = kept}};
        enum zs_added added =
            add_waiting_mark(out) ? zs_batch_writer_add(out->writer, &record) : ZS_BATCH_FULL;
        if (added == ZS_BATCH_FULL) {
            out->counters.sequential_names = sequential_names; // it will be offered, and counted, again
            return ZS_TAKE_FULL;
        }
        if (added == ZS_RECORD_TOO_LARGE) {
            zs_fail(e, ZS_FATAL, "txn 0x%llx does not fit a batch", (unsigned long long)txn->zxid);
            return ZS_TAKE_ERROR;
        }
        out->counters.txns++;
    } else if (txn->op_count) {
        out->counters.filtered++;
    }
    out->cursor.clock = stamp;
    return ZS_TAKEN;
}

enum zs_taken zs_outbound_take(struct zs_outbound *out, const uint8_t *bytes, size_t len,
                               struct zs_error *e) {
    struct zs_txn txn;
    struct zs_position seen;
    struct zs_marker marker;
    const uint64_t published = out->counters.txns;
    if (!out->open)
        begin_batch(out);
    if (zs_outbound_full(out))
        return ZS_TAKE_FULL;
    zs_arena_reset(out->arena);
    if (!zs_txn_decode(bytes, len, out->arena, &txn, e))
        return ZS_TAKE_ERROR;
    assert(txn.zxid > out->cursor.zxid);

    enum zs_taken taken = ZS_TAKEN;
    bool local = false;
    if (find_marker(&txn, &seen, &marker)) {
        taken = take_foreign(out, &txn, &seen, &marker);
        out->counters.foreign += taken == ZS_TAKEN;
    } else if (session_known(out, txn.session)) {
        out->counters.foreign++;
    } else {
        local = true;
        taken = take_local(out, &txn, e);
    }
    if (taken != ZS_TAKEN)
        return taken;
    out->cursor.zxid = txn.zxid;
    out->taken = (struct zs_glance){
        .zxid = txn.zxid, .time_ms = txn.time_ms, .local = local, .carried = out->counters.txns > published};
    return ZS_TAKEN;
}

struct zs_glance zs_outbound_taken(const struct zs_outbound *out) {
    return out->taken;
}

static bool carries_any(const struct zs_outbound *out, const struct zs_txn *txn) {
    for (uint32_t i = 0; i < txn->op_count; i++) {
        if (is_carried(out, &txn->ops[i]))
            return true;
    }
    return false;
}

bool zs_outbound_glance(struct zs_outbound *out, const uint8_t *bytes, size_t len, struct zs_glance *glance,
                        struct zs_error *e) {
    struct zs_txn txn;
    struct zs_position seen;
    struct zs_marker marker;
    zs_arena_reset(out->arena);
    if (!zs_txn_decode(bytes, len, out->arena, &txn, e))
        return false;
    bool applied = find_marker(&txn, &seen, &marker);
    if (applied)
        meet_session(out, txn.session);
    bool local = !applied && !session_known(out, txn.session);
    *glance = (struct zs_glance){.zxid = txn.zxid,
                                 .time_ms = txn.time_ms,
                                 .lifts = applied ? marker.clock : 0,
                                 .local = local,
                                 .carried = local && carries_any(out, &txn)};
    return true;
}

struct zs_checkpoint zs_outbound_cursor(const struct zs_outbound *out) {
    return out->cursor;
}

zs_clock zs_glance_tick(const struct zs_glance *glance, zs_clock clock) {
    return glance->local ? zs_clock_local(clock, glance->time_ms) : zs_clock_foreign(clock, glance->lifts);
}

const struct zs_position *zs_outbound_vector(const struct zs_outbound *out, uint32_t *count) {
    *count = out->vector_count;
    return out->vector;
}

bool zs_outbound_urgent(const struct zs_outbound *out) {
    return out->open && out->checkpoint_open;
}

uint32_t zs_outbound_waiting_txns(const struct zs_outbound *out) {
    return out->open ? zs_batch_writer_txns(out->writer) : 0;
}

void zs_outbound_one_by_one(struct zs_outbound *out, int64_t until) {
    out->one_by_one_until = until;
}

void zs_outbound_limit_image(struct zs_outbound *out, size_t message_bytes_max) {
    const size_t records =
        message_bytes_max / 4 * 3; // the rest: what a message has around them, and a heartbeat
    out->image_bytes_max = records && records < IMAGE_BYTES_MAX ? records : IMAGE_BYTES_MAX;
}

bool zs_outbound_full(const struct zs_outbound *out) {
    const uint32_t records_max = out->cursor.zxid <= out->one_by_one_until ? 1 : out->settings.batch_txns_max;
    return out->open && (zs_batch_writer_records(out->writer) >= records_max ||
                         zs_batch_writer_raw_bytes(out->writer) >= out->settings.batch_bytes_max);
}

static bool add_heartbeat(struct zs_outbound *out, const struct zs_heartbeat *heartbeat) {
    struct zs_record record = {.type = ZS_RECORD_HEARTBEAT,
                               .heartbeat = {.time_ms = heartbeat->time_ms,
                                             .vector_count = out->vector_count,
                                             .vector = out->vector,
                                             .session_count = out->session_count,
                                             .sessions = out->sessions}};
    if (zs_batch_writer_add(out->writer, &record) != ZS_ADDED)
        return false;
    if (!heartbeat->seen)
        return true;
    const struct zs_record seen = {.type = ZS_RECORD_SEEN, .seen = *heartbeat->seen};
    return zs_batch_writer_add(out->writer, &seen) == ZS_ADDED;
}

// At most what the record takes in a batch.
static size_t bytes_of(const struct zs_record *record) {
    enum { FIXED_BYTES_MAX = 100, ACL_BYTES_MAX = 20 };
    if (record->type != ZS_RECORD_NODE)
        return 0; // there is room for it above IMAGE_BYTES_MAX
    const struct zs_record_node *node = &record->node;
    size_t bytes = FIXED_BYTES_MAX + strlen(node->path) + node->data.len;
    for (uint32_t i = 0; i < node->acls.count; i++)
        bytes += ACL_BYTES_MAX + strlen(node->acls.entries[i].scheme) + strlen(node->acls.entries[i].id);
    return bytes;
}

static bool image_is_full(const struct zs_outbound *out, const struct zs_record *record) {
    return out->writer == out->image_writer && zs_batch_writer_records(out->writer) > 1 &&
           zs_batch_writer_raw_bytes(out->writer) + bytes_of(record) > out->image_bytes_max;
}

enum zs_taken zs_outbound_add(struct zs_outbound *out, const struct zs_record *record, struct zs_error *e) {
    if (!out->open)
        begin_batch(out);
    if (image_is_full(out, record))
        return ZS_TAKE_FULL;
    switch (zs_batch_writer_add(out->writer, record)) {
    case ZS_ADDED:
        return ZS_TAKEN;
    case ZS_BATCH_FULL:
        if (zs_batch_writer_records(out->writer) > 1)
            return ZS_TAKE_FULL;
        break; // not even alone with what says where it belongs
    case ZS_RECORD_TOO_LARGE:
        break;
    }
    zs_fail(e, ZS_FATAL, "a record does not fit a batch");
    return ZS_TAKE_ERROR;
}

uint32_t zs_outbound_records(const struct zs_outbound *out) {
    return out->open ? zs_batch_writer_records(out->writer) : 0;
}

void zs_outbound_hear(struct zs_outbound *out, const struct zs_report *report) {
    out->checkpoints = report->takes_images;
    out->format = report->format;
    for (uint32_t i = report->session_count; i-- > 0;)
        know_session(out, report->sessions[i]);
    zs_lexicon_hear(&out->lexicon, report);
}

// A batch of txns teaches, takes a dictionary along that is due, and refers to the one in use.
static void use_lexicon(struct zs_outbound *out) {
    struct zs_lexicon *lexicon = &out->lexicon;
    const struct zs_dictionary *due = zs_lexicon_due(lexicon);
    if (due) {
        const struct zs_record record = {.type = ZS_RECORD_DICTIONARY,
                                         .dictionary = {{due->bytes, due->len}}};
        if (zs_batch_writer_add(out->writer, &record) == ZS_ADDED)
            zs_lexicon_sent(lexicon);
    }
    zs_batch_writer_use(out->writer, zs_lexicon_used(lexicon));
}

bool zs_outbound_finish(struct zs_outbound *out, const struct zs_heartbeat *heartbeat,
                        struct zs_outgoing *outgoing, struct zs_error *e) {
    if (!out->open)
        begin_batch(out);
    bool added = add_waiting_mark(out);
    assert(added); // it waits only in a batch that is not full
    (void)added;
    bool empty = zs_batch_writer_records(out->writer) == 0;
    bool txns = zs_batch_writer_txns(out->writer) > 0;
    if (txns)
        zs_lexicon_learn(&out->lexicon, zs_batch_writer_raw(out->writer));
    outgoing->heartbeat = heartbeat && add_heartbeat(out, heartbeat);
    if (txns)
        use_lexicon(out);
    out->open = false;
    bool done = zs_batch_writer_finish(out->writer, out->cursor.zxid, out->cursor.clock, &outgoing->message,
                                       &outgoing->head, e);
    outgoing->fleeting = done && empty && outgoing->head.last == outgoing->head.prev;
    return done;
}

void zs_outbound_counters(const struct zs_outbound *out, struct zs_outbound_counters *counters) {
    *counters = out->counters;
}

const char *zs_outbound_sequential_example(const struct zs_outbound *out) {
    return out->sequential_example;
}
