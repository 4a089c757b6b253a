// Reading the records of a batch. Each is read against the bytes that are left, and a count is believed only if that
// many things could be there; so what a record takes from the arena is bounded by a multiple of its own bytes.
#include "wire_format.h"

#include <inttypes.h>
#include <string.h>

#include "zs_utf8.h"

struct cursor {
    struct zs_reader in;
    struct zs_arena *arena;
    struct zs_error *e;
    struct wire_state state;
    const char *path; // of the record before
    size_t path_len;
    size_t shared_left; // how many more bytes of paths may be repeated
    uint32_t acl_count;
    struct zs_acls acls[WIRE_ACLS_MAX];
};

static bool corrupt(struct cursor *c, const char *what) {
    return zs_fail(c->e, ZS_CORRUPT, "%s", what);
}

static bool full(struct cursor *c) {
    return zs_fail(c->e, ZS_FATAL, "the batch needs more memory than its arena may take");
}

static bool whole(struct cursor *c, const char *what) {
    return !c->in.failed ||
           zs_fail(c->e, ZS_CORRUPT, "the bytes end inside the %s, or it is malformed", what);
}

// --- the parts of records --------------------------------------------------------------------------------------------

static uint64_t read_delta(struct zs_reader *in, uint64_t *from) {
    *from += (uint64_t)zs_read_zigzag(in);
    return *from;
}

static int64_t read_time(struct cursor *c) {
    return (int64_t)((uint64_t)zs_read_zigzag(&c->in) + (uint64_t)zs_clock_ms(c->state.clock));
}

static bool read_zxid(struct cursor *c, const char *what, int64_t *out) {
    uint64_t zxid = zs_read_varint(&c->in);
    *out = (int64_t)zxid;
    return whole(c, what) && (zxid <= INT64_MAX || zs_fail(c->e, ZS_CORRUPT, "the %s is negative", what));
}

static bool read_site(struct zs_reader *in, struct zs_error *e, char out[static ZS_SITE_MAX + 1]) {
    uint64_t len = zs_read_varint(in);
    const uint8_t *bytes = len <= ZS_SITE_MAX ? zs_read_bytes(in, (size_t)len) : NULL;
    if (!bytes)
        return zs_fail(e, ZS_CORRUPT, "a site's name is cut off or too long");
    memcpy(out, bytes, (size_t)len);
    memset(out + len, 0, ZS_SITE_MAX + 1 - (size_t)len);
    return memchr(bytes, '\0', (size_t)len) == NULL || zs_fail(e, ZS_CORRUPT, "a site's name holds a NUL");
}

bool wire_read_site(struct zs_reader *in, struct zs_error *e, char out[static ZS_SITE_MAX + 1]) {
    return read_site(in, e, out) &&
           (zs_site_valid(out) || zs_fail(e, ZS_CORRUPT, "a site's name is not [a-z][a-z0-9-]{0,14}"));
}

// Where a path is to be looked at from: the last '/' in what it shares with the one before, which has been looked at.
static size_t looked_at(const char *path, size_t shared) {
    const char *slash = shared ? memrchr(path, '/', shared) : NULL;
    return slash ? (size_t)(slash - path) : 0;
}

static bool path_valid(const char *path, size_t len, size_t from) {
    bool slash_at_end = from > 0 && from + 1 == len; // alone it would be the root
    return !slash_at_end && zs_utf8_valid(path + from, len - from) && zs_path_valid(path + from);
}

static bool read_path(struct cursor *c, const char **out) {
    uint64_t shared = zs_read_varint(&c->in), rest = zs_read_varint(&c->in);
    const uint8_t *bytes = rest <= SIZE_MAX ? zs_read_bytes(&c->in, (size_t)rest) : NULL;
    if (!bytes)
        return corrupt(c, "the bytes end inside a path");
    if (shared > c->path_len)
        return corrupt(c, "a path shares more than the path before it has");
    if (shared > c->shared_left)
        return corrupt(c, "the paths are larger than the limit");
    c->shared_left -= (size_t)shared;
    if (rest == 0 && shared == c->path_len && shared > 0) {
        *out = c->path;
        return true;
    }
    size_t len = (size_t)shared + (size_t)rest;
    char *path = zs_arena_take_raw(c->arena, len + 1, 1);
    if (!path)
        return full(c);
    if (shared)
        memcpy(path, c->path, (size_t)shared);
    memcpy(path + shared, bytes, (size_t)rest);
    path[len] = '\0';
    if (!path_valid(path, len, looked_at(path, (size_t)shared)))
        return corrupt(c, "a path is malformed");
    *out = c->path = path;
    c->path_len = len;
    return true;
}

