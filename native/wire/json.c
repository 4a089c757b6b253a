#include "wire_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "zs_batch.h"

void zs_json_hex_format(uint64_t value, char out[static JSON_HEX_TEXT]) {
    snprintf(out, JSON_HEX_TEXT, "0x%" PRIx64, value);
}

json_t *zs_json_read_object(const uint8_t *bytes, size_t len, const char *what, struct zs_error *e) {
    json_error_t why;
    if (len > JSON_BYTES_MAX) {
        zs_fail(e, ZS_CORRUPT, "a %s of %zu bytes is above the limit of %d", what, len, JSON_BYTES_MAX);
        return NULL;
    }
    json_t *object = json_loadb((const char *)bytes, len, JSON_REJECT_DUPLICATES, &why);
    if (!object) {
        zs_fail(e, ZS_CORRUPT, "the %s is not JSON: %s at byte %d", what, why.text, why.position);
        return NULL;
    }
    if (json_is_object(object))
        return object;
    json_decref(object);
    zs_fail(e, ZS_CORRUPT, "the %s is JSON, but not an object", what);
    return NULL;
}

bool zs_json_hex_value(const json_t *text, uint64_t *out) {
    const char *at = json_string_value(text);
    if (!at || at[0] != '0' || at[1] != 'x')
        return false;
    at += 2;
    size_t len = strlen(at);
    if (len < 1 || len > 16)
        return false;
    *out = 0;
    for (; *at; at++) {
        const char *digits = "0123456789abcdef";
        const char *digit = strchr(digits, *at);
        if (!digit)
            return false;
        *out = *out << 4 | (uint64_t)(digit - digits);
    }
    return true;
}

static bool wrong(const char *name, const char *expected, struct zs_error *e) {
    return zs_fail(e, ZS_CORRUPT, "\"%s\" is missing or not %s", name, expected);
}

bool zs_json_read_hex(const json_t *object, const char *name, uint64_t *out, struct zs_error *e) {
    return zs_json_hex_value(json_object_get(object, name), out) || wrong(name, "a text like \"0x1f\"", e);
}

bool zs_json_read_zxid(const json_t *object, const char *name, int64_t *out, struct zs_error *e) {
    uint64_t value;
    if (!zs_json_read_hex(object, name, &value, e))
        return false;
    *out = (int64_t)value;
    return value <= INT64_MAX || wrong(name, "a zxid (it is negative)", e);
}

bool zs_json_read_integer(const json_t *object, const char *name, int64_t *out, struct zs_error *e) {
    const json_t *value = json_object_get(object, name);
    *out = json_integer_value(value);
    return json_is_integer(value) || wrong(name, "an integer", e);
}

bool zs_json_read_text(const json_t *object, const char *name, char *out, size_t size, struct zs_error *e) {
    const json_t *value = json_object_get(object, name);
    size_t len = json_string_length(value);
    if (!json_is_string(value) || len >= size)
        return wrong(name, "a text of fitting length", e);
    memcpy(out, json_string_value(value), len + 1);
    return true;
}

bool zs_json_read_history(const json_t *object, const char *name, struct zs_history *out,
                          struct zs_error *e) {
    const json_t *value = json_object_get(object, name);
    *out = (struct zs_history){{0}};
    if (json_is_null(value))
        return true;
    return (json_is_string(value) && zs_history_parse(json_string_value(value), out)) ||
           wrong(name, "a UUID or null", e);
}

bool zs_json_read_sessions(const json_t *object, const char *name, uint32_t *count, int64_t *out,
                           struct zs_error *e) {
    const json_t *list = json_object_get(object, name);
    size_t size = json_array_size(list);
    if (!json_is_array(list) || size > ZS_SESSIONS_MAX)
        return wrong(name, "a list of at most 32 sessions", e);
    for (size_t i = 0; i < size; i++) {
        uint64_t session;
        if (!zs_json_hex_value(json_array_get(list, i), &session))
            return wrong(name, "a list of hex texts", e);
        out[i] = (int64_t)session;
    }
    *count = (uint32_t)size;
    return true;
}
