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
    bool skipped, met;
    char path[];
};

struct session {
    struct session *next;
    int64_t id;
    struct copy *first;
};

struct zs_copies {
    struct zs_copies_settings settings;
    char origin[ZS_SITE_MAX + 1];
    struct session *sessions;
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
    if (copies)
        copies->buckets = calloc(BUCKETS, sizeof(struct copy *));
    if (!copies || !copies->buckets) {
        zs_fail(e, ZS_FATAL, "out of memory");
        free(copies);
        return NULL;
    }
    copies->settings = *settings;
    snprintf(copies->origin, sizeof copies->origin, "%s", settings->origin);
    copies->mask = BUCKETS - 1;
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
    copies->count = 0;
}

void zs_copies_free(struct zs_copies *copies) {
    if (!copies)
        return;
    zs_copies_clear(copies);
    free(copies->buckets);
    free(copies);
}

size_t zs_copies_count(const struct zs_copies *copies) {
    return copies->count;
}

// --- the map ---------------------------------------------------------------------------------------------------------

static struct copy **bucket_of(struct zs_copies *copies, const char *path) {
    return &copies->buckets[zs_fnv1a(0, path, strlen(path)) & copies->mask];
}

static struct copy *find_copy(struct zs_copies *copies, const char *path) {
    struct copy *copy = copies->count ? *bucket_of(copies, path) : NULL;
    while (copy && strcmp(copy->path, path) != 0)
        copy = copy->next_in_bucket;
    return copy;
}

static struct session *find_session(struct zs_copies *copies, int64_t id) {
    struct session *session = copies->sessions;
    while (session && session->id != id)
        session = session->next;
    return session;
}

static struct session *add_session(struct zs_copies *copies, int64_t id) {
    struct session *session = calloc(1, sizeof *session);
    if (!session)
        return NULL;
    session->id = id;
    session->next = copies->sessions;
    copies->sessions = session;
    return session;
}

static void grow(struct zs_copies *copies) {
    size_t size = (copies->mask + 1) * 2;
    struct copy **buckets = calloc(size, sizeof(struct copy *));
    if (!buckets)
        return; // the map gets slower, not wrong
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

static bool add_copy(struct zs_copies *copies, struct session *session, const char *path, bool skipped) {
    size_t len = strlen(path);
    struct copy *copy = calloc(1, sizeof *copy + len + 1);
    if (!copy)
        return false;
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
    return true;
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
    struct session **at = &copies->sessions;
    while (*at != session)
        at = &(*at)->next;
    *at = session->next;
    free(session);
}

bool zs_copies_load_session(struct zs_copies *copies, int64_t session, struct zs_error *e) {
    if (find_session(copies, session) || add_session(copies, session))
        return true;
    return zs_fail(e, ZS_FATAL, "out of memory");
}

bool zs_copies_load(struct zs_copies *copies, int64_t session, const char *path, bool skipped,
                    struct zs_error *e) {
    struct session *owner = find_session(copies, session);
    if (!owner)
        owner = add_session(copies, session);
    struct copy *known = find_copy(copies, path);
    if (known)
        drop_copy(copies, known);
    if (owner && add_copy(copies, owner, path, skipped))
        return true;
    return zs_fail(e, ZS_FATAL, "out of memory");
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

const char *zs_copies_not_met(const struct zs_copies *copies, const char *top) {
    for (const struct session *session = copies->sessions; session; session = session->next) {
        for (const struct copy *copy = session->first; copy; copy = copy->next) {
            if (!copy->met && zs_path_covers(top, copy->path))
                return copy->path;
        }
    }
    return NULL;
}

bool zs_copies_leaves(struct zs_copies *copies, const char *path) {
    const struct copy *copy = find_copy(copies, path);
    return copy && !copy->met && !copy->skipped;
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

static void put_record(struct rewrite *r, enum zs_op_type type, int64_t session, const char *path,
                       bool skipped) {
    const char *record = record_path(r, session, path);
    const char *data = skipped ? ZS_RECORD_SKIPPED : "";
    if (!record)
        return;
    struct zs_op op = {.type = type, .kind = ZS_PERSISTENT, .path = record};
    if (type == ZS_OP_CREATE) {
        op.data = (struct zs_slice){.at = (const uint8_t *)data, .len = strlen(data)};
        op.acls = r->copies->settings.acls;
    }
    put(r, op);
}

static void forget(struct rewrite *r, struct copy *copy) {
    put_record(r, ZS_OP_DELETE, copy->session->id, copy->path, false);
    drop_copy(r->copies, copy);
}

// The session's node goes with its last record: a session that closes without an ephemeral is not heard of.
static void tidy(struct rewrite *r, struct session *session) {
    if (r->failed || session->first)
        return;
    put_record(r, ZS_OP_DELETE, session->id, NULL, false);
    drop_session(r->copies, session);
}

static void forget_and_tidy(struct rewrite *r, struct copy *copy) {
    struct session *session = copy->session;
    forget(r, copy);
    tidy(r, session);
}

static void rewrite_create(struct rewrite *r, const struct zs_op *op) {
    struct zs_copies *copies = r->copies;
    struct copy *known = find_copy(copies, op->path);
    if (known)
        forget_and_tidy(r, known); // the node it stood for is gone, or this create could not have happened
    if (op->kind != ZS_EPHEMERAL) {
        put(r, *op);
        return;
    }
    bool excepted = copies->settings.except && zs_patterns_match(copies->settings.except, op->path);
    bool skipped = copies->settings.skip != excepted;
    struct session *session = find_session(copies, op->session);
    if (!session) {
        session = add_session(copies, op->session);
        put_record(r, ZS_OP_CREATE, op->session, NULL, false);
    }
    if (!session || !add_copy(copies, session, op->path, skipped)) {
        r->failed = true;
        return;
    }
    if (!skipped) {
        struct zs_op copy = *op;
        copy.kind = ZS_PERSISTENT;
        put(r, copy);
    }
    put_record(r, ZS_OP_CREATE, op->session, op->path, skipped);
}

static void rewrite_close(struct rewrite *r, const struct zs_op *op) {
    struct session *session = find_session(r->copies, op->session);
    if (!session)
        return;
    for (struct copy *copy = session->first, *next; copy && !r->failed; copy = next) {
        next = copy->next;
        if (!op->paths_known && !copy->skipped) {
            char *path = zs_arena_string(r->arena, copy->path, strlen(copy->path));
            if (!path)
                r->failed = true;
            put(r, (struct zs_op){.type = ZS_OP_DELETE, .path = path});
        }
        forget(r, copy);
    }
    tidy(r, session);
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
    if (!known || !known->skipped)
        put(r, *op);
    if (known && op->type == ZS_OP_DELETE)
        forget_and_tidy(r, known);
}

static bool carries(const struct zs_filter *filter, const struct zs_op *op) {
    return !filter || !op->path || zs_filter_carries(filter, op->path);
}

static bool stays(struct zs_copies *copies, const struct zs_op *op) {
    bool ephemeral =
        op->type == ZS_OP_CLOSE_SESSION || (op->type == ZS_OP_CREATE && op->kind == ZS_EPHEMERAL);
    return !ephemeral && !find_copy(copies, op->path);
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
        if (i < same || carries(filter, &ops[i]))
            rewrite_op(&r, &ops[i]);
    }
    if (r.failed)
        return zs_fail(e, ZS_FATAL, "a txn of %u ops does not fit into the memory set aside", count);
    *out = r.ops;
    *out_count = r.count;
    return true;
}
