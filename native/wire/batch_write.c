// Writing a batch. Records are encoded as they come into one buffer that is as large as it will ever be, so that
// the hot path takes no memory; the header, the compressed records and the trailer are put together at the end.
//
// A record that turns out not to fit is cut off again. The state that differences count from has moved on by then: the
// batch is therefore closed (it takes nothing more) or, if it was empty, begun again.
#include "wire_format.h"

#include <assert.h>
#include <lz4.h>
#include <lz4hc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zs_utf8.h"

// A dictionary pays for itself in small batches only; they are worth the slower search, too.
enum { HEADER_BYTES_MAX = 160, SMALL_BYTES_MAX = 8192, SMALL_LEVEL = 3 };

struct written_acl {
    size_t at, len; // in the records
};

struct zs_batch_writer {
    size_t raw_bytes_max, record_bytes_max;
    uint32_t belonging; // records that only say what the batch belongs to
    struct zs_batch_head head;
    struct zs_buffer raw, message;
    struct wire_state state;
    char *path; // of the record before
    size_t path_len;
    size_t shared; // bytes of paths that only the reader will see
    bool closed;
    uint32_t acl_count;
    struct written_acl acls[WIRE_ACLS_MAX];
    void *lz4;
    LZ4_streamHC_t *lz4_small;
    const struct zs_dictionary *dictionary; // borrowed
};

static bool take_buffer(struct zs_buffer *buffer, size_t bytes) {
    zs_buffer_init(buffer, bytes);
    return zs_buffer_reserve(buffer, bytes) != NULL;
}

struct zs_batch_writer *zs_batch_writer_new(size_t raw_bytes_max, size_t record_bytes_max) {
    if (record_bytes_max < raw_bytes_max)
        record_bytes_max = raw_bytes_max;
    if (record_bytes_max > LZ4_MAX_INPUT_SIZE)
        return NULL;
    struct zs_batch_writer *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->raw_bytes_max = raw_bytes_max;
    w->record_bytes_max = record_bytes_max;
    w->lz4 = malloc((size_t)LZ4_sizeofState());
    w->lz4_small = LZ4_createStreamHC();
    w->path = malloc(record_bytes_max + 1);
    size_t message_bytes =
        HEADER_BYTES_MAX + (size_t)LZ4_compressBound((int)record_bytes_max) + WIRE_TRAILER_CRC32C_BYTES;
    bool taken = take_buffer(&w->raw, record_bytes_max) && take_buffer(&w->message, message_bytes);
    if (w->lz4 && w->lz4_small && w->path && taken)
        return w;
    zs_batch_writer_free(w);
    return NULL;
}

void zs_batch_writer_free(struct zs_batch_writer *writer) {
    if (!writer)
        return;
    zs_buffer_free(&writer->raw);
    zs_buffer_free(&writer->message);
    free(writer->path);
    free(writer->lz4);
    LZ4_freeStreamHC(writer->lz4_small);
    free(writer);
}

static void start(struct zs_batch_writer *w) {
    zs_buffer_clear(&w->raw);
    w->state = wire_state_at(&w->head);
    w->path_len = 0;
    w->shared = 0;
    w->closed = false;
    w->belonging = 0;
    w->acl_count = 0;
}

void zs_batch_writer_begin(struct zs_batch_writer *writer, const struct zs_batch_head *head) {
    struct zs_batch_head *own = &writer->head;
    *own = (struct zs_batch_head){
        .version = head->version ? head->version : 1,
        .history = head->history,
        .filter_hash = head->filter_hash,
        .prev = head->prev,
        .first = head->prev,
        .clock_prev = head->clock_prev,
    };
    memcpy(own->origin, head->origin, sizeof own->origin);
    memcpy(own->destination, head->destination, sizeof own->destination);
    start(writer);
}

// --- the parts of records --------------------------------------------------------------------------------------------

// A value as its difference from `from`, modulo 2^64, which becomes the value.
static void put_delta(struct zs_buffer *to, uint64_t value, uint64_t *from) {
    zs_put_zigzag(to, (int64_t)(value - *from));
    *from = value;
}

