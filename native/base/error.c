#include "zs_error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool zs_fail(struct zs_error *e, enum zs_code code, const char *format, ...) {
    if (!e)
        return false;
    e->code = code;
    va_list args;
    va_start(args, format);
    vsnprintf(e->text, sizeof e->text, format, args);
    va_end(args);
    return false;
}

bool zs_error_context(struct zs_error *e, const char *format, ...) {
    if (!e)
        return false;
    char front[sizeof e->text];
    va_list args;
    va_start(args, format);
    int used = vsnprintf(front, sizeof front, format, args);
    va_end(args);
    size_t length = used < 0 ? 0 : (size_t)used;
    if (length > sizeof front - 3)
        length = sizeof front - 3;
    memcpy(front + length, ": ", 2);
    length += 2;
    size_t room = sizeof front - length - 1;
    size_t kept = strnlen(e->text, room);
    memcpy(front + length, e->text, kept);
    front[length + kept] = '\0';
    memcpy(e->text, front, length + kept + 1);
    return false;
}
