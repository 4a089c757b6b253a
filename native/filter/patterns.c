// A list of patterns, compiled once, matched in place.
//
// Why the matching cannot blow up. A pattern is a row of fixed blocks with a "**" before all but the first of them,
// and, since it covers what lies beneath, with an unspoken "**" behind the last. If the blocks are placed from the
// left, each at the first place where it fits, then no other placement can do better: what is left of the path is
// never shorter. So when a block does not fit, only the newest "**" has to take one segment more, and the older ones
// are never touched again. The work is at most (segments of the pattern) * (segments of the path). The same holds
// within a segment, with characters for segments and '*' for "**"; there the last block must meet the end.
#include "zs_filter.h"

#include <stdlib.h>
#include <string.h>

#include "zs_utf8.h"

// Wildcards in the code of a segment. No name of a znode has such a byte, so an encoded '*' is just a '*' there.
enum { ANY_RUN = 1, ANY_CHARACTER = 2 };

struct segment {
    const char *code; // decoded
    size_t len;
    bool any_depth; // "**"
    bool literal;   // no wildcard in it
};

struct pattern {
    const char *text; // canonical: no "**" at the end, none after another, no character encoded without need
    struct segment *segments;
    size_t count;
};

struct zs_patterns {
    char *text, *code; // what the patterns and their segments point into
    struct pattern *list;
    size_t count;
};

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// Puts the next item of the list at `out`, without the white space around it. Returns what follows the item and its comma;
// NULL after the last one.
static const char *next_item(const char *list, char *out, size_t *len) {
    while (is_space(*list))
        list++;
    size_t n = strcspn(list, ",");
    const char *next = list[n] ? list + n + 1 : NULL;
    while (n > 0 && is_space(list[n - 1]))
        n--;
    memcpy(out, list, n);
    out[n] = '\0';
    *len = n;
    return next;
}

static const char *fault_of_name(const char *code, size_t len) {
    if ((len == 1 && code[0] == '.') || (len == 2 && code[0] == '.' && code[1] == '.'))
        return "has the segment \".\" or \"..\", which no znode can have; expected a name";
    for (size_t i = 0; i < len;) {
        uint32_t character;
        size_t step = zs_utf8_next((const uint8_t *)code + i, len - i, &character);
        if (step == 0 || (character >= 0xd800 && character <= 0xdfff))
            return "is not UTF-8; expected the bytes of UTF-8, encoded as %XX or as they are";
        i += step;
    }
    return NULL;
}

static int hex_digit(char c) {
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)((at - digits) % 16) : -1;
}

// Decodes one segment into `code`, and spells it into *text, which moves on.
static const char *decode_segment(const char *from, size_t from_len, char *code, size_t *len, char **text) {
    *len = 0;
    for (size_t i = 0; i < from_len; i++) {
        char c = from[i];
        if (c == '\\')
            return "has a backslash; expected %5C for it, and %2C for a comma within a pattern";
        if (c == '*' || c == '?') {
            code[(*len)++] = c == '*' ? ANY_RUN : ANY_CHARACTER;
            *(*text)++ = c;
            continue;
        }
        const int high = c == '%' && i + 2 < from_len ? hex_digit(from[i + 1]) : -1;
        const int low = high >= 0 ? hex_digit(from[i + 2]) : -1;
        if (c == '%' && low < 0)
            return "has a '%' without two hexadecimal digits; expected %25 for a '%' itself";
        if (c == '%')
            c = (char)(high * 16 + low);
        if (c == '/' || ((unsigned char)c < 0x20) || c == 0x7f)
            return "encodes a '/' or a control character, which no name has; expected a name";
        code[(*len)++] = c;
        if (c == '%' || c == '*' || c == '?') {
            memcpy(*text, from + i, 3);
            (*text)[2] = low < 10 ? (*text)[2] : (char)('A' + low - 10);
            *text += 3;
        } else {
            *(*text)++ = c;
        }
        i += from[i] == '%' ? 2 : 0;
    }
    return fault_of_name(code, *len);
}

