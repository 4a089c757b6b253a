#include "parts.h"

#include <stdarg.h>
#include <string.h>

#include "zs_utf8.h"

enum { ROOM_FOR_THE_REST = 32 }; // " | and 4294967295 more"

static void add(struct zs_problems *problems, const char *where, const char *what) {
    const char *separator = problems->used > 0 ? " | " : "";
    size_t needed = strlen(separator) + strlen(where) + strlen(what);
    problems->found++;
    // Once one is left out all that follow are, so that the text is the first problems and not some of them.
    if (problems->left_out > 0 || needed >= sizeof problems->text - ROOM_FOR_THE_REST - problems->used) {
        problems->left_out++;
        return;
    }
    char *to = problems->text + problems->used;
    problems->used +=
        (size_t)snprintf(to, sizeof problems->text - problems->used, "%s%s%s", separator, where, what);
}

void zs_problem(struct zs_problems *problems, int line, const char *key, const char *format, ...) {
    char where[400] = "", what[500];
    size_t used = 0;
    if (problems->file && line != ZS_LINE_UNKNOWN) {
        used = (size_t)snprintf(where, sizeof where, "%.200s", problems->file);
        if (line > 0)
            used += (size_t)snprintf(where + used, sizeof where - used, ":%d", line);
        used += (size_t)snprintf(where + used, sizeof where - used, ": ");
    }
    if (key) {
        char quoted[ZS_QUOTE_BYTES];
        size_t len = strlen(zs_quote(quoted, key));
        snprintf(where + used, sizeof where - used, "%.*s: ", (int)(len - 2), quoted + 1);
    }
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    add(problems, where, what);
}

bool zs_problems_none(struct zs_problems *problems, struct zs_error *e) {
    if (problems->found == 0)
        return true;
    if (problems->left_out == 0)
        return zs_fail(e, ZS_INVALID, "%s", problems->text);
    return zs_fail(e, ZS_INVALID, "%s | and %u more", problems->text, problems->left_out);
}

const char *zs_quote(char out[static ZS_QUOTE_BYTES], const char *text) {
    size_t room = ZS_QUOTE_BYTES - sizeof "\"...\"";
    size_t len = strnlen(text, room + 1);
    bool cut = len > room;
    if (cut) {
        len = room;
        while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
            len--;
    }
    snprintf(out, ZS_QUOTE_BYTES, "\"%.*s%s\"", (int)len, text, cut ? "..." : "");
    return out;
}

const char *zs_text_fault(const char *text, size_t len) {
    for (size_t i = 0; i < len;) {
        unsigned char c = (unsigned char)text[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return "there is a control character in it; expected text";
        uint32_t code;
        size_t step = zs_utf8_next((const uint8_t *)text + i, len - i, &code);
        if (step == 0 || (code >= 0xd800 && code <= 0xdfff))
            return "it is not UTF-8; expected UTF-8";
        i += step;
    }
    return NULL;
}