static bool read_data(struct cursor *c, struct zs_slice *out) {
    uint64_t len = zs_read_varint(&c->in);
    *out = (struct zs_slice){NULL, 0};
    if (len == 0)
        return whole(c, "data");
    if (len - 1 > zs_read_left(&c->in))
        return corrupt(c, "the bytes end inside the data");
    out->len = (size_t)len - 1;
    out->at = zs_read_bytes(&c->in, out->len);
    return true;
}

static bool read_acl_text(struct cursor *c, const char **out) {
    uint64_t len = zs_read_varint(&c->in);
    const uint8_t *bytes = len <= SIZE_MAX ? zs_read_bytes(&c->in, (size_t)len) : NULL;
    if (!bytes)
        return corrupt(c, "the bytes end inside an ACL");
    if (!zs_utf8_valid(bytes, (size_t)len))
        return corrupt(c, "an ACL is not UTF-8");
    *out = zs_arena_string(c->arena, bytes, (size_t)len);
    return *out || full(c);
}

// A count of things of at least `unit` bytes each.
static bool read_count(struct cursor *c, const char *what, size_t unit, uint64_t max, uint32_t *out) {
    uint64_t count = zs_read_varint(&c->in);
    if (!whole(c, what))
        return false;
    if (count > max || count > zs_read_left(&c->in) / unit)
        return zs_fail(c->e, ZS_CORRUPT, "the %s claims %" PRIu64 " entries, more than can be", what, count);
    *out = (uint32_t)count;
    return true;
}

static bool read_inline_acls(struct cursor *c, struct zs_acls *out) {
    uint32_t count = 0;
    if (!read_count(c, "ACL", WIRE_ACL_BYTES_MIN, UINT32_MAX, &count))
        return false;
    struct zs_acl *entries = zs_arena_take(c->arena, count, sizeof *entries);
    if (!entries)
        return full(c);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t perms = zs_read_varint(&c->in);
        if (!whole(c, "ACL"))
            return false;
        if (perms > UINT32_MAX)
            return corrupt(c, "an ACL's permissions have more than 32 bits");
        entries[i].perms = (uint32_t)perms;
        if (!read_acl_text(c, &entries[i].scheme) || !read_acl_text(c, &entries[i].id))
            return false;
    }
    *out = (struct zs_acls){count, entries};
    if (c->acl_count < WIRE_ACLS_MAX)
        c->acls[c->acl_count++] = *out;
    return true;
}

static bool read_acls(struct cursor *c, struct zs_acls *out) {
    static const struct zs_acl open = {WIRE_OPEN_PERMS, WIRE_OPEN_SCHEME, WIRE_OPEN_ID};
    uint64_t code = zs_read_varint(&c->in);
    if (!whole(c, "ACL"))
        return false;
    if (code == WIRE_ACL_INLINE)
        return read_inline_acls(c, out);
    if (code == WIRE_ACL_OPEN) {
        *out = (struct zs_acls){1, &open};
        return true;
    }
    if (code - WIRE_ACL_SEEN >= c->acl_count)
        return corrupt(c, "an ACL refers to one that was not there");
    *out = c->acls[code - WIRE_ACL_SEEN];
    return true;
}

static bool read_kind(struct cursor *c, unsigned aux, enum zs_kind *kind, int64_t *session, int64_t *ttl_ms) {
    if (aux > ZS_TTL)
        return corrupt(c, "the kind of a node is not known");
    *kind = (enum zs_kind)aux;
    if (*kind == ZS_EPHEMERAL)
        *session = (int64_t)read_delta(&c->in, &c->state.session);
    if (*kind == ZS_TTL) {
        uint64_t ttl = zs_read_varint(&c->in);
        if (!c->in.failed && (ttl == 0 || ttl > INT64_MAX))
            return corrupt(c, "a TTL is not positive");
        *ttl_ms = (int64_t)ttl;
    }
    return whole(c, "node's kind");
}

static bool read_stamp(struct cursor *c, struct zs_stamp *out) {
    out->clock = read_delta(&c->in, &c->state.stamp_clock);
    if (!read_site(&c->in, c->e, out->site) || !read_zxid(c, "stamp's zxid", &out->zxid))
        return false;
    uint64_t op = zs_read_varint(&c->in);
    if (!whole(c, "stamp"))
        return false;
    if (op > UINT32_MAX)
        return corrupt(c, "a stamp's op index has more than 32 bits");
    out->op_index = (uint32_t)op;
    return true;
}

