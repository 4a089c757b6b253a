#include "zs_chunk.h"

#include <string.h>

#include "zs_utf8.h"

static bool malformed(struct zs_error *e) {
    return zs_fail(e, ZS_CORRUPT, "a chunk of the tree's walk is malformed");
}

static bool full(struct zs_error *e) {
    return zs_fail(e, ZS_FATAL, "it needs more memory than a node may take");
}

static struct zs_slice read_text(struct zs_reader *in) {
    int32_t len = zs_read_i32(in);
    struct zs_slice text = {NULL, 0};
    if (in->failed || len < 0)
        return text;
    text.at = zs_read_bytes(in, (size_t)len);
    text.len = text.at ? (size_t)len : 0;
    return text;
}

bool zs_chunk_type(struct zs_reader *in, enum zs_chunk_type *type, struct zs_error *e) {
    uint8_t value = zs_read_u8(in);
    *type = (enum zs_chunk_type)value;
    return (!in->failed && value <= ZS_CHUNK_BROKEN_OFF) || malformed(e);
}

static struct zs_history history_of(struct zs_slice text) {
    struct zs_history history = {{0}};
    char copy[ZS_UUID_TEXT] = "";
    if (text.len == ZS_UUID_TEXT - 1)
        memcpy(copy, text.at, text.len);
    return zs_history_parse(copy, &history) ? history : (struct zs_history){{0}};
}

bool zs_chunk_head(struct zs_reader *in, struct zs_chunk_head *out, struct zs_error *e) {
    out->zxid = zs_read_i64(in);
    out->nodes = (uint64_t)zs_read_i64(in);
    out->marker_count = 0;
    int32_t count = zs_read_i32(in);
    for (int32_t i = 0; i < count && !in->failed; i++) {
        struct zs_slice site = read_text(in), data = read_text(in);
        char name[ZS_SITE_MAX + 1] = "";
        if (!site.at || !data.at)
            return malformed(e);
        if (site.len > ZS_SITE_MAX || out->marker_count == ZS_VECTOR_MAX)
            continue; // no site of ours
        memcpy(name, site.at, site.len);
        if (strlen(name) != site.len || !zs_site_valid(name))
            continue;
        memcpy(out->markers[out->marker_count].site, name, sizeof name);
        out->markers[out->marker_count++].data = data;
    }
    struct zs_slice history = read_text(in), restored = read_text(in);
    out->history = history_of(history);
    out->restored = zs_restored_parse(restored);
    out->written = *in;
    return (restored.at && out->zxid >= 0) || malformed(e);
}

static bool read_journal(struct zs_reader *in, struct zs_zxids *out, struct zs_error *e) {
    struct zs_history ignored;
    int64_t floor = 0;
    zs_journal_about_parse(read_text(in), &ignored, &floor);
    int32_t count = zs_read_i32(in);
    for (int32_t i = 0; i < count && !in->failed; i++) {
        int64_t zxid = zs_read_i64(in);
        struct zs_slice data = read_text(in);
        if (!data.at)
            return malformed(e);
        if ((zxid > floor && !zs_zxids_add(out, zxid)) || !zs_journal_pack_parse(data, floor, out))
            return zs_fail(e, ZS_FATAL, "out of memory for a journal");
    }
    return true;
}

bool zs_chunk_written(struct zs_reader *in, const char *site, struct zs_zxids *of_site,
                      struct zs_zxids *of_others, struct zs_error *e) {
    int32_t count = zs_read_i32(in);
    for (int32_t i = 0; i < count && !in->failed; i++) {
        const struct zs_slice name = read_text(in);
        bool its = name.len == strlen(site) && name.at && memcmp(name.at, site, name.len) == 0;
        if (!read_journal(in, its ? of_site : of_others, e))
            return false;
    }
    zs_zxids_sort(of_site);
    zs_zxids_sort(of_others);
    return (!in->failed && zs_read_left(in) == 0) || malformed(e);
}

static bool read_path(struct zs_reader *in, struct zs_arena *arena, const char **out, struct zs_error *e) {
    struct zs_slice text = read_text(in);
    if (!text.at || !zs_utf8_valid((const char *)text.at, text.len))
        return malformed(e);
    *out = zs_arena_string(arena, text.at, text.len);
    return *out ? zs_path_valid(*out) || malformed(e) : full(e);
}

