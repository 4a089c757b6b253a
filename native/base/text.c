#include "zs_text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

bool zs_site_valid(const char *name) {
    size_t len = strnlen(name, ZS_SITE_MAX + 1);
    if (len < 1 || len > ZS_SITE_MAX || name[0] < 'a' || name[0] > 'z')
        return false;
    return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

bool zs_history_known(const struct zs_history *history) {
    static const struct zs_history none;
    return !zs_history_equal(history, &none);
}

bool zs_history_equal(const struct zs_history *a, const struct zs_history *b) {
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

int zs_hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool zs_history_parse(const char *text, struct zs_history *out) {
    *out = (struct zs_history){{0}};
    if (strnlen(text, ZS_UUID_TEXT) != ZS_UUID_TEXT - 1)
        return false;
    struct zs_history parsed = {{0}};
    int nibble = 0;
    for (int i = 0; i < ZS_UUID_TEXT - 1; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (text[i] != '-')
                return false;
            continue;
        }
        int digit = zs_hex_digit(text[i]);
        if (digit < 0)
            return false;
        parsed.bytes[nibble / 2] = (uint8_t)(parsed.bytes[nibble / 2] << 4 | digit);
        nibble++;
    }
    *out = parsed;
    return true;
}

void zs_history_format(const struct zs_history *history, char out[static ZS_UUID_TEXT]) {
    static const char digits[] = "0123456789abcdef"; // by hand: it is in every marker
    char *to = out;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *to++ = '-';
        *to++ = digits[history->bytes[i] >> 4];
        *to++ = digits[history->bytes[i] & 15];
    }
    *to = '\0';
}

bool zs_path_covers(const char *top, const char *path) {
    size_t len = strlen(top);
    if (len == 1) // the root
        return true;
    return strncmp(path, top, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

void zs_path_climb(char *path, const char *other) {
    while (!zs_path_covers(path, other)) {
        char *slash = strrchr(path, '/');
        slash[slash == path] = '\0';
    }
}

static int64_t clock_ms(clockid_t id) {
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t zs_wall_ms(void) {
    return clock_ms(CLOCK_REALTIME);
}

int64_t zs_mono_ms(void) {
    return clock_ms(CLOCK_MONOTONIC);
}

struct timespec zs_mono_in(int64_t ms) {
    int64_t when = zs_mono_ms() + ms;
    return (struct timespec){.tv_sec = (time_t)(when / 1000), .tv_nsec = (long)(when % 1000) * 1000000};
}