static bool read_real_stamp(struct cursor *c, struct zs_stamp *out) {
    return read_stamp(c, out) && (zs_site_valid(out->site) || corrupt(c, "a stamp has no valid site"));
}

static bool read_vector(struct cursor *c, uint32_t *count, const struct zs_position **out) {
    if (!read_count(c, "vector", 3, ZS_VECTOR_MAX, count))
        return false;
    struct zs_position *vector = zs_arena_take(c->arena, *count, sizeof *vector);
    if (!vector)
        return full(c);
    for (uint32_t i = 0; i < *count; i++) {
        if (!wire_read_site(&c->in, c->e, vector[i].site) || !read_zxid(c, "vector's zxid", &vector[i].zxid))
            return false;
        for (uint32_t k = 0; k < i; k++) {
            if (strcmp(vector[k].site, vector[i].site) == 0)
                return corrupt(c, "a vector names a site twice");
        }
    }
    *out = vector;
    return true;
}

static bool read_op(struct cursor *c, struct zs_op *op) {
    uint8_t first = zs_read_u8(&c->in);
    unsigned aux = first >> WIRE_AUX_SHIFT;
    if (!whole(c, "operation"))
        return false;
    op->type = (enum zs_op_type)(first & 15);
    if (op->type != ZS_OP_CREATE && aux > (op->type == ZS_OP_CLOSE_SESSION))
        return corrupt(c, "an operation has unknown flags");
    switch (op->type) {
    case ZS_OP_CREATE:
        return read_path(c, &op->path) && read_data(c, &op->data) && read_acls(c, &op->acls) &&
               read_kind(c, aux, &op->kind, &op->session, &op->ttl_ms);
    case ZS_OP_DELETE:
        return read_path(c, &op->path);
    case ZS_OP_SET:
        return read_path(c, &op->path) && read_data(c, &op->data);
    case ZS_OP_SET_ACL:
        return read_path(c, &op->path) && read_acls(c, &op->acls);
    case ZS_OP_CLOSE_SESSION:
        op->paths_known = aux;
        op->session = (int64_t)read_delta(&c->in, &c->state.session);
        return whole(c, "session");
    }
    return zs_fail(c->e, ZS_CORRUPT, "operation type %d is not known", (int)op->type);
}

// --- records ---------------------------------------------------------------------------------------------------------

static bool next_zxid(struct cursor *c, int64_t *out) {
    uint64_t step = zs_read_varint(&c->in);
    if (!whole(c, "zxid"))
        return false;
    if (step == 0 || step > (uint64_t)INT64_MAX - c->state.zxid)
        return corrupt(c, "the zxid does not rise");
    c->state.zxid += step;
    *out = (int64_t)c->state.zxid;
    return true;
}

static bool read_txn(struct cursor *c, struct zs_record_txn *txn) {
    if (!next_zxid(c, &txn->zxid))
        return false;
    uint64_t step = zs_read_varint(&c->in);
    if (!whole(c, "clock"))
        return false;
    if (step == 0 || step > UINT64_MAX - c->state.clock)
        return corrupt(c, "the clock does not rise");
    txn->clock = c->state.clock += step;
    txn->time_ms = read_time(c);
    uint64_t ops = zs_read_varint(&c->in);
    if (!whole(c, "txn"))
        return false;
    txn->multi = ops & 1;
    ops >>= 1;
    if (ops == 0)
        return corrupt(c, "it has no operations");
    if (ops > UINT32_MAX || ops > zs_read_left(&c->in) / WIRE_OP_BYTES_MIN)
        return corrupt(c, "it claims more operations than there are bytes");
    struct zs_op *all = zs_arena_take(c->arena, (size_t)ops, sizeof *all);
    if (!all)
        return full(c);
    txn->ops = all;
    txn->op_count = (uint32_t)ops;
    for (uint32_t i = 0; i < txn->op_count; i++) {
        if (!read_op(c, &all[i]))
            return zs_error_context(c->e, "op %" PRIu32, i);
    }
    return true;
}

