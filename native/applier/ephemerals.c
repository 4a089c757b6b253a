#include "zs_ephemerals.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zs_names.h"

struct session;

struct copy {
    struct copy *next_in_bucket;
    struct copy *prev, *next; // of the session
    struct session *session;
    int64_t created; // czxid of the record; 0: not known yet
    bool skipped, met;
    char path[];
};

struct session {
    struct session *next_in_bucket;
    struct session *prev, *next; // of all
    int64_t id;
    struct copy *first;
};

struct zs_copies {
    struct zs_copies_settings settings;
    char origin[ZS_SITE_MAX + 1];
    struct session *sessions;
    struct session **session_buckets;
    size_t session_mask, session_count;
    struct copy **buckets;
    size_t mask, count;
};

struct rewrite {
    struct zs_copies *copies;
    struct zs_arena *arena;
    struct zs_op *ops;
    uint32_t count, cap;
    bool failed;
};

struct zs_copies *zs_copies_new(const struct zs_copies_settings *settings, struct zs_error *e) {
    enum { BUCKETS = 64 };
    struct zs_copies *copies = calloc(1, sizeof *copies);
    if (copies) {
        copies->buckets = calloc(BUCKETS, sizeof(struct copy *));
        copies->session_buckets = calloc(BUCKETS, sizeof(struct session *));
    }
    if (!copies || !copies->buckets || !copies->session_buckets) {
        zs_fail(e, ZS_FATAL, "out of memory");
        if (copies) {
            free(copies->buckets);
            free(copies->session_buckets);
        }
        free(copies);
        return NULL;
    }
    copies->settings = *settings;
    snprintf(copies->origin, sizeof copies->origin, "%s", settings->origin);
    copies->mask = copies->session_mask = BUCKETS - 1;
    return copies;
}

void zs_copies_clear(struct zs_copies *copies) {
    while (copies->sessions) {
        struct session *session = copies->sessions;
        copies->sessions = session->next;
        while (session->first) {
            struct copy *copy = session->first;
            session->first = copy->next;
            free(copy);
        }
        free(session);
    }
    memset(copies->buckets, 0, (copies->mask + 1) * sizeof(struct copy *));
    memset(copies->session_buckets, 0, (copies->session_mask + 1) * sizeof(struct session *));
    copies->count = copies->session_count = 0;
}

void zs_copies_free(struct zs_copies *copies) {
    if (!copies)
        return;
    zs_copies_clear(copies);
    free(copies->buckets);
    free(copies->session_buckets);
    free(copies);
}

size_t zs_copies_count(const struct zs_copies *copies) {
    return copies->count;
}

// --- the maps --------------------------------------------------------------------------------------------------------

static struct copy **bucket_of(const struct zs_copies *copies, const char *path) {
    return &copies->buckets[zs_fnv1a(0, path, strlen(path)) & copies->mask];
}

// Of several records of a path, which a newer session of the origin may have left there, the newest.
static struct copy *find_copy(const struct zs_copies *copies, const char *path) {
    struct copy *newest = NULL;
    for (struct copy *copy = copies->count ? *bucket_of(copies, path) : NULL; copy;
         copy = copy->next_in_bucket) {
        if (strcmp(copy->path, path) != 0)
            continue;
        if (!copy->created) // in flight
            return copy;
        if (!newest || copy->created > newest->created)
            newest = copy;
    }
    return newest;
}

static struct session **session_bucket_of(const struct zs_copies *copies, int64_t id) {
    return &copies->session_buckets[zs_fnv1a(0, &id, sizeof id) & copies->session_mask];
}

static struct session *find_session(const struct zs_copies *copies, int64_t id) {
    struct session *session = *session_bucket_of(copies, id);
    while (session && session->id != id)
        session = session->next_in_bucket;
    return session;
}

