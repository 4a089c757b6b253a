// Logical lines of a "key = value" file. Zoo.cfg is one too, as far as finding the line of a key is concerned.
#include "parts.h"

#include <string.h>

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\f';
}

char *zs_trim(char *text) {
    while (is_space(*text))
        text++;
    size_t len = strlen(text);
    while (len > 0 && is_space(text[len - 1]))
        len--;
    text[len] = '\0';
    return text;
}

struct zs_lines zs_lines_of(char *bytes, size_t len) {
    if (len >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
        bytes += 3;
        len -= 3;
    }
    return (struct zs_lines){.at = bytes, .end = bytes + len, .line = 1};
}

// The next physical line as [from, to), without the white space at both ends.
static bool physical_line(struct zs_lines *lines, char **from, char **to) {
    if (lines->at == lines->end)
        return false;
    char *newline = memchr(lines->at, '\n', (size_t)(lines->end - lines->at));
    *from = lines->at;
    *to = newline ? newline : lines->end;
    lines->at = newline ? newline + 1 : lines->end;
    lines->line++;
    while (*from < *to && is_space(**from))
        (*from)++;
    while (*from < *to && is_space((*to)[-1]))
        (*to)--;
    return true;
}

bool zs_lines_next(struct zs_lines *lines, struct zs_line *line) {
    char *from, *to;
    do {
        line->number = lines->line;
        if (!physical_line(lines, &from, &to))
            return false;
    } while (from == to || *from == '#' || *from == '!');

    line->text = from;
    line->unfinished = false;
    while (to > line->text && to[-1] == '\\') {
        to--;
        char *more, *more_end;
        if (!physical_line(lines, &more, &more_end)) {
            line->unfinished = true;
            break;
        }
        memmove(to, more, (size_t)(more_end - more));
        to += more_end - more;
    }
    while (to > line->text && is_space(to[-1]))
        to--;
    *to = '\0';
    line->len = (size_t)(to - line->text);
    return true;
}

bool zs_line_loses_backslash(const char *value) {
    for (const char *at = value; (at = strchr(at, '\\')); at++) {
        if (at[1] != 'u')
            return true;
    }
    return false;
}
