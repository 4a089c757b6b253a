// Any bytes as a journal's znodes: the first says as what. What is understood, and written again, is understood as the same.
#include <string.h>

#include "zs_journal_text.h"

#undef NDEBUG // asserts are what this program is for
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void about(struct zs_slice text) {
    struct zs_history history, again;
    int64_t floor, floor_again;
    char out[ZS_JOURNAL_ABOUT_TEXT];
    const int64_t restored = zs_restored_parse(text);
    if (restored) {
        struct zs_slice number = {.at = (const uint8_t *)out, .len = zs_restored_format(restored, out)};
        assert(zs_restored_parse(number) == restored);
    }
    if (!zs_journal_about_parse(text, &history, &floor))
        return;
    struct zs_slice written = {.at = (const uint8_t *)out,
                               .len = zs_journal_about_format(&history, floor, out)};
    assert(written.len < sizeof out);
    assert(zs_journal_about_parse(written, &again, &floor_again));
    assert(zs_history_equal(&history, &again) && floor == floor_again);
}

static void pack(struct zs_slice text) {
    enum { FLOOR = 0x100, MAX = 4096 };
    static char out[MAX * ZS_JOURNAL_ZXID_TEXT + 1];
    struct zs_zxids zxids = {.count = 0}, again = {.count = 0};
    assert(zs_journal_pack_parse(text, FLOOR, &zxids));
    if (zxids.count <= MAX) {
        struct zs_slice written = {.at = (const uint8_t *)out,
                                   .len = zs_journal_pack_format(zxids.at, zxids.count, out)};
        assert(zs_journal_pack_parse(written, 0, &again));
        assert(again.count == zxids.count);
        assert(!zxids.count || memcmp(again.at, zxids.at, zxids.count * sizeof *zxids.at) == 0);
    }
    zs_zxids_sort(&zxids);
    for (size_t i = 0; i < zxids.count; i++)
        assert(zxids.at[i] > FLOOR && zs_zxids_hold(&zxids, zxids.at[i]));
    assert(!zs_zxids_hold(&zxids, FLOOR));
    zs_zxids_free(&zxids);
    zs_zxids_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    if (!len)
        return 0;
    struct zs_slice text = {.at = bytes + 1, .len = len - 1};
    if (*bytes == 'a')
        about(text);
    else
        pack(text);
    return 0;
}
