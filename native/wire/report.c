#include <string.h>

#include "wire_json.h"
#include "zs_report.h"
#include "zs_txn.h"

static json_t *hex(uint64_t value) {
    char text[JSON_HEX_TEXT];
    zs_json_hex_format(value, text);
    return json_string(text);
}

static json_t *history_value(const struct zs_history *history) {
    char text[ZS_UUID_TEXT];
    if (!zs_history_known(history))
        return json_null();
    zs_history_format(history, text);
    return json_string(text);
}

static bool add_vector(json_t *object, const char *name, uint32_t count, const struct zs_position *vector) {
    json_t *sites = json_object();
    bool added = json_object_set_new(object, name, sites) == 0;
    for (uint32_t i = 0; added && i < count; i++)
        added = json_object_set_new(sites, vector[i].site, hex((uint64_t)vector[i].zxid)) == 0;
    return added;
}

static bool add_lives(json_t *object, const struct zs_report *report) {
    json_t *lives = json_object();
    bool added = json_object_set_new(object, "lives", lives) == 0;
    for (uint32_t i = 0; added && i < report->other_count; i++) {
        if (zs_history_known(&report->lives[i]))
            added = json_object_set_new(lives, report->others[i].site, history_value(&report->lives[i])) == 0;
    }
    return added;
}

static json_t *need_image(const struct zs_report *report) {
    json_t *need = json_pack("{s:s, s:s, s:o, s:o}", "kind", "image", "path", report->image_path, "fence",
                             hex((uint64_t)report->fence), "run", hex((uint64_t)report->image_run));
    if (need && (!report->other_count || (add_vector(need, "others", report->other_count, report->others) &&
                                          add_lives(need, report))))
        return need;
    json_decref(need);
    return NULL;
}

static json_t *need_value(const struct zs_report *report) {
    switch (report->need) {
    case ZS_NEED_NONE:
        return json_pack("{s:s}", "kind", "none");
    case ZS_NEED_FROM:
        return json_pack("{s:s}", "kind", "from");
    case ZS_NEED_IMAGE:
        return need_image(report);
    }
    return NULL;
}

static bool add_lists(json_t *object, const struct zs_report *report) {
    json_t *sessions = json_array();
    bool added = add_vector(object, "vector", report->vector_count, report->vector) &&
                 json_object_set_new(object, "sessions", sessions) == 0;
    for (uint32_t i = 0; added && i < report->session_count; i++)
        added = json_array_append_new(sessions, hex((uint64_t)report->sessions[i])) == 0;
    return added;
}

static bool add_dictionaries(json_t *object, const struct zs_report *report) {
    json_t *ids = json_array();
    bool added = json_object_set_new(object, "dictionaries", ids) == 0;
    for (uint32_t i = 0; added && i < report->dictionary_count; i++)
        added = json_array_append_new(ids, hex(report->dictionaries[i])) == 0;
    return added;
}

static json_t *formats_value(const struct zs_report *report) {
    json_t *formats = json_array();
    bool added = formats != NULL;
    for (uint32_t i = 1; added && i <= report->format; i++)
        added = json_array_append_new(formats, json_integer(i)) == 0;
    return formats;
}

static json_t *report_value(const struct zs_report *report) {
    json_t *object = json_object();
    bool added = object && json_object_set_new(object, "origin", json_string(report->origin)) == 0 &&
                 json_object_set_new(object, "destination", json_string(report->destination)) == 0 &&
                 json_object_set_new(object, "history", history_value(&report->history)) == 0 &&
                 json_object_set_new(object, "applied", hex((uint64_t)report->applied)) == 0 &&
                 json_object_set_new(object, "clock", hex(report->clock)) == 0 &&
                 json_object_set_new(object, "since", hex((uint64_t)report->since)) == 0 &&
                 json_object_set_new(object, "time", json_integer(report->time_ms)) == 0 &&
                 add_lists(object, report) &&
                 (!report->tells_peers || add_vector(object, "peers", report->peer_count, report->peers)) &&
                 (!zs_history_known(&report->own) ||
                  json_object_set_new(object, "own", history_value(&report->own)) == 0) &&
                 (!report->takes_images || json_object_set_new(object, "images", json_true()) == 0) &&
                 (!report->takes_dictionaries || add_dictionaries(object, report)) &&
                 (report->format < 2 || json_object_set_new(object, "formats", formats_value(report)) == 0) &&
                 json_object_set_new(object, "need", need_value(report)) == 0;
    if (added)
        return object;
    json_decref(object);
    return NULL;
}

static int put_chunk(const char *bytes, size_t len, void *buffer) {
    zs_put_bytes(buffer, bytes, len);
    return 0;
}

bool zs_report_encode(const struct zs_report *report, struct zs_buffer *out, struct zs_error *e) {
    zs_buffer_clear(out);
    json_t *object = report_value(report);
    bool written = object && json_dump_callback(object, put_chunk, out, JSON_COMPACT) == 0 && !out->failed;
    json_decref(object);
    return written || zs_fail(e, ZS_FATAL, "no memory for a feedback report, or a text in it is not UTF-8");
}

static bool read_site(const json_t *object, const char *name, char *out, struct zs_error *e) {
    return zs_json_read_text(object, name, out, ZS_SITE_MAX + 1, e) &&
           (zs_site_valid(out) || zs_fail(e, ZS_CORRUPT, "\"%s\" is not a site's name", name));
}