static bool read_mark(struct cursor *c, struct zs_record_mark *mark) {
    if (!next_zxid(c, &mark->zxid) || !wire_read_site(&c->in, c->e, mark->seen.site))
        return false;
    mark->seen.zxid = (int64_t)read_delta(&c->in, &c->state.seen_zxid);
    if (!whole(c, "seen zxid"))
        return false;
    if (mark->seen.zxid < 0)
        return corrupt(c, "the seen zxid is negative");
    mark->clock = c->state.clock + (uint64_t)zs_read_zigzag(&c->in);
    c->state.clock = zs_clock_foreign(c->state.clock, mark->clock);
    mark->session = (int64_t)read_delta(&c->in, &c->state.session);
    return whole(c, "mark");
}

static bool read_node_zxids(struct cursor *c, struct zs_record_node *node) {
    if (!read_zxid(c, "node's zxid", &node->zxid))
        return false;
    uint64_t age = zs_read_varint(&c->in);
    if (age > (uint64_t)node->zxid)
        return corrupt(c, "a node is older than zxid 0");
    node->created = node->zxid - (int64_t)age;
    node->time_ms = read_time(c);
    return whole(c, "node's zxids and time");
}

static bool read_node(struct cursor *c, struct zs_record_node *node) {
    uint8_t first = zs_read_u8(&c->in);
    if (!whole(c, "node"))
        return false;
    if (first & 0xf & ~(WIRE_NODE_WRITE | WIRE_NODE_DELETE | WIRE_NODE_COPY))
        return corrupt(c, "it has unknown flags");
    node->has_write = first & WIRE_NODE_WRITE;
    node->has_delete = first & WIRE_NODE_DELETE;
    node->copy = first & WIRE_NODE_COPY;
    return read_path(c, &node->path) && read_data(c, &node->data) && read_acls(c, &node->acls) &&
           read_kind(c, first >> WIRE_AUX_SHIFT, &node->kind, &node->session, &node->ttl_ms) &&
           read_node_zxids(c, node) && (!node->has_write || read_real_stamp(c, &node->write)) &&
           (!node->has_delete || read_real_stamp(c, &node->delete));
}

static bool read_end(struct cursor *c, struct zs_record_snapshot_end *end) {
    if (!read_path(c, &end->path))
        return false;
    end->nodes = zs_read_varint(&c->in);
    if (!whole(c, "node count") || !read_zxid(c, "image's last zxid", &end->zxid) ||
        !read_stamp(c, &end->floor))
        return false;
    const struct zs_stamp *floor = &end->floor;
    if (floor->site[0] == '\0')
        return (floor->clock == 0 && floor->zxid == 0 && floor->op_index == 0) ||
               corrupt(c, "the floor has no site");
    return zs_site_valid(floor->site) || corrupt(c, "the floor's site is not valid");
}

static bool read_run(struct cursor *c, int64_t *out) {
    *out = zs_read_i64(&c->in);
    return whole(c, "image's run") && (*out != 0 || corrupt(c, "the image's run is 0"));
}

static bool read_history(struct cursor *c, struct zs_history *out) {
    const uint8_t *history = zs_read_bytes(&c->in, sizeof out->bytes);
    if (!history)
        return corrupt(c, "the bytes end inside a history");
    memcpy(out->bytes, history, sizeof out->bytes);
    return true;
}

static bool read_long_text(struct cursor *c, const char *what, size_t max, const char **out) {
    uint64_t len = zs_read_varint(&c->in);
    const uint8_t *bytes = len <= max ? zs_read_bytes(&c->in, (size_t)len) : NULL;
    if (!bytes || !zs_utf8_valid(bytes, (size_t)len)) {
        zs_fail(c->e, ZS_CORRUPT, "%s is cut off, too long or not UTF-8", what);
        return false;
    }
    *out = zs_arena_string(c->arena, bytes, (size_t)len);
    return *out || full(c);
}

static bool read_begin(struct cursor *c, struct zs_record_snapshot_begin *begin) {
    if (!read_run(c, &begin->run) || !read_path(c, &begin->path) ||
        !read_zxid(c, "image's zxid", &begin->zxid) || !read_zxid(c, "seen zxid", &begin->seen))
        return false;
    return read_history(c, &begin->seen_history) && read_vector(c, &begin->vector_count, &begin->vector) &&
           read_long_text(c, "a list of patterns", ZS_RULES_MAX, &begin->include) &&
           read_long_text(c, "a list of patterns", ZS_RULES_MAX, &begin->exclude);
}

