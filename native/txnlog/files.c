#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool parse(const char *name, const char *prefix, bool suffixes, int64_t *zxid) {
    size_t len = strlen(prefix);
    if (strncmp(name, prefix, len) != 0 || name[len] != '.' || !strchr("0123456789abcdef", name[len + 1]) ||
        !name[len + 1])
        return false;
    char *end;
    errno = 0;
    unsigned long long value = strtoull(name + len + 1, &end, 16);
    if (errno || value > INT64_MAX || (*end && !(suffixes && *end == '.')))
        return false;
    *zxid = (int64_t)value;
    return true;
}

static int has_dot(const struct dirent *entry) {
    return strchr(entry->d_name, '.') != NULL;
}

static int ascending(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

bool zs_zxids_of_files(const char *dir, const char *prefix, bool suffixes, struct zs_zxids *out,
                       struct zs_error *e) {
    *out = (struct zs_zxids){NULL, 0};
    struct dirent **names;
    int count = scandir(dir, &names, has_dot, alphasort);
    if (count < 0)
        return zs_fail(e, errno == ENOMEM ? ZS_FATAL : ZS_INVALID, "%s: %s", dir, strerror(errno));
    out->at = calloc((size_t)count + 1, sizeof *out->at);
    for (int i = 0; i < count; i++) {
        if (out->at && parse(names[i]->d_name, prefix, suffixes, &out->at[out->count]))
            out->count++;
        free(names[i]);
    }
    free(names);
    if (!out->at)
        return zs_fail(e, ZS_FATAL, "%s: no memory for the names of its files", dir);
    if (out->count)
        qsort(out->at, out->count, sizeof *out->at, ascending);
    return true;
}

void zs_zxids_free(struct zs_zxids *zxids) {
    free(zxids->at);
    *zxids = (struct zs_zxids){NULL, 0};
}
