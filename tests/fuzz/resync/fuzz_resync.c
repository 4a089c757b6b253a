// Any bytes as a request for an image: what decodes, encodes and decodes to the same.
#include <string.h>

#include "zs_resync.h"
#include "zs_txn.h"

#undef NDEBUG // asserts are what this program is for
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    char path[64], again[64];
    bool allow, allow_again;
    struct zs_error e = {ZS_OK, ""};
    if (!zs_resync_decode(bytes, len, path, sizeof path, &allow, &e)) {
        assert(e.code == ZS_CORRUPT && e.text[0]);
        return 0;
    }
    struct zs_buffer json;
    zs_buffer_init(&json, 1 << 12);
    assert(zs_path_valid(path));
    assert(zs_resync_encode(path, allow, &json, &e));
    assert(zs_resync_decode(json.at, json.len, again, sizeof again, &allow_again, &e));
    assert(strcmp(again, path) == 0 && allow_again == allow);
    zs_buffer_free(&json);
    return 0;
}
