// Secrets live in files that nobody else can open, or in the environment; never in a configuration, a message or a
// command line.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "parts.h"

enum { VARIABLE_BYTES = 80 };

static bool refuse(const char *file, const char *what, struct zs_error *e) {
    return zs_fail(e, ZS_INVALID, "%.200s: %s", file, what);
}

// Fills `out` as far as the file reaches.
static bool read_start(int fd, char *out, size_t size, size_t *len) {
    *len = 0;
    while (*len < size) {
        ssize_t got = read(fd, out + *len, size - *len);
        if (got == 0)
            return true;
        if (got < 0 && errno != EINTR)
            return false;
        if (got > 0)
            *len += (size_t)got;
    }
    return true;
}

// Cuts what was read to its first line.
static bool keep_first_line(const char *file, char *out, size_t size, size_t len, struct zs_error *e) {
    char *newline = memchr(out, '\n', len);
    if (!newline && len == size)
        return refuse(file, "the first line is too long; expected a password", e);
    size_t kept = newline ? (size_t)(newline - out) : len;
    if (kept > 0 && out[kept - 1] == '\r')
        kept--;
    if (kept == 0)
        return refuse(file, "the first line is empty; expected a password in it", e);
    if (memchr(out, '\0', kept))
        return refuse(file, "there is a NUL in the first line; expected text", e);
    explicit_bzero(out + kept, size - kept);
    return true;
}

static bool read_secret(int fd, const char *file, char *out, size_t size, struct zs_error *e) {
    struct stat about;
    size_t len;
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode))
        return refuse(file, "is not a regular file; expected one with the password in its first line", e);
    if (about.st_mode & (S_IRWXG | S_IRWXO))
        return zs_fail(
            e, ZS_INVALID,
            "%.200s: has mode %04o, so others than its owner have access; expected 0600: chmod 600", file,
            about.st_mode & 07777);
    if (!read_start(fd, out, size, &len))
        return zs_fail(e, ZS_INVALID, "%.200s: cannot be read: %s", file, strerror(errno));
    return keep_first_line(file, out, size, len, e);
}

static bool secret_of_file(const char *file, char *out, size_t size, struct zs_error *e) {
    // O_NONBLOCK: a FIFO without a writer must not hold a server's start.
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return zs_fail(e, ZS_INVALID,
                       "%.200s: cannot be opened: %s; expected a file that this process's user owns", file,
                       strerror(errno));
    bool valid = read_secret(fd, file, out, size, e);
    close(fd);
    return valid;
}

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
        valid = secret_of_file(file, out, size, e);
        *found = valid;
    } else {
        valid = secret_of_environment(link, name, out, size, found, e);
    }
    if (!valid)
        explicit_bzero(out, size);
    return valid;
}