static void grow_sessions(struct zs_copies *copies) {
    size_t size = (copies->session_mask + 1) * 2;
    struct session **buckets = calloc(size, sizeof(struct session *));
    if (!buckets)
        return; // the map gets slower, not wrong
    free(copies->session_buckets);
    copies->session_buckets = buckets;
    copies->session_mask = size - 1;
    for (struct session *session = copies->sessions; session; session = session->next) {
        struct session **bucket = session_bucket_of(copies, session->id);
        session->next_in_bucket = *bucket;
        *bucket = session;
    }
}

static struct session *add_session(struct zs_copies *copies, int64_t id) {
    struct session *session = calloc(1, sizeof *session);
    if (!session)
        return NULL;
    session->id = id;
    session->next = copies->sessions;
    if (session->next)
        session->next->prev = session;
    copies->sessions = session;
    struct session **bucket = session_bucket_of(copies, id);
    session->next_in_bucket = *bucket;
    *bucket = session;
    if (++copies->session_count > copies->session_mask)
        grow_sessions(copies);
    return session;
}

static void grow(struct zs_copies *copies) {
    size_t size = (copies->mask + 1) * 2;
    struct copy **buckets = calloc(size, sizeof(struct copy *));
    if (!buckets)
        return; // as above
    free(copies->buckets);
    copies->buckets = buckets;
    copies->mask = size - 1;
    for (struct session *session = copies->sessions; session; session = session->next) {
        for (struct copy *copy = session->first; copy; copy = copy->next) {
            struct copy **bucket = bucket_of(copies, copy->path);
            copy->next_in_bucket = *bucket;
            *bucket = copy;
        }
    }
}

static struct copy *add_copy(struct zs_copies *copies, struct session *session, const char *path,
                             bool skipped) {
    size_t len = strlen(path);
    struct copy *copy = calloc(1, sizeof *copy + len + 1);
    if (!copy)
        return NULL;
    memcpy(copy->path, path, len + 1);
    copy->session = session;
    copy->skipped = skipped;
    copy->met = true;
    copy->next = session->first;
    if (copy->next)
        copy->next->prev = copy;
    session->first = copy;
    struct copy **bucket = bucket_of(copies, path);
    copy->next_in_bucket = *bucket;
    *bucket = copy;
    if (++copies->count > copies->mask)
        grow(copies);
    return copy;
}

static void drop_copy(struct zs_copies *copies, struct copy *copy) {
    struct copy **at = bucket_of(copies, copy->path);
    while (*at != copy)
        at = &(*at)->next_in_bucket;
    *at = copy->next_in_bucket;
    if (copy->next)
        copy->next->prev = copy->prev;
    if (copy->prev)
        copy->prev->next = copy->next;
    else
        copy->session->first = copy->next;
    copies->count--;
    free(copy);
}

static void drop_session(struct zs_copies *copies, struct session *session) {
    struct session **at = session_bucket_of(copies, session->id);
    while (*at != session)
        at = &(*at)->next_in_bucket;
    *at = session->next_in_bucket;
    if (session->next)
        session->next->prev = session->prev;
    if (session->prev)
        session->prev->next = session->next;
    else
        copies->sessions = session->next;
    copies->session_count--;
    free(session);
}

bool zs_copies_load(struct zs_copies *copies, int64_t session, const char *path, bool skipped,
                    int64_t created, struct zs_error *e) {
    struct session *owner = find_session(copies, session);
    if (!owner)
        owner = add_session(copies, session);
    struct copy *copy = owner ? add_copy(copies, owner, path, skipped) : NULL;
    if (!copy)
        return zs_fail(e, ZS_FATAL, "out of memory");
    copy->created = created;
    return true;
}

void zs_copies_landed(struct zs_copies *copies, const char *path, int64_t zxid) {
    struct copy *copy = find_copy(copies, path);
    if (copy)
        copy->created = zxid;
}

static bool holds(const struct copy *copy, int64_t created) {
    return copy && !copy->skipped && zs_record_is_about(copy->created, created);
}

