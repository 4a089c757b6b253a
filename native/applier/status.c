#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "applier.h"
#include "zs_utf8.h"

enum { STATUS_BYTES_MAX = 1024 * 1024 };

static void put(struct zs_buffer *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct zs_buffer *out, const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= sizeof text)
        out->failed = true;
    else
        zs_put_bytes(out, text, (size_t)len);
}

static void put_text(struct zs_buffer *out, const char *text) {
    size_t left = strlen(text);
    put(out, "\"");
    while (left) {
        uint32_t c;
        size_t len = zs_utf8_next((const uint8_t *)text, left, &c);
        if (len == 0)
            len = 1; // of a character that was cut off at the end of a detail: left out
        else if (c == '"' || c == '\\')
            put(out, "\\%c", (char)c);
        else if (c < 0x20)
            put(out, "\\u%04x", (unsigned)c);
        else
            put(out, "%.*s", (int)len, text);
        text += len;
        left -= len;
    }
    put(out, "\"");
}

static void put_number(struct zs_buffer *out, const char *name, uint64_t number) {
    put(out, ",\"%s\":%" PRIu64, name, number);
}

static void put_link(struct zs_buffer *out, const struct zs_apply_status *s) {
    put(out, "{\"origin\":\"%s\",\"state\":\"%s\",\"detail\":", s->origin, zs_apply_state_name(s->state));
    put_text(out, s->detail);
    // zxids as hexadecimal text, as ZooKeeper's own tools show them, and because JSON numbers lose the low bits
    put(out, ",\"applied\":\"0x%" PRIx64 "\",\"received\":\"0x%" PRIx64 "\"", (uint64_t)s->applied,
        (uint64_t)s->received);
    put(out, ",\"heard_ms\":%" PRId64 ",\"lag_ms\":%" PRId64, s->heard_ms, s->lag_ms);
    if (s->skew_known)
        put(out, ",\"skew_ms\":%" PRId64, s->skew_ms);
    else
        put(out, ",\"skew_ms\":null");
    put_number(out, "batches", s->batches);
    put_number(out, "txns", s->txns);
    put_number(out, "multis", s->multis);
    put_number(out, "ops", s->ops);
    put_number(out, "quarantined", s->quarantined);
    put_number(out, "gaps", s->gaps);
    put_number(out, "rejected", s->rejected);
    put_number(out, "fenced", s->fenced);
    put_number(out, "reconnects", s->reconnects);
    put_number(out, "copies", s->copies);
    put_number(out, "images", s->images);
    put_number(out, "image_nodes", s->image_nodes);
    put_number(out, "image_created", s->image_created);
    put_number(out, "image_set", s->image_set);
    put_number(out, "image_deleted", s->image_deleted);
    put_number(out, "image_kept", s->image_kept);
    put(out, ",\"conflicts\":{");
    for (int i = 0; i < ZS_VERDICT_COUNT; i++)
        put(out, "%s\"%s\":%" PRIu64, i ? "," : "", zs_verdict_name((enum zs_verdict)i), s->conflicts[i]);
    put(out, "}}");
}

bool zs_applier_status_json(struct zs_applier *applier, struct zs_buffer *out) {
    struct zs_target_state zookeeper;
    applier->target.calls->state(applier->target.self, &zookeeper);
    zs_buffer_clear(out);
    put(out, "{\"version\":\"%s\",\"site\":\"%s\",\"time_ms\":%" PRId64 ",\"uptime_ms\":%" PRId64, ZS_VERSION,
        zs_option_text(applier->options, NULL, "site"), zs_wall_ms(), zs_mono_ms() - applier->started_ms);
    put(out, ",\"pid\":%ld,\"zookeeper\":{\"connected\":%s,\"session\":\"0x%" PRIx64 "\",\"detail\":",
        (long)getpid(), zookeeper.connected ? "true" : "false", (uint64_t)zookeeper.session);
    put_text(out, zookeeper.detail);
    put(out, "},\"links\":[");
    for (size_t i = 0; i < applier->link_count; i++) {
        struct zs_apply_status status;
        zs_link_status(applier->links[i], &status);
        if (i)
            put(out, ",");
        put_link(out, &status);
    }
    put(out, "]}\n");
    return !out->failed;
}

static bool write_file(const char *path, const struct zs_buffer *bytes) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return false;
    bool fine = write(fd, bytes->at, bytes->len) == (ssize_t)bytes->len && fchmod(fd, 0644) == 0;
    return close(fd) == 0 && fine;
}

void zs_applier_write_status(struct zs_applier *applier) {
    const char *path = zs_option_text(applier->options, NULL, "status_file");
    char fresh[4096];
    if (!path || snprintf(fresh, sizeof fresh, "%s.new", path) >= (int)sizeof fresh)
        return;
    struct zs_buffer json;
    zs_buffer_init(&json, STATUS_BYTES_MAX);
    bool fine =
        zs_applier_status_json(applier, &json) && write_file(fresh, &json) && rename(fresh, path) == 0;
    if (!fine && !applier->status_failing)
        zs_logf(applier->log, ZS_LEVEL_WARN, "cannot write zoospan.status_file %s: %s", path,
                strerror(errno));
    applier->status_failing = !fine;
    zs_buffer_free(&json);
}

size_t zs_applier_links(const struct zs_applier *applier) {
    return applier->link_count;
}
