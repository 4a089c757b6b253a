#include "zs_journal_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// The hexadecimal number at the front; *text goes behind it. False: there is none that is a zxid.
static bool read_zxid(struct zs_slice *text, int64_t *zxid) {
    uint64_t value = 0;
    size_t len = 0;
    for (; len < text->len && len < 16; len++) {
        uint8_t c = text->at[len];
        if ((c < '0' || c > '9') && (c < 'a' || c > 'f'))
            break;
        value = value << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    if (!len || value > INT64_MAX)
        return false;
    *zxid = (int64_t)value;
    text->at += len;
    text->len -= len;
    return true;
}

size_t zs_journal_about_format(const struct zs_history *history, int64_t floor,
                               char out[static ZS_JOURNAL_ABOUT_TEXT]) {
    zs_history_format(history, out);
    size_t len = strlen(out);
    return len + (size_t)snprintf(out + len, ZS_JOURNAL_ABOUT_TEXT - len, " %" PRIx64, (uint64_t)floor);
}

bool zs_journal_about_parse(struct zs_slice text, struct zs_history *history, int64_t *floor) {
    char uuid[ZS_UUID_TEXT];
    struct zs_history about;
    int64_t up_to;
    if (text.len <= ZS_UUID_TEXT || text.at[ZS_UUID_TEXT - 1] != ' ')
        return false;
    memcpy(uuid, text.at, sizeof uuid - 1);
    uuid[sizeof uuid - 1] = '\0';
    struct zs_slice number = {.at = text.at + ZS_UUID_TEXT, .len = text.len - ZS_UUID_TEXT};
    if (!zs_history_parse(uuid, &about) || !read_zxid(&number, &up_to) || number.len)
        return false;
    *history = about;
    *floor = up_to;
    return true;
}

size_t zs_journal_pack_format(const int64_t *zxids, size_t count, char *out) {
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
        len += (size_t)snprintf(out + len, ZS_JOURNAL_ZXID_TEXT + 1, "%s%" PRIx64, len ? "," : "",
                                (uint64_t)zxids[i]);
    return len;
}

bool zs_journal_pack_parse(struct zs_slice text, int64_t floor, struct zs_zxids *out) {
    int64_t zxid;
    while (read_zxid(&text, &zxid)) {
        if (zxid > floor && !zs_zxids_add(out, zxid))
            return false;
        if (!text.len || *text.at != ',')
            break;
        text.at++;
        text.len--;
    }
    return true;
}

size_t zs_restored_format(int64_t zxid, char out[static ZS_RESTORED_TEXT]) {
    return (size_t)snprintf(out, ZS_RESTORED_TEXT, "%" PRIx64, (uint64_t)zxid);
}

int64_t zs_restored_parse(struct zs_slice text) {
    int64_t zxid;
    return read_zxid(&text, &zxid) && !text.len ? zxid : 0;
}