static const char *fault_of_segment(const char *text, size_t len) {
    if (len == 0)
        return "has an empty segment; expected one '/' between segments and none at the end";
    if (memmem(text, len, "**", 2) && len != 2)
        return "has \"**\" within a segment; expected '*' there, or \"**\" between two '/'";
    return NULL;
}

// Reads the segments of an absolute path and spells its canonical form. *code moves on.
static const char *read_segments(struct pattern *pattern, const char *from, char **code, char *text) {
    pattern->text = text;
    for (from += !from[1]; *from;) {
        const char *name = from + 1, *fault;
        size_t len = strcspn(name, "/");
        from = name + len;
        struct segment segment = {.code = *code, .any_depth = len == 2 && memcmp(name, "**", 2) == 0};
        if (segment.any_depth && pattern->count > 0 && pattern->segments[pattern->count - 1].any_depth)
            continue;
        *text++ = '/';
        if ((fault = fault_of_segment(name, len)) ||
            (fault = decode_segment(name, len, *code, &segment.len, &text)))
            return fault;
        segment.literal = !memchr(*code, ANY_RUN, segment.len) && !memchr(*code, ANY_CHARACTER, segment.len);
        *code += segment.len;
        pattern->segments[pattern->count++] = segment;
    }
    if (pattern->count > 0 && pattern->segments[pattern->count - 1].any_depth) {
        pattern->count--;
        text -= strlen("/**");
    }
    *text = '\0';
    return NULL;
}

static bool compile(struct pattern *pattern, const char *item, char **code, char *text, struct zs_error *e) {
    size_t slashes = 1;
    for (const char *c = item; *c; c++)
        slashes += *c == '/';
    pattern->segments = calloc(slashes, sizeof *pattern->segments);
    if (!pattern->segments)
        return zs_fail(e, ZS_FATAL, "no memory for a path pattern");
    const char *fault = item[0] == '/' ? read_segments(pattern, item, code, text)
                                       : "is not an absolute path; expected it to start with '/'";
    return !fault || zs_fail(e, ZS_INVALID, "pattern \"%.200s\" %s", item, fault);
}

static int compare_patterns(const void *a, const void *b) {
    return strcmp(((const struct pattern *)a)->text, ((const struct pattern *)b)->text);
}

static void sort_and_drop_doubles(struct zs_patterns *patterns) {
    if (patterns->count == 0)
        return;
    qsort(patterns->list, patterns->count, sizeof *patterns->list, compare_patterns);
    size_t kept = 1;
    for (size_t i = 1; i < patterns->count; i++) {
        if (compare_patterns(&patterns->list[i], &patterns->list[kept - 1]) == 0)
            free(patterns->list[i].segments);
        else
            patterns->list[kept++] = patterns->list[i];
    }
    patterns->count = kept;
}

static bool parse_list(struct zs_patterns *patterns, const char *list, char *item, struct zs_error *e) {
    char *text = patterns->text, *code = patterns->code;
    for (const char *from = list; from;) {
        size_t len;
        from = next_item(from, item, &len);
        if (len == 0 && !from && patterns->count == 0)
            return true; // the empty list
        if (len == 0)
            return zs_fail(e, ZS_INVALID, "pattern list \"%.200s\" has an empty item; expected \"/a,/b\"",
                           list);
        if (patterns->count == ZS_PATTERNS_MAX)
            return zs_fail(e, ZS_INVALID, "pattern list has more than %d patterns; expected fewer",
                           ZS_PATTERNS_MAX);
        if (!compile(&patterns->list[patterns->count++], item, &code, text, e))
            return false;
        text += len + 1;
    }
    sort_and_drop_doubles(patterns);
    return true;
}

struct zs_patterns *zs_patterns_new(const char *list, struct zs_error *e) {
    struct zs_patterns *patterns = calloc(1, sizeof *patterns);
    size_t items = 1;
    for (const char *c = list; *c && items < ZS_PATTERNS_MAX; c++)
        items += *c == ',';
    char *item = malloc(strlen(list) + 1);
    if (patterns) {
        patterns->text = calloc(strlen(list) + 1, 1);
        patterns->code = calloc(strlen(list) + 1, 1);
        patterns->list = calloc(items, sizeof *patterns->list);
    }
    bool fine = item && patterns && patterns->text && patterns->code && patterns->list;
    if (!fine)
        zs_fail(e, ZS_FATAL, "no memory for a list of path patterns");
    fine = fine && parse_list(patterns, list, item, e);
    free(item);
    if (fine)
        return patterns;
    zs_patterns_free(patterns);
    return NULL;
}

