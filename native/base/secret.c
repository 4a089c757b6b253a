#include "zs_secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
    const mode_t others = about.st_uid == 0 ? S_IWGRP | S_IXGRP | S_IRWXO : S_IRWXG | S_IRWXO;
    if (about.st_mode & others)
        return zs_fail(
            e, ZS_INVALID,
            "%.200s: has mode %04o, so others have access; expected at most 0600, or 0640 if it is "
            "root's and this process reads it through its group",
            file, about.st_mode & 07777);
    if (!read_start(fd, out, size, &len))
        return zs_fail(e, ZS_INVALID, "%.200s: cannot be read: %s", file, strerror(errno));
    return keep_first_line(file, out, size, len, e);
}

bool zs_secret_read(const char *file, char *out, size_t size, struct zs_error *e) {
    // O_NONBLOCK: a FIFO without a writer must not hold a server's start.
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return zs_fail(e, ZS_INVALID,
                       "%.200s: cannot be opened: %s; expected a file that this process's user owns", file,
                       strerror(errno));
    bool valid = read_secret(fd, file, out, size, e);
    close(fd);
    if (!valid)
        explicit_bzero(out, size);
    return valid;
}
