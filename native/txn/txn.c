// Decoding a txn. The shape of every body is in ZooKeeper's zookeeper.jute; three places need more than that:
//
// - CreateTxn had no parentCVersion before 3.4 (CreateTxnV0): a create whose bytes end behind `ephemeral` is one.
// - A TxnDigest (int version, long digest) stands behind the body in log entries of 3.6 and later, unannounced: twelve
//   bytes left over behind a complete body.
// - closeSession has an empty body (3.5; 3.6 and later with closeSessionTxn.enabled=false) or the vector of paths
//   that it deletes, and either may have the digest behind it. A vector is tried first. A lone digest cannot be taken
//   for one: its version is 2, so as a vector it would have to hold two paths in eight bytes.
#include "zs_txn.h"

#include <inttypes.h>
#include <string.h>

#include "zs_utf8.h"

enum { HEADER_BYTES = 32, DIGEST_BYTES = 12 };

static const struct zs_acl open_entry = {.perms = ZS_PERMS_ALL, .scheme = "world", .id = "anyone"};
const struct zs_acls zs_acls_open = {.count = 1, .entries = &open_entry};

enum jute_type { // org.apache.zookeeper.ZooDefs.OpCode
    JUTE_ERROR = -1,
    JUTE_CREATE = 1,
    JUTE_DELETE = 2,
    JUTE_SET_DATA = 5,
    JUTE_SET_ACL = 7,
    JUTE_CHECK = 13,
    JUTE_MULTI = 14,
    JUTE_CREATE2 = 15,
    JUTE_RECONFIG = 16,
    JUTE_CREATE_CONTAINER = 19,
    JUTE_DELETE_CONTAINER = 20,
    JUTE_CREATE_TTL = 21,
    JUTE_CREATE_SESSION = -10,
    JUTE_CLOSE_SESSION = -11,
};

struct cursor {
    struct zs_reader in;
    struct zs_arena *arena;
    struct zs_error *e;
    int64_t session;
};

static const char *type_name(int32_t type) {
    switch (type) {
    case JUTE_ERROR:
        return "error";
    case JUTE_CREATE:
        return "create";
    case JUTE_DELETE:
        return "delete";
    case JUTE_SET_DATA:
        return "setData";
    case JUTE_SET_ACL:
        return "setACL";
    case JUTE_CHECK:
        return "check";
    case JUTE_MULTI:
        return "multi";
    case JUTE_CREATE2:
        return "create2";
    case JUTE_RECONFIG:
        return "reconfig";
    case JUTE_CREATE_CONTAINER:
        return "createContainer";
    case JUTE_DELETE_CONTAINER:
        return "deleteContainer";
    case JUTE_CREATE_TTL:
        return "createTTL";
    case JUTE_CREATE_SESSION:
        return "createSession";
    case JUTE_CLOSE_SESSION:
        return "closeSession";
    }
    return "unknown";
}

bool zs_path_valid(const char *path) {
    if (path[0] != '/')
        return false;
    if (path[1] == '\0')
        return true;
    for (const char *at = path; *at;) {
        const char *segment = ++at;
        at = strchrnul(at, '/');
        size_t len = (size_t)(at - segment);
        if (len == 0)
            return false;
        if (segment[0] == '.' && (len == 1 || (len == 2 && segment[1] == '.')))
            return false;
    }
    return true;
}

static bool full(struct cursor *c) {
    return zs_fail(c->e, ZS_FATAL, "the txn needs more memory than its arena may take");
}

static bool ends_early(struct cursor *c, const char *what) {
    return zs_fail(c->e, ZS_CORRUPT, "the bytes end inside the %s", what);
}

// A length or count that is followed by at least `unit` bytes for each of what it counts. -1 is jute's null and yields
// `null`; null is refused where the caller has no room for it.
static bool read_count(struct cursor *c, const char *what, size_t unit, bool *null, size_t *count) {
    int32_t n = zs_read_i32(&c->in);
    if (c->in.failed)
        return ends_early(c, what);
    if (null)
        *null = n == -1;
    *count = 0;
    if (n == -1 && null)
        return true;
    if (n < 0)
        return zs_fail(c->e, ZS_CORRUPT, "the length of the %s is %" PRId32, what, n);
    if ((size_t)n > zs_read_left(&c->in) / unit)
        return zs_fail(c->e, ZS_CORRUPT, "the %s claims a length of %" PRId32 ", but %zu bytes are left",
                       what, n, zs_read_left(&c->in));
    *count = (size_t)n;
    return true;
}