void zs_patterns_free(struct zs_patterns *patterns) {
    if (!patterns)
        return;
    for (size_t i = 0; i < patterns->count; i++)
        free(patterns->list[i].segments);
    free(patterns->list);
    free(patterns->text);
    free(patterns->code);
    free(patterns);
}

size_t zs_patterns_count(const struct zs_patterns *patterns) {
    return patterns->count;
}

const char *zs_patterns_at(const struct zs_patterns *patterns, size_t index) {
    return patterns->list[index].text;
}

// Behind the UTF-8 character at `at`. Bytes that are no UTF-8 come in some pieces of 1 to 4 bytes.
static const char *next_character(const char *at, const char *end) {
    const char *limit = end - at > 4 ? at + 4 : end;
    at++;
    while (at < limit && ((unsigned char)*at & 0xc0) == 0x80)
        at++;
    return at;
}

static bool segment_matches(const struct segment *segment, const char *name, size_t len) {
    if (segment->literal)
        return segment->len == len && memcmp(segment->code, name, len) == 0;
    const char *p = segment->code, *p_end = p + segment->len;
    const char *end = name + len;
    const char *behind_star = NULL, *star_ends = NULL;
    for (;;) {
        if (p < p_end && *p == ANY_RUN) {
            behind_star = ++p;
            star_ends = name;
        } else if (name == end) {
            return p == p_end;
        } else if (p < p_end && *p == ANY_CHARACTER) {
            p++;
            name = next_character(name, end);
        } else if (p < p_end && *p == *name) {
            p++;
            name++;
        } else if (behind_star) {
            star_ends = next_character(star_ends, end);
            name = star_ends;
            p = behind_star;
        } else {
            return false;
        }
    }
}

// `path` stands before a segment, "/a/b", or at the end. Returns what follows the segment.
static const char *behind_segment(const char *path) {
    return path + 1 + strcspn(path + 1, "/");
}

static bool pattern_matches(const struct pattern *pattern, const char *path) {
    size_t wanted = 0, behind_any = 0;
    const char *any_ends = NULL;
    for (;;) {
        if (wanted == pattern->count)
            return true;
        const struct segment *segment = &pattern->segments[wanted];
        if (segment->any_depth) {
            behind_any = ++wanted;
            any_ends = path;
            continue;
        }
        if (!*path)
            return false;
        const char *behind = behind_segment(path);
        if (segment_matches(segment, path + 1, (size_t)(behind - path - 1))) {
            wanted++;
            path = behind;
        } else if (any_ends) {
            any_ends = behind_segment(any_ends);
            path = any_ends;
            wanted = behind_any;
        } else {
            return false;
        }
    }
}

bool zs_patterns_match(const struct zs_patterns *patterns, const char *path) {
    if (path[0] != '/')
        return false;
    const char *segments = path[1] ? path : path + 1;
    for (size_t i = 0; i < patterns->count; i++) {
        if (pattern_matches(&patterns->list[i], segments))
            return true;
    }
    return false;
}

// The path is the beginning of what the pattern asks for, or goes beyond it. Behind a "**" everything may come.
static bool may_match_below(const struct pattern *pattern, const char *path) {
    for (size_t i = 0; *path && i < pattern->count && !pattern->segments[i].any_depth; i++) {
        const char *behind = behind_segment(path);
        if (!segment_matches(&pattern->segments[i], path + 1, (size_t)(behind - path - 1)))
            return false;
        path = behind;
    }
    return true;
}

bool zs_patterns_may_match_below(const struct zs_patterns *patterns, const char *path) {
    const char *segments = path[1] ? path : path + 1;
    for (size_t i = 0; i < patterns->count; i++) {
        if (may_match_below(&patterns->list[i], segments))
            return true;
    }
    return false;
}