static void put_text(struct zs_buffer *to, const char *text) {
    size_t len = strlen(text);
    zs_put_varint(to, len);
    zs_put_bytes(to, text, len);
}

static void put_time(struct zs_batch_writer *w, int64_t time_ms) {
    zs_put_zigzag(&w->raw, (int64_t)((uint64_t)time_ms - (uint64_t)zs_clock_ms(w->state.clock)));
}

static void put_path(struct zs_batch_writer *w, const char *path) {
    size_t shared = 0;
    while (shared < w->path_len && path[shared] == w->path[shared])
        shared++;
    size_t rest = strlen(path + shared);
    if (shared + rest > w->record_bytes_max) {
        w->raw.failed = true;
        return;
    }
    zs_put_varint(&w->raw, shared);
    zs_put_varint(&w->raw, rest);
    zs_put_bytes(&w->raw, path + shared, rest);
    memcpy(w->path + shared, path + shared, rest);
    w->path_len = shared + rest;
    w->shared += shared;
}

static void put_data(struct zs_buffer *to, struct zs_slice data) {
    zs_put_varint(to, data.at ? (uint64_t)data.len + 1 : 0);
    zs_put_bytes(to, data.at, data.at ? data.len : 0);
}

static bool is_open(const struct zs_acls *acls) {
    const struct zs_acl *acl = acls->entries;
    return acls->count == 1 && acl->perms == WIRE_OPEN_PERMS && strcmp(acl->scheme, WIRE_OPEN_SCHEME) == 0 &&
           strcmp(acl->id, WIRE_OPEN_ID) == 0;
}

// Writes the list inline and, if the same bytes stand earlier in the batch, puts their index in its place.
static void put_acls(struct zs_batch_writer *w, const struct zs_acls *acls) {
    if (is_open(acls)) {
        zs_put_varint(&w->raw, WIRE_ACL_OPEN);
        return;
    }
    size_t code_at = w->raw.len;
    zs_put_varint(&w->raw, WIRE_ACL_INLINE);
    size_t list_at = w->raw.len;
    zs_put_varint(&w->raw, acls->count);
    for (uint32_t i = 0; i < acls->count; i++) {
        zs_put_varint(&w->raw, acls->entries[i].perms);
        put_text(&w->raw, acls->entries[i].scheme);
        put_text(&w->raw, acls->entries[i].id);
    }
    size_t len = w->raw.len - list_at;
    if (w->raw.failed)
        return;
    for (uint32_t i = 0; i < w->acl_count; i++) {
        if (w->acls[i].len != len || memcmp(w->raw.at + w->acls[i].at, w->raw.at + list_at, len) != 0)
            continue;
        w->raw.len = code_at;
        zs_put_varint(&w->raw, WIRE_ACL_SEEN + i);
        return;
    }
    if (w->acl_count < WIRE_ACLS_MAX)
        w->acls[w->acl_count++] = (struct written_acl){list_at, len};
}

static void put_kind(struct zs_batch_writer *w, enum zs_kind kind, int64_t session, int64_t ttl_ms) {
    if (kind == ZS_EPHEMERAL)
        put_delta(&w->raw, (uint64_t)session, &w->state.session);
    if (kind == ZS_TTL)
        zs_put_varint(&w->raw, (uint64_t)ttl_ms);
}

static void put_stamp(struct zs_batch_writer *w, const struct zs_stamp *stamp) {
    put_delta(&w->raw, stamp->clock, &w->state.stamp_clock);
    put_text(&w->raw, stamp->site);
    zs_put_varint(&w->raw, (uint64_t)stamp->zxid);
    zs_put_varint(&w->raw, stamp->op_index);
}

static void put_vector(struct zs_batch_writer *w, uint32_t count, const struct zs_position *vector) {
    assert(count <= ZS_VECTOR_MAX);
    zs_put_varint(&w->raw, count);
    for (uint32_t i = 0; i < count; i++) {
        put_text(&w->raw, vector[i].site);
        zs_put_varint(&w->raw, (uint64_t)vector[i].zxid);
    }
}