static bool read_vector(const json_t *object, const char *name, uint32_t *count, struct zs_position *out,
                        struct zs_error *e) {
    json_t *vector = json_object_get(object, name), *value;
    const char *site;
    if (!json_is_object(vector) || json_object_size(vector) > ZS_VECTOR_MAX)
        return zs_fail(e, ZS_CORRUPT, "\"%s\" is missing or not an object of at most %d sites", name,
                       ZS_VECTOR_MAX);
    json_object_foreach(vector, site, value) {
        struct zs_position *position = &out[(*count)++];
        if (!zs_site_valid(site))
            return zs_fail(e, ZS_CORRUPT, "\"%s\" has a key that is not a site's name", name);
        memcpy(position->site, site, strlen(site) + 1);
        if (!zs_json_read_zxid(vector, site, &position->zxid, e))
            return zs_error_context(e, "%s", name);
    }
    return true;
}

static bool read_dictionaries(const json_t *object, struct zs_report *out, struct zs_error *e) {
    const json_t *ids = json_object_get(object, "dictionaries");
    out->takes_dictionaries = ids != NULL;
    if (ids && (!json_is_array(ids) || json_array_size(ids) > ZS_DICTIONARIES_MAX))
        return zs_fail(e, ZS_CORRUPT, "\"dictionaries\" is not a list of at most %d", ZS_DICTIONARIES_MAX);
    for (size_t i = 0; i < json_array_size(ids); i++) {
        uint64_t id;
        if (!zs_json_hex_value(json_array_get(ids, i), &id) || id == 0 || id > UINT32_MAX)
            return zs_fail(e, ZS_CORRUPT, "\"dictionaries\" has an entry that is no id");
        out->dictionaries[out->dictionary_count++] = (uint32_t)id;
    }
    return true;
}

// The highest of those that both know; what else stands there is of a newer reader.
static void read_formats(const json_t *object, struct zs_report *out) {
    const json_t *formats = json_object_get(object, "formats");
    out->format = 1;
    for (size_t i = 0; i < json_array_size(formats); i++) {
        json_int_t format = json_integer_value(json_array_get(formats, i));
        if (format > out->format && format <= ZS_BATCH_VERSION)
            out->format = (uint32_t)format;
    }
}

static bool read_run(const json_t *need, int64_t *out, struct zs_error *e) {
    uint64_t run = 0;
    bool read = zs_json_read_hex(need, "run", &run, e);
    *out = (int64_t)run;
    return read;
}

// An earlier version tells none.
static bool read_lives(const json_t *need, struct zs_report *out, struct zs_error *e) {
    const json_t *lives = json_object_get(need, "lives");
    bool read = true;
    for (uint32_t i = 0; read && i < out->other_count; i++) {
        if (json_object_get(lives, out->others[i].site))
            read = zs_json_read_history(lives, out->others[i].site, &out->lives[i], e);
    }
    return read;
}

static bool read_need(const json_t *object, struct zs_report *out, struct zs_error *e) {
    const json_t *need = json_object_get(object, "need");
    const char *kind = json_string_value(json_object_get(need, "kind"));
    if (!kind)
        return zs_fail(e, ZS_CORRUPT, "\"need\" is missing or has no \"kind\"");
    if (strcmp(kind, "none") == 0) {
        out->need = ZS_NEED_NONE;
        return true;
    }
    if (strcmp(kind, "from") == 0) {
        out->need = ZS_NEED_FROM;
        return true;
    }
    if (strcmp(kind, "image") != 0)
        return zs_fail(e, ZS_CORRUPT, "\"need\" is of an unknown kind");
    out->need = ZS_NEED_IMAGE;
    return zs_json_read_text(need, "path", out->image_path, sizeof out->image_path, e) &&
           (zs_path_valid(out->image_path) || zs_fail(e, ZS_CORRUPT, "the image's path is malformed")) &&
           zs_json_read_zxid(need, "fence", &out->fence, e) && read_run(need, &out->image_run, e) &&
           (!json_object_get(need, "others") ||
            (read_vector(need, "others", &out->other_count, out->others, e) && read_lives(need, out, e)));
}

bool zs_report_of_other_life(const struct zs_report *report, const char *site,
                             const struct zs_history *history) {
    for (uint32_t i = 0; i < report->other_count; i++) {
        if (strcmp(report->others[i].site, site) == 0)
            return zs_history_known(&report->lives[i]) && !zs_history_equal(&report->lives[i], history);
    }
    return false;
}

bool zs_report_decode(const uint8_t *json, size_t len, struct zs_report *out, struct zs_error *e) {
    *out = (struct zs_report){.applied = 0};
    json_t *object = zs_json_read_object(json, len, "feedback report", e);
    if (!object)
        return false;
    bool read = read_site(object, "origin", out->origin, e) &&
                read_site(object, "destination", out->destination, e) &&
                zs_json_read_history(object, "history", &out->history, e) &&
                zs_json_read_zxid(object, "applied", &out->applied, e) &&
                zs_json_read_hex(object, "clock", &out->clock, e) &&
                zs_json_read_integer(object, "time", &out->time_ms, e) &&
                read_vector(object, "vector", &out->vector_count, out->vector, e) &&
                zs_json_read_sessions(object, "sessions", &out->session_count, out->sessions, e) &&
                (!json_object_get(object, "own") || zs_json_read_history(object, "own", &out->own, e)) &&
                read_dictionaries(object, out, e) && read_need(object, out, e);
    out->since = out->applied; // an earlier version's clock proves nothing of what lies before
    if (read && json_object_get(object, "since"))
        read = zs_json_read_zxid(object, "since", &out->since, e);
    out->tells_peers = json_object_get(object, "peers") != NULL;
    if (read && out->tells_peers)
        read = read_vector(object, "peers", &out->peer_count, out->peers, e);
    out->takes_images = json_is_true(json_object_get(object, "images"));
    read_formats(object, out);
    json_decref(object);
    return read || zs_error_context(e, "feedback report");
}