static bool read_part(struct cursor *c, struct zs_record_snapshot_part *part) {
    if (!read_run(c, &part->run))
        return false;
    uint64_t index = zs_read_varint(&c->in);
    if (!whole(c, "part's number"))
        return false;
    if (index == 0 || index > UINT32_MAX)
        return corrupt(c, "a part's number is 0 or has more than 32 bits");
    part->index = (uint32_t)index;
    return true;
}

static bool read_broken(struct cursor *c, struct zs_record_broken *broken) {
    return read_zxid(c, "broken zxid", &broken->zxid) &&
           read_long_text(c, "a reason", ZS_REASON_MAX, &broken->reason);
}

static bool read_seen(struct cursor *c, struct zs_record_seen *seen) {
    return read_history(c, &seen->history) && read_zxid(c, "seen zxid", &seen->zxid);
}

static bool read_checkpoint(struct cursor *c, struct zs_record_checkpoint *checkpoint) {
    checkpoint->zxid = zs_read_i64(&c->in);
    return whole(c, "checkpoint") &&
           (checkpoint->zxid >= 0 || corrupt(c, "the checkpoint's zxid is negative"));
}

static bool read_dictionary(struct cursor *c, struct zs_record_dictionary *dictionary) {
    uint64_t len = zs_read_varint(&c->in);
    const uint8_t *bytes = len <= ZS_DICTIONARY_BYTES_MAX ? zs_read_bytes(&c->in, (size_t)len) : NULL;
    if (!bytes || len < ZS_DICTIONARY_BYTES_MIN)
        return corrupt(c, "a dictionary is cut off, too short or too long");
    dictionary->bytes = (struct zs_slice){bytes, (size_t)len};
    return true;
}

static bool read_heartbeat(struct cursor *c, struct zs_record_heartbeat *heartbeat) {
    heartbeat->time_ms = read_time(c);
    if (!whole(c, "time") || !read_vector(c, &heartbeat->vector_count, &heartbeat->vector) ||
        !read_count(c, "list of sessions", 1, ZS_SESSIONS_MAX, &heartbeat->session_count))
        return false;
    int64_t *sessions = zs_arena_take(c->arena, heartbeat->session_count, sizeof *sessions);
    if (!sessions)
        return full(c);
    for (uint32_t i = 0; i < heartbeat->session_count; i++)
        sessions[i] = (int64_t)read_delta(&c->in, &c->state.session);
    heartbeat->sessions = sessions;
    return whole(c, "list of sessions");
}

static bool read_sequence(struct cursor *c, struct zs_record_sequence *sequence) {
    if (!read_path(c, &sequence->path))
        return false;
    uint64_t created = zs_read_varint(&c->in);
    if (!whole(c, "sequence"))
        return false;
    if (created > INT32_MAX)
        return corrupt(c, "a count of children has more than 31 bits");
    sequence->created = (uint32_t)created;
    return true;
}

static bool read_as_of(struct cursor *c, struct zs_record_as_of *as_of) {
    return read_zxid(c, "zxid of a walk", &as_of->zxid);
}

static bool read_body(struct cursor *c, struct zs_record *record) {
    switch (record->type) {
    case ZS_RECORD_TXN:
        return read_txn(c, &record->txn);
    case ZS_RECORD_MARK:
        return read_mark(c, &record->mark);
    case ZS_RECORD_NODE:
        return read_node(c, &record->node);
    case ZS_RECORD_TOMBSTONE:
        return read_path(c, &record->tombstone.path) && read_real_stamp(c, &record->tombstone.delete);
    case ZS_RECORD_SNAPSHOT_BEGIN:
        return read_begin(c, &record->begin);
    case ZS_RECORD_SNAPSHOT_END:
        return read_end(c, &record->end);
    case ZS_RECORD_HEARTBEAT:
        return read_heartbeat(c, &record->heartbeat);
    case ZS_RECORD_SNAPSHOT_PART:
        return read_part(c, &record->part);
    case ZS_RECORD_BROKEN:
        return read_broken(c, &record->broken);
    case ZS_RECORD_SEEN:
        return read_seen(c, &record->seen);
    case ZS_RECORD_CHECKPOINT:
        return read_checkpoint(c, &record->checkpoint);
    case ZS_RECORD_DICTIONARY:
        return read_dictionary(c, &record->dictionary);
    case ZS_RECORD_SEQUENCE:
        return read_sequence(c, &record->sequence);
    case ZS_RECORD_AS_OF:
        return read_as_of(c, &record->as_of);
    }
    return corrupt(c, "the record type is not known");
}