static void put_op(struct zs_batch_writer *w, const struct zs_op *op) {
    unsigned aux = op->type == ZS_OP_CREATE          ? (unsigned)op->kind
                   : op->type == ZS_OP_CLOSE_SESSION ? op->paths_known
                                                     : 0;
    zs_put_u8(&w->raw, (uint8_t)((unsigned)op->type | aux << WIRE_AUX_SHIFT));
    switch (op->type) {
    case ZS_OP_CREATE:
        put_path(w, op->path);
        put_data(&w->raw, op->data);
        put_acls(w, &op->acls);
        put_kind(w, op->kind, op->session, op->ttl_ms);
        return;
    case ZS_OP_DELETE:
        put_path(w, op->path);
        return;
    case ZS_OP_SET:
        put_path(w, op->path);
        put_data(&w->raw, op->data);
        return;
    case ZS_OP_SET_ACL:
        put_path(w, op->path);
        put_acls(w, &op->acls);
        return;
    case ZS_OP_CLOSE_SESSION:
        put_delta(&w->raw, (uint64_t)op->session, &w->state.session);
        return;
    }
}

// --- records ---------------------------------------------------------------------------------------------------------

static void put_zxid(struct zs_batch_writer *w, int64_t zxid) {
    assert(zxid > 0 && (uint64_t)zxid > w->state.zxid);
    zs_put_varint(&w->raw, (uint64_t)zxid - w->state.zxid);
    w->state.zxid = (uint64_t)zxid;
}

static void put_txn(struct zs_batch_writer *w, const struct zs_record_txn *txn) {
    assert(txn->clock > w->state.clock && txn->op_count > 0);
    put_zxid(w, txn->zxid);
    zs_put_varint(&w->raw, txn->clock - w->state.clock);
    w->state.clock = txn->clock;
    put_time(w, txn->time_ms);
    zs_put_varint(&w->raw, (uint64_t)txn->op_count << 1 | txn->multi);
    for (uint32_t i = 0; i < txn->op_count && !w->raw.failed; i++)
        put_op(w, &txn->ops[i]);
}

static void put_mark(struct zs_batch_writer *w, const struct zs_record_mark *mark) {
    put_zxid(w, mark->zxid);
    put_text(&w->raw, mark->seen.site);
    put_delta(&w->raw, (uint64_t)mark->seen.zxid, &w->state.seen_zxid);
    zs_put_zigzag(&w->raw, (int64_t)(mark->clock - w->state.clock));
    w->state.clock = zs_clock_foreign(w->state.clock, mark->clock);
    put_delta(&w->raw, (uint64_t)mark->session, &w->state.session);
}

static void put_node(struct zs_batch_writer *w, const struct zs_record_node *node) {
    unsigned flags = (node->has_write ? WIRE_NODE_WRITE : 0u) | (node->has_delete ? WIRE_NODE_DELETE : 0u) |
                     (node->copy ? WIRE_NODE_COPY : 0u);
    zs_put_u8(&w->raw, (uint8_t)(flags | (unsigned)node->kind << WIRE_AUX_SHIFT));
    put_path(w, node->path);
    put_data(&w->raw, node->data);
    put_acls(w, &node->acls);
    put_kind(w, node->kind, node->session, node->ttl_ms);
    assert(node->created <= node->zxid);
    zs_put_varint(&w->raw, (uint64_t)node->zxid);
    zs_put_varint(&w->raw, (uint64_t)(node->zxid - node->created));
    put_time(w, node->time_ms);
    if (node->has_write)
        put_stamp(w, &node->write);
    if (node->has_delete)
        put_stamp(w, &node->delete);
}

static void put_begin(struct zs_batch_writer *w, const struct zs_record_snapshot_begin *begin) {
    zs_put_u64(&w->raw, (uint64_t)begin->run);
    put_path(w, begin->path);
    zs_put_varint(&w->raw, (uint64_t)begin->zxid);
    zs_put_varint(&w->raw, (uint64_t)begin->seen);
    zs_put_bytes(&w->raw, begin->seen_history.bytes, sizeof begin->seen_history.bytes);
    put_vector(w, begin->vector_count, begin->vector);
    put_text(&w->raw, begin->include);
    put_text(&w->raw, begin->exclude);
}

