// The marker is written with every multi of the applier: by hand, into a buffer that is used again.
#include <inttypes.h>
#include <stdio.h>

#include "wire_json.h"
#include "zs_report.h"

enum { FIXED_BYTES_MAX = 500, SESSION_BYTES_MAX = 22 };

bool zs_marker_encode(const struct zs_marker *marker, struct zs_buffer *out) {
    if (marker->session_count > ZS_SESSIONS_MAX)
        return false;
    zs_buffer_clear(out);
    size_t size = FIXED_BYTES_MAX + SESSION_BYTES_MAX * (size_t)marker->session_count;
    char *to = (char *)zs_buffer_reserve(out, size);
    if (!to)
        return false;
    char history[ZS_UUID_TEXT];
    zs_history_format(&marker->history, history);
    const char *quote = zs_history_known(&marker->history) ? "\"" : "";
    int used = snprintf(to, size,
                        "{\"history\":%s%s%s,\"zxid\":\"0x%" PRIx64 "\",\"stamp\":\"0x%" PRIx64
                        "\",\"session\":\"0x%" PRIx64 "\",\"time\":%" PRId64 ",\"sessions\":[",
                        quote, *quote ? history : "null", quote, (uint64_t)marker->zxid, marker->clock,
                        (uint64_t)marker->session, marker->time_ms);
    size_t len = (size_t)used;
    for (uint32_t i = 0; i < marker->session_count; i++)
        len += (size_t)snprintf(to + len, size - len, "%s\"0x%" PRIx64 "\"", i ? "," : "",
                                (uint64_t)marker->sessions[i]);
    len += (size_t)snprintf(to + len, size - len, "],\"since\":\"0x%" PRIx64 "\"", (uint64_t)marker->since);
    len += (size_t)snprintf(to + len, size - len, "%s%s", marker->image ? ",\"image\":true" : "",
                            marker->reborn ? ",\"reborn\":true" : "");
    if (marker->fence)
        len +=
            (size_t)snprintf(to + len, size - len, ",\"fence\":\"0x%" PRIx64 "\"", (uint64_t)marker->fence);
    if (marker->passed)
        len +=
            (size_t)snprintf(to + len, size - len, ",\"passed\":\"0x%" PRIx64 "\"", (uint64_t)marker->passed);
    if (marker->shown)
        len +=
            (size_t)snprintf(to + len, size - len, ",\"shown\":\"0x%" PRIx64 "\"", (uint64_t)marker->shown);
    if (marker->bare.zxid)
        len += (size_t)snprintf(
            to + len, size - len,
            ",\"bare\":{\"zxid\":\"0x%" PRIx64 "\",\"created\":\"0x%" PRIx64 "\",\"version\":%" PRId64 "}",
            (uint64_t)marker->bare.zxid, (uint64_t)marker->bare.created, marker->bare.version);
    len += (size_t)snprintf(to + len, size - len, "}");
    out->len = len;
    return true;
}

bool zs_marker_decode(const uint8_t *json, size_t len, struct zs_marker *out, struct zs_error *e) {
    *out = (struct zs_marker){.zxid = 0};
    json_t *object = zs_json_read_object(json, len, "marker", e);
    if (!object)
        return false;
    uint64_t session = 0;
    bool read = zs_json_read_history(object, "history", &out->history, e) &&
                zs_json_read_zxid(object, "zxid", &out->zxid, e) &&
                zs_json_read_hex(object, "stamp", &out->clock, e) &&
                zs_json_read_hex(object, "session", &session, e) &&
                zs_json_read_integer(object, "time", &out->time_ms, e) &&
                zs_json_read_sessions(object, "sessions", &out->session_count, out->sessions, e);
    out->session = (int64_t)session;
    out->image = json_is_true(json_object_get(object, "image"));
    out->reborn = json_is_true(json_object_get(object, "reborn"));
    out->since = out->zxid; // an earlier version's clock proves nothing of what lies before
    if (read && json_object_get(object, "since"))
        read = zs_json_read_zxid(object, "since", &out->since, e);
    if (read && json_object_get(object, "fence"))
        read = zs_json_read_zxid(object, "fence", &out->fence, e);
    if (read && json_object_get(object, "passed"))
        read = zs_json_read_zxid(object, "passed", &out->passed, e);
    if (read && json_object_get(object, "shown"))
        read = zs_json_read_zxid(object, "shown", &out->shown, e);
    const json_t *bare = json_object_get(object, "bare");
    if (read && bare)
        read = (json_is_object(bare) && zs_json_read_zxid(bare, "zxid", &out->bare.zxid, e) &&
                zs_json_read_zxid(bare, "created", &out->bare.created, e) &&
                zs_json_read_integer(bare, "version", &out->bare.version, e)) ||
               zs_fail(e, ZS_CORRUPT, "bare is not what it should be");
    json_decref(object);
    return read || zs_error_context(e, "marker");
}

int64_t zs_marker_holds(const struct zs_marker *marker, int64_t zxid) {
    return marker->passed && marker->passed <= zxid ? marker->passed - 1 : zxid;
}
