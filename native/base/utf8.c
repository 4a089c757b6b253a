#include "zs_utf8.h"

#include <string.h>

size_t zs_utf8_next(const uint8_t *at, size_t left, uint32_t *code) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t lead = at[0];
    size_t len = lead < 0x80 ? 1 : lead < 0xc0 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf8 ? 4 : 0;
    if (len == 0 || len > left)
        return 0;
    uint32_t c = len == 1 ? lead : lead & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (at[i] & 0x3f);
    }
    if (c < least[len] || c > 0x10ffff)
        return 0;
    *code = c;
    return len;
}

static bool is_high_surrogate(uint32_t code) {
    return code >= 0xd800 && code <= 0xdbff;
}

static bool is_low_surrogate(uint32_t code) {
    return code >= 0xdc00 && code <= 0xdfff;
}

// Whether the next eight bytes are ASCII, and none of them is 0: nearly all there is.
static bool eight_are_plain(const uint8_t *at) {
    uint64_t eight;
    memcpy(&eight, at, sizeof eight);
    return !((eight | (eight - UINT64_C(0x0101010101010101))) & UINT64_C(0x8080808080808080));
}

bool zs_utf8_valid(const void *bytes, size_t len) {
    const uint8_t *at = bytes;
    for (size_t i = 0; i < len;) {
        if (len - i >= 8 && eight_are_plain(at + i)) {
            i += 8;
            if (len - i < 8 && eight_are_plain(at + len - 8)) // what is left, and some of what was looked at
                return true;
            continue;
        }
        if (at[i] != 0 && at[i] < 0x80) {
            i++;
            continue;
        }
        uint32_t code;
        size_t step = zs_utf8_next(at + i, len - i, &code);
        if (step == 0 || code == 0 || is_high_surrogate(code) || is_low_surrogate(code))
            return false;
        i += step;
    }
    return true;
}

static void put_four(uint32_t code, char *out) {
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
}

// Copies what is plain from the start on, eight bytes at a time. Returns how much that was.
static size_t copy_ascii(const uint8_t *bytes, size_t len, char *out) {
    size_t i = 0;
    for (; len - i >= 8 && eight_are_plain(bytes + i); i += 8)
        memcpy(out + i, bytes + i, 8);
    return i;
}

size_t zs_utf8_from_jute(const uint8_t *bytes, size_t len, char *out) {
    size_t used = copy_ascii(bytes, len, out);
    for (size_t i = used; i < len;) {
        if (bytes[i] < 0x80) {
            out[used++] = (char)bytes[i++];
            continue;
        }
        uint32_t code, low;
        size_t step = zs_utf8_next(bytes + i, len - i, &code);
        if (step == 0 || is_low_surrogate(code))
            return SIZE_MAX;
        if (is_high_surrogate(code)) {
            i += step;
            if (i == len || zs_utf8_next(bytes + i, len - i, &low) != 3 || !is_low_surrogate(low))
                return SIZE_MAX;
            put_four(0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00), out + used);
            i += 3;
            used += 4;
            continue;
        }
        memcpy(out + used, bytes + i, step);
        i += step;
        used += step;
    }
    return used;
}

size_t zs_utf8_cut(const char *text, size_t max) {
    size_t len = strnlen(text, max);
    while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
        len--;
    return len;
}

void zs_utf8_mend(char *text) {
    size_t len = strlen(text), kept = 0, step;
    for (size_t at = 0; at < len; at += step) {
        uint32_t code;
        step = zs_utf8_next((const uint8_t *)text + at, len - at, &code);
        if (step && zs_utf8_valid(text + at, step)) {
            memmove(text + kept, text + at, step);
            kept += step;
            continue;
        }
        text[kept++] = '?';
        step = 1;
        while (((unsigned char)text[at + step] & 0xc0) == 0x80)
            step++;
    }
    text[kept] = '\0';
}