static void put_end(struct zs_batch_writer *w, const struct zs_record_snapshot_end *end) {
    put_path(w, end->path);
    zs_put_varint(&w->raw, end->nodes);
    zs_put_varint(&w->raw, (uint64_t)end->zxid);
    put_stamp(w, &end->floor);
}

static void put_part(struct zs_batch_writer *w, const struct zs_record_snapshot_part *part) {
    zs_put_u64(&w->raw, (uint64_t)part->run);
    zs_put_varint(&w->raw, part->index);
}

static void put_broken(struct zs_batch_writer *w, const struct zs_record_broken *broken) {
    assert(strlen(broken->reason) <= ZS_REASON_MAX);
    char reason[ZS_REASON_MAX + 1];
    snprintf(reason, sizeof reason, "%s", broken->reason);
    zs_utf8_mend(reason); // it may quote what was cut within a character, and readers refuse that
    zs_put_varint(&w->raw, (uint64_t)broken->zxid);
    put_text(&w->raw, reason);
}

static void put_seen(struct zs_batch_writer *w, const struct zs_record_seen *seen) {
    zs_put_bytes(&w->raw, seen->history.bytes, sizeof seen->history.bytes);
    zs_put_varint(&w->raw, (uint64_t)seen->zxid);
}

static void put_heartbeat(struct zs_batch_writer *w, const struct zs_record_heartbeat *heartbeat) {
    assert(heartbeat->session_count <= ZS_SESSIONS_MAX);
    put_time(w, heartbeat->time_ms);
    put_vector(w, heartbeat->vector_count, heartbeat->vector);
    zs_put_varint(&w->raw, heartbeat->session_count);
    for (uint32_t i = 0; i < heartbeat->session_count; i++)
        put_delta(&w->raw, (uint64_t)heartbeat->sessions[i], &w->state.session);
}

static void put_body(struct zs_batch_writer *w, const struct zs_record *record) {
    switch (record->type) {
    case ZS_RECORD_TXN:
        put_txn(w, &record->txn);
        return;
    case ZS_RECORD_MARK:
        put_mark(w, &record->mark);
        return;
    case ZS_RECORD_NODE:
        put_node(w, &record->node);
        return;
    case ZS_RECORD_TOMBSTONE:
        put_path(w, record->tombstone.path);
        put_stamp(w, &record->tombstone.delete);
        return;
    case ZS_RECORD_SNAPSHOT_BEGIN:
        put_begin(w, &record->begin);
        return;
    case ZS_RECORD_SNAPSHOT_END:
        put_end(w, &record->end);
        return;
    case ZS_RECORD_HEARTBEAT:
        put_heartbeat(w, &record->heartbeat);
        return;
    case ZS_RECORD_SNAPSHOT_PART:
        put_part(w, &record->part);
        return;
    case ZS_RECORD_BROKEN:
        put_broken(w, &record->broken);
        return;
    case ZS_RECORD_SEEN:
        put_seen(w, &record->seen);
        return;
    case ZS_RECORD_CHECKPOINT:
        zs_put_u64(&w->raw, (uint64_t)record->checkpoint.zxid);
        return;
    case ZS_RECORD_DICTIONARY:
        assert(record->dictionary.bytes.len >= ZS_DICTIONARY_BYTES_MIN);
        zs_put_varint(&w->raw, record->dictionary.bytes.len);
        zs_put_bytes(&w->raw, record->dictionary.bytes.at, record->dictionary.bytes.len);
        return;
    case ZS_RECORD_SEQUENCE:
        put_path(w, record->sequence.path);
        zs_put_varint(&w->raw, record->sequence.created);
        return;
    case ZS_RECORD_AS_OF:
        zs_put_varint(&w->raw, (uint64_t)record->as_of.zxid);
        return;
    }
}