static char *read_string(struct cursor *c, const char *what, size_t *out_len) {
    size_t len = 0;
    if (!read_count(c, what, 1, NULL, &len))
        return NULL;
    const uint8_t *bytes = zs_read_bytes(&c->in, len);
    char *text = zs_arena_take_raw(c->arena, len + 1, 1);
    if (!text) {
        full(c);
        return NULL;
    }
    *out_len = zs_utf8_from_jute(bytes, len, text);
    if (*out_len == SIZE_MAX) {
        zs_fail(c->e, ZS_CORRUPT, "the %s is not UTF-8", what);
        return NULL;
    }
    text[*out_len] = '\0';
    return text;
}

static bool read_path(struct cursor *c, const char **out) {
    size_t len = 0;
    char *path = read_string(c, "path", &len);
    if (!path)
        return false;
    if (memchr(path, '\0', len) || !zs_path_valid(path))
        return zs_fail(c->e, ZS_CORRUPT, "\"%.200s\" is not a path", path);
    *out = path;
    return true;
}

void zs_acl_text_mend(char *text, size_t len) {
    for (char *nul = text; (nul = memchr(nul, '\0', (size_t)(text + len - nul)));)
        *nul = '\x1a';
}

static bool read_acl_text(struct cursor *c, const char *what, const char **out) {
    size_t len = 0;
    char *text = read_string(c, what, &len);
    if (!text)
        return false;
    zs_acl_text_mend(text, len);
    *out = text;
    return true;
}

static bool read_acls(struct cursor *c, struct zs_acls *out) {
    bool null = false;
    size_t count = 0;
    if (!read_count(c, "ACL", 12, &null, &count))
        return false;
    if (null) { // what DataTree makes of it
        *out = zs_acls_open;
        return true;
    }
    struct zs_acl *entries = zs_arena_take(c->arena, count, sizeof *entries);
    if (!entries)
        return full(c);
    for (size_t i = 0; i < count; i++) {
        entries[i].perms = zs_read_u32(&c->in);
        if (c->in.failed)
            return ends_early(c, "ACL");
        if (!read_acl_text(c, "ACL's scheme", &entries[i].scheme))
            return false;
        if (!read_acl_text(c, "ACL's id", &entries[i].id))
            return false;
    }
    *out = (struct zs_acls){(uint32_t)count, entries};
    return true;
}

static bool read_data(struct cursor *c, struct zs_slice *out) {
    bool null = false;
    size_t len = 0;
    if (!read_count(c, "data", 1, &null, &len))
        return false;
    *out = null ? (struct zs_slice){NULL, 0} : (struct zs_slice){zs_read_bytes(&c->in, len), len};
    return true;
}

static bool read_version(struct cursor *c) {
    zs_read_i32(&c->in);
    return !c->in.failed || ends_early(c, "version");
}

static bool read_ephemeral(struct cursor *c, struct zs_op *op) {
    uint8_t ephemeral = zs_read_u8(&c->in);
    if (c->in.failed)
        return ends_early(c, "ephemeral flag");
    if (ephemeral > 1)
        return zs_fail(c->e, ZS_CORRUPT, "the ephemeral flag is %u", ephemeral);
    if (ephemeral) {
        op->kind = ZS_EPHEMERAL;
        op->session = c->session;
    }
    return zs_read_left(&c->in) == 0 || read_version(c); // nothing left: CreateTxnV0
}

static bool read_ttl(struct cursor *c, struct zs_op *op) {
    op->kind = ZS_TTL;
    op->ttl_ms = zs_read_i64(&c->in);
    if (c->in.failed)
        return ends_early(c, "TTL");
    if (op->ttl_ms <= 0)
        return zs_fail(c->e, ZS_CORRUPT, "the TTL is %" PRId64 " ms", op->ttl_ms);
    return true;
}

static bool read_create(struct cursor *c, int32_t type, struct zs_op *op) {
    op->type = ZS_OP_CREATE;
    op->kind = type == JUTE_CREATE_CONTAINER ? ZS_CONTAINER : ZS_PERSISTENT;
    if (!read_path(c, &op->path) || !read_data(c, &op->data) || !read_acls(c, &op->acls))
        return false;
    if (type == JUTE_CREATE || type == JUTE_CREATE2)
        return read_ephemeral(c, op);
    return read_version(c) && (type == JUTE_CREATE_CONTAINER || read_ttl(c, op));
}