static bool read_acl_text(struct zs_reader *in, struct zs_arena *arena, const char **out,
                          struct zs_error *e) {
    struct zs_slice text = read_text(in);
    if (!text.at)
        return malformed(e);
    char *copy = zs_arena_take_raw(arena, text.len + 1, 1);
    if (!copy)
        return full(e);
    memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    zs_acl_text_mend(copy, text.len);
    *out = copy;
    return zs_utf8_valid(copy, text.len) || malformed(e);
}

static bool read_data(struct zs_reader *in, struct zs_slice *out, struct zs_error *e) {
    int32_t len = zs_read_i32(in);
    *out = (struct zs_slice){NULL, 0};
    if (len == -1)
        return !in->failed || malformed(e);
    if (in->failed || len < 0)
        return malformed(e);
    out->at = zs_read_bytes(in, (size_t)len);
    out->len = (size_t)len;
    return out->at || malformed(e);
}

static bool read_acls(struct zs_reader *in, struct zs_arena *arena, struct zs_acls *out, struct zs_error *e) {
    enum { ENTRY_BYTES_MIN = 12 };
    int32_t count = zs_read_i32(in);
    if (in->failed || count < 0 || (size_t)count > zs_read_left(in) / ENTRY_BYTES_MIN)
        return malformed(e);
    struct zs_acl *entries = zs_arena_take(arena, (size_t)count, sizeof *entries);
    if (!entries)
        return full(e);
    for (int32_t i = 0; i < count; i++) {
        entries[i].perms = zs_read_u32(in);
        if (!read_acl_text(in, arena, &entries[i].scheme, e) || !read_acl_text(in, arena, &entries[i].id, e))
            return false;
    }
    *out = (struct zs_acls){(uint32_t)count, entries};
    return true;
}

static bool read_node(struct zs_reader *in, struct zs_arena *arena, struct zs_record_node *out,
                      uint32_t *created, struct zs_error *e) {
    if (!read_data(in, &out->data, e) || !read_acls(in, arena, &out->acls, e))
        return false;
    uint8_t kind = zs_read_u8(in);
    int64_t value = zs_read_i64(in);
    out->zxid = zs_read_i64(in);
    out->created = zs_read_i64(in);
    out->time_ms = zs_read_i64(in);
    int32_t children = zs_read_i32(in);
    *created = children > 0 ? (uint32_t)children : 0; // it may have run over
    if (in->failed || kind > ZS_TTL || out->zxid < 0 || out->created < 0)
        return malformed(e);
    if (out->created >
        out->zxid) // a server that replays its log over a fuzzy snapshot may have it so for a while
        out->created = out->zxid;
    out->kind = (enum zs_kind)kind;
    if (out->kind == ZS_EPHEMERAL)
        out->session = value;
    if (out->kind == ZS_TTL)
        out->ttl_ms = value;
    return out->kind != ZS_TTL || value > 0 || malformed(e);
}

bool zs_chunk_node(struct zs_reader *in, struct zs_arena *arena, struct zs_record_node *out,
                   uint32_t *created, struct zs_error *e) {
    *out = (struct zs_record_node){.has_write = false};
    return read_path(in, arena, &out->path, e) &&
           (read_node(in, arena, out, created, e) || zs_error_context(e, "node %.300s", out->path));
}

bool zs_chunk_broken_off(struct zs_reader *in, struct zs_error *e) {
    uint8_t kind = zs_read_u8(in);
    struct zs_slice why = read_text(in);
    if (!why.at)
        return malformed(e);
    return zs_fail(e, kind == ZS_BROKEN_OFF_MOVED ? ZS_RETRY : ZS_CORRUPT, "%.*s",
                   (int)(why.len < 400 ? why.len : 400), (const char *)why.at);
}

bool zs_chunk_as_of(struct zs_reader *in, int64_t *zxid, struct zs_error *e) {
    *zxid = zs_read_i64(in);
    return (!in->failed && *zxid >= 0) || malformed(e);
}

bool zs_chunk_end(struct zs_reader *in, int64_t *zxid, struct zs_error *e) {
    *zxid = zs_read_i64(in);
    return (!in->failed && zs_read_left(in) == 0) || malformed(e);
}
