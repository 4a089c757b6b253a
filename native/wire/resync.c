#include "zs_resync.h"

#include "wire_json.h"
#include "zs_txn.h"

static int put_chunk(const char *bytes, size_t len, void *buffer) {
    zs_put_bytes(buffer, bytes, len);
    return 0;
}

bool zs_resync_encode(const char *path, bool allow_deletes, struct zs_buffer *out, struct zs_error *e) {
    json_t *object = json_pack("{s:s, s:b}", "path", path, "allow_deletes", allow_deletes);
    zs_buffer_clear(out);
    bool written = object && json_dump_callback(object, put_chunk, out, JSON_COMPACT) == 0 && !out->failed;
    json_decref(object);
    return written || zs_fail(e, ZS_FATAL, "no memory for a request, or its path is not UTF-8");
}

bool zs_resync_decode(const uint8_t *json, size_t len, char *path, size_t path_size, bool *allow_deletes,
                      struct zs_error *e) {
    json_t *object = zs_json_read_object(json, len, "request for an image", e);
    if (!object)
        return false;
    const json_t *allow = json_object_get(object, "allow_deletes");
    bool read =
        zs_json_read_text(object, "path", path, path_size, e) &&
        (zs_path_valid(path) || zs_fail(e, ZS_CORRUPT, "the path is malformed")) &&
        (json_is_boolean(allow) || zs_fail(e, ZS_CORRUPT, "\"allow_deletes\" is missing or not a boolean"));
    *allow_deletes = json_is_true(allow);
    json_decref(object);
    return read || zs_error_context(e, "request for an image");
}
