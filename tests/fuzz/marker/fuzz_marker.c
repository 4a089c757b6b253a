// Any bytes as a marker: what decodes, encodes and decodes to the same.
#include <string.h>

#include "zs_report.h"

#undef NDEBUG // asserts are what this program is for
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    struct zs_marker marker, again;
    struct zs_error e = {ZS_OK, ""};
    if (!zs_marker_decode(bytes, len, &marker, &e)) {
        assert(e.code == ZS_CORRUPT && e.text[0]);
        return 0;
    }
    struct zs_buffer json;
    zs_buffer_init(&json, 1 << 12);
    assert(marker.zxid >= 0 && marker.session_count <= ZS_SESSIONS_MAX);
    assert(zs_marker_encode(&marker, &json));
    assert(zs_marker_decode(json.at, json.len, &again, &e));
    assert(zs_history_equal(&again.history, &marker.history));
    assert(again.zxid == marker.zxid && again.clock == marker.clock && again.session == marker.session);
    assert(again.time_ms == marker.time_ms && again.session_count == marker.session_count);
    assert(memcmp(again.sessions, marker.sessions, sizeof again.sessions) == 0);
    zs_buffer_free(&json);
    return 0;
}