// Puts the length of what stands behind `at`, where one byte was left for it: most are as short as that.
static void put_length(struct zs_batch_writer *w, size_t at, uint32_t acls_before) {
    uint8_t bytes[10] = {0};
    struct zs_buffer length = {.at = bytes, .cap = sizeof bytes, .max = sizeof bytes};
    const size_t len = w->raw.len - at - 1;
    zs_put_varint(&length, len);
    const size_t more = length.len - 1;
    if (more) {
        zs_put_bytes(&w->raw, bytes, more); // makes room
        if (w->raw.failed)
            return;
        memmove(w->raw.at + at + 1 + more, w->raw.at + at + 1, len);
        for (uint32_t i = acls_before; i < w->acl_count; i++)
            w->acls[i].at += more;
    }
    memcpy(w->raw.at + at, bytes, length.len);
}

static void put_record(struct zs_batch_writer *w, const struct zs_record *record) {
    zs_put_u8(&w->raw, (uint8_t)record->type);
    if (w->head.version < WIRE_LENGTHS_VERSION) {
        put_body(w, record);
        return;
    }
    const size_t at = w->raw.len;
    const uint32_t acls = w->acl_count;
    zs_put_u8(&w->raw, 0);
    put_body(w, record);
    if (!w->raw.failed)
        put_length(w, at, acls);
}

enum zs_added zs_batch_writer_add(struct zs_batch_writer *writer, const struct zs_record *record) {
    if (writer->closed)
        return ZS_BATCH_FULL;
    if ((int)record->type >= ZS_RECORD_SKIPPABLE && writer->head.version < WIRE_LENGTHS_VERSION)
        return ZS_ADDED;
    const bool belonging =
        record->type == ZS_RECORD_SNAPSHOT_BEGIN || record->type == ZS_RECORD_SNAPSHOT_PART;
    bool first = writer->head.records == 0, alone = writer->head.records == writer->belonging;
    size_t before = writer->raw.len, shared_before = writer->shared;
    put_record(writer, record);
    size_t bytes = writer->raw.len + writer->shared;
    if (writer->raw.failed || bytes > (alone ? writer->record_bytes_max : writer->raw_bytes_max)) {
        if (first) {
            start(writer);
            return ZS_RECORD_TOO_LARGE;
        }
        writer->raw.failed = false;
        writer->raw.len = before;
        writer->shared = shared_before;
        writer->closed = true;
        return alone ? ZS_RECORD_TOO_LARGE : ZS_BATCH_FULL;
    }
    bool ordered = record->type == ZS_RECORD_TXN || record->type == ZS_RECORD_MARK;
    if (ordered && writer->head.first == writer->head.prev)
        writer->head.first = (int64_t)writer->state.zxid;
    writer->head.records++;
    writer->belonging += belonging;
    writer->head.txns += record->type == ZS_RECORD_TXN;
    return ZS_ADDED;
}

uint32_t zs_batch_writer_records(const struct zs_batch_writer *writer) {
    return writer->head.records;
}

uint32_t zs_batch_writer_txns(const struct zs_batch_writer *writer) {
    return writer->head.txns;
}

size_t zs_batch_writer_raw_bytes(const struct zs_batch_writer *writer) {
    return writer->raw.len + writer->shared;
}

struct zs_slice zs_batch_writer_raw(const struct zs_batch_writer *writer) {
    return (struct zs_slice){writer->raw.at, writer->raw.len};
}

// --- the message -----------------------------------------------------------------------------------------------------

void zs_batch_writer_use(struct zs_batch_writer *writer, const struct zs_dictionary *dictionary) {
    writer->dictionary = dictionary;
}