static bool may_skip(enum zs_record_type type) {
    return type > ZS_RECORD_AS_OF;
}

// A record that has its length: no more is read of it, and no less, if it is known.
static bool read_measured(struct cursor *c, struct zs_record *record) {
    uint64_t len = zs_read_varint(&c->in);
    const uint8_t *end = c->in.end, *bytes = len <= SIZE_MAX ? zs_read_bytes(&c->in, (size_t)len) : NULL;
    if (!bytes)
        return corrupt(c, "the bytes end inside the record, or its length is malformed");
    if (may_skip(record->type))
        return true;
    c->in = zs_reader_of(bytes, (size_t)len);
    if (!read_body(c, record))
        return false;
    size_t left = zs_read_left(&c->in);
    c->in = (struct zs_reader){.at = bytes + len, .end = end};
    return left == 0 || zs_fail(c->e, ZS_CORRUPT, "%zu bytes are left over in the record", left);
}

static bool read_record(struct cursor *c, unsigned version, struct zs_record *record) {
    record->type = (enum zs_record_type)zs_read_u8(&c->in);
    if (!whole(c, "record"))
        return false;
    if (version >= WIRE_LENGTHS_VERSION)
        return read_measured(c, record);
    return (int)record->type < ZS_RECORD_SKIPPABLE ? read_body(c, record)
                                                   : corrupt(c, "the record type is not known");
}

static const char *record_name(enum zs_record_type type) {
    switch (type) {
    case ZS_RECORD_TXN:
        return "TXN";
    case ZS_RECORD_MARK:
        return "MARK";
    case ZS_RECORD_NODE:
        return "NODE";
    case ZS_RECORD_TOMBSTONE:
        return "TOMBSTONE";
    case ZS_RECORD_SNAPSHOT_BEGIN:
        return "SNAPSHOT_BEGIN";
    case ZS_RECORD_SNAPSHOT_END:
        return "SNAPSHOT_END";
    case ZS_RECORD_HEARTBEAT:
        return "HEARTBEAT";
    case ZS_RECORD_SNAPSHOT_PART:
        return "SNAPSHOT_PART";
    case ZS_RECORD_BROKEN:
        return "BROKEN";
    case ZS_RECORD_SEEN:
        return "SEEN";
    case ZS_RECORD_CHECKPOINT:
        return "CHECKPOINT";
    case ZS_RECORD_DICTIONARY:
        return "DICTIONARY";
    case ZS_RECORD_SEQUENCE:
        return "SEQUENCE";
    case ZS_RECORD_AS_OF:
        return "AS_OF";
    }
    return "unknown";
}

static bool read_all(struct cursor *c, struct zs_batch *out) {
    struct zs_batch_head *head = &out->head;
    struct zs_record *records = zs_arena_take(c->arena, head->records, sizeof *records);
    if (!records)
        return full(c);
    int64_t first = head->prev;
    uint32_t txns = 0, kept = 0;
    for (uint32_t i = 0; i < head->records; i++) {
        struct zs_record *record = &records[kept];
        if (!read_record(c, head->version, record))
            return zs_error_context(c->e, "record %" PRIu32 " (type %d, %s)", i, (int)record->type,
                                    record_name(record->type));
        if (first == head->prev)
            first = (int64_t)c->state.zxid;
        txns += record->type == ZS_RECORD_TXN;
        kept += !may_skip(record->type);
    }
    head->records = kept;
    out->records = records;
    if (zs_read_left(&c->in))
        return zs_fail(c->e, ZS_CORRUPT, "%zu bytes are left over behind the last record",
                       zs_read_left(&c->in));
    if (txns != head->txns)
        return corrupt(c, "the header's number of txns is not that of the records");
    if (first != head->first)
        return corrupt(c, "the header's first zxid is not that of the records");
    if (head->last < (int64_t)c->state.zxid)
        return corrupt(c, "a record lies beyond the header's last zxid");
    if (head->clock_last < c->state.clock)
        return corrupt(c, "a record lies beyond the header's last clock");
    return true;
}

bool wire_read_records(const uint8_t *raw, size_t len, size_t shared_max, struct zs_arena *arena,
                       struct zs_batch *out, struct zs_error *e) {
    struct cursor c = {.in = zs_reader_of(raw, len),
                       .arena = arena,
                       .e = e,
                       .state = wire_state_at(&out->head),
                       .shared_left = shared_max};
    return read_all(&c, out);
}
