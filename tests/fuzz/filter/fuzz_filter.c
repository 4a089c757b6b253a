// First line: include, second: exclude, third: path. Whatever the bytes, the filter ends without harm; and on small,
// well-formed inputs it says the same as a matcher that follows the definition word for word by trying everything.
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zs_filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { SMALL = 24 }; // bytes up to which trying everything is affordable

static size_t character(const char *at) {
    unsigned char lead = (unsigned char)*at;
    return lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

static bool well_formed(const char *text) {
    while (*text) {
        unsigned char lead = (unsigned char)*text;
        if ((lead >= 0x80 && lead < 0xc2) || lead > 0xf4)
            return false;
        for (size_t i = 1; i < character(text); i++) {
            if (((unsigned char)text[i] & 0xc0) != 0x80)
                return false;
        }
        text += character(text);
    }
    return true;
}

static bool ends_segment(char c) {
    return c == '/' || c == '\0';
}

// What a valid "%XX" stands for.
static char encoded(const char *p) {
    const char digits[] = {p[1], p[2], '\0'};
    return (char)strtol(digits, NULL, 16);
}

// `p` and `s` stand before a segment ("/..."), at the end, or within a segment.
static bool naive(const char *p, const char *s) {
    if (!*p)
        return ends_segment(*s); // what lies beneath is covered
    if (strncmp(p, "/**", 3) == 0 && ends_segment(p[3])) {
        if (!ends_segment(*s))
            return false;
        for (;; s += 1 + strcspn(s + 1, "/")) {
            if (naive(p + 3, s))
                return true;
            if (!*s)
                return false;
        }
    }
    if (*p == '*') {
        for (;; s += character(s)) {
            if (naive(p + 1, s))
                return true;
            if (ends_segment(*s))
                return false;
        }
    }
    if (!*s)
        return false;
    if (*p == '?')
        return *s != '/' && naive(p + 1, s + character(s));
    if (*p == '%')
        return encoded(p) == *s && naive(p + 3, s + 1);
    return *p == *s && naive(p + 1, s + 1);
}

static bool naive_list(const char *list, const char *path) {
    char item[SMALL + 1];
    size_t n = 0;
    for (;; list++) {
        if (*list && *list != ',') {
            item[n++] = *list;
        } else {
            const char *from = item;
            while (n > 0 && strchr(" \t\r", item[n - 1]))
                n--;
            item[n] = '\0';
            from += strspn(from, " \t\r");
            const char *pattern = strcmp(from, "/") == 0 ? "" : from;
            if (*from && naive(pattern, strcmp(path, "/") == 0 ? "" : path))
                return true;
            if (!*list)
                return false;
            n = 0;
        }
    }
}

static bool beneath(const char *path, const char *top) {
    return strncmp(path, top, strlen(top)) == 0 && ends_segment(path[strlen(top)]);
}

static bool naive_carries(const char *include, const char *exclude, const char *path) {
    if (path[0] != '/' || beneath(path, "/zookeeper") || beneath(path, "/zoospan"))
        return false;
    if (include[strspn(include, " \t\r")] && !naive_list(include, path))
        return false;
    return !naive_list(exclude, path);
}

static void check(const char *include, const char *exclude, const char *path) {
    struct zs_error e = {0};
    struct zs_filter *filter = zs_filter_new(include, exclude, &e);
    if (!filter) {
        if (e.code != ZS_INVALID || !e.text[0])
            abort();
        return;
    }
    bool carried = zs_filter_carries(filter, path);
    bool small = strlen(include) <= SMALL && strlen(exclude) <= SMALL && strlen(path) <= SMALL;
    if (small && well_formed(include) && well_formed(exclude) && well_formed(path) &&
        carried != naive_carries(include, exclude, path)) {
        fprintf(stderr, "include \"%s\" exclude \"%s\" path \"%s\": %d\n", include, exclude, path, carried);
        abort();
    }
    zs_filter_free(filter);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    if (len > 4096)
        return 0;
    char *text = malloc(len + 3);
    if (!text)
        return 0;
    if (len)
        memcpy(text, bytes, len);
    memcpy(text + len, "\0\0", 3);
    char *lines[3] = {text, text + len, text + len};
    for (size_t i = 1; i < 3; i++) {
        char *newline = strchr(lines[i - 1], '\n');
        if (!newline)
            break;
        *newline = '\0';
        lines[i] = newline + 1;
    }
    check(lines[0], lines[1], lines[2]);
    free(text);
    return 0;
}
