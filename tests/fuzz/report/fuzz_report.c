// Any bytes as a feedback report: what decodes, encodes and decodes to the same.
#include <string.h>

#include "zs_report.h"
#include "zs_txn.h"

#undef NDEBUG // asserts are what this program is for
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    struct zs_report report, again;
    struct zs_error e = {ZS_OK, ""};
    if (!zs_report_decode(bytes, len, &report, &e)) {
        assert(e.code == ZS_CORRUPT && e.text[0]);
        return 0;
    }
    struct zs_buffer json;
    zs_buffer_init(&json, 1 << 17);
    assert(zs_site_valid(report.origin) && zs_site_valid(report.destination) && report.applied >= 0);
    assert(report.vector_count <= ZS_VECTOR_MAX && report.session_count <= ZS_SESSIONS_MAX);
    assert((report.need == ZS_NEED_IMAGE) == zs_path_valid(report.image_path));
    assert(zs_report_encode(&report, &json, &e));
    assert(zs_report_decode(json.at, json.len, &again, &e));
    assert(again.applied == report.applied && again.clock == report.clock && again.need == report.need);
    assert(again.vector_count == report.vector_count && again.session_count == report.session_count);
    assert(memcmp(again.sessions, report.sessions, sizeof again.sessions) == 0);
    assert(strcmp(again.image_path, report.image_path) == 0);
    zs_buffer_free(&json);
    return 0;
}