bool zs_copies_hold(const struct zs_copies *copies, const char *path, int64_t created) {
    return holds(find_copy(copies, path), created);
}

// --- meeting ---------------------------------------------------------------------------------------------------------

void zs_copies_begin_meeting(struct zs_copies *copies, zs_copies_expected *expected, const void *context) {
    for (struct session *session = copies->sessions; session; session = session->next) {
        for (struct copy *copy = session->first; copy; copy = copy->next)
            copy->met = !expected(context, copy->path);
    }
}

enum zs_copy_known zs_copies_touch(struct zs_copies *copies, const char *path, int64_t session) {
    struct copy *copy = find_copy(copies, path);
    if (!copy)
        return ZS_COPY_NONE;
    if (copy->session->id != session)
        return ZS_COPY_OTHER;
    copy->met = true;
    return copy->skipped ? ZS_COPY_SKIPPED : ZS_COPY_HELD;
}

uint64_t zs_copies_count_not_met(const struct zs_copies *copies, const char *top) {
    uint64_t count = 0;
    for (const struct session *session = copies->sessions; session; session = session->next) {
        for (const struct copy *copy = session->first; copy; copy = copy->next)
            count += !copy->met && !copy->skipped && zs_path_covers(top, copy->path);
    }
    return count;
}

bool zs_copies_not_met(const struct zs_copies *copies, const char *top, struct zs_arena *arena,
                       const char *const **paths, uint32_t *count) {
    const char **all = zs_arena_take(arena, copies->count, sizeof *all);
    *count = 0;
    *paths = all;
    for (const struct session *session = copies->sessions; all && session; session = session->next) {
        for (const struct copy *copy = session->first; copy; copy = copy->next) {
            if (copy->met || !zs_path_covers(top, copy->path))
                continue;
            all[*count] = zs_arena_string(arena, copy->path, strlen(copy->path));
            if (!all[(*count)++])
                return false;
        }
    }
    return all != NULL;
}

bool zs_copies_leaves(const struct zs_copies *copies, const char *path, int64_t created) {
    const struct copy *copy = find_copy(copies, path);
    return holds(copy, created) && !copy->met;
}

// --- rewriting -------------------------------------------------------------------------------------------------------

static void put(struct rewrite *r, struct zs_op op) {
    if (r->count == r->cap) {
        uint32_t cap = r->cap ? r->cap * 2 : 16;
        struct zs_op *ops = zs_arena_take(r->arena, cap, sizeof *ops);
        if (!ops) {
            r->failed = true;
            return;
        }
        if (r->count)
            memcpy(ops, r->ops, r->count * sizeof *ops);
        r->ops = ops;
        r->cap = cap;
    }
    r->ops[r->count++] = op;
}

// The path of a session's node, or of a path's record beneath it.
static const char *record_path(struct rewrite *r, int64_t session, const char *path) {
    size_t size = sizeof ZS_SESSIONS_PATH + ZS_SITE_MAX + 32 + (path ? 3 * strlen(path) : 0);
    char *record = zs_arena_take(r->arena, size, 1);
    if (!record) {
        r->failed = true;
        return NULL;
    }
    int len = snprintf(record, size, "%s/%s/%016" PRIx64 "%s", ZS_SESSIONS_PATH, r->copies->origin,
                       (uint64_t)session, path ? "/" : "");
    if (path && !zs_path_escape(path, record + len, size - (size_t)len))
        r->failed = true;
    return r->failed ? NULL : record;
}

static void put_session(struct rewrite *r, enum zs_op_type type, int64_t session) {
    const char *path = record_path(r, session, NULL);
    if (path)
        put(r, (struct zs_op){.type = type, .path = path, .acls = r->copies->settings.acls});
}

