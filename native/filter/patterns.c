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

struct segment {
    const char *text;
    size_t len;
    bool any_depth; // "**"
    bool literal;   // neither '*' nor '?' in it
};

struct pattern {
    const char *text; // canonical: no "**" at the end, none behind another
    struct segment *segments;
    size_t count;
};

struct zs_patterns {
    char *text; // all that the patterns point into
    struct pattern *list;
    size_t count;
};

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// Puts the next item of the list, without the white space around it and without the backslash of "\,", at `out`.
// Returns what follows the item and its comma; NULL after the last one.
static const char *next_item(const char *list, char *out, size_t *len) {
    while (is_space(*list))
        list++;
    size_t n = 0;
    for (; *list && *list != ','; list++) {
        if (list[0] == '\\' && list[1] == ',')
            list++;
        out[n++] = *list;
    }
    while (n > 0 && is_space(out[n - 1]))
        n--;
    out[n] = '\0';
    *len = n;
    return *list ? list + 1 : NULL;
}

static const char *fault_of_segment(const char *text, size_t len) {
    if (len == 0)
        return "has an empty segment; expected one '/' between segments and none at the end";
    if ((len == 1 && text[0] == '.') || (len == 2 && text[0] == '.' && text[1] == '.'))
        return "has the segment \".\" or \"..\", which no znode can have; expected a name";
    bool doubled = memmem(text, len, "**", 2) != NULL;
    if (doubled && len != 2)
        return "has \"**\" within a segment; expected '*' there, or \"**\" between two '/'";
    return NULL;
}

static const char *fault_of_pattern(const char *text) {
    if (text[0] != '/')
        return "is not an absolute path; expected it to start with '/'";
    if (!text[1])
        return NULL;
    const char *fault = NULL;
    while (*text && !fault) {
        size_t len = strcspn(text + 1, "/");
        fault = fault_of_segment(text + 1, len);
        text += 1 + len;
    }
    return fault;
}

// Reads the segments of a pattern without fault and writes its canonical form over it, which is never longer.
static void split(struct pattern *pattern, char *text) {
    char *to = text;
    const char *from = text[1] ? text : text + 1;
    while (*from) {
        const char *name = from + 1;
        size_t len = strcspn(name, "/");
        from = name + len;
        bool any_depth = len == 2 && memcmp(name, "**", 2) == 0;
        if (any_depth && pattern->count > 0 && pattern->segments[pattern->count - 1].any_depth)
            continue;
        *to++ = '/';
        memmove(to, name, len);
        pattern->segments[pattern->count++] = (struct segment){
            .text = to,
            .len = len,
            .any_depth = any_depth,
            .literal = !memchr(to, '*', len) && !memchr(to, '?', len),
        };
        to += len;
    }
    if (pattern->count > 0 && pattern->segments[pattern->count - 1].any_depth) {
        pattern->count--;
        to -= strlen("/**");
    }
    *to = '\0';
    pattern->text = text;
}

static bool compile(struct pattern *pattern, char *text, struct zs_error *e) {
    const char *fault = fault_of_pattern(text);
    if (fault)
        return zs_fail(e, ZS_INVALID, "pattern \"%.200s\" %s", text, fault);
    size_t slashes = 1;
    for (const char *c = text + 1; *c; c++)
        slashes += *c == '/';
    pattern->segments = calloc(slashes, sizeof *pattern->segments);
    if (!pattern->segments)
        return zs_fail(e, ZS_FATAL, "no memory for a path pattern");
    split(pattern, text);
    return true;
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

static bool parse_list(struct zs_patterns *patterns, const char *list, struct zs_error *e) {
    char *to = patterns->text;
    for (const char *from = list; from;) {
        size_t len;
        from = next_item(from, to, &len);
        if (len == 0 && !from && patterns->count == 0)
            return true; // the empty list
        if (len == 0)
            return zs_fail(e, ZS_INVALID, "pattern list \"%.200s\" has an empty item; expected \"/a,/b\"",
                           list);
        if (patterns->count == ZS_PATTERNS_MAX)
            return zs_fail(e, ZS_INVALID, "pattern list has more than %d patterns; expected fewer",
                           ZS_PATTERNS_MAX);
        if (!compile(&patterns->list[patterns->count++], to, e))
            return false;
        to += len + 1;
    }
    sort_and_drop_doubles(patterns);
    return true;
}

struct zs_patterns *zs_patterns_new(const char *list, struct zs_error *e) {
    struct zs_patterns *patterns = calloc(1, sizeof *patterns);
    size_t items = 1;
    for (const char *c = list; *c && items < ZS_PATTERNS_MAX; c++)
        items += *c == ',';
    if (patterns) {
        patterns->text = calloc(strlen(list) + 1, 1);
        patterns->list = calloc(items, sizeof *patterns->list);
    }
    if (!patterns || !patterns->text || !patterns->list)
        zs_fail(e, ZS_FATAL, "no memory for a list of path patterns");
    else if (parse_list(patterns, list, e))
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
        return segment->len == len && memcmp(segment->text, name, len) == 0;
    const char *p = segment->text, *p_end = p + segment->len;
    const char *end = name + len;
    const char *behind_star = NULL, *star_ends = NULL;
    for (;;) {
        if (p < p_end && *p == '*') {
            behind_star = ++p;
            star_ends = name;
        } else if (name == end) {
            return p == p_end;
        } else if (p < p_end && *p == '?') {
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