// The body of an operation that changes one path, alone or in a multi.
static bool read_op(struct cursor *c, int32_t type, struct zs_op *op) {
    switch (type) {
    case JUTE_CREATE:
    case JUTE_CREATE2:
    case JUTE_CREATE_CONTAINER:
    case JUTE_CREATE_TTL:
        return read_create(c, type, op);
    case JUTE_DELETE:
    case JUTE_DELETE_CONTAINER:
        op->type = ZS_OP_DELETE;
        return read_path(c, &op->path);
    case JUTE_SET_DATA:
    case JUTE_RECONFIG:
        op->type = ZS_OP_SET;
        return read_path(c, &op->path) && read_data(c, &op->data) && read_version(c);
    case JUTE_SET_ACL:
        op->type = ZS_OP_SET_ACL;
        return read_path(c, &op->path) && read_acls(c, &op->acls) && read_version(c);
    }
    return zs_fail(c->e, ZS_CORRUPT, "the type is not known");
}

static bool read_single(struct cursor *c, int32_t type, struct zs_txn *out) {
    struct zs_op *op = zs_arena_take(c->arena, 1, sizeof *op);
    if (!op)
        return full(c);
    if (!read_op(c, type, op))
        return false;
    out->ops = op;
    out->op_count = 1;
    return true;
}

struct sub_op {
    int32_t type;
    struct cursor body;
};

static bool next_sub_op(struct cursor *c, struct sub_op *sub) {
    size_t len = 0;
    sub->type = zs_read_i32(&c->in);
    if (c->in.failed)
        return ends_early(c, "multi");
    if (!read_count(c, "operation in the multi", 1, NULL, &len))
        return false;
    sub->body = *c;
    sub->body.in = zs_reader_of(zs_read_bytes(&c->in, len), len);
    switch (sub->type) { // what DataTree.processTxn takes in a multi
    case JUTE_ERROR:
    case JUTE_CREATE:
    case JUTE_CREATE2:
    case JUTE_CREATE_CONTAINER:
    case JUTE_CREATE_TTL:
    case JUTE_DELETE:
    case JUTE_DELETE_CONTAINER:
    case JUTE_SET_DATA:
    case JUTE_CHECK:
        return true;
    }
    return zs_fail(c->e, ZS_CORRUPT, "type %" PRId32 " cannot stand in a multi", sub->type);
}

static bool read_sub_op(struct sub_op *sub, struct zs_op **next) {
    const char *path;
    bool read = sub->type == JUTE_CHECK ? read_path(&sub->body, &path) && read_version(&sub->body)
                                        : read_op(&sub->body, sub->type, *next);
    if (!read)
        return false;
    if (sub->type != JUTE_CHECK)
        ++*next;
    size_t left = zs_read_left(&sub->body.in);
    return left == 0 || zs_fail(sub->body.e, ZS_CORRUPT, "%zu bytes are left over", left);
}

// Two passes: the first finds out whether the multi failed and how many ops it has, so that memory is taken for ops
// that are there and not for ops that are claimed.
static bool read_multi(struct cursor *c, struct zs_txn *out) {
    size_t count = 0;
    struct sub_op sub = {.type = JUTE_ERROR};
    uint32_t ops = 0;
    out->multi = true;
    if (!read_count(c, "multi", 8, NULL, &count))
        return false;
    struct cursor scan = *c;
    for (size_t i = 0; i < count; i++) {
        if (!next_sub_op(&scan, &sub))
            return zs_error_context(c->e, "operation %zu", i);
        if (sub.type == JUTE_ERROR)
            out->class = ZS_TXN_FAILED;
        if (sub.type != JUTE_CHECK)
            ops++;
    }
    if (out->class == ZS_TXN_FAILED) {
        c->in = scan.in;
        return true;
    }
    struct zs_op *all = zs_arena_take(c->arena, ops, sizeof *all);
    if (!all)
        return full(c);
    struct zs_op *next = all;
    for (size_t i = 0; i < count; i++) {
        if (!next_sub_op(c, &sub) || !read_sub_op(&sub, &next))
            return zs_error_context(c->e, "operation %zu (%s)", i, type_name(sub.type));
    }
    out->ops = all;
    out->op_count = ops;
    return true;
}

static bool read_closed_paths(struct cursor *c, struct zs_op **ops, size_t *count) {
    if (!read_count(c, "paths to delete", 5, &(bool){false}, count))
        return false;
    *ops = zs_arena_take(c->arena, *count + 1, sizeof **ops);
    if (!*ops)
        return full(c);
    for (size_t i = 0; i < *count; i++) {
        (*ops)[i].type = ZS_OP_DELETE;
        if (!read_path(c, &(*ops)[i].path))
            return false;
    }
    return true;
}

static bool read_close_session(struct cursor *c, struct zs_txn *out) {
    size_t count = 0, left = zs_read_left(&c->in);
    struct zs_op *ops = NULL;
    struct cursor with_paths = *c;
    bool paths_known = left != 0 && read_closed_paths(&with_paths, &ops, &count);
    if (paths_known) {
        c->in = with_paths.in;
    } else {
        if (left != 0 && left != DIGEST_BYTES)
            return false;
        count = 0;
        ops = zs_arena_take(c->arena, 1, sizeof *ops);
        if (!ops)
            return full(c);
    }
    ops[count] =
        (struct zs_op){.type = ZS_OP_CLOSE_SESSION, .session = c->session, .paths_known = paths_known};
    out->ops = ops;
    out->op_count = (uint32_t)count + 1;
    return true;
}

