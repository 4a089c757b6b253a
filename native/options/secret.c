// Secrets live in files that nobody else can open, or in the environment; never in a configuration, a message or a
// command line.
#include <stdlib.h>
#include <string.h>

#include "parts.h"
#include "zs_secret.h"

enum { VARIABLE_BYTES = 80 };

// ZOOSPAN_<name without _file>, and _<link> if there is one, in upper case.
static void variable_name(const char *name, const char *link, char out[static VARIABLE_BYTES]) {
    size_t stem = strlen(name);
    const size_t tail = strlen("_file");
    if (stem > tail && strcmp(name + stem - tail, "_file") == 0)
        stem -= tail;
    snprintf(out, VARIABLE_BYTES, "ZOOSPAN_%.*s%s%s", (int)stem, name, link ? "_" : "", link ? link : "");
    for (char *c = out; *c; c++) {
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
        if (*c == '-' || *c == '.')
            *c = '_';
    }
}

static bool secret_of_environment(const char *link, const char *name, char *out, size_t size, bool *found,
                                  struct zs_error *e) {
    char variable[VARIABLE_BYTES];
    variable_name(name, link, variable);
    const char *secret = getenv(variable);
    if (!secret && link) {
        variable_name(name, NULL, variable);
        secret = getenv(variable);
    }
    if (!secret)
        return true;
    size_t len = strlen(secret);
    if (len == 0)
        return zs_fail(e, ZS_INVALID,
                       "environment variable %s: is empty; expected a password, or no such variable",
                       variable);
    if (len >= size)
        return zs_fail(e, ZS_INVALID, "environment variable %s: is too long; expected a password", variable);
    memcpy(out, secret, len + 1);
    *found = true;
    return true;
}

bool zs_option_secret(const struct zs_options *options, const char *link, const char *name, char *out,
                      size_t size, bool *found, struct zs_error *e) {
    const char *file = zs_option_text(options, link, name);
    bool valid;
    *found = false;
    explicit_bzero(out, size);
    if (file) {
        valid = zs_secret_read(file, out, size, e);
        *found = valid;
    } else {
        valid = secret_of_environment(link, name, out, size, found, e);
    }
    if (!valid)
        explicit_bzero(out, size);
    return valid;
}