static void put_record(struct rewrite *r, enum zs_op_type type, const char *record, const char *path,
                       bool skipped) {
    const char *data = skipped ? ZS_RECORD_SKIPPED : "";
    put(r, (struct zs_op){.type = type,
                          .path = record,
                          .partner = path,
                          .data = {.at = (const uint8_t *)data, .len = strlen(data)},
                          .acls = r->copies->settings.acls});
}

// The record goes; and what it is about, if that is to go too.
static void forget(struct rewrite *r, struct copy *copy, bool with_node) {
    const char *path = zs_arena_string(r->arena, copy->path, strlen(copy->path));
    const char *record = record_path(r, copy->session->id, copy->path);
    if (!path || !record) {
        r->failed = true;
        return;
    }
    if (with_node && !copy->skipped)
        put(r, (struct zs_op){.type = ZS_OP_DELETE, .path = path, .partner = record});
    put_record(r, ZS_OP_DELETE, record, path, false);
    drop_copy(r->copies, copy);
}

// The session's node goes with its last record.
static void tidy(struct rewrite *r, struct session *session) {
    if (r->failed || session->first)
        return;
    put_session(r, ZS_OP_DELETE, session->id);
    drop_session(r->copies, session);
}

static void forget_and_tidy(struct rewrite *r, struct copy *copy, bool with_node) {
    struct session *session = copy->session;
    forget(r, copy, with_node);
    tidy(r, session);
}

bool zs_copies_skips(const struct zs_copies *copies, const char *path) {
    bool excepted = copies->settings.except && zs_patterns_match(copies->settings.except, path);
    return copies->settings.skip != excepted;
}

static void rewrite_create(struct rewrite *r, const struct zs_op *op) {
    struct zs_copies *copies = r->copies;
    struct copy *known = find_copy(copies, op->path);
    if (known)
        forget_and_tidy(r, known, true); // it is gone at the origin, or this create could not have happened
    if (op->kind != ZS_EPHEMERAL) {
        put(r, *op);
        return;
    }
    const bool skipped = zs_copies_skips(copies, op->path);
    struct session *session = find_session(copies, op->session);
    if (!session) {
        session = add_session(copies, op->session);
        put_session(r, ZS_OP_CREATE, op->session);
    }
    const char *record = record_path(r, op->session, op->path);
    if (!session || !record || !add_copy(copies, session, op->path, skipped)) {
        r->failed = true;
        return;
    }
    if (!skipped) {
        struct zs_op copy = *op;
        copy.kind = ZS_PERSISTENT;
        copy.partner = record;
        put(r, copy);
    }
    put_record(r, ZS_OP_CREATE, record, op->path, skipped);
}

static void rewrite_close(struct rewrite *r, const struct zs_op *op) {
    struct session *session = find_session(r->copies, op->session);
    if (!session)
        return;
    while (session->first && !r->failed)
        forget(r, session->first, true);
    tidy(r, session);
}

// The origin's server has removed a container or a TTL node by itself. It says nothing about what a client
// has put in its place here, so that is looked at.
static void rewrite_reap(struct rewrite *r, const struct zs_op *op) {
    struct copy *known = find_copy(r->copies, op->path);
    struct zs_op end = *op;
    end.partner = op->path;
    if (!known || !known->skipped)
        put(r, end);
    if (known)
        forget_and_tidy(r, known, false);
}

static void rewrite_op(struct rewrite *r, const struct zs_op *op) {
    assert(op->path || op->type == ZS_OP_CLOSE_SESSION);
    if (op->type == ZS_OP_CLOSE_SESSION) {
        rewrite_close(r, op);
        return;
    }
    if (op->type == ZS_OP_CREATE) {
        rewrite_create(r, op);
        return;
    }
    struct copy *known = find_copy(r->copies, op->path);
    if (!known || !known->skipped) {
        struct zs_op same = *op;
        if (known && op->type == ZS_OP_SET)
            same.partner = op->path;
        put(r, same);
    }
    if (known && op->type == ZS_OP_DELETE)
        forget_and_tidy(r, known, false);
}