static bool read_body(struct cursor *c, int32_t type, struct zs_txn *out) {
    switch (type) {
    case JUTE_MULTI:
        return read_multi(c, out);
    case JUTE_CLOSE_SESSION:
        return read_close_session(c, out);
    case JUTE_CREATE_SESSION:
    case JUTE_ERROR:
        out->class = type == JUTE_ERROR ? ZS_TXN_FAILED : ZS_TXN_SESSION;
        zs_read_i32(&c->in);
        return !c->in.failed || ends_early(c, "record");
    case JUTE_RECONFIG:
        out->class = ZS_TXN_RECONFIG;
        return read_op(c, type, &(struct zs_op){.path = NULL});
    default:
        out->reaped = type == JUTE_DELETE_CONTAINER;
        return read_single(c, type, out);
    }
}

bool zs_txn_zxid(const uint8_t *bytes, size_t len, int64_t *zxid, int64_t *time_ms) {
    if (len < HEADER_BYTES)
        return false;
    struct zs_reader in = zs_reader_of(bytes + 12, 16);
    *zxid = zs_read_i64(&in);
    *time_ms = zs_read_i64(&in);
    return true;
}

bool zs_txn_decode(const uint8_t *bytes, size_t len, struct zs_arena *arena, struct zs_txn *out,
                   struct zs_error *e) {
    struct cursor c = {.in = zs_reader_of(bytes, len), .arena = arena, .e = e};
    *out = (struct zs_txn){.class = ZS_TXN_WRITE};
    out->session = c.session = zs_read_i64(&c.in);
    out->cxid = zs_read_i32(&c.in);
    out->zxid = zs_read_i64(&c.in);
    out->time_ms = zs_read_i64(&c.in);
    int32_t type = zs_read_i32(&c.in);
    if (c.in.failed)
        return zs_fail(e, ZS_CORRUPT, "a txn of %zu bytes has no whole header", len);
    bool read = out->zxid > 0 || zs_fail(e, ZS_CORRUPT, "the zxid is not positive");
    read = read && read_body(&c, type, out);
    size_t left = zs_read_left(&c.in);
    if (read && left != 0 && left != DIGEST_BYTES)
        read = zs_fail(e, ZS_CORRUPT, "%zu bytes are left over", left);
    if (read)
        return true;
    return zs_error_context(e, "txn 0x%" PRIx64 " of type %" PRId32 " (%s)", (uint64_t)out->zxid, type,
                            type_name(type));
}

// Who may not change an ACL sees `user:x` for a digest's id. (No hash is an x.)
static bool is_hidden(const struct zs_acl *entry) {
    return strcmp(entry->scheme, "digest") == 0 && strcmp(entry->id + strcspn(entry->id, ":"), ":x") == 0;
}

static bool same_id(const struct zs_acl *a, const struct zs_acl *b) {
    if (strcmp(a->scheme, b->scheme) != 0)
        return false;
    const size_t user = strcspn(a->id, ":");
    const bool hidden = user == strcspn(b->id, ":") && (is_hidden(a) || is_hidden(b));
    return hidden ? strncmp(a->id, b->id, user) == 0 : strcmp(a->id, b->id) == 0;
}

bool zs_acls_equal(const struct zs_acls *here, const struct zs_acls *there) {
    if (here->count != there->count)
        return false;
    for (uint32_t i = 0; i < here->count; i++) {
        const struct zs_acl *x = &here->entries[i], *y = &there->entries[i];
        const bool same = strcmp(x->id, y->id) == 0 || !is_hidden(y);
        if (x->perms != y->perms || !same || !same_id(x, y))
            return false;
    }
    return true;
}

static uint32_t perms_of(const struct zs_acls *acls, const struct zs_acl *whom) {
    uint32_t perms = 0;
    for (uint32_t i = 0; i < acls->count; i++) {
        const struct zs_acl *entry = &acls->entries[i];
        perms |= same_id(entry, whom) || strcmp(entry->scheme, "world") == 0 ? entry->perms : 0;
    }
    return perms;
}

bool zs_acls_within(const struct zs_acls *inner, const struct zs_acls *outer) {
    for (uint32_t i = 0; i < inner->count; i++) {
        if (inner->entries[i].perms & ~perms_of(outer, &inner->entries[i]))
            return false;
    }
    return true;
}
