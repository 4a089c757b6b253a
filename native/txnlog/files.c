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

bool zs_zxids_of_files(const char *dir, const char *prefix, bool suffixes, struct zs_zxids *out,
                       struct zs_error *e) {
    *out = (struct zs_zxids){.at = NULL};
    struct dirent **names;
    int count = scandir(dir, &names, has_dot, alphasort);
    if (count < 0)
        return zs_fail(e, errno == ENOMEM ? ZS_FATAL : ZS_INVALID, "%s: %s", dir, strerror(errno));
    bool fine = true;
    for (int i = 0; i < count; i++) {
        int64_t zxid;
        if (fine && parse(names[i]->d_name, prefix, suffixes, &zxid))
            fine = zs_zxids_add(out, zxid);
        free(names[i]);
    }
    free(names);
    if (!fine)
        return zs_fail(e, ZS_FATAL, "%s: no memory for the names of its files", dir);
    zs_zxids_sort(out);
    return true;
}