static void put_header(struct zs_buffer *to, const struct zs_batch_head *head, bool packed, size_t payload) {
    unsigned flags = (packed ? WIRE_FLAG_LZ4 : 0u) | (head->dictionary ? WIRE_FLAG_DICTIONARY : 0u);
    zs_put_bytes(to, WIRE_MAGIC, WIRE_MAGIC_BYTES);
    zs_put_u8(to, (uint8_t)head->version);
    zs_put_u8(to, (uint8_t)flags);
    put_text(to, head->origin);
    put_text(to, head->destination);
    zs_put_bytes(to, head->history.bytes, sizeof head->history.bytes);
    zs_put_u64(to, head->filter_hash);
    zs_put_varint(to, (uint64_t)head->prev);
    zs_put_varint(to, (uint64_t)(head->first - head->prev));
    zs_put_varint(to, (uint64_t)(head->last - head->first));
    zs_put_u64(to, head->clock_prev);
    zs_put_varint(to, head->clock_last - head->clock_prev);
    zs_put_varint(to, head->records);
    zs_put_varint(to, head->txns);
    zs_put_varint(to, head->raw_bytes);
    if (head->dictionary)
        zs_put_u32(to, head->dictionary);
    zs_put_varint(to, payload);
}

// The records as an LZ4 block; 0: that does not make them smaller.
static size_t pack(struct zs_batch_writer *w, char *to, size_t room) {
    const char *raw = (const char *)w->raw.at;
    const int len = (int)w->raw.len;
    int packed;
    w->head.dictionary = w->dictionary && len > 0 && len <= SMALL_BYTES_MAX ? w->dictionary->id : 0;
    if (w->head.dictionary) {
        LZ4_resetStreamHC_fast(w->lz4_small, SMALL_LEVEL);
        LZ4_loadDictHC(w->lz4_small, (const char *)w->dictionary->bytes, (int)w->dictionary->len);
        packed = LZ4_compress_HC_continue(w->lz4_small, raw, to, len, (int)room);
    } else {
        packed = LZ4_compress_fast_extState(w->lz4, raw, to, len, (int)room, 1);
    }
    if (packed > 0 && packed < len)
        return (size_t)packed;
    w->head.dictionary = 0;
    return 0;
}

// The header's length depends on what stands in it: so it is put before the payload when that is there.
static bool put_message(struct zs_batch_writer *w, struct zs_slice *message) {
    uint8_t bytes[HEADER_BYTES_MAX];
    struct zs_buffer header = {.at = bytes, .cap = sizeof bytes, .max = sizeof bytes};
    size_t room = (size_t)LZ4_compressBound((int)w->raw.len);
    zs_buffer_clear(&w->message);
    uint8_t *to = zs_buffer_reserve(&w->message, HEADER_BYTES_MAX + room + WIRE_TRAILER_CRC32C_BYTES);
    if (!to)
        return false;
    size_t packed = pack(w, (char *)to + HEADER_BYTES_MAX, room), payload = packed ? packed : w->raw.len;
    if (!packed && payload)
        memcpy(to + HEADER_BYTES_MAX, w->raw.at, payload);
    put_header(&header, &w->head, packed != 0, payload);
    uint8_t *begin = to + HEADER_BYTES_MAX - header.len;
    memcpy(begin, header.at, header.len);
    w->message.len = HEADER_BYTES_MAX + payload;
    zs_put_u8(&w->message, WIRE_TRAILER_CRC32C);
    zs_put_u32(&w->message, zs_crc32c(0, begin, (size_t)(w->message.at + w->message.len - begin)));
    *message = (struct zs_slice){begin, (size_t)(w->message.at + w->message.len - begin)};
    return !header.failed && !w->message.failed;
}

bool zs_batch_writer_finish(struct zs_batch_writer *writer, int64_t last, zs_clock clock_last,
                            struct zs_slice *message, struct zs_batch_head *head, struct zs_error *e) {
    assert(last >= writer->head.first && clock_last >= writer->head.clock_prev);
    assert(writer->closed || ((uint64_t)last >= writer->state.zxid && clock_last >= writer->state.clock));
    writer->head.last = last;
    writer->head.clock_last = clock_last;
    writer->head.raw_bytes = (uint32_t)writer->raw.len;
    if (!put_message(writer, message))
        return zs_fail(e, ZS_FATAL, "no memory for a batch");
    if (head)
        *head = writer->head;
    return true;
}
