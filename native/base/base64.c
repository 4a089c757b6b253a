#include "zs_base64.h"

#include <string.h>

static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void zs_base64_encode(const uint8_t *bytes, size_t len, char *out) {
    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i;
        uint32_t group = (uint32_t)bytes[i] << 16;
        if (left > 1)
            group |= (uint32_t)bytes[i + 1] << 8;
        if (left > 2)
            group |= bytes[i + 2];
        *out++ = DIGITS[group >> 18];
        *out++ = DIGITS[group >> 12 & 63];
        *out++ = left > 1 ? DIGITS[group >> 6 & 63] : '=';
        *out++ = left > 2 ? DIGITS[group & 63] : '=';
    }
    *out = '\0';
}

static int value_of(char c) {
    const char *digit = c ? strchr(DIGITS, c) : NULL;
    return digit ? (int)(digit - DIGITS) : -1;
}

// Four characters, of which the last `padding` are '='.
static bool decode_group(const char *text, int padding, uint8_t **out) {
    uint32_t group = 0;
    for (int i = 0; i < 4; i++) {
        int value = i < 4 - padding ? value_of(text[i]) : 0;
        if (value < 0)
            return false;
        group = group << 6 | (uint32_t)value;
    }
    for (int i = 0; i < 3; i++) {
        uint8_t byte = (uint8_t)(group >> (16 - 8 * i));
        if (i < 3 - padding)
            *(*out)++ = byte;
        else if (byte)
            return false; // bits behind the end
    }
    return true;
}

bool zs_base64_decode(const char *text, size_t len, uint8_t *out, size_t *out_len) {
    uint8_t *to = out;
    if (len % 4 != 0)
        return false;
    for (size_t i = 0; i < len; i += 4) {
        int padding = 0;
        if (i + 4 == len)
            padding = text[i + 3] != '=' ? 0 : text[i + 2] != '=' ? 1 : 2;
        if (!decode_group(text + i, padding, &to))
            return false;
    }
    *out_len = (size_t)(to - out);
    return true;
}