static bool carries(const struct zs_filter *filter, const struct zs_op *op) {
    return !filter || !op->path || zs_filter_carries(filter, op->path);
}

static bool stays(const struct zs_copies *copies, const struct zs_op *op) {
    bool ephemeral =
        op->type == ZS_OP_CLOSE_SESSION || (op->type == ZS_OP_CREATE && op->kind == ZS_EPHEMERAL);
    return !ephemeral && !find_copy(copies, op->path);
}

// In the end of a session the deletes are not a client's: what goes here is what has a record here.
static bool is_named_by_close(const struct zs_op *ops, uint32_t count, uint32_t i) {
    const struct zs_op *last = &ops[count - 1];
    return ops[i].type == ZS_OP_DELETE && last->type == ZS_OP_CLOSE_SESSION && last->paths_known;
}

static bool take(const struct rewrite *r, const struct zs_op **out, uint32_t *out_count, struct zs_error *e) {
    *out = r->ops;
    *out_count = r->count;
    return !r->failed || zs_fail(e, ZS_FATAL, "a txn does not fit into the memory set aside");
}

bool zs_copies_rewrite(struct zs_copies *copies, const struct zs_op *ops, uint32_t count,
                       const struct zs_filter *filter, struct zs_arena *arena, const struct zs_op **out,
                       uint32_t *out_count, struct zs_error *e) {
    struct rewrite r = {.copies = copies, .arena = arena};
    uint32_t same = 0;
    while (same < count && carries(filter, &ops[same]) && stays(copies, &ops[same]))
        same++;
    *out = ops;
    *out_count = count;
    if (same == count)
        return true;
    for (uint32_t i = 0; i < count && !r.failed; i++) {
        if (i >= same && !carries(filter, &ops[i]))
            continue;
        if (!is_named_by_close(ops, count, i))
            rewrite_op(&r, &ops[i]);
        else if (ops[count - 1].session == ZS_REAPED)
            rewrite_reap(&r, &ops[i]);
    }
    return take(&r, out, out_count, e);
}

bool zs_copies_end(struct zs_copies *copies, const char *path, bool with_node, struct zs_arena *arena,
                   const struct zs_op **out, uint32_t *out_count, struct zs_error *e) {
    struct rewrite r = {.copies = copies, .arena = arena};
    struct copy *copy = find_copy(copies, path);
    if (copy)
        forget_and_tidy(&r, copy, with_node);
    return take(&r, out, out_count, e);
}

static bool is_beneath_sessions(const char *path) {
    return strncmp(path, ZS_SESSIONS_PATH "/", sizeof ZS_SESSIONS_PATH) == 0;
}

bool zs_copies_is_session(const struct zs_op *op) {
    return !op->partner && op->path && is_beneath_sessions(op->path);
}

bool zs_copies_is_record(const struct zs_op *op) {
    return op->partner && is_beneath_sessions(op->path);
}

bool zs_copies_is_end(const struct zs_op *op) {
    return op->partner && op->type == ZS_OP_DELETE && !zs_copies_is_record(op);
}

static bool is_record_of(const char *record, const char *path) {
    if (!is_beneath_sessions(record))
        return false;
    const char *name = strrchr(record, '/') + 1;
    for (; *name && *path; path++) {
        size_t len = *path == '/' || *path == '%' ? 3 : 1;
        const char *escaped = *path == '/' ? "%2F" : *path == '%' ? "%25" : path;
        if (strncmp(name, escaped, len) != 0)
            return false;
        name += len;
    }
    return !*name && !*path;
}

void zs_copies_find_partners(struct zs_op *ops, uint32_t count) {
    for (uint32_t i = 0; i + 1 < count; i++) {
        struct zs_op *copy = &ops[i], *record = &ops[i + 1];
        if (copy->type != record->type || !copy->path || !record->path ||
            !is_record_of(record->path, copy->path))
            continue;
        copy->partner = record->path;
        record->partner = copy->path;
    }
}
